// What the distributors of GICv2 and GICv3 have in common: the banks of bits and bytes per
// interrupt.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Reads how many interrupts there are into gic_intid_count, and puts all SPIs in a known state:
// disabled, not pending, level, of one priority.
void gic_distributor_reset(volatile void *gicd);
// The same for the SGIs and PPIs of a CPU: in the distributor of GICv2 (banked), in the
// redistributor's second frame of GICv3.
void gic_private_reset(volatile void *frame);
void gic_frame_set_enabled(volatile void *frame, uint32_t intid, bool is_enabled);
void gic_frame_set_edge(volatile void *frame, uint32_t intid, bool is_edge);
