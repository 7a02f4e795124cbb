// Faults that every architecture has; see faults.h.

#include "tests/system/programs/faults.h"

#include <stdint.h>
#include <string.h>

#include <machina/syscalls.h>
#include <machina_user/startup.h>

// Beyond what the compiler may judge.
static volatile uintptr_t target;

static void read_at(uintptr_t address)
{
    target = address;
    (void)*(volatile char *)target;
}

static void write_at(uintptr_t address)
{
    target = address;
    *(volatile char *)target = 1;
}

static void jump_to(uintptr_t address)
{
    target = address;
    ((void (*)(void))target)();
}

static int use_stack(int depth)
{
    volatile char frame[2048];

    frame[0] = (char)depth;
    return depth == 0 ? 0 : use_stack(depth - 1) + frame[0];
}

static const char constant[16] = "constant";
static char variable[64] = {1};

static const struct address_fault {
    const char *name;
    void (*act)(uintptr_t address);
    uintptr_t address;
} address_faults[] = {
    {"read-null", read_at, 0},
    {"write-null", write_at, 8},
    {"read-unmapped", read_at, 0x123456789000},
    {"read-kernel", read_at, 0xffffffff80100000},
    {"write-kernel", write_at, 0xffff800000000000},
    {"read-noncanonical", read_at, 0x8000000000000000},
    {"write-constant", write_at, (uintptr_t)constant},
    {"write-code", write_at, (uintptr_t)use_stack},
    {"jump-null", jump_to, 0},
    {"jump-unmapped", jump_to, 0x123456789000},
    {"jump-kernel", jump_to, 0xffffffff80100000},
    {"jump-noncanonical", jump_to, 0x8000000000000000},
    {"jump-data", jump_to, (uintptr_t)variable},
};

static int overflow_stack(void)
{
    return use_stack(1 << 20) == 12345;
}

static int run_instruction(const char *name)
{
    for (const struct faults_instruction *each = faults_instructions; each->name; each++) {
        if (strcmp(each->name, name) == 0) {
            each->execute();
            return 0;
        }
    }
    return 99;
}

int faults_run(const char *name)
{
    for (size_t i = 0; i < sizeof(address_faults) / sizeof(address_faults[0]); i++) {
        if (strcmp(address_faults[i].name, name) == 0) {
            address_faults[i].act(address_faults[i].address);
            return 0;
        }
    }
    if (strcmp(name, "stack-overflow") == 0)
        return overflow_stack();
    return run_instruction(name);
}
