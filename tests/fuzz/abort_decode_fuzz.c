// Instructions and registers of a guest that never meant them for the decoder.
#include <stdlib.h>
#include <string.h>

#include "kernel/arch/arm64/hypervisor/portable/abort_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t x[32] = {0};
    struct guest_access access;
    uint32_t instruction;

    if (size < sizeof(instruction))
        return 0;
    memcpy(&instruction, data, sizeof(instruction));
    data += sizeof(instruction);
    size -= sizeof(instruction);
    memcpy(x, data, size < sizeof(x) ? size : sizeof(x));
    if (abort_decode(instruction, x, x[0], 64, &access) != ACCESS_DECODED)
        return 0;
    if (access.count == 0 || access.count * access.width_bytes > ACCESS_ZVA_MAX_BYTES ||
        access.registers[0] > 31 || access.registers[1] > 31 || access.base_register > 31 ||
        !access.width_bytes || access.width_bytes > 8)
        abort();
    (void)access_extend(&access, x[1]);
    return 0;
}
