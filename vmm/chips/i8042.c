#include "vmm/chips/i8042.h"

#include "vmm/chips/byte_port.h"

#include <string.h>

#define STATUS_OBF     0x01 // the output buffer holds a byte for the CPU
#define STATUS_SYS     0x04
#define STATUS_CMD     0x08 // the last write went to the command port
#define STATUS_UNLOCK  0x10 // the keyboard is not inhibited
#define STATUS_TIMEOUT 0x40

#define COMMAND_BYTE_INT       0x01
#define COMMAND_BYTE_SYS       0x04
#define COMMAND_BYTE_EN        0x10 // set: keyboard disabled
#define COMMAND_BYTE_EN2       0x20 // set: auxiliary device disabled
#define COMMAND_BYTE_TRANSLATE 0x40

#define CMD_READ_RAM          0x20 // to 0x3f
#define CMD_WRITE_RAM         0x60 // to 0x7f
#define CMD_DISABLE_AUX       0xa7
#define CMD_ENABLE_AUX        0xa8
#define CMD_TEST_AUX          0xa9
#define CMD_SELF_TEST         0xaa
#define CMD_TEST_KEYBOARD     0xab
#define CMD_DISABLE_KEYBOARD  0xad
#define CMD_ENABLE_KEYBOARD   0xae
#define CMD_READ_INPUT_PORT   0xc0
#define CMD_READ_OUTPUT_PORT  0xd0
#define CMD_WRITE_OUTPUT_PORT 0xd1
#define CMD_WRITE_OUTPUT      0xd2
#define CMD_WRITE_AUX_OUTPUT  0xd3
#define CMD_WRITE_AUX         0xd4
#define CMD_DISABLE_A20       0xdd
#define CMD_ENABLE_A20        0xdf
#define CMD_PULSE             0xf0 // to 0xff: the zero bits pulse low

#define SELF_TEST_PASSED   0x55
#define TEST_PASSED        0x00
#define TEST_CLOCK_STUCK   0x01
#define KEYBOARD_RESEND    0xfe
#define INPUT_PORT_UNLOCK  0x80
#define OUTPUT_PORT_RESET  0x01 // low active
#define OUTPUT_PORT_A20    0x02
#define OUTPUT_PORT_OBF    0x10
#define OUTPUT_PORT_BEFORE 0xcc // clock and data lines high

#define RAM_ADDRESS_MASK 0x1f

static void update_irq(struct i8042 *controller)
{
    bool level = (controller->status & STATUS_OBF) && (controller->ram[0] & COMMAND_BYTE_INT);

    if (level == controller->irq_level)
        return;
    controller->irq_level = level;
    irq_line_set(&controller->irq1, level);
}

static void put_output(struct i8042 *controller, uint8_t byte, uint8_t error)
{
    controller->output = byte;
    controller->status = (controller->status & (uint8_t)~STATUS_TIMEOUT) | STATUS_OBF | error;
}

static void set_a20(struct i8042 *controller, bool enabled)
{
    controller->output_port &= (uint8_t)~OUTPUT_PORT_A20;
    if (enabled)
        controller->output_port |= OUTPUT_PORT_A20;
    if (controller->host.set_a20)
        controller->host.set_a20(controller->host.context, enabled);
}

static void self_test(struct i8042 *controller)
{
    controller->ram[0] |= COMMAND_BYTE_EN | COMMAND_BYTE_EN2 | COMMAND_BYTE_SYS;
    controller->status |= STATUS_SYS;
    put_output(controller, SELF_TEST_PASSED, 0);
}

static uint8_t output_port_value(const struct i8042 *controller)
{
    return controller->output_port | (controller->status & STATUS_OBF ? OUTPUT_PORT_OBF : 0);
}

// The commands outside the three ranges.
static void run_single_command(struct i8042 *controller, uint8_t command)
{
    switch (command) {
    case CMD_DISABLE_AUX:
        controller->ram[0] |= COMMAND_BYTE_EN2;
        break;
    case CMD_ENABLE_AUX:
        controller->ram[0] &= (uint8_t)~COMMAND_BYTE_EN2;
        break;
    case CMD_TEST_AUX:
        put_output(controller, TEST_CLOCK_STUCK, 0);
        break;
    case CMD_SELF_TEST:
        self_test(controller);
        break;
    case CMD_TEST_KEYBOARD:
        put_output(controller, TEST_PASSED, 0);
        break;
    case CMD_DISABLE_KEYBOARD:
        controller->ram[0] |= COMMAND_BYTE_EN;
        break;
    case CMD_ENABLE_KEYBOARD:
        controller->ram[0] &= (uint8_t)~COMMAND_BYTE_EN;
        break;
    case CMD_READ_INPUT_PORT:
        put_output(controller, INPUT_PORT_UNLOCK, 0);
        break;
    case CMD_READ_OUTPUT_PORT:
        put_output(controller, output_port_value(controller), 0);
        break;
    case CMD_WRITE_OUTPUT_PORT:
    case CMD_WRITE_OUTPUT:
    case CMD_WRITE_AUX_OUTPUT:
    case CMD_WRITE_AUX:
        controller->command = command;
        break;
    case CMD_DISABLE_A20:
        set_a20(controller, false);
        break;
    case CMD_ENABLE_A20:
        set_a20(controller, true);
        break;
    default:
        break;
    }
}

