#include "tests/test.h"
#include "tests/unit/chip_fakes.h"
#include "vmm/chips/ns16550.h"

struct fixture {
    struct ns16550 uart;
    struct fake_line irq;
    uint8_t sent[256];
    size_t sent_count;
    size_t sink_room;
    unsigned ready_count;
};

static size_t take(void *context, const uint8_t *bytes, size_t count)
{
    struct fixture *f = context;
    size_t taken = 0;

    while (taken < count && f->sink_room > 0 && f->sent_count < sizeof(f->sent)) {
        f->sent[f->sent_count++] = bytes[taken++];
        f->sink_room--;
    }
    return taken;
}

static void note_ready(void *context)
{
    ((struct fixture *)context)->ready_count++;
}

static void start(struct fixture *f)
{
    struct uart_host host = {.transmit = take, .receive_ready = note_ready, .context = f};

    memset(f, 0, sizeof(*f));
    f->sink_room = SIZE_MAX;
    ns16550_init(&f->uart, &host, fake_line_connect(&f->irq));
}

static uint8_t in(struct fixture *f, unsigned offset)
{
    return (uint8_t)ns16550_ops.read(&f->uart, offset, 1);
}

static void out(struct fixture *f, unsigned offset, uint8_t value)
{
    ns16550_ops.write(&f->uart, offset, 1, value);
}

static void receive(struct fixture *f, unsigned count)
{
    uint8_t bytes[64];

    for (unsigned i = 0; i < count; i++)
        bytes[i] = (uint8_t)('a' + i);
    ns16550_receive(&f->uart, bytes, count);
}

TEST(ns16550_starts_idle)
{
    struct fixture f;
    start(&f);
    EXPECT_EQ(in(&f, 5), 0x60);
    EXPECT_EQ(in(&f, 2), 0x01);
    EXPECT_EQ(in(&f, 1), 0);
    EXPECT_EQ(in(&f, 6), 0xb0);
    EXPECT_FALSE(f.irq.level);
}

TEST(ns16550_keeps_divisor_apart_from_data)
{
    struct fixture f;
    start(&f);
    out(&f, 1, 0x05);
    out(&f, 3, 0x83);
    out(&f, 0, 0x34);
    out(&f, 1, 0x12);
    EXPECT_EQ(in(&f, 0), 0x34);
    EXPECT_EQ(in(&f, 1), 0x12);
    EXPECT_EQ(ns16550_ops.read(&f.uart, 0, 2), 0x1234);
    out(&f, 3, 0x03);
    EXPECT_EQ(in(&f, 1), 0x05);
    EXPECT_EQ(f.sent_count, 0);
}

TEST(ns16550_sends_at_once)
{
    struct fixture f;
    start(&f);
    out(&f, 0, 'x');
    EXPECT_EQ(f.sent_count, 1);
    EXPECT_EQ(f.sent[0], 'x');
    EXPECT_EQ(in(&f, 5), 0x60);
}

TEST(ns16550_holds_thre_low_until_sink_is_writable)
{
    struct fixture f;
    start(&f);
    f.sink_room = 1;
    out(&f, 2, 0x01);
    out(&f, 4, 0x08);
    out(&f, 0, 'a');
    out(&f, 1, 0x02);
    (void)in(&f, 2);
    for (unsigned i = 0; i < 20; i++) // four more than the FIFO holds are lost
        out(&f, 0, (uint8_t)('b' + i));
    EXPECT_EQ(in(&f, 5) & 0x60, 0);
    EXPECT_FALSE(f.irq.level);
    f.sink_room = 10;
    ns16550_writable(&f.uart);
    EXPECT_EQ(in(&f, 5) & 0x60, 0);
    f.sink_room = 100;
    ns16550_writable(&f.uart);
    EXPECT_EQ(in(&f, 5) & 0x60, 0x60);
    EXPECT_EQ(f.sent_count, 17);
    EXPECT_EQ(f.sent[16], 'b' + 15);
    EXPECT_TRUE(f.irq.level);
    EXPECT_EQ(in(&f, 2), 0xc2);
    EXPECT_FALSE(f.irq.level);
}

// The Linux driver's test: the interrupt must come again each time its enable is set while THR is
// empty.
TEST(ns16550_reasserts_thre_interrupt_on_each_enable)
{
    struct fixture f;
    start(&f);
    out(&f, 4, 0x08);
    for (unsigned i = 0; i < 3; i++) {
        out(&f, 1, 0x02);
        EXPECT_TRUE(f.irq.level);
        EXPECT_EQ(in(&f, 2), 0x02);
        EXPECT_EQ(in(&f, 2), 0x01);
        EXPECT_FALSE(f.irq.level);
        out(&f, 1, 0x00);
    }
    out(&f, 1, 0x02);
    (void)in(&f, 2);
    out(&f, 1, 0x02); // not newly enabled
    EXPECT_EQ(in(&f, 2), 0x01);
}

