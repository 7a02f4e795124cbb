// Arbitrary files as an arm64 kernel, Linux's or Zircon's: nothing outside of the ranges that it
// may use changes.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/zbi.h"
#include "vmm/arm64/memory_map.h"
#include "vmm/loader/arm64/arm64_boot.h"

#define RAM_BYTES (UINT64_C(8) << 20)

static uint8_t ram[RAM_BYTES];

static void require(int condition)
{
    if (!condition)
        abort();
}

static void check_zircon(const struct boot_request *request, const struct arm64_boot_state *state)
{
    struct format_error error;

    require(boot_range_contains(&request->low_ram, state->data.start, state->data.size_bytes));
    require(!boot_range_overlaps(&state->kernel, &state->data));
    require(boot_range_contains(&state->kernel, state->pc, 1));
    require(state->x0 == state->data.start && state->x0 % 4096 == 0);
    require(zbi_check(ram + state->data.start, state->data.size_bytes, &error) == MX_OK);
}

static void check_linux(const struct boot_request *request, const struct arm64_boot_state *state)
{
    require(
        boot_range_contains(&request->low_ram, state->ramdisk.start, request->ramdisk.size_bytes));
    require(!boot_range_overlaps(&state->kernel, &state->ramdisk));
    require(state->pc == state->kernel.start && state->x0 == ARM64_DEVICE_TREE_BASE);
}

static void check_state(const struct boot_request *request, const struct arm64_boot_state *state)
{
    require(boot_range_contains(&request->low_ram, state->kernel.start, state->kernel.size_bytes));
    if (state->data.size_bytes > 0)
        check_zircon(request, state);
    else
        check_linux(request, state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t ramdisk[100];
    static const struct boot_range tree_room = {ARM64_DEVICE_TREE_BASE, ARM64_DEVICE_TREE_BYTES};
    static const struct device_tree_config machine = {.cpu_count = 1, .low_ram_bytes = RAM_BYTES};
    struct guest_memory memory = {0};
    struct arm64_boot_state state;
    char reason[160] = "";
    const bool is_zircon = size >= 4 && memcmp(data, "BOOT", 4) == 0;

    require(guest_memory_add_region(&memory, 0, RAM_BYTES, ram) == MX_OK);
    // The last page is somebody else's.
    const struct boot_request request = {
        .memory = &memory,
        .low_ram = {ARM64_LOAD_BASE, RAM_BYTES - ARM64_LOAD_BASE - 4096},
        .kernel = {data, size},
        .ramdisk = {ramdisk, is_zircon ? 0 : sizeof(ramdisk)}, // which is refused with one
        .command_line = "quiet",
        .reason = reason,
        .reason_bytes = sizeof(reason)};
    ram[ARM64_DEVICE_TREE_BASE - 1] = 0xa5;
    ram[RAM_BYTES - 4096] = 0x5a;
    const mx_status_t status = arm64_boot_load(&request, &tree_room, &machine, &state);
    require(ram[ARM64_DEVICE_TREE_BASE - 1] == 0xa5 && ram[RAM_BYTES - 4096] == 0x5a);
    if (status == MX_OK)
        check_state(&request, &state);
    else
        require(reason[0] != '\0' && !strchr(reason, '\n'));
    return 0;
}
