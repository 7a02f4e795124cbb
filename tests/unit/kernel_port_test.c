// Ports: packets in order, coalescing, what happens when either side goes.
#include "tests/unit/kernel_fixture.h"

PROCESS_TEST(port_gives_packets_in_order)
{
    mx_handle_t port;
    struct mx_port_packet packet = {.key = 1}, out;

    ASSERT_OK(mx_port_create(&port));
    for (packet.key = 1; packet.key <= 3; packet.key++)
        EXPECT_OK(mx_port_queue(port, &packet));
    for (uint64_t key = 1; key <= 3; key++) {
        EXPECT_OK(mx_port_wait(port, 0, &out));
        EXPECT_EQ(out.key, key);
        EXPECT_EQ(out.type, MX_PACKET_USER);
    }
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_port_wait(port, 0, &out));
}
