// The first process; see first_process.h.

#include "kernel/core/first_process.h"

#include <arch/mmu.h>

#include <machina/startup.h>

#include "boot/bootfs.h"
#include "boot/elf.h"
#include "boot/zbi.h"
#include "kernel/core/log.h"
#include "kernel/lib/string.h"
#include "kernel/memory/phys.h"
#include "kernel/object/channel.h"
#include "kernel/object/job.h"
#include "kernel/object/log_object.h"
#include "kernel/object/resource.h"

#define INIT_PATH   "bin/init"
#define STACK_BYTES ((uint64_t)65536)
#define STACK_TOP   UINT64_C(0x0000700000100000)

// Where init's file lies in the boot image.
struct init_file {
    const uint8_t *data;
    uint64_t offset; // from the start of the image
    uint32_t size_bytes;
};

static mx_status_t find_init(const uint8_t *image, uint64_t size_bytes, struct init_file *out)
{
    struct format_error error;
    struct zbi_item item;
    struct bootfs fs;
    struct bootfs_file file;

    if (zbi_check(image, size_bytes, &error) != MX_OK) {
        log_print("boot image: offset 0x%lx: %s", (unsigned long)error.offset, error.reason);
        return MX_ERR_IO_DATA_INTEGRITY;
    }
    if (!zbi_find(image, size_bytes, ZBI_TYPE_BOOTFS, &item)) {
        log_print("boot image: no BOOTFS item");
        return MX_ERR_NOT_FOUND;
    }
    if (bootfs_open(&fs, item.payload, item.size_bytes, &error) != MX_OK) {
        log_print("boot image: bootfs, offset 0x%lx: %s", (unsigned long)error.offset, error.reason);
        return MX_ERR_IO_DATA_INTEGRITY;
    }
    if (!is_aligned(item.offset, BOOTFS_PAGE_BYTES)) {
        log_print("boot image: offset 0x%lx: the BOOTFS item's payload does not begin on a page",
                  (unsigned long)item.offset);
        return MX_ERR_IO_DATA_INTEGRITY;
    }
    if (bootfs_find(&fs, INIT_PATH, &file) != MX_OK) {
        log_print("boot image: no file " INIT_PATH);
        return MX_ERR_NOT_FOUND;
    }
    *out = (struct init_file){file.data, (uint64_t)(file.data - image), file.size_bytes};
    return MX_OK;
}

// Parts of the file that are not written are mapped from the image itself.
static mx_status_t map_segment(struct process *process, struct vmo *image, const struct init_file *file,
                               const struct elf_segment *segment)
{
    uint64_t addr = segment->address;
    uint32_t options = MX_MAP_READ | MX_MAP_SPECIFIC | (segment->is_writable ? MX_MAP_WRITE : 0) |
                       (segment->is_executable ? MX_MAP_EXECUTE : 0);
    uint64_t file_pages_bytes = align_up(segment->file_bytes, PAGE_SIZE);

    if (!segment->is_writable && file_pages_bytes == segment->memory_bytes)
        return aspace_map(process->aspace, options, options, image, file->offset + segment->file_offset,
                          segment->memory_bytes, &addr);
    struct vmo *data;
    mx_status_t status = vmo_create(process->job, segment->memory_bytes, &data);
    if (status != MX_OK)
        return status;
    if (segment->file_bytes != 0)
        status = vmo_write(data, file->data + segment->file_offset, 0, segment->file_bytes);
    if (status == MX_OK)
        status = aspace_map(process->aspace, options, options, data, 0, segment->memory_bytes, &addr);
    object_release(&data->object);
    return status;
}

static mx_status_t map_stack(struct process *process)
{
    struct vmo *stack;
    uint64_t addr = STACK_TOP - STACK_BYTES;
    mx_status_t status = vmo_create(process->job, STACK_BYTES, &stack);

    if (status != MX_OK)
        return status;
    uint32_t options = MX_MAP_READ | MX_MAP_WRITE;
    status = aspace_map(process->aspace, options | MX_MAP_SPECIFIC, options, stack, 0, STACK_BYTES, &addr);
    object_release(&stack->object);
    return status;
}

static mx_status_t load_program(struct process *process, struct vmo *image, const struct init_file *file,
                                uint64_t *entry)
{
    struct elf_program program;
    const char *reason;
    size_t head_bytes = file->size_bytes < ELF_HEAD_BYTES ? file->size_bytes : ELF_HEAD_BYTES;

    if (elf_read(file->data, head_bytes, file->size_bytes, &program, &reason) != MX_OK) {
        log_print(INIT_PATH ": %s", reason);
        return MX_ERR_IO_DATA_INTEGRITY;
    }
    *entry = program.entry;
    for (unsigned i = 0; i < program.segment_count; i++) {
        mx_status_t status = map_segment(process, image, file, &program.segments[i]);
        if (status != MX_OK)
            return status;
    }
    return map_stack(process);
}

