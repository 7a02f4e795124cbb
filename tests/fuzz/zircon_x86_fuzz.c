// Arbitrary files as a Zircon boot image on x86-64: nothing outside of the ranges that it may use
// changes, and the data ZBI that comes of it is whole.
#include <stdint.h>

#include "boot/zbi.h"
#include "tests/fuzz/linux_loader_fuzz.h"
#include "vmm/loader/x86_64/zircon_x86.h"

static void check_state(const struct boot_request *request, const struct x86_boot_state *state)
{
    struct format_error error;

    fuzz_check(
        boot_range_contains(&request->low_ram, state->kernel.start, state->kernel.size_bytes));
    fuzz_check(boot_range_contains(&request->low_ram, state->data.start, state->data.size_bytes));
    fuzz_check(!boot_range_overlaps(&state->kernel, &state->data));
    fuzz_check(boot_range_contains(&state->kernel, state->rip, 1));
    fuzz_check(state->rsi == state->data.start && state->rsi % 4096 == 0);
    fuzz_check(zbi_check(fuzz_low + state->data.start, state->data.size_bytes, &error) == MX_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guest_memory memory = {0};
    struct x86_boot_state state;
    char reason[160] = "";

    fuzz_check(guest_memory_add_region(&memory, 0, FUZZ_LOW_BYTES, fuzz_low) == MX_OK);
    // The last page is somebody else's.
    const struct boot_request request = {.memory = &memory,
                                         .low_ram = {0x100000, FUZZ_LOW_BYTES - 0x100000 - 4096},
                                         .kernel = {data, size},
                                         .command_line = "quiet",
                                         .reason = reason,
                                         .reason_bytes = sizeof(reason)};
    fuzz_low[0xfffff] = 0x5a;
    fuzz_low[FUZZ_LOW_BYTES - 4096] = 0xa5;
    const mx_status_t status = zircon_x86_load(&request, &FUZZ_MAP, &state);
    fuzz_check(fuzz_low[0xfffff] == 0x5a && fuzz_low[FUZZ_LOW_BYTES - 4096] == 0xa5);
    if (status == MX_OK)
        check_state(&request, &state);
    else
        fuzz_check(reason[0] != '\0' && !strchr(reason, '\n'));
    return 0;
}
