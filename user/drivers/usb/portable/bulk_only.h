// The wrappers of commands and of what came of them, as a disk on USB has them. What the disk sends
// is not believed.
//
// Universal Serial Bus Mass Storage Class, Bulk-Only Transport 1.0, 5.1 "Command Block Wrapper
// (CBW)", 5.2 "Command Status Wrapper (CSW)", 6.3 "Valid and Meaningful CSW".
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#include "user/drivers/usb/portable/scsi_disk.h"

#define BULK_ONLY_COMMAND_BYTES 31
#define BULK_ONLY_STATUS_BYTES  13

enum bulk_only_verdict {
    BULK_ONLY_PASSED,
    BULK_ONLY_FAILED,      // the disk can say why
    BULK_ONLY_PHASE_ERROR, // the two do not agree on where they are
};

// For the first logical unit.
void bulk_only_write_command(uint8_t bytes[BULK_ONLY_COMMAND_BYTES], uint32_t tag,
                             const struct scsi_command *command);

// *residue_bytes is what the disk has left out of the command's data. IO_DATA_INTEGRITY: this is no
// status of the command with this tag, or none that can be.
MX_MUST_CHECK mx_status_t bulk_only_parse_status(const uint8_t *bytes, size_t size_bytes,
                                                 uint32_t tag, const struct scsi_command *command,
                                                 enum bulk_only_verdict *verdict,
                                                 uint32_t *residue_bytes);
