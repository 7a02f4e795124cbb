// The machine by its ACPI tables; see machine_acpi.h. The tables are found first. Then each
// function reads one of them, in an order in which what the kernel cannot do without has its place
// before what may turn out to lie over it.
#include "kernel/arch/arm64/portable/machine_acpi.h"

#include <string.h>

#include "kernel/lib/types.h"

#define PAGE_BYTES      4096
#define REGISTERS_BYTES PAGE_BYTES // of a PL011, a GICv2 distributor, GICH, a GICv2m frame
#define GICC_BYTES      0x2000     // and GICV
#define GIC_V3_BYTES    0x10000    // of a distributor; a redistributor has two or four such frames
#define ITS_BYTES       0x20000
#define INTID_PPI_BASE  16
#define INTID_SPI_BASE  32

#define FADT_ARM_BOOT      129
#define FADT_PSCI          0x1
#define FADT_PSCI_USES_HVC 0x2

#define MADT_TYPE_GICC 0x0b
#define MADT_TYPE_GICD 0x0c
#define MADT_TYPE_MSI  0x0d
#define MADT_TYPE_GICR 0x0e
#define MADT_TYPE_ITS  0x0f
#define MADT_TYPE_OEM  0x80 // and above

#define GICC_FLAGS       12
#define GICC_ENABLED     0x1
#define GICC_BASE        32
#define GICC_GICV        40
#define GICC_GICH        48
#define GICC_MAINTENANCE 56
#define GICC_GICR        60
#define GICC_MPIDR       68
#define GICC_SIZE_MIN    76
#define MPIDR_AFFINITIES UINT64_C(0xff00ffffff)

#define GICD_BASE     8
#define GICD_VERSION  20
#define GICD_SIZE_MIN 24

#define MSI_BASE         8
#define MSI_FLAGS        16
#define MSI_FLAGS_SELECT 0x1 // the entry's interrupts count, not the frame's register
#define MSI_COUNT        20
#define MSI_FIRST        22
#define MSI_SIZE_MIN     24

#define GICR_BASE     4
#define GICR_LENGTH   12
#define GICR_SIZE_MIN 16

#define ITS_ID       4
#define ITS_BASE     8
#define ITS_SIZE_MIN 20

#define GTDT_SECURE             48
#define GTDT_PHYSICAL           56
#define GTDT_VIRTUAL            64
#define GTDT_HYPERVISOR         72
#define GTDT_SIZE_MIN           80
#define GTDT_HYPERVISOR_VIRTUAL 96 // from revision 3 on
#define GTDT_FLAGS              4  // behind the interrupt's number
#define GTDT_FLAG_EDGE          0x1

#define IORT_NODE_COUNT        36
#define IORT_NODES             40
#define IORT_TYPE              0
#define IORT_TYPE_ITS          0
#define IORT_TYPE_ROOT_COMPLEX 2
#define IORT_TYPE_SMMU         3
#define IORT_TYPE_SMMU_V3      4
#define IORT_LENGTH            1
#define IORT_MAP_COUNT         8
#define IORT_MAP_OFFSET        12
#define IORT_NODE_SIZE_MIN     16
#define IORT_ITS_COUNT         16
#define IORT_ITS_FIRST         20
#define IORT_ITS_SIZE_MIN      24
#define IORT_SEGMENT           28
#define IORT_ROOT_SIZE_MIN     32
#define IORT_MAP_SIZE          20
#define IORT_MAP_FLAGS         16
#define IORT_MAP_SINGLE        0x1
#define REQUESTER_END          0x10000u // bus, device and function numbers

enum table_index {
    TABLE_MADT,
    TABLE_GTDT,
    TABLE_FADT,
    TABLE_MCFG,
    TABLE_IORT,
    TABLE_SPCR,
    TABLE_DBG2,
    TABLE_COUNT,
};

