// The interrupt controller, of either version; chosen once by what firmware says.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct arm64_cpu;
struct machine;

// Interrupt numbers (INTIDs): SGIs 0 to 15 between CPUs, PPIs 16 to 31 of each CPU, SPIs from 32.
struct gic_ops {
    const char *name;
    // Boot CPU: maps the registers, masks all SPIs. False, and *why: this one cannot be driven.
    bool (*init)(const struct machine *machine, const char **why);
    // Each CPU: its own interface; PPIs masked, SGIs on. False: there is none for this CPU.
    bool (*init_cpu)(struct arm64_cpu *cpu);
    // Takes the pending interrupt of highest priority; what comes back identifies it to `end`, and
    // has the INTID in its low bits.
    uint32_t (*acknowledge)(void);
    void (*end)(uint32_t acknowledged);
    // After what the target is to see was written.
    void (*send_sgi)(const struct arm64_cpu *target, uint32_t sgi);
    // Of PPIs, this CPU's.
    void (*set_enabled)(uint32_t intid, bool is_enabled);
    // An SPI, disabled: trigger mode, and the CPU that gets it.
    void (*configure)(uint32_t intid, bool is_edge, const struct arm64_cpu *target);
};

extern const struct gic_ops gic_v2, gic_v3;
// GICv3: the physical address of a CPU's redistributor.
uint64_t gic_v3_redistributor_base(const struct arm64_cpu *cpu);

// The one there is; NULL: none.
extern const struct gic_ops *gic;
// INTIDs that exist: all below this.
extern uint32_t gic_intid_count;
