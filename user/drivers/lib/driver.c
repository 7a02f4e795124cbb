// The driver library; see driver.h.
#include "user/drivers/lib/driver.h"

#include <stdio.h>
#include <string.h>

#include <machina_user/process.h>
#include <machina_user/startup.h>

static uint32_t read_config(void *context, uint32_t offset)
{
    return *(const volatile uint32_t *)((const volatile uint8_t *)context +
                                        (offset & (MX_PAGE_SIZE - 4)));
}

static void write_config(void *context, uint32_t offset, uint32_t value)
{
    (void)context, (void)offset, (void)value;
}

// 0: not mapped.
static uint64_t map(mx_handle_t vmo, uint32_t options, uint64_t size_bytes)
{
    uint64_t address = 0;
    mx_handle_t aspace = startup_handle_look(MX_STARTUP_SELF_ASPACE, 0);

    return mx_aspace_map(aspace, options, vmo, 0, size_bytes, &address) == MX_OK ? address : 0;
}

static void take_bars(struct driver_device *device)
{
    for (uint32_t i = 0; i < PCI_BAR_COUNT; i++) {
        struct driver_bar *bar = &device->bars[i];
        struct mx_info_vmo info;

        bar->vmo = startup_handle_take(DRIVER_STARTUP_BAR, i);
        if (bar->vmo != MX_HANDLE_INVALID &&
            mx_object_get_info(bar->vmo, MX_INFO_VMO, &info, sizeof(info), NULL) == MX_OK)
            bar->size_bytes = info.size_bytes;
    }
}

mx_status_t driver_start(struct driver_device *device, int argc, char **argv)
{
    memset(device, 0, sizeof(*device));
    mx_handle_t config = startup_handle_take(DRIVER_STARTUP_CONFIG, 0);
    device->interrupt = startup_handle_take(DRIVER_STARTUP_INTERRUPT, 0);
    device->dma = startup_handle_take(DRIVER_STARTUP_DMA, 0);
    device->service = startup_handle_take(DRIVER_STARTUP_SERVICE, 0);
    if (argc < 2 || config == MX_HANDLE_INVALID || device->interrupt == MX_HANDLE_INVALID ||
        device->dma == MX_HANDLE_INVALID) {
        printf("%s: not started by the device manager\n", argc > 0 ? argv[0] : "driver");
        return MX_ERR_NOT_FOUND;
    }
    snprintf(device->name, sizeof(device->name), "%s", argv[1]);
    take_bars(device);
    uint64_t address = map(config, MX_MAP_READ, MX_PAGE_SIZE);
    handle_close(config);
    device->config = (struct pci_config){read_config, write_config, (void *)(uintptr_t)address};
    return address ? MX_OK : MX_ERR_NO_MEMORY;
}

void driver_close(struct driver_device *device)
{
    for (uint32_t i = 0; i < PCI_BAR_COUNT; i++)
        handle_close(device->bars[i].vmo);
    handle_close(device->interrupt);
    handle_close(device->dma);
    handle_close(device->service);
    memset(device, 0, sizeof(*device));
}

volatile uint8_t *driver_map_bar(struct driver_device *device, uint32_t index)
{
    struct driver_bar *bar = index < PCI_BAR_COUNT ? &device->bars[index] : NULL;

    if (!bar || bar->vmo == MX_HANDLE_INVALID || bar->size_bytes == 0)
        return NULL;
    if (!bar->registers)
        bar->registers = (volatile uint8_t *)(uintptr_t)map(bar->vmo, MX_MAP_READ | MX_MAP_WRITE,
                                                            bar->size_bytes);
    return bar->registers;
}

mx_status_t driver_allocate(struct driver_device *device, uint64_t size_bytes,
                            struct driver_memory *memory)
{
    struct mx_info_vmo info;
    mx_status_t status;

    memset(memory, 0, sizeof(*memory));
    status = mx_vmo_create_contiguous(device->dma, size_bytes, &memory->vmo, &memory->address);
    if (status != MX_OK)
        return status;
    status = mx_object_get_info(memory->vmo, MX_INFO_VMO, &info, sizeof(info), NULL);
    if (status == MX_OK)
        status = mx_dma_attach(device->dma, memory->vmo, &memory->id);
    if (status == MX_OK) {
        memory->size_bytes = info.size_bytes;
        memory->bytes =
            (void *)(uintptr_t)map(memory->vmo, MX_MAP_READ | MX_MAP_WRITE, info.size_bytes);
        status = memory->bytes ? MX_OK : MX_ERR_NO_MEMORY;
    }
    if (status != MX_OK)
        driver_free(device, memory);
    return status;
}

void driver_free(struct driver_device *device, struct driver_memory *memory)
{
    mx_handle_t aspace = startup_handle_look(MX_STARTUP_SELF_ASPACE, 0);
    mx_status_t ignored = MX_OK;

    if (memory->bytes)
        ignored = mx_aspace_unmap(aspace, (uint64_t)(uintptr_t)memory->bytes, memory->size_bytes);
    if (memory->id)
        ignored = mx_dma_detach(device->dma, memory->id);
    (void)ignored;
    handle_close(memory->vmo);
    memset(memory, 0, sizeof(*memory));
}
