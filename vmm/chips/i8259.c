#include "vmm/chips/i8259.h"

#include "vmm/chips/byte_port.h"

#include <string.h>

#define CASCADE_INPUT  2
#define SPURIOUS_INPUT 7
#define NO_INPUT       (-1)

#define ICW1_SELECT        0x10
#define ICW1_IC4           0x01
#define ICW1_SNGL          0x02
#define ICW2_VECTOR_MASK   0xf8
#define ICW4_AEOI          0x02
#define ICW4_SFNM          0x10
#define OCW3_SELECT        0x08
#define OCW3_RIS           0x01
#define OCW3_RR            0x02
#define OCW3_P             0x04
#define OCW3_SMM           0x20
#define OCW3_ESMM          0x40
#define OCW2_LEVEL_MASK    0x07
#define OCW2_COMMAND_SHIFT 5
#define POLL_REQUEST       0x80

// Inputs 0, 1, 2, 8 and 13 are edge-triggered always.
#define ELCR_MASTER_MASK 0xf8
#define ELCR_SLAVE_MASK  0xde

enum ocw2_command {
    OCW2_ROTATE_IN_AEOI_CLEAR = 0,
    OCW2_NON_SPECIFIC_EOI = 1,
    OCW2_NO_OPERATION = 2,
    OCW2_SPECIFIC_EOI = 3,
    OCW2_ROTATE_IN_AEOI_SET = 4,
    OCW2_ROTATE_ON_NON_SPECIFIC_EOI = 5,
    OCW2_SET_PRIORITY = 6,
    OCW2_ROTATE_ON_SPECIFIC_EOI = 7,
};

// The input with the highest priority among those set in `inputs`, or NO_INPUT.
static int highest_input(const struct i8259_pic *pic, uint8_t inputs)
{
    for (unsigned i = 1; i <= 8; i++) {
        unsigned input = (pic->lowest_priority + i) & 7;
        if (inputs & (1u << input))
            return (int)input;
    }
    return NO_INPUT;
}

// 0 is the most urgent, 7 the least; 8 stands for none.
static unsigned priority_of(const struct i8259_pic *pic, int input)
{
    return input == NO_INPUT ? 8 : ((unsigned)input - pic->lowest_priority - 1) & 7;
}

// The request that the chip would present now: unmasked and more urgent than what is in service.
static int pending_input(const struct i8259_pic *pic)
{
    uint8_t in_service = pic->isr;
    int request = highest_input(pic, pic->irr & (uint8_t)~pic->imr);

    if (pic->special_mask)
        in_service &= (uint8_t)~pic->imr;
    if (pic->special_fully_nested && pic->is_master)
        in_service &= (uint8_t) ~(1u << CASCADE_INPUT);
    if (priority_of(pic, request) < priority_of(pic, highest_input(pic, in_service)))
        return request;
    return NO_INPUT;
}

static void pic_set_line(struct i8259_pic *pic, unsigned input, bool level)
{
    uint8_t bit = (uint8_t)(1u << input);

    if (pic->elcr & bit)
        pic->irr = level ? pic->irr | bit : pic->irr & (uint8_t)~bit;
    else if (level && !(pic->lines & bit))
        pic->irr |= bit;
    pic->lines = level ? pic->lines | bit : pic->lines & (uint8_t)~bit;
}

// Carries the outputs forward: slave to the master's input 2, master to INTR.
static void update_outputs(struct i8259 *pics)
{
    bool intr;

    pics->slave.intr = pending_input(&pics->slave) != NO_INPUT;
    pic_set_line(&pics->master, CASCADE_INPUT, pics->slave.intr);
    intr = pending_input(&pics->master) != NO_INPUT;
    if (intr == pics->master.intr)
        return;
    pics->master.intr = intr;
    irq_line_set(&pics->intr, intr);
}

// The request goes into service (or, with automatic EOI, through it).
static void pic_accept(struct i8259_pic *pic, unsigned input)
{
    uint8_t bit = (uint8_t)(1u << input);

    if (!(pic->elcr & bit))
        pic->irr &= (uint8_t)~bit;
    if (!pic->auto_eoi)
        pic->isr |= bit;
    else if (pic->rotate_on_auto_eoi)
        pic->lowest_priority = (uint8_t)input;
}

// The slave's output falls during its acknowledge cycle, so a further request is a new edge.
static int slave_accept(struct i8259 *pics)
{
    int input = pending_input(&pics->slave);

    if (input != NO_INPUT)
        pic_accept(&pics->slave, (unsigned)input);
    pic_set_line(&pics->master, CASCADE_INPUT, false);
    return input;
}

