// The machine by its device tree; see machine_tree.h. One walk over all nodes finds what the kernel
// drives; a second one, when the interrupt controller is known, finds which interrupts are
// edge-triggered.
#include "kernel/arch/arm64/portable/machine_tree.h"

#include <string.h>

// The specifier of a GIC interrupt: type, number, flags (arm,gic binding, "#interrupt-cells").
#define SPECIFIER_CELLS     3
#define SPECIFIER_SPI       0
#define SPECIFIER_PPI       1
#define SPECIFIER_EDGE_MASK 3 // rising or falling
#define INTID_PPI_BASE      16
#define INTID_SPI_BASE      32

#define MACHINE_PCI_WINDOWS_MAX 16

// What is gathered beside the machine itself.
struct reading {
    const struct fdt *fdt;
    struct machine *machine;
    uint32_t gic_phandle;
    bool has_gic_phandle;
    struct fdt_cursor console; // of stdout-path; depth 0: none
};

static bool is_usable(const struct fdt *fdt, const struct fdt_cursor *node, const char *compatible)
{
    return fdt_is_compatible(fdt, node, compatible) && fdt_is_enabled(fdt, node);
}

// Interrupt `index` of the node; MACHINE_INTID_NONE if it has none, or one that the GIC could not
// have.
static uint32_t get_interrupt(const struct fdt *fdt, const struct fdt_cursor *node, uint32_t index,
                              bool *is_edge)
{
    struct fdt_property interrupts;
    uint32_t type, number, flags;

    if (!fdt_get(fdt, node, "interrupts", &interrupts) || index >= MACHINE_INTID_END ||
        !fdt_cell(&interrupts, index * SPECIFIER_CELLS, &type) ||
        !fdt_cell(&interrupts, index * SPECIFIER_CELLS + 1, &number) ||
        !fdt_cell(&interrupts, index * SPECIFIER_CELLS + 2, &flags))
        return MACHINE_INTID_NONE;
    *is_edge = (flags & SPECIFIER_EDGE_MASK) != 0;
    if (type == SPECIFIER_PPI && number < INTID_SPI_BASE - INTID_PPI_BASE)
        return number + INTID_PPI_BASE;
    if (type == SPECIFIER_SPI && number < MACHINE_INTID_END - INTID_SPI_BASE)
        return number + INTID_SPI_BASE;
    return MACHINE_INTID_NONE;
}

static bool is_of_gic(const struct reading *reading, const struct fdt_cursor *node)
{
    uint32_t parent;

    return !reading->has_gic_phandle ||
           (fdt_interrupt_parent(reading->fdt, node, &parent) && parent == reading->gic_phandle);
}

static uint32_t get_gic_interrupt(const struct reading *reading, const struct fdt_cursor *node,
                                  uint32_t index)
{
    bool is_edge;

    return is_of_gic(reading, node) ? get_interrupt(reading->fdt, node, index, &is_edge)
                                    : MACHINE_INTID_NONE;
}

static void add_range(struct fdt_range *list, uint32_t *count, struct fdt_range range)
{
    if (*count < MACHINE_MEMORY_MAX && range.size_bytes != 0)
        list[(*count)++] = range;
}

static void read_memory(struct reading *reading, const struct fdt_cursor *node)
{
    struct machine *machine = reading->machine;
    struct fdt_range range;

    for (uint32_t i = 0; i < MACHINE_MEMORY_MAX && fdt_get_reg(reading->fdt, node, i, &range); i++)
        add_range(machine->memory, &machine->memory_count, range);
}

static void read_reserved(struct reading *reading, const struct fdt_cursor *node)
{
    struct machine *machine = reading->machine;
    struct fdt_range range;

    for (uint32_t i = 0; i < MACHINE_MEMORY_MAX && fdt_get_reg(reading->fdt, node, i, &range); i++)
        add_range(machine->reserved, &machine->reserved_count, range);
}

