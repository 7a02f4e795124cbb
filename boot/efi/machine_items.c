// The firmware's tables as items; see machine_items.h.
#include "boot/efi/machine_items.h"

#include "boot/efi/arch.h"
#include "boot/efi/console.h"
#include "boot/loader/screen_check.h"
#include "boot/zbi_items.h"
#include "kernel/lib/fdt.h"
#include "kernel/lib/string.h"

#define ITEMS_ROOM 4096

static const EFI_GUID acpi_2_guid = ACPI_20_TABLE_GUID;
static const EFI_GUID acpi_1_guid = ACPI_TABLE_GUID;
static const EFI_GUID tree_guid = EFI_DTB_TABLE_GUID;
static const EFI_GUID smbios_guid = SMBIOS_TABLE_GUID;

struct room {
    void *data;
    size_t capacity_bytes;
    bool is_full;
};

static void add(struct room *room, uint32_t type, const void *payload, size_t size_bytes)
{
    if (zbi_append(room->data, room->capacity_bytes, type, 0, payload, size_bytes, false) != MX_OK)
        room->is_full = true;
}

static void add_address(struct room *room, uint32_t type, const void *table)
{
    uint64_t address = (uint64_t)(uintptr_t)table;

    if (table)
        add(room, type, &address, sizeof(address));
}

static const void *device_tree(uint32_t *size_bytes)
{
    const void *tree = efi_config_table(&tree_guid);

    *size_bytes = tree ? fdt_total_size(tree) : 0;
    return *size_bytes != 0 && *size_bytes <= FDT_SIZE_MAX ? tree : NULL;
}

// --- the screen ----------------------------------------------------------------------------------

static uint32_t pixel_format(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info)
{
    const EFI_PIXEL_BITMASK *mask = &info->PixelInformation;

    if (info->PixelFormat == PixelBlueGreenRedReserved8BitPerColor)
        return ZBI_PIXELS_XRGB;
    if (info->PixelFormat == PixelRedGreenBlueReserved8BitPerColor)
        return ZBI_PIXELS_XBGR;
    if (info->PixelFormat != PixelBitMask || mask->GreenMask != 0xff00)
        return 0;
    if (mask->RedMask == 0xff0000 && mask->BlueMask == 0xff)
        return ZBI_PIXELS_XRGB;
    return mask->RedMask == 0xff && mask->BlueMask == 0xff0000 ? ZBI_PIXELS_XBGR : 0;
}

// A screen that memory does not show (pixels by calls only) is none for the kernel.
static void add_framebuffer(struct room *room)
{
    EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_GRAPHICS_OUTPUT_PROTOCOL *output = NULL;
    struct zbi_framebuffer screen;

    if (efi_boot->LocateProtocol(&guid, NULL, (void **)&output) != EFI_SUCCESS || !output->Mode ||
        !output->Mode->Info)
        return;
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info = output->Mode->Info;
    screen = (struct zbi_framebuffer){
        .base = output->Mode->FrameBufferBase,
        .width = info->HorizontalResolution,
        .height = info->VerticalResolution,
        .stride_pixels = info->PixelsPerScanLine,
        .format = pixel_format(info),
    };
    // The kernel refuses what is nonsense; without it, it starts on the serial port.
    if (screen_is_usable(&screen, output->Mode->FrameBufferSize))
        add(room, ZBI_TYPE_FRAMEBUFFER, &screen, sizeof(screen));
}

// --- all -----------------------------------------------------------------------------------------

size_t machine_items_room(const char *cmdline)
{
    uint32_t tree_bytes;

    (void)device_tree(&tree_bytes);
    if (tree_bytes > FDT_SIZE_MAX)
        tree_bytes = 0;
    return ITEMS_ROOM + strlen(cmdline) + tree_bytes;
}

bool machine_items_add(void *data, size_t capacity_bytes, const char *cmdline)
{
    struct room room = {data, capacity_bytes, false};
    const void *acpi = efi_config_table(&acpi_2_guid);
    uint32_t tree_bytes;
    const void *tree = device_tree(&tree_bytes);

    if (!acpi)
        acpi = efi_config_table(&acpi_1_guid);
    if (ARCH_NEEDS_DESCRIPTION && !tree && !acpi) {
        console_say("This firmware describes the machine neither by a device tree nor by ACPI.\n"
                    "Look in its set-up for \"device tree\" or \"ACPI\".\n");
        return false;
    }
    add_address(&room, ZBI_TYPE_EFI_SYSTEM_TABLE, efi_table);
    add_address(&room, ZBI_TYPE_ACPI_RSDP, acpi);
    add_address(&room, ZBI_TYPE_SMBIOS, efi_config_table(&smbios_guid));
    add_framebuffer(&room);
    if (tree)
        add(&room, ZBI_TYPE_DEVICETREE, tree, tree_bytes);
    if (cmdline[0] != '\0')
        add(&room, ZBI_TYPE_CMDLINE, cmdline, strlen(cmdline) + 1);
    if (room.is_full)
        console_say("The firmware's tables grew while they were copied. Try again.\n");
    return !room.is_full;
}
