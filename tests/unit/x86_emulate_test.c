// Emulated instructions on a small machine: RAM with page tables, one device page, ports that
// remember.
#include "tests/test.h"
#include "vmm/x86_64/emulate.h"

#define RAM_BYTES     0x10000
#define CODE          0x8000
#define DEVICE        0xfe000000u
#define ACCESS_MAX    64
#define LINEAR_RAM    0x0000u   // mapped to RAM 0, up to 64 KiB
#define LINEAR_DEVICE 0x200000u // one page, then nothing
#define LINEAR_RO     0x201000u // RAM 0xf000, read-only
#define RIP           LINEAR_RAM + CODE

struct access {
    uint64_t address;
    uint64_t value;
    unsigned width_bytes;
    bool is_write;
};

static uint8_t ram[RAM_BYTES];
static struct access accesses[ACCESS_MAX];
static unsigned access_count;
static uint64_t device_value;
static mx_status_t device_status;
static unsigned exchange_refusals;
static uint8_t xmm[16][16];
static struct x86_vcpu_regs regs;
static struct x86_exit_info exit_info;
static struct x86_emulate_result result;

static void record(uint64_t address, uint64_t value, unsigned width_bytes, bool is_write)
{
    if (access_count < ACCESS_MAX)
        accesses[access_count] = (struct access){address, value, width_bytes, is_write};
    access_count++;
}

static bool machine_ram_read(void *context, uint64_t guest_physical, void *buffer,
                             size_t size_bytes)
{
    (void)context;
    if (guest_physical > RAM_BYTES || size_bytes > RAM_BYTES - guest_physical)
        return false;
    memcpy(buffer, ram + guest_physical, size_bytes);
    return true;
}

static bool machine_ram_write(void *context, uint64_t guest_physical, const void *buffer,
                              size_t size_bytes)
{
    (void)context;
    if (guest_physical > RAM_BYTES || size_bytes > RAM_BYTES - guest_physical)
        return false;
    memcpy(ram + guest_physical, buffer, size_bytes);
    return true;
}

static mx_status_t machine_exchange(void *context, uint64_t guest_physical, unsigned width_bytes,
                                    uint64_t expected, uint64_t desired)
{
    (void)context;
    if (guest_physical > RAM_BYTES || width_bytes > RAM_BYTES - guest_physical)
        return MX_ERR_OUT_OF_RANGE;
    if (exchange_refusals > 0) {
        exchange_refusals--;
        return MX_ERR_SHOULD_WAIT;
    }
    if (memcmp(ram + guest_physical, &expected, width_bytes) != 0)
        return MX_ERR_SHOULD_WAIT;
    memcpy(ram + guest_physical, &desired, width_bytes);
    return MX_OK;
}

static mx_status_t machine_device_read(void *context, uint64_t guest_physical, unsigned width_bytes,
                                       uint64_t *value)
{
    (void)context;
    *value = device_value;
    record(guest_physical, device_value, width_bytes, false);
    return device_status;
}

static mx_status_t machine_device_write(void *context, uint64_t guest_physical,
                                        unsigned width_bytes, uint64_t value)
{
    (void)context;
    record(guest_physical, value, width_bytes, true);
    return device_status;
}

static mx_status_t machine_port_in(void *context, uint16_t port, unsigned width_bytes,
                                   uint32_t *value)
{
    (void)context;
    *value = (uint32_t)device_value++;
    record(port, *value, width_bytes, false);
    return device_status;
}

static mx_status_t machine_port_out(void *context, uint16_t port, unsigned width_bytes,
                                    uint32_t value)
{
    (void)context;
    record(port, value, width_bytes, true);
    return device_status;
}

static mx_status_t machine_xmm_read(void *context, unsigned index, uint8_t value[16])
{
    (void)context;
    memcpy(value, xmm[index], 16);
    return MX_OK;
}

