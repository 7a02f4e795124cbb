// mkzbi: makes, lists, extracts and verifies boot images in the ZBI container format (host tool).
//
// The same inputs give the same bytes: files are sorted by name and nothing of the host (times,
// owners, order of directories) goes in. The kernel is the first item, as boot loaders ask for; the
// file archive's item starts on a page of the image, so that its files can be mapped where they
// lie.

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/bootfs.h"
#include "boot/bootfs_writer.h"
#include "boot/zbi.h"
#include "user/portable/format.h"
#include "user/portable/options.h"

enum {
    FILES_MAX = 16384,
    DIRECTORY_DEPTH_MAX = 32,
    PATH_BYTES = 4096,
};

struct bytes {
    uint8_t *data;
    size_t size;
};

// The files to be stored; names and data are the list's own.
struct file_list {
    struct bootfs_source files[FILES_MAX];
    size_t count;
};

// --- failing and memory -------------------------------------------------------------------------

static _Noreturn void __attribute__((format(printf, 1, 2))) fail(const char *format, ...)
{
    va_list args;
    fputs("mkzbi: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static void *allocate(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory)
        fail("out of memory for %zu bytes", size);
    return memory;
}

static char *copy_string(const char *string, size_t length)
{
    char *copy = allocate(length + 1);
    memcpy(copy, string, length);
    return copy;
}

// --- files of the host --------------------------------------------------------------------------

static struct bytes file_read(const char *path)
{
    struct stat info;
    FILE *file = fopen(path, "rb");

    if (!file || fstat(fileno(file), &info) != 0)
        fail("%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        fail("%s: not a regular file", path);
    struct bytes bytes = {allocate((size_t)info.st_size + 1), (size_t)info.st_size};
    if (fread(bytes.data, 1, bytes.size, file) != bytes.size || ferror(file))
        fail("%s: cannot be read, or it became shorter meanwhile", path);
    fclose(file);
    return bytes;
}

// An error number, 0 if all was written.
static int file_try_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return errno;
    int error = fwrite(data, 1, size, file) == size ? 0 : errno;
    if (fclose(file) != 0 && error == 0)
        error = errno;
    return error;
}

static void file_write(const char *path, const void *data, size_t size)
{
    int error = file_try_write(path, data, size);
    if (error != 0)
        fail("%s: cannot be written: %s", path, strerror(error));
}

// Replaces `path` in one step, so that a failure leaves no half image behind. A device, such as a
// partition, is written to.
static void file_replace(const char *path, const void *data, size_t size)
{
    char temporary[PATH_BYTES];
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        file_write(path, data, size);
        return;
    }
    if (snprintf(temporary, sizeof temporary, "%s.tmp", path) >= (int)sizeof temporary)
        fail("%s: the path is too long", path);
    int error = file_try_write(temporary, data, size);
    if (error != 0) {
        remove(temporary);
        fail("%s: cannot be written: %s", path, strerror(error));
    }
    if (rename(temporary, path) != 0)
        fail("%s: %s", path, strerror(errno));
}

// Makes the directories that the path goes through.
static void make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            fail("%s: %s", path, strerror(errno));
        *slash = '/';
    }
}

// --- collecting what goes in --------------------------------------------------------------------

static void add_file(struct file_list *list, char *name, const char *source)
{
    if (list->count == FILES_MAX)
        fail("more than %d files", FILES_MAX);
    if (!bootfs_is_name_valid(name))
        fail("\"%s\" is not a name for a file in the image; write a relative path of at most 255 "
             "bytes "
             "without empty, \".\" or \"..\" parts",
             name);
    struct bytes bytes = file_read(source);
    list->files[list->count++] = (struct bootfs_source){name, bytes.data, bytes.size};
}

static void add_directory(struct file_list *list, const char *name, const char *source, int depth);

// Adds the file or directory `source` under the name, which it takes over; directories recursively.
static void add_path(struct file_list *list, char *name, const char *source, int depth)
{
    struct stat info;
    if (stat(source, &info) != 0)
        fail("%s: %s", source, strerror(errno));
    if (S_ISDIR(info.st_mode)) {
        add_directory(list, name, source, depth);
        free(name);
    } else {
        add_file(list, name, source);
    }
}

