// The disk service: looks on each disk that is announced, by the device manager or by drivers
// behind which disks come and go, for partitions of guest packages, and hands out their files as
// extents. It alone holds whole disks. Each disk is looked at by a thread of its own, so that one
// that does not answer keeps nobody from the others. The packages of a disk that goes go with it.
//
// A package partition holds a file archive (boot/bootfs.h) with the packages in pkg/NAME/, as the
// boot image has them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/block_client.h>
#include <machina_user/device_manager.h>
#include <machina_user/disk_service.h>
#include <machina_user/mutex.h>
#include <machina_user/process.h>
#include <machina_user/startup.h>
#include <machina_user/thread.h>

#include "boot/bootfs.h"
#include "user/portable/gpt.h"

#define ARCHIVES_MAX        16
#define SOURCES_MAX         9 // of announcements
#define BUFFER_BYTES        ((uint64_t)128 * 1024)
#define DIRECTORY_BYTES_MAX ((uint64_t)1 << 20)
#define PACKAGES_FOLDER     "pkg"
#define CONFIG_FILE         "data/guest.cfg"
// Less than the guest manager waits for an answer.
#define LOOK_TIMEOUT MX_SEC(4)

// The archive of a partition; its directory is in memory, its files are not.
struct archive {
    struct block_client extent; // the partition
    struct bootfs files;
    void *directory; // of `files`
    uint32_t order;  // of its disk's announcement
    char disk[DEVICE_NAME_SIZE];
};

// A disk while it is looked at: its thread's, until is_done.
struct look {
    struct block_client disk;
    char name[DEVICE_NAME_SIZE];
    mx_handle_t channel;
    mx_handle_t buffer; // attached as `memory`
    uint32_t memory;
    struct archive found[ARCHIVES_MAX];
    uint32_t found_count;
    struct gpt_table table;
    // The main thread's.
    struct look *next;
    struct thread *thread;
    uint32_t order;
    bool is_late; // it was waited for in vain
    // The mutex's.
    bool is_done;
};

// Where disks are announced.
struct source {
    mx_handle_t channel;
    bool is_manager; // who tells of other sources
};

static struct source sources[SOURCES_MAX];
static uint32_t source_count;

// The main thread's, sorted by order.
static struct archive archives[ARCHIVES_MAX];
static uint32_t archive_count;
static struct look *looks;
static uint32_t next_order;

static struct mutex look_mutex;
static struct condition look_ended;

static void say(const struct look *look, const char *what, mx_status_t status)
{
    printf("disk %s: %s%s%s\n", look->name, what, status == MX_OK ? "" : ": ",
           status == MX_OK ? "" : mx_status_string(status));
}

// --- looking at a disk
// -------------------------------------------------------------------------------

static mx_status_t read_bytes(struct look *look, uint64_t offset, uint64_t size_bytes, void *bytes)
{
    uint64_t block = look->disk.block_bytes, skip = offset % block;
    uint64_t whole = (skip + size_bytes + block - 1) / block * block;

    if (whole > BUFFER_BYTES)
        return MX_ERR_OUT_OF_RANGE;
    mx_status_t status =
        block_client_copy(&look->disk, BLOCK_READ, offset - skip, whole, look->memory, 0);
    return status == MX_OK ? mx_vmo_read(look->buffer, bytes, skip, size_bytes) : status;
}

static mx_status_t read_blocks(void *context, uint64_t block, uint32_t count, void *bytes)
{
    struct look *look = context;

    return read_bytes(look, block * look->disk.block_bytes,
                      (uint64_t)count * look->disk.block_bytes, bytes);
}

