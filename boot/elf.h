// Reading the head of a program file: what is to be mapped where. ELF-64 Object File Format; System V ABI, AMD64
// supplement.
//
// The file is untrusted. Accepted: static executables (ET_EXEC) for this machine, at most ELF_SEGMENTS_MAX
// loadable segments in ascending order on pages of their own, none writable and executable, all in user
// memory, the entry in an executable one. Everything else is refused with the reason.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

enum {
    ELF_SEGMENTS_MAX = 8,
    ELF_PAGE_BYTES = 4096,
    ELF_HEAD_BYTES = 4096, // the program headers must lie in these first bytes of the file
};
#define ELF_ADDRESS_MIN     UINT64_C(0x10000)
#define ELF_ADDRESS_MAX     UINT64_C(0x0000700000000000) // above it: stacks
#define ELF_MEMORY_MAX      (UINT64_C(1) << 30)          // of all segments together
#define ELF_STACK_BYTES_MAX (UINT64_C(16) << 20)

struct elf_segment {
    uint64_t address;      // page-aligned
    uint64_t memory_bytes; // whole pages, at least one
    uint64_t file_offset;  // page-aligned; meaningless when file_bytes is 0
    uint64_t file_bytes;   // from file_offset on, within the file; the rest of memory_bytes is zero
    bool is_writable;
    bool is_executable;
};

struct elf_program {
    uint64_t entry;
    uint64_t stack_bytes; // whole pages, as PT_GNU_STACK asks; 0 when it does not
    unsigned segment_count;
    struct elf_segment segments[ELF_SEGMENTS_MAX];
};

// `head` is the first min(ELF_HEAD_BYTES, file_bytes) bytes of the file, not aligned. INVALID_ARGS: not an ELF file at
// all. NOT_SUPPORTED: one of another kind. IO_DATA_INTEGRITY: malformed. *reason is then a static string.
MX_MUST_CHECK mx_status_t elf_read(const void *head, size_t head_bytes, uint64_t file_bytes,
                                   struct elf_program *program, const char **reason);
