// PVH boot of an ELF kernel; the contract is in the header.
#include "vmm/loader/x86_64/linux_elf.h"

#include <string.h>

#include "vmm/loader/x86_64/x86_boot_tables.h"

#define ELF_MAGIC          "\177ELF"
#define ELF_CLASS_64       2
#define ELF_LITTLE_ENDIAN  1
#define ELF_MACHINE_X86_64 62
#define ELF_TYPE_EXEC      2
#define ELF_TYPE_DYN       3
#define ELF_SEGMENT_LOAD   1
#define ELF_SEGMENT_NOTE   4

// A kernel has about five.
#define SEGMENT_MAX 64

#define NOTE_NAME                "Xen" // with its NUL, 4 bytes
#define XEN_ELFNOTE_PHYS32_ENTRY 18
#define NOTE_ALIGN               4
#define NOTE_MAX                 1024

#define START_INFO_MAGIC   0x336ec578
#define START_INFO_VERSION 1
#define COMMAND_LINE_MAX   2047 // COMMAND_LINE_SIZE of Linux/x86 less the NUL
#define FOUR_GIB           (UINT64_C(1) << 32)

struct elf_header {
    uint8_t magic[4];
    uint8_t class;
    uint8_t data;
    uint8_t ident[10];
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint64_t entry;
    uint64_t segment_offset;
    uint64_t section_offset;
    uint32_t flags;
    uint16_t header_bytes;
    uint16_t segment_entry_bytes;
    uint16_t segment_count;
    uint16_t section_entry_bytes;
    uint16_t section_count;
    uint16_t section_names_index;
};
_Static_assert(sizeof(struct elf_header) == 64, "ELF header");

struct elf_segment {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t virtual_address;
    uint64_t physical_address;
    uint64_t file_bytes;
    uint64_t memory_bytes;
    uint64_t align;
};
_Static_assert(sizeof(struct elf_segment) == 56, "ELF program header");

struct elf_note {
    uint32_t name_bytes;
    uint32_t value_bytes;
    uint32_t type;
};

struct start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t module_count;
    uint64_t modules;
    uint64_t command_line;
    uint64_t rsdp;
    uint64_t memory_map;
    uint32_t memory_map_count;
    uint32_t reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "hvm_start_info");

struct start_info_module {
    uint64_t address;
    uint64_t size_bytes;
    uint64_t command_line;
    uint64_t reserved;
};
_Static_assert(sizeof(struct start_info_module) == 32, "hvm_modlist_entry");

struct start_info_memory {
    uint64_t address;
    uint64_t size_bytes;
    uint32_t type;
    uint32_t reserved;
};
_Static_assert(sizeof(struct start_info_memory) == 24, "hvm_memmap_table_entry");

// The file once it is judged.
struct elf {
    struct elf_segment segments[SEGMENT_MAX];
    unsigned segment_count;
    uint64_t entry;
    bool has_entry;
    struct boot_range extent; // from the lowest loaded byte to the highest
};

bool linux_elf_matches(const struct boot_blob *kernel)
{
    return kernel->size_bytes >= 4 && memcmp(kernel->data, ELF_MAGIC, 4) == 0;
}

// Copies from the file; false if it does not reach that far.
static bool file_read(const struct boot_blob *file, uint64_t offset, void *buffer,
                      uint64_t size_bytes)
{
    if (offset > file->size_bytes || size_bytes > file->size_bytes - offset)
        return false;
    memcpy(buffer, (const uint8_t *)file->data + offset, size_bytes);
    return true;
}

static mx_status_t read_segments(const struct boot_request *request, struct elf *elf)
{
    struct elf_header header;
    if (!file_read(&request->kernel, 0, &header, sizeof(header)))
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY,
                         "kernel: truncated: only %llu bytes, an ELF header has 64",
                         (unsigned long long)request->kernel.size_bytes);
    if (memcmp(header.magic, ELF_MAGIC, 4) != 0 || header.class != ELF_CLASS_64 ||
        header.data != ELF_LITTLE_ENDIAN || header.machine != ELF_MACHINE_X86_64 ||
        (header.type != ELF_TYPE_EXEC && header.type != ELF_TYPE_DYN))
        return boot_fail(request, MX_ERR_NOT_SUPPORTED,
                         "kernel: ELF header: class %u, machine %u, type %u; needs an ELF64 "
                         "executable for x86-64 (2, 62, 2)",
                         header.class, header.machine, header.type);
    if (header.segment_entry_bytes != sizeof(struct elf_segment) || header.segment_count == 0 ||
        header.segment_count > SEGMENT_MAX)
        return boot_fail(
            request, MX_ERR_IO_DATA_INTEGRITY,
            "kernel: ELF header: %u program headers of %u bytes; expected 1 to %u of 56",
            header.segment_count, header.segment_entry_bytes, SEGMENT_MAX);
    elf->segment_count = header.segment_count;
    if (!file_read(&request->kernel, header.segment_offset, elf->segments,
                   elf->segment_count * sizeof(struct elf_segment)))
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY,
                         "kernel: truncated: program headers at 0x%llx lie outside the %llu bytes",
                         (unsigned long long)header.segment_offset,
                         (unsigned long long)request->kernel.size_bytes);
    return MX_OK;
}

