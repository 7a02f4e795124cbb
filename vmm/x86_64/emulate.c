// Executes one guest instruction; the contract is in the header.
//
// Order within an instruction, so that no effect ever has to be undone: translate all operands,
// read, compute, write memory, and only then change registers, which cannot fail.
#include "vmm/x86_64/emulate.h"

#include <string.h>

#include "vmm/x86_64/alu.h"
#include "vmm/x86_64/emulate_string.h"
#include "vmm/x86_64/emulator.h"

enum operand_kind {
    OPERAND_NONE,
    OPERAND_REGISTER,
    OPERAND_MEMORY,
    OPERAND_IMMEDIATE,
};

struct operand {
    enum operand_kind kind;
    uint8_t reg;
    uint8_t width_bytes;
    uint64_t value;
    struct span span;
};

// --- instructions with a ModRM operand -----------------------------------------------------------

static bool op_reads_destination(enum x86_op op)
{
    return op != X86_OP_MOV && op != X86_OP_MOVZX && op != X86_OP_MOVSX && op != X86_OP_MOVBE;
}

static bool op_writes_destination(enum x86_op op)
{
    return op != X86_OP_CMP && op != X86_OP_TEST && op != X86_OP_BT;
}

static bool op_is_bit_test(enum x86_op op)
{
    return op >= X86_OP_BT && op <= X86_OP_BTC;
}

static struct operand operand_register(const struct emulator *emulator, uint8_t reg,
                                       uint8_t width_bytes)
{
    return (struct operand){.kind = OPERAND_REGISTER,
                            .reg = reg,
                            .width_bytes = width_bytes,
                            .value = emulator_register_read(emulator, reg, width_bytes)};
}

// Bit strings in memory: a register index reaches beyond the operand.
static uint64_t bit_string_offset(const struct emulator *emulator)
{
    const struct x86_instruction *instruction = &emulator->instruction;
    if (!op_is_bit_test(instruction->op) || instruction->form != X86_FORM_RM_REG)
        return 0;
    uint64_t index = emulator_register_read(emulator, instruction->reg, instruction->operand_bytes);
    int64_t bit = (int64_t)x86_sign_extend(index, instruction->operand_bytes);
    unsigned element_shift = 3 + (unsigned)__builtin_ctz(instruction->operand_bytes);
    return (uint64_t)(bit >> element_shift) * instruction->operand_bytes;
}

// The operand that ModRM.rm or an absolute offset names, read if `is_read`.
static enum step operand_take_rm(struct emulator *emulator, unsigned width_bytes, bool is_read,
                                 bool is_written, struct operand *operand)
{
    const struct x86_instruction *instruction = &emulator->instruction;
    if (!instruction->rm_is_memory) {
        *operand = operand_register(emulator, instruction->rm, (uint8_t)width_bytes);
        return STEP_OK;
    }
    *operand = (struct operand){.kind = OPERAND_MEMORY, .width_bytes = (uint8_t)width_bytes};
    uint64_t offset =
        x86_truncate(emulator_effective_address(emulator) + bit_string_offset(emulator),
                     instruction->address_bytes);
    enum step step =
        emulator_span_resolve(emulator, instruction->memory.segment, offset, width_bytes,
                              is_written ? X86_ACCESS_WRITE : X86_ACCESS_READ, &operand->span);
    if (step != STEP_OK || !is_read)
        return step;
    return emulator_span_read_value(emulator, &operand->span, &operand->value);
}

static enum step take_operands(struct emulator *emulator, struct operand *destination,
                               struct operand *source)
{
    const struct x86_instruction *instruction = &emulator->instruction;
    uint8_t width_bytes = instruction->operand_bytes;
    bool rm_is_source =
        instruction->form == X86_FORM_REG_RM || instruction->form == X86_FORM_ACC_MEM;
    bool has_accumulator =
        instruction->form == X86_FORM_ACC_MEM || instruction->form == X86_FORM_MEM_ACC;
    struct operand other = {.kind = OPERAND_NONE};
    if (instruction->form == X86_FORM_RM_IMM)
        other = (struct operand){.kind = OPERAND_IMMEDIATE, .value = instruction->immediate};
    else if (instruction->form != X86_FORM_RM)
        other =
            operand_register(emulator, has_accumulator ? X86_RAX : instruction->reg, width_bytes);

