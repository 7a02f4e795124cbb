// Calls of UEFI firmware on page tables of their own; the contract is <arch/firmware.h>.
#include "kernel/arch/x86_64/firmware.h"

#include <arch/firmware.h>
#include <arch/fpu.h>

#include "kernel/arch/x86_64/frame.h"
#include "kernel/arch/x86_64/paging.h"
#include "kernel/arch/x86_64/regs/control.h"
#include "kernel/core/log.h"
#include "kernel/memory/phys.h"

// In firmware_call.S.
bool x86_firmware_call(uint64_t function, const uint64_t *arguments, uint64_t root,
                       uint64_t *result);
extern const char x86_firmware_fault[];

static uint64_t firmware_root; // 0: nothing is mapped
static const struct x86_cpu *calling_cpu;

const void *arch_firmware_view(paddr_t base, uint64_t size_bytes)
{
    return paging_map_firmware(base, size_bytes);
}

bool arch_firmware_map(paddr_t base, uint64_t size_bytes, bool is_device)
{
    return paging_map_identity(&firmware_root, base.raw, size_bytes, is_device);
}

// Other CPUs that want this one to forget translations wait.
bool arch_firmware_call(uint64_t function, const uint64_t arguments[ARCH_FIRMWARE_ARGUMENTS],
                        uint64_t *result)
{
    bool has_returned;

    if (firmware_root == 0)
        return false;
    fpu_lend_registers();
    calling_cpu = x86_current_cpu();
    has_returned = x86_firmware_call(function, arguments, firmware_root, result);
    calling_cpu = NULL;
    fpu_take_registers_back();
    return has_returned;
}

bool firmware_end_call(struct x86_frame *frame)
{
    if (calling_cpu != x86_current_cpu())
        return false;
    log_print("firmware faulted at 0x%lx, vector %lu, address 0x%lx", frame->rip, frame->vector,
              cr2_read());
    frame->rip = (uint64_t)x86_firmware_fault;
    frame->rflags = RFLAGS_ONE;
    return true;
}
