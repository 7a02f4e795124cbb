// SCSI commands of a disk, and what it answers, which is not believed. Big-endian, as SCSI is.
//
// SCSI Primary Commands 4 (SPC-4): 6.4 "INQUIRY", 6.11 "MODE SENSE(6)", 6.39 "REQUEST SENSE", 6.47
// "TEST UNIT READY", 4.5 "Sense data"; SCSI Block Commands 3 (SBC-3): 5.12 "READ(10)", 5.14
// "READ(16)", 5.16 "READ CAPACITY(10)", 5.17 "READ CAPACITY(16)", 5.25 "SYNCHRONIZE CACHE(10)",
// 5.36 "WRITE(10)", 5.38 "WRITE(16)".
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#define SCSI_COMMAND_BYTES_MAX 16

struct scsi_command {
    uint8_t bytes[SCSI_COMMAND_BYTES_MAX];
    uint8_t size_bytes;
    bool is_in;          // the data come from the disk
    uint32_t data_bytes; // 0: none
};

struct scsi_command scsi_inquiry(void);
struct scsi_command scsi_test_unit_ready(void);
struct scsi_command scsi_request_sense(void);
struct scsi_command scsi_mode_sense(void);
struct scsi_command scsi_read_capacity10(void);
struct scsi_command scsi_read_capacity16(void);
struct scsi_command scsi_synchronize_cache(void);
// READ or WRITE of at most UINT16_MAX blocks.
struct scsi_command scsi_transfer(bool is_write, uint64_t block, uint32_t block_count,
                                  uint32_t block_bytes);

#define SCSI_ANSWER_BYTES_MAX 192 // of all but transfers

#define SCSI_BLOCK_BYTES_MIN 512u
#define SCSI_BLOCK_BYTES_MAX 4096u

struct scsi_capacity {
    uint64_t block_count; // with which the disk has less than 2^63 bytes
    uint32_t block_bytes; // a power of two between the bounds above
};

// NOT_SUPPORTED: the answer to INQUIRY is not that of a disk.
MX_MUST_CHECK mx_status_t scsi_parse_inquiry(const uint8_t *bytes, size_t size_bytes);
// OUT_OF_RANGE: the disk is too large for this command, not for the other. NOT_SUPPORTED: a size
// that cannot be, or blocks that are not used. IO_DATA_INTEGRITY: too short.
MX_MUST_CHECK mx_status_t scsi_parse_capacity10(const uint8_t *bytes, size_t size_bytes,
                                                struct scsi_capacity *capacity);
MX_MUST_CHECK mx_status_t scsi_parse_capacity16(const uint8_t *bytes, size_t size_bytes,
                                                struct scsi_capacity *capacity);
// Whether the answer to MODE SENSE says that the disk must not be written.
bool scsi_is_write_protected(const uint8_t *bytes, size_t size_bytes);

// What sense data say of the command before.
enum scsi_sense {
    SCSI_SENSE_FAILED,  // it cannot be carried out
    SCSI_SENSE_AGAIN,   // it can, later or when tried again
    SCSI_SENSE_UNKNOWN, // the disk does not know the command
    SCSI_SENSE_EMPTY,   // there is no medium in it, or another one than before
};

enum scsi_sense scsi_parse_sense(const uint8_t *bytes, size_t size_bytes);
