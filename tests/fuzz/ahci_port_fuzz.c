// IDENTIFY data and pieces of the input's bytes: sizes stay within what the driver computes with,
// and nothing is written outside the slot and its table.
#include <assert.h>
#include <string.h>

#include "user/drivers/portable/ahci_port.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t identify[512], list[AHCI_LIST_BYTES], table[AHCI_TABLE_BYTES];
    static struct ahci_piece pieces[AHCI_PIECES_MAX + 2];
    struct ahci_command command = {.command = ATA_READ_DMA_EXT, .pieces = pieces};

    memset(identify, 0, sizeof(identify));
    memcpy(identify, data, size < sizeof(identify) ? size : sizeof(identify));
    assert(ahci_read_identify(identify) <= UINT64_C(1) << 48);
    memset(pieces, 0, sizeof(pieces));
    memcpy(pieces, data, size < sizeof(pieces) ? size : sizeof(pieces));
    command.piece_count = size ? data[0] % (AHCI_PIECES_MAX + 2) : 0;
    (void)!ahci_write_command(list, (uint32_t)size % 40, table, 0x1000, &command);
    return 0;
}