static mx_status_t machine_xmm_write(void *context, unsigned index, const uint8_t value[16])
{
    (void)context;
    memcpy(xmm[index], value, 16);
    return MX_OK;
}

static const struct x86_emulate_ops OPS = {
    .ram_read = machine_ram_read,
    .ram_write = machine_ram_write,
    .ram_compare_exchange = machine_exchange,
    .device_read = machine_device_read,
    .device_write = machine_device_write,
    .port_in = machine_port_in,
    .port_out = machine_port_out,
    .xmm_read = machine_xmm_read,
    .xmm_write = machine_xmm_write,
};

static void put64(uint64_t address, uint64_t value)
{
    memcpy(ram + address, &value, 8);
}

static uint64_t get64(uint64_t address)
{
    uint64_t value;
    memcpy(&value, ram + address, 8);
    return value;
}

// A vCPU in 64-bit mode about to execute `code`, with 4-level page tables at 0x1000.
static void set_up(const void *code, size_t code_bytes)
{
    memset(ram, 0, sizeof(ram));
    memset(xmm, 0, sizeof(xmm));
    access_count = 0;
    exchange_refusals = 0;
    device_value = UINT64_C(0x8877665544332211);
    device_status = MX_OK;
    exit_info = (struct x86_exit_info){0};
    regs = (struct x86_vcpu_regs){.rip = RIP,
                                  .rflags = 2,
                                  .cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP,
                                  .cr3 = 0x1000,
                                  .cr4 = X86_CR4_PAE,
                                  .efer = X86_EFER_LMA | X86_EFER_NXE,
                                  .cs_long = true};
    put64(0x1000, 0x2007);
    put64(0x2000, 0x3007);
    put64(0x3000, 0x4007);
    put64(0x3008, 0x5007);
    for (unsigned i = 0; i < RAM_BYTES / 4096; i++)
        put64(0x4000 + i * 8, (i * 4096) | 7);
    put64(0x5000, DEVICE | 7);
    put64(0x5008, 0xf005);
    memcpy(ram + CODE, code, code_bytes);
}

#define SET_UP(...)                                   \
    do {                                              \
        static const uint8_t code_[] = {__VA_ARGS__}; \
        set_up(code_, sizeof(code_));                 \
    } while (0)

static mx_status_t run(void)
{
    return x86_emulate(&regs, &exit_info, &OPS, NULL, &result);
}

static void expect_done(unsigned length_bytes)
{
    EXPECT_OK(run());
    EXPECT_EQ(result.outcome, X86_OUTCOME_DONE);
    EXPECT_EQ(regs.rip, RIP + length_bytes);
}

static void expect_exception(uint8_t vector, uint32_t error_code, uint64_t address)
{
    EXPECT_OK(run());
    EXPECT_EQ(result.outcome, X86_OUTCOME_EXCEPTION);
    EXPECT_EQ(result.exception.vector, vector);
    EXPECT_EQ(result.exception.error_code, error_code);
    EXPECT_EQ(result.exception.address, address);
    EXPECT_EQ(regs.rip, RIP);
}

static void expect_access(unsigned index, uint64_t address, unsigned width_bytes, bool is_write,
                          uint64_t value)
{
    ASSERT_GE(access_count, index + 1);
    EXPECT_EQ(accesses[index].address, address);
    EXPECT_EQ(accesses[index].width_bytes, width_bytes);
    EXPECT_EQ(accesses[index].is_write, is_write);
    EXPECT_EQ(accesses[index].value, value);
}

TEST(device_load_of_32_bits_clears_the_upper_half)
{
    SET_UP(0x8b, 0x03); // mov (%rbx),%eax
    regs.gpr[X86_RAX] = UINT64_MAX;
    regs.gpr[X86_RBX] = LINEAR_DEVICE + 0x10;
    expect_done(2);
    EXPECT_EQ(regs.gpr[X86_RAX], 0x44332211);
    EXPECT_EQ(access_count, 1);
    expect_access(0, DEVICE + 0x10, 4, false, device_value);
}

