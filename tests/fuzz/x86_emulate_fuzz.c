// Arbitrary registers, code and page tables: the emulator must stay within its callbacks' contract,
// bound its work, and change no register when it reports an error or an exception of a plain
// instruction.
#include <stdlib.h>
#include <string.h>

#include "kernel/lib/x86_insn_length.h"
#include "vmm/x86_64/emulate.h"

#define RAM_BYTES  0x8000
#define CODE_START 0x7000

static uint8_t ram[RAM_BYTES];
static unsigned access_count;

static void check(bool condition)
{
    if (!condition)
        abort();
}

static bool fuzz_ram_read(void *context, uint64_t guest_physical, void *buffer, size_t size_bytes)
{
    (void)context;
    check(size_bytes >= 1 && size_bytes <= 16);
    check(guest_physical / 4096 == (guest_physical + size_bytes - 1) / 4096);
    if (guest_physical >= RAM_BYTES)
        return false;
    memcpy(buffer, ram + guest_physical, size_bytes);
    return true;
}

static bool fuzz_ram_write(void *context, uint64_t guest_physical, const void *buffer,
                           size_t size_bytes)
{
    (void)context;
    check(size_bytes >= 1 && size_bytes <= 16);
    check(guest_physical / 4096 == (guest_physical + size_bytes - 1) / 4096);
    if (guest_physical >= RAM_BYTES)
        return false;
    memcpy(ram + guest_physical, buffer, size_bytes);
    return true;
}

static mx_status_t fuzz_exchange(void *context, uint64_t guest_physical, unsigned width_bytes,
                                 uint64_t expected, uint64_t desired)
{
    (void)context;
    check(width_bytes >= 1 && width_bytes <= 8);
    if (guest_physical >= RAM_BYTES || (width_bytes & (width_bytes - 1)))
        return MX_ERR_OUT_OF_RANGE;
    if (memcmp(ram + guest_physical, &expected, width_bytes) != 0)
        return MX_ERR_SHOULD_WAIT;
    memcpy(ram + guest_physical, &desired, width_bytes);
    return MX_OK;
}

static void check_device(uint64_t guest_physical, unsigned width_bytes)
{
    check(width_bytes == 1 || width_bytes == 2 || width_bytes == 4 || width_bytes == 8);
    check(guest_physical / 4096 == (guest_physical + width_bytes - 1) / 4096);
    access_count++;
}

static mx_status_t fuzz_device_read(void *context, uint64_t guest_physical, unsigned width_bytes,
                                    uint64_t *value)
{
    (void)context;
    check_device(guest_physical, width_bytes);
    *value = guest_physical * 0x9e3779b97f4a7c15;
    return guest_physical % 61 == 60 ? MX_ERR_IO : MX_OK;
}

static mx_status_t fuzz_device_write(void *context, uint64_t guest_physical, unsigned width_bytes,
                                     uint64_t value)
{
    (void)context;
    check_device(guest_physical, width_bytes);
    check(width_bytes == 8 || value >> (8 * width_bytes) == 0);
    return guest_physical % 61 == 60 ? MX_ERR_IO : MX_OK;
}

static void check_port(unsigned width_bytes)
{
    check(width_bytes == 1 || width_bytes == 2 || width_bytes == 4);
    access_count++;
}

static mx_status_t fuzz_port_in(void *context, uint16_t port, unsigned width_bytes, uint32_t *value)
{
    (void)context;
    check_port(width_bytes);
    *value = UINT32_MAX;
    return port % 61 == 60 ? MX_ERR_IO : MX_OK;
}

static mx_status_t fuzz_port_out(void *context, uint16_t port, unsigned width_bytes, uint32_t value)
{
    (void)context;
    check_port(width_bytes);
    check(width_bytes == 4 || value >> (8 * width_bytes) == 0);
    return port % 61 == 60 ? MX_ERR_IO : MX_OK;
}

static mx_status_t fuzz_xmm_read(void *context, unsigned index, uint8_t value[16])
{
    (void)context;
    check(index < 16);
    memset(value, (int)index, 16);
    return MX_OK;
}

static mx_status_t fuzz_xmm_write(void *context, unsigned index, const uint8_t value[16])
{
    (void)context, (void)value;
    check(index < 16);
    return MX_OK;
}

static const struct x86_emulate_ops OPS = {
    .ram_read = fuzz_ram_read,
    .ram_write = fuzz_ram_write,
    .ram_compare_exchange = fuzz_exchange,
    .device_read = fuzz_device_read,
    .device_write = fuzz_device_write,
    .port_in = fuzz_port_in,
    .port_out = fuzz_port_out,
    .xmm_read = fuzz_xmm_read,
    .xmm_write = fuzz_xmm_write,
};

