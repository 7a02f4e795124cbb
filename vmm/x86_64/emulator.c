// Registers, addresses and memory of an instruction under emulation; the contract is in the header.
#include "vmm/x86_64/emulator.h"

#include <string.h>

#include "vmm/x86_64/alu.h"

enum step emulator_raise(struct emulator *emulator, uint8_t vector, bool has_error_code)
{
    emulator->result->exception =
        (struct x86_exception){.vector = vector, .has_error_code = has_error_code};
    return STEP_EXCEPTION;
}

static enum step emulator_raise_page_fault(struct emulator *emulator, uint64_t linear,
                                           uint32_t error_code)
{
    emulator->result->exception = (struct x86_exception){.vector = X86_VECTOR_PF,
                                                         .has_error_code = true,
                                                         .error_code = error_code,
                                                         .address = linear};
    return STEP_EXCEPTION;
}

enum step emulator_fail(struct emulator *emulator, mx_status_t status)
{
    emulator->failure = status;
    return STEP_FAILED;
}

enum step emulator_step_of(struct emulator *emulator, mx_status_t status)
{
    return status == MX_OK ? STEP_OK : emulator_fail(emulator, status);
}

// Byte registers 4 to 7 without REX are the second bytes of rAX to rBX.
static bool register_is_high_byte(const struct emulator *emulator, unsigned reg,
                                  unsigned width_bytes)
{
    return width_bytes == 1 && !emulator->instruction.has_rex && reg >= 4 && reg < 8;
}

uint64_t emulator_register_read(const struct emulator *emulator, unsigned reg, unsigned width_bytes)
{
    if (register_is_high_byte(emulator, reg, width_bytes))
        return emulator->regs->gpr[reg - 4] >> 8 & 0xff;
    return x86_truncate(emulator->regs->gpr[reg], width_bytes);
}

void emulator_register_write(struct emulator *emulator, unsigned reg, unsigned width_bytes,
                             uint64_t value)
{
    if (register_is_high_byte(emulator, reg, width_bytes)) {
        uint64_t *gpr = &emulator->regs->gpr[reg - 4];
        *gpr = (*gpr & ~UINT64_C(0xff00)) | (value & 0xff) << 8;
        return;
    }
    uint64_t *gpr = &emulator->regs->gpr[reg];
    value = x86_truncate(value, width_bytes);
    if (width_bytes < 4)
        value |= *gpr & ~x86_truncate(UINT64_MAX, width_bytes);
    *gpr = value;
}

uint64_t emulator_address_register(const struct emulator *emulator, unsigned reg)
{
    return x86_truncate(emulator->regs->gpr[reg], emulator->instruction.address_bytes);
}

void emulator_address_add(struct emulator *emulator, unsigned reg, uint64_t delta)
{
    emulator_register_write(emulator, reg, emulator->instruction.address_bytes,
                            emulator->regs->gpr[reg] + delta);
}

enum step emulator_linearize(struct emulator *emulator, unsigned segment, uint64_t offset,
                             unsigned size_bytes, uint64_t *linear)
{
    const struct x86_vcpu_regs *regs = emulator->regs;
    if (x86_code_bits(regs) != 64) {
        *linear = (uint32_t)(regs->segment_base[segment] + offset);
        return STEP_OK;
    }
    bool has_base = segment == X86_FS || segment == X86_GS;
    *linear = offset + (has_base ? regs->segment_base[segment] : 0);
    if (!x86_is_canonical(regs, *linear) || !x86_is_canonical(regs, *linear + (size_bytes - 1)))
        return emulator_raise(emulator, segment == X86_SS ? X86_VECTOR_SS : X86_VECTOR_GP, true);
    return STEP_OK;
}

