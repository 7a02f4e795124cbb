// Exceptions: faults of user programs go to the address space or end the process; faults of the
// kernel's own copies from user memory end the copy, faults of firmware that it calls end the call;
// everything else is a bug and stops the machine. AMD64 Architecture Programmer's Manual Volume 2,
// "Vectors".
#include <arch/fpu.h>
#include <arch/mmu.h>

#include "kernel/arch/x86_64/firmware.h"
#include "kernel/arch/x86_64/frame.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/arch/x86_64/regs/control.h"
#include "kernel/arch/x86_64/regs/segments.h"
#include "kernel/core/log.h"
#include "kernel/core/thread.h"
#include "kernel/memory/aspace.h"
#include "kernel/object/process.h"

// An instruction of entry.S that may fault on a user address, and where to go on if it does.
struct exception_entry {
    uint64_t fault, fixup;
};
extern const struct exception_entry exception_table[], exception_table_end[];

// Called by entry.S.
void x86_handle_vector(struct x86_frame *frame);
void x86_handle_paranoid(struct x86_frame *frame);
_Noreturn void x86_syscall_return_fault(uint64_t rip);

bool interrupts_nmi_stops;

static const char *const exception_names[VECTOR_EXCEPTION_COUNT] = {
    "divide error",
    "debug exception",
    "non-maskable interrupt",
    "breakpoint",
    "overflow",
    "bound range exceeded",
    "invalid opcode",
    "device not available",
    "double fault",
    "coprocessor segment overrun",
    "invalid TSS",
    "segment not present",
    "stack fault",
    "general protection fault",
    "page fault",
    "reserved exception",
    "x87 floating-point error",
    "alignment check",
    "machine check",
    "SIMD floating-point error",
    "virtualization exception",
    "control protection exception",
};

static const char *exception_name(uint64_t vector)
{
    return exception_names[vector] ? exception_names[vector] : "reserved exception";
}

static bool is_from_user(const struct x86_frame *frame)
{
    return frame->cs & 3;
}

static _Noreturn void kernel_fault(const struct x86_frame *frame, uint64_t addr)
{
    x86_current_cpu()->fault_frame = frame;
    if (frame->vector == VECTOR_PAGE_FAULT)
        panic("page fault in the kernel at address 0x%lx, error code 0x%lx", addr,
              frame->error_code);
    panic("%s in the kernel, error code 0x%lx", exception_name(frame->vector), frame->error_code);
}

static uint32_t fault_access(const struct x86_frame *frame)
{
    if (frame->error_code & PAGE_FAULT_FETCH)
        return MX_MAP_EXECUTE;
    return frame->error_code & PAGE_FAULT_WRITE ? MX_MAP_WRITE : MX_MAP_READ;
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

static void handle_user_page_fault(const struct x86_frame *frame, uint64_t addr)
{
    uint32_t access = fault_access(frame);
    mx_status_t status = resolve_fault(addr, access);

    if (status != MX_OK)
        process_fault(fault_text(status, access), frame->rip, addr);
}

static void handle_user_exception(const struct x86_frame *frame)
{
    uint64_t addr = frame->vector == VECTOR_PAGE_FAULT ? cr2_read() : frame->rip;

    arch_interrupts_enable();
    if (frame->vector == VECTOR_PAGE_FAULT)
        handle_user_page_fault(frame, addr);
    else if (frame->vector != VECTOR_NOT_AVAILABLE)
        process_fault(exception_name(frame->vector), frame->rip, addr);
    else if (fpu_handle_not_available() != MX_OK)
        process_fault("no memory for floating-point state", frame->rip, addr);
    arch_interrupts_disable();
}

static const struct exception_entry *find_fixup(uint64_t rip)
{
    for (const struct exception_entry *entry = exception_table; entry < exception_table_end;
         entry++) {
        if (entry->fault == rip)
            return entry;
    }
    return NULL;
}

// Only a fault of the exception table's instructions on a user address is not a bug.
static void handle_kernel_exception(struct x86_frame *frame)
{
    const struct exception_entry *fixup = find_fixup(frame->rip);
    uint64_t addr = frame->vector == VECTOR_PAGE_FAULT ? cr2_read() : 0;

    if (firmware_end_call(frame))
        return;
    if (!fixup || frame->vector != VECTOR_PAGE_FAULT || addr >= arch_aspace_user_limit() ||
        !(frame->rflags & RFLAGS_IF))
        kernel_fault(frame, addr);
    arch_interrupts_enable();
    if (resolve_fault(addr, fault_access(frame)) != MX_OK)
        frame->rip = fixup->fixup;
    arch_interrupts_disable();
}

void x86_handle_vector(struct x86_frame *frame)
{
    if (frame->vector >= VECTOR_EXCEPTION_COUNT)
        interrupts_handle(frame);
    else if (is_from_user(frame))
        handle_user_exception(frame);
    else
        handle_kernel_exception(frame);
}

// On a stack of its own, in the middle of anything: takes no lock.
void x86_handle_paranoid(struct x86_frame *frame)
{
    if (frame->vector != VECTOR_NMI)
        kernel_fault(frame, 0);
    if (__atomic_load_n(&interrupts_nmi_stops, __ATOMIC_ACQUIRE))
        arch_cpu_halt();
}

void x86_syscall_return_fault(uint64_t rip)
{
    arch_interrupts_enable();
    process_fault("system call at the end of user memory", rip, rip);
}
