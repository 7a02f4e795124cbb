// What the payloads of the KERNEL_DRIVER items hold that tell a Zircon kernel on arm64 its devices;
// those of 8250s and the other items are in boot/zbi_items.h.
//
// Zircon, system/public/zircon/boot/driver-config.h. Little-endian, without padding that is not
// named.
#pragma once

#include <stdint.h>

// PL0U.
struct zircon_driver_pl011 {
    uint64_t base;
    uint32_t irq;
    uint32_t reserved;
};
_Static_assert(sizeof(struct zircon_driver_pl011) == 16, "PL0U");

struct zircon_driver_gicv2 {
    uint64_t base;
    uint64_t msi_frame; // 0: none
    uint64_t gicd_offset;
    uint64_t gicc_offset;
    uint64_t gich_offset;
    uint64_t gicv_offset;
    uint32_t ipi_base; // the first SGI that the kernel may use
    uint8_t is_optional;
    uint8_t uses_messages;
    uint16_t reserved;
};
_Static_assert(sizeof(struct zircon_driver_gicv2) == 56, "GIC2");

struct zircon_driver_gicv3 {
    uint64_t base;
    uint64_t gicd_offset;
    uint64_t gicr_offset;
    uint64_t gicr_stride;
    uint64_t reserved0; // a workaround for one board
    uint32_t ipi_base;
    uint8_t is_optional;
    uint8_t reserved1[3];
};
_Static_assert(sizeof(struct zircon_driver_gicv3) == 48, "GIC3");

struct zircon_driver_psci {
    uint8_t uses_hvc;
    uint8_t reserved[7];
    uint64_t arguments[4][3]; // of power-off and the kinds of reset
};
_Static_assert(sizeof(struct zircon_driver_psci) == 104, "PSCI");

struct zircon_driver_timer {
    uint32_t irq_physical;
    uint32_t irq_virtual;
    uint32_t irq_secure_physical;
    uint32_t frequency_override; // 0: what CNTFRQ_EL0 says
};
_Static_assert(sizeof(struct zircon_driver_timer) == 16, "ATIM");
