// Vendor capabilities of a device that says anything, the same each time or another: what is
// accepted lies within the registers that there are.
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "user/drivers/portable/virtio_pci_layout.h"

#define SPACE_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t input_size, at;
static uint8_t space[SPACE_BYTES];

static uint32_t read_space(void *context, uint32_t offset)
{
    uint32_t value;

    (void)context;
    assert(offset < SPACE_BYTES && offset % 4 == 0);
    memcpy(&value, space + offset, sizeof(value));
    return value;
}

static uint32_t read_input(void *context, uint32_t offset)
{
    uint32_t value = 0;

    (void)context;
    assert(offset < SPACE_BYTES && offset % 4 == 0);
    for (uint32_t i = 0; i < 4; i++)
        value |= (uint32_t)(input_size ? input[at++ % input_size] : 0xff) << 8 * i;
    return value;
}

static void never_write(void *context, uint32_t offset, uint32_t value)
{
    (void)context, (void)offset, (void)value;
    assert(false);
}

// The first byte says how the device answers, the next ones the sizes of its registers.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t bar_bytes[PCI_BAR_COUNT];
    struct virtio_pci_layout layout;

    if (size < 1 + PCI_BAR_COUNT)
        return 0;
    const struct pci_config config = {data[0] % 2 ? read_input : read_space, never_write, NULL};
    for (uint32_t i = 0; i < PCI_BAR_COUNT; i++)
        bar_bytes[i] = data[1 + i] % 64 ? UINT64_C(1) << data[1 + i] % 64 : 0;
    input = data + 1 + PCI_BAR_COUNT;
    input_size = size - 1 - PCI_BAR_COUNT;
    at = 0;
    memset(space, 0, sizeof(space));
    memcpy(space, input, input_size < sizeof(space) ? input_size : sizeof(space));
    bool is_usable = virtio_pci_read_layout(&config, bar_bytes, &layout);
    for (uint32_t i = 0; i < VIRTIO_PCI_STRUCTURE_COUNT; i++) {
        const struct virtio_pci_place *place = &layout.places[i];

        assert(place->bar < PCI_BAR_COUNT);
        assert(place->size_bytes == 0 ||
               (place->offset % 4 == 0 && place->offset <= bar_bytes[place->bar] &&
                place->size_bytes <= bar_bytes[place->bar] - place->offset));
    }
    assert(!is_usable || (layout.places[VIRTIO_PCI_COMMON].size_bytes >= VIRTIO_PCI_COMMON_BYTES &&
                          layout.places[VIRTIO_PCI_NOTIFY].size_bytes >= 2));
    return 0;
}
