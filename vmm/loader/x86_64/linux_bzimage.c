// The Linux/x86 64-bit boot protocol; the contract is in the header.
#include "vmm/loader/x86_64/linux_bzimage.h"

#include <string.h>

#include "vmm/loader/x86_64/x86_boot_tables.h"

// Offsets are the same in the file and in the zero page.
#define SETUP_HEADER_OFFSET    0x1f1
#define SETUP_HEADER_JUMP      0x201 // the header ends where this jump goes
#define SETUP_HEADER_JUMP_FROM 0x202
#define SETUP_HEADER_END_MIN   0x264 // through init_size, protocol 2.10 and later
#define SETUP_HEADER_END_MAX   0x290 // what the zero page has room for

#define BOOT_FLAG    0xaa55
#define HEADER_MAGIC 0x53726448 // "HdrS"
#define VERSION_MIN  0x020c

#define SECTOR_BYTES          512
#define SETUP_SECTORS_DEFAULT 4 // what 0 stands for
#define PARAGRAPH_BYTES       16
#define ENTRY_64_OFFSET       0x200

#define LOADFLAGS_LOADED_HIGH   0x01
#define LOADFLAGS_QUIET         0x20
#define LOADFLAGS_KEEP_SEGMENTS 0x40
#define LOADFLAGS_CAN_USE_HEAP  0x80
#define XLF_KERNEL_64           0x0001
#define XLF_ABOVE_4G            0x0002
#define LOADER_UNDEFINED        0xff

#define SETUP_DTB 2 // the type of a device tree in the list at setup_data

#define ONE_MIB                    UINT64_C(0x100000)
#define ALIGNMENT_MAX              (UINT32_C(1) << 30)
#define PAGE_BYTES                 4096
#define ZERO_PAGE_E820_ENTRY_BYTES 20

// struct setup_header, in the file at 0x1f1.
struct setup_header {
    uint8_t setup_sects;
    uint16_t root_flags;
    uint32_t syssize; // of the protected-mode code, in paragraphs
    uint16_t ram_size;
    uint16_t vid_mode;
    uint16_t root_dev;
    uint16_t boot_flag;
    uint16_t jump;
    uint32_t header;
    uint16_t version;
    uint32_t realmode_switch;
    uint16_t start_sys_seg;
    uint16_t kernel_version;
    uint8_t type_of_loader;
    uint8_t loadflags;
    uint16_t setup_move_size;
    uint32_t code32_start;
    uint32_t ramdisk_image;
    uint32_t ramdisk_size;
    uint32_t bootsect_kludge;
    uint16_t heap_end_ptr;
    uint8_t ext_loader_ver;
    uint8_t ext_loader_type;
    uint32_t cmd_line_ptr;
    uint32_t initrd_addr_max; // the highest address of its last byte
    uint32_t kernel_alignment;
    uint8_t relocatable_kernel;
    uint8_t min_alignment;
    uint16_t xloadflags;
    uint32_t cmdline_size; // without the NUL
    uint32_t hardware_subarch;
    uint64_t hardware_subarch_data;
    uint32_t payload_offset;
    uint32_t payload_length;
    uint64_t setup_data;
    uint64_t pref_address;
    uint32_t init_size;
    uint32_t handover_offset;
    uint32_t kernel_info_offset;
    uint8_t later_fields[SETUP_HEADER_END_MAX - 0x26c];
} __attribute__((packed));
_Static_assert(sizeof(struct setup_header) == SETUP_HEADER_END_MAX - SETUP_HEADER_OFFSET,
               "setup header");
_Static_assert(offsetof(struct setup_header, init_size) == 0x260 - SETUP_HEADER_OFFSET,
               "setup header");

struct zero_page_e820_entry {
    uint64_t start;
    uint64_t size_bytes;
    uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct zero_page_e820_entry) == ZERO_PAGE_E820_ENTRY_BYTES, "e820 entry");