// What the input starts with; the rest is page tables and data from address 0x1000 on.
struct input {
    uint8_t code[16];
    uint64_t gpr[16];
    uint64_t segment_base[3];
    uint64_t cr3;
    uint32_t rflags;
    uint16_t port;
    uint8_t modes;
    uint8_t exit;
};

// Tables that map low linear addresses to RAM and devices, so that inputs get somewhere.
static void build_tables(void)
{
    static const uint64_t TABLE[][2] = {
        {0x0000, 0x1007}, {0x1000, 0x2007}, {0x2000, 0x3007}, {0x2008, 0xe0000087}};
    for (unsigned i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++)
        memcpy(ram + TABLE[i][0], &TABLE[i][1], 8);
    for (uint64_t i = 0; i < 16; i++) {
        uint64_t entry = i * 4096 | (i == 9 ? 5 : i == 10 ? 0 : 7);
        memcpy(ram + 0x3000 + i * 8, &entry, 8);
    }
}

static struct x86_vcpu_regs make_regs(const struct input *input)
{
    struct x86_vcpu_regs regs = {.rip = CODE_START + (input->modes & 0x80 ? 0xff8 : 0),
                                 .rflags = input->rflags,
                                 .cr0 = input->modes & 1 ? X86_CR0_PE | X86_CR0_PG : X86_CR0_PE,
                                 .cr3 = input->exit & 0x80 ? input->cr3 : 0,
                                 .cr4 = input->modes & 2 ? X86_CR4_PAE : X86_CR4_PSE,
                                 .efer = input->modes & 4 ? X86_EFER_LMA | X86_EFER_NXE : 0,
                                 .cs_long = input->modes & 8,
                                 .cs_default_big = input->modes & 16,
                                 .ss_default_big = input->modes & 32,
                                 .cpl = input->modes & 64 ? 3 : 0};
    memcpy(regs.gpr, input->gpr, sizeof(regs.gpr));
    regs.segment_base[X86_ES] = input->segment_base[0];
    regs.segment_base[X86_SS] = input->segment_base[1];
    regs.segment_base[X86_GS] = input->segment_base[2];
    return regs;
}

static void check_decoders(const struct input *input, unsigned code_bits)
{
    struct x86_instruction instruction;
    struct x86_mov_store store;
    if (x86_decode(input->code, sizeof(input->code), code_bits, &instruction) == MX_OK)
        check(instruction.length_bytes >= 1 && instruction.length_bytes <= 15);
    check(x86_mov_store_length(input->code, sizeof(input->code), code_bits, &store) <= 15);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {0};
    memcpy(&input, data, size < sizeof(input) ? size : sizeof(input));
    size_t rest = size > sizeof(input) ? size - sizeof(input) : 0;
    memset(ram, 0, sizeof(ram));
    build_tables();
    memcpy(ram + 0x1000, data + (size - rest), rest < 0x3000 ? rest : 0x3000);
    struct x86_vcpu_regs regs = make_regs(&input);
    memcpy(ram + CODE_START + (input.modes & 0x80 ? 0xff8 : 0), input.code, 8);

    struct x86_exit_info exit = {.kind = input.exit & 3,
                                 .guest_physical = input.cr3,
                                 .is_write = input.exit & 4,
                                 .port = input.port,
                                 .port_bytes = 1,
                                 .byte_count = input.exit & 8 ? 15 : 0};
    memcpy(exit.bytes, input.code, sizeof(exit.bytes));
    check_decoders(&input, x86_code_bits(&regs));

    struct x86_vcpu_regs before = regs;
    struct x86_emulate_result result;
    access_count = 0;
    mx_status_t status = x86_emulate(&regs, &exit, &OPS, NULL, &result);
    struct x86_instruction instruction;
    bool is_string = x86_decode(result.bytes, result.byte_count, x86_code_bits(&before),
                                &instruction) == MX_OK &&
                     instruction.form == X86_FORM_STRING;
    if (!is_string && (status != MX_OK || result.outcome != X86_OUTCOME_DONE))
        check(memcmp(&regs, &before, sizeof(regs)) == 0);
    check(access_count <= 2 * 8 * X86_EMULATE_REPEAT_MAX);
    check(regs.cr3 == before.cr3 && regs.efer == before.efer);
    if (status != MX_OK || result.outcome != X86_OUTCOME_DONE)
        check(regs.rip == before.rip);
    else
        check((uint32_t)(regs.rip - before.rip) >= 1 && (uint32_t)(regs.rip - before.rip) <= 15);
    return 0;
}
