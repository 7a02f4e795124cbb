// Memory of the host port: RAM is one block whose offsets are the physical addresses; page tables
// are a record of what the kernel asked for; see <arch/mmu.h>, <arch/user_copy.h>.

#include "kernel/arch/host/host_cpu.h"

#include <arch/mmu.h>
#include <arch/user_copy.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/arch/host/host_interrupts.h"
#include "kernel/core/log.h"
#include "kernel/memory/boot_memory.h"
#include "kernel/memory/phys.h"
#include "kernel/object/process.h"

#define LARGE_BYTES   ((uint64_t)PAGE_SIZE << PHYS_ORDER_LARGE)
#define ENTRY_COUNT   ((size_t)1 << PHYS_ORDER_LARGE)
#define USER_LIMIT    UINT64_C(0x00007ffffffff000)
#define GUEST_LIMIT   (UINT64_C(1) << 40)
#define FIRST_ADDRESS ((uint64_t)1 << 20) // no RAM below
#define FAULT_TRIES   8

struct host_entry {
    bool is_present;
    enum memory_type memory;
    uint32_t options;
    paddr_t page;
};

// What is shown in 2 MiB of addresses: one large page, or pages. Costs a page of RAM, as a table of
// hardware would.
struct host_table {
    struct host_table *next;
    uint64_t base;
    paddr_t charged_page;
    struct host_entry large;
    struct host_entry pages[ENTRY_COUNT];
};

static char *ram;
static uint32_t refused_tables;