    if (rm_is_source) {
        *destination = other;
        return operand_take_rm(emulator, instruction->source_bytes, true, false, source);
    }
    *source = other;
    return operand_take_rm(emulator, width_bytes, op_reads_destination(instruction->op),
                           op_writes_destination(instruction->op), destination);
}

// What an instruction does to its operands; everything that is to be stored.
struct computation {
    uint64_t result;
    uint64_t rflags;
    bool writes_source; // XCHG, XADD: with the old destination
    bool writes_accumulator;
};

static struct computation compute_cmpxchg(const struct emulator *emulator, uint64_t destination,
                                          uint64_t source)
{
    unsigned width_bytes = emulator->instruction.operand_bytes;
    struct computation computation = {.rflags = emulator->regs->rflags};
    uint64_t accumulator = emulator_register_read(emulator, X86_RAX, width_bytes);
    uint64_t difference =
        x86_alu(X86_OP_CMP, width_bytes, accumulator, destination, &computation.rflags);
    computation.result = difference == 0 ? source : destination;
    computation.writes_accumulator = difference != 0;
    return computation;
}

static struct computation compute(const struct emulator *emulator, uint64_t destination,
                                  uint64_t source)
{
    const struct x86_instruction *instruction = &emulator->instruction;
    unsigned width_bytes = instruction->operand_bytes;
    enum x86_op op = instruction->op;
    struct computation computation = {.result = source, .rflags = emulator->regs->rflags};
    if (op == X86_OP_CMPXCHG)
        return compute_cmpxchg(emulator, destination, source);
    if (op == X86_OP_MOVSX)
        computation.result = x86_sign_extend(source, instruction->source_bytes);
    else if (op == X86_OP_MOVBE)
        computation.result = __builtin_bswap64(source) >> (64 - 8 * width_bytes);
    else if (op == X86_OP_XADD)
        computation.result =
            x86_alu(X86_OP_ADD, width_bytes, destination, source, &computation.rflags);
    else if (op_is_bit_test(op))
        computation.result = x86_alu_bit(op, width_bytes, destination, source, &computation.rflags);
    else if (op <= X86_OP_DEC)
        computation.result = x86_alu(op, width_bytes, destination, source, &computation.rflags);
    computation.writes_source = op == X86_OP_XCHG || op == X86_OP_XADD;
    return computation;
}

static enum step execute_modrm(struct emulator *emulator)
{
    struct operand destination, source;
    enum step step = take_operands(emulator, &destination, &source);
    if (step != STEP_OK)
        return step;
    struct computation computation = compute(emulator, destination.value, source.value);
    bool writes = op_writes_destination(emulator->instruction.op);
    if (writes && destination.kind == OPERAND_MEMORY) {
        step = op_reads_destination(emulator->instruction.op)
                   ? emulator_span_replace_value(emulator, &destination.span, destination.value,
                                                 computation.result)
                   : emulator_span_write_value(emulator, &destination.span, computation.result);
        if (step != STEP_OK)
            return step;
    }
    if (computation.writes_source)
        emulator_register_write(emulator, source.reg, source.width_bytes, destination.value);
    if (computation.writes_accumulator)
        emulator_register_write(emulator, X86_RAX, destination.width_bytes, destination.value);
    else if (writes && destination.kind == OPERAND_REGISTER)
        emulator_register_write(emulator, destination.reg, destination.width_bytes,
                                computation.result);
    emulator->regs->rflags = computation.rflags;
    return STEP_OK;
}

// --- stack ---------------------------------------------------------------------------------------

static unsigned stack_address_bytes(const struct x86_vcpu_regs *regs)
{
    if (x86_code_bits(regs) == 64)
        return 8;
    return regs->ss_default_big ? 4 : 2;
}

