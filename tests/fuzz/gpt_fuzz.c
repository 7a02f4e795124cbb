// A disk of the input's bytes, with the checksums made right so that the rest is looked at:
// partitions lie on the disk and not over each other.
#include <assert.h>
#include <stddef.h>

#include "tests/unit/gpt_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gpt_table table;
    const char *reason;
    size_t at = FAKE_BLOCK_BYTES + 8;

    fake_table();
    // Header fields, then entries.
    for (size_t i = 0; i < size && at < 6 * FAKE_BLOCK_BYTES; i++, at++)
        fake_disk[at] ^= data[i];
    if (size % 2)
        fake_seal_both();
    mx_status_t status = gpt_read(&fake_gpt_disk, &table, &reason);
    assert(status == MX_OK || table.count == 0);
    for (uint32_t i = 0; i < table.count; i++) {
        const struct gpt_partition *one = &table.partitions[i];

        assert(one->first_block < FAKE_BLOCK_COUNT &&
               one->block_count <= FAKE_BLOCK_COUNT - one->first_block);
        for (uint32_t j = 0; j < i; j++) {
            const struct gpt_partition *other = &table.partitions[j];
            assert(one->first_block >= other->first_block + other->block_count ||
                   other->first_block >= one->first_block + one->block_count);
        }
    }
    return 0;
}
