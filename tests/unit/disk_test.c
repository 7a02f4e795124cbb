// What the drivers of disks share: whose requests reach the device, in what shape and order, and
// what clients are told when it does not do as it should.
#include "tests/unit/disk_fixture.h"

#include "tests/test.h"

#define PAGE ((uint32_t)MX_PAGE_SIZE)

static struct disk_ops ops;

// Client 0 has the whole disk, and FAKE_VMO(0) as its memory 0.
static void set_up_without_client(bool needs_pages, bool needs_words)
{
    ops = (struct disk_ops){.needs_pages = needs_pages, .needs_words = needs_words};
    fake_reset(&ops);
}

static void request(uint32_t channel, enum block_operation operation, uint64_t offset,
                    uint64_t size_bytes, uint32_t flags, mx_handle_t handle)
{
    const struct block_message message = {.request = {.transaction = 5,
                                                      .operation = operation,
                                                      .offset = offset,
                                                      .size_bytes = size_bytes,
                                                      .flags = flags}};

    fake_send(channel, &message, sizeof(message.request), handle);
}

static void transfer(uint32_t channel, enum block_operation operation, uint64_t offset,
                     const struct block_segment *segments, uint32_t segment_count)
{
    struct block_message message = {.request = {.transaction = 5,
                                                .operation = operation,
                                                .offset = offset,
                                                .segment_count = segment_count}};

    for (uint32_t i = 0; i < segment_count; i++) {
        message.segments[i] = segments[i];
        message.request.size_bytes += segments[i].size_bytes;
    }
    fake_send(channel, &message,
              (uint32_t)(sizeof(message.request) + segment_count * sizeof(segments[0])),
              MX_HANDLE_INVALID);
}

static void read_block(uint32_t channel)
{
    transfer(channel, BLOCK_READ, 0, &(struct block_segment){0, FAKE_BLOCK_BYTES, 0}, 1);
}

static mx_status_t last_status(uint32_t channel)
{
    return fake.channels[channel].last.status;
}

static void attach(uint32_t channel, uint32_t vmo)
{
    request(channel, BLOCK_ATTACH, 0, 0, 0, FAKE_VMO(vmo));
    fake_serve();
}

static void open_extent_of(uint32_t parent, uint32_t channel, uint64_t offset, uint64_t size_bytes,
                           uint32_t flags)
{
    request(parent, BLOCK_OPEN, offset, size_bytes, flags, FAKE_CHANNEL(channel));
    fake_serve();
}

static void set_up_for(bool needs_pages, bool needs_words)
{
    set_up_without_client(needs_pages, needs_words);
    EXPECT_OK(disk_open(&disk, FAKE_CHANNEL(0), FAKE_PORT, FAKE_KEY_FIRST));
    attach(0, 0);
    EXPECT_EQ(fake.channels[0].reply_count, 1u);
    EXPECT_OK(last_status(0));
}

static void set_up(void)
{
    set_up_for(false, false);
}

// Each with a memory of its own.
static void set_up_two_clients(void)
{
    set_up();
    open_extent_of(0, 1, 0, FAKE_DISK_BYTES, 0);
    attach(1, 1);
    EXPECT_OK(last_status(1));
}

static void tear_down(void)
{
    if (disk.state)
        disk_close(&disk);
    for (uint32_t i = 0; i < FAKE_VMOS_MAX; i++)
        EXPECT_FALSE(fake.vmos[i].is_attached);
}

static void expect_runs(const struct disk_run *runs, uint32_t count)
{
    const struct fake_command *command = &fake.commands[0];

    ASSERT_TRUE(command->is_used);
    ASSERT_EQ(command->transfer.run_count, count);
    for (uint32_t i = 0; i < count; i++) {
        EXPECT_EQ(command->runs[i].address, runs[i].address);
        EXPECT_EQ(command->runs[i].size_bytes, runs[i].size_bytes);
    }
}

