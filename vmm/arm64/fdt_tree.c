// Device trees taken apart; the contract is in the header.
#include "vmm/arm64/fdt_tree.h"

#include <string.h>

#include "vmm/arm64/fdt_format.h"

// The blob's two blocks, and how far the structure was read.
struct reader {
    struct fdt_tree *tree;
    uint8_t *structure;
    size_t structure_bytes;
    size_t at;
    const char *strings;
    size_t strings_bytes;
    struct fdt_node *root;
    struct fdt_node *node; // that is open
    unsigned depth;
    const char **problem;
};

static mx_status_t refuse(const struct reader *reader, mx_status_t status, const char *problem)
{
    *reader->problem = problem;
    return status;
}

static mx_status_t damaged(const struct reader *reader, const char *problem)
{
    return refuse(reader, MX_ERR_IO_DATA_INTEGRITY, problem);
}

// --- links --------------------------------------------------------------------------------------

void fdt_tree_add_child(struct fdt_node *parent, struct fdt_node *child)
{
    child->parent = parent;
    child->next = NULL;
    if (parent->last_child)
        parent->last_child->next = child;
    else
        parent->first_child = child;
    parent->last_child = child;
}

mx_status_t fdt_tree_add_property(struct fdt_tree *tree, struct fdt_node *node, const char *name,
                                  uint8_t *value, uint32_t size_bytes)
{
    if (tree->property_count == FDT_TREE_PROPERTIES_MAX)
        return MX_ERR_NO_RESOURCES;
    struct fdt_property *property = &tree->properties[tree->property_count++];
    *property = (struct fdt_property){.name = name, .value = value, .size_bytes = size_bytes};
    if (node->last_property)
        node->last_property->next = property;
    else
        node->first_property = property;
    node->last_property = property;
    return MX_OK;
}

struct fdt_node *fdt_tree_next(const struct fdt_node *root, struct fdt_node *node)
{
    if (node->first_child)
        return node->first_child;
    while (node != root && !node->next)
        node = node->parent;
    return node == root ? NULL : node->next;
}

// --- reading ------------------------------------------------------------------------------------

static bool is_name_plain(const char *name, bool may_have_slash)
{
    for (const char *at = name; *at; at++) {
        if (*at < 0x21 || *at > 0x7e || (*at == '/' && !may_have_slash))
            return false;
    }
    return name[0] != '\0';
}

static mx_status_t take_u32(struct reader *reader, uint32_t *value)
{
    if (reader->structure_bytes - reader->at < FDT_CELL_BYTES)
        return damaged(reader, "its structure is cut off");
    *value = fdt_get_u32(reader->structure + reader->at);
    reader->at += FDT_CELL_BYTES;
    return MX_OK;
}

// `size_bytes` and what pads them to a whole cell.
static mx_status_t take_bytes(struct reader *reader, uint32_t size_bytes, uint8_t **bytes)
{
    const size_t left = reader->structure_bytes - reader->at;
    const size_t whole = ((size_t)size_bytes + FDT_CELL_BYTES - 1) & ~(size_t)(FDT_CELL_BYTES - 1);

    if (whole > left)
        return damaged(reader, "its structure is cut off");
    *bytes = reader->structure + reader->at;
    reader->at += whole;
    return MX_OK;
}

static mx_status_t begin_node(struct reader *reader)
{
    const uint8_t *begin = reader->structure + reader->at;
    const uint8_t *end = memchr(begin, '\0', reader->structure_bytes - reader->at);
    uint8_t *name;

    if (!end)
        return damaged(reader, "the name of a node does not end");
    const mx_status_t status = take_bytes(reader, (uint32_t)(end - begin) + 1, &name);
    if (status != MX_OK)
        return status;
    if (!reader->node && (reader->root || name[0] != '\0'))
        return damaged(reader, "it has no single root");
    if (reader->node && !is_name_plain((const char *)name, false))
        return damaged(reader, "the name of a node has characters that no name has");
    if (reader->depth == FDT_TREE_DEPTH_MAX)
        return refuse(reader, MX_ERR_NO_RESOURCES, "its nodes are nested more than 32 deep");
    if (reader->tree->node_count == FDT_TREE_NODES_MAX)
        return refuse(reader, MX_ERR_NO_RESOURCES, "it has too many nodes");
    struct fdt_node *node = &reader->tree->nodes[reader->tree->node_count++];
    *node = (struct fdt_node){.name = (const char *)name};
    if (reader->node)
        fdt_tree_add_child(reader->node, node);
    else
        reader->root = node;
    reader->node = node;
    reader->depth++;
    return MX_OK;
}