static const char signatures[TABLE_COUNT][5] = {
    [TABLE_MADT] = "APIC", [TABLE_GTDT] = "GTDT", [TABLE_FADT] = "FACP", [TABLE_MCFG] = "MCFG",
    [TABLE_IORT] = "IORT", [TABLE_SPCR] = "SPCR", [TABLE_DBG2] = "DBG2",
};

struct reading {
    const struct machine_acpi_source *source;
    struct machine *machine;
    struct acpi_table tables[TABLE_COUNT]; // size 0: absent
    uint32_t told_count;
    bool has_redistributors; // of their own in MADT, and not only each CPU's
    bool needs_its;
    uint32_t its_id; // of the ITS that the PCI host bridges use
};

// --- what is not used
// ---------------------------------------------------------------------------------

static void tell(struct reading *reading, const char *table, uint64_t offset, const char *what)
{
    if (!reading->source->tell || reading->told_count == MACHINE_ACPI_TELL_MAX)
        return;
    if (++reading->told_count == MACHINE_ACPI_TELL_MAX)
        what = "there is more that is wrong, which is not told";
    reading->source->tell(table, offset, what);
}

static void tell_of(struct reading *reading, enum table_index index, size_t offset,
                    const char *what)
{
    tell(reading, signatures[index], offset, what);
}

static void visit_table(void *context, struct acpi_table table)
{
    struct reading *reading = context;

    for (uint32_t i = 0; i < TABLE_COUNT; i++) {
        if (!acpi_is(table, signatures[i]))
            continue;
        if (reading->tables[i].size == 0)
            reading->tables[i] = table;
        else
            tell_of(reading, (enum table_index)i, 0, "there is another table of this kind before");
    }
}

static void refuse_table(void *context, uint64_t address, const char *why)
{
    tell(context, "ROOT", address, why);
}

// --- places
// -------------------------------------------------------------------------------------------

static bool overlaps(struct fdt_range a, struct fdt_range b)
{
    return a.size_bytes != 0 && b.size_bytes != 0 && a.base < b.base + b.size_bytes &&
           b.base < a.base + a.size_bytes;
}

// Something that the machine has already.
static bool is_taken(const struct machine *machine, struct fdt_range range)
{
    const struct fdt_range single[] = {machine->gicd, machine->gicc, machine->gich, machine->gicv,
                                       machine->its,  machine->v2m,  machine->pl011};

    for (size_t i = 0; i < ARRAY_COUNT(single); i++) {
        if (overlaps(single[i], range))
            return true;
    }
    for (uint32_t i = 0; i < machine->gicr_count; i++) {
        if (overlaps(machine->gicr[i], range))
            return true;
    }
    for (uint32_t i = 0; i < machine->pci_count; i++) {
        if (overlaps(machine->pci[i].ecam, range))
            return true;
    }
    return false;
}

// NULL, or why registers cannot be there.
static const char *refuse_place(const struct reading *reading, struct fdt_range range)
{
    const struct machine_acpi_source *source = reading->source;

    if (range.base == 0)
        return "its address is zero";
    if (range.base % PAGE_BYTES != 0)
        return "its address is not that of a page";
    if (range.size_bytes > source->address_limit ||
        range.base > source->address_limit - range.size_bytes)
        return "its address is beyond what this CPU can reach";
    if (source->is_memory && source->is_memory(range.base, range.size_bytes))
        return "its address is in RAM";
    return is_taken(reading->machine, range) ? "it lies over another device" : NULL;
}

// Gives the range its place. False: it has none, which is told.
static bool place(struct reading *reading, enum table_index table, size_t offset, uint64_t base,
                  uint64_t size_bytes, struct fdt_range *out)
{
    struct fdt_range range = {base, size_bytes};
    const char *why = refuse_place(reading, range);

    if (why)
        tell_of(reading, table, offset, why);
    else
        *out = range;
    return !why;
}

// --- SPCR, DBG2
// ---------------------------------------------------------------------------------------

static bool is_pl011(const struct acpi_serial_port *port)
{
    return port->interface == ACPI_SERIAL_PL011 || port->interface == ACPI_SERIAL_SBSA ||
           port->interface == ACPI_SERIAL_SBSA_32;
}