uint64_t emulator_effective_address(const struct emulator *emulator)
{
    const struct x86_instruction *instruction = &emulator->instruction;
    const struct x86_memory_operand *memory = &instruction->memory;
    const struct x86_vcpu_regs *regs = emulator->regs;
    uint64_t address = memory->displacement;
    if (memory->rip_relative)
        address += regs->rip + instruction->length_bytes;
    if (memory->base != X86_NO_REGISTER)
        address += regs->gpr[memory->base];
    if (memory->index != X86_NO_REGISTER)
        address += regs->gpr[memory->index] << memory->scale_shift;
    return x86_truncate(address, instruction->address_bytes);
}

// Whether the exit already holds the translation of the instruction's only memory operand: the CPU
// has checked this access, and the offset within the page says that it is this one.
static bool exit_tells_address(const struct emulator *emulator, uint64_t linear,
                               enum x86_access access)
{
    const struct x86_exit_info *exit = emulator->exit;
    const struct x86_instruction *instruction = &emulator->instruction;
    return exit->kind == X86_EXIT_MEMORY && access != X86_ACCESS_FETCH &&
           (access == X86_ACCESS_READ || exit->is_write) && instruction->form != X86_FORM_STRING &&
           instruction->op != X86_OP_PUSH && instruction->op != X86_OP_POP &&
           exit->guest_physical % X86_PAGE_BYTES == linear % X86_PAGE_BYTES;
}

static enum step translate_by_walk(struct emulator *emulator, uint64_t linear,
                                   enum x86_access access, uint64_t *guest_physical)
{
    struct x86_translation translation;
    mx_status_t status =
        x86_page_walk(emulator->regs, &emulator->tables, linear, access, &translation);
    if (status == MX_ERR_ACCESS_DENIED)
        return emulator_raise_page_fault(emulator, linear, translation.error_code);
    if (status == MX_ERR_INVALID_ARGS)
        return emulator_raise(emulator, X86_VECTOR_GP, true);
    if (status == MX_ERR_SHOULD_WAIT)
        return STEP_AGAIN;
    *guest_physical = translation.guest_physical;
    return emulator_step_of(emulator, status);
}

enum step emulator_translate(struct emulator *emulator, uint64_t linear, enum x86_access access,
                             uint64_t *guest_physical)
{
    uint64_t offset = linear % X86_PAGE_BYTES;
    if (exit_tells_address(emulator, linear, access)) {
        *guest_physical = emulator->exit->guest_physical;
        return STEP_OK;
    }
    if (access == X86_ACCESS_FETCH)
        return translate_by_walk(emulator, linear, access, guest_physical);

    struct cached_page *cached = &emulator->cached[access];
    if (!cached->is_valid || cached->linear != linear - offset) {
        cached->is_valid = false;
        enum step step = translate_by_walk(emulator, linear, access, guest_physical);
        if (step != STEP_OK)
            return step;
        *cached = (struct cached_page){true, linear - offset, *guest_physical - offset};
    }
    *guest_physical = cached->guest_physical + offset;
    return STEP_OK;
}

enum step emulator_span_resolve(struct emulator *emulator, unsigned segment, uint64_t offset,
                                unsigned size_bytes, enum x86_access access, struct span *span)
{
    uint64_t linear = 0;
    *span = (struct span){0};
    enum step step = emulator_linearize(emulator, segment, offset, size_bytes, &linear);
    if (step == STEP_OK && emulator->instruction.must_align && linear % size_bytes != 0)
        step = emulator_raise(emulator, X86_VECTOR_GP, true);
    if (step != STEP_OK)
        return step;
    uint64_t page_rest = X86_PAGE_BYTES - linear % X86_PAGE_BYTES;
    span->piece_bytes[0] = (uint8_t)(size_bytes < page_rest ? size_bytes : page_rest);
    span->piece_bytes[1] = (uint8_t)(size_bytes - span->piece_bytes[0]);
    step = emulator_translate(emulator, linear, access, &span->guest_physical[0]);
    if (step != STEP_OK || span->piece_bytes[1] == 0)
        return step;
    uint64_t second = linear + page_rest;
    if (x86_code_bits(emulator->regs) != 64)
        second = (uint32_t)second;
    return emulator_translate(emulator, second, access, &span->guest_physical[1]);
}

