// Builds a flattened device tree (fdt_format.h) in memory of a given size.
//
// Calls come in the order of the tree: begin a node, its properties, its children, end it. What
// does not fit or is out of order breaks the tree for good and is told by fdt_builder_finish alone,
// so that a tree is written as a list of calls.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <machina/status.h>

#define FDT_BUILDER_STRINGS_BYTES 8192

struct fdt_builder {
    uint8_t *buffer;
    size_t capacity;
    size_t size_bytes;      // written so far, without the strings
    unsigned depth;         // nodes that are open
    bool has_root;          // and with it whether anything may follow
    bool may_have_property; // no child of the node was begun yet
    bool is_misused;        // calls came out of order
    bool is_broken;         // something did not fit
    size_t strings_bytes;
    char strings[FDT_BUILDER_STRINGS_BYTES]; // each name of a property once
};

void fdt_builder_init(struct fdt_builder *builder, void *buffer, size_t capacity);

// The root's name is "".
void fdt_builder_begin_node(struct fdt_builder *builder, const char *name);
// name@address, the address in hexadecimal.
void fdt_builder_begin_node_at(struct fdt_builder *builder, const char *name, uint64_t address);
void fdt_builder_end_node(struct fdt_builder *builder);

// The value has no type in the format; `size_bytes` may be 0.
void fdt_builder_put_property(struct fdt_builder *builder, const char *name, const void *value,
                              size_t size_bytes);
void fdt_builder_put_empty(struct fdt_builder *builder, const char *name);
void fdt_builder_put_string(struct fdt_builder *builder, const char *name, const char *text);
void fdt_builder_put_strings(struct fdt_builder *builder, const char *name,
                             const char *const *texts, size_t count);
void fdt_builder_put_cells(struct fdt_builder *builder, const char *name, const uint32_t *cells,
                           size_t count);
void fdt_builder_put_u32(struct fdt_builder *builder, const char *name, uint32_t value);
void fdt_builder_put_u64(struct fdt_builder *builder, const char *name, uint64_t value);
// Each number as two cells.
void fdt_builder_put_u64s(struct fdt_builder *builder, const char *name, const uint64_t *values,
                          size_t count);

// Completes the tree; *size_bytes is its whole size. BUFFER_TOO_SMALL: something did not fit.
// BAD_STATE: the calls made no tree.
MX_MUST_CHECK mx_status_t fdt_builder_finish(struct fdt_builder *builder, uint32_t boot_cpu,
                                             size_t *size_bytes);