static mx_status_t end_node(struct reader *reader)
{
    if (!reader->node)
        return damaged(reader, "more nodes end than begin");
    reader->node = reader->node->parent;
    reader->depth--;
    return MX_OK;
}

static mx_status_t add_property(struct reader *reader)
{
    uint32_t size_bytes, name_offset;
    uint8_t *value;
    mx_status_t status = take_u32(reader, &size_bytes);

    if (status == MX_OK)
        status = take_u32(reader, &name_offset);
    if (status == MX_OK)
        status = take_bytes(reader, size_bytes, &value);
    if (status != MX_OK)
        return status;
    if (!reader->node)
        return damaged(reader, "a property is in no node");
    if (name_offset >= reader->strings_bytes ||
        !memchr(reader->strings + name_offset, '\0', reader->strings_bytes - name_offset) ||
        !is_name_plain(reader->strings + name_offset, true))
        return damaged(reader, "the name of a property is no name");
    status = fdt_tree_add_property(reader->tree, reader->node, reader->strings + name_offset, value,
                                   size_bytes);
    return status == MX_OK ? status : refuse(reader, status, "it has too many properties");
}

static mx_status_t read_token(struct reader *reader, uint32_t token)
{
    switch (token) {
    case FDT_BEGIN_NODE:
        return begin_node(reader);
    case FDT_END_NODE:
        return end_node(reader);
    case FDT_PROPERTY:
        return add_property(reader);
    case FDT_NOP:
    case FDT_END:
        return MX_OK;
    }
    return damaged(reader, "its structure has something unknown");
}

static mx_status_t read_structure(struct reader *reader)
{
    uint32_t token;
    mx_status_t status;

    do {
        status = take_u32(reader, &token);
        if (status == MX_OK)
            status = read_token(reader, token);
    } while (status == MX_OK && token != FDT_END);
    if (status == MX_OK && (!reader->root || reader->node))
        return damaged(reader, "its structure ends within a node");
    return status;
}

// A block of the blob by two fields of the header; NULL if it does not lie within.
static uint8_t *find_block(uint8_t *blob, uint32_t total_bytes, unsigned offset_field,
                           unsigned size_field, size_t *size_bytes)
{
    const uint32_t offset = fdt_get_u32(blob + offset_field), size = fdt_get_u32(blob + size_field);

    if (offset > total_bytes || size > total_bytes - offset)
        return NULL;
    *size_bytes = size;
    return blob + offset;
}

mx_status_t fdt_tree_parse(struct fdt_tree *tree, void *blob, size_t size_bytes,
                           struct fdt_node **root, const char **problem)
{
    struct reader reader = {.tree = tree, .problem = problem};

    if (size_bytes < FDT_HEADER_BYTES || fdt_get_u32(blob) != FDT_MAGIC)
        return damaged(&reader, "it does not begin as one");
    const uint8_t *header = blob;
    const uint32_t total_bytes = fdt_get_u32(header + FDT_HEADER_TOTAL_SIZE);
    if (total_bytes < FDT_HEADER_BYTES || total_bytes > size_bytes)
        return damaged(&reader, "it is cut off");
    if (fdt_get_u32(header + FDT_HEADER_VERSION) < FDT_VERSION ||
        fdt_get_u32(header + FDT_HEADER_COMPATIBLE) > FDT_VERSION)
        return refuse(&reader, MX_ERR_NOT_SUPPORTED, "its version is not 17");
    reader.structure = find_block(blob, total_bytes, FDT_HEADER_STRUCT_OFFSET,
                                  FDT_HEADER_STRUCT_SIZE, &reader.structure_bytes);
    reader.strings = (const char *)find_block(blob, total_bytes, FDT_HEADER_STRINGS_OFFSET,
                                              FDT_HEADER_STRINGS_SIZE, &reader.strings_bytes);
    if (!reader.structure || !reader.strings)
        return damaged(&reader, "its blocks do not lie within it");
    // Values are changed later, which must not reach a name.
    const uint8_t *strings = (const uint8_t *)reader.strings;
    if (strings < reader.structure + reader.structure_bytes &&
        reader.structure < strings + reader.strings_bytes)
        return damaged(&reader, "its blocks overlap");
    const mx_status_t status = read_structure(&reader);
    if (status == MX_OK)
        *root = reader.root;
    return status;
}

