// String instructions; the contract is in the header.
//
// The registers move on only when an iteration has done all it does, so one that faults can be run
// again.
#include "vmm/x86_64/emulate_string.h"

#include "vmm/x86_64/alu.h"

// Which operands a string instruction has.
static bool string_reads_source(enum x86_op op)
{
    return op == X86_OP_MOVS || op == X86_OP_CMPS || op == X86_OP_LODS || op == X86_OP_OUTS;
}

static bool string_has_destination(enum x86_op op)
{
    return op != X86_OP_LODS && op != X86_OP_OUTS;
}

static bool string_compares(enum x86_op op)
{
    return op == X86_OP_CMPS || op == X86_OP_SCAS;
}

static bool op_is_port_io(enum x86_op op)
{
    return op == X86_OP_INS || op == X86_OP_OUTS;
}

// Whether the CPU let this privilege reach the port. Where it asks the TSS, only the exit can tell.
static bool port_is_permitted(const struct emulator *emulator)
{
    const struct x86_vcpu_regs *regs = emulator->regs;
    const struct x86_exit_info *exit = emulator->exit;
    unsigned iopl = (unsigned)((regs->rflags & X86_RFLAGS_IOPL) >> X86_RFLAGS_IOPL_SHIFT);
    if (!(regs->cr0 & X86_CR0_PE) || (regs->cpl <= iopl && !(regs->rflags & X86_RFLAGS_VM)))
        return true;
    return exit->kind == X86_EXIT_PORT && exit->port == (uint16_t)regs->gpr[X86_RDX] &&
           exit->port_bytes == emulator->instruction.operand_bytes;
}

// The value that goes to the destination or is compared with it.
static enum step string_take_value(struct emulator *emulator, const struct span *source,
                                   uint64_t *value)
{
    const struct x86_instruction *instruction = &emulator->instruction;
    if (string_reads_source(instruction->op))
        return emulator_span_read_value(emulator, source, value);
    if (instruction->op != X86_OP_INS) {
        *value = emulator_register_read(emulator, X86_RAX, instruction->operand_bytes);
        return STEP_OK;
    }
    uint32_t port_value = 0;
    mx_status_t status =
        emulator->ops->port_in(emulator->context, (uint16_t)emulator->regs->gpr[X86_RDX],
                               instruction->operand_bytes, &port_value);
    *value = port_value;
    return emulator_step_of(emulator, status);
}

static enum step string_put_value(struct emulator *emulator, const struct span *destination,
                                  uint64_t value)
{
    const struct x86_instruction *instruction = &emulator->instruction;
    unsigned width_bytes = instruction->operand_bytes;
    if (instruction->op == X86_OP_OUTS)
        return emulator_step_of(
            emulator,
            emulator->ops->port_out(emulator->context, (uint16_t)emulator->regs->gpr[X86_RDX],
                                    width_bytes, (uint32_t)x86_truncate(value, width_bytes)));
    if (instruction->op == X86_OP_LODS) {
        emulator_register_write(emulator, X86_RAX, width_bytes, value);
        return STEP_OK;
    }
    if (!string_compares(instruction->op))
        return emulator_span_write_value(emulator, destination, value);
    uint64_t other;
    enum step step = emulator_span_read_value(emulator, destination, &other);
    if (step == STEP_OK)
        x86_alu(X86_OP_CMP, width_bytes, value, other, &emulator->regs->rflags);
    return step;
}

static enum step string_iterate(struct emulator *emulator)
{
    const struct x86_instruction *instruction = &emulator->instruction;
    enum x86_op op = instruction->op;
    unsigned width_bytes = instruction->operand_bytes;
    uint64_t delta = emulator->regs->rflags & X86_RFLAGS_DF ? -(uint64_t)width_bytes : width_bytes;
    struct span source, destination;
    uint64_t value;
    enum step step = STEP_OK;
    if (string_reads_source(op))
        step = emulator_span_resolve(emulator, instruction->memory.segment,
                                     emulator_address_register(emulator, X86_RSI), width_bytes,
                                     X86_ACCESS_READ, &source);
    if (step == STEP_OK && string_has_destination(op))
        step = emulator_span_resolve(
            emulator, X86_ES, emulator_address_register(emulator, X86_RDI), width_bytes,
            string_compares(op) ? X86_ACCESS_READ : X86_ACCESS_WRITE, &destination);
    if (step == STEP_OK)
        step = string_take_value(emulator, &source, &value);
    if (step == STEP_OK)
        step = string_put_value(emulator, &destination, value);
    if (step != STEP_OK)
        return step;
    if (string_reads_source(op))
        emulator_address_add(emulator, X86_RSI, delta);
    if (string_has_destination(op))
        emulator_address_add(emulator, X86_RDI, delta);
    return STEP_OK;
}

// Whether a repeated instruction goes on after an iteration.
static bool string_continues(const struct emulator *emulator)
{
    const struct x86_instruction *instruction = &emulator->instruction;
    if (emulator_address_register(emulator, X86_RCX) == 0)
        return false;
    if (!string_compares(instruction->op))
        return true;
    bool is_equal = emulator->regs->rflags & X86_RFLAGS_ZF;
    return is_equal == (instruction->repeat == X86_REPEAT_EQUAL);
}

enum step emulate_string(struct emulator *emulator)
{
    const struct x86_instruction *instruction = &emulator->instruction;
    bool repeats = instruction->repeat != X86_REPEAT_NONE;
    if (repeats && emulator_address_register(emulator, X86_RCX) == 0)
        return STEP_OK;
    if (op_is_port_io(instruction->op) && !port_is_permitted(emulator))
        return STEP_AGAIN; // the code has changed since the exit; let the CPU judge it
    unsigned iteration_max = emulator->regs->rflags & X86_RFLAGS_TF ? 1 : X86_EMULATE_REPEAT_MAX;
    for (unsigned i = 0; i < iteration_max; i++) {
        enum step step = string_iterate(emulator);
        if (step != STEP_OK || !repeats)
            return step;
        emulator_address_add(emulator, X86_RCX, UINT64_MAX);
        if (!string_continues(emulator))
            return STEP_OK;
    }
    emulator->result->is_single_stepping = emulator->regs->rflags & X86_RFLAGS_TF;
    return STEP_AGAIN;
}
