// The functions behind a PCI host bridge; see pci_scan.h.
#include "user/drivers/portable/pci_scan.h"

#include <string.h>

#define REG_COMMAND       0x04
#define REG_BUSES         0x18 // primary, secondary, subordinate bus, latency timer
#define REG_MEMORY_WINDOW 0x20 // base and limit in units of 1 MiB
#define REG_PREFETCH      0x24 // base and limit; closed when the base is above the limit
#define REG_PREFETCH_HIGH 0x28 // of the base; then of the limit
#define PREFETCH_IS_64    1u
#define WINDOW_CLOSED     0x0000fff0u
#define WINDOW_ALIGNMENT  ((uint64_t)1 << 20)

#define SLOT_COUNT     256
#define FUNCTION_COUNT 8
#define BUS_COUNT      256
#define DEPTH_MAX      8 // bridges behind bridges

#define PAGE_BYTES 4096 // registers of different functions do not share a page

static const char shares_pages[] = "its registers share a page with those of another device";

// What is left of a window.
struct space {
    uint64_t next, end;
};

struct scanner {
    const struct pci_access *access;
    const struct mx_info_pci_host *host;
    struct pci_scan *out;
    bool is_bus_seen[BUS_COUNT];
    uint32_t highest_bus; // that is numbered
    bool is_placing;      // the second of two scans: the first sees which addresses firmware gave
    struct space memory32, memory64;
};

static struct space space_of(const struct mx_pci_window *window)
{
    // Address 0 means none.
    uint64_t base = window->bus_base ? window->bus_base : WINDOW_ALIGNMENT;

    if (window->size_bytes == 0 || window->bus_base + window->size_bytes <= base)
        return (struct space){0, 0};
    return (struct space){base, window->bus_base + window->size_bytes};
}

// `size` is a power of two. 0: no room.
static uint64_t take(struct space *space, uint64_t size)
{
    uint64_t alignment = size < PAGE_BYTES ? PAGE_BYTES : size;
    uint64_t base = (space->next + alignment - 1) & ~(alignment - 1);

    if (base < space->next || base >= space->end || space->end - base < alignment)
        return 0;
    space->next = base + alignment;
    return base;
}

// What firmware gave is not given again.
static void reserve(struct space *space, uint64_t base, uint64_t size)
{
    if (base < space->end && size <= UINT64_MAX - base && base + size > space->next)
        space->next = base + size;
}

static void reserve_both(struct scanner *scanner, uint64_t base, uint64_t size)
{
    reserve(&scanner->memory32, base, size);
    reserve(&scanner->memory64, base, size);
}

static bool has_place(const struct pci_bar *bar)
{
    return bar->kind >= PCI_BAR_MEMORY32 && bar->base != 0;
}

static void record_places(struct scanner *scanner, uint16_t function,
                          const struct pci_bar bars[PCI_BAR_COUNT])
{
    struct pci_places *places = scanner->is_placing ? &scanner->out->after : &scanner->out->before;

    for (uint32_t i = 0; i < PCI_BAR_COUNT; i++) {
        if (!has_place(&bars[i]))
            continue;
        if (places->count == PCI_PLACES_MAX) {
            places->has_more = true;
            return;
        }
        places->places[places->count].base = bars[i].base;
        places->places[places->count++].function = function;
    }
}

// Whether somebody else's registers begin in the pages of these.
static bool shares_with_others(const struct pci_places *places, uint16_t function,
                               const struct pci_bar *bar)
{
    uint64_t base = bar->base & ~(uint64_t)(PAGE_BYTES - 1),
             size = bar->size_bytes < PAGE_BYTES ? PAGE_BYTES : bar->size_bytes;

    for (uint32_t i = 0; i < places->count; i++) {
        if (places->places[i].function != function && places->places[i].base >= base &&
            places->places[i].base - base < size)
            return true;
    }
    return places->has_more;
}

// Registers are aligned to their size.
static void reserve_unmeasured(struct scanner *scanner, const struct pci_config *config,
                               uint16_t function, uint32_t bar_count)
{
    struct pci_bar bars[PCI_BAR_COUNT];

    pci_read_bases(config, bar_count, bars);
    record_places(scanner, function, bars);
    for (uint32_t i = 0; i < PCI_BAR_COUNT; i++) {
        if (has_place(&bars[i]))
            reserve_both(scanner, bars[i].base, bars[i].base & -bars[i].base);
    }
}

