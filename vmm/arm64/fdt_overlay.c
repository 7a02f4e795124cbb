// Device tree overlays; the contract is in the header.
#include "vmm/arm64/fdt_overlay.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/arm64/fdt_format.h"
#include "vmm/arm64/fdt_tree.h"

#define PHANDLE_MAX      0xfffffffeu // -1 is none
#define NEW_PHANDLES_MAX 64u

struct merger {
    struct fdt_tree tree; // the pools of both
    struct fdt_node *base;
    struct fdt_node *overlay;
    uint32_t phandle_max;                                   // in use
    uint8_t new_phandles[NEW_PHANDLES_MAX][FDT_CELL_BYTES]; // of labels that had none
    size_t new_phandle_count;
    char *reason;
    size_t reason_bytes;
};

static mx_status_t __attribute__((format(printf, 3, 4)))
refuse(struct merger *merger, mx_status_t status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (merger->reason_bytes > 0)
        vsnprintf(merger->reason, merger->reason_bytes, format, arguments);
    va_end(arguments);
    return status;
}

// --- phandles -----------------------------------------------------------------------------------

static uint32_t find_highest_phandle(struct fdt_node *root)
{
    uint32_t highest = 0;

    for (struct fdt_node *node = root; node; node = fdt_tree_next(root, node)) {
        const uint32_t phandle = fdt_tree_phandle(node);
        if (phandle > highest && phandle <= PHANDLE_MAX)
            highest = phandle;
    }
    return highest;
}

static mx_status_t add_to_cell(struct merger *merger, const struct fdt_property *property,
                               uint32_t offset, uint32_t delta)
{
    if (property->size_bytes < FDT_CELL_BYTES || offset > property->size_bytes - FDT_CELL_BYTES)
        return refuse(merger, MX_ERR_INVALID_ARGS, "%s: a fixup at byte %u lies outside of it",
                      property->name, offset);
    const uint32_t value = fdt_get_u32(property->value + offset);
    if (value > PHANDLE_MAX - delta)
        return refuse(merger, MX_ERR_INVALID_ARGS, "%s: the phandle 0x%x is too high",
                      property->name, value);
    fdt_set_u32(property->value + offset, value + delta);
    return MX_OK;
}

static mx_status_t move_phandles(struct merger *merger, uint32_t delta)
{
    for (struct fdt_node *node = merger->overlay; node;
         node = fdt_tree_next(merger->overlay, node)) {
        const struct fdt_property *property = fdt_tree_find_property(node, "phandle");
        const mx_status_t status = property ? add_to_cell(merger, property, 0, delta) : MX_OK;
        if (status != MX_OK)
            return status;
    }
    return MX_OK;
}

// The nodes of __local_fixups__ are named as those of the overlay; a property lists offsets in the
// one of its name.
static mx_status_t move_local_uses(struct merger *merger, const struct fdt_node *fixups,
                                   const struct fdt_node *node, uint32_t delta)
{
    mx_status_t status = MX_OK;

    for (const struct fdt_property *list = fixups->first_property; list; list = list->next) {
        const struct fdt_property *property = fdt_tree_find_property(node, list->name);
        if (!property || list->size_bytes % FDT_CELL_BYTES != 0)
            return refuse(merger, MX_ERR_INVALID_ARGS, "__local_fixups__: %s: no such property",
                          list->name);
        for (uint32_t at = 0; status == MX_OK && at < list->size_bytes; at += FDT_CELL_BYTES)
            status = add_to_cell(merger, property, fdt_get_u32(list->value + at), delta);
        if (status != MX_OK)
            return status;
    }
    for (const struct fdt_node *child = fixups->first_child; child; child = child->next) {
        const struct fdt_node *fixed = fdt_tree_find_child(node, child->name);
        if (!fixed)
            return refuse(merger, MX_ERR_INVALID_ARGS, "__local_fixups__: %s: no such node",
                          child->name);
        status = move_local_uses(merger, child, fixed, delta);
        if (status != MX_OK)
            return status;
    }
    return MX_OK;
}

// --- labels of the machine's tree ---------------------------------------------------------------

static struct fdt_node *find_label(const struct merger *merger, const char *label)
{
    const struct fdt_node *symbols = fdt_tree_find_child(merger->base, "__symbols__");
    const struct fdt_property *symbol = symbols ? fdt_tree_find_property(symbols, label) : NULL;
    const char *path = symbol ? fdt_tree_text(symbol) : NULL;

    return path ? fdt_tree_find_path(merger->base, path, strlen(path)) : NULL;
}