TEST(device_store_of_64_bits_is_one_access)
{
    SET_UP(0x48, 0xc7, 0x43, 0x08, 0xfe, 0xff, 0xff, 0xff); // movq $-2,8(%rbx)
    regs.gpr[X86_RBX] = LINEAR_DEVICE;
    expect_done(8);
    EXPECT_EQ(access_count, 1);
    expect_access(0, DEVICE + 8, 8, true, UINT64_MAX - 1);
}

TEST(read_modify_write_of_a_device_reads_once_and_writes_once)
{
    SET_UP(0xf0, 0x83, 0x0b, 0x08); // lock orl $8,(%rbx)
    regs.gpr[X86_RBX] = LINEAR_DEVICE;
    expect_done(4);
    EXPECT_EQ(access_count, 2);
    expect_access(0, DEVICE, 4, false, device_value);
    expect_access(1, DEVICE, 4, true, 0x44332219);
}

TEST(compare_with_a_device_does_not_write)
{
    SET_UP(0xf6, 0x03, 0x10); // testb $0x10,(%rbx)
    regs.gpr[X86_RBX] = LINEAR_DEVICE;
    expect_done(3);
    EXPECT_EQ(access_count, 1);
    EXPECT_FALSE(regs.rflags & X86_RFLAGS_ZF);
}

TEST(plain_store_does_not_read_the_device)
{
    SET_UP(0x88, 0x03);
    regs.gpr[X86_RBX] = LINEAR_DEVICE;
    regs.gpr[X86_RAX] = 0x1ff;
    expect_done(2);
    EXPECT_EQ(access_count, 1);
    expect_access(0, DEVICE, 1, true, 0xff);
}

TEST(absolute_offset_of_64_bits_is_used_whole)
{
    SET_UP(0xa3, 0x00, 0x00, 0x20, 0, 0, 0, 0, 0);
    regs.gpr[X86_RAX] = 7;
    expect_done(9);
    expect_access(0, DEVICE, 4, true, 7);
}

TEST(rip_relative_operand_counts_from_the_next_instruction)
{
    SET_UP(0xc6, 0x05, 0xf9, 0x7f, 0x1f, 0x00, 0x5a); // movb $0x5a,0x1f7ff9(%rip)
    expect_done(7);
    expect_access(0, DEVICE, 1, true, 0x5a);
}

TEST(fs_and_gs_bases_count_in_64_bit_code_and_others_do_not)
{
    SET_UP(0x65, 0x88, 0x03); // mov %al,%gs:(%rbx)
    regs.segment_base[X86_GS] = LINEAR_DEVICE;
    regs.segment_base[X86_DS] = 0x1234567;
    regs.gpr[X86_RBX] = 4;
    expect_done(3);
    expect_access(0, DEVICE + 4, 1, true, 0);
    SET_UP(0x3e, 0x88, 0x03);
    regs.segment_base[X86_DS] = 0x1234567;
    regs.gpr[X86_RBX] = LINEAR_DEVICE;
    expect_done(3);
    expect_access(0, DEVICE, 1, true, 0);
}

TEST(real_mode_addresses_use_segment_bases_and_16_bit_registers)
{
    SET_UP(0x67, 0x66, 0x90);
    static const uint8_t CODE_16[] = {0x26, 0x88, 0x47, 0x02}; // mov %al,%es:2(%bx)
    memcpy(ram + CODE, CODE_16, sizeof(CODE_16));
    regs.cr0 = 0;
    regs.efer = 0;
    regs.cs_long = false;
    regs.segment_base[X86_CS] = 0x7000;
    regs.segment_base[X86_ES] = 0xb8000;
    regs.rip = CODE - 0x7000;
    regs.gpr[X86_RBX] = 0xffff; // wraps to 1
    EXPECT_OK(run());
    EXPECT_EQ(regs.rip, CODE - 0x7000 + 4);
    expect_access(0, 0xb8001, 1, true, 0);
}

