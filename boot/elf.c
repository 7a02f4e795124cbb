// Program files; see elf.h.

#include "boot/elf.h"

#include <string.h>

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_offset, section_offset;
    uint32_t flags;
    uint16_t header_bytes, program_entry_bytes, program_count;
    uint16_t section_entry_bytes, section_count, section_names;
};
_Static_assert(sizeof(struct elf_header) == 64, "Elf64_Ehdr");

struct elf_program_header {
    uint32_t type, flags;
    uint64_t offset, address, physical_address, file_bytes, memory_bytes, alignment;
};
_Static_assert(sizeof(struct elf_program_header) == 56, "Elf64_Phdr");

static const uint8_t elf_ident[] = {0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* little-endian */,
                                    1 /* version */};

enum {
    ET_EXEC = 2,
    EM_X86_64 = 62,
    EM_AARCH64 = 183,
    PT_LOAD = 1,
    PT_DYNAMIC = 2,
    PT_INTERP = 3,
    PT_TLS = 7,
    PF_X = 1,
    PF_W = 2,
    PF_R = 4,
};
#define PT_GNU_STACK UINT32_C(0x6474e551)

#ifdef __aarch64__
#define ELF_MACHINE EM_AARCH64
#else
#define ELF_MACHINE EM_X86_64
#endif

// True if [offset, offset + size) lies in [0, limit).
static bool is_within(uint64_t offset, uint64_t size, uint64_t limit)
{
    return offset <= limit && size <= limit - offset;
}

static uint64_t page_floor(uint64_t value)
{
    return value & ~(uint64_t)(ELF_PAGE_BYTES - 1);
}

// `value` is far from wrapping.
static uint64_t page_ceiling(uint64_t value)
{
    return page_floor(value + ELF_PAGE_BYTES - 1);
}

static mx_status_t refuse(const char **reason, mx_status_t status, const char *why)
{
    *reason = why;
    return status;
}

static mx_status_t check_header(const struct elf_header *header, size_t head_bytes,
                                const char **reason)
{
    if (header->type != ET_EXEC)
        return refuse(reason, MX_ERR_NOT_SUPPORTED,
                      "not a static executable at a fixed address (ET_EXEC)");
    if (header->machine != ELF_MACHINE)
        return refuse(reason, MX_ERR_NOT_SUPPORTED, "a program for another kind of CPU");
    if (header->program_entry_bytes != sizeof(struct elf_program_header))
        return refuse(reason, MX_ERR_IO_DATA_INTEGRITY, "program headers are not of 56 bytes");
    if (!is_within(header->program_offset,
                   (uint64_t)header->program_count * sizeof(struct elf_program_header),
                   head_bytes))
        return refuse(reason, MX_ERR_IO_DATA_INTEGRITY,
                      "program headers are not within the first page");
    return MX_OK;
}

static mx_status_t check_load(const struct elf_program_header *load, uint64_t file_bytes,
                              const char **reason)
{
    if ((load->flags & PF_W) && (load->flags & PF_X))
        return refuse(reason, MX_ERR_NOT_SUPPORTED, "a segment is both writable and executable");
    if (!(load->flags & PF_R))
        return refuse(reason, MX_ERR_NOT_SUPPORTED, "a segment is not readable");
    if (load->file_bytes > load->memory_bytes)
        return refuse(reason, MX_ERR_IO_DATA_INTEGRITY, "a segment is larger in the file");
    if (!is_within(load->offset, load->file_bytes, file_bytes))
        return refuse(reason, MX_ERR_IO_DATA_INTEGRITY, "a segment reaches beyond the file");
    if (load->memory_bytes > ELF_MEMORY_MAX || load->address < ELF_ADDRESS_MIN ||
        !is_within(load->address, load->memory_bytes, ELF_ADDRESS_MAX))
        return refuse(reason, MX_ERR_IO_DATA_INTEGRITY, "a segment is not in user memory");
    if ((load->address ^ load->offset) & (ELF_PAGE_BYTES - 1))
        return refuse(reason, MX_ERR_NOT_SUPPORTED,
                      "a segment's place in memory and in the file differ within the page");
    return MX_OK;
}

