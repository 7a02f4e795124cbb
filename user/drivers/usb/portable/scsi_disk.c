// Commands and answers of SCSI disks; see scsi_disk.h.

#include "user/drivers/usb/portable/scsi_disk.h"

#define TEST_UNIT_READY   0x00
#define REQUEST_SENSE     0x03
#define INQUIRY           0x12
#define MODE_SENSE6       0x1a
#define READ_CAPACITY10   0x25
#define READ10            0x28
#define WRITE10           0x2a
#define SYNCHRONIZE_CACHE 0x35
#define READ16            0x88
#define WRITE16           0x8a
#define SERVICE_ACTION_IN 0x9e
#define READ_CAPACITY16   0x10 // its service action
#define SENSE_BYTES       18
#define INQUIRY_BYTES     36
#define INQUIRY_BYTES_MIN 5
#define MODE_ALL_PAGES    0x3f
#define MODE_BYTES        SCSI_ANSWER_BYTES_MAX // what other systems ask for, too
#define MODE_DEVICE_FLAGS 2
#define MODE_PROTECTED    0x80
#define CAPACITY10_BYTES  8
#define CAPACITY16_BYTES  32
#define CAPACITY16_NEEDED 12
#define DISK_BYTES_MAX    (UINT64_C(1) << 63)

// Sense data.
#define SENSE_CODE_MASK     0x7f
#define SENSE_FIXED         0x70 // and 0x71, which tells of an earlier command
#define SENSE_DESCRIPTORS   0x72 // and 0x73
#define KEY_MASK            0x0f
#define KEY_NOT_READY       0x2
#define KEY_ILLEGAL_REQUEST 0x5
#define KEY_UNIT_ATTENTION  0x6
#define KEY_ABORTED_COMMAND 0xb
#define CODE_MEDIUM_CHANGED 0x28
#define CODE_NO_MEDIUM      0x3a

static void put(uint8_t *bytes, uint64_t value, unsigned size_bytes)
{
    for (unsigned i = 0; i < size_bytes; i++)
        bytes[i] = (uint8_t)(value >> 8 * (size_bytes - 1 - i));
}

static uint64_t get(const uint8_t *bytes, unsigned size_bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size_bytes; i++)
        value = value << 8 | bytes[i];
    return value;
}

// --- commands
// -----------------------------------------------------------------------------------------

struct scsi_command scsi_inquiry(void)
{
    return (struct scsi_command){.bytes = {INQUIRY, 0, 0, 0, INQUIRY_BYTES},
                                 .size_bytes = 6,
                                 .is_in = true,
                                 .data_bytes = INQUIRY_BYTES};
}

struct scsi_command scsi_test_unit_ready(void)
{
    return (struct scsi_command){.bytes = {TEST_UNIT_READY}, .size_bytes = 6};
}

struct scsi_command scsi_request_sense(void)
{
    return (struct scsi_command){.bytes = {REQUEST_SENSE, 0, 0, 0, SENSE_BYTES},
                                 .size_bytes = 6,
                                 .is_in = true,
                                 .data_bytes = SENSE_BYTES};
}

struct scsi_command scsi_mode_sense(void)
{
    return (struct scsi_command){.bytes = {MODE_SENSE6, 0, MODE_ALL_PAGES, 0, MODE_BYTES},
                                 .size_bytes = 6,
                                 .is_in = true,
                                 .data_bytes = MODE_BYTES};
}

struct scsi_command scsi_read_capacity10(void)
{
    return (struct scsi_command){.bytes = {READ_CAPACITY10},
                                 .size_bytes = 10,
                                 .is_in = true,
                                 .data_bytes = CAPACITY10_BYTES};
}

struct scsi_command scsi_read_capacity16(void)
{
    struct scsi_command command = {.bytes = {SERVICE_ACTION_IN, READ_CAPACITY16},
                                   .size_bytes = 16,
                                   .is_in = true,
                                   .data_bytes = CAPACITY16_BYTES};

    put(command.bytes + 10, CAPACITY16_BYTES, 4);
    return command;
}

// Of all blocks.
struct scsi_command scsi_synchronize_cache(void)
{
    return (struct scsi_command){.bytes = {SYNCHRONIZE_CACHE}, .size_bytes = 10};
}

