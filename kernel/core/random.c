// The random generator; see random.h.

#include "kernel/core/random.h"

#include <arch/cpu.h>
#include <arch/time.h>

#include "kernel/core/spinlock.h"
#include "kernel/lib/string.h"
#include "kernel/memory/user_copy.h"
#include "kernel/object/syscalls.h"

#define KEY_WORDS   8
#define BLOCK_WORDS 16
#define BLOCK_BYTES (BLOCK_WORDS * sizeof(uint32_t))

static struct spinlock random_lock = SPINLOCK_INIT;
static uint32_t key[KEY_WORDS];
static uint64_t block_counter;

static uint32_t rotate(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static void quarter_round(uint32_t *x, unsigned a, unsigned b, unsigned c, unsigned d)
{
    x[a] += x[b], x[d] = rotate(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = rotate(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = rotate(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = rotate(x[b] ^ x[c], 7);
}

static void make_block(uint32_t out[BLOCK_WORDS])
{
    uint32_t start[BLOCK_WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

    memcpy(&start[4], key, sizeof(key));
    start[12] = (uint32_t)block_counter;
    start[13] = (uint32_t)(block_counter >> 32);
    block_counter++;
    memcpy(out, start, sizeof(start));
    for (unsigned i = 0; i < 10; i++) {
        quarter_round(out, 0, 4, 8, 12);
        quarter_round(out, 1, 5, 9, 13);
        quarter_round(out, 2, 6, 10, 14);
        quarter_round(out, 3, 7, 11, 15);
        quarter_round(out, 0, 5, 10, 15);
        quarter_round(out, 1, 6, 11, 12);
        quarter_round(out, 2, 7, 8, 13);
        quarter_round(out, 3, 4, 9, 14);
    }
    for (unsigned i = 0; i < BLOCK_WORDS; i++)
        out[i] += start[i];
}

void random_init(void)
{
    for (unsigned i = 0; i < KEY_WORDS / 2; i++) {
        uint64_t word = 0, time = (uint64_t)arch_time_now() * UINT64_C(0x9e3779b97f4a7c15);
        (void)arch_cpu_random(&word);
        word ^= time ^ (uint64_t)arch_time_utc_seconds();
        memcpy(&key[2 * i], &word, sizeof(word));
    }
}

void random_draw(void *buffer, size_t size_bytes)
{
    uint32_t block[BLOCK_WORDS];
    char *to = buffer;

    arch_interrupt_state_t state = spin_lock(&random_lock);
    while (size_bytes != 0) {
        size_t piece = size_bytes < BLOCK_BYTES ? size_bytes : BLOCK_BYTES;
        make_block(block);
        memcpy(to, block, piece);
        to += piece;
        size_bytes -= piece;
    }
    // A new key from what nobody saw: what was drawn cannot be computed from what the kernel holds later.
    make_block(block);
    memcpy(key, block, sizeof(key));
    spin_unlock(&random_lock, state);
}

int64_t sys_random_draw(uaddr_t buffer, size_t size_bytes)
{
    char bytes[256];

    if (size_bytes > sizeof(bytes))
        return MX_ERR_OUT_OF_RANGE;
    random_draw(bytes, size_bytes);
    return user_write(buffer, bytes, size_bytes);
}