static bool use_console(struct reading *reading, enum table_index table,
                        const struct acpi_serial_port *port)
{
    struct machine *machine = reading->machine;

    if (!is_pl011(port)) {
        tell_of(reading, table, 0, "its port is not of a type that can be driven here (PL011)");
        return false;
    }
    if (port->registers.space != ACPI_SPACE_MEMORY) {
        tell_of(reading, table, 0, "its port's registers are not in memory");
        return false;
    }
    if (!place(reading, table, 0, port->registers.address, REGISTERS_BYTES, &machine->pl011))
        return false;
    if (port->has_gic_irq && port->irq >= INTID_SPI_BASE && port->irq < MACHINE_INTID_END)
        machine->pl011_intid = port->irq;
    else if (port->has_gic_irq)
        tell_of(reading, table, 0, "its port's interrupt is no SPI");
    return true;
}

static void read_console(struct reading *reading)
{
    struct acpi_serial_port port;

    if (reading->tables[TABLE_SPCR].size != 0) {
        if (!acpi_spcr_port(reading->tables[TABLE_SPCR], &port))
            tell_of(reading, TABLE_SPCR, 0, "it is too short");
        else if (use_console(reading, TABLE_SPCR, &port))
            return;
    }
    if (acpi_dbg2_port(reading->tables[TABLE_DBG2], &port))
        (void)use_console(reading, TABLE_DBG2, &port);
}

// --- FADT, GTDT
// ---------------------------------------------------------------------------------------

static void read_fadt(struct reading *reading)
{
    uint64_t flags = acpi_get(reading->tables[TABLE_FADT], FADT_ARM_BOOT, 2);

    if (flags & FADT_PSCI)
        reading->machine->conduit =
            flags & FADT_PSCI_USES_HVC ? MACHINE_CONDUIT_HVC : MACHINE_CONDUIT_SMC;
    else
        tell_of(reading, TABLE_FADT, FADT_ARM_BOOT,
                "firmware has no PSCI: other CPUs cannot be started");
}

static bool is_ppi(uint64_t intid)
{
    return intid >= INTID_PPI_BASE && intid < INTID_SPI_BASE;
}

static bool is_timer_of(const struct machine *machine, uint64_t intid)
{
    for (uint32_t i = 0; i < MACHINE_TIMER_COUNT; i++) {
        if (machine->timer_intids[i] == intid)
            return true;
    }
    return false;
}

// 0: the machine has no such timer.
static void read_timer(struct reading *reading, enum machine_timer timer, size_t offset)
{
    struct acpi_table table = reading->tables[TABLE_GTDT];
    uint64_t intid = acpi_get(table, offset, 4);

    if (intid == MACHINE_INTID_NONE)
        return;
    if (!is_ppi(intid) || is_timer_of(reading->machine, intid)) {
        tell_of(reading, TABLE_GTDT, offset,
                is_ppi(intid) ? "two timers have one interrupt" : "its interrupt is no PPI");
        return;
    }
    reading->machine->timer_intids[timer] = (uint32_t)intid;
    if (acpi_get(table, offset + GTDT_FLAGS, 4) & GTDT_FLAG_EDGE)
        reading->machine->edge_intids[intid / 32] |= (uint32_t)1 << intid % 32;
}

// First the timers that are used.
static void read_gtdt(struct reading *reading)
{
    if (reading->tables[TABLE_GTDT].size < GTDT_SIZE_MIN)
        return;
    read_timer(reading, MACHINE_TIMER_HYPERVISOR, GTDT_HYPERVISOR);
    read_timer(reading, MACHINE_TIMER_VIRTUAL, GTDT_VIRTUAL);
    read_timer(reading, MACHINE_TIMER_PHYSICAL, GTDT_PHYSICAL);
    read_timer(reading, MACHINE_TIMER_SECURE, GTDT_SECURE);
    read_timer(reading, MACHINE_TIMER_HYPERVISOR_VIRTUAL, GTDT_HYPERVISOR_VIRTUAL);
}