static void extend_extent(struct boot_range *extent, const struct elf_segment *segment)
{
    uint64_t end = segment->physical_address + segment->memory_bytes;
    uint64_t extent_end = extent->start + extent->size_bytes;
    if (extent->size_bytes == 0) {
        extent->start = segment->physical_address;
        extent_end = end;
    }
    if (segment->physical_address < extent->start)
        extent->start = segment->physical_address;
    extent->size_bytes = (end > extent_end ? end : extent_end) - extent->start;
}

static mx_status_t check_load_segment(const struct boot_request *request, struct elf *elf,
                                      unsigned index)
{
    const struct elf_segment *segment = &elf->segments[index];
    const struct boot_range file = {0, request->kernel.size_bytes};
    if (segment->file_bytes > segment->memory_bytes)
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY,
                         "kernel: program header %u: 0x%llx bytes in the file, 0x%llx in memory",
                         index, (unsigned long long)segment->file_bytes,
                         (unsigned long long)segment->memory_bytes);
    if (segment->memory_bytes == 0)
        return MX_OK;
    if (!boot_range_contains(&file, segment->offset, segment->file_bytes))
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY,
                         "kernel: truncated: program header %u: 0x%llx bytes at 0x%llx lie outside "
                         "the %llu bytes",
                         index, (unsigned long long)segment->file_bytes,
                         (unsigned long long)segment->offset,
                         (unsigned long long)request->kernel.size_bytes);
    if (!boot_range_contains(&request->low_ram, segment->physical_address, segment->memory_bytes))
        return boot_fail(
            request, MX_ERR_NO_MEMORY,
            "kernel: program header %u: needs 0x%llx bytes at 0x%llx, the guest has RAM "
            "from 0x%llx to 0x%llx there; give the guest more memory",
            index, (unsigned long long)segment->memory_bytes,
            (unsigned long long)segment->physical_address,
            (unsigned long long)request->low_ram.start,
            (unsigned long long)(request->low_ram.start + request->low_ram.size_bytes));
    extend_extent(&elf->extent, segment);
    return MX_OK;
}

static uint64_t align_note(uint64_t size_bytes)
{
    return (size_bytes + NOTE_ALIGN - 1) & ~(uint64_t)(NOTE_ALIGN - 1);
}

// Looks for the PVH entry among the notes in one segment; what is malformed ends the search there.
static void search_notes(const struct boot_request *request, struct elf *elf,
                         const struct elf_segment *segment)
{
    const struct boot_range file = {0, request->kernel.size_bytes};
    if (!boot_range_contains(&file, segment->offset, segment->file_bytes))
        return;
    const struct boot_blob notes = {(const uint8_t *)request->kernel.data + segment->offset,
                                    segment->file_bytes};
    uint64_t offset = 0;
    for (unsigned i = 0; i < NOTE_MAX && !elf->has_entry; i++) {
        struct elf_note note;
        char name[sizeof(NOTE_NAME)];
        if (!file_read(&notes, offset, &note, sizeof(note)))
            return;
        uint64_t name_offset = offset + sizeof(note);
        uint64_t value_offset = name_offset + align_note(note.name_bytes);
        if (note.type == XEN_ELFNOTE_PHYS32_ENTRY && note.name_bytes == sizeof(name) &&
            (note.value_bytes == 4 || note.value_bytes == 8) &&
            file_read(&notes, name_offset, name, sizeof(name)) &&
            memcmp(name, NOTE_NAME, sizeof(name)) == 0)
            elf->has_entry = file_read(&notes, value_offset, &elf->entry, note.value_bytes);
        offset = value_offset + align_note(note.value_bytes);
    }
}

static bool entry_is_loaded(const struct elf *elf)
{
    for (unsigned i = 0; i < elf->segment_count; i++) {
        const struct elf_segment *segment = &elf->segments[i];
        if (segment->type == ELF_SEGMENT_LOAD && elf->entry >= segment->physical_address &&
            elf->entry - segment->physical_address < segment->file_bytes)
            return true;
    }
    return false;
}

static mx_status_t check_segments(const struct boot_request *request, struct elf *elf)
{
    for (unsigned i = 0; i < elf->segment_count; i++) {
        const struct elf_segment *segment = &elf->segments[i];
        mx_status_t status = MX_OK;
        if (segment->type == ELF_SEGMENT_LOAD)
            status = check_load_segment(request, elf, i);
        else if (segment->type == ELF_SEGMENT_NOTE)
            search_notes(request, elf, segment);
        if (status != MX_OK)
            return status;
    }
    if (!elf->has_entry)
        return boot_fail(
            request, MX_ERR_NOT_SUPPORTED,
            "kernel: ELF file without the PVH note (XEN_ELFNOTE_PHYS32_ENTRY); build it "
            "with CONFIG_PVH=y or use its bzImage");
    if (!entry_is_loaded(elf))
        return boot_fail(request, MX_ERR_IO_DATA_INTEGRITY,
                         "kernel: PVH entry 0x%llx lies in none of the loaded segments",
                         (unsigned long long)elf->entry);
    return MX_OK;
}

