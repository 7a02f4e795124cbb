// The arm64 kernel's reader of ACPI tables. The input is a list of tables: a byte that chooses the
// signature, two for the length of what follows the header, and that. Headers, checksums and the
// root are made, or nothing would get past them. What comes out is checked: places do not overlap,
// numbers are such that the kernel can use them without looking.
#include "kernel/arch/arm64/portable/machine_acpi.h"

#include <stdlib.h>
#include <string.h>

#define HEADER        36
#define TABLE_MAX     8192
#define ROOT          36
#define TABLES_MAX    16
#define ADDRESS_LIMIT ((uint64_t)1 << 48)
#define RAM_BASE      ((uint64_t)1 << 30)
#define RAM_END       ((uint64_t)2 << 30)

static const char *const signatures[] = {"APIC", "GTDT", "FACP", "MCFG",
                                         "IORT", "SPCR", "DBG2", "SSDT"};

// Tables lie in allocations of their own, so that reading past an end is seen.
struct memory {
    uint8_t *bytes[TABLES_MAX + 2];
    size_t sizes[TABLES_MAX + 2];
    size_t count;
};

static uint32_t told_count;

static const void *map(void *context, uint64_t address, size_t size_bytes)
{
    const struct memory *memory = context;
    uint64_t index = address >> 16;

    if (index >= memory->count || (address & 0xffff) != 0 || size_bytes > memory->sizes[index])
        return NULL;
    return memory->bytes[index];
}

static bool is_memory(uint64_t base, uint64_t size_bytes)
{
    return base < RAM_END && base + size_bytes > RAM_BASE;
}

static void tell(const char *table, uint64_t offset, const char *what)
{
    (void)table, (void)offset, (void)what;
    told_count++;
}

static void put(uint8_t *at, size_t size, uint64_t value)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void fix_checksum(uint8_t *bytes, size_t size, size_t at)
{
    uint8_t sum = 0;

    bytes[at] = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[at] = (uint8_t)-sum;
}

static void add_table(struct memory *memory, const char *signature, const uint8_t *body,
                      size_t size)
{
    uint8_t *table = calloc(1, HEADER + size);

    memcpy(table, signature, 4);
    put(table + 4, 4, HEADER + size);
    memcpy(table + HEADER, body, size);
    fix_checksum(table, HEADER + size, 9);
    memory->bytes[memory->count] = table;
    memory->sizes[memory->count++] = HEADER + size;
}

// The root pointer at 1 << 16, the root table behind all others.
static void add_tables(struct memory *memory, const uint8_t *data, size_t size)
{
    uint8_t entries[8 * TABLES_MAX], *rsdp = calloc(1, ROOT);
    size_t count = 0;

    memory->bytes[0] = NULL;
    memory->sizes[0] = 0;
    memory->bytes[1] = rsdp;
    memory->sizes[1] = ROOT;
    memory->count = 2;
    while (size >= 3 && count < TABLES_MAX - 1) {
        size_t length = (data[1] | (size_t)data[2] << 8) % TABLE_MAX;
        length = length < size - 3 ? length : size - 3;
        put(entries + 8 * count++, 8, (uint64_t)memory->count << 16);
        add_table(memory, signatures[data[0] % 8], data + 3, length);
        data += 3 + length;
        size -= 3 + length;
    }
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = 2;
    put(rsdp + 24, 8, (uint64_t)memory->count << 16);
    fix_checksum(rsdp, 20, 8);
    fix_checksum(rsdp, ROOT, 32);
    add_table(memory, "XSDT", entries, 8 * count);
}

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_places(const struct machine *machine)
{
    struct fdt_range places[7 + MACHINE_GICR_MAX + MACHINE_PCI_MAX] = {
        machine->gicd, machine->gicc, machine->gich,  machine->gicv,
        machine->its,  machine->v2m,  machine->pl011,
    };
    size_t count = 7;

    for (uint32_t i = 0; i < machine->gicr_count; i++)
        places[count++] = machine->gicr[i];
    for (uint32_t i = 0; i < machine->pci_count; i++)
        places[count++] = machine->pci[i].ecam;
    for (size_t i = 0; i < count; i++) {
        if (places[i].size_bytes == 0)
            continue;
        check(places[i].base != 0 && places[i].base % 4096 == 0 &&
              places[i].base <= ADDRESS_LIMIT - places[i].size_bytes &&
              !is_memory(places[i].base, places[i].size_bytes));
        for (size_t j = 0; j < i; j++)
            check(places[j].size_bytes == 0 ||
                  places[j].base + places[j].size_bytes <= places[i].base ||
                  places[i].base + places[i].size_bytes <= places[j].base);
    }
}

static void check_machine(const struct machine *machine)
{
    check(machine->gicr_count <= MACHINE_GICR_MAX && machine->cpu_count <= MACHINE_CPU_MAX &&
          machine->pci_count <= MACHINE_PCI_MAX);
    check_places(machine);
    for (uint32_t i = 0; i < MACHINE_TIMER_COUNT; i++)
        check(machine->timer_intids[i] == 0 ||
              (machine->timer_intids[i] >= 16 && machine->timer_intids[i] < 32));
    check(machine->gic_maintenance_intid == 0 ||
          (machine->gic_maintenance_intid >= 16 && machine->gic_maintenance_intid < 32));
    check(machine->pl011_intid == 0 || (machine->pl011_intid >= 32 && machine->pl011_intid < 1020));
    for (uint32_t i = 0; i < machine->pci_count; i++) {
        const struct machine_pci_host *host = &machine->pci[i];
        check(host->first_bus <= host->last_bus &&
              host->msi_first_requester + (uint64_t)host->msi_count <= 0x10000);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory memory;
    struct machine machine;
    const struct machine_acpi_source source = {{map, &memory}, is_memory, tell, ADDRESS_LIMIT};

    add_tables(&memory, data, size);
    told_count = 0;
    const char *problem = machine_acpi_read(&source, (uint64_t)1 << 16, &machine);
    check(told_count <= MACHINE_ACPI_TELL_MAX);
    check(problem || machine.gic != MACHINE_GIC_NONE);
    check_machine(&machine);
    for (size_t i = 0; i < memory.count; i++)
        free(memory.bytes[i]);
    return 0;
}
