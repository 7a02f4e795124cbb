// The x86-64 part of tiny_guest.
//
// Started by the PVH entry ("x86/HVM direct boot ABI"): 32-bit protected mode, flat segments, no
// paging, ebx points at struct hvm_start_info.
#include "../tiny_guest.h"

#define COM1        0x3f8
#define COM1_LSR    (COM1 + 5)
#define LSR_THRE    0x20
#define PORT_UNUSED 0x500
#define PM1A_CNT    0x604
#define PM1A_S5     (5 << 10 | 1 << 13) // SLP_TYP 5 and SLP_EN
#define PORT_RESET  0xcf9
#define CR4_OSXSAVE (1u << 18)
#define MSR_EFER    0xc0000080u
#define MSR_STAR    0xc0000081u
#define IOAPIC_BASE 0xfec00000u
#define PAGE_BYTES  4096u
#define TOUCHED     0x01000000u // memory that nothing is loaded to
#define NOWHERE     0xd0000000u // no memory and no device

struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp;
};

void tiny_start(const struct start_info *info);

__asm__(".pushsection .note.pvh, \"a\", @note\n"
        ".long 4, 4, 18\n" // name and value sizes, XEN_ELFNOTE_PHYS32_ENTRY
        ".asciz \"Xen\"\n"
        ".long entry\n"
        ".popsection\n"
        ".globl entry\n"
        "entry:\n"
        "    cli\n"
        "    movl $stack_end, %esp\n"
        "    pushl %ebx\n"
        "    call tiny_start\n"
        ".pushsection .bss\n"
        "    .fill 4096\n"
        "stack_end:\n"
        ".popsection\n");

static inline void port_write(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t port_read(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

void tiny_print_char(char character)
{
    while (!(port_read(COM1_LSR) & LSR_THRE))
        ;
    port_write(COM1, (uint8_t)character);
}

void tiny_halt(void)
{
    __asm__ volatile("cli; hlt");
}

void tiny_start(const struct start_info *info)
{
    tiny_main((const char *)(uintptr_t)info->command_line);
}

// --- work ---------------------------------------------------------------------------------------

static void do_cpuid(uint32_t i)
{
    uint32_t a = i & 1, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static void do_in(uint32_t i)
{
    (void)i;
    port_read(PORT_UNUSED);
}

static void do_out(uint32_t i)
{
    port_write(PORT_UNUSED, (uint8_t)i);
}

static void do_rdmsr(uint32_t i)
{
    uint32_t low, high;

    (void)i;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
}

static void do_wrmsr(uint32_t i)
{
    (void)i;
    __asm__ volatile("wrmsr" : : "c"(MSR_EFER), "a"(0), "d"(0));
}

static void do_vmcall(uint32_t i)
{
    uint32_t a = 0xffff;

    (void)i;
    __asm__ volatile("vmmcall" : "+a"(a) : : "memory");
}

static void do_xsetbv(uint32_t i)
{
    uint32_t cr4;

    (void)i;
    __asm__ volatile("movl %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("movl %0, %%cr4" : : "r"(cr4 | CR4_OSXSAVE));
    __asm__ volatile("xsetbv" : : "c"(0), "a"(1), "d"(0));
}

static void do_pause(uint32_t i)
{
    (void)i;
    __asm__ volatile("pause");
}

static void do_mmio(uint32_t i)
{
    (void)i;
    *(volatile uint32_t *)IOAPIC_BASE = 0; // which register comes next; reads cost no exit
}

static void do_touch(uint32_t i)
{
    *(volatile uint32_t *)(TOUCHED + i * PAGE_BYTES) = i;
}

static void do_poweroff(uint32_t i)
{
    (void)i;
    __asm__ volatile("outw %w0, %w1" : : "a"(PM1A_S5), "Nd"(PM1A_CNT));
}

static void do_reset(uint32_t i)
{
    (void)i;
    port_write(PORT_RESET, 6);
}

static void do_triple(uint32_t i)
{
    static const struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) none;

    (void)i;
    __asm__ volatile("lidt %0; int3" : : "m"(none));
}

static void do_jump(uint32_t i)
{
    (void)i;
    ((void (*)(void))NOWHERE)();
}

static void do_unmapped(uint32_t i)
{
    volatile uint32_t *at = (volatile uint32_t *)(NOWHERE + 4 * i);

    *at = i;
    (void)*at;
    port_write((uint16_t)(0x5000 + i), 0);
    port_read((uint16_t)(0x5000 + i));
}

static void do_spin(uint32_t i)
{
    (void)i;
    for (;;)
        __asm__ volatile("");
}

static void do_nothing(uint32_t i)
{
    (void)i;
}

const struct tiny_work tiny_works[] = {
    {"cpuid", do_cpuid},   {"in", do_in},         {"out", do_out},           {"rdmsr", do_rdmsr},
    {"wrmsr", do_wrmsr},   {"vmcall", do_vmcall}, {"xsetbv", do_xsetbv},     {"pause", do_pause},
    {"mmio", do_mmio},     {"touch", do_touch},   {"poweroff", do_poweroff}, {"reset", do_reset},
    {"triple", do_triple}, {"jump", do_jump},     {"unmapped", do_unmapped}, {"spin", do_spin},
    {"halt", do_nothing},  {NULL, NULL},
};