struct scsi_command scsi_transfer(bool is_write, uint64_t block, uint32_t block_count,
                                  uint32_t block_bytes)
{
    struct scsi_command command = {.is_in = !is_write, .data_bytes = block_count * block_bytes};

    if (block + block_count <= UINT32_MAX) {
        command.bytes[0] = is_write ? WRITE10 : READ10;
        command.size_bytes = 10;
        put(command.bytes + 2, block, 4);
        put(command.bytes + 7, block_count, 2);
    } else {
        command.bytes[0] = is_write ? WRITE16 : READ16;
        command.size_bytes = 16;
        put(command.bytes + 2, block, 8);
        put(command.bytes + 10, block_count, 4);
    }
    return command;
}

// --- answers
// ------------------------------------------------------------------------------------------

mx_status_t scsi_parse_inquiry(const uint8_t *bytes, size_t size_bytes)
{
    // Peripheral qualifier 0 (it is there) and device type 0 (direct access block device).
    return size_bytes >= INQUIRY_BYTES_MIN && bytes[0] == 0 ? MX_OK : MX_ERR_NOT_SUPPORTED;
}

static mx_status_t judge_capacity(uint64_t last_block, uint32_t block_bytes,
                                  struct scsi_capacity *capacity)
{
    if (block_bytes < SCSI_BLOCK_BYTES_MIN || block_bytes > SCSI_BLOCK_BYTES_MAX ||
        (block_bytes & (block_bytes - 1)) != 0 || last_block >= DISK_BYTES_MAX / block_bytes - 1)
        return MX_ERR_NOT_SUPPORTED;
    *capacity = (struct scsi_capacity){last_block + 1, block_bytes};
    return MX_OK;
}

mx_status_t scsi_parse_capacity10(const uint8_t *bytes, size_t size_bytes,
                                  struct scsi_capacity *capacity)
{
    if (size_bytes < CAPACITY10_BYTES)
        return MX_ERR_IO_DATA_INTEGRITY;
    if (get(bytes, 4) == UINT32_MAX)
        return MX_ERR_OUT_OF_RANGE;
    return judge_capacity(get(bytes, 4), (uint32_t)get(bytes + 4, 4), capacity);
}

mx_status_t scsi_parse_capacity16(const uint8_t *bytes, size_t size_bytes,
                                  struct scsi_capacity *capacity)
{
    if (size_bytes < CAPACITY16_NEEDED)
        return MX_ERR_IO_DATA_INTEGRITY;
    return judge_capacity(get(bytes, 8), (uint32_t)get(bytes + 8, 4), capacity);
}

bool scsi_is_write_protected(const uint8_t *bytes, size_t size_bytes)
{
    return size_bytes > MODE_DEVICE_FLAGS && (bytes[MODE_DEVICE_FLAGS] & MODE_PROTECTED) != 0;
}

static enum scsi_sense judge_sense(uint8_t key, uint8_t code)
{
    switch (key) {
    case KEY_NOT_READY:
        return code == CODE_NO_MEDIUM ? SCSI_SENSE_EMPTY : SCSI_SENSE_AGAIN;
    case KEY_UNIT_ATTENTION:
        return code == CODE_MEDIUM_CHANGED ? SCSI_SENSE_EMPTY : SCSI_SENSE_AGAIN;
    case KEY_ABORTED_COMMAND:
        return SCSI_SENSE_AGAIN;
    case KEY_ILLEGAL_REQUEST:
        return SCSI_SENSE_UNKNOWN;
    default:
        return SCSI_SENSE_FAILED;
    }
}

// Fixed sense data have the key in byte 2 and the additional code in byte 12; those with
// descriptors in bytes 1 and 2.
enum scsi_sense scsi_parse_sense(const uint8_t *bytes, size_t size_bytes)
{
    if (size_bytes < 3)
        return SCSI_SENSE_FAILED;
    if ((bytes[0] & SENSE_CODE_MASK) == SENSE_FIXED)
        return judge_sense(bytes[2] & KEY_MASK, size_bytes > 12 ? bytes[12] : 0);
    if ((bytes[0] & SENSE_CODE_MASK) == SENSE_DESCRIPTORS)
        return judge_sense(bytes[1] & KEY_MASK, bytes[2]);
    return SCSI_SENSE_FAILED;
}
