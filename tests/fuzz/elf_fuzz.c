// Program files: whatever the bytes, an accepted one maps only what it may.

#include "boot/elf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_program program;
    const char *reason = NULL;
    uint64_t end = ELF_ADDRESS_MIN & ~(uint64_t)(ELF_PAGE_BYTES - 1);

    if (elf_read(data, size < ELF_HEAD_BYTES ? size : ELF_HEAD_BYTES, size, &program, &reason) !=
        MX_OK) {
        require(reason != NULL);
        return 0;
    }
    require(program.segment_count >= 1 && program.segment_count <= ELF_SEGMENTS_MAX);
    require(program.stack_bytes <= ELF_STACK_BYTES_MAX && program.stack_bytes % 4096 == 0);
    for (unsigned i = 0; i < program.segment_count; i++) {
        const struct elf_segment *segment = &program.segments[i];
        require((segment->address | segment->memory_bytes | segment->file_offset) % 4096 == 0);
        require(segment->memory_bytes > 0 && segment->memory_bytes <= ELF_MEMORY_MAX + 8192);
        require(segment->address >= end);
        end = segment->address + segment->memory_bytes;
        require(end <= ELF_ADDRESS_MAX);
        require(segment->file_bytes <= segment->memory_bytes);
        require(segment->file_offset <= size && segment->file_bytes <= size - segment->file_offset);
        require(!(segment->is_writable && segment->is_executable));
    }
    return 0;
}
