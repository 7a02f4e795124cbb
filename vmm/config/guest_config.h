// A guest's configuration: data/guest.cfg of its package, and the overrides of `guest launch`.
//
// The file is one JSON object:
//   kernel       string       path of the kernel in the package, whose content tells its kind; this
//                             or one of the next two is required, and only one is possible
//   linux        string       the same; refused unless it is a Linux kernel
//   zircon       string       the same; refused unless it is a Zircon boot image
//   ramdisk      string       path of the initial ramdisk in the package
//   dtb-overlay  string       path of a device tree overlay in the package, applied to the
//   machine's
//                             device tree (arm64), or a whole tree that the kernel is given (x86)
//   cmdline      string       kernel command line
//   cmdline-add  string|array appended to cmdline, each after a space
//   block        string|array disks in order (vda, vdb, ...); each is words separated by commas, in
//   any order:
//                             a path, or memory:SIZE for an empty RAM disk;
//                             rw, ro or volatile (writes are kept in memory and lost at the end),
//                             which a path must have and a RAM disk may (rw or ro; rw when absent);
//                             a file that is rw is named once;
//                             raw, the format of the file, which is also the default
//   cpus         number       1..16; a decimal string as well
//   memory       size         a number of bytes, or a string of digits with at most one suffix b,
//   k, M, G; a
//                             multiple of 4 KiB from 1 MiB to 1 TiB
//   console, rng boolean      the virtio device exists; "true" and "false" as strings as well; true
//   when absent
// A path is relative to the package ("data/kernel"); "/pkg/data/kernel" means the same. No other
// key exists. vmm/config/guest.schema.json says the same as a JSON Schema, as far as a schema can.
//
// An override has the same values, written without JSON: scalars replace the file's (a kernel the
// file's kernel, whatever their keys), block and cmdline-add append.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

enum {
    GUEST_CONFIG_CPUS_MAX = 16,
    GUEST_CONFIG_BLOCKS_MAX = 16,
    GUEST_CONFIG_PATH_BYTES_MAX = 256,     // with the NUL
    GUEST_CONFIG_CMDLINE_BYTES_MAX = 2048, // with the NUL; what Linux takes on x86
    GUEST_CONFIG_FILE_BYTES_MAX = 65536,
    GUEST_CONFIG_MESSAGE_BYTES = 320, // room for every message
};
#define GUEST_CONFIG_MEMORY_MIN     (UINT64_C(1) << 20)
#define GUEST_CONFIG_MEMORY_MAX     (UINT64_C(1) << 40)
#define GUEST_CONFIG_MEMORY_DEFAULT (UINT64_C(1) << 30)
#define GUEST_CONFIG_MEMORY_UNIT    UINT64_C(4096)
#define GUEST_CONFIG_SECTOR_BYTES   UINT64_C(512)

enum guest_block_mode {
    GUEST_BLOCK_UNSET, // only while a specification is read
    GUEST_BLOCK_READ_WRITE,
    GUEST_BLOCK_READ_ONLY,
    GUEST_BLOCK_VOLATILE,
};

struct guest_block {
    enum guest_block_mode mode;
    uint64_t memory_bytes;                  // of a RAM disk, a multiple of 512; 0 for a file
    char path[GUEST_CONFIG_PATH_BYTES_MAX]; // of the file in the package; "" for a RAM disk
};

// The key that named the kernel.
enum guest_kernel_key {
    GUEST_KERNEL_KEY_KERNEL,
    GUEST_KERNEL_KEY_LINUX,
    GUEST_KERNEL_KEY_ZIRCON,
};

struct guest_config {
    char kernel[GUEST_CONFIG_PATH_BYTES_MAX];
    enum guest_kernel_key kernel_key;
    char ramdisk[GUEST_CONFIG_PATH_BYTES_MAX];     // "" when there is none
    char dtb_overlay[GUEST_CONFIG_PATH_BYTES_MAX]; // "" when there is none
    char cmdline[GUEST_CONFIG_CMDLINE_BYTES_MAX];
    char cmdline_add[GUEST_CONFIG_CMDLINE_BYTES_MAX]; // joined by guest_config_finish; "" after it
    struct guest_block blocks[GUEST_CONFIG_BLOCKS_MAX];
    unsigned block_count;
    unsigned cpu_count;
    uint64_t memory_bytes;
    bool has_console;
    bool has_rng;
    bool has_pci_ports;
};

// The defaults: 1 CPU, 1 GiB, console, rng and PCI's ports, nothing else. A caller may change them
// before reading a file.
void guest_config_init(struct guest_config *config);

// Reads a configuration file's text (which is overwritten) on top of *config. `file_name` is only
// for messages. On failure, message holds "FILE:LINE:COLUMN: KEY: what is wrong; what would be
// right", and *config is partly filled and of no use. INVALID_ARGS for any malformed or unknown
// content, FILE_TOO_BIG above GUEST_CONFIG_FILE_BYTES_MAX, NO_RESOURCES for too many values.
MX_MUST_CHECK mx_status_t guest_config_parse(struct guest_config *config, const char *file_name,
                                             char *text, size_t size_bytes, char *message,
                                             size_t message_capacity);

// Applies `--key value` of the command line, for any key of the file. On failure INVALID_ARGS, and
// message holds "--KEY: what is wrong; what would be right"; *config is then of no use.
MX_MUST_CHECK mx_status_t guest_config_apply_override(struct guest_config *config, const char *key,
                                                      const char *value, char *message,
                                                      size_t message_capacity);

// After file and overrides: joins the command line and checks what only the whole can tell (a
// kernel is named, no file that is written is two disks). INVALID_ARGS with a message that begins
// with file_name.
MX_MUST_CHECK mx_status_t guest_config_finish(struct guest_config *config, const char *file_name,
                                              char *message, size_t message_capacity);

// Whether a file of the package is a disk that the guest may write.
bool guest_config_writes(const struct guest_config *config, const char *path);

// The keys that a file may have, in order; NULL behind the last. For help texts and the schema's
// test.
const char *guest_config_key(size_t index);
