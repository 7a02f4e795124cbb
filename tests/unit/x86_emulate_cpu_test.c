// The emulator against the CPU that runs this test: the same instruction, registers and memory must
// give the same registers, flags and memory. The development host is an x86-64 machine.
#include <cpuid.h>
#include <sys/mman.h>

#include "tests/test.h"
#include "vmm/x86_64/alu.h"
#include "vmm/x86_64/emulate.h"

#define ARENA_BYTES 8192
#define CODE_BYTES  4096

// Memory that both use at the same addresses; the emulator works on the shadow.
static uint8_t arena[ARENA_BYTES] __attribute__((aligned(4096)));
static uint8_t shadow[ARENA_BYTES];
static uint8_t *code;

struct cpu_registers {
    uint64_t gpr[16]; // RSP is not loaded
    uint64_t rflags;
};

// Loads the registers, calls the code and stores them again.
void cpu_run(struct cpu_registers *registers, const void *instruction);
__asm__(".text\n"
        ".globl cpu_run\n"
        "cpu_run:\n"
        "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "  push %rdi; push %rsi\n"
        "  push 128(%rdi); popf\n"
        "  mov (%rdi),%rax; mov 8(%rdi),%rcx; mov 16(%rdi),%rdx; mov 24(%rdi),%rbx\n"
        "  mov 40(%rdi),%rbp; mov 48(%rdi),%rsi; mov 64(%rdi),%r8; mov 72(%rdi),%r9\n"
        "  mov 80(%rdi),%r10; mov 88(%rdi),%r11; mov 96(%rdi),%r12; mov 104(%rdi),%r13\n"
        "  mov 112(%rdi),%r14; mov 120(%rdi),%r15; mov 56(%rdi),%rdi\n"
        "  call *(%rsp)\n"
        "  push %rdi; mov 16(%rsp),%rdi\n"
        "  mov %rax,(%rdi); mov %rcx,8(%rdi); mov %rdx,16(%rdi); mov %rbx,24(%rdi)\n"
        "  mov %rbp,40(%rdi); mov %rsi,48(%rdi); mov %r8,64(%rdi); mov %r9,72(%rdi)\n"
        "  mov %r10,80(%rdi); mov %r11,88(%rdi); mov %r12,96(%rdi); mov %r13,104(%rdi)\n"
        "  mov %r14,112(%rdi); mov %r15,120(%rdi); pop %rax; mov %rax,56(%rdi)\n"
        "  pushf; pop %rax; mov %rax,128(%rdi); cld\n"
        "  pop %rsi; pop %rdi\n"
        "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "  ret\n");

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

// Values at the edges more often than chance would give them.
static uint64_t random_operand(void)
{
    static const uint64_t EDGES[] = {0,          1,          0x7f,       0x80,
                                     0xff,       0x7fff,     0x8000,     0xffff,
                                     0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff,
                                     1ull << 63, UINT64_MAX};
    uint64_t choice = random_next();
    return choice & 1 ? EDGES[(choice >> 1) % 14] : random_next();
}

static uint8_t *shadow_at(uint64_t guest_physical, size_t size_bytes)
{
    uint64_t offset = guest_physical - (uintptr_t)arena;
    if (offset < ARENA_BYTES && size_bytes <= ARENA_BYTES - offset)
        return shadow + offset;
    return NULL;
}

static bool cpu_ram_read(void *context, uint64_t guest_physical, void *buffer, size_t size_bytes)
{
    (void)context;
    const uint8_t *bytes = shadow_at(guest_physical, size_bytes);
    if (bytes)
        memcpy(buffer, bytes, size_bytes);
    return bytes != NULL;
}

static bool cpu_ram_write(void *context, uint64_t guest_physical, const void *buffer,
                          size_t size_bytes)
{
    (void)context;
    uint8_t *bytes = shadow_at(guest_physical, size_bytes);
    if (bytes)
        memcpy(bytes, buffer, size_bytes);
    return bytes != NULL;
}

static mx_status_t no_device_read(void *context, uint64_t guest_physical, unsigned width_bytes,
                                  uint64_t *value)
{
    (void)context, (void)guest_physical, (void)width_bytes, (void)value;
    return MX_ERR_INTERNAL;
}

static mx_status_t no_device_write(void *context, uint64_t guest_physical, unsigned width_bytes,
                                   uint64_t value)
{
    (void)context, (void)guest_physical, (void)width_bytes, (void)value;
    return MX_ERR_INTERNAL;
}

static const struct x86_emulate_ops CPU_OPS = {.ram_read = cpu_ram_read,
                                               .ram_write = cpu_ram_write,
                                               .device_read = no_device_read,
                                               .device_write = no_device_write};

static void print_bytes(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%02x ", bytes[i]);
    printf("\n");
}

// Runs the instruction both ways; false, with a message, if they differ.
static bool both_agree(const uint8_t *bytes, uint8_t byte_count, struct cpu_registers *registers,
                       uint64_t undefined_flags)
{
    struct x86_vcpu_regs regs = {
        .rip = 0x1000, .efer = X86_EFER_LMA, .cs_long = true, .rflags = registers->rflags};
    memcpy(regs.gpr, registers->gpr, sizeof(regs.gpr));
    struct x86_exit_info exit = {.byte_count = byte_count};
    memcpy(exit.bytes, bytes, byte_count);
    struct x86_emulate_result result;
    memcpy(shadow, arena, ARENA_BYTES);
    mx_status_t status = x86_emulate(&regs, &exit, &CPU_OPS, NULL, &result);

    memcpy(code, bytes, byte_count);
    code[byte_count] = 0xc3;
    cpu_run(registers, code);
    uint64_t flags = (X86_RFLAGS_ARITHMETIC | X86_RFLAGS_DF) & ~undefined_flags;
    bool same = status == MX_OK && result.outcome == X86_OUTCOME_DONE &&
                regs.rip == 0x1000u + byte_count && memcmp(shadow, arena, ARENA_BYTES) == 0 &&
                memcmp(regs.gpr, registers->gpr, sizeof(regs.gpr)) == 0 &&
                (regs.rflags & flags) == (registers->rflags & flags);
    if (same)
        return true;
    printf("differs: status %d outcome %u rip %llx memory %s; emulator, CPU:\n", status,
           (unsigned)result.outcome, (unsigned long long)regs.rip,
           memcmp(shadow, arena, ARENA_BYTES) ? "differs" : "same");
    print_bytes(bytes, byte_count);
    for (unsigned i = 0; i < 16; i++) {
        if (regs.gpr[i] != registers->gpr[i])
            printf("gpr %u %llx %llx\n", i, (unsigned long long)regs.gpr[i],
                   (unsigned long long)registers->gpr[i]);
    }
    printf("flags %llx %llx\n", (unsigned long long)regs.rflags,
           (unsigned long long)registers->rflags);
    return false;
}

struct pattern {
    uint8_t escape_bytes; // 0, or 1 for 0F
    uint8_t opcode;
    int8_t extension;        // ModRM.reg, or -1 for a register
    uint8_t immediate_bytes; // 5: of the operand size, at most 4
    bool is_byte;
    bool is_bit_test;
    uint64_t undefined_flags;
};

#define BIT_UNDEFINED (X86_RFLAGS_ARITHMETIC & ~(X86_RFLAGS_CF | X86_RFLAGS_ZF))

static const struct pattern PATTERNS[] = {
    {0, 0x00, -1, 0, true, false, 0},
    {0, 0x01, -1, 0, false, false, 0},
    {0, 0x02, -1, 0, true, false, 0},
    {0, 0x03, -1, 0, false, false, 0},
    {0, 0x08, -1, 0, true, false, X86_RFLAGS_AF},
    {0, 0x09, -1, 0, false, false, X86_RFLAGS_AF},
    {0, 0x0a, -1, 0, true, false, X86_RFLAGS_AF},
    {0, 0x10, -1, 0, true, false, 0},
    {0, 0x11, -1, 0, false, false, 0},
    {0, 0x13, -1, 0, false, false, 0},
    {0, 0x18, -1, 0, true, false, 0},
    {0, 0x19, -1, 0, false, false, 0},
    {0, 0x1b, -1, 0, false, false, 0},
    {0, 0x21, -1, 0, false, false, X86_RFLAGS_AF},
    {0, 0x23, -1, 0, false, false, X86_RFLAGS_AF},
    {0, 0x28, -1, 0, true, false, 0},
    {0, 0x29, -1, 0, false, false, 0},
    {0, 0x2b, -1, 0, false, false, 0},
    {0, 0x31, -1, 0, false, false, X86_RFLAGS_AF},
    {0, 0x38, -1, 0, true, false, 0},
    {0, 0x39, -1, 0, false, false, 0},
    {0, 0x3a, -1, 0, true, false, 0},
    {0, 0x3b, -1, 0, false, false, 0},
    {0, 0x63, -1, 0, false, false, 0},
    {0, 0x80, 0, 1, true, false, 0},
    {0, 0x80, 2, 1, true, false, 0},
    {0, 0x80, 7, 1, true, false, 0},
    {0, 0x81, 0, 5, false, false, 0},
    {0, 0x81, 3, 5, false, false, 0},
    {0, 0x81, 5, 5, false, false, 0},
    {0, 0x81, 4, 5, false, false, X86_RFLAGS_AF},
    {0, 0x83, 0, 1, false, false, 0},
    {0, 0x83, 2, 1, false, false, 0},
    {0, 0x83, 3, 1, false, false, 0},
    {0, 0x83, 7, 1, false, false, 0},
    {0, 0x83, 1, 1, false, false, X86_RFLAGS_AF},
    {0, 0x83, 6, 1, false, false, X86_RFLAGS_AF},
    {0, 0x84, -1, 0, true, false, X86_RFLAGS_AF},
    {0, 0x85, -1, 0, false, false, X86_RFLAGS_AF},
    {0, 0x86, -1, 0, true, false, 0},
    {0, 0x87, -1, 0, false, false, 0},
    {0, 0x88, -1, 0, true, false, 0},
    {0, 0x89, -1, 0, false, false, 0},
    {0, 0x8a, -1, 0, true, false, 0},
    {0, 0x8b, -1, 0, false, false, 0},
    {0, 0xc6, 0, 1, true, false, 0},
    {0, 0xc7, 0, 5, false, false, 0},
    {0, 0xf6, 0, 1, true, false, X86_RFLAGS_AF},
    {0, 0xf6, 2, 0, true, false, 0},
    {0, 0xf6, 3, 0, true, false, 0},
    {0, 0xf7, 0, 5, false, false, X86_RFLAGS_AF},
    {0, 0xf7, 2, 0, false, false, 0},
    {0, 0xf7, 3, 0, false, false, 0},
    {0, 0xfe, 0, 0, true, false, 0},
    {0, 0xfe, 1, 0, true, false, 0},
    {0, 0xff, 0, 0, false, false, 0},
    {0, 0xff, 1, 0, false, false, 0},
    {1, 0xa3, -1, 0, false, true, BIT_UNDEFINED},
    {1, 0xab, -1, 0, false, true, BIT_UNDEFINED},
    {1, 0xb3, -1, 0, false, true, BIT_UNDEFINED},
    {1, 0xbb, -1, 0, false, true, BIT_UNDEFINED},
    {1, 0xb0, -1, 0, true, false, 0},
    {1, 0xb1, -1, 0, false, false, 0},
    {1, 0xb6, -1, 0, false, false, 0},
    {1, 0xb7, -1, 0, false, false, 0},
    {1, 0xbe, -1, 0, false, false, 0},
    {1, 0xbf, -1, 0, false, false, 0},
    {1, 0xba, 4, 1, false, false, BIT_UNDEFINED},
    {1, 0xba, 5, 1, false, false, BIT_UNDEFINED},
    {1, 0xba, 6, 1, false, false, BIT_UNDEFINED},
    {1, 0xba, 7, 1, false, false, BIT_UNDEFINED},
    {1, 0xc0, -1, 0, true, false, 0},
    {1, 0xc1, -1, 0, false, false, 0},
};

static void randomize(struct cpu_registers *registers)
{
    for (unsigned i = 0; i < 16; i++)
        registers->gpr[i] = random_operand();
    registers->gpr[X86_RSP] = 0;
    registers->rflags = 0x202 | (random_next() & X86_RFLAGS_ARITHMETIC);
    for (unsigned i = 0; i < ARENA_BYTES; i += 8) {
        uint64_t value = random_operand();
        memcpy(arena + i, &value, 8);
    }
}

// Writes one instruction of the pattern with a random width and way of addressing memory.
static uint8_t encode(const struct pattern *pattern, struct cpu_registers *registers,
                      uint8_t *bytes)
{
    uint8_t length = 0;
    uint64_t choice = random_next();
    bool word = !pattern->is_byte && choice % 4 == 0;
    bool quad = !pattern->is_byte && choice % 4 == 1;
    bool uses_sib = choice & 0x10;
    uint8_t displacement_mod = choice >> 8 & 1; // disp8 or disp32
    uint8_t base = X86_R8 + (choice >> 16 & 7), index = 9 + (choice >> 19 & 3);
    if (word)
        bytes[length++] = 0x66;
    uint8_t reg = pattern->extension >= 0 ? (uint8_t)pattern->extension : choice >> 24 & 7;
    if (reg == 4 && pattern->extension < 0 && !pattern->is_byte)
        reg = 3; // RSP is the harness's
    if (reg == 4 && pattern->extension < 0)
        reg = 1;
    if ((base & 7) == 4)
        base = 15;
    if (base == index)
        base = 8;
    bytes[length++] = 0x41 | (quad ? 8 : 0) | (uses_sib ? 2 : 0);
    if (pattern->escape_bytes)
        bytes[length++] = 0x0f;
    bytes[length++] = pattern->opcode;
    bytes[length++] =
        (uint8_t)((displacement_mod ? 0x40 : 0x80) | reg << 3 | (uses_sib ? 4 : (base & 7)));
    uint64_t target = (uintptr_t)arena + 4096 - 8 + (choice >> 32 & 15); // some cross the page
    int32_t displacement = (int8_t)(choice >> 40);
    if (!displacement_mod)
        displacement *= 0x12345;
    uint64_t index_part = 0;
    if (uses_sib) {
        bytes[length++] = (uint8_t)(0xc0 | (index & 7) << 3 | (base & 7));
        registers->gpr[index] = choice >> 48 & 0xff;
        index_part = registers->gpr[index] * 8;
    }
    memcpy(bytes + length, &displacement, 4);
    length += displacement_mod ? 1 : 4;
    registers->gpr[base] = target - (uint64_t)(int64_t)displacement - index_part;
    if (pattern->is_bit_test) // keep the bit within the arena
        registers->gpr[reg] = (uint64_t)((int64_t)(random_next() % 40000) - 20000);
    uint64_t immediate = random_operand();
    unsigned immediate_bytes =
        pattern->immediate_bytes == 5 ? (word ? 2 : 4) : pattern->immediate_bytes;
    memcpy(bytes + length, &immediate, immediate_bytes);
    return (uint8_t)(length + immediate_bytes);
}

static bool map_code(void)
{
    if (!code) {
        code = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (code == MAP_FAILED)
            code = NULL;
    }
    return code != NULL;
}

TEST(memory_instructions_do_what_the_cpu_does)
{
    ASSERT_TRUE(map_code());
    unsigned different = 0;
    for (unsigned round = 0; round < 300; round++) {
        for (unsigned i = 0; i < sizeof(PATTERNS) / sizeof(PATTERNS[0]); i++) {
            struct cpu_registers registers;
            uint8_t bytes[24];
            randomize(&registers);
            uint8_t length = encode(&PATTERNS[i], &registers, bytes);
            if (!both_agree(bytes, length, &registers, PATTERNS[i].undefined_flags) &&
                ++different == 5)
                break;
        }
        ASSERT_EQ(different, 0);
    }
}

TEST(compare_exchange_that_matches_does_what_the_cpu_does)
{
    ASSERT_TRUE(map_code());
    static const uint8_t CMPXCHG_32[] = {0xf0, 0x0f, 0xb1, 0x0b}; // lock cmpxchg %ecx,(%rbx)
    for (unsigned round = 0; round < 100; round++) {
        struct cpu_registers registers;
        randomize(&registers);
        registers.gpr[X86_RBX] = (uintptr_t)arena + 64;
        memcpy(&registers.gpr[X86_RAX], arena + 64, 4);
        EXPECT_TRUE(both_agree(CMPXCHG_32, sizeof(CMPXCHG_32), &registers, 0));
    }
}

TEST(high_byte_registers_do_what_the_cpu_does)
{
    ASSERT_TRUE(map_code());
    static const uint8_t CODES[][3] = {
        {0x88, 0x23, 0}, // mov %ah,(%rbx)
        {0x8a, 0x23, 0}, // mov (%rbx),%ah
        {0x02, 0x33, 0}, // add (%rbx),%dh
        {0x86, 0x2b, 0}, // xchg %ch,(%rbx)
    };
    for (unsigned i = 0; i < 4; i++) {
        struct cpu_registers registers;
        randomize(&registers);
        registers.gpr[X86_RBX] = (uintptr_t)arena + 64;
        EXPECT_TRUE(both_agree(CODES[i], 2, &registers, 0));
    }
}

TEST(movbe_and_movnti_do_what_the_cpu_does)
{
    ASSERT_TRUE(map_code());
    static const uint8_t MOVNTI[] = {0x48, 0x0f, 0xc3, 0x0b};
    static const uint8_t MOVBE[][6] = {{0x0f, 0x38, 0xf0, 0x0b, 0, 0},
                                       {0x48, 0x0f, 0x38, 0xf1, 0x0b, 0},
                                       {0x66, 0x0f, 0x38, 0xf0, 0x0b, 0}};
    static const uint8_t MOVBE_LENGTH[] = {4, 5, 5};
    struct cpu_registers registers;
    randomize(&registers);
    registers.gpr[X86_RBX] = (uintptr_t)arena + 4094;
    EXPECT_TRUE(both_agree(MOVNTI, sizeof(MOVNTI), &registers, 0));
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_MOVBE))
        return;
    for (unsigned i = 0; i < 3; i++)
        EXPECT_TRUE(both_agree(MOVBE[i], MOVBE_LENGTH[i], &registers, 0));
}