// The widest device access that fits into what is left of a piece.
static unsigned device_access_bytes(unsigned rest_bytes)
{
    unsigned width_bytes = 8;
    while (width_bytes > rest_bytes)
        width_bytes /= 2;
    return width_bytes;
}

static enum step piece_read(struct emulator *emulator, uint64_t guest_physical, uint8_t *buffer,
                            unsigned size_bytes)
{
    if (emulator->ops->ram_read(emulator->context, guest_physical, buffer, size_bytes))
        return STEP_OK;
    for (unsigned done = 0; done < size_bytes;) {
        unsigned width_bytes = device_access_bytes(size_bytes - done);
        uint64_t value = 0;
        mx_status_t status = emulator->ops->device_read(emulator->context, guest_physical + done,
                                                        width_bytes, &value);
        if (status != MX_OK)
            return emulator_fail(emulator, status);
        memcpy(buffer + done, &value, width_bytes);
        done += width_bytes;
    }
    return STEP_OK;
}

static enum step piece_write(struct emulator *emulator, uint64_t guest_physical,
                             const uint8_t *buffer, unsigned size_bytes)
{
    if (emulator->ops->ram_write(emulator->context, guest_physical, buffer, size_bytes))
        return STEP_OK;
    for (unsigned done = 0; done < size_bytes;) {
        unsigned width_bytes = device_access_bytes(size_bytes - done);
        uint64_t value = 0;
        memcpy(&value, buffer + done, width_bytes);
        mx_status_t status = emulator->ops->device_write(emulator->context, guest_physical + done,
                                                         width_bytes, value);
        if (status != MX_OK)
            return emulator_fail(emulator, status);
        done += width_bytes;
    }
    return STEP_OK;
}

enum step emulator_span_read(struct emulator *emulator, const struct span *span, uint8_t *buffer)
{
    enum step step = piece_read(emulator, span->guest_physical[0], buffer, span->piece_bytes[0]);
    if (step != STEP_OK || span->piece_bytes[1] == 0)
        return step;
    return piece_read(emulator, span->guest_physical[1], buffer + span->piece_bytes[0],
                      span->piece_bytes[1]);
}

enum step emulator_span_write(struct emulator *emulator, const struct span *span,
                              const uint8_t *buffer)
{
    enum step step = piece_write(emulator, span->guest_physical[0], buffer, span->piece_bytes[0]);
    if (step != STEP_OK || span->piece_bytes[1] == 0)
        return step;
    return piece_write(emulator, span->guest_physical[1], buffer + span->piece_bytes[0],
                       span->piece_bytes[1]);
}

enum step emulator_span_read_value(struct emulator *emulator, const struct span *span,
                                   uint64_t *value)
{
    uint8_t buffer[16] = {0};
    enum step step = emulator_span_read(emulator, span, buffer);
    memcpy(value, buffer, sizeof(*value));
    return step;
}

enum step emulator_span_write_value(struct emulator *emulator, const struct span *span,
                                    uint64_t value)
{
    uint8_t buffer[16] = {0};
    memcpy(buffer, &value, sizeof(value));
    return emulator_span_write(emulator, span, buffer);
}

enum step emulator_span_replace_value(struct emulator *emulator, const struct span *span,
                                      uint64_t old_value, uint64_t value)
{
    bool is_atomic = emulator->instruction.is_locked || emulator->instruction.op == X86_OP_XCHG;
    if (!is_atomic || span->piece_bytes[1] != 0 || !emulator->ops->ram_compare_exchange)
        return emulator_span_write_value(emulator, span, value);
    mx_status_t status = emulator->ops->ram_compare_exchange(
        emulator->context, span->guest_physical[0], span->piece_bytes[0], old_value, value);
    if (status == MX_ERR_OUT_OF_RANGE)
        return emulator_span_write_value(emulator, span, value);
    return status == MX_ERR_SHOULD_WAIT ? STEP_AGAIN : emulator_step_of(emulator, status);
}
