// A flattened device tree (fdt_format.h) of a package, judged and taken apart into nodes and
// properties.
//
// Names and values stay where they are in the blob, which must outlive the tree and may be changed
// only through it. Names are not empty (but the root's) and hold visible ASCII characters; no node
// has a '/' in its name. Trees can share the pools of one struct fdt_tree, so that nodes can move
// from one to another.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <machina/status.h>

#include "vmm/arm64/fdt_builder.h"

#define FDT_TREE_NODES_MAX      1024u
#define FDT_TREE_PROPERTIES_MAX 4096u
#define FDT_TREE_DEPTH_MAX      32u

struct fdt_property {
    const char *name;
    uint8_t *value;
    uint32_t size_bytes;
    struct fdt_property *next;
};

struct fdt_node {
    const char *name;
    struct fdt_node *parent; // NULL: the root
    struct fdt_node *next;   // sibling
    struct fdt_node *first_child, *last_child;
    struct fdt_property *first_property, *last_property;
};

struct fdt_tree {
    struct fdt_node nodes[FDT_TREE_NODES_MAX];
    size_t node_count;
    struct fdt_property properties[FDT_TREE_PROPERTIES_MAX];
    size_t property_count;
};

// Takes a blob apart; *root is its tree. IO_DATA_INTEGRITY: malformed; NOT_SUPPORTED: a version
// from before 17 or after; NO_RESOURCES: more nodes or properties than the pools have, or nested
// too deep. *problem says what, for a message.
MX_MUST_CHECK mx_status_t fdt_tree_parse(struct fdt_tree *tree, void *blob, size_t size_bytes,
                                         struct fdt_node **root, const char **problem);

// The node after `node` in the order of the blob, or NULL at the end of root's tree.
struct fdt_node *fdt_tree_next(const struct fdt_node *root, struct fdt_node *node);

// Look-ups; NULL: there is none. A part of a path without "@address" stands for the first node of
// that name.
struct fdt_property *fdt_tree_find_property(const struct fdt_node *node, const char *name);
struct fdt_node *fdt_tree_find_child(const struct fdt_node *node, const char *name);
struct fdt_node *fdt_tree_find_path(struct fdt_node *root, const char *path, size_t length);
struct fdt_node *fdt_tree_find_phandle(struct fdt_node *root, uint32_t phandle);

// The node's phandle, or 0.
uint32_t fdt_tree_phandle(const struct fdt_node *node);
// The property as a text, or NULL if it is none that ends with its only NUL.
const char *fdt_tree_text(const struct fdt_property *property);

// Puts a node or property behind the last. A child must have been taken off its parent before.
void fdt_tree_add_child(struct fdt_node *parent, struct fdt_node *child);
// NO_RESOURCES: the pool is empty.
MX_MUST_CHECK mx_status_t fdt_tree_add_property(struct fdt_tree *tree, struct fdt_node *node,
                                                const char *name, uint8_t *value,
                                                uint32_t size_bytes);

// Puts the whole tree into a builder.
void fdt_tree_write(struct fdt_node *root, struct fdt_builder *builder);