uint8_t i8259_acknowledge(struct i8259 *pics)
{
    int input = pending_input(&pics->master);
    const struct i8259_pic *source = &pics->master;

    if (input != NO_INPUT)
        pic_accept(&pics->master, (unsigned)input);
    if (input == CASCADE_INPUT && !pics->master.is_single) {
        source = &pics->slave;
        input = slave_accept(pics);
    }
    update_outputs(pics);
    return source->vector_base + (uint8_t)(input == NO_INPUT ? SPURIOUS_INPUT : input);
}

static void write_icw1(struct i8259_pic *pic, uint8_t value)
{
    pic->is_icw4_needed = value & ICW1_IC4;
    pic->is_single = value & ICW1_SNGL;
    pic->next_icw = 2;
    // "The edge sense circuit is reset": an input must rise again; levels count at once.
    pic->irr = pic->lines & pic->elcr;
    pic->imr = 0;
    pic->isr = 0;
    pic->lowest_priority = 7;
    pic->special_mask = false;
    pic->read_isr = false;
    pic->poll = false;
    pic->auto_eoi = false;
    pic->rotate_on_auto_eoi = false;
    pic->special_fully_nested = false;
}

static void end_of_interrupt(struct i8259_pic *pic, int input, bool rotate)
{
    if (input == NO_INPUT)
        return;
    pic->isr &= (uint8_t) ~(1u << input);
    if (rotate)
        pic->lowest_priority = (uint8_t)input;
}

// In special mask mode a non-specific EOI does not see the masked levels.
static int non_specific_input(const struct i8259_pic *pic)
{
    return highest_input(pic, pic->special_mask ? pic->isr & (uint8_t)~pic->imr : pic->isr);
}

static void write_ocw2(struct i8259_pic *pic, uint8_t value)
{
    int level = value & OCW2_LEVEL_MASK;

    switch ((enum ocw2_command)(value >> OCW2_COMMAND_SHIFT)) {
    case OCW2_ROTATE_IN_AEOI_CLEAR:
        pic->rotate_on_auto_eoi = false;
        break;
    case OCW2_ROTATE_IN_AEOI_SET:
        pic->rotate_on_auto_eoi = true;
        break;
    case OCW2_NON_SPECIFIC_EOI:
        end_of_interrupt(pic, non_specific_input(pic), false);
        break;
    case OCW2_ROTATE_ON_NON_SPECIFIC_EOI:
        end_of_interrupt(pic, non_specific_input(pic), true);
        break;
    case OCW2_SPECIFIC_EOI:
        end_of_interrupt(pic, level, false);
        break;
    case OCW2_ROTATE_ON_SPECIFIC_EOI:
        end_of_interrupt(pic, level, true);
        break;
    case OCW2_SET_PRIORITY:
        pic->lowest_priority = (uint8_t)level;
        break;
    case OCW2_NO_OPERATION:
        break;
    }
}

static void write_ocw3(struct i8259_pic *pic, uint8_t value)
{
    if (value & OCW3_P)
        pic->poll = true;
    if (value & OCW3_RR)
        pic->read_isr = value & OCW3_RIS;
    if (value & OCW3_ESMM)
        pic->special_mask = value & OCW3_SMM;
}

static void write_command(struct i8259_pic *pic, uint8_t value)
{
    if (value & ICW1_SELECT)
        write_icw1(pic, value);
    else if (value & OCW3_SELECT)
        write_ocw3(pic, value);
    else
        write_ocw2(pic, value);
}

// ICW2 to ICW4 in turn, then OCW1. ICW3 describes wiring, which is fixed here.
static void write_data(struct i8259_pic *pic, uint8_t value)
{
    switch (pic->next_icw) {
    case 2:
        pic->vector_base = value & ICW2_VECTOR_MASK;
        pic->next_icw = !pic->is_single ? 3 : pic->is_icw4_needed ? 4 : 0;
        break;
    case 3:
        pic->next_icw = pic->is_icw4_needed ? 4 : 0;
        break;
    case 4:
        pic->auto_eoi = value & ICW4_AEOI;
        pic->special_fully_nested = value & ICW4_SFNM;
        pic->next_icw = 0;
        break;
    default:
        pic->imr = value;
        break;
    }
}

// A poll acknowledges like the CPU would, but returns the input instead of a vector.
static uint8_t read_poll(struct i8259 *pics, struct i8259_pic *pic)
{
    int input;

    pic->poll = false;
    if (pic->is_master) {
        input = pending_input(pic);
        if (input != NO_INPUT)
            pic_accept(pic, (unsigned)input);
    } else {
        input = slave_accept(pics);
    }
    update_outputs(pics);
    return input == NO_INPUT ? 0 : POLL_REQUEST | (uint8_t)input;
}

