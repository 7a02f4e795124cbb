// A USB stick: the disk's side of the Bulk-Only Transport and of SCSI, honest or not.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define STICK_BLOCK_BYTES 512u
#define STICK_BLOCKS      512u
#define STICK_COMMANDS    64

// Instead of a number of bytes.
enum stick_answer {
    STICK_STALLS = -1,
    STICK_FAILS = -2,   // a transaction error
    STICK_BABBLES = -3, // more than the transfer takes
    STICK_SLEEPS = -4,  // no answer at all
};

// What is wrong with a status wrapper.
enum stick_lie {
    STICK_HONEST,
    STICK_WRONG_SIGNATURE,
    STICK_WRONG_TAG,
    STICK_TOO_MUCH_RESIDUE,
    STICK_UNKNOWN_VERDICT,
    STICK_PHASE_ERROR,
    STICK_TOO_SHORT,
    STICK_TOO_LONG,
    STICK_STALLED_TWICE,
    STICK_LIES,
};

struct stick {
    uint8_t blocks[STICK_BLOCKS * STICK_BLOCK_BYTES];
    uint8_t inquiry[36], capacity10[8], capacity16[32], mode[4];

    // What it does wrong.
    enum stick_lie lie;
    unsigned lie_count;     // how often
    int data_answer;        // to the data of READ and WRITE, instead of honesty; 0: none
    unsigned data_count;    // how often
    int command_answer;     // to a command wrapper
    unsigned command_count; // how often
    unsigned status_stalls; // how often a status is stalled before it comes
    uint8_t failing;        // the command that fails, with this sense
    unsigned failing_count;
    uint8_t sense_key, sense_code;
    uint32_t left_out;    // bytes of READ that are not sent, and told of as residue
    bool is_stalling;     // what is left out by a stall, and not by a short packet
    bool is_padding;      // or sent all the same
    bool has_descriptors; // of its sense data
    uint8_t unknown;      // a command that it does not know
    uint8_t breaking;     // a command that it breaks the transport at; 0: none

    // Where it is.
    enum { STICK_IDLE, STICK_DATA, STICK_STATUS } stage;
    uint8_t command[16];
    uint32_t tag, asked, moved, have;
    bool is_in, has_failed;
    uint8_t pending_key, pending_code;
    unsigned resets;
    bool needs_reset;             // after a wrapper that made no sense
    uint8_t seen[STICK_COMMANDS]; // operation codes
    unsigned seen_count;
};

static inline void stick_put(uint8_t *bytes, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> 8 * (size - 1 - i));
}