// struct boot_params, "the zero page".
struct zero_page {
    uint8_t unused_000[0x70];
    uint64_t acpi_rsdp_addr;
    uint8_t unused_078[0xc0 - 0x78];
    uint32_t ext_ramdisk_image; // upper halves
    uint32_t ext_ramdisk_size;
    uint32_t ext_cmd_line_ptr;
    uint8_t unused_0cc[0x1e8 - 0xcc];
    uint8_t e820_entry_count;
    uint8_t unused_1e9[SETUP_HEADER_OFFSET - 0x1e9];
    struct setup_header header;
    uint8_t unused_290[0x2d0 - 0x290];
    struct zero_page_e820_entry e820[BOOT_E820_ENTRY_MAX];
    uint8_t unused_cd0[PAGE_BYTES - 0xcd0];
} __attribute__((packed));
_Static_assert(sizeof(struct zero_page) == PAGE_BYTES, "zero page");
_Static_assert(offsetof(struct zero_page, header) == SETUP_HEADER_OFFSET, "zero page");
_Static_assert(offsetof(struct zero_page, e820) == 0x2d0, "zero page");

// struct setup_data; its data follows.
struct setup_data {
    uint64_t next;
    uint32_t type;
    uint32_t size_bytes;
};
_Static_assert(sizeof(struct setup_data) == 16, "setup data");

// The image once it is judged: a copy of the header, and the code that follows the setup sectors.
struct bzimage {
    struct setup_header header;
    size_t header_bytes;
    uint64_t code_offset;
    uint64_t code_bytes;
};

static bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

bool linux_bzimage_matches(const struct boot_blob *kernel)
{
    uint32_t magic;
    if (kernel->size_bytes < 0x206)
        return false;
    memcpy(&magic, (const uint8_t *)kernel->data + 0x202, sizeof(magic));
    return magic == HEADER_MAGIC;
}

// Copies the header out of the file. Afterwards the file's own header is not looked at again.
static mx_status_t read_header(const struct boot_request *request, struct bzimage *image)
{
    const uint8_t *file = request->kernel.data;
    uint64_t size_bytes = request->kernel.size_bytes;
    if (size_bytes < SETUP_HEADER_END_MIN)
        return boot_fail(
            request, MX_ERR_IO_DATA_INTEGRITY,
            "kernel: only %llu bytes, the setup header at 0x1f1 ends at 0x264 or later",
            (unsigned long long)size_bytes);
    size_t end = SETUP_HEADER_JUMP_FROM + (size_t)file[SETUP_HEADER_JUMP];
    if (end < SETUP_HEADER_END_MIN || end > SETUP_HEADER_END_MAX || end > size_bytes)
        return boot_fail(
            request, MX_ERR_IO_DATA_INTEGRITY,
            "kernel: setup header ends at 0x%zx by the jump at 0x200, expected 0x%x to "
            "0x%x and within the file of %llu bytes",
            end, SETUP_HEADER_END_MIN, SETUP_HEADER_END_MAX, (unsigned long long)size_bytes);
    image->header_bytes = end - SETUP_HEADER_OFFSET;
    memset(&image->header, 0, sizeof(image->header));
    memcpy(&image->header, file + SETUP_HEADER_OFFSET, image->header_bytes);
    return MX_OK;
}

// Whether this kernel can be started in 64-bit mode at all.
static mx_status_t check_protocol(const struct boot_request *request,
                                  const struct setup_header *header)
{
    if (header->header != HEADER_MAGIC || header->boot_flag != BOOT_FLAG)
        return boot_fail(
            request, MX_ERR_IO_DATA_INTEGRITY,
            "kernel: setup header at 0x1f1: no \"HdrS\" at 0x202 or no 0xaa55 at 0x1fe");
    if (header->version < VERSION_MIN)
        return boot_fail(
            request, MX_ERR_NOT_SUPPORTED,
            "kernel: setup header at 0x1f1: boot protocol %u.%02u, needs 2.12 or later",
            header->version >> 8, header->version & 0xffu);
    if (!(header->xloadflags & XLF_KERNEL_64))
        return boot_fail(request, MX_ERR_NOT_SUPPORTED,
                         "kernel: setup header at 0x1f1: xloadflags 0x%x: not a 64-bit kernel",
                         header->xloadflags);
    if (!(header->loadflags & LOADFLAGS_LOADED_HIGH))
        return boot_fail(request, MX_ERR_NOT_SUPPORTED,
                         "kernel: setup header at 0x1f1: a zImage that loads below 1 MiB");
    if (!is_power_of_two(header->kernel_alignment) || header->kernel_alignment > ALIGNMENT_MAX)
        return boot_fail(
            request, MX_ERR_IO_DATA_INTEGRITY,
            "kernel: setup header at 0x1f1: kernel_alignment 0x%x is not a power of two "
            "up to 1 GiB",
            header->kernel_alignment);
    return MX_OK;
}

