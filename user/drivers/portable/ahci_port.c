// AHCI command lists; see ahci_port.h.
#include "user/drivers/portable/ahci_port.h"

#include <string.h>

#define HEADER_BYTES        32u
#define HEADER_WRITE        (1u << 6)
#define HEADER_PIECES_SHIFT 16
#define FIS_BYTES           20u
#define FIS_WORDS           (FIS_BYTES / 4)
#define FIS_TYPE            0x27 // register, host to device
#define FIS_IS_COMMAND      0x80
#define DEVICE_LBA          0x40
#define TABLE_PIECES        0x80
#define PIECE_BYTES         16u
#define PIECE_SIZE_MAX      0x400000u

#define IDENTIFY_COMMANDS     83 // words
#define IDENTIFY_HAS_LBA48    (1u << 10)
#define IDENTIFY_SECTORS      100
#define IDENTIFY_SECTOR_SIZE  106
#define IDENTIFY_SIZE_VALID   0xc000u
#define IDENTIFY_SIZE_IS_TOLD 0x4000u
#define IDENTIFY_SIZE_LARGER  (1u << 12)
#define SECTORS_MAX           ((uint64_t)1 << 48)

static void put32(uint8_t *at, uint32_t value)
{
    for (uint32_t i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static void put64(uint8_t *at, uint64_t value)
{
    put32(at, (uint32_t)value);
    put32(at + 4, (uint32_t)(value >> 32));
}

static void write_fis(uint8_t *fis, const struct ahci_command *command)
{
    memset(fis, 0, FIS_BYTES);
    fis[0] = FIS_TYPE;
    fis[1] = FIS_IS_COMMAND;
    fis[2] = command->command;
    for (uint32_t i = 0; i < 3; i++) {
        fis[4 + i] = (uint8_t)(command->sector >> 8 * i);
        fis[8 + i] = (uint8_t)(command->sector >> (24 + 8 * i));
    }
    fis[7] = DEVICE_LBA;
    fis[12] = (uint8_t)command->sector_count;
    fis[13] = (uint8_t)(command->sector_count >> 8);
}

mx_status_t ahci_write_command(uint8_t *list, uint32_t slot, uint8_t *table, uint64_t table_address,
                               const struct ahci_command *command)
{
    uint8_t *header = list + slot * HEADER_BYTES;

    if (slot >= AHCI_SLOTS_MAX || command->piece_count > AHCI_PIECES_MAX)
        return MX_ERR_OUT_OF_RANGE;
    for (uint32_t i = 0; i < command->piece_count; i++) {
        const struct ahci_piece *piece = &command->pieces[i];

        if (piece->size_bytes == 0 || piece->size_bytes > PIECE_SIZE_MAX ||
            (piece->size_bytes | piece->address) % 2 != 0)
            return MX_ERR_OUT_OF_RANGE;
        put64(table + TABLE_PIECES + i * PIECE_BYTES, piece->address);
        put32(table + TABLE_PIECES + i * PIECE_BYTES + 8, 0);
        put32(table + TABLE_PIECES + i * PIECE_BYTES + 12, piece->size_bytes - 1);
    }
    write_fis(table, command);
    put32(header, FIS_WORDS | (command->is_write ? HEADER_WRITE : 0) |
                      command->piece_count << HEADER_PIECES_SHIFT);
    put32(header + 4, 0);
    put64(header + 8, table_address);
    return MX_OK;
}

static uint32_t word(const uint8_t *data, uint32_t index)
{
    return data[2 * index] | (uint32_t)data[2 * index + 1] << 8;
}

uint64_t ahci_read_identify(const uint8_t data[512])
{
    uint32_t size = word(data, IDENTIFY_SECTOR_SIZE);
    uint64_t sectors = 0;

    for (uint32_t i = 0; i < 4; i++)
        sectors |= (uint64_t)word(data, IDENTIFY_SECTORS + i) << 16 * i;
    if (!(word(data, IDENTIFY_COMMANDS) & IDENTIFY_HAS_LBA48) || sectors > SECTORS_MAX ||
        ((size & IDENTIFY_SIZE_VALID) == IDENTIFY_SIZE_IS_TOLD && (size & IDENTIFY_SIZE_LARGER)))
        return 0;
    return sectors;
}