TEST(disk_joins_pages_and_segments_that_follow_each_other)
{
    const struct block_segment segments[] = {{100, 2 * PAGE, 0}, {100 + 2 * PAGE, 1024, 0}};
    const struct disk_run runs[] = {{FAKE_VMO_ADDRESS(0) + 100, 2 * PAGE + 1024}};

    set_up();
    transfer(0, BLOCK_READ, 1024, segments, 2);
    fake_serve();
    expect_runs(runs, 1);
    EXPECT_EQ(fake.channels[0].reply_count, 1u);
    fake_complete(0, MX_OK);
    EXPECT_EQ(fake.channels[0].reply_count, 2u);
    EXPECT_EQ(fake.channels[0].last.transaction, 5u);
    EXPECT_OK(last_status(0));
    EXPECT_BYTES_EQ(fake.vmos[0].bytes + 100, fake.disk + 1024, 2 * PAGE + 1024);
    tear_down();
}

TEST(disk_makes_a_run_of_each_page_that_lies_elsewhere)
{
    const struct block_segment segment = {PAGE - 512, PAGE + 1024, 0};
    const struct disk_run runs[] = {{FAKE_VMO_ADDRESS(0) + PAGE - 512, 512},
                                    {FAKE_VMO_ADDRESS(0) + 2 * PAGE, PAGE},
                                    {FAKE_VMO_ADDRESS(0) + 4 * PAGE, 512}};

    set_up();
    fake.is_scattered = true;
    memset(fake.vmos[0].bytes, 0x5a, FAKE_VMO_BYTES);
    transfer(0, BLOCK_WRITE, 4096, &segment, 1);
    fake_serve();
    expect_runs(runs, 3);
    fake_complete(0, MX_OK);
    EXPECT_BYTES_EQ(fake.vmos[0].bytes + segment.offset, fake.disk + 4096, segment.size_bytes);
    tear_down();
}

// One way and back: whether the data went by way of a copy, and were right.
static void expect_copied(bool is_copied, const struct block_segment *segments, uint32_t count)
{
    transfer(0, BLOCK_READ, 512, segments, count);
    fake_serve();
    ASSERT_TRUE(fake.commands[0].is_used);
    EXPECT_EQ(fake.copy_count, is_copied ? 1u : 0u);
    fake_complete(0, MX_OK);
    EXPECT_OK(last_status(0));
    uint64_t at = 512;
    for (uint32_t i = 0; i < count; i++) {
        EXPECT_BYTES_EQ(fake.vmos[0].bytes + segments[i].offset, fake.disk + at,
                        segments[i].size_bytes);
        at += segments[i].size_bytes;
    }
    transfer(0, BLOCK_WRITE, 65536, segments, count);
    fake_serve();
    ASSERT_TRUE(fake.commands[0].is_used);
    fake_complete(0, MX_OK);
    EXPECT_OK(last_status(0));
    EXPECT_BYTES_EQ(fake.disk + 512, fake.disk + 65536, at - 512);
    EXPECT_EQ(fake.copy_count, is_copied ? 1u : 0u);
    tear_down();
}

TEST(disk_copies_what_is_no_list_of_pages_for_a_device_that_needs_one)
{
    const struct block_segment pages[] = {{PAGE - 512, 512, 0}, {3 * PAGE, 512, 0}};
    const struct block_segment odd[] = {{2, 512, 0}};
    const struct block_segment within[] = {{0, 512, 0}, {PAGE, 512, 0}};
    const struct block_segment begins[] = {{PAGE - 512, 512, 0}, {3 * PAGE + 512, 512, 0}};

    set_up_for(true, false);
    expect_copied(false, pages, 2);
    set_up_for(true, false);
    expect_copied(true, odd, 1);
    set_up_for(true, false);
    expect_copied(true, within, 2);
    set_up_for(true, false);
    expect_copied(true, begins, 2);
}