static void read_chosen(struct reading *reading, const struct fdt_cursor *node)
{
    const char *console = fdt_get_text(reading->fdt, node, "stdout-path");

    if (!console || !fdt_find(reading->fdt, console, &reading->console))
        reading->console.depth = 0;
}

static void read_cpu(struct reading *reading, const struct fdt_cursor *node)
{
    struct machine *machine = reading->machine;
    uint64_t mpidr;

    // "reg" of a CPU is no address: it has no size and is not translated (bindings, arm/cpus).
    if (machine->cpu_count < MACHINE_CPU_MAX && fdt_is_enabled(reading->fdt, node) &&
        fdt_get_number(reading->fdt, node, "reg", &mpidr))
        machine->cpu_mpidrs[machine->cpu_count++] = mpidr;
}

static void read_psci(struct reading *reading, const struct fdt_cursor *node)
{
    const char *method = fdt_get_text(reading->fdt, node, "method");

    if (method && strcmp(method, "smc") == 0)
        reading->machine->conduit = MACHINE_CONDUIT_SMC;
    else if (method && strcmp(method, "hvc") == 0)
        reading->machine->conduit = MACHINE_CONDUIT_HVC;
}

static void read_timer(struct reading *reading, const struct fdt_cursor *node)
{
    for (uint32_t i = 0; i < MACHINE_TIMER_COUNT; i++)
        reading->machine->timer_intids[i] = get_gic_interrupt(reading, node, i);
}

static void read_gic_phandle(struct reading *reading, const struct fdt_cursor *node)
{
    reading->has_gic_phandle = fdt_get_u32(reading->fdt, node, "phandle", &reading->gic_phandle);
}

static void read_gic_v2(struct reading *reading, const struct fdt_cursor *node)
{
    struct machine *machine = reading->machine;
    bool is_edge;

    if (machine->gic != MACHINE_GIC_NONE || !fdt_get_reg(reading->fdt, node, 0, &machine->gicd) ||
        !fdt_get_reg(reading->fdt, node, 1, &machine->gicc))
        return;
    machine->gic = MACHINE_GIC_V2;
    (void)fdt_get_reg(reading->fdt, node, 2, &machine->gich);
    (void)fdt_get_reg(reading->fdt, node, 3, &machine->gicv);
    machine->gic_maintenance_intid = get_interrupt(reading->fdt, node, 0, &is_edge);
    read_gic_phandle(reading, node);
}

static void read_gic_v3(struct reading *reading, const struct fdt_cursor *node)
{
    struct machine *machine = reading->machine;
    uint32_t regions = 1;
    bool is_edge;

    (void)fdt_get_u32(reading->fdt, node, "#redistributor-regions", &regions);
    if (machine->gic != MACHINE_GIC_NONE || regions == 0 || regions > MACHINE_GICR_MAX ||
        !fdt_get_reg(reading->fdt, node, 0, &machine->gicd))
        return;
    for (uint32_t i = 0; i < regions; i++) {
        if (!fdt_get_reg(reading->fdt, node, 1 + i, &machine->gicr[i]))
            return;
    }
    machine->gic = MACHINE_GIC_V3;
    machine->gicr_count = regions;
    (void)fdt_get_number(reading->fdt, node, "redistributor-stride", &machine->gicr_stride);
    (void)fdt_get_reg(reading->fdt, node, 1 + regions, &machine->gicc);
    (void)fdt_get_reg(reading->fdt, node, 2 + regions, &machine->gich);
    (void)fdt_get_reg(reading->fdt, node, 3 + regions, &machine->gicv);
    machine->gic_maintenance_intid = get_interrupt(reading->fdt, node, 0, &is_edge);
    read_gic_phandle(reading, node);
}