TEST(code_of_32_bits_in_long_mode_wraps_addresses)
{
    SET_UP(0x88, 0x83, 0x00, 0x00, 0x20, 0x00); // mov %al,0x200000(%ebx)
    regs.cs_long = false;
    regs.cs_default_big = true;
    regs.gpr[X86_RBX] = UINT64_C(0x1234567800000000);
    expect_done(6);
    expect_access(0, DEVICE, 1, true, 0);
}

TEST(unmapped_operand_raises_page_fault_with_its_address)
{
    SET_UP(0x89, 0x03);
    regs.gpr[X86_RBX] = LINEAR_DEVICE + 0x5008;
    regs.cpl = 3;
    expect_exception(X86_VECTOR_PF, X86_PF_WRITE | X86_PF_USER, LINEAR_DEVICE + 0x5008);
}

TEST(store_that_faults_on_its_second_page_has_no_effect)
{
    SET_UP(0x89, 0x03);
    regs.gpr[X86_RBX] = LINEAR_DEVICE + 0xffe;
    expect_exception(X86_VECTOR_PF, X86_PF_WRITE | X86_PF_PRESENT, LINEAR_RO);
    EXPECT_EQ(access_count, 0);
}

TEST(load_across_device_and_ram_takes_both_parts)
{
    SET_UP(0x48, 0x8b, 0x03); // mov (%rbx),%rax
    regs.gpr[X86_RBX] = LINEAR_DEVICE + 0xffd;
    put64(0xf000, 0xabcdef0123);
    expect_done(3);
    EXPECT_EQ(access_count, 2); // 3 bytes: 2 and 1
    expect_access(0, DEVICE + 0xffd, 2, false, device_value);
    expect_access(1, DEVICE + 0xfff, 1, false, device_value);
    EXPECT_EQ(regs.gpr[X86_RAX], UINT64_C(0xabcdef0123112211));
}

TEST(address_that_is_not_canonical_raises_gp_or_ss)
{
    SET_UP(0x89, 0x03);
    regs.gpr[X86_RBX] = UINT64_C(0x800000000000);
    expect_exception(X86_VECTOR_GP, 0, 0);
    regs.gpr[X86_RBX] = UINT64_C(0x7ffffffffffe); // its last bytes are not canonical
    expect_exception(X86_VECTOR_GP, 0, 0);
    SET_UP(0x89, 0x45, 0x00); // mov %eax,(%rbp)
    regs.gpr[X86_RBP] = UINT64_C(0x800000000000);
    expect_exception(X86_VECTOR_SS, 0, 0);
}

TEST(instruction_on_an_unmapped_page_raises_page_fault_for_the_fetch)
{
    SET_UP(0x90);
    regs.rip = 0x400000;
    EXPECT_OK(run());
    EXPECT_EQ(result.outcome, X86_OUTCOME_EXCEPTION);
    EXPECT_EQ(result.exception.error_code, X86_PF_FETCH);
    EXPECT_EQ(result.exception.address, 0x400000);
}

TEST(instruction_across_a_page_is_fetched_from_both)
{
    SET_UP(0x90);
    static const uint8_t STORE[] = {0xc6, 0x03, 0x42};
    memcpy(ram + 0x8ffe, STORE, 3);
    regs.rip = LINEAR_RAM + 0x8ffe;
    regs.gpr[X86_RBX] = LINEAR_DEVICE;
    EXPECT_OK(run());
    EXPECT_EQ(regs.rip, LINEAR_RAM + 0x9001);
    expect_access(0, DEVICE, 1, true, 0x42);
}

TEST(instruction_that_ends_with_its_page_does_not_touch_the_next)
{
    SET_UP(0x90);
    put64(0x4000 + 9 * 8, 0); // the page behind
    ram[0x8ffe] = 0x88;
    ram[0x8fff] = 0x03;
    regs.rip = LINEAR_RAM + 0x8ffe;
    regs.gpr[X86_RBX] = LINEAR_DEVICE;
    EXPECT_OK(run());
    EXPECT_EQ(result.outcome, X86_OUTCOME_DONE);
}