// The archive's directory, at `offset` of the disk. NULL: there is none.
static void *read_directory(struct look *look, uint64_t offset, uint64_t room_bytes)
{
    uint32_t header[4];

    if (room_bytes < sizeof(header) || read_bytes(look, offset, sizeof(header), header) != MX_OK ||
        header[0] != BOOTFS_MAGIC || header[1] > DIRECTORY_BYTES_MAX ||
        header[1] + sizeof(header) > room_bytes)
        return NULL;
    size_t size = header[1] + sizeof(header);
    uint8_t *bytes = malloc(size);
    for (size_t at = 0; bytes && at < size; at += MX_PAGE_SIZE) {
        size_t part = size - at < MX_PAGE_SIZE ? size - at : MX_PAGE_SIZE;
        if (read_bytes(look, offset + at, part, bytes + at) == MX_OK)
            continue;
        free(bytes);
        bytes = NULL;
    }
    // The first bytes may not be read again differently: the size was theirs.
    if (bytes)
        memcpy(bytes, header, sizeof(header));
    return bytes;
}

static void add_archive(struct look *look, const struct gpt_partition *partition)
{
    uint64_t offset = partition->first_block * look->disk.block_bytes;
    uint64_t size = partition->block_count * look->disk.block_bytes;
    struct archive *archive = &look->found[look->found_count];
    struct format_error error;
    mx_handle_t channel = MX_HANDLE_INVALID;

    if (look->found_count == ARCHIVES_MAX) {
        say(look, "too many package partitions", MX_OK);
        return;
    }
    void *directory = read_directory(look, offset, size);
    if (!directory) {
        say(look, "its package partition holds no file archive, or cannot be read", MX_OK);
        return;
    }
    // Only the directory is there; that is all that these functions look at.
    if (bootfs_open(&archive->files, directory, size, &error) != MX_OK) {
        printf("disk %s: its package partition: %s at byte %zu\n", look->name, error.reason,
               error.offset);
        free(directory);
        return;
    }
    mx_status_t status = block_client_split(&look->disk, offset, size, 0, &channel);
    if (status == MX_OK)
        status = block_client_open(&archive->extent, channel);
    if (status != MX_OK) {
        handle_close(channel);
        say(look, "its package partition cannot be opened", status);
        free(directory);
        return;
    }
    archive->directory = directory;
    snprintf(archive->disk, sizeof(archive->disk), "%s", look->name);
    look->found_count++;
}

static void look_at_partitions(struct look *look)
{
    struct gpt_disk disk = {.block_count = look->disk.size_bytes / look->disk.block_bytes,
                            .block_bytes = look->disk.block_bytes,
                            .read = read_blocks,
                            .context = look};
    const char *reason;
    mx_status_t status = gpt_read(&disk, &look->table, &reason);

    if (status == MX_ERR_NOT_FOUND)
        return;
    if (status != MX_OK) {
        say(look, reason, status);
        return;
    }
    if (look->table.is_backup)
        printf("disk %s: the backup partition table is used: %s\n", look->name,
               look->table.primary_reason);
    for (uint32_t i = 0; i < look->table.count; i++) {
        if (gpt_guid_is_same(&look->table.partitions[i].type, &gpt_package_type))
            add_archive(look, &look->table.partitions[i]);
    }
}

static void look_at_disk(void *arg)
{
    struct look *look = arg;
    mx_status_t status = block_client_open(&look->disk, look->channel);

    if (status == MX_OK)
        status = mx_vmo_create(BUFFER_BYTES, &look->buffer);
    if (status == MX_OK)
        status = block_client_attach(&look->disk, look->buffer, &look->memory);
    if (status == MX_OK) {
        printf("disk %s: %llu bytes in blocks of %u%s\n", look->name,
               (unsigned long long)look->disk.size_bytes, look->disk.block_bytes,
               look->disk.is_read_only ? ", read-only" : "");
        look_at_partitions(look);
    } else if (status != MX_ERR_PEER_CLOSED) {
        // One whose driver ended is not there, or its driver has said why.
        say(look, "it cannot be used", status);
    }
    handle_close(look->buffer);
    // Partitions have channels of their own.
    handle_close(look->channel);
    mutex_lock(&look_mutex);
    look->is_done = true;
    mutex_unlock(&look_mutex);
    condition_wake_all(&look_ended);
}

static bool is_done(const struct look *look)
{
    mutex_lock(&look_mutex);
    bool done = look->is_done;
    mutex_unlock(&look_mutex);
    return done;
}

