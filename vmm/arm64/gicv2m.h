// The MSI frame that goes with a GICv2: a write of an SPI's number makes that SPI pending.
//
// A guest makes its SPIs edge-triggered. Devices do not write to the frame themselves: the VMM
// routes their lines to what gicv2m_translate says of the message, so an interrupt needs no VMM.
//
// Spec: Arm Server Base System Architecture, "GICv2m Architecture".
#pragma once

#include "vmm/arm64/gic_state.h"
#include "vmm/device.h"

#define GICV2M_SIZE_BYTES 0x1000u
#define GICV2M_SETSPI_NS  0x040u // what devices are given as their message's address

struct gicv2m {
    const struct gic_machine *machine;
    uint32_t first_spi; // its interrupt number
    uint32_t spi_count;
};

extern const struct device_ops gicv2m_ops; // memory-mapped

// A frame for the SPIs [first_spi, first_spi + spi_count), numbers as of gic_state.h, all of which
// exist.
void gicv2m_init(struct gicv2m *frame, const struct gic_machine *machine, uint32_t first_spi,
                 uint32_t spi_count);

// The interrupt that a message with `data`, written at `offset` in the frame, raises. False: none.
bool gicv2m_translate(const struct gicv2m *frame, uint64_t offset, uint32_t data, uint32_t *intid);
