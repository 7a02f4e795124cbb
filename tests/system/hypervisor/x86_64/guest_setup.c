// Memory and registers of an x86-64 guest in 64-bit mode; see guest_fixture.h.
//
// AMD64 Architecture Programmer's Manual Volume 2, "Long-Mode Page Translation", "Descriptors".

#include <string.h>

#include <machina/syscalls.h>

#include "tests/system/hypervisor/guest_fixture.h"

#define EXIT_KEY 1

#define ENTRY_PRESENT (1u << 0)
#define ENTRY_WRITE   (1u << 1)
#define ENTRY_USER    (1u << 2)
#define ENTRY_LARGE   (1u << 7)

#define TASK_STATE        0x9800
#define TASK_STATE_LIMIT  0x67
#define INTERRUPT_GATE    UINT64_C(0x8e00)
#define VECTOR_CODE_BYTES 16

mx_status_t guest_setup_machine(const struct guest_fixture *fixture)
{
    struct mx_trap trap = {
        .kind = MX_TRAP_IO, .addr = GUEST_PORT_EXIT, .size_bytes = 16, .key = EXIT_KEY};

    return mx_guest_set_trap(fixture->guest, &trap);
}

bool guest_is_exit(const struct mx_vcpu_packet *packet, uint32_t *value)
{
    if (packet->type != MX_VCPU_PACKET_IO || packet->io.is_input ||
        packet->io.port != GUEST_PORT_EXIT)
        return false;
    *value = (uint32_t)packet->io.data;
    return true;
}

volatile struct guest_results *guest_results(const struct guest_fixture *fixture)
{
    return (volatile struct guest_results *)(fixture->ram + GUEST_RESULTS);
}

volatile struct guest_interrupt_log *guest_log(const struct guest_fixture *fixture)
{
    return (volatile struct guest_interrupt_log *)(fixture->ram + GUEST_LOG);
}

static void set_entry(uint8_t *ram, uint64_t table, unsigned index, uint64_t value)
{
    memcpy(ram + table + index * 8, &value, sizeof(value));
}

// Identity for the first 4 GiB by 2 MiB pages, which every privilege may use.
static void setup_page_tables(uint8_t *ram)
{
    const uint64_t flags = ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER;
    uint64_t pointers = GUEST_TABLES + 0x1000;

    set_entry(ram, GUEST_TABLES, 0, pointers | flags);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t directory = pointers + 0x1000 * (i + 1);
        set_entry(ram, pointers, i, directory | flags);
        for (unsigned j = 0; j < 512; j++)
            set_entry(ram, directory, j, ((uint64_t)(i * 512 + j) << 21) | flags | ENTRY_LARGE);
    }
}

static void setup_descriptors(uint8_t *ram)
{
    static const uint64_t descriptors[] = {
        0,
        0x00af9b000000ffff, // 64-bit code
        0x00cf93000000ffff, // data
        0x0000890000000000 | (uint64_t)(TASK_STATE & 0xffff) << 16 |
            (uint64_t)(TASK_STATE >> 16) << 32 | TASK_STATE_LIMIT,
        0,
        0x00cf9b000000ffff, // 32-bit code
        0x00cff3000000ffff, // user data
        0x00affb000000ffff, // user 64-bit code
    };
    uint64_t stack = GUEST_STACK - 0x8000; // for interrupts of user mode

    memcpy(ram + GUEST_GDT, descriptors, sizeof(descriptors));
    memcpy(ram + TASK_STATE + 4, &stack, sizeof(stack));
}

static void setup_vectors(uint8_t *ram)
{
    memcpy(ram + GUEST_VECTORS, code_vectors.start,
           (size_t)(code_vectors.end - code_vectors.start));
    for (unsigned i = 0; i < 256; i++) {
        uint64_t handler = GUEST_VECTORS + i * VECTOR_CODE_BYTES;
        uint64_t gate[2] = {(handler & 0xffff) | GUEST_CODE_SELECTOR << 16 | INTERRUPT_GATE << 32 |
                                (handler >> 16 & 0xffff) << 48,
                            handler >> 32};
        memcpy(ram + GUEST_IDT + i * sizeof(gate), gate, sizeof(gate));
    }
}

void guest_setup_memory(uint8_t *ram)
{
    setup_page_tables(ram);
    setup_descriptors(ram);
    setup_vectors(ram);
}

static const struct mx_x86_segment_register code_segment = {GUEST_CODE_SELECTOR, 0xa9b, 0xffffffff,
                                                            0};
static const struct mx_x86_segment_register data_segment = {GUEST_DATA_SELECTOR, 0xc93, 0xffffffff,
                                                            0};
static const struct mx_x86_segment_register task_segment = {GUEST_TASK_SELECTOR, 0x8b,
                                                            TASK_STATE_LIMIT, TASK_STATE};

void guest_setup_state(const struct guest_fixture *fixture, struct mx_vcpu_state *state,
                       uint32_t id, uint64_t address)
{
    (void)fixture;
    memset(state->gpr, 0, sizeof(state->gpr));
    state->gpr[MX_X86_RSP] = GUEST_STACK - id * 0x1000 - 8;
    state->gpr[MX_X86_RBX] = GUEST_RESULTS;
    state->rip = address;
    state->rflags = 2;
    state->cr0 = 0x80010033; // PG, WP, NE, ET, MP, PE
    state->cr3 = GUEST_TABLES;
    state->cr4 = 0x620;  // OSXMMEXCPT, OSFXSR, PAE
    state->efer = 0xd00; // NXE, LMA, LME
    for (unsigned i = 0; i <= MX_X86_GS; i++)
        state->segment[i] = data_segment;
    state->segment[MX_X86_CS] = code_segment;
    state->segment[MX_X86_TR] = task_segment;
    state->gdt_base = GUEST_GDT;
    state->gdt_limit = 8 * 8 - 1;
    state->idt_base = GUEST_IDT;
    state->idt_limit = 0xfff;
}