static enum step execute_push(struct emulator *emulator)
{
    unsigned width_bytes = emulator->instruction.operand_bytes;
    unsigned address_bytes = stack_address_bytes(emulator->regs);
    uint64_t top = emulator->regs->gpr[X86_RSP] - width_bytes;
    struct operand source = {0};
    struct span span;
    // The stack is translated before the operand is read, which may have side effects.
    enum step step = emulator_span_resolve(emulator, X86_SS, x86_truncate(top, address_bytes),
                                           width_bytes, X86_ACCESS_WRITE, &span);
    if (step == STEP_OK)
        step = operand_take_rm(emulator, width_bytes, true, false, &source);
    if (step == STEP_OK)
        step = emulator_span_write_value(emulator, &span, source.value);
    if (step == STEP_OK)
        emulator_register_write(emulator, X86_RSP, address_bytes, top);
    return step;
}

// The address of the destination is computed with the stack pointer already moved.
static enum step execute_pop(struct emulator *emulator)
{
    unsigned width_bytes = emulator->instruction.operand_bytes;
    unsigned address_bytes = stack_address_bytes(emulator->regs);
    uint64_t old_rsp = emulator->regs->gpr[X86_RSP];
    struct operand destination = {0};
    struct span span;
    uint64_t value = 0;
    enum step step = emulator_span_resolve(emulator, X86_SS, x86_truncate(old_rsp, address_bytes),
                                           width_bytes, X86_ACCESS_READ, &span);
    if (step != STEP_OK)
        return step;
    emulator_register_write(emulator, X86_RSP, address_bytes, old_rsp + width_bytes);
    step = operand_take_rm(emulator, width_bytes, false, true, &destination);
    if (step == STEP_OK)
        step = emulator_span_read_value(emulator, &span, &value);
    if (step == STEP_OK && destination.kind == OPERAND_MEMORY)
        step = emulator_span_write_value(emulator, &destination.span, value);
    if (step != STEP_OK)
        emulator->regs->gpr[X86_RSP] = old_rsp;
    else if (destination.kind == OPERAND_REGISTER)
        emulator_register_write(emulator, destination.reg, width_bytes, value);
    return step;
}

// --- SSE moves -----------------------------------------------------------------------------------

static enum step execute_sse(struct emulator *emulator)
{
    const struct x86_instruction *instruction = &emulator->instruction;
    const struct x86_emulate_ops *ops = emulator->ops;
    bool is_load = instruction->op == X86_OP_SSE_LOAD;
    if (!ops->xmm_read || !ops->xmm_write)
        return emulator_fail(emulator, MX_ERR_NOT_SUPPORTED);
    uint8_t value[16] = {0};
    struct span span;
    enum step step = emulator_span_resolve(
        emulator, instruction->memory.segment, emulator_effective_address(emulator),
        instruction->operand_bytes, is_load ? X86_ACCESS_READ : X86_ACCESS_WRITE, &span);
    if (step != STEP_OK)
        return step;
    if (is_load) {
        step = emulator_span_read(emulator, &span, value);
        if (step != STEP_OK)
            return step;
        return emulator_step_of(emulator,
                                ops->xmm_write(emulator->context, instruction->reg, value));
    }
    step = emulator_step_of(emulator, ops->xmm_read(emulator->context, instruction->reg, value));
    return step == STEP_OK ? emulator_span_write(emulator, &span, value) : step;
}

// --- fetch and dispatch --------------------------------------------------------------------------

static mx_status_t decode_result(struct emulator *emulator)
{
    return x86_decode(emulator->result->bytes, emulator->result->byte_count,
                      x86_code_bits(emulator->regs), &emulator->instruction);
}