TEST(instruction_of_more_than_15_bytes_raises_gp)
{
    SET_UP(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
           0x88, 0x03);
    expect_exception(X86_VECTOR_GP, 0, 0);
    EXPECT_TRUE(result.exception.has_error_code);
}

TEST(lock_where_it_is_not_allowed_raises_ud)
{
    SET_UP(0xf0, 0x88, 0x03);
    expect_exception(X86_VECTOR_UD, 0, 0);
    EXPECT_FALSE(result.exception.has_error_code);
    SET_UP(0xf0, 0x01, 0xd8); // lock add %ebx,%eax
    expect_exception(X86_VECTOR_UD, 0, 0);
    SET_UP(0xf0, 0x38, 0x03); // lock cmp
    expect_exception(X86_VECTOR_UD, 0, 0);
}

TEST(unknown_instruction_is_reported_with_its_bytes)
{
    SET_UP(0x0f, 0xa2);
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, run());
    EXPECT_EQ(result.bytes[0], 0x0f);
    EXPECT_EQ(result.bytes[1], 0xa2);
    EXPECT_EQ(result.byte_count, 15);
    EXPECT_EQ(regs.rip, RIP);
}

TEST(bytes_from_the_exit_are_used_instead_of_a_fetch)
{
    SET_UP(0x0f, 0xa2);
    exit_info.bytes[0] = 0x88;
    exit_info.bytes[1] = 0x03;
    exit_info.byte_count = 2;
    regs.gpr[X86_RBX] = LINEAR_DEVICE;
    expect_done(2);
    SET_UP(0x88, 0x43, 0x10);
    exit_info.bytes[0] = 0x88; // cut short: fetched after all
    exit_info.byte_count = 1;
    regs.gpr[X86_RBX] = LINEAR_DEVICE;
    expect_done(3);
    expect_access(0, DEVICE + 0x10, 1, true, 0);
}

TEST(address_from_the_exit_saves_the_walk_only_for_the_same_offset_and_direction)
{
    SET_UP(0x88, 0x03);
    exit_info.kind = X86_EXIT_MEMORY;
    exit_info.guest_physical = 0xfd000123;
    exit_info.is_write = true;
    regs.gpr[X86_RBX] = 0x7000123; // mapped nowhere
    expect_done(2);
    expect_access(0, 0xfd000123, 1, true, 0);
    regs.rip = RIP;
    exit_info.is_write = false;
    expect_exception(X86_VECTOR_PF, X86_PF_WRITE, 0x7000123);
    exit_info.is_write = true;
    exit_info.guest_physical++;
    expect_exception(X86_VECTOR_PF, X86_PF_WRITE, 0x7000123);
}

TEST(device_error_ends_the_instruction_without_effect)
{
    SET_UP(0x03, 0x03);
    regs.gpr[X86_RBX] = LINEAR_DEVICE;
    regs.gpr[X86_RAX] = 5;
    device_status = MX_ERR_IO;
    EXPECT_STATUS(MX_ERR_IO, run());
    EXPECT_EQ(regs.gpr[X86_RAX], 5);
    EXPECT_EQ(regs.rflags, 2);
    EXPECT_EQ(regs.rip, RIP);
}

TEST(locked_instruction_on_ram_is_repeated_if_another_cpu_was_faster)
{
    SET_UP(0xf0, 0xff, 0x03); // lock incl (%rbx)
    regs.gpr[X86_RBX] = 0x9000;
    put64(0x9000, 41);
    exchange_refusals = 0;
    expect_done(3);
    EXPECT_EQ(get64(0x9000), 42);
    // Accessed and dirty bits are set now, so the next exchange is the instruction's own.
    regs.rip = RIP;
    exchange_refusals = 1;
    EXPECT_OK(run());
    EXPECT_EQ(result.outcome, X86_OUTCOME_AGAIN);
    EXPECT_EQ(get64(0x9000), 42);
    EXPECT_EQ(regs.rip, RIP);
}

