// The PL011 as Linux's amba-pl011 driver and early console use it, and at its edges.
#include "tests/test.h"
#include "tests/unit/chip_fakes.h"
#include "vmm/chips/pl011.h"

#define DR    0x00
#define RSR   0x04
#define FR    0x18
#define IBRD  0x24
#define FBRD  0x28
#define LCR_H 0x2c
#define CR    0x30
#define IFLS  0x34
#define IMSC  0x38
#define RIS   0x3c
#define MIS   0x40
#define ICR   0x44
#define DMACR 0x48

#define RX 0x10
#define TX 0x20
#define RT 0x40
#define OE 0x400

struct fixture {
    struct pl011 uart;
    struct fake_line irq;
    uint8_t sent[256];
    size_t sent_count;
    size_t sink_room;
    const char *waiting; // handed in when the UART is ready
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
    struct fixture *f = context;

    f->ready_count++;
    if (f->waiting)
        f->waiting += pl011_receive(&f->uart, (const uint8_t *)f->waiting, strlen(f->waiting));
}

static void start(struct fixture *f)
{
    const struct uart_host host = {.transmit = take, .receive_ready = note_ready, .context = f};

    memset(f, 0, sizeof(*f));
    f->sink_room = SIZE_MAX;
    pl011_uart_ops.init(&f->uart, &host, fake_line_connect(&f->irq));
}

static uint32_t in(struct fixture *f, unsigned offset)
{
    return (uint32_t)pl011_ops.read(&f->uart, offset, 4);
}

static void out(struct fixture *f, unsigned offset, uint32_t value)
{
    pl011_ops.write(&f->uart, offset, 4, value);
}

static size_t receive(struct fixture *f, unsigned count)
{
    uint8_t bytes[64];

    for (unsigned i = 0; i < count; i++)
        bytes[i] = (uint8_t)('a' + i);
    return pl011_uart_ops.receive(&f->uart, bytes, count);
}

// What pl011_startup and pl011_set_termios leave behind.
static void start_as_linux(struct fixture *f)
{
    start(f);
    out(f, ICR, 0x7f0);
    out(f, IFLS, 2 << 3 | 2);
    out(f, CR, 0x0b01);
    out(f, FBRD, 4);
    out(f, IBRD, 39);
    out(f, LCR_H, 0x70);
    out(f, ICR, RX | RT);
    out(f, IMSC, RX | RT);
}

TEST(pl011_is_known_by_its_primecell_ids)
{
    struct fixture f;
    uint32_t periphid = 0, cid = 0;
    start(&f);
    for (unsigned i = 0; i < 4; i++) {
        periphid |= in(&f, 0xfe0 + 4 * i) << (8 * i);
        cid |= in(&f, 0xff0 + 4 * i) << (8 * i);
    }
    EXPECT_EQ(periphid & 0x000fffff, 0x00041011);
    EXPECT_EQ(periphid >> 20 & 15, 3); // Linux: FIFOs of 32 bytes
    EXPECT_EQ(cid, 0xb105f00d);
}

TEST(pl011_starts_idle)
{
    struct fixture f;
    start(&f);
    EXPECT_EQ(in(&f, FR), 0x97);
    EXPECT_EQ(in(&f, CR), 0x300);
    EXPECT_EQ(in(&f, IFLS), 0x12);
    EXPECT_EQ(in(&f, RIS), 0);
    EXPECT_EQ(in(&f, DR), 0);
    EXPECT_FALSE(f.irq.level);
}

TEST(pl011_sends_for_an_early_console_that_enables_nothing)
{
    struct fixture f;
    start(&f);
    for (const char *c = "boot\n"; *c; c++) {
        ASSERT_EQ(in(&f, FR) & 0x20, 0);
        pl011_ops.write(&f.uart, DR, 1, (uint8_t)*c);
        ASSERT_EQ(in(&f, FR) & 0x08, 0);
    }
    EXPECT_EQ(f.sent_count, 5);
    EXPECT_BYTES_EQ(f.sent, "boot\n", 5);
}

TEST(pl011_keeps_what_it_does_not_act_on)
{
    struct fixture f;
    start(&f);
    out(&f, IBRD, 0x12345);
    out(&f, FBRD, 0xff);
    out(&f, DMACR, 0xff);
    out(&f, LCR_H, 0x70);
    EXPECT_EQ(in(&f, IBRD), 0x2345);
    EXPECT_EQ(in(&f, FBRD), 0x3f);
    EXPECT_EQ(in(&f, DMACR), 7);
    EXPECT_EQ(in(&f, LCR_H), 0x70);
}