// Finds the protected-mode code in the file and holds it against what the header says.
static mx_status_t check_sizes(const struct boot_request *request, struct bzimage *image)
{
    const struct setup_header *header = &image->header;
    unsigned sectors = header->setup_sects ? header->setup_sects : SETUP_SECTORS_DEFAULT;
    image->code_offset = (sectors + 1u) * SECTOR_BYTES;
    image->code_bytes = (uint64_t)header->syssize * PARAGRAPH_BYTES;
    uint64_t needed = image->code_offset + image->code_bytes;
    if (image->code_bytes <= ENTRY_64_OFFSET)
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY,
                         "kernel: setup header at 0x1f1: syssize %u holds no 64-bit entry",
                         header->syssize);
    if (needed > request->kernel.size_bytes)
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY,
                         "kernel: truncated: %llu bytes, its setup header describes %llu",
                         (unsigned long long)request->kernel.size_bytes,
                         (unsigned long long)needed);
    if (header->init_size < image->code_bytes)
        return boot_fail(
            request, MX_ERR_IO_DATA_INTEGRITY,
            "kernel: setup header at 0x1f1: init_size 0x%x is less than the %llu bytes "
            "of code",
            header->init_size, (unsigned long long)image->code_bytes);
    return MX_OK;
}

// Chooses the address of the code; init_size bytes from there on are the kernel's.
static mx_status_t choose_address(const struct boot_request *request,
                                  const struct setup_header *header, uint64_t *address)
{
    const struct boot_range *ram = &request->low_ram;
    uint64_t size_bytes = header->init_size;
    *address = header->pref_address;
    if (header->pref_address >= ONE_MIB &&
        boot_range_contains(ram, header->pref_address, size_bytes))
        return MX_OK;
    uint64_t lowest = ram->start > ONE_MIB ? ram->start : ONE_MIB;
    uint64_t align_bytes = header->kernel_alignment;
    *address = (lowest + align_bytes - 1) & ~(align_bytes - 1);
    if (header->relocatable_kernel && boot_range_contains(ram, *address, size_bytes))
        return MX_OK;
    return boot_fail(
        request, MX_ERR_NO_MEMORY,
        "kernel: needs %llu bytes of memory at 0x%llx%s, the guest has RAM from 0x%llx to "
        "0x%llx there; give the guest more memory",
        (unsigned long long)size_bytes,
        (unsigned long long)(header->relocatable_kernel ? *address : header->pref_address),
        header->relocatable_kernel ? "" : " (it is not relocatable)",
        (unsigned long long)ram->start, (unsigned long long)(ram->start + ram->size_bytes));
}

static mx_status_t place_code(const struct boot_request *request, const struct bzimage *image,
                              struct x86_boot_state *state)
{
    uint64_t address;
    mx_status_t status = choose_address(request, &image->header, &address);
    if (status != MX_OK)
        return status;
    const uint8_t *code = (const uint8_t *)request->kernel.data + image->code_offset;
    if (!guest_memory_contains(request->memory, address, image->header.init_size) ||
        guest_memory_write(request->memory, address, code, image->code_bytes) != MX_OK)
        return boot_fail(request, MX_ERR_OUT_OF_RANGE,
                         "kernel: guest memory at 0x%llx does not exist",
                         (unsigned long long)address);
    state->kernel = (struct boot_range){address, image->header.init_size};
    state->rip = address + ENTRY_64_OFFSET;
    return MX_OK;
}

// The ramdisk, above the kernel. Its address is 64 bits only for kernels that say so.
static mx_status_t place_ramdisk(const struct boot_request *request, const struct bzimage *image,
                                 struct x86_boot_state *state)
{
    bool may_be_high = image->header.xloadflags & XLF_ABOVE_4G;
    if (request->ramdisk.size_bytes > UINT32_MAX && !may_be_high)
        return boot_fail(request, MX_ERR_NOT_SUPPORTED,
                         "ramdisk: %llu bytes, this kernel takes less than 4 GiB",
                         (unsigned long long)request->ramdisk.size_bytes);
    return boot_place_ramdisk(request, state->kernel.start + state->kernel.size_bytes,
                              (uint64_t)image->header.initrd_addr_max + 1, may_be_high,
                              &state->ramdisk);
}

static void fill_e820(const struct x86_boot_map *map, struct zero_page *page)
{
    page->e820_entry_count = (uint8_t)map->e820_count;
    for (size_t i = 0; i < map->e820_count; i++)
        page->e820[i] = (struct zero_page_e820_entry){map->e820[i].start, map->e820[i].size_bytes,
                                                      map->e820[i].type};
}