TEST(xchg_with_a_device_reads_then_writes)
{
    SET_UP(0x87, 0x0b); // xchg %ecx,(%rbx)
    regs.gpr[X86_RBX] = LINEAR_DEVICE;
    regs.gpr[X86_RCX] = 0x1234;
    expect_done(2);
    EXPECT_EQ(regs.gpr[X86_RCX], 0x44332211);
    expect_access(1, DEVICE, 4, true, 0x1234);
}

TEST(push_and_pop_move_between_stack_and_device)
{
    SET_UP(0xff, 0x33); // push (%rbx)
    regs.gpr[X86_RBX] = LINEAR_DEVICE;
    regs.gpr[X86_RSP] = 0x9008;
    expect_done(2);
    EXPECT_EQ(regs.gpr[X86_RSP], 0x9000);
    EXPECT_EQ(get64(0x9000), device_value);
    SET_UP(0x8f, 0x84, 0x24, 0xf8, 0x6f, 0x1f, 0x00); // pop 0x1f6ff8(%rsp), with RSP already moved
    regs.gpr[X86_RSP] = 0x9000;
    put64(0x9000, 0x55);
    expect_done(7);
    expect_access(0, DEVICE, 8, true, 0x55);
    EXPECT_EQ(regs.gpr[X86_RSP], 0x9008);
}

TEST(pop_that_faults_leaves_the_stack_pointer)
{
    SET_UP(0x8f, 0x03);
    regs.gpr[X86_RSP] = 0x9000;
    regs.gpr[X86_RBX] = LINEAR_RO;
    expect_exception(X86_VECTOR_PF, X86_PF_PRESENT | X86_PF_WRITE, LINEAR_RO);
    EXPECT_EQ(regs.gpr[X86_RSP], 0x9000);
}

TEST(rep_movs_copies_from_device_to_ram)
{
    SET_UP(0xf3, 0xa5); // rep movsl
    regs.gpr[X86_RCX] = 3;
    regs.gpr[X86_RSI] = LINEAR_DEVICE;
    regs.gpr[X86_RDI] = 0x9ffa; // the second element crosses a page
    expect_done(2);
    EXPECT_EQ(access_count, 3);
    expect_access(2, DEVICE + 8, 4, false, device_value);
    EXPECT_EQ(get64(0x9ffa), UINT64_C(0x4433221144332211));
    EXPECT_EQ(regs.gpr[X86_RCX], 0);
    EXPECT_EQ(regs.gpr[X86_RSI], LINEAR_DEVICE + 12);
    EXPECT_EQ(regs.gpr[X86_RDI], 0x9ffa + 12);
}

TEST(movs_whose_destination_faults_does_not_read_the_device)
{
    SET_UP(0xa4);
    regs.gpr[X86_RSI] = LINEAR_DEVICE;
    regs.gpr[X86_RDI] = LINEAR_RO;
    expect_exception(X86_VECTOR_PF, X86_PF_PRESENT | X86_PF_WRITE, LINEAR_RO);
    EXPECT_EQ(access_count, 0);
}

TEST(rep_that_faults_keeps_the_finished_iterations)
{
    SET_UP(0xf3, 0xaa); // rep stosb
    regs.gpr[X86_RAX] = 0x77;
    regs.gpr[X86_RCX] = 10;
    regs.gpr[X86_RDI] = LINEAR_DEVICE + 0xffd;
    expect_exception(X86_VECTOR_PF, X86_PF_PRESENT | X86_PF_WRITE, LINEAR_RO);
    EXPECT_EQ(access_count, 3);
    EXPECT_EQ(regs.gpr[X86_RCX], 7);
    EXPECT_EQ(regs.gpr[X86_RDI], LINEAR_RO);
}

