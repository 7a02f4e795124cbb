// Builds flattened device trees for tests, sound or not, a token at a time.
#pragma once

#include <stdint.h>
#include <string.h>

#define TREE_BYTES 8192

struct tree {
    uint8_t structure[TREE_BYTES / 2], strings[1024], blob[TREE_BYTES];
    uint32_t structure_bytes, strings_bytes, blob_bytes;
    uint64_t reservations[8];
    uint32_t reservation_words;
};

static inline void tree_put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static inline void tree_token(struct tree *tree, uint32_t token)
{
    tree_put32(tree->structure + tree->structure_bytes, token);
    tree->structure_bytes += 4;
}

static inline void tree_bytes(struct tree *tree, const void *bytes, size_t size)
{
    memcpy(tree->structure + tree->structure_bytes, bytes, size);
    tree->structure_bytes += (uint32_t)(size + 3) & ~3u;
}

static inline void tree_begin(struct tree *tree, const char *name)
{
    tree_token(tree, 1);
    tree_bytes(tree, name, strlen(name) + 1);
}

static inline void tree_end(struct tree *tree)
{
    tree_token(tree, 2);
}

static inline void tree_property(struct tree *tree, const char *name, const void *data, size_t size)
{
    tree_token(tree, 3);
    tree_token(tree, (uint32_t)size);
    tree_token(tree, tree->strings_bytes);
    tree_bytes(tree, data, size);
    memcpy(tree->strings + tree->strings_bytes, name, strlen(name) + 1);
    tree->strings_bytes += (uint32_t)strlen(name) + 1;
}

static inline void tree_text(struct tree *tree, const char *name, const char *text)
{
    tree_property(tree, name, text, strlen(text) + 1);
}

static inline void tree_cells_of(struct tree *tree, const char *name, const uint32_t *cells,
                                 size_t count)
{
    uint8_t bytes[256];

    for (size_t i = 0; i < count; i++)
        tree_put32(bytes + 4 * i, cells[i]);
    tree_property(tree, name, bytes, 4 * count);
}

#define tree_cells(tree, name, ...)                            \
    tree_cells_of(tree, name, (const uint32_t[]){__VA_ARGS__}, \
                  sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static inline void tree_reserve(struct tree *tree, uint64_t base, uint64_t size)
{
    tree->reservations[tree->reservation_words++] = base;
    tree->reservations[tree->reservation_words++] = size;
}

// Ends the tree and lays header, reservations, structure and strings out in `blob`.
static inline void tree_finish(struct tree *tree)
{
    uint32_t reservations = 40, structure = reservations + 8 * tree->reservation_words + 16,
             strings;

    tree_token(tree, 9);
    strings = structure + tree->structure_bytes;
    tree->blob_bytes = strings + tree->strings_bytes;
    const uint32_t header[10] = {
        0xd00dfeed,          tree->blob_bytes,     structure, strings, reservations, 17, 16, 0,
        tree->strings_bytes, tree->structure_bytes};
    for (int i = 0; i < 10; i++)
        tree_put32(tree->blob + 4 * i, header[i]);
    for (uint32_t i = 0; i < tree->reservation_words; i++) {
        tree_put32(tree->blob + reservations + 8 * i, (uint32_t)(tree->reservations[i] >> 32));
        tree_put32(tree->blob + reservations + 8 * i + 4, (uint32_t)tree->reservations[i]);
    }
    memcpy(tree->blob + structure, tree->structure, tree->structure_bytes);
    memcpy(tree->blob + strings, tree->strings, tree->strings_bytes);
}