// --- MADT: walks
// --------------------------------------------------------------------------------------

typedef void (*entry_function)(struct reading *reading, struct acpi_table entry, size_t offset);

static const struct {
    uint8_t type;
    uint8_t size_min;
} entry_sizes[] = {{MADT_TYPE_GICC, GICC_SIZE_MIN},
                   {MADT_TYPE_GICD, GICD_SIZE_MIN},
                   {MADT_TYPE_MSI, MSI_SIZE_MIN},
                   {MADT_TYPE_GICR, GICR_SIZE_MIN},
                   {MADT_TYPE_ITS, ITS_SIZE_MIN}};

// Of a known type, and whole; otherwise *why (NULL: nothing is wrong with that).
static bool is_known(struct acpi_table entry, const char **why)
{
    *why = entry.bytes[0] < MADT_TYPE_OEM ? "an entry of a type that is not known here" : NULL;
    for (size_t i = 0; i < ARRAY_COUNT(entry_sizes); i++) {
        if (entry.bytes[0] != entry_sizes[i].type)
            continue;
        *why = "an entry that is too short for its type";
        return entry.size >= entry_sizes[i].size_min;
    }
    return false;
}

static void survey_entry(struct reading *reading, struct acpi_table entry, size_t offset)
{
    const char *why;

    if (!is_known(entry, &why)) {
        if (why)
            tell_of(reading, TABLE_MADT, offset, why);
        return;
    }
    reading->has_redistributors |= entry.bytes[0] == MADT_TYPE_GICR;
}

// All entries, whatever they are.
static void survey_madt(struct reading *reading)
{
    struct acpi_table madt = reading->tables[TABLE_MADT], entry;
    size_t at = ACPI_MADT_ENTRIES, offset = at;

    for (; acpi_next_entry(madt, &at, &entry); offset = at)
        survey_entry(reading, entry, offset);
    if (at != madt.size)
        tell_of(reading, TABLE_MADT, at, "an entry's length is wrong: what follows is not read");
}

// Each entry of the type.
static void see_entries(struct reading *reading, uint8_t type, entry_function see)
{
    struct acpi_table madt = reading->tables[TABLE_MADT], entry;
    size_t at = ACPI_MADT_ENTRIES, offset = at;
    const char *why;

    for (; acpi_next_entry(madt, &at, &entry); offset = at) {
        if (entry.bytes[0] == type && is_known(entry, &why))
            see(reading, entry, offset);
    }
}

// --- MADT: the interrupt controller
// -------------------------------------------------------------------

// Where the table does not tell the version.
static void guess_version(struct reading *reading, struct acpi_table entry, size_t offset)
{
    (void)offset;
    if (acpi_get(entry, GICC_GICR, 8) != 0)
        reading->machine->gic = MACHINE_GIC_V3;
}

static void read_distributor(struct reading *reading, struct acpi_table entry, size_t offset)
{
    struct machine *machine = reading->machine;
    uint64_t version = acpi_get(entry, GICD_VERSION, 1);
    enum machine_gic gic = version >= 3 ? MACHINE_GIC_V3 : MACHINE_GIC_V2;

    if (machine->gicd.size_bytes != 0) {
        tell_of(reading, TABLE_MADT, offset, "a second distributor");
        return;
    }
    if (version > 4) {
        tell_of(reading, TABLE_MADT, offset, "a distributor of a version that is not known here");
        return;
    }
    if (version == 0) {
        machine->gic = reading->has_redistributors ? MACHINE_GIC_V3 : MACHINE_GIC_V2;
        see_entries(reading, MADT_TYPE_GICC, guess_version);
        gic = machine->gic;
        machine->gic = MACHINE_GIC_NONE;
    }
    if (place(reading, TABLE_MADT, offset, acpi_get(entry, GICD_BASE, 8),
              gic == MACHINE_GIC_V3 ? GIC_V3_BYTES : REGISTERS_BYTES, &machine->gicd))
        machine->gic = gic;
}

