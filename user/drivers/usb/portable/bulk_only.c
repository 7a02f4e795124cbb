// Command and status wrappers; see bulk_only.h.

#include "user/drivers/usb/portable/bulk_only.h"

#include <string.h>

#define COMMAND_SIGNATURE 0x43425355u // "USBC"
#define STATUS_SIGNATURE  0x53425355u // "USBS"

#define COMMAND_TAG         4
#define COMMAND_DATA_BYTES  8
#define COMMAND_FLAGS       12
#define COMMAND_UNIT        13
#define COMMAND_BLOCK_BYTES 14
#define COMMAND_BLOCK       15
#define FLAG_IN             0x80

#define STATUS_TAG     4
#define STATUS_RESIDUE 8
#define STATUS_VERDICT 12

_Static_assert(COMMAND_BLOCK + SCSI_COMMAND_BYTES_MAX == BULK_ONLY_COMMAND_BYTES, "5.1");

static void put_u32(uint8_t *bytes, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get_u32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

void bulk_only_write_command(uint8_t bytes[BULK_ONLY_COMMAND_BYTES], uint32_t tag,
                             const struct scsi_command *command)
{
    put_u32(bytes, COMMAND_SIGNATURE);
    put_u32(bytes + COMMAND_TAG, tag);
    put_u32(bytes + COMMAND_DATA_BYTES, command->data_bytes);
    bytes[COMMAND_FLAGS] = command->is_in ? FLAG_IN : 0;
    bytes[COMMAND_UNIT] = 0;
    bytes[COMMAND_BLOCK_BYTES] = command->size_bytes;
    memcpy(bytes + COMMAND_BLOCK, command->bytes, SCSI_COMMAND_BYTES_MAX);
}

mx_status_t bulk_only_parse_status(const uint8_t *bytes, size_t size_bytes, uint32_t tag,
                                   const struct scsi_command *command,
                                   enum bulk_only_verdict *verdict, uint32_t *residue_bytes)
{
    if (size_bytes != BULK_ONLY_STATUS_BYTES || get_u32(bytes) != STATUS_SIGNATURE ||
        get_u32(bytes + STATUS_TAG) != tag || bytes[STATUS_VERDICT] > BULK_ONLY_PHASE_ERROR)
        return MX_ERR_IO_DATA_INTEGRITY;
    *verdict = (enum bulk_only_verdict)bytes[STATUS_VERDICT];
    *residue_bytes = get_u32(bytes + STATUS_RESIDUE);
    // With a phase error the residue means nothing.
    if (*verdict != BULK_ONLY_PHASE_ERROR && *residue_bytes > command->data_bytes)
        return MX_ERR_IO_DATA_INTEGRITY;
    return MX_OK;
}
