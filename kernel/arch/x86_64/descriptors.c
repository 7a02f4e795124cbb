// GDT, IDT, TSS (AMD64 Architecture Programmer's Manual Volume 2, "Segmented Virtual Memory",
// "Exceptions and Interrupts") and the registers of the system call instruction.
#include "kernel/arch/x86_64/descriptors.h"

#include <arch/percpu.h>

#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/arch/x86_64/regs/segments.h"

#define VECTOR_COUNT     256
#define VECTOR_STUB_SIZE 16
#define GATE_INTERRUPT   0x8e
#define GATE_USER        0x60 // DPL 3

#define DESCRIPTOR_KERNEL_CODE 0x00af9b000000ffff
#define DESCRIPTOR_KERNEL_DATA 0x00cf93000000ffff
#define DESCRIPTOR_USER_DATA   0x00cff3000000ffff
#define DESCRIPTOR_USER_CODE   0x00affb000000ffff
#define DESCRIPTOR_TSS         0x0000890000000000

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

extern char x86_vector_stubs[];
extern char x86_syscall_entry[];

static struct gate idt[VECTOR_COUNT] __attribute__((aligned(16)));

static uint8_t vector_ist(unsigned vector)
{
    switch (vector) {
    case VECTOR_NMI:
        return IST_NMI;
    case VECTOR_DOUBLE_FAULT:
        return IST_DOUBLE_FAULT;
    case VECTOR_MACHINE_CHECK:
        return IST_MACHINE_CHECK;
    default:
        return 0;
    }
}

void descriptors_init(void)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        uint64_t stub = (uint64_t)(x86_vector_stubs + vector * VECTOR_STUB_SIZE);
        idt[vector] = (struct gate){
            .offset_low = (uint16_t)stub,
            .selector = SELECTOR_KERNEL_CODE,
            .ist = vector_ist(vector),
            .type = GATE_INTERRUPT | (vector == VECTOR_BREAKPOINT ? GATE_USER : 0),
            .offset_middle = (uint16_t)(stub >> 16),
            .offset_high = (uint32_t)(stub >> 32),
        };
    }
}

static void fill_gdt(struct x86_cpu *cpu)
{
    uint64_t tss = (uint64_t)&cpu->tss;

    cpu->gdt[SELECTOR_KERNEL_CODE / 8] = DESCRIPTOR_KERNEL_CODE;
    cpu->gdt[SELECTOR_KERNEL_DATA / 8] = DESCRIPTOR_KERNEL_DATA;
    cpu->gdt[SELECTOR_USER_DATA / 8] = DESCRIPTOR_USER_DATA;
    cpu->gdt[SELECTOR_USER_CODE / 8] = DESCRIPTOR_USER_CODE;
    cpu->gdt[SELECTOR_TSS / 8] =
        DESCRIPTOR_TSS | (sizeof(cpu->tss) - 1) | (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
    cpu->gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;
}

// Each stack has the CPU's address at its top, where the entry code of its vectors finds it.
static void fill_tss(struct x86_cpu *cpu, uint8_t *ist_stacks)
{
    for (unsigned i = 0; i < IST_COUNT; i++) {
        uint64_t *top = (uint64_t *)(ist_stacks + (i + 1) * IST_STACK_SIZE) - 2;
        *top = (uint64_t)cpu;
        cpu->tss.ist[i] = (uint64_t)top;
    }
    cpu->tss.io_map_base = sizeof(cpu->tss); // none
}

static void load_segments(void)
{
    __asm__ volatile("pushq %0\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "movl %1, %%ss\n\t"
                     "movl %2, %%ds\n\t"
                     "movl %2, %%es\n\t"
                     "movl %2, %%fs\n\t"
                     "movl %2, %%gs"
                     :
                     : "i"(SELECTOR_KERNEL_CODE), "r"(SELECTOR_KERNEL_DATA), "r"(0)
                     : "rax", "memory");
}

void descriptors_load(struct x86_cpu *cpu, uint8_t *ist_stacks)
{
    struct table_register gdtr = {sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt};
    struct table_register idtr = {sizeof(idt) - 1, (uint64_t)idt};

    cpu->self = cpu;
    fill_gdt(cpu);
    fill_tss(cpu, ist_stacks);
    __asm__ volatile("lgdt %0" : : "m"(gdtr));
    load_segments();
    __asm__ volatile("lidt %0" : : "m"(idtr));
    __asm__ volatile("ltr %w0" : : "r"(SELECTOR_TSS));
    msr_write(MSR_GS_BASE, (uint64_t)cpu);
    msr_write(MSR_KERNEL_GS_BASE, 0);
    msr_write(MSR_STAR, (uint64_t)SELECTOR_KERNEL_CODE << STAR_SYSCALL_SELECTOR_SHIFT |
                            (uint64_t)SELECTOR_USER_BASE << STAR_SYSRET_SELECTOR_SHIFT);
    msr_write(MSR_LSTAR, (uint64_t)x86_syscall_entry);
    msr_write(MSR_SFMASK, RFLAGS_IF | RFLAGS_DF | RFLAGS_TF | RFLAGS_AC | RFLAGS_NT | RFLAGS_IOPL);
}