static void close_archive(struct archive *archive)
{
    handle_close(archive->extent.channel);
    free(archive->directory);
}

// Where there are too many, the disks that were announced first have the places.
static void add_archive_of(const struct look *look, struct archive *found)
{
    uint32_t at = archive_count;

    while (at > 0 && archives[at - 1].order > look->order)
        at--;
    if (archive_count == ARCHIVES_MAX) {
        struct archive *last = at == ARCHIVES_MAX ? found : &archives[ARCHIVES_MAX - 1];

        printf("disk %s: too many package partitions\n", last->disk);
        close_archive(last);
        if (last == found)
            return;
        archive_count--;
    }
    memmove(&archives[at + 1], &archives[at], (archive_count - at) * sizeof(archives[0]));
    archives[at] = *found;
    archives[at].order = look->order;
    archive_count++;
}

static void drop_archives_that_went(void)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < archive_count; i++) {
        struct archive *archive = &archives[i];

        if (mx_object_wait_one(archive->extent.channel, MX_SIGNAL_PEER_CLOSED, 0, NULL) != MX_OK) {
            archives[kept++] = *archive;
            continue;
        }
        printf("disk %s: it has gone, and its packages with it\n", archive->disk);
        close_archive(archive);
    }
    archive_count = kept;
}

// What was found by the looks that have ended.
static void take_over_looks(void)
{
    struct look **at = &looks, *look;

    drop_archives_that_went();
    while ((look = *at)) {
        if (!is_done(look)) {
            at = &look->next;
            continue;
        }
        if (look->thread)
            thread_join(look->thread);
        for (uint32_t i = 0; i < look->found_count; i++)
            add_archive_of(look, &look->found[i]);
        *at = look->next;
        free(look);
    }
    drop_archives_that_went();
}

// Consumes the channel.
static void begin_look(mx_handle_t channel, const char *name)
{
    // Of disks that come and go, without anybody asking for files.
    take_over_looks();
    struct look *look = calloc(1, sizeof(*look));

    if (!look) {
        printf("disk %s: there is no memory to look at it\n", name);
        handle_close(channel);
        return;
    }
    look->channel = channel;
    look->order = next_order++;
    snprintf(look->name, sizeof(look->name), "%s", name);
    look->next = looks;
    looks = look;
    if (thread_create(&look->thread, "look", look_at_disk, look, 0) != MX_OK) {
        look->thread = NULL;
        look_at_disk(look);
    }
}

static bool has_look_to_wait_for_locked(void)
{
    for (const struct look *look = looks; look; look = look->next) {
        if (!look->is_done && !look->is_late)
            return true;
    }
    return false;
}

// Takes over what was found, by all looks that are not late; the others become it. False: some are.
static bool finish_looks(void)
{
    mx_time_t deadline = mx_clock_get_monotonic() + LOOK_TIMEOUT;
    mx_status_t status = MX_OK;

    mutex_lock(&look_mutex);
    while (status == MX_OK && has_look_to_wait_for_locked())
        status = condition_wait(&look_ended, &look_mutex, deadline);
    mutex_unlock(&look_mutex);
    take_over_looks();
    for (struct look *look = looks; look; look = look->next)
        look->is_late = true;
    return looks == NULL;
}

// --- announcements
// -------------------------------------------------------------------------------------

static void add_source(mx_handle_t channel, bool is_manager)
{
    if (source_count < SOURCES_MAX) {
        sources[source_count++] = (struct source){channel, is_manager};
        return;
    }
    printf("disks: too many drivers that announce disks\n");
    handle_close(channel);
}