TEST(disk_copies_what_is_not_of_words_for_a_device_that_needs_them)
{
    const struct block_segment words[] = {{2, 510, 0}, {1000, 2, 0}};
    const struct block_segment odd_size[] = {{0, 511, 0}, {1000, 1, 0}};
    const struct block_segment odd_place[] = {{1, 512, 0}};

    set_up_for(false, true);
    expect_copied(false, words, 2);
    set_up_for(false, true);
    expect_copied(true, odd_size, 2);
    set_up_for(false, true);
    expect_copied(true, odd_place, 1);
}

TEST(disk_copies_more_runs_than_the_device_takes)
{
    const struct block_segment segments[] = {{0, 256, 0}, {1000, 256, 0}, {2000, 512, 0}};

    set_up();
    disk.runs_max = 2;
    expect_copied(true, segments, 3);
    set_up();
    disk.runs_max = 3;
    expect_copied(false, segments, 3);
}

// A guest's buffers of 64 pieces may each lie across the border of two pages.
TEST(disk_copies_more_runs_than_there_is_room_for)
{
    struct block_segment segments[BLOCK_SEGMENTS_MAX];
    const struct block_segment fits[] = {{0, 512, 0}};

    for (uint32_t i = 0; i < BLOCK_SEGMENTS_MAX; i++)
        segments[i] =
            (struct block_segment){(i % (FAKE_PAGES - 1) + 1) * PAGE - 8 - 16 * (i / 39), 16, 0};
    set_up();
    fake.is_scattered = true;
    expect_copied(true, segments, BLOCK_SEGMENTS_MAX);
    set_up();
    fake.is_scattered = true;
    expect_copied(false, fits, 1);
}

TEST(disk_without_memory_for_a_copy_says_so)
{
    set_up_for(false, true);
    fake.allocate_status = MX_ERR_NO_MEMORY;
    transfer(0, BLOCK_READ, 0, &(struct block_segment){1, 512, 0}, 1);
    fake_serve();
    EXPECT_STATUS(MX_ERR_NO_MEMORY, last_status(0));
    EXPECT_EQ(fake.command_count, 0u);
    tear_down();
}

TEST(disk_copies_nothing_to_a_client_whose_read_failed)
{
    set_up_for(false, true);
    memset(fake.vmos[0].bytes, 0x5a, 1024);
    transfer(0, BLOCK_READ, 0, &(struct block_segment){1, 512, 0}, 1);
    fake_serve();
    fake_complete(0, MX_ERR_IO);
    EXPECT_STATUS(MX_ERR_IO, last_status(0));
    EXPECT_EQ(fake.vmos[0].bytes[1], 0x5au);
    tear_down();
}

TEST(disk_with_all_tags_in_use_lets_clients_take_turns)
{
    set_up_two_clients();
    for (uint32_t i = 0; i < 40; i++)
        read_block(0);
    fake_serve();
    EXPECT_EQ(fake.command_count, (uint32_t)DISK_TAGS_MAX);
    for (uint32_t i = 0; i < 4; i++)
        read_block(1);
    fake_serve();
    EXPECT_EQ(fake.channels[1].taken_count, 1u); // the memory
    for (uint32_t tag = 0; tag < 8; tag++) {
        fake_complete(tag, MX_OK);
        fake_serve();
    }
    EXPECT_EQ(fake.command_count, (uint32_t)DISK_TAGS_MAX);
    EXPECT_EQ(fake.channels[1].taken_count, 1u + 4);
    tear_down();
}

TEST(disk_answers_an_error_of_the_device_at_once)
{
    set_up();
    fake.start_status = MX_ERR_NOT_SUPPORTED;
    read_block(0);
    fake_serve();
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, last_status(0));
    // Nothing is under way that would make room.
    fake.start_status = MX_ERR_SHOULD_WAIT;
    read_block(0);
    fake_serve();
    EXPECT_EQ(fake.channels[0].reply_count, 3u);
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT, last_status(0));
    tear_down();
}