static mx_status_t get_phandle(struct merger *merger, struct fdt_node *node, uint32_t *phandle)
{
    *phandle = fdt_tree_phandle(node);
    if (*phandle != 0)
        return MX_OK;
    if (merger->new_phandle_count == NEW_PHANDLES_MAX || merger->phandle_max == PHANDLE_MAX)
        return refuse(merger, MX_ERR_NO_RESOURCES, "it refers to too many nodes");
    uint8_t *cell = merger->new_phandles[merger->new_phandle_count++];
    *phandle = ++merger->phandle_max;
    fdt_set_u32(cell, *phandle);
    const mx_status_t status =
        fdt_tree_add_property(&merger->tree, node, "phandle", cell, FDT_CELL_BYTES);
    return status == MX_OK ? status : refuse(merger, status, "it has too many properties");
}

// Decimal digits up to the end of the text.
static bool parse_offset(const char *text, uint32_t *offset)
{
    uint32_t value = 0;

    if (*text == '\0')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || value > FDT_OVERLAY_BYTES_MAX)
            return false;
        value = value * 10 + (uint32_t)(*text - '0');
    }
    *offset = value;
    return true;
}

// One use of a label: "path:property:offset". The text is cut up in place.
static mx_status_t set_use(struct merger *merger, const char *label, char *use, uint32_t phandle)
{
    char *name = strchr(use, ':'), *digits = name ? strchr(name + 1, ':') : NULL;
    const struct fdt_node *node = NULL;
    const struct fdt_property *property = NULL;
    uint32_t offset;

    if (digits) {
        *digits++ = '\0';
        *name++ = '\0';
        node = fdt_tree_find_path(merger->overlay, use, strlen(use));
    }
    if (node)
        property = fdt_tree_find_property(node, name);
    if (!property || !parse_offset(digits, &offset) || property->size_bytes < FDT_CELL_BYTES ||
        offset > property->size_bytes - FDT_CELL_BYTES)
        return refuse(merger, MX_ERR_INVALID_ARGS,
                      "__fixups__: %s: a use that is no place in the overlay", label);
    fdt_set_u32(property->value + offset, phandle);
    return MX_OK;
}

static mx_status_t set_uses(struct merger *merger, const struct fdt_property *fixup)
{
    struct fdt_node *node = find_label(merger, fixup->name);
    uint32_t phandle, at = 0;

    if (!node)
        return refuse(merger, MX_ERR_INVALID_ARGS, "the machine has no label \"%s\"", fixup->name);
    mx_status_t status = get_phandle(merger, node, &phandle);
    while (status == MX_OK && at < fixup->size_bytes) {
        char *use = (char *)fixup->value + at;
        const char *end = memchr(use, '\0', fixup->size_bytes - at);
        if (!end)
            return refuse(merger, MX_ERR_INVALID_ARGS, "__fixups__: %s: a text does not end",
                          fixup->name);
        at += (uint32_t)(end - use) + 1;
        status = set_use(merger, fixup->name, use, phandle);
    }
    return status;
}

static mx_status_t resolve(struct merger *merger)
{
    const struct fdt_node *local = fdt_tree_find_child(merger->overlay, "__local_fixups__");
    const struct fdt_node *fixups = fdt_tree_find_child(merger->overlay, "__fixups__");
    const uint32_t delta = find_highest_phandle(merger->base);

    mx_status_t status = move_phandles(merger, delta);
    if (status == MX_OK && local)
        status = move_local_uses(merger, local, merger->overlay, delta);
    const uint32_t moved = find_highest_phandle(merger->overlay);
    merger->phandle_max = moved > delta ? moved : delta;
    const struct fdt_property *fixup = fixups ? fixups->first_property : NULL;
    for (; status == MX_OK && fixup; fixup = fixup->next)
        status = set_uses(merger, fixup);
    return status;
}

// --- merging ------------------------------------------------------------------------------------

static mx_status_t merge_property(struct merger *merger, struct fdt_node *target,
                                  const struct fdt_property *property)
{
    struct fdt_property *present = fdt_tree_find_property(target, property->name);

    if (!present) {
        const mx_status_t status = fdt_tree_add_property(&merger->tree, target, property->name,
                                                         property->value, property->size_bytes);
        return status == MX_OK ? status : refuse(merger, status, "it has too many properties");
    }
    if (strcmp(property->name, "phandle") == 0)
        return refuse(merger, MX_ERR_INVALID_ARGS,
                      "%s: it has a phandle already, which others use; refer to it by its label",
                      target->name[0] ? target->name : "/");
    present->value = property->value;
    present->size_bytes = property->size_bytes;
    return MX_OK;
}