// Of a bridge that firmware set up, all that it passes on is taken.
static void reserve_windows(struct scanner *scanner, const struct pci_config *config)
{
    uint32_t window = config->read(config->context, REG_MEMORY_WINDOW),
             prefetch = config->read(config->context, REG_PREFETCH);
    uint64_t base = (uint64_t)(window & 0xfff0) << 16, limit = window | (WINDOW_ALIGNMENT - 1);

    if (base != 0 && limit > base)
        reserve_both(scanner, base, limit - base + 1);
    base = (uint64_t)(prefetch & 0xfff0) << 16;
    limit = prefetch | (WINDOW_ALIGNMENT - 1);
    if (prefetch & PREFETCH_IS_64) {
        base |= (uint64_t)config->read(config->context, REG_PREFETCH_HIGH) << 32;
        limit |= (uint64_t)config->read(config->context, REG_PREFETCH_HIGH + 4) << 32;
    }
    if (base != 0 && limit > base && limit != UINT64_MAX)
        reserve_both(scanner, base, limit - base + 1);
}

static uint16_t name_of(const struct pci_function *function)
{
    return (uint16_t)(function->bus << 8 | function->slot);
}

// A bridge passes on 64-bit addresses only in its prefetchable window, which is not used: behind
// bridges all registers go below 4 GiB.
static uint64_t find_place(struct scanner *scanner, const struct pci_function *function,
                           const struct pci_bar *bar)
{
    uint64_t base = 0;

    if (bar->kind == PCI_BAR_MEMORY64 && function->bus == scanner->host->first_bus)
        base = take(&scanner->memory64, bar->size_bytes);
    return base != 0 ? base : take(&scanner->memory32, bar->size_bytes);
}

// Whether the registers stay where firmware put them.
static bool stays(const struct scanner *scanner, const struct pci_function *function,
                  const struct pci_bar *bar)
{
    if (bar->base == 0)
        return false;
    return bar->size_bytes >= PAGE_BYTES ||
           (bar->base % PAGE_BYTES == 0 &&
            !shares_with_others(&scanner->out->before, name_of(function), bar));
}

static void place_bar(struct scanner *scanner, const struct pci_config *config,
                      struct pci_function *function, uint32_t index)
{
    struct pci_bar *bar = &function->bars[index];

    if (bar->kind < PCI_BAR_MEMORY32)
        return;
    if (bar->base != 0)
        reserve_both(scanner, bar->base, bar->size_bytes);
    if (!scanner->is_placing || stays(scanner, function, bar))
        return;
    uint64_t base = find_place(scanner, function, bar);
    if (base != 0)
        pci_set_bar(config, index, bar, base);
    if (bar->base != 0) // a new one, or firmware's, which will not do if others begin there
        return;
    bar->kind = PCI_BAR_NONE;
    bar->size_bytes = 0;
    scanner->out->no_address_count++;
}

static void add_function(struct scanner *scanner, const struct pci_config *config, uint8_t bus,
                         uint8_t slot, const struct pci_header *header)
{
    uint16_t name = (uint16_t)(bus << 8 | slot);

    if (scanner->out->count == PCI_FUNCTIONS_MAX) {
        scanner->out->left_out_count++;
        reserve_unmeasured(scanner, config, name, PCI_BAR_COUNT);
        return;
    }
    struct pci_function *function = &scanner->out->functions[scanner->out->count++];
    *function = (struct pci_function){.bus = bus, .slot = slot, .header = *header};
    function->is_wanted = scanner->access->is_wanted(scanner->access->context, header);
    if (!function->is_wanted) {
        reserve_unmeasured(scanner, config, name, PCI_BAR_COUNT);
        return;
    }
    pci_read_bars(config, function->bars);
    for (uint32_t i = 0; i < PCI_BAR_COUNT; i++)
        place_bar(scanner, config, function, i);
    record_places(scanner, name, function->bars);
}

static void scan_bus(struct scanner *scanner, uint8_t bus, uint32_t depth);

static void write_buses(const struct pci_config *config, uint32_t primary, uint32_t secondary,
                        uint32_t subordinate)
{
    config->write(config->context, REG_BUSES, primary | secondary << 8 | subordinate << 16);
}