TEST(disk_asks_a_full_device_again_when_something_is_done)
{
    set_up();
    fake.commands_max = 2;
    for (uint32_t i = 0; i < 5; i++)
        read_block(0);
    fake_serve();
    EXPECT_EQ(fake.command_count, 2u);
    for (uint32_t i = 0; i < 5; i++) {
        EXPECT_EQ(fake.channels[0].reply_count, 1 + i);
        fake_complete(fake.commands[0].is_used ? 0 : 1, MX_OK);
        fake_serve();
    }
    EXPECT_EQ(fake.channels[0].reply_count, 6u);
    EXPECT_OK(last_status(0));
    tear_down();
}

// One whose requests are many against one whose requests are few, as room comes for one at a time.
TEST(disk_with_a_full_device_lets_clients_take_turns)
{
    set_up_two_clients();
    fake.commands_max = 1;
    for (uint32_t i = 0; i < 20; i++) {
        read_block(0);
        read_block(1);
    }
    fake_serve();
    for (uint32_t i = 0; i < 20; i++) {
        fake_complete(0, MX_OK);
        fake_serve();
    }
    const uint32_t first = fake.channels[0].reply_count - 2,
                   second = fake.channels[1].reply_count - 1;
    EXPECT_EQ(first + second, 20u);
    // The first had one in and one before the device before there was a second.
    EXPECT_EQ(first, second + 2);
    tear_down();
}

// Or what is long would never find room among what is short.
TEST(disk_keeps_room_for_what_the_device_had_none_for)
{
    struct block_segment segments[20];

    for (uint32_t i = 0; i < 20; i++)
        segments[i] = (struct block_segment){i * 1024, 512, 0};
    set_up_two_clients();
    fake.runs_max = 24;
    for (uint32_t i = 0; i < 12; i++)
        read_block(0);
    fake_serve();
    transfer(1, BLOCK_READ, 0, segments, 20);
    fake_serve();
    EXPECT_EQ(fake.run_count, 12u);
    for (uint32_t tag = 0; tag < 8; tag++) {
        read_block(0);
        fake_serve();
        EXPECT_EQ(fake.run_count, 12 - tag);
        fake_complete(tag, MX_OK);
        fake_serve();
    }
    EXPECT_EQ(fake.run_count, 24u);
    EXPECT_EQ(fake.channels[0].reply_count, 2u + 8);
    tear_down();
}

TEST(disk_keeps_the_memory_of_a_client_that_goes_until_the_device_is_done)
{
    set_up_two_clients();
    read_block(1);
    read_block(1);
    fake_serve();
    fake.channels[1].is_gone = true;
    fake_serve();
    EXPECT_FALSE(fake.channels[1].is_open);
    fake_complete(1, MX_OK);
    EXPECT_TRUE(fake.vmos[1].is_attached);
    fake_complete(0, MX_OK);
    EXPECT_FALSE(fake.vmos[1].is_attached);
    EXPECT_FALSE(fake.vmos[1].is_open);
    EXPECT_TRUE(fake.vmos[0].is_attached);
    tear_down();
}

TEST(disk_tells_clients_what_they_have)
{
    set_up();
    open_extent_of(0, 1, 4096, 8192, BLOCK_OPEN_READ_ONLY);
    request(1, BLOCK_INFO, 0, 0, 0, MX_HANDLE_INVALID);
    fake_serve();
    EXPECT_OK(last_status(1));
    EXPECT_EQ(fake.channels[1].last.size_bytes, 8192u);
    EXPECT_EQ(fake.channels[1].last.block_bytes, FAKE_BLOCK_BYTES);
    EXPECT_EQ(fake.channels[1].last.transfer_bytes, DISK_TRANSFER_BYTES);
    EXPECT_EQ(fake.channels[1].last.is_read_only, 1u);
    tear_down();
}