// start_tx primes the FIFO and unmasks; the interrupt handler goes on until it has nothing left.
TEST(pl011_interrupts_for_more_to_send_until_masked)
{
    struct fixture f;
    start_as_linux(&f);
    EXPECT_FALSE(f.irq.level);
    out(&f, IMSC, RX | RT | TX);
    EXPECT_FALSE(f.irq.level); // no transition yet
    out(&f, DR, 'a');
    EXPECT_TRUE(f.irq.level);
    EXPECT_EQ(in(&f, MIS), TX);
    for (unsigned i = 0; i < 16; i++)
        out(&f, DR, 'b');
    EXPECT_TRUE(f.irq.level);
    out(&f, IMSC, RX | RT);
    EXPECT_FALSE(f.irq.level);
    EXPECT_EQ(f.sent_count, 17);
}

TEST(pl011_waits_for_its_sink)
{
    struct fixture f;
    start_as_linux(&f);
    out(&f, IMSC, TX);
    f.sink_room = 1;
    for (unsigned i = 0; i < 1 + 16; i++)
        out(&f, DR, 'a' + i);
    EXPECT_EQ(in(&f, FR) & 0xa8, 0x08);
    EXPECT_TRUE(f.irq.level);
    out(&f, DR, 'r'); // above the trigger level
    EXPECT_FALSE(f.irq.level);
    for (unsigned i = 0; i < 20; i++) // five more than the FIFO holds are lost
        out(&f, DR, 's' + i);
    EXPECT_EQ(in(&f, FR) & 0xa8, 0x28);
    f.sink_room = 15;
    pl011_uart_ops.writable(&f.uart);
    EXPECT_FALSE(f.irq.level);
    f.sink_room = 100;
    pl011_uart_ops.writable(&f.uart);
    EXPECT_TRUE(f.irq.level);
    EXPECT_EQ(in(&f, FR) & 0xa8, 0x80);
    EXPECT_EQ(f.sent_count, 33);
    EXPECT_EQ(f.sent[32], 'a' + 32);
}

TEST(pl011_tells_of_a_single_byte_at_once)
{
    struct fixture f;
    start_as_linux(&f);
    EXPECT_EQ(receive(&f, 1), 1);
    EXPECT_TRUE(f.irq.level);
    EXPECT_EQ(in(&f, RIS) & (RX | RT), RT);
    EXPECT_EQ(in(&f, DR), 'a');
    EXPECT_FALSE(f.irq.level);
    EXPECT_EQ(in(&f, FR) & 0x50, 0x10);
}

TEST(pl011_tells_of_many_bytes_by_the_trigger_level)
{
    struct fixture f;
    start_as_linux(&f);
    EXPECT_EQ(receive(&f, 16), 16);
    EXPECT_EQ(in(&f, RIS) & (RX | RT), RX);
    EXPECT_EQ(in(&f, DR), 'a');
    EXPECT_EQ(in(&f, RIS) & (RX | RT), RT);
    EXPECT_TRUE(f.irq.level);
    out(&f, IFLS, 0 << 3 | 2);
    EXPECT_EQ(in(&f, RIS) & (RX | RT), RX);
}

TEST(pl011_takes_no_more_than_its_fifo_and_asks_for_the_rest)
{
    struct fixture f;
    start_as_linux(&f);
    EXPECT_EQ(receive(&f, 40), 32);
    EXPECT_EQ(in(&f, FR) & 0x40, 0x40);
    for (unsigned i = 0; i < 31; i++)
        (void)in(&f, DR);
    EXPECT_EQ(f.ready_count, 0);
    f.waiting = "xyz";
    EXPECT_EQ(in(&f, DR), 'a' + 31);
    EXPECT_EQ(f.ready_count, 1);
    EXPECT_EQ(in(&f, DR), 'x');
    EXPECT_EQ(in(&f, DR), 'y');
    EXPECT_EQ(in(&f, DR), 'z');
    EXPECT_FALSE(f.irq.level);
    EXPECT_EQ(f.ready_count, 1);
}

TEST(pl011_keeps_input_waiting_until_it_is_enabled)
{
    struct fixture f;
    start(&f);
    f.waiting = "hi";
    EXPECT_EQ(receive(&f, 2), 0);
    out(&f, LCR_H, 0x70);
    EXPECT_EQ(f.ready_count, 0);
    out(&f, CR, 0x301);
    EXPECT_EQ(f.ready_count, 1);
    EXPECT_EQ(in(&f, DR), 'h');
    EXPECT_EQ(in(&f, DR), 'i');
}