TEST(string_instructions_do_what_the_cpu_does)
{
    ASSERT_TRUE(map_code());
    static const uint8_t OPCODES[] = {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};
    static const uint8_t REPEATS[] = {0, 0xf2, 0xf3};
    static const uint8_t SIZES[] = {0, 0x66, 0x48};
    unsigned different = 0;
    for (unsigned round = 0; round < 3000 && different < 5; round++) {
        struct cpu_registers registers;
        uint8_t bytes[4];
        uint8_t length = 0;
        uint64_t choice = random_next();
        uint8_t repeat = REPEATS[choice % 3], size = SIZES[(choice >> 8) % 3];
        uint8_t opcode = OPCODES[(choice >> 16) % 10];
        randomize(&registers);
        if (choice & 1 << 30) // runs of equal elements
            memset(arena + 3500, 0x5a, 1200);
        if (choice & 1 << 29)
            registers.rflags |= X86_RFLAGS_DF;
        registers.gpr[X86_RCX] = (choice >> 32) % 100;
        registers.gpr[X86_RSI] = (uintptr_t)arena + 3800 + (choice >> 40) % 500;
        registers.gpr[X86_RDI] = (uintptr_t)arena + 3800 + (choice >> 50) % 500;
        if (opcode >= 0xae && (choice & 1 << 28))
            registers.gpr[X86_RAX] = 0x5a5a5a5a5a5a5a5a;
        if (repeat)
            bytes[length++] = repeat;
        if (size)
            bytes[length++] = size;
        bytes[length++] = opcode;
        if (!both_agree(bytes, length, &registers, 0))
            different++;
    }
    EXPECT_EQ(different, 0);
}