static void add_directory(struct file_list *list, const char *name, const char *source, int depth)
{
    char path[PATH_BYTES], child[PATH_BYTES];
    DIR *directory = opendir(source);

    if (!directory)
        fail("%s: %s", source, strerror(errno));
    if (depth == DIRECTORY_DEPTH_MAX)
        fail("%s: directories nest more than %d deep", source, DIRECTORY_DEPTH_MAX);
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int path_length = snprintf(path, sizeof path, "%s/%s", source, entry->d_name);
        int child_length =
            snprintf(child, sizeof child, "%s%s%s", name, *name ? "/" : "", entry->d_name);
        if (path_length >= PATH_BYTES || child_length >= PATH_BYTES)
            fail("%s: the path is too long", source);
        add_path(list, copy_string(child, (size_t)child_length), path, depth + 1);
    }
    closedir(directory);
}

// Splits DEST=SRC at the first '='; `where` starts the message of a failure.
static const char *split_pair(const char *pair, const char *where, char **name)
{
    const char *equals = strchr(pair, '=');
    if (!equals || equals[1] == '\0')
        fail("%s\"%s\" is not DEST=SRC", where, pair);
    *name = copy_string(pair, (size_t)(equals - pair));
    return equals + 1;
}

static void add_pair(struct file_list *list, const char *pair, const char *where)
{
    char *name;
    const char *source = split_pair(pair, where, &name);
    add_file(list, name, source);
}

static void add_directory_pair(struct file_list *list, const char *pair)
{
    char *name;
    const char *source = split_pair(pair, "--dir: ", &name);
    add_directory(list, name, source, 0);
    free(name);
}

// A manifest has one DEST=SRC a line; empty lines and lines that start with # mean nothing.
static void add_manifest(struct file_list *list, const char *path)
{
    struct bytes text = file_read(path);
    unsigned line_number = 0;
    char where[PATH_BYTES];

    if (memchr(text.data, '\0', text.size))
        fail("%s: a NUL character; a manifest is a text file", path);
    for (char *line = (char *)text.data; line; line_number++) {
        char *newline = strchr(line, '\n');
        if (newline)
            *newline = '\0';
        snprintf(where, sizeof where, "%s:%u: ", path, line_number + 1);
        if (*line && *line != '#')
            add_pair(list, line, where);
        line = newline ? newline + 1 : NULL;
    }
    free(text.data);
}

static int compare_names(const void *a, const void *b)
{
    const struct bootfs_source *first = a, *second = b;
    return strcmp(first->name, second->name);
}

// --- create -------------------------------------------------------------------------------------

struct image {
    uint8_t *data;
    size_t capacity;
};

// Grows the buffer so that an item of that size fits, with padding before it.
static void image_reserve(struct image *image, size_t payload_size)
{
    size_t size = zbi_size(image->data, image->capacity);
    size_t needed = size + payload_size + 2 * BOOTFS_PAGE_BYTES;
    uint8_t *grown = realloc(image->data, needed);

    if (!grown)
        fail("out of memory for %zu bytes", needed);
    image->data = grown;
    image->capacity = needed;
}

static void image_append(struct image *image, uint32_t type, uint32_t extra, const void *payload,
                         size_t size, bool with_crc)
{
    image_reserve(image, size);
    if (zbi_append(image->data, image->capacity, type, extra, payload, size, with_crc) != MX_OK)
        fail("the %s item of %zu bytes makes the image larger than 4 GiB", zbi_type_name(type),
             size);
}

static void append_kernel(struct image *image, const struct options *options, bool with_crc)
{
    const struct option_match *kernel = options_get(options, "kernel", 0);
    const struct option_match *arch = options_get(options, "arch", 0);
    uint32_t type = ZBI_TYPE_KERNEL_X64;

    if (!kernel && !arch)
        return;
    if (!kernel || !arch)
        fail("--kernel FILE and --arch x64|arm64 go together");
    if (strcmp(arch->value, "arm64") == 0)
        type = ZBI_TYPE_KERNEL_ARM64;
    else if (strcmp(arch->value, "x64") != 0)
        fail("--arch: \"%s\" is not an architecture; write x64 or arm64", arch->value);
    struct bytes bytes = file_read(kernel->value);
    if (bytes.size < sizeof(struct zbi_kernel))
        fail("%s: %zu bytes are too few for a kernel", kernel->value, bytes.size);
    // A whole number of pages with the item's header: what comes behind lies on a page of the
    // container with or without the kernel.
    size_t size = (bytes.size + ZBI_HEADER_BYTES + BOOTFS_PAGE_BYTES - 1) / BOOTFS_PAGE_BYTES *
                      BOOTFS_PAGE_BYTES -
                  ZBI_HEADER_BYTES;
    uint8_t *padded = allocate(size);
    memcpy(padded, bytes.data, bytes.size);
    image_append(image, type, 0, padded, size, with_crc);
    free(padded);
    free(bytes.data);
}