TEST(pl011_is_one_byte_deep_without_fifos)
{
    struct fixture f;
    start(&f);
    out(&f, CR, 0x301);
    out(&f, IMSC, RX | RT);
    EXPECT_EQ(receive(&f, 2), 1);
    EXPECT_EQ(in(&f, RIS) & (RX | RT), RX);
    EXPECT_EQ(in(&f, FR) & 0x50, 0x40);
    f.sink_room = 0;
    out(&f, DR, 'a');
    EXPECT_EQ(in(&f, FR) & 0xa0, 0x20);
    EXPECT_EQ(in(&f, RIS) & TX, 0);
    out(&f, LCR_H, 0x70); // FIFOs on: both are flushed
    EXPECT_EQ(in(&f, FR) & 0xf0, 0x90);
    EXPECT_EQ(in(&f, RIS), TX);
    EXPECT_EQ(f.ready_count, 1);
}

TEST(pl011_loops_back_data_and_modem_lines)
{
    struct fixture f;
    start_as_linux(&f);
    out(&f, CR, 0x0b81); // RTS set
    EXPECT_EQ(in(&f, FR) & 0x107, 0x001);
    EXPECT_EQ(in(&f, RIS) & 0xf, 0xc); // DSR and DCD have gone
    out(&f, ICR, 0xf);
    out(&f, CR, 0x3f81);
    EXPECT_EQ(in(&f, FR) & 0x107, 0x107);
    EXPECT_EQ(in(&f, RIS) & 0xf, 0xd);
    out(&f, DR, 'q');
    EXPECT_EQ(f.sent_count, 0);
    EXPECT_EQ(in(&f, DR), 'q');
    EXPECT_EQ(receive(&f, 1), 0);
    out(&f, CR, 0x0b01);
    EXPECT_EQ(f.ready_count, 1);
}

TEST(pl011_marks_the_byte_after_an_overrun)
{
    struct fixture f;
    start_as_linux(&f);
    out(&f, CR, 0x0b81);
    for (unsigned i = 0; i < 33; i++)
        out(&f, DR, 'a');
    EXPECT_EQ(in(&f, RIS) & OE, OE);
    EXPECT_EQ(in(&f, RSR), 8);
    out(&f, RSR, 0);
    EXPECT_EQ(in(&f, RSR), 0);
    EXPECT_EQ(in(&f, DR), 'a');
    out(&f, DR, 'b');
    for (unsigned i = 0; i < 31; i++)
        EXPECT_EQ(in(&f, DR), 'a');
    EXPECT_EQ(in(&f, DR), 0x800 | 'b');
    EXPECT_EQ(in(&f, RSR), 8);
    out(&f, ICR, OE);
    EXPECT_EQ(in(&f, RIS) & OE, 0);
}

TEST(pl011_answers_strange_accesses_with_nothing)
{
    struct fixture f;
    start_as_linux(&f);
    (void)receive(&f, 3);
    EXPECT_EQ(pl011_ops.read(&f.uart, DR, 8), 0);
    EXPECT_EQ(pl011_ops.read(&f.uart, 0x1, 1), 0);
    EXPECT_EQ(pl011_ops.read(&f.uart, 0x800, 4), 0);
    pl011_ops.write(&f.uart, DR, 8, 'x');
    pl011_ops.write(&f.uart, 0x2, 2, 'x');
    pl011_ops.write(&f.uart, FR, 4, 0);
    pl011_ops.write(&f.uart, 0xff0, 4, 0xff);
    EXPECT_EQ(f.sent_count, 0);
    EXPECT_EQ(pl011_ops.read(&f.uart, DR, 1), 'a');
    EXPECT_EQ(pl011_ops.read(&f.uart, DR, 2), 'b');
}

TEST(pl011_reset_forgets_all_but_its_connections)
{
    struct fixture f;
    start_as_linux(&f);
    EXPECT_EQ(receive(&f, 40), 32);
    EXPECT_TRUE(f.irq.level);
    pl011_ops.reset(&f.uart);
    EXPECT_FALSE(f.irq.level);
    EXPECT_EQ(in(&f, FR), 0x97);
    EXPECT_EQ(in(&f, IMSC), 0);
    out(&f, CR, 0x301);
    EXPECT_EQ(f.ready_count, 1);
    out(&f, DR, 'k');
    EXPECT_EQ(f.sent_count, 1);
}