static void write_command(struct i8042 *controller, uint8_t command)
{
    controller->status |= STATUS_CMD;
    controller->command = 0;
    if ((command & ~RAM_ADDRESS_MASK) == CMD_READ_RAM)
        put_output(controller, controller->ram[command & RAM_ADDRESS_MASK], 0);
    else if ((command & ~RAM_ADDRESS_MASK) == CMD_WRITE_RAM)
        controller->command = command;
    else if (command >= CMD_PULSE && !(command & OUTPUT_PORT_RESET))
        controller->host.reset(controller->host.context);
    else
        run_single_command(controller, command);
    update_irq(controller);
}

static void write_output_port(struct i8042 *controller, uint8_t value)
{
    set_a20(controller, value & OUTPUT_PORT_A20);
    if (!(value & OUTPUT_PORT_RESET))
        controller->host.reset(controller->host.context);
}

// The data byte of a command, or a byte for the keyboard.
static void write_data(struct i8042 *controller, uint8_t value)
{
    uint8_t command = controller->command;

    controller->status &= (uint8_t)~STATUS_CMD;
    controller->command = 0;
    switch (command) {
    case 0:
    case CMD_WRITE_AUX:
        put_output(controller, KEYBOARD_RESEND, STATUS_TIMEOUT);
        break;
    case CMD_WRITE_OUTPUT_PORT:
        write_output_port(controller, value);
        break;
    case CMD_WRITE_OUTPUT:
    case CMD_WRITE_AUX_OUTPUT: // without an auxiliary port the byte comes back as the keyboard's
        put_output(controller, value, 0);
        break;
    default:
        controller->ram[command & RAM_ADDRESS_MASK] = value;
        break;
    }
    update_irq(controller);
}

static uint8_t data_read_byte(void *chip, uint64_t offset)
{
    struct i8042 *controller = chip;

    if (offset != 0)
        return 0xff;
    controller->status &= (uint8_t) ~(STATUS_OBF | STATUS_TIMEOUT);
    update_irq(controller);
    return controller->output;
}

static void data_write_byte(void *chip, uint64_t offset, uint8_t value)
{
    if (offset == 0)
        write_data(chip, value);
}

static uint8_t command_read_byte(void *chip, uint64_t offset)
{
    const struct i8042 *controller = chip;

    return offset == 0 ? controller->status : 0xff;
}

static void command_write_byte(void *chip, uint64_t offset, uint8_t value)
{
    if (offset == 0)
        write_command(chip, value);
}

static uint64_t data_read(void *device, uint64_t offset, unsigned width_bytes)
{
    return byte_port_read(device, data_read_byte, offset, width_bytes);
}

static void data_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    byte_port_write(device, data_write_byte, offset, width_bytes, value);
}

static uint64_t command_read(void *device, uint64_t offset, unsigned width_bytes)
{
    return byte_port_read(device, command_read_byte, offset, width_bytes);
}

static void command_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    byte_port_write(device, command_write_byte, offset, width_bytes, value);
}

// The state in which firmware leaves the controller: tested, keyboard enabled, A20 open.
static void i8042_reset(void *device)
{
    struct i8042 *controller = device;

    memset(controller->ram, 0, sizeof(controller->ram));
    controller->ram[0] = COMMAND_BYTE_TRANSLATE | COMMAND_BYTE_EN2 | COMMAND_BYTE_SYS;
    controller->status = STATUS_SYS | STATUS_UNLOCK;
    controller->output = 0;
    controller->command = 0;
    if (!(controller->output_port & OUTPUT_PORT_A20))
        set_a20(controller, true);
    update_irq(controller);
}

const struct device_ops i8042_data_ops = {
    .read = data_read,
    .write = data_write,
    .reset = i8042_reset,
};

const struct device_ops i8042_command_ops = {
    .read = command_read,
    .write = command_write,
    .reset = i8042_reset,
};

void i8042_init(struct i8042 *controller, const struct i8042_host *host, struct irq_line irq1)
{
    memset(controller, 0, sizeof(*controller));
    controller->host = *host;
    controller->irq1 = irq1;
    controller->output_port = OUTPUT_PORT_BEFORE | OUTPUT_PORT_RESET | OUTPUT_PORT_A20;
    i8042_reset(controller);
}