// --- look-ups -----------------------------------------------------------------------------------

struct fdt_property *fdt_tree_find_property(const struct fdt_node *node, const char *name)
{
    for (struct fdt_property *property = node->first_property; property;
         property = property->next) {
        if (strcmp(property->name, name) == 0)
            return property;
    }
    return NULL;
}

struct fdt_node *fdt_tree_find_child(const struct fdt_node *node, const char *name)
{
    for (struct fdt_node *child = node->first_child; child; child = child->next) {
        if (strcmp(child->name, name) == 0)
            return child;
    }
    return NULL;
}

static bool is_named(const struct fdt_node *node, const char *part, size_t length)
{
    if (strncmp(node->name, part, length) != 0)
        return false;
    return node->name[length] == '\0' || (node->name[length] == '@' && !memchr(part, '@', length));
}

static struct fdt_node *find_part(const struct fdt_node *node, const char *part, size_t length)
{
    for (struct fdt_node *child = node->first_child; child; child = child->next) {
        if (is_named(child, part, length))
            return child;
    }
    return NULL;
}

struct fdt_node *fdt_tree_find_path(struct fdt_node *root, const char *path, size_t length)
{
    struct fdt_node *node = root;
    size_t at = 0;

    if (length == 0 || path[0] != '/')
        return NULL;
    while (node && at < length) {
        while (at < length && path[at] == '/')
            at++;
        const char *end = at < length ? memchr(path + at, '/', length - at) : NULL;
        const size_t part_bytes = end ? (size_t)(end - (path + at)) : length - at;
        if (part_bytes > 0)
            node = find_part(node, path + at, part_bytes);
        at += part_bytes;
    }
    return node;
}

uint32_t fdt_tree_phandle(const struct fdt_node *node)
{
    const struct fdt_property *property = fdt_tree_find_property(node, "phandle");

    return property && property->size_bytes == FDT_CELL_BYTES ? fdt_get_u32(property->value) : 0;
}

struct fdt_node *fdt_tree_find_phandle(struct fdt_node *root, uint32_t phandle)
{
    for (struct fdt_node *node = root; node && phandle != 0; node = fdt_tree_next(root, node)) {
        if (fdt_tree_phandle(node) == phandle)
            return node;
    }
    return NULL;
}

const char *fdt_tree_text(const struct fdt_property *property)
{
    if (property->size_bytes == 0 || memchr(property->value, '\0', property->size_bytes) !=
                                         property->value + property->size_bytes - 1)
        return NULL;
    return (const char *)property->value;
}

// --- writing ------------------------------------------------------------------------------------

static void write_node(const struct fdt_node *node, struct fdt_builder *builder)
{
    fdt_builder_begin_node(builder, node->name);
    for (const struct fdt_property *property = node->first_property; property;
         property = property->next)
        fdt_builder_put_property(builder, property->name, property->value, property->size_bytes);
}

void fdt_tree_write(struct fdt_node *root, struct fdt_builder *builder)
{
    struct fdt_node *node = root;

    for (;;) {
        write_node(node, builder);
        if (node->first_child) {
            node = node->first_child;
            continue;
        }
        fdt_builder_end_node(builder);
        while (node != root && !node->next) {
            node = node->parent;
            fdt_builder_end_node(builder);
        }
        if (node == root)
            return;
        node = node->next;
    }
}