static uint8_t pic_read_byte(struct i8259 *pics, struct i8259_pic *pic, uint64_t offset)
{
    if (offset > 1)
        return 0xff;
    if (pic->poll)
        return read_poll(pics, pic);
    if (offset == 1)
        return pic->imr;
    return pic->read_isr ? pic->isr : pic->irr;
}

static void pic_write_byte(struct i8259 *pics, struct i8259_pic *pic, uint64_t offset,
                           uint8_t value)
{
    if (offset == 0)
        write_command(pic, value);
    else if (offset == 1)
        write_data(pic, value);
    update_outputs(pics);
}

static uint8_t master_read_byte(void *chip, uint64_t offset)
{
    struct i8259 *pics = chip;

    return pic_read_byte(pics, &pics->master, offset);
}

static void master_write_byte(void *chip, uint64_t offset, uint8_t value)
{
    struct i8259 *pics = chip;

    pic_write_byte(pics, &pics->master, offset, value);
}

static uint8_t slave_read_byte(void *chip, uint64_t offset)
{
    struct i8259 *pics = chip;

    return pic_read_byte(pics, &pics->slave, offset);
}

static void slave_write_byte(void *chip, uint64_t offset, uint8_t value)
{
    struct i8259 *pics = chip;

    pic_write_byte(pics, &pics->slave, offset, value);
}

static uint8_t elcr_read_byte(void *chip, uint64_t offset)
{
    const struct i8259 *pics = chip;

    return offset == 0 ? pics->master.elcr : offset == 1 ? pics->slave.elcr : 0xff;
}

static void pic_set_elcr(struct i8259_pic *pic, uint8_t value)
{
    uint8_t now_level = value & pic->elcr_mask & (uint8_t)~pic->elcr;

    pic->elcr = value & pic->elcr_mask;
    // An input that becomes level-triggered requests what its line says, whatever edge it had
    // latched.
    pic->irr = (pic->irr & (uint8_t)~now_level) | (pic->lines & now_level);
}

static void elcr_write_byte(void *chip, uint64_t offset, uint8_t value)
{
    struct i8259 *pics = chip;

    if (offset == 0)
        pic_set_elcr(&pics->master, value);
    else if (offset == 1)
        pic_set_elcr(&pics->slave, value);
    update_outputs(pics);
}

static uint64_t master_read(void *device, uint64_t offset, unsigned width_bytes)
{
    return byte_port_read(device, master_read_byte, offset, width_bytes);
}

static void master_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    byte_port_write(device, master_write_byte, offset, width_bytes, value);
}

static uint64_t slave_read(void *device, uint64_t offset, unsigned width_bytes)
{
    return byte_port_read(device, slave_read_byte, offset, width_bytes);
}

static void slave_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    byte_port_write(device, slave_write_byte, offset, width_bytes, value);
}

static uint64_t elcr_read(void *device, uint64_t offset, unsigned width_bytes)
{
    return byte_port_read(device, elcr_read_byte, offset, width_bytes);
}

static void elcr_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    byte_port_write(device, elcr_write_byte, offset, width_bytes, value);
}

// All masked until the guest initialises the chip; the levels of the lines are not the chip's to
// change.
static void pic_reset(struct i8259_pic *pic)
{
    uint8_t lines = pic->lines, elcr_mask = pic->elcr_mask;
    bool is_master = pic->is_master, intr = pic->intr;

    *pic = (struct i8259_pic){.lines = lines,
                              .elcr_mask = elcr_mask,
                              .is_master = is_master,
                              .intr = intr,
                              .imr = 0xff,
                              .lowest_priority = 7};
}

static void i8259_reset(void *device)
{
    struct i8259 *pics = device;

    pic_reset(&pics->master);
    pic_reset(&pics->slave);
    update_outputs(pics);
}

const struct device_ops i8259_master_ops = {
    .read = master_read,
    .write = master_write,
    .reset = i8259_reset,
};

const struct device_ops i8259_slave_ops = {
    .read = slave_read,
    .write = slave_write,
    .reset = i8259_reset,
};

const struct device_ops i8259_elcr_ops = {
    .read = elcr_read,
    .write = elcr_write,
    .reset = i8259_reset,
};

void i8259_init(struct i8259 *pics, struct irq_line intr)
{
    memset(pics, 0, sizeof(*pics));
    pics->intr = intr;
    pics->master.is_master = true;
    pics->master.elcr_mask = ELCR_MASTER_MASK;
    pics->slave.elcr_mask = ELCR_SLAVE_MASK;
    i8259_reset(pics);
}

void i8259_set_input(void *context, unsigned input, bool level)
{
    struct i8259 *pics = context;

    if (input >= I8259_INPUT_COUNT || input == CASCADE_INPUT)
        return;
    pic_set_line(input < 8 ? &pics->master : &pics->slave, input & 7, level);
    update_outputs(pics);
}