static void add_redistributors(struct reading *reading, size_t offset, uint64_t base,
                               uint64_t size_bytes)
{
    struct machine *machine = reading->machine;

    if (machine->gicr_count == MACHINE_GICR_MAX)
        tell_of(reading, TABLE_MADT, offset, "there are more redistributors than can be driven");
    else if (size_bytes < 2 * GIC_V3_BYTES)
        tell_of(reading, TABLE_MADT, offset, "no redistributor fits there");
    else if (place(reading, TABLE_MADT, offset, base, size_bytes,
                   &machine->gicr[machine->gicr_count]))
        machine->gicr_count++;
}

static void read_redistributors(struct reading *reading, struct acpi_table entry, size_t offset)
{
    add_redistributors(reading, offset, acpi_get(entry, GICR_BASE, 8),
                       acpi_get(entry, GICR_LENGTH, 4) & ~(uint64_t)(PAGE_BYTES - 1));
}

static void read_msi_frame(struct reading *reading, struct acpi_table entry, size_t offset)
{
    struct machine *machine = reading->machine;

    if (machine->v2m.size_bytes != 0) {
        tell_of(reading, TABLE_MADT, offset, "only one MSI frame is used");
        return;
    }
    if (!place(reading, TABLE_MADT, offset, acpi_get(entry, MSI_BASE, 8), REGISTERS_BYTES,
               &machine->v2m))
        return;
    if (acpi_get(entry, MSI_FLAGS, 4) & MSI_FLAGS_SELECT) {
        machine->v2m_first_spi = (uint32_t)acpi_get(entry, MSI_FIRST, 2);
        machine->v2m_spi_count = (uint32_t)acpi_get(entry, MSI_COUNT, 2);
    }
}

static void read_its(struct reading *reading, struct acpi_table entry, size_t offset)
{
    struct machine *machine = reading->machine;

    if (acpi_get(entry, ITS_ID, 4) != reading->its_id)
        return;
    if (machine->its.size_bytes != 0)
        tell_of(reading, TABLE_MADT, offset, "a second ITS of the same number");
    else
        (void)place(reading, TABLE_MADT, offset, acpi_get(entry, ITS_BASE, 8), ITS_BYTES,
                    &machine->its);
}

// --- MADT: CPUs, and what each has of the controller
// --------------------------------------------------

static bool has_cpu(const struct machine *machine, uint64_t mpidr)
{
    for (uint32_t i = 0; i < machine->cpu_count; i++) {
        if (machine->cpu_mpidrs[i] == mpidr)
            return true;
    }
    return false;
}

// The interface that all CPUs see at one address, each its own.
static bool read_interface_v2(struct reading *reading, struct acpi_table entry, size_t offset)
{
    struct machine *machine = reading->machine;
    uint64_t base = acpi_get(entry, GICC_BASE, 8);

    if (machine->gicc.size_bytes != 0) {
        if (base != machine->gicc.base)
            tell_of(reading, TABLE_MADT, offset, "its interface is not where the others have it");
        return base == machine->gicc.base;
    }
    if (!place(reading, TABLE_MADT, offset, base, GICC_BYTES, &machine->gicc))
        return false;
    if (acpi_get(entry, GICC_GICH, 8) != 0 && acpi_get(entry, GICC_GICV, 8) != 0) {
        (void)place(reading, TABLE_MADT, offset, acpi_get(entry, GICC_GICH, 8), REGISTERS_BYTES,
                    &machine->gich);
        (void)place(reading, TABLE_MADT, offset, acpi_get(entry, GICC_GICV, 8), GICC_BYTES,
                    &machine->gicv);
    }
    return true;
}

static void read_maintenance(struct reading *reading, struct acpi_table entry, size_t offset)
{
    uint64_t intid = acpi_get(entry, GICC_MAINTENANCE, 4);

    if (intid == MACHINE_INTID_NONE ||
        reading->machine->gic_maintenance_intid != MACHINE_INTID_NONE)
        return;
    if (is_ppi(intid) && !is_timer_of(reading->machine, intid))
        reading->machine->gic_maintenance_intid = (uint32_t)intid;
    else
        tell_of(reading, TABLE_MADT, offset,
                is_ppi(intid) ? "its maintenance interrupt is a timer's"
                              : "its maintenance interrupt is no PPI");
}