TEST(ns16550_raises_an_edge_for_each_byte_to_a_driver_that_never_reads_iir)
{
    struct fixture f;
    start(&f);
    out(&f, 2, 0x01);
    out(&f, 4, 0x08);
    out(&f, 1, 0x02);
    EXPECT_EQ(f.irq.rising_count, 1);
    out(&f, 0, 'a');
    out(&f, 0, 'b');
    EXPECT_EQ(f.irq.rising_count, 3);
}

TEST(ns16550_raises_one_edge_for_a_fifo_filled_after_iir)
{
    struct fixture f;
    start(&f);
    out(&f, 2, 0x01);
    out(&f, 4, 0x08);
    out(&f, 1, 0x02);
    EXPECT_EQ(in(&f, 2), 0xc2);
    for (unsigned i = 0; i < 16; i++)
        out(&f, 0, 'a');
    EXPECT_EQ(f.irq.rising_count, 2);
    EXPECT_TRUE(f.irq.level);
    out(&f, 0, 'b');
    EXPECT_EQ(f.irq.rising_count, 3);
}

TEST(ns16550_indicates_trigger_level_and_timeout)
{
    struct fixture f;
    start(&f);
    out(&f, 2, 0x81); // trigger at 8
    out(&f, 1, 0x01);
    out(&f, 4, 0x08);
    receive(&f, 7);
    EXPECT_TRUE(f.irq.level);
    EXPECT_EQ(in(&f, 2), 0xcc);
    receive(&f, 1);
    EXPECT_EQ(in(&f, 2), 0xc4);
    for (unsigned i = 0; i < 7; i++)
        EXPECT_EQ(ns16550_ops.read(&f.uart, 0, 1), 'a' + i);
    EXPECT_EQ(in(&f, 5) & 1, 1);
    EXPECT_EQ(in(&f, 2), 0xcc);
    (void)in(&f, 0);
    EXPECT_EQ(in(&f, 5) & 1, 0);
    EXPECT_EQ(in(&f, 2), 0xc1);
    EXPECT_FALSE(f.irq.level);
}

TEST(ns16550_orders_interrupts_by_priority)
{
    struct fixture f;
    start(&f);
    out(&f, 1, 0x0f);
    out(&f, 4, 0x10); // loopback: outputs low, so inputs change
    EXPECT_EQ(in(&f, 2), 0x02);
    EXPECT_EQ(in(&f, 2), 0x00); // modem status
    out(&f, 0, 'a');
    out(&f, 0, 'b'); // overruns the one-byte receiver
    EXPECT_EQ(in(&f, 2), 0x06);
    EXPECT_EQ(in(&f, 5), 0x63);
    EXPECT_EQ(in(&f, 2), 0x04);
    EXPECT_EQ(in(&f, 0), 'a');
    EXPECT_EQ(in(&f, 2), 0x02);
    EXPECT_EQ(in(&f, 2), 0x00);
    EXPECT_EQ(in(&f, 6), 0x0b);
    EXPECT_EQ(in(&f, 2), 0x01);
}

TEST(ns16550_refuses_input_beyond_its_fifo_and_says_when_there_is_room)
{
    struct fixture f;
    uint8_t bytes[20] = {0};
    size_t taken;
    start(&f);
    out(&f, 2, 0x01);
    taken = ns16550_receive(&f.uart, bytes, sizeof(bytes));
    EXPECT_EQ(taken, 16);
    for (unsigned i = 0; i < 15; i++)
        (void)in(&f, 0);
    EXPECT_EQ(f.ready_count, 0);
    (void)in(&f, 0);
    EXPECT_EQ(f.ready_count, 1);
    taken = ns16550_receive(&f.uart, bytes, 16);
    EXPECT_EQ(taken, 16);
    out(&f, 2, 0x03); // clears the receive FIFO, nothing was refused
    EXPECT_EQ(in(&f, 5) & 1, 0);
    EXPECT_EQ(f.ready_count, 1);
}

TEST(ns16550_takes_one_byte_without_fifos)
{
    struct fixture f;
    uint8_t bytes[2] = {'x', 'y'};
    size_t taken;
    start(&f);
    taken = ns16550_receive(&f.uart, bytes, 2);
    EXPECT_EQ(taken, 1);
    out(&f, 2, 0x01); // switching the FIFOs on clears them
    EXPECT_EQ(in(&f, 5) & 1, 0);
    EXPECT_EQ(f.ready_count, 1);
}