// A child that the target has not moves to it as a whole. As deep as the overlay.
static mx_status_t merge_node(struct merger *merger, struct fdt_node *target,
                              const struct fdt_node *node)
{
    mx_status_t status = MX_OK;
    const struct fdt_property *property = node->first_property;
    struct fdt_node *next;

    for (; status == MX_OK && property; property = property->next)
        status = merge_property(merger, target, property);
    for (struct fdt_node *child = node->first_child; status == MX_OK && child; child = next) {
        struct fdt_node *present = fdt_tree_find_child(target, child->name);
        next = child->next;
        if (present)
            status = merge_node(merger, present, child);
        else
            fdt_tree_add_child(target, child);
    }
    return status;
}

static struct fdt_node *find_target(const struct merger *merger, const struct fdt_node *fragment)
{
    const struct fdt_property *target = fdt_tree_find_property(fragment, "target");
    const struct fdt_property *target_path = fdt_tree_find_property(fragment, "target-path");

    if (target)
        return target->size_bytes == FDT_CELL_BYTES
                   ? fdt_tree_find_phandle(merger->base, fdt_get_u32(target->value))
                   : NULL;
    const char *path = target_path ? fdt_tree_text(target_path) : NULL;
    return path ? fdt_tree_find_path(merger->base, path, strlen(path)) : NULL;
}

static mx_status_t merge_fragments(struct merger *merger)
{
    size_t count = 0;

    for (struct fdt_node *fragment = merger->overlay->first_child; fragment;
         fragment = fragment->next) {
        const struct fdt_node *content = fdt_tree_find_child(fragment, "__overlay__");
        if (!content)
            continue;
        struct fdt_node *target = find_target(merger, fragment);
        if (!target)
            return refuse(merger, MX_ERR_INVALID_ARGS, "%s: the machine has not its target",
                          fragment->name);
        const mx_status_t status = merge_node(merger, target, content);
        if (status != MX_OK)
            return status;
        count++;
    }
    return count > 0 ? MX_OK
                     : refuse(merger, MX_ERR_INVALID_ARGS,
                              "it is no overlay: it has no fragment with __overlay__");
}

// --- the whole ----------------------------------------------------------------------------------

static mx_status_t merge(struct merger *merger, void *base, size_t base_bytes, void *overlay,
                         size_t overlay_bytes)
{
    const char *problem;
    mx_status_t status = fdt_tree_parse(&merger->tree, base, base_bytes, &merger->base, &problem);

    if (status == MX_OK)
        status = fdt_tree_parse(&merger->tree, overlay, overlay_bytes, &merger->overlay, &problem);
    if (status != MX_OK)
        return refuse(merger, status, "it is no device tree: %s", problem);
    status = resolve(merger);
    return status == MX_OK ? merge_fragments(merger) : status;
}

static mx_status_t write(struct merger *merger, uint32_t boot_cpu, void *output, size_t capacity,
                         size_t *output_bytes)
{
    struct fdt_builder builder;

    fdt_builder_init(&builder, output, capacity);
    fdt_tree_write(merger->base, &builder);
    const mx_status_t status = fdt_builder_finish(&builder, boot_cpu, output_bytes);
    return status == MX_OK ? status : refuse(merger, status, "the tree with it is too large");
}

mx_status_t fdt_overlay_apply(void *base, size_t base_bytes, void *overlay, size_t overlay_bytes,
                              void *output, size_t capacity, size_t *output_bytes, char *reason,
                              size_t reason_bytes)
{
    struct merger *merger = calloc(1, sizeof(*merger));
    mx_status_t status;

    if (!merger) {
        if (reason_bytes > 0)
            snprintf(reason, reason_bytes, "there is no memory to read it");
        return MX_ERR_NO_MEMORY;
    }
    merger->reason = reason;
    merger->reason_bytes = reason_bytes;
    if (overlay_bytes > FDT_OVERLAY_BYTES_MAX)
        status = refuse(merger, MX_ERR_FILE_TOO_BIG, "%zu bytes; at most %u are read",
                        overlay_bytes, FDT_OVERLAY_BYTES_MAX);
    else
        status = merge(merger, base, base_bytes, overlay, overlay_bytes);
    if (status == MX_OK)
        status = write(merger, 0, output, capacity, output_bytes);
    free(merger);
    return status;
}
