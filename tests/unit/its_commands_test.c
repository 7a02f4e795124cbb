// The commands of an ITS that obeys, is late, or has stopped.
#include "kernel/arch/arm64/portable/its_commands.h"

#include <string.h>

#include "kernel/arch/arm64/regs/gic.h"
#include "kernel/arch/arm64/regs/its.h"
#include "tests/test.h"

#define TARGET       (UINT64_C(3) << 16)
#define TABLES_BASE  UINT64_C(0x40000000)
#define COMMANDS_MAX 1024

static struct {
    uint8_t queue[ITS_QUEUE_BYTES];
    uint64_t read_offset, write_offset;
    bool is_asleep;  // it does nothing until it wakes
    uint32_t stalls; // it stops at the next command so often
    bool is_stalled;
    uint64_t commands[COMMANDS_MAX][4]; // that were done
    uint32_t command_count, table_count, overrun_count;
} fake;
static struct its its;

static void work(void)
{
    while (!fake.is_asleep && !fake.is_stalled && fake.read_offset != fake.write_offset) {
        if (fake.stalls > 0) {
            fake.stalls--;
            fake.is_stalled = true;
            return;
        }
        memcpy(fake.commands[fake.command_count++], fake.queue + fake.read_offset,
               ITS_COMMAND_SIZE);
        fake.read_offset = (fake.read_offset + ITS_COMMAND_SIZE) % ITS_QUEUE_BYTES;
    }
}

static uint64_t fake_read(void *context, uint64_t offset)
{
    EXPECT_TRUE(context == &fake);
    if (offset == GITS_TYPER)
        return UINT64_C(7) << 4; // 8 bytes an event
    EXPECT_EQ(offset, GITS_CREADR);
    return fake.read_offset | (fake.is_stalled ? GITS_CREADR_STALLED : 0);
}

static void fake_write(void *context, uint64_t offset, uint64_t value)
{
    (void)context;
    EXPECT_EQ(offset, GITS_CWRITER);
    fake.overrun_count += fake.read_offset != fake.write_offset;
    fake.write_offset = value;
    work();
}

static paddr_t fake_alloc_table(void *context)
{
    (void)context;
    return PADDR(TABLES_BASE + 4096 * (uint64_t)fake.table_count++);
}

static const struct its_ops fake_ops = {
    .read = fake_read, .write = fake_write, .alloc_table = fake_alloc_table};

static void start(void)
{
    memset(&fake, 0, sizeof(fake));
    EXPECT_TRUE(its_start(&its, &fake_ops, &fake, fake.queue, TARGET));
    EXPECT_EQ(fake.command_count, 2u);
    EXPECT_EQ(fake.commands[0][0], ITS_MAPC);
    EXPECT_EQ(fake.commands[0][2], ITS_VALID | TARGET);
    EXPECT_EQ(fake.commands[1][0], ITS_SYNC);
    fake.command_count = 0;
}

static void wake(void)
{
    fake.is_asleep = false;
    work();
}

TEST(an_event_of_a_new_device_takes_a_table_and_an_lpi)
{
    uint32_t event, lpi;

    start();
    ASSERT_OK(its_take(&its, 0x108, &event, &lpi));
    EXPECT_EQ(event, 0u);
    EXPECT_EQ(lpi, 0u);
    ASSERT_EQ(fake.command_count, 3u);
    EXPECT_EQ(fake.commands[0][0], ITS_MAPD | ITS_DEVICE(0x108));
    EXPECT_EQ(fake.commands[0][1], 4u);
    EXPECT_EQ(fake.commands[0][2], ITS_VALID | TABLES_BASE);
    EXPECT_EQ(fake.commands[1][0], ITS_MAPTI | ITS_DEVICE(0x108));
    EXPECT_EQ(fake.commands[1][1], (uint64_t)GIC_INTID_LPI_BASE << 32);
    EXPECT_EQ(fake.commands[2][0], ITS_SYNC);
    ASSERT_OK(its_take(&its, 0x108, &event, &lpi));
    EXPECT_EQ(event, 1u);
    EXPECT_EQ(lpi, 1u);
    EXPECT_EQ(fake.command_count, 5u);
    EXPECT_EQ(fake.table_count, 1u);
}