// Numbers the bus behind the bridge, and opens a window for what is found there.
static void open_bridge(struct scanner *scanner, const struct pci_config *config, uint8_t bus,
                        uint32_t depth)
{
    uint64_t start = (scanner->memory32.next + WINDOW_ALIGNMENT - 1) & ~(WINDOW_ALIGNMENT - 1);

    if (!scanner->is_placing || scanner->highest_bus >= scanner->host->last_bus ||
        scanner->memory32.end == 0 || start >= scanner->memory32.end)
        return;
    uint32_t secondary = ++scanner->highest_bus;
    write_buses(config, bus, secondary, scanner->host->last_bus);
    scanner->memory32.next = start;
    scan_bus(scanner, (uint8_t)secondary, depth + 1);
    write_buses(config, bus, secondary, scanner->highest_bus);
    uint64_t end = (scanner->memory32.next + WINDOW_ALIGNMENT - 1) & ~(WINDOW_ALIGNMENT - 1);
    uint32_t window = WINDOW_CLOSED;
    if (end > start)
        window =
            (uint32_t)(start >> 16 & 0xfff0) | ((uint32_t)(end - WINDOW_ALIGNMENT) & 0xfff00000u);
    config->write(config->context, REG_MEMORY_WINDOW, window);
    config->write(config->context, REG_PREFETCH, WINDOW_CLOSED);
    config->write(config->context, REG_PREFETCH_HIGH, 0);
    scanner->memory32.next = end;
    pci_enable(config);
}

static void scan_bridge(struct scanner *scanner, const struct pci_config *config, uint8_t bus,
                        uint8_t slot, uint32_t depth)
{
    uint8_t secondary = pci_read8(config, REG_BUSES + 1);

    reserve_unmeasured(scanner, config, (uint16_t)(bus << 8 | slot), PCI_BRIDGE_BAR_COUNT);
    if (depth == DEPTH_MAX)
        return;
    if (secondary == 0) {
        open_bridge(scanner, config, bus, depth);
    } else if (secondary > bus && secondary <= scanner->host->last_bus) {
        struct space memory32 = scanner->memory32, memory64 = scanner->memory64;

        reserve_windows(scanner, config);
        // Its windows are firmware's: nothing else can be put behind it.
        if (scanner->is_placing)
            scanner->memory32 = scanner->memory64 = (struct space){0, 0};
        scan_bus(scanner, secondary, depth + 1);
        if (scanner->is_placing) {
            scanner->memory32 = memory32;
            scanner->memory64 = memory64;
        }
        // Functions behind it may reach memory.
        pci_enable(config);
    }
}

static void scan_bus(struct scanner *scanner, uint8_t bus, uint32_t depth)
{
    if (scanner->is_bus_seen[bus])
        return;
    scanner->is_bus_seen[bus] = true;
    if (bus > scanner->highest_bus)
        scanner->highest_bus = bus;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        struct pci_config config;
        struct pci_header header;

        scanner->access->open(scanner->access->context, bus, (uint8_t)slot, &config);
        bool is_there = pci_read_header(&config, &header);
        if (is_there && header.is_bridge)
            scan_bridge(scanner, &config, bus, (uint8_t)slot, depth);
        else if (is_there)
            add_function(scanner, &config, bus, (uint8_t)slot, &header);
        // Function 0 says whether there are others; without it there are none.
        if (slot % FUNCTION_COUNT == 0 && (!is_there || !header.is_multifunction))
            slot += FUNCTION_COUNT - 1;
    }
}

static void refuse_shared(struct pci_scan *out)
{
    for (uint32_t i = 0; i < out->count; i++) {
        struct pci_function *function = &out->functions[i];

        for (uint32_t j = 0; j < PCI_BAR_COUNT; j++) {
            if (function->is_wanted && has_place(&function->bars[j]) &&
                shares_with_others(&out->after, name_of(function), &function->bars[j]))
                function->refusal = shares_pages;
        }
    }
}

void pci_scan(const struct pci_access *access, const struct mx_info_pci_host *host,
              struct pci_scan *out)
{
    struct scanner scanner = {
        .access = access,
        .host = host,
        .out = out,
        .highest_bus = host->first_bus,
        .memory32 = space_of(&host->memory32),
        .memory64 = space_of(&host->memory64),
    };

    memset(out, 0, sizeof(*out));
    scan_bus(&scanner, host->first_bus, 0);
    out->count = out->left_out_count = out->no_address_count = 0;
    memset(scanner.is_bus_seen, 0, sizeof(scanner.is_bus_seen));
    scanner.is_placing = true;
    scan_bus(&scanner, host->first_bus, 0);
    refuse_shared(out);
}

static bool is_in(const struct mx_pci_window *window, uint64_t bus_address)
{
    return bus_address >= window->bus_base && bus_address - window->bus_base < window->size_bytes;
}

uint64_t pci_cpu_address(const struct mx_info_pci_host *host, uint64_t bus_address)
{
    if (is_in(&host->memory32, bus_address))
        return bus_address - host->memory32.bus_base + host->memory32.base;
    if (is_in(&host->memory64, bus_address))
        return bus_address - host->memory64.bus_base + host->memory64.base;
    return bus_address;
}
