// The guest object and its memory; see guest.h.
#include "vmm/monitor/guest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/startup.h>

#define LOG_LINES_MAX 200

static mx_status_t map_ram_in_guest(struct guest *guest, uint64_t address, uint64_t offset,
                                    uint64_t size_bytes)
{
    if (size_bytes == 0)
        return MX_OK;
    return mx_aspace_map(guest->aspace,
                         MX_MAP_READ | MX_MAP_WRITE | MX_MAP_EXECUTE | MX_MAP_SPECIFIC, guest->ram,
                         offset, size_bytes, &address);
}

static mx_status_t map_ram_here(struct guest *guest)
{
    uint64_t address = 0;
    mx_status_t status =
        mx_aspace_map(startup_handle_look(MX_STARTUP_SELF_ASPACE, 0), MX_MAP_READ | MX_MAP_WRITE,
                      guest->ram, 0, guest->config.memory_bytes, &address);

    if (status == MX_OK)
        status = guest_memory_add_region(&guest->memory, 0, guest->low_bytes,
                                         (void *)(uintptr_t)address);
    if (status == MX_OK && guest->high_bytes > 0)
        status = guest_memory_add_region(&guest->memory, guest->high_base, guest->high_bytes,
                                         (void *)(uintptr_t)(address + guest->low_bytes));
    return status;
}

// Guest RAM is executed by the guest alone: in its address space write and execute may go together.
static mx_status_t create_ram(struct guest *guest)
{
    mx_status_t status = mx_vmo_create(guest->config.memory_bytes, &guest->ram);

    if (status == MX_OK)
        status = map_ram_in_guest(guest, 0, 0, guest->low_bytes);
    if (status == MX_OK)
        status = map_ram_in_guest(guest, guest->high_base, guest->low_bytes, guest->high_bytes);
    return status == MX_OK ? map_ram_here(guest) : status;
}

mx_status_t guest_create(struct guest *guest, uint64_t low_max_bytes, uint64_t high_base)
{
    const uint64_t memory_bytes = guest->config.memory_bytes;

    guest->low_bytes = memory_bytes < low_max_bytes ? memory_bytes : low_max_bytes;
    guest->high_base = high_base;
    guest->high_bytes = memory_bytes - guest->low_bytes;
    mx_status_t status =
        mx_guest_create(guest->hypervisor, guest->job, &guest->handle, &guest->aspace);
    return status == MX_OK ? create_ram(guest) : status;
}

void guest_end(struct guest *guest, enum vmm_outcome outcome, mx_status_t status,
               const char *format, ...)
{
    const struct mx_port_packet packet = {.key = guest_event_key(GUEST_EVENT_ENDED, 0)};
    va_list args;

    mutex_lock(&guest->end_lock);
    const bool is_first = !guest->is_ended;
    if (is_first) {
        guest->end.header.kind = VMM_ENDED;
        guest->end.outcome = outcome;
        guest->end.status = status;
        va_start(args, format);
        vsnprintf(guest->end.message, sizeof(guest->end.message), format, args);
        va_end(args);
        __atomic_store_n(&guest->is_ended, true, __ATOMIC_RELEASE);
    }
    mutex_unlock(&guest->end_lock);
    // If even this packet cannot be queued, ending the process is what still tells the manager.
    if (is_first && guest->port != MX_HANDLE_INVALID &&
        mx_port_queue(guest->port, &packet) != MX_OK)
        mx_process_exit(1);
}

void guest_power_off(struct guest *guest)
{
    guest_end(guest, VMM_OUTCOME_POWER_OFF, MX_OK, "powered off");
}

void guest_reboot(struct guest *guest)
{
    guest_end(guest, VMM_OUTCOME_REBOOT, MX_OK, "rebooted");
}

void guest_log(struct guest *guest, const char *format, ...)
{
    static uint32_t line_count;
    char line[MX_LOG_LINE_SIZE];
    va_list args;

    if (guest->log == MX_HANDLE_INVALID ||
        __atomic_fetch_add(&line_count, 1, __ATOMIC_RELAXED) >= LOG_LINES_MAX)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    mx_log_write(guest->log, line, strlen(line));
}