void host_memory_init(void)
{
    void *at = mmap(NULL, HOST_RAM_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        host_fail("no memory for the RAM");
    ram = at;
    // Two ranges with a hole, neither ending on a large boundary, as real machines have them.
    uint64_t hole = HOST_RAM_BYTES / 2 - 3 * PAGE_SIZE, behind = HOST_RAM_BYTES / 2 + 5 * PAGE_SIZE;
    boot_memory_add_ram(0, HOST_RAM_BYTES);
    phys_add_range(PADDR(FIRST_ADDRESS), hole - FIRST_ADDRESS);
    phys_add_range(PADDR(behind), HOST_RAM_BYTES - behind);
}

void host_fail_tables(uint32_t count)
{
    refused_tables = count;
}

uint64_t arch_aspace_user_limit(void)
{
    return USER_LIMIT;
}

uint64_t arch_aspace_guest_limit(void)
{
    return GUEST_LIMIT;
}

void *arch_phys_to_virt(paddr_t address)
{
    ASSERT(address.raw < HOST_RAM_BYTES);
    return ram + address.raw;
}

paddr_t arch_virt_to_phys(const void *pointer)
{
    uint64_t offset = (uint64_t)((const char *)pointer - ram);

    ASSERT(offset < HOST_RAM_BYTES);
    return PADDR(offset);
}

// --- the kernel's own addresses: real memory already, of which only the owner of each page is
// recorded --------------

#define KERNEL_AREA_PAGES ((size_t)65536)

static char *kernel_area;
static size_t kernel_area_used;
static paddr_t kernel_pages[KERNEL_AREA_PAGES];

void *arch_kernel_reserve(size_t size_bytes)
{
    if (kernel_area == NULL) {
        kernel_area = mmap(NULL, KERNEL_AREA_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        for (size_t i = 0; i < KERNEL_AREA_PAGES; i++)
            kernel_pages[i] = PADDR_NONE;
    }
    if (size_bytes > KERNEL_AREA_PAGES * PAGE_SIZE - kernel_area_used)
        return NULL;
    void *reserved = kernel_area + kernel_area_used;
    kernel_area_used += align_up(size_bytes, PAGE_SIZE);
    return reserved;
}

static paddr_t *kernel_page_of(const void *at)
{
    uint64_t offset = (uint64_t)((const char *)at - kernel_area);

    ASSERT(is_aligned(offset, PAGE_SIZE) && offset < kernel_area_used);
    return &kernel_pages[offset / PAGE_SIZE];
}

bool arch_kernel_map_page(void *at, paddr_t page)
{
    ASSERT(paddr_is_none(*kernel_page_of(at)));
    *kernel_page_of(at) = page;
    return true;
}

paddr_t arch_kernel_unmap_page(void *at)
{
    paddr_t page = *kernel_page_of(at);

    ASSERT(!paddr_is_none(page));
    *kernel_page_of(at) = PADDR_NONE;
    return page;
}

// --- address spaces
// ---------------------------------------------------------------------------------

mx_status_t arch_aspace_init(struct arch_aspace *aspace, bool is_guest, struct job *job)
{
    *aspace = (struct arch_aspace){.is_guest = is_guest, .job = job};
    return MX_OK;
}

static void free_table(struct arch_aspace *aspace, struct host_table *table)
{
    phys_free(table->charged_page, 0, PHYS_USE_PAGE_TABLE);
    job_uncharge(aspace->job, PAGE_SIZE);
    free(table);
}

void arch_aspace_destroy(struct arch_aspace *aspace)
{
    struct host_table *table, *next;

    for (uint32_t i = 0; i < cpu_count; i++) {
        if (host_cpus[i].loaded_aspace != aspace)
            continue;
        const struct aspace *running = host_cpus[i].current->aspace;
        ASSERT(running == NULL || &running->arch != aspace);
        host_cpus[i].loaded_aspace = NULL;
    }
    for (table = aspace->tables; table != NULL; table = next) {
        next = table->next;
        free_table(aspace, table);
    }
    aspace->tables = NULL;
}

static struct host_table *find_table(const struct arch_aspace *aspace, uint64_t addr)
{
    struct host_table *table = aspace->tables;

    while (table != NULL && table->base != align_down(addr, LARGE_BYTES))
        table = table->next;
    return table;
}

static struct host_table *make_table(struct arch_aspace *aspace, uint64_t addr)
{
    struct host_table *table = find_table(aspace, addr);

    if (table != NULL)
        return table;
    if (refused_tables != 0) {
        refused_tables--;
        return NULL;
    }
    if (job_charge(aspace->job, PAGE_SIZE) != MX_OK)
        return NULL;
    paddr_t page = phys_alloc(0, PHYS_USE_PAGE_TABLE);
    if (paddr_is_none(page)) {
        job_uncharge(aspace->job, PAGE_SIZE);
        return NULL;
    }
    table = calloc(1, sizeof(*table));
    table->base = align_down(addr, LARGE_BYTES);
    table->charged_page = page;
    table->next = aspace->tables;
    aspace->tables = table;
    return table;
}

static size_t index_of(uint64_t addr)
{
    return addr % LARGE_BYTES / PAGE_SIZE;
}

static mx_status_t map_block(struct arch_aspace *aspace, uint64_t addr,
                             const struct host_entry *entry, unsigned order)
{
    struct host_table *table = make_table(aspace, addr);

    if (table == NULL)
        return MX_ERR_NO_MEMORY;
    if (order == PHYS_ORDER_LARGE) {
        memset(table->pages, 0, sizeof(table->pages));
        table->large = *entry;
    } else {
        table->large.is_present = false;
        table->pages[index_of(addr)] = *entry;
    }
    return MX_OK;
}

mx_status_t arch_aspace_map(struct arch_aspace *aspace, uint64_t addr, paddr_t page, unsigned order,
                            uint32_t options, enum memory_type memory)
{
    struct host_entry entry = {true, memory, options, page};
    uint64_t limit = aspace->is_guest ? GUEST_LIMIT : USER_LIMIT;
    mx_status_t status = MX_OK;

    ASSERT(arch_interrupts_are_enabled());
    ASSERT(order == 0 || order == PHYS_ORDER_LARGE || order == PHYS_ORDER_MAX);
    ASSERT(is_aligned(addr | page.raw, PAGE_SIZE << order) &&
           range_is_within(addr, PAGE_SIZE << order, limit));
    ASSERT(aspace->is_guest ||
           (options & (MX_MAP_WRITE | MX_MAP_EXECUTE)) != (MX_MAP_WRITE | MX_MAP_EXECUTE));
    ASSERT(memory != MEMORY_CACHED ||
           range_is_within(page.raw, PAGE_SIZE << order, HOST_RAM_BYTES));
    host_maybe_pause();
    if (order != PHYS_ORDER_MAX)
        return map_block(aspace, addr, &entry, order);
    for (uint64_t at = 0; at < PAGE_SIZE << order && status == MX_OK; at += LARGE_BYTES) {
        entry.page.raw = page.raw + at;
        status = map_block(aspace, addr + at, &entry, PHYS_ORDER_LARGE);
    }
    return status;
}

static void unmap_from_table(struct host_table *table, uint64_t addr, uint64_t end)
{
    uint64_t from = addr > table->base ? addr : table->base;
    uint64_t to = end < table->base + LARGE_BYTES ? end : table->base + LARGE_BYTES;

    if (from >= to)
        return;
    table->large.is_present = false;
    for (; from < to; from += PAGE_SIZE)
        table->pages[index_of(from)].is_present = false;
}

void arch_aspace_unmap(struct arch_aspace *aspace, uint64_t addr, uint64_t size_bytes)
{
    ASSERT(arch_interrupts_are_enabled() && is_aligned(addr | size_bytes, PAGE_SIZE));
    host_maybe_pause();
    for (struct host_table *table = aspace->tables; table != NULL; table = table->next)
        unmap_from_table(table, addr, addr + size_bytes);
}

static const struct host_entry *find_entry(const struct arch_aspace *aspace, uint64_t addr,
                                           paddr_t *page)
{
    const struct host_table *table = find_table(aspace, addr);

    if (table == NULL)
        return NULL;
    const struct host_entry *entry =
        table->large.is_present ? &table->large : &table->pages[index_of(addr)];
    if (!entry->is_present)
        return NULL;
    page->raw =
        entry->page.raw + (entry == &table->large ? align_down(addr, PAGE_SIZE) % LARGE_BYTES : 0);
    return entry;
}

bool host_aspace_lookup(const struct arch_aspace *aspace, uint64_t addr, paddr_t *page,
                        uint32_t *options, enum memory_type *memory)
{
    const struct host_entry *entry = find_entry(aspace, addr, page);

    if (entry == NULL)
        return false;
    *options = entry->options;
    *memory = entry->memory;
    return true;
}

uint64_t host_aspace_page_count(const struct arch_aspace *aspace)
{
    uint64_t count = 0;

    for (const struct host_table *table = aspace->tables; table != NULL; table = table->next) {
        count += table->large.is_present ? ENTRY_COUNT : 0;
        for (size_t i = 0; i < ENTRY_COUNT; i++)
            count += table->pages[i].is_present;
    }
    return count;
}

// --- user memory
// ------------------------------------------------------------------------------------

// The bytes behind a user address, for the access; faults as the hardware would. NULL: the kernel
// could not help.
static char *translate_user(uint64_t addr, uint32_t access)
{
    struct aspace *aspace = thread_current()->aspace;
    paddr_t page;

    ASSERT(arch_interrupts_are_enabled());
    if (aspace == NULL || addr < ARCH_USER_BASE || addr >= USER_LIMIT)
        return NULL;
    for (unsigned try = 0; try < FAULT_TRIES; try++) {
        const struct host_entry *entry = find_entry(&aspace->arch, addr, &page);
        if (entry != NULL && (entry->options & access))
            return entry->memory == MEMORY_CACHED
                       ? (char *)arch_phys_to_virt(page) + addr % PAGE_SIZE
                       : NULL;
        if (aspace_handle_fault(aspace, addr, access) != MX_OK)
            return NULL;
    }
    // Other CPUs may take the page away each time, but hardly so often.
    host_fail("the fault at 0x%lx was resolved and happens again", (unsigned long)addr);
}

static bool copy_user(uint64_t addr, char *bytes, size_t size_bytes, uint32_t access)
{
    while (size_bytes != 0) {
        size_t piece = PAGE_SIZE - addr % PAGE_SIZE;
        if (piece > size_bytes)
            piece = size_bytes;
        char *user = translate_user(addr, access);
        if (user == NULL)
            return false;
        if (access == MX_MAP_WRITE)
            memcpy(user, bytes, piece);
        else
            memcpy(bytes, user, piece);
        addr += piece;
        bytes += piece;
        size_bytes -= piece;
    }
    return true;
}

bool arch_copy_from_user(void *to, uint64_t from, size_t size_bytes)
{
    return copy_user(from, to, size_bytes, MX_MAP_READ);
}

bool arch_copy_to_user(uint64_t to, const void *from, size_t size_bytes)
{
    return copy_user(to, (char *)(uintptr_t)from, size_bytes, MX_MAP_WRITE);
}

bool arch_load_user_u32(uint64_t from, uint32_t *value)
{
    ASSERT(is_aligned(from, sizeof(*value)));
    return copy_user(from, (char *)value, sizeof(*value), MX_MAP_READ);
}

static void user_access(uint64_t addr, void *bytes, size_t size_bytes, uint32_t access)
{
    host_enter_kernel();
    if (!copy_user(addr, bytes, size_bytes, access))
        process_fault("access to memory that is not there", 0, addr);
    host_return_to_user();
}

void host_user_load(void *to, uint64_t from, size_t size_bytes)
{
    user_access(from, to, size_bytes, MX_MAP_READ);
}

void host_user_store(uint64_t to, const void *from, size_t size_bytes)
{
    user_access(to, (void *)(uintptr_t)from, size_bytes, MX_MAP_WRITE);
}