TEST(what_is_given_back_is_given_again)
{
    uint32_t event, lpi;

    start();
    for (uint32_t i = 0; i < 200; i++) { // round the queue
        ASSERT_OK(its_take(&its, 5, &event, &lpi));
        EXPECT_EQ(event, 0u);
        EXPECT_EQ(lpi, 0u);
        its_give_back(&its, lpi);
        EXPECT_EQ(fake.commands[fake.command_count - 2][0], ITS_DISCARD | ITS_DEVICE(5));
    }
    EXPECT_EQ(fake.overrun_count, 0u);
}

TEST(tables_of_events_are_kept_when_the_its_is_late)
{
    uint32_t event, lpi;

    start();
    fake.is_asleep = true;
    EXPECT_STATUS(MX_ERR_IO, its_take(&its, 7, &event, &lpi));
    EXPECT_STATUS(MX_ERR_IO, its_take(&its, 7, &event, &lpi));
    EXPECT_STATUS(MX_ERR_IO, its_take(&its, 8, &event, &lpi));
    EXPECT_EQ(fake.overrun_count, 0u); // nothing is added while a command is there
    wake();
    ASSERT_OK(its_take(&its, 7, &event, &lpi));
    EXPECT_EQ(fake.table_count, 1u);
    ASSERT_EQ(fake.command_count, 4u);
    EXPECT_EQ(fake.commands[0][2], ITS_VALID | TABLES_BASE);
    EXPECT_EQ(fake.commands[1][0], ITS_MAPD | ITS_DEVICE(7));
    EXPECT_EQ(fake.commands[1][2], ITS_VALID | TABLES_BASE);
    ASSERT_OK(its_take(&its, 8, &event, &lpi));
    EXPECT_EQ(fake.commands[4][2], ITS_VALID | (TABLES_BASE + 4096));
}

TEST(an_its_that_has_stopped_is_told_nothing_more)
{
    uint32_t event, lpi, other;

    start();
    ASSERT_OK(its_take(&its, 7, &event, &lpi));
    fake.stalls = 1;
    EXPECT_STATUS(MX_ERR_IO, its_take(&its, 8, &event, &other));
    EXPECT_STATUS(MX_ERR_IO, its_take(&its, 7, &event, &other));
    its_give_back(&its, lpi);
    EXPECT_EQ(fake.command_count, 3u);
    EXPECT_EQ(fake.overrun_count, 0u);
}

// Each of the commands for an event that is late: neither event nor LPI go to anybody else.
TEST(events_and_lpis_of_late_commands_stay_taken)
{
    uint32_t event, lpi;

    start();
    ASSERT_OK(its_take(&its, 7, &event, &lpi));
    fake.is_asleep = true;
    EXPECT_STATUS(MX_ERR_IO, its_take(&its, 7, &event, &lpi)); // MAPTI
    wake();
    ASSERT_OK(its_take(&its, 8, &event, &lpi));
    EXPECT_EQ(event, 0u);
    EXPECT_EQ(lpi, 2u);
    ASSERT_OK(its_take(&its, 7, &event, &lpi));
    EXPECT_EQ(event, 2u);
    fake.is_asleep = true;
    its_give_back(&its, lpi);
    wake();
    ASSERT_OK(its_take(&its, 7, &event, &lpi));
    EXPECT_EQ(event, 3u);
    EXPECT_EQ(lpi, 4u);
}

TEST(events_and_lpis_and_devices_are_as_many_as_there_is_room_for)
{
    uint32_t event, lpi;

    start();
    for (uint32_t i = 0; i < ITS_EVENTS_MAX; i++)
        ASSERT_OK(its_take(&its, 1, &event, &lpi));
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, its_take(&its, 1, &event, &lpi));
    for (uint32_t i = ITS_EVENTS_MAX; i < ITS_LPI_COUNT; i++)
        ASSERT_OK(its_take(&its, 2 + i % 16, &event, &lpi));
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, its_take(&its, 2, &event, &lpi));
    its_give_back(&its, 40);
    for (uint32_t i = its.device_count; i < ITS_DEVICES_MAX; i++) {
        ASSERT_OK(its_take(&its, 100 + i, &event, &lpi));
        EXPECT_EQ(lpi, 40u);
        its_give_back(&its, lpi);
    }
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, its_take(&its, 99, &event, &lpi));
}