static inline uint64_t stick_get(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

static inline void stick_init(struct stick *stick)
{
    memset(stick, 0, sizeof(*stick));
    for (unsigned i = 0; i < STICK_BLOCKS; i++) {
        uint8_t *block = stick->blocks + i * STICK_BLOCK_BYTES;
        memset(block, (int)i * 7, STICK_BLOCK_BYTES);
        stick_put(block, i, 4);
    }
    stick->inquiry[1] = 0x80;
    stick_put(stick->capacity10, STICK_BLOCKS - 1, 4);
    stick_put(stick->capacity10 + 4, STICK_BLOCK_BYTES, 4);
    stick_put(stick->capacity16, STICK_BLOCKS - 1, 8);
    stick_put(stick->capacity16 + 8, STICK_BLOCK_BYTES, 4);
    stick->mode[0] = 3;
}

static inline void stick_reset(struct stick *stick)
{
    stick->stage = STICK_IDLE;
    stick->needs_reset = false;
    stick->resets++;
}

// The part of the disk that a command names; NULL: none, or beyond the end.
static inline uint8_t *stick_place(struct stick *stick, uint32_t *size)
{
    const uint8_t *c = stick->command;
    const bool is_long = c[0] == 0x88 || c[0] == 0x8a;
    const uint64_t block = is_long ? stick_get(c + 2, 8) : stick_get(c + 2, 4);
    const uint64_t count = is_long ? stick_get(c + 10, 4) : stick_get(c + 7, 2);

    if (c[0] != 0x28 && c[0] != 0x2a && !is_long)
        return NULL;
    if (block > STICK_BLOCKS || count > STICK_BLOCKS - block)
        return NULL;
    *size = (uint32_t)count * STICK_BLOCK_BYTES;
    return stick->blocks + block * STICK_BLOCK_BYTES;
}

static inline const uint8_t *stick_answer_of(struct stick *stick, uint32_t *size)
{
    static uint8_t sense[18];

    memset(sense, 0, sizeof(sense));
    sense[0] = stick->has_descriptors ? 0x72 : 0x70;
    sense[stick->has_descriptors ? 1 : 2] = stick->pending_key;
    sense[stick->has_descriptors ? 2 : 12] = stick->pending_code;
    switch (stick->command[0]) {
    case 0x03:
        *size = sizeof(sense);
        return sense;
    case 0x12:
        *size = sizeof(stick->inquiry);
        return stick->inquiry;
    case 0x1a:
        *size = sizeof(stick->mode);
        return stick->mode;
    case 0x25:
        *size = sizeof(stick->capacity10);
        return stick->capacity10;
    case 0x9e:
        *size = sizeof(stick->capacity16);
        return stick->capacity16;
    default:
        return stick_place(stick, size);
    }
}

static inline void stick_fail(struct stick *stick, uint8_t key, uint8_t code)
{
    stick->has_failed = true;
    stick->have = 0;
    stick->pending_key = key;
    stick->pending_code = code;
}

static inline void stick_decide(struct stick *stick)
{
    const uint8_t code = stick->command[0];
    uint32_t size = 0;

    stick->has_failed = false;
    stick->have = stick_answer_of(stick, &size) != NULL ? size : 0;
    if (stick->failing_count > 0 && code == stick->failing) {
        stick->failing_count--;
        stick_fail(stick, stick->sense_key, stick->sense_code);
    } else if ((stick->unknown != 0 && code == stick->unknown) ||
               (stick->have == 0 && code != 0 && code != 0x35)) {
        stick_fail(stick, 5, 0x20);
    }
}

// A command wrapper.
static inline int stick_take_command(struct stick *stick, const uint8_t *bytes, uint32_t size)
{
    if (stick->command_count > 0) {
        stick->command_count--;
        stick->needs_reset = stick->command_answer == STICK_STALLS;
        return stick->command_answer;
    }
    if (size != 31 || memcmp(bytes, "USBC", 4) != 0 || bytes[13] != 0 || stick->needs_reset) {
        stick->needs_reset = true;
        return STICK_STALLS;
    }
    if (stick->breaking != 0 && bytes[15] == stick->breaking)
        return STICK_FAILS;
    memcpy(&stick->tag, bytes + 4, 4);
    memcpy(&stick->asked, bytes + 8, 4);
    stick->is_in = bytes[12] & 0x80;
    memcpy(stick->command, bytes + 15, 16);
    stick->seen[stick->seen_count++ % STICK_COMMANDS] = stick->command[0];
    stick->moved = 0;
    stick_decide(stick);
    stick->stage = stick->asked > 0 ? STICK_DATA : STICK_STATUS;
    return (int)size;
}

// Data out, or a command; returns how many bytes it takes.
static inline int stick_take(struct stick *stick, const uint8_t *bytes, uint32_t size)
{
    uint32_t room = 0;

    if (stick->stage == STICK_IDLE)
        return stick_take_command(stick, bytes, size);
    if (stick->stage != STICK_DATA || stick->is_in)
        return STICK_STALLS;
    if (stick->data_count > 0) {
        stick->data_count--;
        return stick->data_answer;
    }
    stick->stage = STICK_STATUS;
    uint8_t *place = stick_place(stick, &room);
    if (stick->has_failed || place == NULL)
        return STICK_STALLS;
    stick->moved = size < room ? size : room;
    memcpy(place, bytes, stick->moved);
    return (int)size;
}

static inline int stick_give_status(struct stick *stick, uint8_t *bytes, uint32_t size)
{
    uint32_t residue = stick->is_padding ? stick->left_out : stick->asked - stick->moved;
    int sent = 13;

    if (stick->status_stalls > 0) {
        stick->status_stalls--;
        return STICK_STALLS;
    }
    if (size < 13)
        return STICK_BABBLES;
    stick->stage = STICK_IDLE;
    memcpy(bytes, "USBS", 4);
    memcpy(bytes + 4, &stick->tag, 4);
    memcpy(bytes + 8, &residue, 4);
    bytes[12] = stick->has_failed;
    if (stick->lie_count == 0 || (stick->command[0] != 0x28 && stick->command[0] != 0x2a))
        return sent;
    stick->lie_count--;
    residue = stick->asked + 1;
    switch (stick->lie) {
    case STICK_WRONG_SIGNATURE:
        bytes[3] = 'C';
        break;
    case STICK_WRONG_TAG:
        bytes[4] ^= 1;
        break;
    case STICK_TOO_MUCH_RESIDUE:
        memcpy(bytes + 8, &residue, 4);
        break;
    case STICK_UNKNOWN_VERDICT:
        bytes[12] = 3;
        break;
    case STICK_PHASE_ERROR:
        bytes[12] = 2;
        break;
    case STICK_TOO_SHORT:
        sent = 12;
        break;
    case STICK_TOO_LONG:
        sent = STICK_BABBLES;
        break;
    case STICK_STALLED_TWICE:
        stick->stage = STICK_STATUS;
        stick->status_stalls = 1;
        sent = STICK_STALLS;
        break;
    case STICK_HONEST:
    case STICK_LIES:
        break;
    }
    return sent;
}

// Data in, or a status; returns how many bytes come.
static inline int stick_give(struct stick *stick, uint8_t *bytes, uint32_t size)
{
    const bool is_read = stick->command[0] == 0x28 || stick->command[0] == 0x88;
    uint32_t have = 0;

    if (stick->stage == STICK_STATUS)
        return stick_give_status(stick, bytes, size);
    if (stick->stage != STICK_DATA || !stick->is_in)
        return STICK_STALLS;
    if (stick->data_count > 0 && is_read) {
        stick->data_count--;
        return stick->data_answer;
    }
    stick->stage = STICK_STATUS;
    const uint8_t *answer = stick_answer_of(stick, &have);
    if (stick->has_failed || answer == NULL)
        return STICK_STALLS;
    have = size < have ? size : have;
    if (is_read && !stick->is_padding)
        have -= stick->left_out < have ? stick->left_out : have;
    memcpy(bytes, answer, have);
    stick->moved = have;
    return is_read && stick->left_out > 0 && stick->is_stalling ? STICK_STALLS : (int)have;
}