static void append_cmdlines(struct image *image, const struct options *options, bool with_crc)
{
    for (size_t i = 0;; i++) {
        const struct option_match *cmdline = options_get(options, "cmdline", i);
        if (!cmdline)
            return;
        image_append(image, ZBI_TYPE_CMDLINE, 0, cmdline->value, strlen(cmdline->value) + 1,
                     with_crc);
    }
}

static _Noreturn void fail_plan(mx_status_t status, const char *name)
{
    if (status == MX_ERR_FILE_TOO_BIG)
        fail("\"%s\": the archive exceeds 4 GiB with this file", name);
    fail("\"%s\": the name is given twice, or is a directory as well", name);
}

static struct bytes make_archive(struct file_list *list)
{
    size_t size, bad_index;

    qsort(list->files, list->count, sizeof list->files[0], compare_names);
    mx_status_t status = bootfs_plan(list->files, list->count, &size, &bad_index);
    if (status != MX_OK)
        fail_plan(status, list->files[bad_index].name);
    uint8_t *archive = allocate(size);
    bootfs_write(list->files, list->count, archive, size);
    return (struct bytes){archive, size};
}

static void append_files(struct image *image, struct file_list *list, bool with_crc)
{
    if (list->count == 0)
        return;
    struct bytes archive = make_archive(list);
    image_reserve(image, archive.size);
    if (zbi_append_padding(image->data, image->capacity, BOOTFS_PAGE_BYTES) != MX_OK)
        fail("the image is larger than 4 GiB");
    image_append(image, ZBI_TYPE_BOOTFS, (uint32_t)archive.size, archive.data, archive.size,
                 with_crc);
    free(archive.data);
}

static void collect_files(struct file_list *list, const struct options *options)
{
    for (size_t i = 0; i < options->match_count; i++) {
        const struct option_match *match = &options->matches[i];
        if (strcmp(match->option->name, "files") == 0)
            add_manifest(list, match->value);
        else if (strcmp(match->option->name, "dir") == 0)
            add_directory_pair(list, match->value);
    }
    for (size_t i = 0; i < options->argument_count; i++)
        add_pair(list, options->arguments[i], "");
}

static void free_files(struct file_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free((void *)(uintptr_t)list->files[i].name);
        free((void *)(uintptr_t)list->files[i].data);
    }
}

static int create(const struct options *options)
{
    static struct file_list list;
    struct image image = {allocate(ZBI_HEADER_BYTES), ZBI_HEADER_BYTES};
    const struct option_match *output = options_get(options, "output", 0);
    bool with_crc = options_has(options, "crc");

    if (!output)
        fail("create: say where the image goes: -o FILE");
    if (zbi_create(image.data, image.capacity) != MX_OK)
        fail("internal error: an empty container does not fit its header");
    collect_files(&list, options);
    append_kernel(&image, options, with_crc);
    append_cmdlines(&image, options, with_crc);
    append_files(&image, &list, with_crc);
    file_replace(output->value, image.data, zbi_size(image.data, image.capacity));
    free_files(&list);
    free(image.data);
    return 0;
}

// The file archive alone, as a package partition holds it.
static int archive(const struct options *options)
{
    static struct file_list list;
    const struct option_match *output = options_get(options, "output", 0);

    if (!output)
        fail("archive: say where the archive goes: -o FILE");
    collect_files(&list, options);
    struct bytes bytes = make_archive(&list);
    file_replace(output->value, bytes.data, bytes.size);
    free_files(&list);
    free(bytes.data);
    return 0;
}

// --- list, extract, verify ----------------------------------------------------------------------

static struct bytes image_open(const char *path)
{
    struct bytes image = file_read(path);
    struct format_error error;

    if (zbi_check(image.data, image.size, &error) != MX_OK)
        fail("%s: offset 0x%zx: %s", path, error.offset, error.reason);
    return image;
}