static mx_status_t add_load(struct elf_program *program, const struct elf_program_header *load,
                            const char **reason)
{
    uint64_t head_gap = load->address & (ELF_PAGE_BYTES - 1);
    uint64_t end = page_ceiling(load->address + load->memory_bytes);
    const struct elf_segment *last = NULL;

    if (program->segment_count == ELF_SEGMENTS_MAX)
        return refuse(reason, MX_ERR_NOT_SUPPORTED, "more than 8 loadable segments");
    if (program->segment_count > 0)
        last = &program->segments[program->segment_count - 1];
    if (last && page_floor(load->address) < last->address + last->memory_bytes)
        return refuse(reason, MX_ERR_NOT_SUPPORTED,
                      "segments share a page or are not in ascending order");
    program->segments[program->segment_count++] = (struct elf_segment){
        .address = load->address - head_gap,
        .memory_bytes = end - (load->address - head_gap),
        .file_offset = load->file_bytes ? load->offset - head_gap : 0,
        .file_bytes = load->file_bytes ? load->file_bytes + head_gap : 0,
        .is_writable = (load->flags & PF_W) != 0,
        .is_executable = (load->flags & PF_X) != 0,
    };
    return MX_OK;
}

static mx_status_t take_program_header(struct elf_program *program,
                                       const struct elf_program_header *header,
                                       uint64_t file_bytes, const char **reason)
{
    switch (header->type) {
    case PT_LOAD: {
        if (header->memory_bytes == 0)
            return MX_OK;
        mx_status_t status = check_load(header, file_bytes, reason);
        return status == MX_OK ? add_load(program, header, reason) : status;
    }
    case PT_GNU_STACK:
        if (header->flags & PF_X)
            return refuse(reason, MX_ERR_NOT_SUPPORTED, "it asks for an executable stack");
        if (header->memory_bytes > ELF_STACK_BYTES_MAX)
            return refuse(reason, MX_ERR_NOT_SUPPORTED, "it asks for more than 16 MiB of stack");
        program->stack_bytes = page_ceiling(header->memory_bytes);
        return MX_OK;
    case PT_INTERP:
    case PT_DYNAMIC:
        return refuse(reason, MX_ERR_NOT_SUPPORTED, "it is linked dynamically");
    case PT_TLS:
        return refuse(reason, MX_ERR_NOT_SUPPORTED, "it has thread-local storage");
    default:
        return MX_OK;
    }
}

static bool is_entry_executable(const struct elf_program *program)
{
    for (unsigned i = 0; i < program->segment_count; i++) {
        const struct elf_segment *segment = &program->segments[i];
        if (segment->is_executable && program->entry >= segment->address &&
            program->entry - segment->address < segment->memory_bytes)
            return true;
    }
    return false;
}

static bool is_memory_too_large(const struct elf_program *program)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < program->segment_count; i++)
        total += program->segments[i].memory_bytes;
    return total > ELF_MEMORY_MAX;
}

mx_status_t elf_read(const void *head, size_t head_bytes, uint64_t file_bytes,
                     struct elf_program *program, const char **reason)
{
    struct elf_header header;
    mx_status_t status;

    memset(program, 0, sizeof(*program));
    if (head_bytes < sizeof(header) || memcmp(head, elf_ident, sizeof(elf_ident)) != 0)
        return refuse(reason, MX_ERR_INVALID_ARGS, "not a 64-bit little-endian ELF file");
    memcpy(&header, head, sizeof(header));
    status = check_header(&header, head_bytes, reason);
    if (status != MX_OK)
        return status;
    program->entry = header.entry;
    for (unsigned i = 0; i < header.program_count; i++) {
        struct elf_program_header entry;
        memcpy(&entry, (const char *)head + header.program_offset + i * sizeof(entry),
               sizeof(entry));
        status = take_program_header(program, &entry, file_bytes, reason);
        if (status != MX_OK)
            return status;
    }
    if (!is_entry_executable(program))
        return refuse(reason, MX_ERR_IO_DATA_INTEGRITY, "the entry is not in executable memory");
    if (is_memory_too_large(program))
        return refuse(reason, MX_ERR_NOT_SUPPORTED, "its segments exceed 1 GiB");
    return MX_OK;
}
