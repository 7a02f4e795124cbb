// Arbitrary bytes as an overlay of the machine's device tree: a tree that can be read again, or a
// reason.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/arm64/device_tree.h"
#include "vmm/arm64/fdt_overlay.h"
#include "vmm/arm64/fdt_tree.h"

#define TREE_BYTES 65536

static void require(int condition)
{
    if (!condition)
        abort();
}

static size_t build_base(uint8_t *base)
{
    static const struct device_tree_config config = {
        .cpu_count = 2, .gic = DEVICE_TREE_GICV3, .low_ram_bytes = 1 << 28, .has_symbols = true};
    size_t base_bytes;

    require(device_tree_build(&config, base, TREE_BYTES, &base_bytes) == MX_OK);
    return base_bytes;
}

// The pools hold the machine's tree and more, so that what they held before can be too much only
// for a tree that a fragment made deeper than the reader goes.
static void read_again(uint8_t *tree_blob, size_t tree_bytes)
{
    static struct fdt_tree tree;
    struct fdt_node *root;
    const char *problem;

    tree.node_count = tree.property_count = 0;
    const mx_status_t status = fdt_tree_parse(&tree, tree_blob, tree_bytes, &root, &problem);
    require(status == MX_OK || status == MX_ERR_NO_RESOURCES);
    if (status == MX_OK)
        require(fdt_tree_find_path(root, "/chosen", 7) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t base[TREE_BYTES], output[TREE_BYTES];
    const size_t base_bytes = build_base(base);
    uint8_t *overlay = malloc(size + !size);
    char reason[80] = "";
    size_t output_bytes;

    if (size > 0)
        memcpy(overlay, data, size);
    const mx_status_t status =
        fdt_overlay_apply(base, base_bytes, overlay, size, output, sizeof(output), &output_bytes,
                          reason, sizeof(reason));
    free(overlay);
    require((status == MX_OK) == (reason[0] == '\0'));
    for (const char *at = reason; *at; at++)
        require(*at >= 0x20 && *at < 0x7f);
    if (status == MX_OK)
        read_again(output, output_bytes);
    return 0;
}