// One that is only capable of coming online is not there yet.
static void read_cpu(struct reading *reading, struct acpi_table entry, size_t offset)
{
    struct machine *machine = reading->machine;
    uint64_t mpidr = acpi_get(entry, GICC_MPIDR, 8);

    if (!(acpi_get(entry, GICC_FLAGS, 4) & GICC_ENABLED))
        return;
    if (mpidr & ~MPIDR_AFFINITIES) {
        tell_of(reading, TABLE_MADT, offset, "its MPIDR has bits that are no affinity");
        return;
    }
    if (has_cpu(machine, mpidr)) {
        tell_of(reading, TABLE_MADT, offset, "a second CPU of the same MPIDR");
        return;
    }
    if (machine->cpu_count == MACHINE_CPU_MAX) {
        tell_of(reading, TABLE_MADT, offset, "there are more CPUs than can be used");
        return;
    }
    if (machine->gic == MACHINE_GIC_V2 && !read_interface_v2(reading, entry, offset))
        return;
    if (machine->gic == MACHINE_GIC_V3 && !reading->has_redistributors)
        add_redistributors(reading, offset, acpi_get(entry, GICC_GICR, 8), 2 * GIC_V3_BYTES);
    read_maintenance(reading, entry, offset);
    machine->cpu_mpidrs[machine->cpu_count++] = mpidr;
}

// Returns NULL, or what is missing.
static const char *read_madt(struct reading *reading)
{
    struct machine *machine = reading->machine;

    if (reading->tables[TABLE_MADT].size == 0)
        return "firmware gives no valid ACPI table APIC, which describes the CPUs and the GIC";
    survey_madt(reading);
    see_entries(reading, MADT_TYPE_GICD, read_distributor);
    if (machine->gic == MACHINE_GIC_V3)
        see_entries(reading, MADT_TYPE_GICR, read_redistributors);
    see_entries(reading, MADT_TYPE_GICC, read_cpu);
    if (machine->gic == MACHINE_GIC_V2)
        see_entries(reading, MADT_TYPE_MSI, read_msi_frame);
    if ((machine->gic == MACHINE_GIC_V2 && machine->gicc.size_bytes != 0) ||
        (machine->gic == MACHINE_GIC_V3 && machine->gicr_count != 0))
        return NULL;
    machine->gic = MACHINE_GIC_NONE;
    return "firmware's ACPI table APIC describes no GIC that can be used";
}

// --- MCFG
// ---------------------------------------------------------------------------------------------

static bool has_buses(const struct machine *machine, const struct acpi_ecam *ecam)
{
    for (uint32_t i = 0; i < machine->pci_count; i++) {
        const struct machine_pci_host *host = &machine->pci[i];

        if (host->segment == ecam->segment && host->first_bus <= ecam->last_bus &&
            ecam->first_bus <= host->last_bus)
            return true;
    }
    return false;
}

static void read_pci_host(struct reading *reading, const struct acpi_ecam *ecam, size_t offset)
{
    struct machine *machine = reading->machine;
    struct machine_pci_host host = {
        .segment = ecam->segment, .first_bus = ecam->first_bus, .last_bus = ecam->last_bus};
    uint64_t first = (uint64_t)ecam->first_bus << MACHINE_PCI_BUS_SHIFT;
    uint64_t size_bytes = ((uint64_t)ecam->last_bus + 1 - ecam->first_bus) << MACHINE_PCI_BUS_SHIFT;

    if (ecam->first_bus > ecam->last_bus)
        tell_of(reading, TABLE_MCFG, offset, "its last bus is before its first");
    else if (has_buses(machine, ecam))
        tell_of(reading, TABLE_MCFG, offset, "another entry has its buses");
    else if (machine->pci_count == MACHINE_PCI_MAX)
        tell_of(reading, TABLE_MCFG, offset, "there are more PCI host bridges than can be used");
    else if (ecam->base == 0 || ecam->base > UINT64_MAX - first)
        tell_of(reading, TABLE_MCFG, offset, "its address makes no sense");
    else if (place(reading, TABLE_MCFG, offset, ecam->base + first, size_bytes, &host.ecam))
        machine->pci[machine->pci_count++] = host;
}