static struct bootfs archive_open(const char *path, const struct zbi_item *item)
{
    struct format_error error;
    struct bootfs fs;

    if (item->flags & ZBI_FLAG_COMPRESSED)
        fail("%s: offset 0x%zx: a compressed archive is not supported", path, item->offset);
    if (bootfs_open(&fs, item->payload, item->size_bytes, &error) != MX_OK)
        fail("%s: offset 0x%zx: %s", path, item->offset + error.offset, error.reason);
    return fs;
}

// A compressed archive, as Zircon's images have them, is data to be carried like any other.
static bool is_plain_archive(const struct zbi_item *item)
{
    return item->type == ZBI_TYPE_BOOTFS && !(item->flags & ZBI_FLAG_COMPRESSED);
}

static const char *item_name(const struct zbi_item *item, char buffer[16])
{
    const char *name = zbi_type_name(item->type);
    if (name)
        return name;
    snprintf(buffer, 16, "0x%08x", item->type);
    return buffer;
}

static void list_files(const struct bootfs *fs)
{
    struct bootfs_cursor cursor = {0};
    struct bootfs_file file;
    while (bootfs_next(fs, &cursor, &file))
        printf("    0x%08x %10u  %s\n", file.offset, file.size_bytes, file.name);
}

static void list_item(const char *path, const struct zbi_item *item)
{
    char name[16], quoted[256];

    printf("0x%08zx %10u  %s%s", item->offset, item->size_bytes, item_name(item, name),
           item->flags & ZBI_FLAG_CRC32 ? " (crc)" : "");
    if (item->type == ZBI_TYPE_CMDLINE && item->size_bytes) {
        struct text text = text_begin(quoted, sizeof quoted);
        text_add_quoted(&text, (const char *)item->payload, item->size_bytes - 1);
        printf(" %s", quoted);
    }
    printf("\n");
    if (is_plain_archive(item)) {
        struct bootfs fs = archive_open(path, item);
        list_files(&fs);
    }
}

static int list(const struct options *options)
{
    const char *path = options->arguments[0];
    struct bytes image = image_open(path);
    struct zbi_iterator iterator = zbi_iterate(image.data, image.size);
    struct zbi_item item;

    while (zbi_next(&iterator, &item))
        list_item(path, &item);
    free(image.data);
    return 0;
}

// Checks the parts that have a format of their own, beyond the container.
static void verify_item(const char *path, const struct zbi_item *item)
{
    bool is_kernel = item->type == ZBI_TYPE_KERNEL_X64 || item->type == ZBI_TYPE_KERNEL_ARM64;

    if (is_plain_archive(item))
        (void)archive_open(path, item);
    if (item->type == ZBI_TYPE_CMDLINE &&
        (item->size_bytes == 0 || item->payload[item->size_bytes - 1] != '\0'))
        fail("%s: offset 0x%zx: the command line does not end in NUL", path, item->offset);
    if (is_kernel && item->offset != 2 * ZBI_HEADER_BYTES)
        fail("%s: offset 0x%zx: the kernel is not the first item", path, item->offset);
    if (is_kernel && item->size_bytes < sizeof(struct zbi_kernel))
        fail("%s: offset 0x%zx: the kernel is shorter than its 16-byte head", path, item->offset);
}

static int verify(const struct options *options)
{
    const char *path = options->arguments[0];
    struct bytes image = image_open(path);
    struct zbi_iterator iterator = zbi_iterate(image.data, image.size);
    struct zbi_item item;
    size_t count = 0;

    for (; zbi_next(&iterator, &item); count++)
        verify_item(path, &item);
    printf("%s: %zu items, %zu bytes, good\n", path, count, zbi_size(image.data, image.size));
    free(image.data);
    return 0;
}

static void extract_to(const char *directory, const char *name, const void *data, size_t size)
{
    char path[PATH_BYTES];
    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= PATH_BYTES)
        fail("%s: the path is too long", directory);
    make_parents(path);
    file_write(path, data, size);
}

static void extract_files(const char *path, const char *directory, const struct zbi_item *item)
{
    struct bootfs fs = archive_open(path, item);
    struct bootfs_cursor cursor = {0};
    struct bootfs_file file;

    while (bootfs_next(&fs, &cursor, &file))
        extract_to(directory, file.name, file.data, file.size_bytes);
}

