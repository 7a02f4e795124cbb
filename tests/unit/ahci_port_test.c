// AHCI command lists and IDENTIFY data.
#include "user/drivers/portable/ahci_port.h"

#include "tests/test.h"

static uint8_t list[AHCI_LIST_BYTES], table[AHCI_TABLE_BYTES], data[512];

TEST(commands_are_written_into_their_slot)
{
    const struct ahci_piece pieces[] = {{0x123456000, 0x1000}, {0x200, 0x200}};
    const struct ahci_command command = {.command = ATA_WRITE_DMA_EXT,
                                         .is_write = true,
                                         .sector = 0xa1b2c3d4e5f6,
                                         .sector_count = 9,
                                         .pieces = pieces,
                                         .piece_count = 2};
    static const uint8_t fis[] = {0x27, 0x80, 0x35, 0,    0xf6, 0xe5, 0xd4,
                                  0x40, 0xc3, 0xb2, 0xa1, 0,    9,    0};
    static const uint8_t header[] = {0x45, 0, 2, 0, 0, 0, 0, 0, 0, 0x10, 0xcd, 0xab};
    static const uint8_t piece[] = {0, 0x60, 0x45, 0x23, 1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0x0f, 0, 0};

    ASSERT_OK(ahci_write_command(list, 3, table, 0xabcd1000, &command));
    EXPECT_EQ(memcmp(table, fis, sizeof(fis)), 0);
    EXPECT_EQ(memcmp(list + 3 * 32, header, sizeof(header)), 0);
    EXPECT_EQ(memcmp(table + 0x80, piece, sizeof(piece)), 0);
    EXPECT_EQ(list[2 * 32], 0);
}

TEST(pieces_that_the_controller_cannot_take_are_refused)
{
    struct ahci_piece piece = {0x1001, 0x200};
    struct ahci_command command = {.command = ATA_READ_DMA_EXT, .pieces = &piece, .piece_count = 1};

    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, ahci_write_command(list, 0, table, 0, &command));
    piece = (struct ahci_piece){0x1000, 0x201};
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, ahci_write_command(list, 0, table, 0, &command));
    piece.size_bytes = 0;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, ahci_write_command(list, 0, table, 0, &command));
    piece.size_bytes = 0x400002;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, ahci_write_command(list, 0, table, 0, &command));
    piece.size_bytes = 0x400000;
    EXPECT_OK(ahci_write_command(list, 0, table, 0, &command));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  ahci_write_command(list, AHCI_SLOTS_MAX, table, 0, &command));
    command.piece_count = AHCI_PIECES_MAX + 1;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, ahci_write_command(list, 0, table, 0, &command));
}

TEST(disks_of_other_kinds_are_not_used)
{
    memset(data, 0, sizeof(data));
    data[2 * 83 + 1] = 4;
    data[2 * 100] = 0x34;
    data[2 * 101] = 0x12;
    EXPECT_EQ(ahci_read_identify(data), 0x120034u);
    data[2 * 106 + 1] = 0x50; // sectors of another size
    EXPECT_EQ(ahci_read_identify(data), 0u);
    data[2 * 106 + 1] = 0xd0; // not valid: does not count
    EXPECT_EQ(ahci_read_identify(data), 0x120034u);
    data[2 * 103 + 1] = 1; // more than 48 bits
    EXPECT_EQ(ahci_read_identify(data), 0u);
    data[2 * 103 + 1] = 0;
    data[2 * 83 + 1] = 0;
    EXPECT_EQ(ahci_read_identify(data), 0u);
}
