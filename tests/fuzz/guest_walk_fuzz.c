// Page tables of any content, in all modes, and instruction bytes of any content.
#include <string.h>

#include "kernel/arch/x86_64/hypervisor/portable/guest_walk.h"
#include "kernel/arch/x86_64/hypervisor/portable/mov_access.h"

struct input {
    const uint8_t *data;
    size_t size;
    unsigned read_count;
};

static bool read_input(void *context, uint64_t addr, unsigned width_bytes, uint64_t *value)
{
    struct input *input = context;

    if (addr % width_bytes != 0 || ++input->read_count > 5)
        __builtin_trap();
    if (input->size < width_bytes)
        return false;
    *value = 0;
    memcpy(value, input->data + addr % (input->size - width_bytes + 1), width_bytes);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t registers[5], out;
    struct mov_access mov;

    if (size < sizeof(registers))
        return 0;
    memcpy(registers, data, sizeof(registers));
    struct input input = {data + sizeof(registers), size - sizeof(registers), 0};
    const struct guest_walk walk = {registers[0], registers[1], registers[2],
                                    registers[3], read_input,   &input};
    guest_walk_translate(&walk, registers[4], &out);
    for (unsigned bits = 16; bits <= 64; bits *= 2)
        if (mov_access_decode(input.data, input.size, bits, &mov) &&
            (mov.length_bytes < 2 || mov.length_bytes > 15))
            __builtin_trap();
    return 0;
}
