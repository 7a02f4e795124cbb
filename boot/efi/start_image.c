// From the name of a boot image to its kernel; see start_image.h.
//
// The image is read once, to the pages where it stays: behind them is room for the items that are
// appended. Only the kernel, which has a place of its own, is copied.
#include "boot/efi/start_image.h"

#include "boot/efi/arch.h"
#include "boot/efi/console.h"
#include "boot/efi/machine_items.h"
#include "boot/loader/boot_plan.h"
#include "boot/loader/leave_firmware.h"
#include "boot/zbi_items.h"
#include "kernel/lib/string.h"

#define PAGE_BYTES       ((uint64_t)4096)
#define IMAGE_BYTES_MAX  (UINT64_C(3) << 30)
#define MEMORY_MAP_BYTES ((UINTN)128 << 10)

struct loading {
    struct boot_plan plan;
    struct hand_over hand_over;
    uint64_t file_bytes;
    EFI_PHYSICAL_ADDRESS buffer;
    UINTN buffer_pages;
    EFI_PHYSICAL_ADDRESS code;    // one page
    EFI_PHYSICAL_ADDRESS scratch; // the hand-over's pages, the memory map, the kernel
    UINTN scratch_pages;
};

#define MAP_PAGE    ((UINTN)ARCH_SCRATCH_PAGES)
#define KERNEL_PAGE (MAP_PAGE + MEMORY_MAP_BYTES / PAGE_BYTES)

// What helps when the file's size is not to be had, or wrong.
static const char *advice(EFI_STATUS status)
{
    if (status == EFI_SUCCESS || status == EFI_NOT_FOUND || status == EFI_TFTP_ERROR)
        return "Put a boot image of that name beside the loader, or choose another.";
    if (status == EFI_INCOMPATIBLE_VERSION)
        return "Serve it with another TFTP server: scripts/netboot says what is needed.";
    return "Look at the server, the cable or the disk, and try again, or choose another image.";
}

static bool read_file(const struct source *source, const char *name, const char *cmdline,
                      struct loading *loading)
{
    EFI_STATUS status = source->ops->size(name, &loading->file_bytes);

    if (status != EFI_SUCCESS || loading->file_bytes == 0 ||
        loading->file_bytes > IMAGE_BYTES_MAX) {
        console_say("%s, from %s: %s.\n%s\n", name, source->description,
                    status != EFI_SUCCESS      ? efi_status_text(status)
                    : loading->file_bytes == 0 ? "the file is empty"
                                               : "the file is larger than 3 GiB",
                    advice(status));
        return false;
    }
    loading->buffer_pages =
        (UINTN)((loading->file_bytes + BOOT_PLAN_SPARE_BYTES + machine_items_room(cmdline) +
                 MEMORY_MAP_BYTES + PAGE_BYTES - 1) /
                PAGE_BYTES);
    loading->buffer = ARCH_ADDRESS_MAX;
    status = efi_boot->AllocatePages(AllocateMaxAddress, EfiLoaderData, loading->buffer_pages,
                                     &loading->buffer);
    if (status != EFI_SUCCESS) {
        loading->buffer = 0;
        console_say(
            "%s has %u MiB, and there is not as much free memory in one piece below 4 GiB.\n"
            "Give the machine more memory, or choose a smaller image.\n",
            name, (unsigned)(loading->file_bytes >> 20));
        return false;
    }
    console_say("Loading %s from %s\n", name, source->description);
    status = source->ops->read(name, (void *)(uintptr_t)loading->buffer, loading->file_bytes);
    if (status != EFI_SUCCESS)
        console_say(
            "%s, from %s: it cannot be read to its end: %s.\nTry again, or choose another image.\n",
            name, source->description, efi_status_text(status));
    return status == EFI_SUCCESS;
}

static bool check_image(const char *name, struct loading *loading)
{
    struct format_error error;
    mx_status_t status =
        boot_plan_make((const void *)(uintptr_t)loading->buffer, loading->file_bytes,
                       ARCH_KERNEL_TYPE, &loading->plan, &error);

    if (status == MX_OK)
        return true;
    if (status == MX_ERR_NOT_SUPPORTED)
        console_say("%s cannot be started here: %s.\nThis machine is %s: it needs an image made by "
                    "make image "
                    "ARCH=%s.\n",
                    name, error.reason, ARCH_NAME, ARCH_NAME);
    else
        console_say("%s is damaged: offset 0x%lx: %s.\nCopy it to the medium once more, or choose "
                    "another image.\n",
                    name, (unsigned long)error.offset, error.reason);
    return false;
}

static void *scratch_page(const struct loading *loading, UINTN index)
{
    return (void *)(uintptr_t)(loading->scratch + index * PAGE_BYTES);
}

