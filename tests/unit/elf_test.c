// Program files: what a good one maps, and that each bad field is refused.

#include "boot/elf.h"
#include "tests/test.h"

struct program_header {
    uint32_t type, flags;
    uint64_t offset, address, physical_address, file_bytes, memory_bytes, alignment;
};

struct file {
    struct {
        uint8_t ident[16];
        uint16_t type, machine;
        uint32_t version;
        uint64_t entry, program_offset, section_offset;
        uint32_t flags;
        uint16_t header_bytes, program_entry_bytes, program_count;
        uint16_t section_entry_bytes, section_count, section_names;
    } header;
    struct program_header programs[12];
};

enum {
    LOAD = 1,
    GNU_STACK = 0x6474e551,
    READ = 4,
    WRITE = 2,
    EXECUTE = 1,
    FILE_BYTES = 0x4000,
};

static struct file good_file(void)
{
    return (struct file){
        .header = {.ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
                   .type = 2,
                   .machine = 62,
                   .version = 1,
                   .entry = 0x401010,
                   .program_offset = 64,
                   .header_bytes = 64,
                   .program_entry_bytes = 56,
                   .program_count = 3},
        .programs = {{LOAD, READ | EXECUTE, 0x1000, 0x401000, 0, 0x1234, 0x1234, 0x1000},
                     {LOAD, READ | WRITE, 0x3008, 0x403008, 0, 0x100, 0x3000, 0x1000},
                     {GNU_STACK, READ | WRITE, 0, 0, 0, 0, 0, 16}},
    };
}

static mx_status_t read_file(const struct file *file, struct elf_program *program)
{
    const char *reason = NULL;
    mx_status_t status = elf_read(file, sizeof(*file), FILE_BYTES, program, &reason);

    EXPECT_EQ(status == MX_OK, reason == NULL);
    return status;
}

TEST(maps_text_and_data_on_whole_pages)
{
    struct file file = good_file();
    struct elf_program program;

    ASSERT_OK(read_file(&file, &program));
    EXPECT_EQ(program.entry, 0x401010);
    ASSERT_EQ(program.segment_count, 2);
    const struct elf_segment *text = &program.segments[0], *data = &program.segments[1];
    EXPECT_EQ(text->address, 0x401000);
    EXPECT_EQ(text->memory_bytes, 0x2000);
    EXPECT_EQ(text->file_offset, 0x1000);
    EXPECT_EQ(text->file_bytes, 0x1234);
    EXPECT_TRUE(text->is_executable && !text->is_writable);
    EXPECT_EQ(data->address, 0x403000);
    EXPECT_EQ(data->memory_bytes, 0x4000);
    EXPECT_EQ(data->file_offset, 0x3000);
    EXPECT_EQ(data->file_bytes, 0x108);
    EXPECT_TRUE(data->is_writable && !data->is_executable);
    EXPECT_EQ(program.stack_bytes, 0);
}

TEST(takes_the_stack_size_and_rounds_it)
{
    struct file file = good_file();
    struct elf_program program;

    file.programs[2].memory_bytes = 100001;
    ASSERT_OK(read_file(&file, &program));
    EXPECT_EQ(program.stack_bytes, 102400);
    file.programs[2].memory_bytes = UINT64_MAX;
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, read_file(&file, &program));
}

TEST(zero_segment_without_file_bytes_is_plain_memory)
{
    struct file file = good_file();
    struct elf_program program;

    file.programs[1].file_bytes = 0;
    ASSERT_OK(read_file(&file, &program));
    EXPECT_EQ(program.segments[1].file_bytes, 0);
    EXPECT_EQ(program.segments[1].memory_bytes, 0x4000);
}

#define EXPECT_REFUSED(expected, ...)                     \
    do {                                                  \
        struct file file_ = good_file(), *f = &file_;     \
        struct elf_program program_;                      \
        __VA_ARGS__;                                      \
        EXPECT_STATUS(expected, read_file(f, &program_)); \
    } while (0)

TEST(refuses_other_kinds_of_files)
{
    EXPECT_REFUSED(MX_ERR_INVALID_ARGS, f->header.ident[0] = 0);
    EXPECT_REFUSED(MX_ERR_INVALID_ARGS, f->header.ident[4] = 1);
    EXPECT_REFUSED(MX_ERR_INVALID_ARGS, f->header.ident[5] = 2);
    EXPECT_REFUSED(MX_ERR_NOT_SUPPORTED, f->header.type = 3);
    EXPECT_REFUSED(MX_ERR_NOT_SUPPORTED, f->header.machine = 3);
    EXPECT_REFUSED(MX_ERR_NOT_SUPPORTED, f->programs[2].type = 2); // PT_DYNAMIC
    EXPECT_REFUSED(MX_ERR_NOT_SUPPORTED, f->programs[2].type = 3); // PT_INTERP
    EXPECT_REFUSED(MX_ERR_NOT_SUPPORTED, f->programs[2].type = 7); // PT_TLS
}

