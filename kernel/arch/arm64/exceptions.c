// Exceptions: faults of user programs go to the address space or end the process; faults of the
// kernel's own copies from user memory end the copy, faults of firmware that it calls end the call;
// everything else is a bug and stops the machine. Arm ARM DDI 0487J.a, D1.3 "Exceptions", D19.2.37
// "ESR_EL1".
#include <arch/fpu.h>
#include <arch/mmu.h>

#include "kernel/arch/arm64/firmware.h"
#include "kernel/arch/arm64/frame.h"
#include "kernel/arch/arm64/interrupts.h"
#include "kernel/arch/arm64/regs/control.h"
#include "kernel/arch/arm64/regs/exception.h"
#include "kernel/core/log.h"
#include "kernel/core/thread.h"
#include "kernel/memory/aspace.h"
#include "kernel/object/process.h"

// Instructions of entry.S that may fault on a user address, and where to go on if they do.
struct exception_entry {
    uint64_t start, end, fixup;
};
extern const struct exception_entry exception_table[], exception_table_end[];

// Called by entry.S, interrupts disabled.
void arm64_handle_user_exception(struct arm64_frame *frame);
void arm64_handle_user_serror(struct arm64_frame *frame);
void arm64_handle_kernel_exception(struct arm64_frame *frame);
_Noreturn void arm64_handle_unexpected(const struct arm64_frame *frame);
_Noreturn void arm64_handle_stack_overflow(const struct arm64_frame *frame);

static const char *exception_name(uint64_t esr)
{
    switch (ESR_EC(esr)) {
    case ESR_EC_UNKNOWN:
        return "undefined instruction";
    case ESR_EC_FP_ACCESS:
        return "floating-point instruction";
    case ESR_EC_SVE_ACCESS:
        return "SVE instruction";
    case ESR_EC_ILLEGAL_STATE:
        return "illegal execution state";
    case ESR_EC_SYSREG:
        return "access to a system register";
    case ESR_EC_FETCH_LOWER:
    case ESR_EC_FETCH_SAME:
        return "instruction abort";
    case ESR_EC_DATA_LOWER:
    case ESR_EC_DATA_SAME:
        return "data abort";
    case ESR_EC_PC_ALIGNMENT:
        return "misaligned PC";
    case ESR_EC_SP_ALIGNMENT:
        return "misaligned SP";
    case ESR_EC_FP_EXCEPTION:
        return "floating-point exception";
    case ESR_EC_SERROR:
        return "SError";
    case ESR_EC_BREAK_LOWER:
    case ESR_EC_STEP_LOWER:
    case ESR_EC_WATCH_LOWER:
    case ESR_EC_BRK64:
        return "breakpoint";
    default:
        return "exception";
    }
}

static bool is_fetch(uint64_t esr)
{
    return ESR_EC(esr) == ESR_EC_FETCH_LOWER || ESR_EC(esr) == ESR_EC_FETCH_SAME;
}

static bool is_abort(uint64_t esr)
{
    return is_fetch(esr) || ESR_EC(esr) == ESR_EC_DATA_LOWER || ESR_EC(esr) == ESR_EC_DATA_SAME;
}

// An abort that another entry in the tables may cure.
static bool is_page_fault(uint64_t esr)
{
    uint64_t type = ESR_FSC_TYPE(esr);

    return is_abort(esr) && (type == ESR_FSC_TRANSLATION || type == ESR_FSC_ACCESS_FLAG ||
                             type == ESR_FSC_PERMISSION);
}

static _Noreturn void kernel_fault(const struct arm64_frame *frame, const char *what)
{
    arm64_current_cpu()->fault_frame = frame;
    if (is_abort(frame->esr))
        panic("%s in the kernel at address 0x%lx, syndrome 0x%lx", what, sysreg_read(far_el1),
              frame->esr);
    panic("%s in the kernel, syndrome 0x%lx", what, frame->esr);
}

static uint32_t fault_access(uint64_t esr)
{
    if (is_fetch(esr))
        return MX_MAP_EXECUTE;
    // Cache maintenance by address counts as a read.
    return (esr & ESR_WNR) && !(esr & ESR_CM) ? MX_MAP_WRITE : MX_MAP_READ;
}

static mx_status_t resolve_fault(uint64_t addr, uint32_t access)
{
    struct aspace *aspace = thread_current()->aspace;

    if (!aspace || addr >= arch_aspace_user_limit())
        return MX_ERR_NOT_FOUND;
    return aspace_handle_fault(aspace, addr, access);
}

static const char *fault_text(mx_status_t status, uint32_t access)
{
    if (status == MX_ERR_NO_MEMORY)
        return "no memory for a page";
    if (access == MX_MAP_EXECUTE)
        return "executed memory that it may not";
    return access == MX_MAP_WRITE ? "wrote to memory that it may not"
                                  : "read memory that it may not";
}

static void handle_user_page_fault(const struct arm64_frame *frame, uint64_t addr)
{
    uint32_t access = fault_access(frame->esr);
    mx_status_t status = resolve_fault(addr, access);

    if (status != MX_OK)
        process_fault(fault_text(status, access), frame->elr, addr);
}

void arm64_handle_user_exception(struct arm64_frame *frame)
{
    uint64_t addr = is_abort(frame->esr) ? sysreg_read(far_el1) : frame->elr;

    arch_interrupts_enable();
    if (is_page_fault(frame->esr))
        handle_user_page_fault(frame, addr);
    else if (ESR_EC(frame->esr) != ESR_EC_FP_ACCESS)
        process_fault(exception_name(frame->esr), frame->elr, addr);
    else if (fpu_handle_not_available() != MX_OK)
        process_fault("no memory for floating-point state", frame->elr, addr);
    arch_interrupts_disable();
}

// A device that the process drives answered with an error.
void arm64_handle_user_serror(struct arm64_frame *frame)
{
    arch_interrupts_enable();
    process_fault(exception_name(frame->esr), frame->elr, frame->elr);
}

static const struct exception_entry *find_fixup(uint64_t pc)
{
    for (const struct exception_entry *entry = exception_table; entry < exception_table_end;
         entry++) {
        if (pc >= entry->start && pc < entry->end)
            return entry;
    }
    return NULL;
}

// Only a fault of the exception table's instructions on a user address is not a bug. What is no
// page fault (an external abort of device memory) ends the copy too.
void arm64_handle_kernel_exception(struct arm64_frame *frame)
{
    const struct exception_entry *fixup = find_fixup(frame->elr);
    uint64_t addr = sysreg_read(far_el1);

    if (firmware_end_call(frame))
        return;
    if (!fixup || ESR_EC(frame->esr) != ESR_EC_DATA_SAME || addr >= arch_aspace_user_limit() ||
        (frame->spsr & PSTATE_I))
        kernel_fault(frame, exception_name(frame->esr));
    arch_interrupts_enable();
    if (!is_page_fault(frame->esr) || resolve_fault(addr, fault_access(frame->esr)) != MX_OK)
        frame->elr = fixup->fixup;
    arch_interrupts_disable();
}

void arm64_handle_unexpected(const struct arm64_frame *frame)
{
    kernel_fault(frame, exception_name(frame->esr));
}

void arm64_handle_stack_overflow(const struct arm64_frame *frame)
{
    kernel_fault(frame, "stack overflow");
}
