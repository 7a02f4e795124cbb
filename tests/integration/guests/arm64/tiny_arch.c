// The arm64 part of tiny_guest.
//
// Started as a Linux Image is (Documentation/arm64/booting.rst): EL1, MMU off, x0 points at the
// device tree, which has the command line. Without the MMU all memory is a device's, where no
// access may be unaligned.
#include "../tiny_guest.h"
#include "vmm/arm64/memory_map.h"

#define PL011_DR           0x00
#define PL011_FR           0x18
#define PL011_FR_TXFF      0x20
#define PSCI_VERSION       0x84000000u
#define PSCI_SYSTEM_OFF    0x84000008u
#define PSCI_SYSTEM_RESET  0x84000009u
#define FDT_STRUCT_OFFSET  8
#define FDT_STRINGS_OFFSET 12
#define FDT_BEGIN_NODE     1
#define FDT_PROPERTY       3
#define FDT_END            9
#define PAGE_BYTES         4096u
#define TOUCHED            0x01000000u    // memory that nothing is loaded to
#define NOWHERE            0x900000000ull // no memory and no device

void tiny_start(const uint8_t *tree);

__asm__(".pushsection .head, \"ax\"\n"
        ".globl entry\n"
        "entry:\n"
        "    b 1f\n"
        "    nop\n"
        "    .quad 0\n" // text_offset
        "    .quad image_end - entry\n"
        "    .quad 0xa\n" // 4 KiB pages, anywhere
        "    .quad 0, 0, 0\n"
        "    .ascii \"ARM\\x64\"\n"
        "    .long 0\n"
        "1:  adrp x1, stack_end\n"
        "    add x1, x1, :lo12:stack_end\n"
        "    mov sp, x1\n"
        "    bl tiny_start\n"
        ".popsection\n"
        ".pushsection .bss\n"
        "    .balign 16\n"
        "    .fill 4096\n"
        "stack_end:\n"
        ".popsection\n");

// --- the command line ---------------------------------------------------------------------------

static uint32_t get_cell(const uint8_t *bytes)
{
    return __builtin_bswap32(*(const uint32_t *)bytes);
}

static int texts_are_equal(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

// The first property of that name, wherever it is; the tree is the VMM's own and well-formed.
static const char *find_text(const uint8_t *tree, const char *name)
{
    const uint8_t *at = tree + get_cell(tree + FDT_STRUCT_OFFSET);
    const char *strings = (const char *)tree + get_cell(tree + FDT_STRINGS_OFFSET);
    uint32_t token;

    for (; (token = get_cell(at)) != FDT_END; at += 4) {
        if (token == FDT_BEGIN_NODE) {
            while (at[4 + 3] != 0)
                at += 4;
            at += 4;
        } else if (token == FDT_PROPERTY) {
            if (texts_are_equal(strings + get_cell(at + 8), name))
                return (const char *)at + 12;
            at += 8 + ((get_cell(at + 4) + 3) & ~3u);
        }
    }
    return "";
}

void tiny_start(const uint8_t *tree)
{
    tiny_main(find_text(tree, "bootargs"));
}

// --- the machine --------------------------------------------------------------------------------

static volatile uint32_t *device(uint64_t address)
{
    return (volatile uint32_t *)address;
}

void tiny_print_char(char character)
{
    while (*device(ARM64_PL011_BASE + PL011_FR) & PL011_FR_TXFF)
        ;
    *device(ARM64_PL011_BASE + PL011_DR) = (uint8_t)character;
}

void tiny_halt(void)
{
    __asm__ volatile("msr daifset, #15; wfi");
}

// --- work ---------------------------------------------------------------------------------------

static void call_hvc(uint32_t function)
{
    register uint64_t x0 __asm__("x0") = function;

    __asm__ volatile("hvc #0" : "+r"(x0) : : "x1", "x2", "x3", "memory");
}

static void do_hvc(uint32_t i)
{
    (void)i;
    call_hvc(PSCI_VERSION);
}

static void do_smc(uint32_t i)
{
    register uint64_t x0 __asm__("x0") = PSCI_VERSION;

    (void)i;
    __asm__ volatile("smc #0" : "+r"(x0) : : "x1", "x2", "x3", "memory");
}

static void do_wfe(uint32_t i)
{
    (void)i;
    __asm__ volatile("wfe");
}

// Cache maintenance by set and way, which a hypervisor has to see.
static void do_sysreg(uint32_t i)
{
    (void)i;
    __asm__ volatile("dc cisw, xzr");
}

static void do_mmio(uint32_t i)
{
    *device(ARM64_PL061_BASE) = i;
}

static void do_touch(uint32_t i)
{
    *device(TOUCHED + (uint64_t)i * PAGE_BYTES) = i;
}

static void do_poweroff(uint32_t i)
{
    (void)i;
    call_hvc(PSCI_SYSTEM_OFF);
}

static void do_reset(uint32_t i)
{
    (void)i;
    call_hvc(PSCI_SYSTEM_RESET);
}

static void do_jump(uint32_t i)
{
    (void)i;
    ((void (*)(void))NOWHERE)();
}

static void do_unmapped(uint32_t i)
{
    volatile uint32_t *at = device(NOWHERE + 4 * (uint64_t)i);

    *at = i;
    (void)*at;
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
    {"hvc", do_hvc},   {"smc", do_smc},           {"wfe", do_wfe},     {"sysreg", do_sysreg},
    {"mmio", do_mmio}, {"touch", do_touch},       {"reset", do_reset}, {"poweroff", do_poweroff},
    {"jump", do_jump}, {"unmapped", do_unmapped}, {"spin", do_spin},   {"halt", do_nothing},
    {NULL, NULL},
};