// The one that stdout-path names, or else the first.
static void read_pl011(struct reading *reading, const struct fdt_cursor *node)
{
    struct machine *machine = reading->machine;
    bool is_console = reading->console.depth != 0 &&
                      reading->console.nodes[reading->console.depth] == node->nodes[node->depth];
    struct fdt_range range;

    if ((machine->pl011.size_bytes != 0 && !is_console) ||
        !fdt_get_reg(reading->fdt, node, 0, &range))
        return;
    machine->pl011 = range;
    machine->pl011_intid = get_gic_interrupt(reading, node, 0);
}

static void read_pl031(struct reading *reading, const struct fdt_cursor *node)
{
    if (reading->machine->pl031.size_bytes == 0)
        (void)fdt_get_reg(reading->fdt, node, 0, &reading->machine->pl031);
}

static void read_its(struct reading *reading, const struct fdt_cursor *node)
{
    if (reading->machine->its.size_bytes == 0)
        (void)fdt_get_reg(reading->fdt, node, 0, &reading->machine->its);
}

static void read_v2m(struct reading *reading, const struct fdt_cursor *node)
{
    struct machine *machine = reading->machine;

    if (machine->v2m.size_bytes != 0 || !fdt_get_reg(reading->fdt, node, 0, &machine->v2m))
        return;
    if (!fdt_get_u32(reading->fdt, node, "arm,msi-base-spi", &machine->v2m_first_spi) ||
        !fdt_get_u32(reading->fdt, node, "arm,msi-num-spis", &machine->v2m_spi_count))
        machine->v2m_spi_count = 0;
}

// The first window of each kind is the one used. What is prefetchable does not matter: registers
// are mapped uncached.
static void read_pci_windows(const struct fdt *fdt, const struct fdt_cursor *node,
                             struct machine_pci_host *host)
{
    struct fdt_pci_range range;

    for (uint32_t i = 0; i < MACHINE_PCI_WINDOWS_MAX && fdt_get_pci_range(fdt, node, i, &range);
         i++) {
        struct machine_pci_window window = {range.base, range.bus_base, range.size_bytes};

        if (range.space == FDT_PCI_SPACE_MEMORY32 && host->memory32.size_bytes == 0 &&
            range.bus_base + range.size_bytes <= (uint64_t)1 << 32)
            host->memory32 = window;
        else if (range.space == FDT_PCI_SPACE_MEMORY64 && host->memory64.size_bytes == 0)
            host->memory64 = window;
    }
}

// The first entry: functions from one number on, controller, the controller's number of the first,
// how many (bindings, pci/pci-msi).
static void read_msi_map(const struct fdt *fdt, const struct fdt_cursor *node,
                         struct machine_pci_host *host)
{
    struct fdt_property map;

    if (!fdt_get(fdt, node, "msi-map", &map) || !fdt_cell(&map, 0, &host->msi_first_requester) ||
        !fdt_cell(&map, 2, &host->msi_first_device) || !fdt_cell(&map, 3, &host->msi_count))
        host->msi_count = 0;
}

static void read_pci(struct reading *reading, const struct fdt_cursor *node)
{
    struct machine *machine = reading->machine;
    struct machine_pci_host host = {.segment = machine->pci_count, .last_bus = UINT8_MAX};
    uint32_t first = 0, last = UINT8_MAX;
    struct fdt_property buses;

    if (machine->pci_count == MACHINE_PCI_MAX || !fdt_get_reg(reading->fdt, node, 0, &host.ecam))
        return;
    (void)fdt_get_u32(reading->fdt, node, "linux,pci-domain", &host.segment);
    if (fdt_get(reading->fdt, node, "bus-range", &buses) &&
        (!fdt_cell(&buses, 0, &first) || !fdt_cell(&buses, 1, &last) || first > last ||
         last > UINT8_MAX))
        return;
    // As many buses as the window has room for.
    if (host.ecam.size_bytes >> MACHINE_PCI_BUS_SHIFT == 0)
        return;
    if (last - first >= host.ecam.size_bytes >> MACHINE_PCI_BUS_SHIFT)
        last = first + (uint32_t)(host.ecam.size_bytes >> MACHINE_PCI_BUS_SHIFT) - 1;
    host.first_bus = (uint8_t)first;
    host.last_bus = (uint8_t)last;
    read_pci_windows(reading->fdt, node, &host);
    read_msi_map(reading->fdt, node, &host);
    machine->pci[machine->pci_count++] = host;
}