TEST(rep_of_descending_words_goes_down)
{
    SET_UP(0x66, 0xf3, 0xab); // rep stosw
    regs.rflags |= X86_RFLAGS_DF;
    regs.gpr[X86_RAX] = 0xbeef;
    regs.gpr[X86_RCX] = 2;
    regs.gpr[X86_RDI] = LINEAR_DEVICE + 8;
    expect_done(3);
    expect_access(0, DEVICE + 8, 2, true, 0xbeef);
    expect_access(1, DEVICE + 6, 2, true, 0xbeef);
    EXPECT_EQ(regs.gpr[X86_RDI], LINEAR_DEVICE + 4);
}

TEST(long_rep_is_interrupted_and_goes_on)
{
    SET_UP(0xf3, 0xaa);
    regs.gpr[X86_RCX] = X86_EMULATE_REPEAT_MAX + 1;
    regs.gpr[X86_RDI] = LINEAR_DEVICE;
    EXPECT_OK(run());
    EXPECT_EQ(result.outcome, X86_OUTCOME_AGAIN);
    EXPECT_EQ(regs.rip, RIP);
    EXPECT_EQ(regs.gpr[X86_RCX], 1);
    EXPECT_EQ(access_count, X86_EMULATE_REPEAT_MAX);
    expect_done(2);
    EXPECT_EQ(access_count, X86_EMULATE_REPEAT_MAX + 1);
}

TEST(rep_with_count_zero_does_nothing)
{
    SET_UP(0xf3, 0xa4);
    regs.gpr[X86_RSI] = regs.gpr[X86_RDI] = UINT64_C(0x800000000000);
    expect_done(2);
    EXPECT_EQ(access_count, 0);
}

TEST(rep_with_32_bit_addresses_counts_in_ecx)
{
    SET_UP(0x67, 0xf3, 0xaa);
    regs.gpr[X86_RCX] = UINT64_C(0xffffffff00000002);
    regs.gpr[X86_RDI] = UINT64_C(0xffffffff00000000) | LINEAR_DEVICE;
    expect_done(3);
    EXPECT_EQ(access_count, 2);
    EXPECT_EQ(regs.gpr[X86_RCX], 0);
    EXPECT_EQ(regs.gpr[X86_RDI], LINEAR_DEVICE + 2);
}

TEST(outs_and_ins_move_between_memory_and_port)
{
    SET_UP(0xf3, 0x6e); // rep outsb
    regs.gpr[X86_RDX] = 0xabcd03f8;
    regs.gpr[X86_RCX] = 2;
    regs.gpr[X86_RSI] = 0x9000;
    put64(0x9000, 0x4241);
    expect_done(2);
    expect_access(0, 0x3f8, 1, true, 0x41);
    expect_access(1, 0x3f8, 1, true, 0x42);
    SET_UP(0xf3, 0x48, 0x6d); // rep insl, REX.W means nothing
    regs.gpr[X86_RDX] = 0x1f0;
    regs.gpr[X86_RCX] = 2;
    regs.gpr[X86_RDI] = 0x9000;
    expect_done(3);
    expect_access(0, 0x1f0, 4, false, 0x44332211);
    EXPECT_EQ(get64(0x9000), UINT64_C(0x4433221244332211));
}

TEST(ins_whose_destination_faults_does_not_read_the_port)
{
    SET_UP(0x6c);
    regs.gpr[X86_RDI] = LINEAR_RO;
    expect_exception(X86_VECTOR_PF, X86_PF_PRESENT | X86_PF_WRITE, LINEAR_RO);
    EXPECT_EQ(access_count, 0);
}