TEST(disk_gives_an_extent_its_part_alone)
{
    set_up();
    open_extent_of(0, 1, 4096, 8192, 0);
    attach(1, 1);
    const struct block_segment segment = {0, 512, 0};
    transfer(1, BLOCK_READ, 512, &segment, 1);
    fake_serve();
    EXPECT_EQ(fake.commands[0].transfer.offset, 4608u);
    fake_complete(0, MX_OK);
    EXPECT_BYTES_EQ(fake.vmos[1].bytes, fake.disk + 4608, 512);
    transfer(1, BLOCK_READ, 8192, &segment, 1);
    fake_serve();
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, last_status(1));
    // One of its own, which has no memory of its parent's.
    open_extent_of(1, 2, 4096, 4096, 0);
    EXPECT_OK(last_status(1));
    transfer(2, BLOCK_READ, 0, &segment, 1);
    fake_serve();
    EXPECT_STATUS(MX_ERR_NOT_FOUND, last_status(2));
    tear_down();
}

TEST(disk_lets_nobody_write_by_way_of_a_read_only_extent)
{
    const struct block_segment segment = {0, 512, 0};

    set_up();
    open_extent_of(0, 1, 0, 8192, BLOCK_OPEN_READ_ONLY);
    open_extent_of(1, 2, 0, 8192, 0);
    for (uint32_t client = 1; client <= 2; client++) {
        attach(client, client);
        transfer(client, BLOCK_WRITE, 0, &segment, 1);
        fake_serve();
        EXPECT_STATUS(MX_ERR_ACCESS_DENIED, last_status(client));
    }
    EXPECT_EQ(fake.command_count, 0u);
    tear_down();
}

TEST(disk_makes_no_extents_of_a_final_one)
{
    set_up();
    open_extent_of(0, 1, 0, 8192, BLOCK_OPEN_FINAL);
    open_extent_of(1, 2, 0, 512, 0);
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, last_status(1));
    EXPECT_FALSE(fake.channels[2].is_open);
    tear_down();
}

TEST(disk_has_so_many_clients_and_room_when_one_goes)
{
    set_up();
    for (uint32_t i = 1; i < DISK_KEYS; i++)
        open_extent_of(0, i, 0, 512, 0);
    EXPECT_OK(last_status(0));
    open_extent_of(0, DISK_KEYS, 0, 512, 0);
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, last_status(0));
    EXPECT_FALSE(fake.channels[DISK_KEYS].is_open);
    fake.channels[9].is_gone = true;
    fake_serve();
    open_extent_of(0, DISK_KEYS + 1, 0, 512, 0);
    EXPECT_OK(last_status(0));
    tear_down();
}

TEST(disk_attaches_so_many_memories_of_a_client)
{
    set_up();
    attach(0, 1);
    EXPECT_EQ(fake.channels[0].last.memory, 1u);
    attach(0, 2);
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, last_status(0));
    EXPECT_FALSE(fake.vmos[2].is_open);
    tear_down();
}

TEST(disk_lets_go_of_what_cannot_be_attached)
{
    set_up();
    fake.attach_status = MX_ERR_NOT_SUPPORTED;
    attach(0, 1);
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, last_status(0));
    EXPECT_FALSE(fake.vmos[1].is_open);
    request(0, BLOCK_ATTACH, 0, 0, 0, FAKE_CHANNEL(1));
    fake_serve();
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, last_status(0));
    EXPECT_FALSE(fake.channels[1].is_open);
    // Its place is free.
    fake.attach_status = MX_OK;
    attach(0, 2);
    EXPECT_OK(last_status(0));
    EXPECT_EQ(fake.channels[0].last.memory, 1u);
    tear_down();
}

