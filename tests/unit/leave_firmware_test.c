// The end of the boot services of a firmware that changes its memory map meanwhile.
#include "boot/loader/leave_firmware.h"
#include "tests/test.h"

#define INVALID_PARAMETER (UINT64_C(1) << 63 | 2)
#define BUFFER_TOO_SMALL  (UINT64_C(1) << 63 | 5)
#define ENTRY_BYTES       48

// A firmware whose map grows by an entry at each of its first exits, which then fail.
static struct {
    size_t entry_count;
    unsigned changes_left;
    uint64_t key;
    unsigned maps_read, exits_tried;
    bool is_left;
} firmware;

static uint64_t read_map(struct firmware_map *map)
{
    size_t size_bytes = firmware.entry_count * ENTRY_BYTES;

    EXPECT_FALSE(firmware.is_left);
    firmware.maps_read++;
    if (map->size_bytes < size_bytes) {
        map->size_bytes = size_bytes;
        return BUFFER_TOO_SMALL;
    }
    memset(map->descriptors, (int)firmware.entry_count, size_bytes);
    map->size_bytes = size_bytes;
    map->descriptor_bytes = ENTRY_BYTES;
    map->key = firmware.key;
    return LEAVE_DONE;
}

static uint64_t exit_services(uint64_t key)
{
    EXPECT_FALSE(firmware.is_left);
    firmware.exits_tried++;
    if (firmware.changes_left != 0) {
        firmware.changes_left--;
        firmware.entry_count++;
        firmware.key++;
    }
    if (key != firmware.key)
        return INVALID_PARAMETER;
    firmware.is_left = true;
    return LEAVE_DONE;
}

static const struct firmware_exit_ops ops = {read_map, exit_services};
static uint8_t descriptors[16 * ENTRY_BYTES];
static struct firmware_map map;

static uint64_t leave(unsigned changes, size_t capacity_bytes)
{
    memset(&firmware, 0, sizeof(firmware));
    firmware.entry_count = 4;
    firmware.key = 1000;
    firmware.changes_left = changes;
    map = (struct firmware_map){.descriptors = descriptors, .capacity_bytes = capacity_bytes};
    return firmware_leave(&ops, &map);
}

TEST(leave_firmware_needs_one_map_if_nothing_changes)
{
    EXPECT_EQ(leave(0, sizeof(descriptors)), (uint64_t)LEAVE_DONE);
    EXPECT_TRUE(firmware.is_left);
    EXPECT_EQ(firmware.maps_read, 1u);
    EXPECT_EQ(map.size_bytes, 4u * ENTRY_BYTES);
    EXPECT_EQ(map.descriptor_bytes, (size_t)ENTRY_BYTES);
}

TEST(leave_firmware_reads_the_map_again_when_its_key_is_stale)
{
    for (unsigned changes = 1; changes < LEAVE_ATTEMPTS; changes++) {
        EXPECT_EQ(leave(changes, sizeof(descriptors)), (uint64_t)LEAVE_DONE);
        EXPECT_TRUE(firmware.is_left);
        EXPECT_EQ(firmware.maps_read, changes + 1);
        // The map that is handed on is the last one, whole.
        EXPECT_EQ(map.size_bytes, (4 + changes) * ENTRY_BYTES);
        EXPECT_EQ(descriptors[map.size_bytes - 1], 4 + changes);
    }
}

TEST(leave_firmware_gives_up_with_the_firmwares_status)
{
    EXPECT_EQ(leave(UINT32_MAX, sizeof(descriptors)), INVALID_PARAMETER);
    EXPECT_FALSE(firmware.is_left);
    EXPECT_EQ(firmware.exits_tried, (unsigned)LEAVE_ATTEMPTS);
}

TEST(leave_firmware_does_not_leave_with_a_map_that_does_not_fit)
{
    EXPECT_EQ(leave(0, 3 * ENTRY_BYTES), BUFFER_TOO_SMALL);
    EXPECT_EQ(firmware.exits_tried, 0u);
    // Nor with one that grew beyond its room.
    EXPECT_EQ(leave(1, 4 * ENTRY_BYTES), BUFFER_TOO_SMALL);
    EXPECT_FALSE(firmware.is_left);
    EXPECT_EQ(firmware.exits_tried, 1u);
}
