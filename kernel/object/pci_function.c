// Switching PCI functions off; see pci_function.h.
//
// Those that were ever taken keep their place in a table and their mapping, since switching off
// must not fail for want of memory. One mutex protects the table and the registers.
#include "kernel/object/pci_function.h"

#include <arch/mmu.h>
#include <arch/pci.h>

#include "kernel/core/log.h"
#include "kernel/core/mutex.h"
#include "kernel/memory/phys.h"

#define FUNCTIONS_MAX  512
#define BUS_SHIFT      20 // ECAM (PCI Express Base Specification 5.0, section 7.2.2)
#define FUNCTION_SHIFT 12

#define REG_ID         0x00
#define REG_COMMAND    0x04 // and the status register, whose bits a one clears
#define COMMAND_MASK   0xffffu
#define COMMAND_MASTER (1u << 2)
#define NOTHING        UINT32_MAX // what a read gives that nothing answers

struct pci_function {
    uint32_t requester;
    bool is_taken;
    volatile void *config;
};

static struct mutex functions_mutex;
static struct pci_function functions[FUNCTIONS_MAX];
static uint32_t function_count;

// Of the function's page of configuration space.
static bool find_config(uint32_t requester, paddr_t *out)
{
    uint32_t segment = requester >> 16, bus = requester >> 8 & 0xff, slot = requester & 0xff;
    struct mx_info_pci_host host;

    for (uint32_t i = 0; arch_pci_host(i, &host); i++) {
        if (host.segment != segment || bus < host.first_bus || bus > host.last_bus)
            continue;
        *out = PADDR(host.ecam_base + ((uint64_t)(bus - host.first_bus) << BUS_SHIFT |
                                       (uint64_t)slot << FUNCTION_SHIFT));
        return true;
    }
    return false;
}

static mx_status_t find_locked(uint32_t requester, struct pci_function **out)
{
    paddr_t config;

    for (uint32_t i = 0; i < function_count; i++) {
        *out = &functions[i];
        if (functions[i].requester == requester)
            return MX_OK;
    }
    if (!find_config(requester, &config))
        return MX_ERR_NOT_FOUND;
    if (function_count == FUNCTIONS_MAX)
        return MX_ERR_NO_RESOURCES;
    struct pci_function *function = &functions[function_count];
    function->requester = requester;
    function->config = arch_map_device(config, PAGE_SIZE);
    if (function->config == NULL)
        return MX_ERR_NO_MEMORY;
    function_count++;
    *out = function;
    return MX_OK;
}

static bool is_there(const struct pci_function *function)
{
    return arch_pci_read(function->config, REG_ID) != NOTHING;
}

mx_status_t pci_function_take(uint32_t requester, struct pci_function **out)
{
    struct pci_function *function;

    mutex_lock(&functions_mutex);
    mx_status_t status = find_locked(requester, &function);
    if (status == MX_OK && !is_there(function))
        status = MX_ERR_NOT_FOUND;
    else if (status == MX_OK && function->is_taken)
        status = MX_ERR_ALREADY_EXISTS;
    if (status == MX_OK) {
        function->is_taken = true;
        *out = function;
    }
    mutex_unlock(&functions_mutex);
    return status;
}

void pci_function_give_back(struct pci_function *function)
{
    mutex_lock(&functions_mutex);
    function->is_taken = false;
    mutex_unlock(&functions_mutex);
}

static void say(const struct pci_function *function, const char *what)
{
    uint32_t requester = function->requester;

    log_print("PCI function %04x:%02x:%02x.%u %s", requester >> 16, requester >> 8 & 0xff,
              requester >> 3 & 0x1f, requester & 7, what);
}

// A read is answered after everything that the function wrote before the answer has arrived (PCI
// Express Base Specification 5.0, section 2.4.1 "Transaction Ordering Rules").
bool pci_function_silence(struct pci_function *function)
{
    mutex_lock(&functions_mutex);
    uint32_t before = arch_pci_read(function->config, REG_COMMAND), after = before;
    if (before != NOTHING && (before & COMMAND_MASTER)) {
        arch_pci_write(function->config, REG_COMMAND, before & COMMAND_MASK & ~COMMAND_MASTER);
        after = arch_pci_read(function->config, REG_COMMAND);
    }
    mutex_unlock(&functions_mutex);
    bool is_silent = after == NOTHING || !(after & COMMAND_MASTER);
    if (!is_silent)
        say(function, "cannot be switched off: the memory that it reaches stays taken");
    else if (after != before)
        say(function, "was left on by who used it: switched off");
    return is_silent;
}

uint32_t pci_function_requester(const struct pci_function *function)
{
    return function->requester;
}