// Copies one segment and clears the memory behind what the file holds of it.
static mx_status_t load_segment(const struct boot_request *request,
                                const struct elf_segment *segment)
{
    const uint8_t *file = request->kernel.data;
    uint64_t address = segment->physical_address;
    mx_status_t status = MX_ERR_OUT_OF_RANGE;
    if (guest_memory_contains(request->memory, address, segment->memory_bytes))
        status = guest_memory_write(request->memory, address, file + segment->offset,
                                    segment->file_bytes);
    if (status == MX_OK)
        status = guest_memory_zero(request->memory, address + segment->file_bytes,
                                   segment->memory_bytes - segment->file_bytes);
    if (status != MX_OK)
        return boot_fail(request, status, "kernel: guest memory at 0x%llx does not exist",
                         (unsigned long long)address);
    return MX_OK;
}

static mx_status_t load_segments(const struct boot_request *request, const struct elf *elf)
{
    for (unsigned i = 0; i < elf->segment_count; i++) {
        const struct elf_segment *segment = &elf->segments[i];
        if (segment->type != ELF_SEGMENT_LOAD || segment->memory_bytes == 0)
            continue;
        mx_status_t status = load_segment(request, segment);
        if (status != MX_OK)
            return status;
    }
    return MX_OK;
}

static mx_status_t place_memory_map(struct x86_boot_arena *arena, struct start_info *info)
{
    const struct x86_boot_map *map = arena->map;
    mx_status_t status =
        x86_boot_arena_take(arena, map->e820_count * sizeof(struct start_info_memory), 8,
                            "memory map", &info->memory_map);
    info->memory_map_count = (uint32_t)map->e820_count;
    for (size_t i = 0; i < map->e820_count && status == MX_OK; i++) {
        const struct start_info_memory entry = {.address = map->e820[i].start,
                                                .size_bytes = map->e820[i].size_bytes,
                                                .type = map->e820[i].type};
        status = guest_memory_write(arena->request->memory, info->memory_map + i * sizeof(entry),
                                    &entry, sizeof(entry));
    }
    return status;
}

static mx_status_t place_module(struct x86_boot_arena *arena, const struct boot_range *ramdisk,
                                struct start_info *info)
{
    if (ramdisk->size_bytes == 0)
        return MX_OK;
    const struct start_info_module module = {.address = ramdisk->start,
                                             .size_bytes = ramdisk->size_bytes};
    mx_status_t status =
        x86_boot_arena_take(arena, sizeof(module), 8, "module list", &info->modules);
    if (status != MX_OK)
        return status;
    info->module_count = 1;
    return guest_memory_write(arena->request->memory, info->modules, &module, sizeof(module));
}

static mx_status_t place_start_info(struct x86_boot_arena *arena, struct x86_boot_state *state)
{
    const struct boot_request *request = arena->request;
    struct start_info info = {.magic = START_INFO_MAGIC,
                              .version = START_INFO_VERSION,
                              .command_line = state->command_line.start,
                              .rsdp = arena->map->rsdp};
    mx_status_t status = place_memory_map(arena, &info);
    if (status == MX_OK)
        status = place_module(arena, &state->ramdisk, &info);
    if (status == MX_OK)
        status = x86_boot_arena_take(arena, sizeof(info), 8, "start info", &state->rbx);
    if (status == MX_OK)
        status = guest_memory_write(request->memory, state->rbx, &info, sizeof(info));
    return status;
}

mx_status_t linux_elf_load(const struct boot_request *request, const struct x86_boot_map *map,
                           struct x86_boot_state *state)
{
    struct elf elf = {.segment_count = 0};
    struct x86_boot_arena arena;
    *state = (struct x86_boot_state){.mode = X86_BOOT_MODE_PROTECTED_32,
                                     .code_selector = X86_BOOT_CODE_32_SELECTOR,
                                     .data_selector = X86_BOOT_DATA_SELECTOR};
    if (request->device_tree_overlay.size_bytes > 0)
        return boot_fail(
            request, MX_ERR_NOT_SUPPORTED,
            "dtb-overlay: the PVH entry of an ELF kernel takes no device tree; use its bzImage");
    mx_status_t status = x86_boot_arena_init(&arena, request, map);
    if (status == MX_OK)
        status = read_segments(request, &elf);
    if (status == MX_OK)
        status = check_segments(request, &elf);
    if (status != MX_OK)
        return status;
    state->rip = elf.entry;
    state->kernel = elf.extent;
    status = x86_boot_build_gdt(&arena, state);
    if (status == MX_OK)
        status = x86_boot_place_command_line(&arena, COMMAND_LINE_MAX, &state->command_line);
    if (status == MX_OK)
        status = load_segments(request, &elf);
    if (status == MX_OK)
        status = boot_place_ramdisk(request, elf.extent.start + elf.extent.size_bytes, FOUR_GIB,
                                    false, &state->ramdisk);
    if (status == MX_OK)
        status = place_start_info(&arena, state);
    return status;
}
