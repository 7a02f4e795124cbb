// What an AHCI driver keeps of a port (Serial ATA AHCI 1.3.1): command lists, command tables, and
// which slots are done.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <machina/status.h>

#define AHCI_SLOTS_MAX      32u
#define AHCI_PIECES_MAX     128u
#define AHCI_SECTOR_BYTES   512u
#define AHCI_LIST_BYTES     1024u // 32 headers
#define AHCI_RECEIVED_BYTES 256u
#define AHCI_TABLE_BYTES    (128u + AHCI_PIECES_MAX * 16u)

#define ATA_READ_DMA_EXT    0x25
#define ATA_WRITE_DMA_EXT   0x35
#define ATA_FLUSH_CACHE_EXT 0xea
#define ATA_IDENTIFY        0xec

struct ahci_piece {
    uint64_t address;
    uint32_t size_bytes;
};

struct ahci_command {
    uint8_t command; // ATA_*
    bool is_write;
    uint64_t sector;
    uint16_t sector_count;
    const struct ahci_piece *pieces;
    uint32_t piece_count;
};

// Fills the header of `slot` in the command list and its table (AHCI_TABLE_BYTES at
// `table_address`). OUT_OF_RANGE: too many pieces, or one that the controller cannot take (odd, or
// more than 4 MiB).
MX_MUST_CHECK mx_status_t ahci_write_command(uint8_t *list, uint32_t slot, uint8_t *table,
                                             uint64_t table_address,
                                             const struct ahci_command *command);

// Sectors of the disk by the data of IDENTIFY DEVICE; 0: no disk that the driver can use (48-bit
// addresses, sectors of 512 bytes).
uint64_t ahci_read_identify(const uint8_t data[512]);
