// The machine by its device tree (Devicetree Specification 0.4; the bindings are those of Linux
// Documentation/devicetree/bindings: arm,gic, arm,gic-v3, arm,arch_timer, psci, pl011, cpus,
// chosen).
//
// The tree comes from firmware; a node that makes no sense counts as absent. Portable, and tested
// on the host.
#pragma once

#include "kernel/arch/arm64/portable/machine.h"

void machine_tree_read(const struct fdt *fdt, struct machine *machine);