TEST(disk_answers_what_makes_no_sense_and_closes_what_came_with_it)
{
    set_up();
    request(0, BLOCK_READ, 0, 512, 0, MX_HANDLE_INVALID);
    request(0, (enum block_operation)99, 0, 0, 0, MX_HANDLE_INVALID);
    request(0, BLOCK_OPEN, 0, 512, 0, MX_HANDLE_INVALID);
    request(0, BLOCK_FLUSH, 0, 0, 0, FAKE_VMO(3));
    fake_serve();
    EXPECT_EQ(fake.channels[0].reply_count, 1u + 4);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, last_status(0));
    EXPECT_FALSE(fake.vmos[3].is_open);
    EXPECT_EQ(fake.command_count, 0u);
    tear_down();
}

TEST(disk_closes_the_channel_of_who_does_not_speak_its_protocol)
{
    const struct block_message message = {.request = {.operation = BLOCK_INFO}};

    set_up_two_clients();
    fake_send(1, &message, sizeof(message.request) - 1, FAKE_VMO(3));
    fake_serve();
    EXPECT_FALSE(fake.channels[1].is_open);
    EXPECT_FALSE(fake.vmos[3].is_open);
    EXPECT_FALSE(fake.vmos[1].is_attached);
    EXPECT_TRUE(fake.channels[0].is_open);
    tear_down();
}

TEST(disk_takes_so_many_messages_of_a_client_before_those_of_others)
{
    set_up_two_clients();
    for (uint32_t i = 0; i < 40; i++)
        request(0, BLOCK_INFO, 0, 0, 0, MX_HANDLE_INVALID);
    const uint32_t taken = fake.channels[0].taken_count;
    fake.channels[0].is_awaited = false;
    disk_serve_packet(&disk, FAKE_KEY_FIRST);
    EXPECT_EQ(fake.channels[0].taken_count, taken + MESSAGES_MAX);
    EXPECT_TRUE(fake.channels[0].is_awaited);
    tear_down();
}

TEST(disk_flushes_what_has_a_cache)
{
    set_up();
    request(0, BLOCK_FLUSH, 0, 0, 0, MX_HANDLE_INVALID);
    fake_serve();
    EXPECT_EQ(fake.command_count, 1u);
    EXPECT_EQ(fake.channels[0].reply_count, 1u);
    fake_complete(0, MX_ERR_IO);
    EXPECT_STATUS(MX_ERR_IO, last_status(0));
    disk.has_no_cache = true;
    request(0, BLOCK_FLUSH, 0, 0, 0, MX_HANDLE_INVALID);
    fake_serve();
    EXPECT_EQ(fake.command_count, 0u);
    EXPECT_OK(last_status(0));
    disk_fail(&disk, "the test says so");
    request(0, BLOCK_FLUSH, 0, 0, 0, MX_HANDLE_INVALID);
    fake_serve();
    EXPECT_STATUS(MX_ERR_IO, last_status(0));
    tear_down();
}

TEST(disk_that_answers_what_it_was_not_asked_is_stopped)
{
    const uint32_t tags[] = {1, DISK_TAGS_MAX, UINT32_MAX};

    for (uint32_t i = 0; i < 3; i++) {
        set_up();
        read_block(0);
        fake_serve();
        disk_complete(&disk, tags[i], MX_OK);
        EXPECT_EQ(fake.stop_count, 1u);
        EXPECT_STATUS(MX_ERR_IO, last_status(0));
        read_block(0);
        fake_serve();
        EXPECT_EQ(fake.channels[0].reply_count, 3u);
        EXPECT_STATUS(MX_ERR_IO, last_status(0));
        tear_down();
    }
}

TEST(disk_that_fails_answers_those_who_wait_for_room_too)
{
    set_up_two_clients();
    fake.commands_max = 1;
    for (uint32_t i = 0; i < 3; i++) {
        read_block(0);
        read_block(1);
    }
    fake_serve();
    disk_fail(&disk, "the test says so");
    fake_serve();
    EXPECT_EQ(fake.channels[0].reply_count, 2u + 3); // memory and extent
    EXPECT_EQ(fake.channels[1].reply_count, 1u + 3);
    EXPECT_STATUS(MX_ERR_IO, last_status(0));
    EXPECT_STATUS(MX_ERR_IO, last_status(1));
    tear_down();
}