TEST(refuses_program_headers_outside_the_first_page)
{
    EXPECT_REFUSED(MX_ERR_IO_DATA_INTEGRITY, f->header.program_offset = UINT64_MAX);
    EXPECT_REFUSED(MX_ERR_IO_DATA_INTEGRITY, f->header.program_offset = sizeof(*f) - 100);
    EXPECT_REFUSED(MX_ERR_IO_DATA_INTEGRITY, f->header.program_count = 0xffff);
    EXPECT_REFUSED(MX_ERR_IO_DATA_INTEGRITY, f->header.program_entry_bytes = 32);
}

TEST(refuses_segments_that_break_write_or_execute)
{
    EXPECT_REFUSED(MX_ERR_NOT_SUPPORTED, f->programs[0].flags = READ | WRITE | EXECUTE);
    EXPECT_REFUSED(MX_ERR_NOT_SUPPORTED, f->programs[0].flags = EXECUTE);
    EXPECT_REFUSED(MX_ERR_NOT_SUPPORTED, f->programs[2].flags = READ | WRITE | EXECUTE);
}

TEST(refuses_segments_outside_file_or_memory)
{
    EXPECT_REFUSED(MX_ERR_IO_DATA_INTEGRITY, f->programs[0].offset = UINT64_MAX - 0xfff);
    EXPECT_REFUSED(MX_ERR_IO_DATA_INTEGRITY, f->programs[0].offset = 0x3000);
    EXPECT_REFUSED(MX_ERR_IO_DATA_INTEGRITY, f->programs[0].file_bytes = UINT64_MAX);
    EXPECT_REFUSED(MX_ERR_IO_DATA_INTEGRITY, f->programs[1].memory_bytes = 0x80);
    EXPECT_REFUSED(MX_ERR_IO_DATA_INTEGRITY, f->programs[1].memory_bytes = UINT64_MAX);
    EXPECT_REFUSED(MX_ERR_IO_DATA_INTEGRITY, f->programs[0].address = 0x1000);
    EXPECT_REFUSED(MX_ERR_IO_DATA_INTEGRITY, f->programs[1].address = UINT64_MAX - 0xff7);
    EXPECT_REFUSED(MX_ERR_IO_DATA_INTEGRITY, f->programs[1].address = 0x6ffffffff008);
}

TEST(refuses_segments_that_cannot_be_mapped_apart)
{
    EXPECT_REFUSED(MX_ERR_NOT_SUPPORTED, f->programs[1].address = 0x402008);
    EXPECT_REFUSED(MX_ERR_NOT_SUPPORTED, f->programs[1].address = 0x100008);
    EXPECT_REFUSED(MX_ERR_NOT_SUPPORTED, f->programs[1].address = 0x403010);
    EXPECT_REFUSED(MX_ERR_NOT_SUPPORTED, {
        f->header.program_count = 9 + 1;
        for (unsigned i = 1; i < 10; i++)
            f->programs[i] = (struct program_header){LOAD, READ,   0x1000, 0x403000 + i * 0x1000,
                                                     0,    0x1000, 0x1000, 0x1000};
    });
    EXPECT_REFUSED(MX_ERR_NOT_SUPPORTED, {
        f->header.program_count = 4;
        f->programs[1].memory_bytes = (uint64_t)1 << 29;
        f->programs[2] = f->programs[3] = f->programs[1];
        f->programs[2].address += (uint64_t)1 << 30;
        f->programs[3].address += (uint64_t)1 << 31;
    });
}

TEST(refuses_an_entry_outside_executable_memory)
{
    EXPECT_REFUSED(MX_ERR_IO_DATA_INTEGRITY, f->header.entry = 0x403010);
    EXPECT_REFUSED(MX_ERR_IO_DATA_INTEGRITY, f->header.entry = 0x400fff);
    EXPECT_REFUSED(MX_ERR_IO_DATA_INTEGRITY, f->header.entry = UINT64_MAX);
    EXPECT_REFUSED(MX_ERR_IO_DATA_INTEGRITY, f->header.program_count = 0);
}

TEST(refuses_every_short_file)
{
    struct file file = good_file();
    struct elf_program program;
    const char *reason;

    for (size_t size = 0; size < 64 + 3 * 56; size++)
        EXPECT_NE(elf_read(&file, size, size, &program, &reason), MX_OK);
}