// Where the hand-over works. Its code runs before the firmware's page tables are left, and strict
// firmware lets nothing run that is data (UEFI Specification 2.10, 7.2 "Memory Allocation
// Services").
static bool allocate_scratch(struct loading *loading)
{
    struct hand_over *hand_over = &loading->hand_over;
    EFI_PHYSICAL_ADDRESS code = ARCH_ADDRESS_MAX, scratch = ARCH_ADDRESS_MAX;

    loading->scratch_pages =
        KERNEL_PAGE + (UINTN)((hand_over->kernel_bytes + PAGE_BYTES - 1) / PAGE_BYTES);
    if (efi_boot->AllocatePages(AllocateMaxAddress, EfiLoaderCode, 1, &code) == EFI_SUCCESS)
        loading->code = code;
    if (efi_boot->AllocatePages(AllocateMaxAddress, EfiLoaderData, loading->scratch_pages,
                                &scratch) == EFI_SUCCESS)
        loading->scratch = scratch;
    if (loading->code == 0 || loading->scratch == 0) {
        console_say("There is no memory left for the last steps. Give the machine more memory.\n");
        return false;
    }
    hand_over->buffer = loading->buffer;
    hand_over->buffer_bytes = loading->buffer_pages * PAGE_BYTES;
    hand_over->scratch_bytes = loading->scratch_pages * PAGE_BYTES;
    hand_over->code = (void *)(uintptr_t)loading->code;
    hand_over->scratch = scratch_page(loading, 0);
    hand_over->image = scratch_page(loading, KERNEL_PAGE);
    return true;
}

// Takes the kernel out of the image, so that the data container can begin where the kernel ends.
static bool take_kernel(struct loading *loading)
{
    struct hand_over *hand_over = &loading->hand_over;

    hand_over->kernel_bytes = loading->plan.kernel_bytes;
    hand_over->reserve_bytes = loading->plan.reserve_bytes;
    if (!allocate_scratch(loading))
        return false;
    memcpy(scratch_page(loading, KERNEL_PAGE), (const void *)(uintptr_t)loading->buffer,
           hand_over->kernel_bytes);
    if (!arch_place_kernel(hand_over))
        return false;
    hand_over->entry = hand_over->kernel + loading->plan.entry_offset;
    arch_prepare(hand_over);
    return true;
}

static bool make_data(struct loading *loading, const char *cmdline)
{
    struct hand_over *hand_over = &loading->hand_over;
    EFI_PHYSICAL_ADDRESS end = loading->buffer + loading->buffer_pages * PAGE_BYTES;

    hand_over->data = boot_plan_make_data((void *)(uintptr_t)loading->buffer, &loading->plan);
    hand_over->data_capacity_bytes = end - (uint64_t)(uintptr_t)hand_over->data;
    return machine_items_add(hand_over->data, hand_over->data_capacity_bytes - MEMORY_MAP_BYTES,
                             cmdline);
}

static uint64_t read_map(struct firmware_map *map)
{
    UINTN size_bytes = map->size_bytes, key = 0, descriptor_bytes = 0;
    UINT32 version;
    EFI_STATUS status =
        efi_boot->GetMemoryMap(&size_bytes, map->descriptors, &key, &descriptor_bytes, &version);

    map->size_bytes = size_bytes;
    map->descriptor_bytes = descriptor_bytes;
    map->key = key;
    return status;
}

static uint64_t exit_boot_services(uint64_t key)
{
    return efi_boot->ExitBootServices(efi_image, (UINTN)key);
}

// The end of the boot services, and the firmware's memory map as an item.
static EFI_STATUS leave_firmware(struct loading *loading)
{
    static const struct firmware_exit_ops ops = {read_map, exit_boot_services};
    struct firmware_map map = {.descriptors = scratch_page(loading, MAP_PAGE),
                               .capacity_bytes = MEMORY_MAP_BYTES - PAGE_BYTES};
    EFI_STATUS status = firmware_leave(&ops, &map);
    void *payload;

    if (status != EFI_SUCCESS)
        return status;
    uint64_t entry_bytes = map.descriptor_bytes;
    if (zbi_append_space(loading->hand_over.data, loading->hand_over.data_capacity_bytes,
                         ZBI_TYPE_EFI_MEMORY_MAP, 0, sizeof(entry_bytes) + map.size_bytes,
                         &payload) != MX_OK)
        return EFI_BUFFER_TOO_SMALL;
    memcpy(payload, &entry_bytes, sizeof(entry_bytes));
    memcpy((uint8_t *)payload + sizeof(entry_bytes), map.descriptors, map.size_bytes);
    return EFI_SUCCESS;
}

// Most of the firmware may be gone: what can still be said is, and the machine restarts.
static _Noreturn void fail_late(EFI_STATUS status)
{
    console_say("The firmware does not let go of the machine: %s. Restarting.\n",
                efi_status_text(status));
    for (volatile uint64_t i = 0; i < UINT64_C(3000000000); i++)
        continue;
    for (;;)
        efi_table->RuntimeServices->ResetSystem(EfiResetCold, EFI_SUCCESS, 0, NULL);
}

static void release(struct loading *loading)
{
    if (loading->buffer != 0)
        efi_boot->FreePages(loading->buffer, loading->buffer_pages);
    if (loading->code != 0)
        efi_boot->FreePages(loading->code, 1);
    if (loading->scratch != 0)
        efi_boot->FreePages(loading->scratch, loading->scratch_pages);
}

void start_image(const struct source *source, const char *name, const char *cmdline)
{
    struct loading loading = {0};

    if (read_file(source, name, cmdline, &loading) && check_image(name, &loading) &&
        take_kernel(&loading)) {
        if (make_data(&loading, cmdline)) {
            console_say("Starting %s\n", name);
            EFI_STATUS status = leave_firmware(&loading);
            if (status != EFI_SUCCESS)
                fail_late(status);
            arch_hand_over(&loading.hand_over);
        }
        arch_release_kernel(&loading.hand_over);
    }
    release(&loading);
}
