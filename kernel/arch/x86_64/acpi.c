// Finds the ACPI tables of a PC (ACPI Specification 6.5, section 5.2.5.1) and keeps what they say.
#include "kernel/arch/x86_64/acpi.h"

#include <string.h>

#include "kernel/arch/x86_64/paging.h"

#define BIOS_DATA_BASE   0x400
#define BIOS_DATA_SIZE   0x100
#define BIOS_DATA_EBDA   0x0e // its segment
#define EBDA_SEARCH_SIZE 1024
#define EBDA_LOWEST      0x80000
#define BIOS_AREA_BASE   0xe0000
#define BIOS_AREA_SIZE   0x20000

static struct acpi_machine machine;

const struct acpi_machine *acpi_machine(void)
{
    return &machine;
}

static const void *map(void *context, uint64_t address, size_t size_bytes)
{
    (void)context;
    return paging_map_firmware(PADDR(address), size_bytes);
}

// The root pointer's address; 0 if it is not in the area.
static uint64_t search(uint64_t base, size_t size_bytes)
{
    const uint8_t *area = paging_map_firmware(PADDR(base), size_bytes);
    size_t offset = area ? acpi_find_rsdp(area, size_bytes) : SIZE_MAX;

    return offset == SIZE_MAX ? 0 : base + offset;
}

static uint64_t find_rsdp(void)
{
    const uint8_t *bios_data = paging_map_firmware(PADDR(BIOS_DATA_BASE), BIOS_DATA_SIZE);
    uint64_t found = 0;
    uint16_t segment = 0;

    if (bios_data)
        memcpy(&segment, bios_data + BIOS_DATA_EBDA, sizeof(segment));
    if ((uint64_t)segment * 16 >= EBDA_LOWEST)
        found = search((uint64_t)segment * 16, EBDA_SEARCH_SIZE);
    return found ? found : search(BIOS_AREA_BASE, BIOS_AREA_SIZE);
}

bool acpi_init(uint64_t rsdp_address)
{
    if (rsdp_address == 0)
        rsdp_address = find_rsdp();
    return rsdp_address && acpi_read_machine(map, NULL, rsdp_address, &machine) == MX_OK;
}