// Writes the archive's files into a directory; with --items each item's payload as INDEX-TYPE
// instead.
static int extract(const struct options *options)
{
    const char *path = options->arguments[0];
    const struct option_match *directory = options_get(options, "directory", 0);
    struct bytes image = image_open(path);
    struct zbi_iterator iterator = zbi_iterate(image.data, image.size);
    struct zbi_item item;

    if (!directory)
        fail("extract: say where the files go: -d DIRECTORY");
    for (unsigned index = 0; zbi_next(&iterator, &item); index++) {
        char type[16], name[64];
        if (options_has(options, "items")) {
            snprintf(name, sizeof name, "%u-%s", index, item_name(&item, type));
            extract_to(directory->value, name, item.payload, item.size_bytes);
        } else if (item.type == ZBI_TYPE_BOOTFS) {
            extract_files(path, directory->value, &item);
        }
    }
    free(image.data);
    return 0;
}

// --- commands -----------------------------------------------------------------------------------

static const struct option create_options[] = {
    {"output", 'o', OPTION_TEXT, false, "FILE", "the image to write", 0, 0},
    {"kernel", 'k', OPTION_TEXT, false, "FILE", "the kernel item's payload", 0, 0},
    {"arch", 'a', OPTION_TEXT, false, "ARCH", "the kernel's architecture: x64 or arm64", 0, 0},
    {"cmdline", 'c', OPTION_TEXT, true, "TEXT", "kernel command line", 0, 0},
    {"files", 'f', OPTION_TEXT, true, "MANIFEST", "files from a list of DEST=SRC lines", 0, 0},
    {"dir", 'd', OPTION_TEXT, true, "DEST=DIR", "all files below a directory", 0, 0},
    {"crc", 0, OPTION_FLAG, false, NULL, "give each item a checksum", 0, 0},
};

static const struct option archive_options[] = {
    {"output", 'o', OPTION_TEXT, false, "FILE", "the archive to write", 0, 0},
    {"files", 'f', OPTION_TEXT, true, "MANIFEST", "files from a list of DEST=SRC lines", 0, 0},
    {"dir", 'd', OPTION_TEXT, true, "DEST=DIR", "all files below a directory", 0, 0},
};

static const struct option extract_options[] = {
    {"directory", 'd', OPTION_TEXT, false, "DIR", "where the files go", 0, 0},
    {"items", 'i', OPTION_FLAG, false, NULL, "write each item's payload instead", 0, 0},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *verb;
    int (*run)(const struct options *options);
    struct option_command command;
} commands[] = {
    {"create",
     create,
     {"mkzbi create", "Makes a boot image. An argument stores the file SRC as DEST.", "DEST=SRC...",
      0, OPTIONS_ARGUMENTS_MAX, create_options, COUNT(create_options)}},
    {"archive",
     archive,
     {"mkzbi archive", "Makes a file archive alone, for a package partition.", "DEST=SRC...", 0,
      OPTIONS_ARGUMENTS_MAX, archive_options, COUNT(archive_options)}},
    {"list", list, {"mkzbi list", "Lists items and files.", "IMAGE", 1, 1, NULL, 0}},
    {"extract",
     extract,
     {"mkzbi extract", "Writes the files of an image into a directory.", "IMAGE", 1, 1,
      extract_options, COUNT(extract_options)}},
    {"verify", verify, {"mkzbi verify", "Checks an image.", "IMAGE", 1, 1, NULL, 0}},
};

static int usage(void)
{
    char buffer[2048];
    for (size_t i = 0; i < COUNT(commands); i++) {
        struct text text = text_begin(buffer, sizeof buffer);
        options_usage(&commands[i].command, &text);
        fprintf(stderr, "%s%s", i ? "\n" : "", buffer);
    }
    return 2;
}

int main(int argc, char **argv)
{
    static struct options options;

    for (size_t i = 0; argc > 1 && i < COUNT(commands); i++) {
        if (strcmp(argv[1], commands[i].verb) != 0)
            continue;
        if (options_parse(&commands[i].command, (size_t)argc - 1, argv + 1, &options) != MX_OK) {
            fprintf(stderr, "%s\n", options.message);
            return 2;
        }
        return commands[i].run(&options);
    }
    return usage();
}