// False: nothing more comes from there.
static bool take_announcement(const struct source *source)
{
    struct device_announcement announcement;
    mx_handle_t channel = MX_HANDLE_INVALID;
    uint32_t actual[2] = {0};
    mx_status_t status =
        mx_channel_read(source->channel, &announcement, sizeof(announcement), &channel, 1, actual);

    if (status == MX_ERR_PEER_CLOSED)
        return false;
    if (status != MX_OK || actual[0] != sizeof(announcement) || actual[1] != 1) {
        handle_close(channel);
        return status == MX_OK || status == MX_ERR_SHOULD_WAIT;
    }
    announcement.device[DEVICE_NAME_SIZE - 1] = '\0';
    if (announcement.operation == DEVICE_ANNOUNCE)
        begin_look(channel, announcement.device);
    else if (announcement.operation == DEVICE_ADD_BUS && source->is_manager)
        add_source(channel, false);
    else
        handle_close(channel);
    return true;
}

// Whether there was anything.
static bool take_announcements(const struct mx_wait_item *items)
{
    bool was_any = false;

    // From the last on, as one that ends gives its place to the last.
    for (uint32_t i = source_count; i-- > 0;) {
        if (!items[i].pending)
            continue;
        was_any = true;
        if (take_announcement(&sources[i]))
            continue;
        handle_close(sources[i].channel);
        sources[i] = sources[--source_count];
    }
    return was_any;
}

// --- the client
// --------------------------------------------------------------------------------------

static bool has_package(const struct archive *archive, const char *name)
{
    char path[DISK_PATH_SIZE];
    struct bootfs_file file;

    snprintf(path, sizeof(path), PACKAGES_FOLDER "/%s/" CONFIG_FILE, name);
    return bootfs_find(&archive->files, path, &file) == MX_OK;
}

static bool is_listed(const struct disk_reply *reply, const char *name)
{
    for (uint32_t i = 0; i < reply->count; i++) {
        if (strcmp(reply->names[i], name) == 0)
            return true;
    }
    return false;
}

static void list_packages(const struct archive *archive, struct disk_reply *reply)
{
    struct bootfs_cursor cursor = {0};
    struct bootfs_child child;

    while (reply->count < GUEST_PACKAGES_MAX &&
           bootfs_next_child(&archive->files, PACKAGES_FOLDER, &cursor, &child)) {
        char *name = reply->names[reply->count];
        if (!child.is_directory || child.name_length >= GUEST_NAME_SIZE)
            continue;
        memcpy(name, child.name, child.name_length);
        name[child.name_length] = '\0';
        reply->count += has_package(archive, name) && !is_listed(reply, name);
    }
}

// Of packages with the same name the first archive's counts, all of it: what it lacks is not taken
// from another's.
static struct archive *find_package(const char *name)
{
    for (uint32_t i = 0; i < archive_count; i++) {
        if (has_package(&archives[i], name))
            return &archives[i];
    }
    return NULL;
}

static mx_status_t open_file(struct archive *archive, const struct disk_request *request,
                             struct disk_reply *reply, mx_handle_t *channel)
{
    char path[GUEST_NAME_SIZE + DISK_PATH_SIZE + 8];
    struct bootfs_file file;
    uint64_t block = archive->extent.block_bytes, size;

    snprintf(path, sizeof(path), PACKAGES_FOLDER "/%s/%s", request->package, request->path);
    mx_status_t status = bootfs_find(&archive->files, path, &file);
    if (status != MX_OK)
        return status;
    if (request->is_writable && archive->extent.is_read_only)
        return MX_ERR_ACCESS_DENIED;
    reply->size_bytes = file.size_bytes;
    size = (file.size_bytes + block - 1) / block * block;
    if (size == 0)
        size = block; // an extent is never empty
    return block_client_split(&archive->extent, file.offset, size,
                              BLOCK_OPEN_FINAL | (request->is_writable ? 0 : BLOCK_OPEN_READ_ONLY),
                              channel);
}

// A file's bytes in a memory object of its own.
static mx_status_t read_extent(mx_handle_t channel, mx_handle_t *vmo)
{
    struct block_client client;
    uint32_t memory;
    mx_status_t status = block_client_open(&client, channel);

    if (status == MX_OK)
        status = mx_vmo_create(client.size_bytes, vmo);
    if (status != MX_OK)
        return status;
    status = block_client_attach(&client, *vmo, &memory);
    if (status == MX_OK)
        status = block_client_copy(&client, BLOCK_READ, 0, client.size_bytes, memory, 0);
    if (status != MX_OK)
        handle_close(*vmo);
    return status;
}