TEST(disk_that_does_not_stop_ends_its_driver_with_all_memory_attached)
{
    set_up();
    read_block(0);
    fake_serve();
    fake.does_not_stop = fake.expects_end = true;
    if (setjmp(fake.ended) == 0) {
        disk_fail(&disk, "the test says so");
        EXPECT_TRUE(false);
    }
    EXPECT_TRUE(fake.vmos[0].is_attached);
    EXPECT_EQ(fake.channels[0].reply_count, 1u);
    fake.stop_count = 0;
    tear_down();
}

TEST(disk_that_closes_answers_and_closes_all_clients)
{
    set_up_two_clients();
    fake.commands_max = 1;
    read_block(0);
    read_block(1);
    fake_serve();
    disk_close(&disk);
    EXPECT_FALSE(fake.channels[0].is_open || fake.channels[1].is_open);
    EXPECT_STATUS(MX_ERR_IO, last_status(0));
    for (uint32_t i = 0; i < DISK_TAGS_MAX; i++)
        EXPECT_TRUE(fake.copies[i] == NULL);
    tear_down();
}

TEST(disk_that_cannot_be_opened_leaves_nothing_behind)
{
    set_up_without_client(false, false);
    fake.wait_status = MX_ERR_NO_MEMORY;
    EXPECT_STATUS(MX_ERR_NO_MEMORY, disk_open(&disk, FAKE_CHANNEL(0), FAKE_PORT, FAKE_KEY_FIRST));
    EXPECT_FALSE(fake.channels[0].is_open);
    EXPECT_TRUE(disk.state == NULL);
}

// --- the loop of a driver with one disk: when nothing would happen any more, the client goes

static void go(void)
{
    fake.channels[0].is_gone = true;
}

// Of a client that attaches its memory and reads a block.
static int run(void)
{
    fake.idle = go;
    request(0, BLOCK_ATTACH, 0, 0, 0, FAKE_VMO(0));
    read_block(0);
    const int code = disk_run(&disk);
    EXPECT_FALSE(fake.channels[0].is_open);
    free(disk.state);
    EXPECT_FALSE(fake.vmos[0].is_attached);
    return code;
}

TEST(disk_serves_until_its_last_client_goes)
{
    set_up_without_client(false, false);
    fake.has_interrupts = true;
    EXPECT_EQ(run(), EXIT_SUCCESS);
    EXPECT_EQ(fake.channels[0].reply_count, 2u);
    EXPECT_OK(last_status(0));
    EXPECT_EQ(fake.stop_count, 1u);
}

TEST(disk_that_does_not_answer_in_time_is_stopped)
{
    set_up_without_client(false, false);
    EXPECT_EQ(run(), EXIT_SUCCESS);
    EXPECT_EQ(fake.stop_count, 2u);
    EXPECT_STATUS(MX_ERR_IO, last_status(0));
    EXPECT_GE(fake.now, TIMEOUT);
    EXPECT_LE(fake.now, TIMEOUT + 2 * TICK);
}

TEST(disk_that_is_gone_is_stopped_without_waiting_for_its_answer)
{
    set_up_without_client(false, false);
    fake.is_dead = true;
    EXPECT_EQ(run(), EXIT_SUCCESS);
    EXPECT_EQ(fake.stop_count, 2u);
    EXPECT_STATUS(MX_ERR_IO, last_status(0));
    EXPECT_LE(fake.now, 2 * TICK);
}

TEST(disk_that_nobody_uses_ends_at_once)
{
    set_up_without_client(false, false);
    disk.device.service = MX_HANDLE_INVALID;
    EXPECT_EQ(disk_run(&disk), EXIT_FAILURE);
    EXPECT_EQ(fake.stop_count, 1u);
}
