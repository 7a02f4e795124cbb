// Calls of UEFI firmware on translation tables of their own; the contract is <arch/firmware.h>.
#include "kernel/arch/arm64/firmware.h"

#include <arch/firmware.h>
#include <arch/fpu.h>

#include "kernel/arch/arm64/frame.h"
#include "kernel/arch/arm64/paging.h"
#include "kernel/arch/arm64/regs/control.h"
#include "kernel/core/log.h"
#include "kernel/memory/phys.h"

// In firmware_call.S.
bool arm64_firmware_call(uint64_t function, const uint64_t *arguments, uint64_t *result);
extern const char arm64_firmware_fault[];

static uint64_t firmware_root; // 0: nothing is mapped
static const struct arm64_cpu *calling_cpu;

const void *arch_firmware_view(paddr_t base, uint64_t size_bytes)
{
    return paging_map_firmware(base, size_bytes);
}

bool arch_firmware_map(paddr_t base, uint64_t size_bytes, bool is_device)
{
    return paging_map_identity(&firmware_root, base.raw, size_bytes, is_device);
}

bool arch_firmware_call(uint64_t function, const uint64_t arguments[ARCH_FIRMWARE_ARGUMENTS],
                        uint64_t *result)
{
    uint64_t sctlr = sysreg_read(sctlr_el1);
    bool has_returned;

    if (firmware_root == 0)
        return false;
    fpu_release_current_thread();
    arm64_current_cpu()->fpu_cached = NULL;
    sysreg_write(fpcr, 0); // no trap, rounding to nearest
    // Firmware's code and data share pages. The loads of tables forget what TLBs know of WXN.
    sysreg_write(sctlr_el1, sctlr & ~SCTLR_WXN);
    paging_load_identity(firmware_root);
    calling_cpu = arm64_current_cpu();
    has_returned = arm64_firmware_call(function, arguments, result);
    calling_cpu = NULL;
    sysreg_write(sctlr_el1, sctlr);
    paging_load_identity(0);
    return has_returned;
}

bool firmware_end_call(struct arm64_frame *frame)
{
    if (calling_cpu != arm64_current_cpu())
        return false;
    log_print("firmware faulted at 0x%lx, address 0x%lx, syndrome 0x%lx", frame->elr,
              sysreg_read(far_el1), frame->esr);
    frame->elr = (uint64_t)arm64_firmware_fault;
    frame->spsr |= PSTATE_I;
    return true;
}
