// Mapping of a UART's registers; see uart_memory.h.

#include "user/services/uart_memory.h"

#include <machina/syscalls.h>

#include <machina_user/process.h>
#include <machina_user/startup.h>

mx_status_t uart_map_registers(uint64_t base, uint64_t size_bytes, uintptr_t *registers)
{
    mx_handle_t resource = startup_handle_take(MX_STARTUP_RESOURCE, MX_RESOURCE_MMIO);
    uint64_t first = base & ~(uint64_t)(MX_PAGE_SIZE - 1), address = 0;
    uint64_t mapped_bytes =
        (base - first + size_bytes + MX_PAGE_SIZE - 1) & ~(uint64_t)(MX_PAGE_SIZE - 1);
    mx_handle_t vmo;

    if (resource == MX_HANDLE_INVALID)
        return MX_ERR_NOT_FOUND;
    mx_status_t status = mx_vmo_create_physical(resource, 0, first, mapped_bytes, &vmo);
    handle_close(resource);
    if (status == MX_OK) {
        status = mx_aspace_map(startup_handle_look(MX_STARTUP_SELF_ASPACE, 0),
                               MX_MAP_READ | MX_MAP_WRITE, vmo, 0, mapped_bytes, &address);
        handle_close(vmo);
    }
    *registers = (uintptr_t)(address + (base - first));
    return status == MX_OK || status == MX_ERR_NO_MEMORY ? status : MX_ERR_NOT_FOUND;
}