// --- the start-up message -------------------------------------------------------------------------

#define HANDLE_COUNT 6

struct first_message {
    struct mx_startup_message header;
    struct mx_startup_handle handles[HANDLE_COUNT];
    char strings[sizeof(INIT_PATH) + BOOT_CMDLINE_SIZE];
};

static void grant(struct first_message *message, struct transfer *transfers, uint32_t kind, uint32_t arg,
                  struct object *object, mx_rights_t rights)
{
    uint32_t index = message->header.handle_count++;

    message->handles[index] = (struct mx_startup_handle){kind, arg};
    transfers[index] = transfer_create(object, rights);
}

static mx_status_t send_message(const struct boot_info *info, struct process *process, struct vmo *image_vmo,
                                struct object *channel)
{
    static struct first_message message;
    struct transfer transfers[HANDLE_COUNT];
    struct object *root_resource, *log;
    mx_status_t status = resource_create(root_job, MX_RESOURCE_ROOT, 0, UINT64_MAX, &root_resource);

    if (status != MX_OK)
        return status;
    status = log_object_create(root_job, &log);
    if (status != MX_OK) {
        object_release(root_resource);
        return status;
    }
    mx_rights_t all = MX_RIGHTS_ALL;
    grant(&message, transfers, MX_STARTUP_SELF_PROCESS, 0, &process->object, all);
    grant(&message, transfers, MX_STARTUP_SELF_ASPACE, 0, &process->aspace->object, all);
    grant(&message, transfers, MX_STARTUP_JOB, 0, &root_job->object, job_default_rights);
    grant(&message, transfers, MX_STARTUP_RESOURCE, MX_RESOURCE_ROOT, root_resource, resource_default_rights);
    grant(&message, transfers, MX_STARTUP_BOOT_IMAGE, 0, &image_vmo->object,
          MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_READ | MX_RIGHT_EXECUTE | MX_RIGHT_MAP |
              MX_RIGHT_INSPECT);
    grant(&message, transfers, MX_STARTUP_LOG, 0, log, log_object_default_rights);
    object_release(root_resource);
    object_release(log);

    size_t path_bytes = sizeof(INIT_PATH);
    memcpy(message.strings, INIT_PATH, path_bytes);
    size_t cmdline_bytes = strnlen(info->cmdline, sizeof(info->cmdline) - 1) + 1;
    memcpy(message.strings + path_bytes, info->cmdline, cmdline_bytes - 1);
    message.header.magic = MX_STARTUP_MAGIC;
    message.header.argc = 2;
    message.header.strings_bytes = (uint32_t)(path_bytes + cmdline_bytes);
    message.header.size_bytes =
        (uint32_t)offsetof(struct first_message, strings) + message.header.strings_bytes;
    return channel_write(channel, &message, message.header.size_bytes, transfers, HANDLE_COUNT);
}

static mx_status_t start_process(const struct boot_info *info, struct process *process, struct vmo *image_vmo,
                                 uint64_t entry)
{
    struct object *ours, *theirs;
    struct user_thread *thread;
    mx_status_t status = channel_create(root_job, &ours, &theirs);

    if (status != MX_OK)
        return status;
    status = user_thread_create(process, "main", &thread);
    if (status == MX_OK) {
        status = send_message(info, process, image_vmo, ours);
        if (status == MX_OK)
            status = process_start(process, thread, entry, STACK_TOP - 16,
                                   transfer_create(theirs, channel_default_rights), 0);
        object_release(&thread->object);
    }
    object_release(ours);
    object_release(theirs);
    return status;
}

mx_status_t first_process_start(const struct boot_info *info)
{
    struct init_file file;
    struct process *process;
    struct vmo *image_vmo;
    uint64_t entry;

    if (info->image_size_bytes == 0) {
        log_print("no boot image was given to the kernel");
        return MX_ERR_NOT_FOUND;
    }
    const uint8_t *image = arch_phys_to_virt(info->image_base);
    mx_status_t status = find_init(image, info->image_size_bytes, &file);
    if (status != MX_OK)
        return status;
    status = vmo_create_reserved(info->image_base, align_up(info->image_size_bytes, PAGE_SIZE), &image_vmo);
    if (status != MX_OK)
        return status;
    status = process_create(root_job, "init", &process);
    if (status == MX_OK) {
        status = load_program(process, image_vmo, &file, &entry);
        if (status == MX_OK)
            status = start_process(info, process, image_vmo, entry);
        object_release(&process->object);
    }
    object_release(&image_vmo->object);
    return status;
}