TEST(ns16550_gates_its_interrupt_by_out2)
{
    struct fixture f;
    start(&f);
    out(&f, 1, 0x01);
    receive(&f, 1);
    EXPECT_FALSE(f.irq.level);
    out(&f, 4, 0x08);
    EXPECT_TRUE(f.irq.level);
    out(&f, 4, 0x18);
    EXPECT_FALSE(f.irq.level);
}

// The probe of the Linux 8250 driver: what it writes, and what it must read to find a 16550A.
TEST(ns16550_passes_linux_autoconfig)
{
    struct fixture f;
    uint8_t mcr;
    start(&f);
    out(&f, 1, 0x00);
    EXPECT_EQ(in(&f, 1) & 0x0f, 0x00);
    out(&f, 1, 0x0f);
    EXPECT_EQ(in(&f, 1) & 0x0f, 0x0f);
    out(&f, 1, 0x00);
    out(&f, 4, 0x1a);
    EXPECT_EQ(in(&f, 6) & 0xf0, 0x90);
    out(&f, 4, 0x00);
    out(&f, 3, 0xbf);
    out(&f, 2, 0x00);
    out(&f, 3, 0x00);
    out(&f, 2, 0x01);
    EXPECT_EQ(in(&f, 2) >> 6, 3);
    out(&f, 3, 0x80);
    EXPECT_NE(ns16550_ops.read(&f.uart, 2, 1), 0); // no EFR
    out(&f, 3, 0xe0);
    mcr = in(&f, 4);
    EXPECT_EQ((in(&f, 2) ^ mcr) & 0x10, 0); // no EXCR2
    out(&f, 3, 0x00);
    out(&f, 2, 0x00);
    out(&f, 3, 0x80);
    out(&f, 2, 0x21);
    EXPECT_EQ(in(&f, 2) >> 5, 6); // no 64-byte FIFO
    out(&f, 3, 0x00);
    out(&f, 1, 0x40);
    EXPECT_EQ(in(&f, 1), 0); // no XScale unit enable
    out(&f, 7, 0x5a);
    EXPECT_EQ(in(&f, 7), 0x5a);
    EXPECT_EQ(f.sent_count, 0);
}

TEST(ns16550_answers_ports_beyond_its_own_with_ones)
{
    struct fixture f;
    start(&f);
    EXPECT_EQ(ns16550_ops.read(&f.uart, 8, 4), 0xffffffff);
    EXPECT_EQ(ns16550_ops.read(&f.uart, 7, 2), 0xff00);
    ns16550_ops.write(&f.uart, 8, 8, 0x1122334455667788);
    EXPECT_EQ(in(&f, 7), 0);
}

// An interrupt handler as Linux has it: ask IIR, fill the FIFO while THRE, stop when there is no
// more.
TEST(ns16550_sends_a_long_text_by_interrupts_alone)
{
    struct fixture f;
    unsigned left = 100, interrupts = 0;
    start(&f);
    out(&f, 2, 0x01);
    out(&f, 4, 0x0b);
    f.sink_room = 40;
    out(&f, 1, 0x03);
    for (unsigned edges_seen = 0; edges_seen < f.irq.rising_count && interrupts < 50;
         interrupts++) {
        edges_seen = f.irq.rising_count;
        while (!(in(&f, 2) & 1)) {
            for (unsigned i = 0; i < 16 && left > 0 && (i > 0 || (in(&f, 5) & 0x20)); i++, left--)
                out(&f, 0, (uint8_t)left);
            if (left == 0)
                out(&f, 1, 0x01);
        }
        f.sink_room = 40; // the sink catches up between interrupts
        ns16550_writable(&f.uart);
    }
    EXPECT_EQ(left, 0);
    EXPECT_EQ(f.sent_count, 100);
    for (unsigned i = 0; i < f.sent_count; i++)
        EXPECT_EQ(f.sent[i], 100 - i);
    EXPECT_FALSE(f.irq.level);
}

TEST(ns16550_reset_drops_what_was_under_way)
{
    struct fixture f;
    start(&f);
    f.sink_room = 0;
    out(&f, 2, 0x01);
    out(&f, 4, 0x08);
    out(&f, 1, 0x03);
    out(&f, 0, 'x');
    receive(&f, 20);
    EXPECT_TRUE(f.irq.level);
    ns16550_ops.reset(&f.uart);
    EXPECT_FALSE(f.irq.level);
    EXPECT_EQ(in(&f, 5), 0x60);
    EXPECT_EQ(in(&f, 2), 0x01);
    EXPECT_EQ(f.ready_count, 1);
}