static void fill_header(const struct bzimage *image, const struct x86_boot_state *state,
                        struct zero_page *page)
{
    struct setup_header *header = &page->header;
    memcpy(header, &image->header, image->header_bytes);
    header->type_of_loader = LOADER_UNDEFINED;
    header->loadflags &=
        (uint8_t) ~(LOADFLAGS_QUIET | LOADFLAGS_KEEP_SEGMENTS | LOADFLAGS_CAN_USE_HEAP);
    header->code32_start = (uint32_t)state->kernel.start;
    header->ramdisk_image = (uint32_t)state->ramdisk.start;
    header->ramdisk_size = (uint32_t)state->ramdisk.size_bytes;
    header->cmd_line_ptr = (uint32_t)state->command_line.start;
    page->ext_ramdisk_image = (uint32_t)(state->ramdisk.start >> 32);
    page->ext_ramdisk_size = (uint32_t)(state->ramdisk.size_bytes >> 32);
    page->ext_cmd_line_ptr = (uint32_t)(state->command_line.start >> 32);
}

// The device tree, if there is one. It is the guest's own affair: Linux judges it by itself.
static mx_status_t place_device_tree(struct x86_boot_arena *arena, uint64_t *address)
{
    const struct boot_request *request = arena->request;
    const struct boot_blob *tree = &request->device_tree_overlay;
    struct setup_data data = {.type = SETUP_DTB, .size_bytes = (uint32_t)tree->size_bytes};

    *address = 0;
    if (tree->size_bytes == 0)
        return MX_OK;
    if (tree->size_bytes > ONE_MIB)
        return boot_fail(request, MX_ERR_INVALID_ARGS,
                         "dtb-overlay: %llu bytes, a kernel takes at most 1 MiB",
                         (unsigned long long)tree->size_bytes);
    mx_status_t status =
        x86_boot_arena_take(arena, sizeof(data) + tree->size_bytes, 16, "dtb-overlay", address);
    if (status == MX_OK)
        status = guest_memory_write(request->memory, *address, &data, sizeof(data));
    if (status != MX_OK)
        return status;
    return guest_memory_write(request->memory, *address + sizeof(data), tree->data,
                              tree->size_bytes);
}

static mx_status_t place_zero_page(struct x86_boot_arena *arena, const struct bzimage *image,
                                   struct x86_boot_state *state)
{
    const struct boot_request *request = arena->request;
    struct zero_page page;
    uint64_t tree;
    mx_status_t status = place_device_tree(arena, &tree);
    if (status == MX_OK)
        status =
            x86_boot_arena_take(arena, sizeof(page), PAGE_BYTES, "boot parameters", &state->rsi);
    if (status != MX_OK)
        return status;
    memset(&page, 0, sizeof(page));
    page.acpi_rsdp_addr = arena->map->rsdp;
    fill_e820(arena->map, &page);
    fill_header(image, state, &page);
    page.header.setup_data = tree;
    return guest_memory_write(request->memory, state->rsi, &page, sizeof(page));
}

mx_status_t linux_bzimage_load(const struct boot_request *request, const struct x86_boot_map *map,
                               struct x86_boot_state *state)
{
    struct bzimage image;
    struct x86_boot_arena arena;
    *state = (struct x86_boot_state){.mode = X86_BOOT_MODE_LONG,
                                     .code_selector = X86_BOOT_CODE_64_SELECTOR,
                                     .data_selector = X86_BOOT_DATA_SELECTOR};
    mx_status_t status = x86_boot_arena_init(&arena, request, map);
    if (status == MX_OK)
        status = read_header(request, &image);
    if (status == MX_OK)
        status = check_protocol(request, &image.header);
    if (status == MX_OK)
        status = check_sizes(request, &image);
    if (status == MX_OK)
        status = x86_boot_build_page_tables(&arena, &state->cr3);
    if (status == MX_OK)
        status = x86_boot_build_gdt(&arena, state);
    if (status == MX_OK)
        status =
            x86_boot_place_command_line(&arena, image.header.cmdline_size, &state->command_line);
    if (status == MX_OK)
        status = place_code(request, &image, state);
    if (status == MX_OK)
        status = place_ramdisk(request, &image, state);
    if (status == MX_OK)
        status = place_zero_page(&arena, &image, state);
    return status;
}
