// Rings that driver and controller share.
#include "tests/test.h"
#include "user/drivers/usb/portable/xhci_ring.h"

#define COUNT   8
#define ADDRESS UINT64_C(0x123456000)

static struct xhci_trb memory[COUNT];
static struct xhci_ring ring;
static struct xhci_event_ring events;

static struct xhci_trb command(uint32_t number)
{
    return (struct xhci_trb){
        .parameter = number, .status = ~number, .control = XHCI_TRB_TYPE(XHCI_TRB_NORMAL)};
}

// What a controller does: takes entries as long as their cycle bit is its own, and follows links.
struct consumer {
    uint32_t index, cycle;
};

static bool consume(struct consumer *consumer, struct xhci_trb *trb)
{
    for (;;) {
        *trb = memory[consumer->index];
        if ((trb->control & 1) != consumer->cycle)
            return false;
        if ((trb->control >> 10 & 0x3f) != XHCI_TRB_LINK)
            break;
        EXPECT_EQ(consumer->index, COUNT - 1);
        EXPECT_EQ(trb->parameter, ADDRESS);
        consumer->index = 0;
        consumer->cycle ^= trb->control >> 1 & 1;
    }
    consumer->index++;
    return true;
}

TEST(xhci_ring_hands_over_each_entry_once_and_in_order_round_after_round)
{
    struct consumer consumer = {0, 1};
    struct xhci_trb trb;
    uint32_t taken = 0;

    xhci_ring_init(&ring, memory, ADDRESS, COUNT);
    EXPECT_FALSE(consume(&consumer, &trb));
    for (uint32_t put = 0; put < 100;) {
        for (uint32_t burst = 0; burst <= put % (COUNT - 1); burst++, put++) {
            const uint64_t position = xhci_ring_position(&ring);
            EXPECT_EQ(xhci_ring_put(&ring, command(put)), position & ~UINT64_C(1));
        }
        for (; taken < put; taken++) {
            EXPECT_TRUE(consume(&consumer, &trb));
            EXPECT_EQ(trb.parameter, taken);
            EXPECT_EQ(trb.status, ~taken);
            EXPECT_EQ(trb.control >> 10, XHCI_TRB_NORMAL);
        }
        EXPECT_FALSE(consume(&consumer, &trb));
    }
}

TEST(xhci_ring_position_is_where_a_controller_goes_on)
{
    struct xhci_trb trb;

    xhci_ring_init(&ring, memory, ADDRESS, COUNT);
    for (uint32_t i = 0; i < 40; i++) {
        const uint64_t position = xhci_ring_position(&ring);
        struct consumer consumer = {(uint32_t)((position & ~UINT64_C(15)) - ADDRESS) / 16,
                                    position & 1};
        EXPECT_FALSE(consume(&consumer, &trb));
        xhci_ring_put(&ring, command(i));
        EXPECT_TRUE(consume(&consumer, &trb));
        EXPECT_EQ(trb.parameter, i);
    }
}

static void produce(uint32_t number)
{
    memory[number % COUNT] = (struct xhci_trb){.parameter = number,
                                               .control = XHCI_TRB_TYPE(XHCI_TRB_TRANSFER_EVENT) |
                                                          !(number / COUNT % 2)};
}

TEST(xhci_event_ring_takes_each_event_once_round_after_round)
{
    struct xhci_trb trb;
    uint32_t put = 0, taken = 0;

    xhci_event_ring_init(&events, memory, ADDRESS, COUNT);
    EXPECT_FALSE(xhci_event_ring_next(&events, &trb));
    while (put < 100) {
        for (uint32_t burst = 0; burst <= put % COUNT; burst++)
            produce(put++);
        for (; taken < put; taken++) {
            EXPECT_EQ(xhci_event_ring_position(&events), ADDRESS + taken % COUNT * 16);
            EXPECT_TRUE(xhci_event_ring_next(&events, &trb));
            EXPECT_EQ(trb.parameter, taken);
        }
        EXPECT_FALSE(xhci_event_ring_next(&events, &trb));
    }
}

TEST(xhci_events_are_decoded_by_type)
{
    struct xhci_trb trb = {.parameter = UINT64_C(0x987654310),
                           .status = 0x0d000005,
                           .control = 0x07030000 | XHCI_TRB_TYPE(XHCI_TRB_TRANSFER_EVENT) | 1};
    struct xhci_event event = xhci_event_decode(&trb);

    EXPECT_EQ(event.kind, XHCI_EVENT_TRANSFER);
    EXPECT_EQ(event.address, UINT64_C(0x987654310));
    EXPECT_EQ(event.code, XHCI_COMPLETION_SHORT_PACKET);
    EXPECT_EQ(event.residue, 5);
    EXPECT_EQ(event.slot, 7);
    EXPECT_EQ(event.endpoint, 3);
    EXPECT_FALSE(event.is_event_data);
    trb.control = 0x02000000 | XHCI_TRB_TYPE(XHCI_TRB_COMMAND_COMPLETION_EVENT);
    event = xhci_event_decode(&trb);
    EXPECT_EQ(event.kind, XHCI_EVENT_COMMAND);
    EXPECT_EQ(event.slot, 2);
    trb.parameter = 0x05000000;
    trb.control = XHCI_TRB_TYPE(XHCI_TRB_PORT_STATUS_CHANGE_EVENT);
    event = xhci_event_decode(&trb);
    EXPECT_EQ(event.kind, XHCI_EVENT_PORT);
    EXPECT_EQ(event.port, 5);
    trb.control = XHCI_TRB_TYPE(XHCI_TRB_HOST_CONTROLLER_EVENT);
    EXPECT_EQ(xhci_event_decode(&trb).kind, XHCI_EVENT_CONTROLLER);
    for (uint32_t type = 0; type < 64; type++) {
        trb.control = XHCI_TRB_TYPE(type);
        if (type != 32 && type != 33 && type != 34 && type != 37)
            EXPECT_EQ(xhci_event_decode(&trb).kind, XHCI_EVENT_OTHER);
    }
}
