// The start of an arm64 guest; the contract is in the header.
#include "vmm/loader/arm64/arm64_boot.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/arm64/fdt_overlay.h"
#include "vmm/arm64/memory_map.h"
#include "vmm/loader/arm64/linux_image.h"
#include "vmm/loader/arm64/zircon_arm64.h"

#define FOUR_GIB             (UINT64_C(1) << 32)
#define TREE_BYTES_MAX       (UINT64_C(2) << 20)
#define TREE_ALIGN           8
#define BASE_TREE_BYTES      (32u << 10) // before an overlay is applied
#define OVERLAY_REASON_BYTES 128

static mx_status_t check_map(const struct boot_request *request, const struct boot_range *tree_room)
{
    const mx_status_t status = boot_check_ram(request, ARM64_LOW_RAM_MAX);

    if (status != MX_OK)
        return status;
    if (tree_room->start % TREE_ALIGN != 0 || tree_room->start >= FOUR_GIB ||
        tree_room->size_bytes > TREE_BYTES_MAX || boot_range_overlaps(tree_room, &request->low_ram))
        return boot_fail(request, MX_ERR_INVALID_ARGS,
                         "memory map: the device tree cannot be at 0x%llx",
                         (unsigned long long)tree_room->start);
    if (!guest_memory_contains(request->memory, tree_room->start, tree_room->size_bytes))
        return boot_fail(request, MX_ERR_NO_MEMORY,
                         "memory: the device tree has no place; give the guest at least %llu bytes",
                         (unsigned long long)(tree_room->start + tree_room->size_bytes));
    return MX_OK;
}

// --- the device tree ----------------------------------------------------------------------------

static mx_status_t fail_tree(const struct boot_request *request, mx_status_t status)
{
    return boot_fail(request, status, "the machine cannot be described to the guest: %s",
                     mx_status_string(status));
}

// The overlay is changed while it is applied, and the tree before it is read from elsewhere.
static mx_status_t build_with_overlay(const struct boot_request *request,
                                      const struct device_tree_config *config, void *tree,
                                      size_t capacity, size_t *tree_bytes)
{
    const struct boot_blob *file = &request->device_tree_overlay;
    char reason[OVERLAY_REASON_BYTES] = "there is no memory to read it";
    size_t base_bytes;

    if (file->size_bytes > FDT_OVERLAY_BYTES_MAX)
        return boot_fail(request, MX_ERR_FILE_TOO_BIG,
                         "dtb-overlay: %llu bytes; at most %u are read",
                         (unsigned long long)file->size_bytes, FDT_OVERLAY_BYTES_MAX);
    uint8_t *base = malloc(BASE_TREE_BYTES + file->size_bytes);
    if (!base)
        return boot_fail(request, MX_ERR_NO_MEMORY, "dtb-overlay: %s", reason);
    memcpy(base + BASE_TREE_BYTES, file->data, file->size_bytes);
    mx_status_t status = device_tree_build(config, base, BASE_TREE_BYTES, &base_bytes);
    if (status == MX_OK) {
        status = fdt_overlay_apply(base, base_bytes, base + BASE_TREE_BYTES, file->size_bytes, tree,
                                   capacity, tree_bytes, reason, sizeof(reason));
        if (status != MX_OK)
            status = boot_fail(request, status, "dtb-overlay: %s", reason);
    } else {
        status = fail_tree(request, status);
    }
    free(base);
    return status;
}

static mx_status_t place_tree(const struct boot_request *request, const struct boot_range *room,
                              const struct device_tree_config *machine, const char *command_line,
                              struct arm64_boot_state *state)
{
    void *tree = guest_memory_map(request->memory, room->start, room->size_bytes);
    struct device_tree_config config = *machine;
    size_t tree_bytes = 0;
    mx_status_t status;

    config.command_line = command_line;
    if (!tree)
        return fail_tree(request, MX_ERR_OUT_OF_RANGE);
    config.ramdisk_base = state->ramdisk.start;
    config.ramdisk_bytes = state->ramdisk.size_bytes;
    config.has_symbols = request->device_tree_overlay.size_bytes > 0;
    if (config.has_symbols) {
        status = build_with_overlay(request, &config, tree, room->size_bytes, &tree_bytes);
    } else {
        status = device_tree_build(&config, tree, room->size_bytes, &tree_bytes);
        if (status != MX_OK)
            status = fail_tree(request, status);
    }
    state->device_tree = (struct boot_range){room->start, tree_bytes};
    return status;
}

// --- the whole ----------------------------------------------------------------------------------

static mx_status_t load_linux(const struct boot_request *request,
                              const struct boot_range *tree_room,
                              const struct device_tree_config *machine,
                              struct arm64_boot_state *state)
{
    mx_status_t status = linux_image_load(request, &state->kernel);

    if (status != MX_OK)
        return status;
    state->pc = state->kernel.start;
    state->x0 = tree_room->start;
    status = boot_place_ramdisk(request, state->kernel.start + state->kernel.size_bytes, FOUR_GIB,
                                false, &state->ramdisk);
    return status == MX_OK ? place_tree(request, tree_room, machine, request->command_line, state)
                           : status;
}

// The command line is an item of its own, and is not to be found twice.
static mx_status_t load_zircon(const struct boot_request *request,
                               const struct boot_range *tree_room,
                               const struct device_tree_config *machine,
                               struct arm64_boot_state *state)
{
    struct zircon_image image;

    mx_status_t status = zircon_arm64_place_kernel(request, &image, &state->kernel, &state->pc);
    if (status == MX_OK)
        status = place_tree(request, tree_room, machine, NULL, state);
    if (status == MX_OK)
        status =
            zircon_arm64_make_data(request, &image, state->kernel.start + state->kernel.size_bytes,
                                   machine, &state->device_tree, &state->data);
    state->x0 = state->data.start;
    return status;
}

mx_status_t arm64_boot_load(const struct boot_request *request, const struct boot_range *tree_room,
                            const struct device_tree_config *machine,
                            struct arm64_boot_state *state)
{
    const bool is_zircon = zircon_image_matches(&request->kernel);

    *state = (struct arm64_boot_state){0};
    mx_status_t status = check_map(request, tree_room);
    if (status == MX_OK)
        status = boot_check_kind(request, is_zircon);
    if (status != MX_OK)
        return status;
    return is_zircon ? load_zircon(request, tree_room, machine, state)
                     : load_linux(request, tree_room, machine, state);
}