TEST(user_port_io_needs_the_exit_to_have_named_the_port)
{
    SET_UP(0x6e);
    regs.cpl = 3;
    regs.gpr[X86_RDX] = 0x3f8;
    regs.gpr[X86_RSI] = 0x9000;
    EXPECT_OK(run());
    EXPECT_EQ(result.outcome, X86_OUTCOME_AGAIN);
    exit_info = (struct x86_exit_info){.kind = X86_EXIT_PORT, .port = 0x3f9, .port_bytes = 1};
    EXPECT_OK(run());
    EXPECT_EQ(result.outcome, X86_OUTCOME_AGAIN);
    EXPECT_EQ(access_count, 0);
    exit_info.port = 0x3f8;
    expect_done(1);
    regs.rip = RIP;
    exit_info.kind = X86_EXIT_UNKNOWN;
    regs.rflags |= X86_RFLAGS_IOPL;
    expect_done(1);
    EXPECT_EQ(access_count, 2);
}

TEST(sse_moves_use_the_whole_register)
{
    SET_UP(0xf3, 0x0f, 0x6f, 0x0b); // movdqu (%rbx),%xmm1
    regs.gpr[X86_RBX] = LINEAR_DEVICE + 4;
    memset(xmm[1], 0xff, 16);
    expect_done(4);
    EXPECT_EQ(access_count, 2);
    EXPECT_EQ(xmm[1][8], 0x11);
    SET_UP(0x66, 0x44, 0x0f, 0xd6, 0x03); // movq %xmm8,(%rbx)
    memset(xmm[8], 0x5a, 16);
    regs.gpr[X86_RBX] = LINEAR_DEVICE;
    expect_done(5);
    EXPECT_EQ(access_count, 1);
    expect_access(0, DEVICE, 8, true, UINT64_C(0x5a5a5a5a5a5a5a5a));
    SET_UP(0x66, 0x0f, 0x6e, 0x0b); // movd (%rbx),%xmm1 clears the rest
    memset(xmm[1], 0xff, 16);
    regs.gpr[X86_RBX] = LINEAR_DEVICE;
    expect_done(4);
    EXPECT_EQ(xmm[1][3], 0x44);
    EXPECT_EQ(xmm[1][4], 0);
}

TEST(aligned_sse_move_of_a_misaligned_operand_raises_gp)
{
    SET_UP(0x0f, 0x29, 0x03); // movaps %xmm0,(%rbx)
    regs.gpr[X86_RBX] = LINEAR_DEVICE + 8;
    expect_exception(X86_VECTOR_GP, 0, 0);
    regs.gpr[X86_RBX] = LINEAR_DEVICE + 16;
    expect_done(3);
}

TEST(sse_move_without_register_access_is_not_supported)
{
    struct x86_emulate_ops ops = OPS;
    ops.xmm_read = NULL;
    SET_UP(0x0f, 0x29, 0x03);
    regs.gpr[X86_RBX] = LINEAR_DEVICE;
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, x86_emulate(&regs, &exit_info, &ops, NULL, &result));
}

TEST(single_stepping_is_reported_and_the_resume_flag_ends)
{
    SET_UP(0x88, 0x03);
    regs.gpr[X86_RBX] = LINEAR_DEVICE;
    regs.rflags |= X86_RFLAGS_TF | X86_RFLAGS_RF;
    expect_done(2);
    EXPECT_TRUE(result.is_single_stepping);
    EXPECT_FALSE(regs.rflags & X86_RFLAGS_RF);
    SET_UP(0xf3, 0xaa);
    regs.gpr[X86_RDI] = LINEAR_DEVICE;
    regs.gpr[X86_RCX] = 5;
    regs.rflags |= X86_RFLAGS_TF;
    EXPECT_OK(run());
    EXPECT_EQ(result.outcome, X86_OUTCOME_AGAIN);
    EXPECT_TRUE(result.is_single_stepping);
    EXPECT_EQ(regs.gpr[X86_RCX], 4);
}

TEST(page_tables_outside_ram_end_the_emulation)
{
    SET_UP(0x88, 0x03);
    regs.cr3 = 0x100000;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, run());
}