static mx_status_t read_file(struct archive *archive, const struct disk_request *request,
                             struct disk_reply *reply, mx_handle_t *vmo)
{
    mx_handle_t channel, whole;
    mx_status_t status = open_file(archive, request, reply, &channel);

    if (status != MX_OK)
        return status;
    status = reply->size_bytes > DISK_READ_BYTES_MAX ? MX_ERR_FILE_TOO_BIG
                                                     : read_extent(channel, &whole);
    handle_close(channel);
    if (status != MX_OK)
        return status;
    status = mx_handle_replace(whole, MX_RIGHT_READ | MX_RIGHT_TRANSFER, vmo);
    if (status != MX_OK)
        handle_close(whole);
    return status;
}

static void handle_request(struct disk_request *request, size_t size_bytes,
                           struct disk_reply *reply, mx_handle_t *handle)
{
    reply->transaction = request->transaction;
    reply->status = MX_ERR_INVALID_ARGS;
    if (size_bytes != sizeof(*request))
        return;
    request->package[GUEST_NAME_SIZE - 1] = '\0';
    request->path[DISK_PATH_SIZE - 1] = '\0';
    bool is_all_known = finish_looks();
    if (request->operation == DISK_PACKAGES) {
        for (uint32_t i = 0; i < archive_count; i++)
            list_packages(&archives[i], reply);
        reply->status = MX_OK;
    } else if (request->operation == DISK_OPEN || request->operation == DISK_READ) {
        request->is_writable = request->operation == DISK_OPEN && request->is_writable;
        struct archive *archive = find_package(request->package);
        if (!archive)
            reply->status = is_all_known ? MX_ERR_NOT_FOUND : MX_ERR_TIMED_OUT;
        else if (request->operation == DISK_OPEN)
            reply->status = open_file(archive, request, reply, handle);
        else
            reply->status = read_file(archive, request, reply, handle);
    }
}

static bool take_request(mx_handle_t client)
{
    static struct disk_reply reply;
    struct disk_request request;
    mx_handle_t handle = MX_HANDLE_INVALID;
    uint32_t actual[2] = {0};
    mx_status_t status = mx_channel_read(client, &request, sizeof(request), NULL, 0, actual);

    if (status != MX_OK)
        return status == MX_ERR_SHOULD_WAIT;
    if (actual[0] < sizeof(request.transaction))
        return false;
    memset(&reply, 0, offsetof(struct disk_reply, names));
    handle_request(&request, actual[0], &reply, &handle);
    if (reply.status != MX_OK)
        handle = MX_HANDLE_INVALID; // whatever was made on the way is closed
    uint32_t bytes =
        (uint32_t)(offsetof(struct disk_reply, names) + reply.count * sizeof(reply.names[0]));
    return mx_channel_write(client, &reply, bytes, &handle, handle != MX_HANDLE_INVALID) == MX_OK;
}

// Without a device manager there are no disks to come, without a client nobody who asks.
int main(void)
{
    const mx_signals_t signals = MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED;
    const mx_handle_t client = startup_handle_look(MX_STARTUP_CONTROL, 0);
    struct mx_wait_item items[SOURCES_MAX + 1];

    add_source(startup_handle_take(MX_STARTUP_SERVICE, MX_SERVICE_DISKS), true);
    for (;;) {
        for (uint32_t i = 0; i < source_count; i++)
            items[i] = (struct mx_wait_item){.handle = sources[i].channel, .waitfor = signals};
        items[source_count] = (struct mx_wait_item){.handle = client, .waitfor = signals};
        const struct mx_wait_item *asks = &items[source_count];
        if (mx_object_wait_many(items, source_count + 1, MX_TIME_INFINITE) != MX_OK)
            return EXIT_FAILURE;
        // Disks come first, so that a request finds what is there.
        if (!take_announcements(items) && asks->pending && !take_request(client))
            return EXIT_FAILURE;
    }
}