// The table has the address of bus 0, whether that is one of the bridge's or not. The windows of
// the bridges, which only firmware's AML tells, stay unknown.
static void read_mcfg(struct reading *reading)
{
    struct acpi_ecam ecam;

    for (uint32_t i = 0; acpi_mcfg_entry(reading->tables[TABLE_MCFG], i, &ecam); i++)
        read_pci_host(reading, &ecam, ACPI_MCFG_ENTRIES + (size_t)i * ACPI_MCFG_ENTRY_SIZE);
}

// --- IORT
// ---------------------------------------------------------------------------------------------

// Numbers from `input` on are `output` for another node.
struct id_map {
    uint32_t input, output, node;
    uint64_t count;
    bool is_single; // for the node's own number only
};

static bool get_node(struct acpi_table iort, uint64_t offset, struct acpi_table *node)
{
    if (offset < IORT_NODES || offset > iort.size || iort.size - offset < IORT_NODE_SIZE_MIN)
        return false;
    *node = (struct acpi_table){iort.bytes + offset, 0};
    node->size = (size_t)acpi_get(iort, offset + IORT_LENGTH, 2);
    return node->size >= IORT_NODE_SIZE_MIN && node->size <= iort.size - offset;
}

static bool get_map(struct acpi_table node, uint32_t index, struct id_map *map)
{
    uint64_t at = acpi_get(node, IORT_MAP_OFFSET, 4) + (uint64_t)index * IORT_MAP_SIZE;

    if (index >= acpi_get(node, IORT_MAP_COUNT, 4) || at < IORT_NODE_SIZE_MIN || at > node.size ||
        node.size - at < IORT_MAP_SIZE)
        return false;
    *map = (struct id_map){
        .input = (uint32_t)acpi_get(node, at, 4),
        .count = acpi_get(node, at + 4, 4) + 1, // the table has one less
        .output = (uint32_t)acpi_get(node, at + 8, 4),
        .node = (uint32_t)acpi_get(node, at + 12, 4),
        .is_single = acpi_get(node, at + IORT_MAP_FLAGS, 4) & IORT_MAP_SINGLE,
    };
    return true;
}

// Goes on through an SMMU: *map becomes what the node behind it calls the same numbers, as many as
// it knows.
static bool pass_smmu(struct acpi_table smmu, struct id_map *map)
{
    struct id_map next;

    for (uint32_t i = 0; get_map(smmu, i, &next); i++) {
        if (next.is_single || map->output < next.input || map->output - next.input >= next.count)
            continue;
        uint32_t skipped = map->output - next.input;
        map->output = next.output + skipped;
        map->node = next.node;
        if (map->count > next.count - skipped)
            map->count = next.count - skipped;
        return true;
    }
    return false;
}

// Follows the numbers to an ITS, through one SMMU at most. NULL, or why that leads nowhere.
static const char *find_its(struct acpi_table iort, struct id_map *map, uint32_t *its_id)
{
    struct acpi_table node;

    if (!get_node(iort, map->node, &node))
        return "its numbers lead to no node";
    if (node.bytes[IORT_TYPE] == IORT_TYPE_SMMU || node.bytes[IORT_TYPE] == IORT_TYPE_SMMU_V3) {
        if (!pass_smmu(node, map) || !get_node(iort, map->node, &node))
            return "its numbers lead to no node behind the SMMU";
    }
    if (node.bytes[IORT_TYPE] != IORT_TYPE_ITS || node.size < IORT_ITS_SIZE_MIN ||
        acpi_get(node, IORT_ITS_COUNT, 4) == 0)
        return "its numbers do not lead to an ITS";
    *its_id = (uint32_t)acpi_get(node, IORT_ITS_FIRST, 4);
    return NULL;
}