// Fetches what is left of the instruction's page, at most up to 15 bytes in all.
static enum step fetch_page(struct emulator *emulator)
{
    struct x86_emulate_result *result = emulator->result;
    uint64_t linear, guest_physical = 0;
    enum step step =
        emulator_linearize(emulator, X86_CS, emulator->regs->rip + result->byte_count, 1, &linear);
    if (step == STEP_OK)
        step = emulator_translate(emulator, linear, X86_ACCESS_FETCH, &guest_physical);
    if (step != STEP_OK)
        return step;
    uint64_t page_rest = X86_PAGE_BYTES - linear % X86_PAGE_BYTES;
    unsigned wanted = X86_INSTRUCTION_BYTES_MAX - result->byte_count;
    unsigned size_bytes = page_rest < wanted ? (unsigned)page_rest : wanted;
    if (!emulator->ops->ram_read(emulator->context, guest_physical,
                                 result->bytes + result->byte_count, size_bytes))
        return emulator_fail(emulator, MX_ERR_OUT_OF_RANGE);
    result->byte_count = (uint8_t)(result->byte_count + size_bytes);
    return STEP_OK;
}

static enum step fetch_and_decode(struct emulator *emulator)
{
    const struct x86_exit_info *exit = emulator->exit;
    struct x86_emulate_result *result = emulator->result;
    mx_status_t status = MX_ERR_BUFFER_TOO_SMALL;
    if (exit->byte_count > 0 && exit->byte_count <= X86_INSTRUCTION_BYTES_MAX) {
        memcpy(result->bytes, exit->bytes, exit->byte_count);
        result->byte_count = exit->byte_count;
        status = decode_result(emulator);
    }
    if (status == MX_ERR_BUFFER_TOO_SMALL)
        result->byte_count = 0;
    while (status == MX_ERR_BUFFER_TOO_SMALL && result->byte_count < X86_INSTRUCTION_BYTES_MAX) {
        enum step step = fetch_page(emulator);
        if (step != STEP_OK)
            return step;
        status = decode_result(emulator);
    }
    if (status == MX_ERR_BUFFER_TOO_SMALL)
        return emulator_raise(emulator, X86_VECTOR_GP, true);
    if (status == MX_ERR_INVALID_ARGS)
        return emulator_raise(emulator, X86_VECTOR_UD, false);
    return emulator_step_of(emulator, status);
}

static enum step execute(struct emulator *emulator)
{
    const struct x86_instruction *instruction = &emulator->instruction;
    if (instruction->form == X86_FORM_STRING)
        return emulate_string(emulator);
    if (instruction->op == X86_OP_PUSH)
        return execute_push(emulator);
    if (instruction->op == X86_OP_POP)
        return execute_pop(emulator);
    if (instruction->op == X86_OP_SSE_LOAD || instruction->op == X86_OP_SSE_STORE)
        return execute_sse(emulator);
    return execute_modrm(emulator);
}

static void retire(struct emulator *emulator)
{
    struct x86_vcpu_regs *regs = emulator->regs;
    emulator->result->is_single_stepping = regs->rflags & X86_RFLAGS_TF;
    regs->rflags &= ~X86_RFLAGS_RF;
    regs->rip += emulator->instruction.length_bytes;
    if (x86_code_bits(regs) != 64)
        regs->rip &= UINT32_MAX;
}

mx_status_t x86_emulate(struct x86_vcpu_regs *regs, const struct x86_exit_info *exit,
                        const struct x86_emulate_ops *ops, void *context,
                        struct x86_emulate_result *result)
{
    *result = (struct x86_emulate_result){.outcome = X86_OUTCOME_DONE};
    struct emulator emulator = {
        .regs = regs,
        .exit = exit,
        .ops = ops,
        .context = context,
        .tables = {.read = ops->ram_read,
                   .compare_exchange = ops->ram_compare_exchange,
                   .context = context},
        .result = result,
    };
    enum step step = fetch_and_decode(&emulator);
    if (step == STEP_OK)
        step = execute(&emulator);
    switch (step) {
    case STEP_OK:
        retire(&emulator);
        return MX_OK;
    case STEP_AGAIN:
        result->outcome = X86_OUTCOME_AGAIN;
        return MX_OK;
    case STEP_EXCEPTION:
        result->outcome = X86_OUTCOME_EXCEPTION;
        return MX_OK;
    case STEP_FAILED:
        break;
    }
    return emulator.failure;
}