struct binding {
    const char *compatible;
    void (*read)(struct reading *reading, const struct fdt_cursor *node);
};

static const struct binding controllers[] = {
    {"arm,gic-v3", read_gic_v3},
    {"arm,cortex-a15-gic", read_gic_v2},
    {"arm,gic-400", read_gic_v2},
    {"arm,cortex-a9-gic", read_gic_v2},
};

// A node that is several of them is read as the first.
static const struct binding devices[] = {
    {"arm,psci-0.2", read_psci},     {"arm,psci-1.0", read_psci},
    {"arm,armv8-timer", read_timer}, {"arm,pl011", read_pl011},
    {"arm,pl031", read_pl031},       {"arm,gic-v3-its", read_its},
    {"arm,gic-v2m-frame", read_v2m}, {"pci-host-ecam-generic", read_pci},
};

static void read_controller(struct reading *reading, const struct fdt_cursor *node)
{
    for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
        if (is_usable(reading->fdt, node, controllers[i].compatible))
            controllers[i].read(reading, node);
    }
}

static bool is_child_of(const struct fdt *fdt, const struct fdt_cursor *node, const char *parent)
{
    struct fdt_cursor above = *node;

    if (node->depth != 2)
        return false;
    above.depth = 1;
    return strcmp(fdt_name(fdt, &above), parent) == 0;
}

static void note_edges(struct reading *reading, const struct fdt_cursor *node)
{
    struct fdt_property interrupts;
    bool is_edge = false;
    uint32_t intid;

    if (!fdt_get(reading->fdt, node, "interrupts", &interrupts) || !is_of_gic(reading, node))
        return;
    for (uint32_t i = 0;
         (intid = get_interrupt(reading->fdt, node, i, &is_edge)) != MACHINE_INTID_NONE; i++) {
        if (is_edge)
            reading->machine->edge_intids[intid / 32] |= (uint32_t)1 << intid % 32;
    }
}

static void read_node(struct reading *reading, const struct fdt_cursor *node)
{
    const char *type = fdt_get_text(reading->fdt, node, "device_type");

    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        if (is_usable(reading->fdt, node, devices[i].compatible)) {
            devices[i].read(reading, node);
            break;
        }
    }
    if (type && strcmp(type, "memory") == 0 && fdt_is_enabled(reading->fdt, node))
        read_memory(reading, node);
    else if (is_child_of(reading->fdt, node, "reserved-memory"))
        read_reserved(reading, node);
    else if (type && strcmp(type, "cpu") == 0 && is_child_of(reading->fdt, node, "cpus"))
        read_cpu(reading, node);
    note_edges(reading, node);
}

static void read_reservations(const struct fdt *fdt, struct machine *machine)
{
    struct fdt_range range;

    for (uint32_t i = 0; i < MACHINE_MEMORY_MAX && fdt_reservation(fdt, i, &range); i++)
        add_range(machine->reserved, &machine->reserved_count, range);
}

void machine_tree_read(const struct fdt *fdt, struct machine *machine)
{
    struct reading reading = {.fdt = fdt, .machine = machine};
    struct fdt_cursor node;

    memset(machine, 0, sizeof(*machine));
    read_reservations(fdt, machine);
    if (fdt_find(fdt, "/chosen", &node))
        read_chosen(&reading, &node);
    fdt_start(fdt, &node);
    do {
        read_controller(&reading, &node);
    } while (fdt_next(fdt, &node));
    fdt_start(fdt, &node);
    do {
        read_node(&reading, &node);
    } while (fdt_next(fdt, &node));
}