static const char *use_map(struct reading *reading, struct machine_pci_host *host,
                           struct id_map *map)
{
    uint32_t id;
    const char *why = find_its(reading->tables[TABLE_IORT], map, &id);

    if (why)
        return why;
    if (map->input >= REQUESTER_END || map->output > UINT32_MAX - REQUESTER_END)
        return "its numbers are none that a PCI function has";
    if (reading->needs_its && id != reading->its_id)
        return "its ITS is another than that of the bridge before, and one is driven";
    reading->needs_its = true;
    reading->its_id = id;
    host->msi_first_requester = map->input;
    host->msi_first_device = map->output;
    host->msi_count =
        map->count < REQUESTER_END - map->input ? (uint32_t)map->count : REQUESTER_END - map->input;
    return NULL;
}

static struct machine_pci_host *find_host(struct machine *machine, uint64_t segment)
{
    for (uint32_t i = 0; i < machine->pci_count; i++) {
        if (machine->pci[i].segment == segment)
            return &machine->pci[i];
    }
    return NULL;
}

// The first of its maps that leads to an ITS is the one used, as with a device tree.
static void read_root_complex(struct reading *reading, struct acpi_table node, size_t offset)
{
    struct machine_pci_host *host = find_host(reading->machine, acpi_get(node, IORT_SEGMENT, 4));
    const char *why = "it has no numbers";
    struct id_map map;

    if (node.size < IORT_ROOT_SIZE_MIN || !host || host->msi_count != 0)
        return;
    for (uint32_t i = 0; get_map(node, i, &map); i++) {
        why = map.is_single ? "its numbers are one" : use_map(reading, host, &map);
        if (!why)
            return;
    }
    tell_of(reading, TABLE_IORT, offset, why);
}

static void read_iort(struct reading *reading)
{
    struct acpi_table iort = reading->tables[TABLE_IORT], node;
    uint64_t count = acpi_get(iort, IORT_NODE_COUNT, 4), at = acpi_get(iort, IORT_NODES, 4);

    for (uint64_t i = 0; i < count; i++) {
        if (!get_node(iort, at, &node)) {
            tell_of(reading, TABLE_IORT, (size_t)at, "a node's place or length is wrong");
            return;
        }
        if (node.bytes[IORT_TYPE] == IORT_TYPE_ROOT_COMPLEX)
            read_root_complex(reading, node, (size_t)at);
        at += node.size;
    }
}

// The messages of PCI functions on a GICv3; IORT says whose they are.
static void read_messages(struct reading *reading)
{
    struct machine *machine = reading->machine;

    if (machine->gic != MACHINE_GIC_V3 || machine->pci_count == 0)
        return;
    read_iort(reading);
    if (reading->needs_its)
        see_entries(reading, MADT_TYPE_ITS, read_its);
    if (machine->its.size_bytes == 0)
        tell_of(reading, TABLE_IORT, 0, "it leads to no ITS: PCI devices have no interrupts");
}

// --- all
// ----------------------------------------------------------------------------------------------

const char *machine_acpi_read(const struct machine_acpi_source *source, uint64_t rsdp_address,
                              struct machine *machine)
{
    struct reading reading = {.source = source, .machine = machine};
    const struct acpi_visitor visitor = {visit_table, refuse_table, &reading};

    memset(machine, 0, sizeof(*machine));
    if (acpi_visit_tables(&source->memory, rsdp_address, &visitor) != MX_OK)
        return "firmware's ACPI tables have no valid root";
    read_fadt(&reading);
    read_gtdt(&reading);
    const char *missing = read_madt(&reading);
    read_console(&reading);
    read_mcfg(&reading);
    read_messages(&reading);
    if (missing)
        return missing;
    if (reading.tables[TABLE_GTDT].size < GTDT_SIZE_MIN)
        return "firmware gives no valid ACPI table GTDT, which describes the timers";
    return NULL;
}
