// The reader of flattened device trees; see fdt.h.
#include "kernel/lib/fdt.h"

#include <string.h>

#define FDT_MAGIC            0xd00dfeed
#define FDT_VERSION          17
#define FDT_RESERVATION_SIZE 16

enum fdt_header {
    HEADER_MAGIC = 0,
    HEADER_TOTAL_SIZE = 4,
    HEADER_STRUCTURE = 8,
    HEADER_STRINGS = 12,
    HEADER_RESERVATIONS = 16,
    HEADER_VERSION = 20,
    HEADER_LAST_COMPATIBLE = 24,
    HEADER_STRINGS_SIZE = 32,
    HEADER_STRUCTURE_SIZE = 36,
};

enum fdt_token {
    TOKEN_BEGIN_NODE = 1,
    TOKEN_END_NODE = 2,
    TOKEN_PROPERTY = 3,
    TOKEN_NOP = 4,
    TOKEN_END = 9,
};

#define TOKEN_BYTES    4
#define PROPERTY_BYTES 12 // token, size, offset of the name

// What a bus without the properties has ("#address-cells and #size-cells", section 2.3.5).
#define ADDRESS_CELLS_DEFAULT 2
#define SIZE_CELLS_DEFAULT    1

// Addresses of PCI: a cell with the space, then 64 bits (PCI Bus Binding, section 2.2.1.1).
#define PCI_ADDRESS_CELLS 3
#define PCI_SIZE_CELLS    2
#define PCI_SPACE_SHIFT   24
#define PCI_SPACE_MASK    3u

static uint32_t read32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t read64(const uint8_t *at)
{
    return (uint64_t)read32(at) << 32 | read32(at + 4);
}

static bool is_within(uint64_t offset, uint64_t size_bytes, uint64_t limit)
{
    return offset <= limit && size_bytes <= limit - offset;
}

static uint32_t align4(uint32_t value)
{
    return (value + 3) & ~(uint32_t)3;
}

// --- tokens
// ---------------------------------------------------------------------------------------------

struct token {
    uint32_t kind;
    uint32_t next; // offset of the token behind it
    const char *name;
    struct fdt_property property;
};

// Bytes of the text at `offset`, with its NUL; 0 if there is no NUL before `end`.
static uint32_t text_bytes(const struct fdt *fdt, uint32_t offset, uint32_t end)
{
    size_t length = strnlen((const char *)fdt->data + offset, end - offset);

    return length < end - offset ? (uint32_t)length + 1 : 0;
}

static bool read_begin(const struct fdt *fdt, uint32_t offset, struct token *out)
{
    uint32_t bytes = text_bytes(fdt, offset + TOKEN_BYTES, fdt->structure_end);

    out->name = (const char *)fdt->data + offset + TOKEN_BYTES;
    out->next = align4(offset + TOKEN_BYTES + bytes);
    return bytes != 0;
}

static bool read_property(const struct fdt *fdt, uint32_t offset, struct token *out)
{
    uint32_t size, name;

    if (!is_within(offset, PROPERTY_BYTES, fdt->structure_end))
        return false;
    size = read32(fdt->data + offset + TOKEN_BYTES);
    name = read32(fdt->data + offset + 2 * TOKEN_BYTES);
    if (!is_within(offset + PROPERTY_BYTES, size, fdt->structure_end) ||
        name >= fdt->strings_end - fdt->strings ||
        !text_bytes(fdt, fdt->strings + name, fdt->strings_end))
        return false;
    out->name = (const char *)fdt->data + fdt->strings + name;
    out->property = (struct fdt_property){fdt->data + offset + PROPERTY_BYTES, size};
    out->next = align4(offset + PROPERTY_BYTES + size);
    return true;
}

// False: there is no whole token there.
static bool read_token(const struct fdt *fdt, uint32_t offset, struct token *out)
{
    if (!is_within(offset, TOKEN_BYTES, fdt->structure_end))
        return false;
    out->kind = read32(fdt->data + offset);
    out->next = offset + TOKEN_BYTES;
    switch (out->kind) {
    case TOKEN_BEGIN_NODE:
        return read_begin(fdt, offset, out);
    case TOKEN_PROPERTY:
        return read_property(fdt, offset, out);
    case TOKEN_END_NODE:
    case TOKEN_NOP:
    case TOKEN_END:
        return true;
    default:
        return false;
    }
}

// --- opening
// ----------------------------------------------------------------------------------------------

uint32_t fdt_total_size(const void *header)
{
    const uint8_t *bytes = header;

    return read32(bytes + HEADER_MAGIC) == FDT_MAGIC ? read32(bytes + HEADER_TOTAL_SIZE) : 0;
}

static const char *check_header(struct fdt *fdt, const uint8_t *data, size_t size_bytes)
{
    uint32_t total, structure_size, strings_size;

    if (size_bytes < FDT_HEADER_BYTES || read32(data + HEADER_MAGIC) != FDT_MAGIC)
        return "no device tree: the magic number is missing";
    total = read32(data + HEADER_TOTAL_SIZE);
    if (total < FDT_HEADER_BYTES || total > size_bytes || total > FDT_SIZE_MAX)
        return "the size in the header is more than there is, or than 2 MiB";
    if (read32(data + HEADER_VERSION) < FDT_VERSION ||
        read32(data + HEADER_LAST_COMPATIBLE) > FDT_VERSION)
        return "the format is not version 17 or one compatible with it";
    *fdt = (struct fdt){.data = data, .size_bytes = total};
    fdt->structure = read32(data + HEADER_STRUCTURE);
    fdt->strings = read32(data + HEADER_STRINGS);
    fdt->reservations = read32(data + HEADER_RESERVATIONS);
    structure_size = read32(data + HEADER_STRUCTURE_SIZE);
    strings_size = read32(data + HEADER_STRINGS_SIZE);
    if (!is_within(fdt->structure, structure_size, total) || fdt->structure % TOKEN_BYTES != 0)
        return "the structure block is outside the tree";
    if (!is_within(fdt->strings, strings_size, total))
        return "the strings block is outside the tree";
    fdt->structure_end = fdt->structure + structure_size;
    fdt->strings_end = fdt->strings + strings_size;
    return NULL;
}

static const char *check_reservations(const struct fdt *fdt)
{
    struct fdt_range range;

    for (uint64_t at = fdt->reservations;; at += FDT_RESERVATION_SIZE) {
        if (!is_within(at, FDT_RESERVATION_SIZE, fdt->size_bytes))
            return "the memory reservations have no end";
        range = (struct fdt_range){read64(fdt->data + at), read64(fdt->data + at + 8)};
        if (range.base == 0 && range.size_bytes == 0)
            return NULL;
    }
}

// Properties come before children, so that a look-up may end at the first child.
static const char *check_structure(const struct fdt *fdt)
{
    uint32_t offset = fdt->structure, depth = 0;
    bool may_have_property = false, has_root = false;
    struct token token;

    for (;; offset = token.next) {
        if (!read_token(fdt, offset, &token))
            return "a token, name or property reaches beyond its block, or is of no known kind";
        if (token.kind == TOKEN_BEGIN_NODE) {
            if (depth == FDT_DEPTH_MAX || (depth == 0 && has_root))
                return "nodes are nested too deeply, or there is a second root";
            depth++;
            has_root = may_have_property = true;
        } else if (token.kind == TOKEN_END_NODE) {
            if (depth == 0)
                return "a node ends that did not begin";
            depth--;
            may_have_property = false;
        } else if (token.kind == TOKEN_PROPERTY && !may_have_property) {
            return "a property stands outside a node or behind its children";
        } else if (token.kind == TOKEN_END) {
            return depth == 0 && has_root ? NULL : "the tree ends within a node";
        }
    }
}

mx_status_t fdt_open(struct fdt *fdt, const void *data, size_t size_bytes, const char **reason)
{
    *reason = check_header(fdt, data, size_bytes);
    if (!*reason)
        *reason = check_reservations(fdt);
    if (!*reason)
        *reason = check_structure(fdt);
    return *reason ? MX_ERR_IO_DATA_INTEGRITY : MX_OK;
}

bool fdt_reservation(const struct fdt *fdt, uint32_t index, struct fdt_range *out)
{
    const uint8_t *at = fdt->data + fdt->reservations;

    for (uint32_t i = 0;; i++, at += FDT_RESERVATION_SIZE) {
        *out = (struct fdt_range){read64(at), read64(at + 8)};
        if (out->base == 0 && out->size_bytes == 0)
            return false;
        if (i == index)
            return true;
    }
}

// --- walking
// ----------------------------------------------------------------------------------------------

// The first token behind NOPs; the tree was checked.
static struct token token_at(const struct fdt *fdt, uint32_t offset, uint32_t *found)
{
    struct token token = {0};

    while (read_token(fdt, offset, &token) && token.kind == TOKEN_NOP)
        offset = token.next;
    *found = offset;
    return token;
}

void fdt_start(const struct fdt *fdt, struct fdt_cursor *cursor)
{
    *cursor = (struct fdt_cursor){0};
    (void)token_at(fdt, fdt->structure, &cursor->nodes[0]);
}

bool fdt_next(const struct fdt *fdt, struct fdt_cursor *cursor)
{
    uint32_t offset = cursor->nodes[cursor->depth], depth = cursor->depth;
    struct token token = token_at(fdt, offset, &offset);

    for (;;) {
        token = token_at(fdt, token.next, &offset);
        if (token.kind == TOKEN_BEGIN_NODE) {
            cursor->depth = depth + 1;
            cursor->nodes[cursor->depth] = offset;
            return true;
        }
        if (token.kind == TOKEN_PROPERTY)
            continue;
        if (token.kind != TOKEN_END_NODE || depth == 0)
            return false;
        depth--;
    }
}

// Whether a node's name is the part of a path.
static bool name_fits(const char *name, const char *part, size_t part_bytes)
{
    const char *unit = strchr(part, '@');
    bool has_unit = unit && (size_t)(unit - part) < part_bytes;

    if (strncmp(name, part, part_bytes) != 0)
        return false;
    return name[part_bytes] == '\0' || (name[part_bytes] == '@' && !has_unit);
}

static size_t part_length(const char *path)
{
    size_t length = 0;

    while (path[length] != '\0' && path[length] != '/' && path[length] != ':')
        length++;
    return length;
}

bool fdt_find(const struct fdt *fdt, const char *path, struct fdt_cursor *cursor)
{
    uint32_t wanted_depth = 1;

    fdt_start(fdt, cursor);
    if (*path++ != '/')
        return false;
    while (part_length(path) != 0) {
        size_t length = part_length(path);

        // Children of the node found so far come before anything that is not deeper than it.
        do {
            if (!fdt_next(fdt, cursor) || cursor->depth < wanted_depth)
                return false;
        } while (cursor->depth != wanted_depth || !name_fits(fdt_name(fdt, cursor), path, length));
        path += length;
        path += *path == '/';
        wanted_depth++;
    }
    return true;
}

const char *fdt_name(const struct fdt *fdt, const struct fdt_cursor *cursor)
{
    return (const char *)fdt->data + cursor->nodes[cursor->depth] + TOKEN_BYTES;
}

// --- properties
// -------------------------------------------------------------------------------------------

static bool get_of(const struct fdt *fdt, uint32_t node, const char *name, struct fdt_property *out)
{
    struct token token = token_at(fdt, node, &node);

    for (token = token_at(fdt, token.next, &node); token.kind == TOKEN_PROPERTY;
         token = token_at(fdt, token.next, &node)) {
        if (strcmp(token.name, name) == 0) {
            *out = token.property;
            return true;
        }
    }
    return false;
}

bool fdt_cell(const struct fdt_property *property, uint32_t index, uint32_t *out)
{
    if (index >= property->size_bytes / TOKEN_BYTES)
        return false;
    *out = read32(property->data + (size_t)index * TOKEN_BYTES);
    return true;
}

static bool get_u32_of(const struct fdt *fdt, uint32_t node, const char *name, uint32_t *out)
{
    struct fdt_property property;

    return get_of(fdt, node, name, &property) && property.size_bytes == TOKEN_BYTES &&
           fdt_cell(&property, 0, out);
}

bool fdt_get(const struct fdt *fdt, const struct fdt_cursor *cursor, const char *name,
             struct fdt_property *out)
{
    return get_of(fdt, cursor->nodes[cursor->depth], name, out);
}

bool fdt_get_u32(const struct fdt *fdt, const struct fdt_cursor *cursor, const char *name,
                 uint32_t *out)
{
    return get_u32_of(fdt, cursor->nodes[cursor->depth], name, out);
}

const char *fdt_get_text(const struct fdt *fdt, const struct fdt_cursor *cursor, const char *name)
{
    struct fdt_property property;

    if (!fdt_get(fdt, cursor, name, &property) || property.size_bytes == 0 ||
        property.data[property.size_bytes - 1] != '\0')
        return NULL;
    return (const char *)property.data;
}

bool fdt_get_number(const struct fdt *fdt, const struct fdt_cursor *cursor, const char *name,
                    uint64_t *out)
{
    struct fdt_property property;

    if (!fdt_get(fdt, cursor, name, &property))
        return false;
    if (property.size_bytes == TOKEN_BYTES)
        *out = read32(property.data);
    else if (property.size_bytes == 2 * TOKEN_BYTES)
        *out = read64(property.data);
    else
        return false;
    return true;
}

bool fdt_is_compatible(const struct fdt *fdt, const struct fdt_cursor *cursor, const char *with)
{
    struct fdt_property property;
    const char *text;
    size_t left;

    if (!fdt_get(fdt, cursor, "compatible", &property))
        return false;
    text = (const char *)property.data;
    for (left = property.size_bytes; left != 0;) {
        size_t length = strnlen(text, left);

        if (length == left)
            return false;
        if (strcmp(text, with) == 0)
            return true;
        text += length + 1;
        left -= length + 1;
    }
    return false;
}

bool fdt_is_enabled(const struct fdt *fdt, const struct fdt_cursor *cursor)
{
    struct fdt_property property;
    const char *status = fdt_get_text(fdt, cursor, "status");

    if (!status)
        return !fdt_get(fdt, cursor, "status", &property);
    return strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0;
}

bool fdt_interrupt_parent(const struct fdt *fdt, const struct fdt_cursor *cursor, uint32_t *phandle)
{
    for (uint32_t depth = cursor->depth + 1; depth-- > 0;) {
        if (get_u32_of(fdt, cursor->nodes[depth], "interrupt-parent", phandle))
            return true;
    }
    return false;
}

// --- addresses
// --------------------------------------------------------------------------------------------

struct cells {
    uint32_t address, size;
};

// How the children of a node have their addresses. False: in more cells than two.
static bool cells_of(const struct fdt *fdt, uint32_t node, struct cells *out)
{
    *out = (struct cells){ADDRESS_CELLS_DEFAULT, SIZE_CELLS_DEFAULT};
    (void)get_u32_of(fdt, node, "#address-cells", &out->address);
    (void)get_u32_of(fdt, node, "#size-cells", &out->size);
    return out->address >= 1 && out->address <= 2 && out->size <= 2;
}

// A number of up to two cells at `index`, which moves on.
static bool take_number(const struct fdt_property *property, uint32_t *index, uint32_t count,
                        uint64_t *out)
{
    uint32_t cell;

    *out = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!fdt_cell(property, (*index)++, &cell))
            return false;
        *out = *out << 32 | cell;
    }
    return true;
}

// From the addresses of the children of `bus` to those of its own parent ("ranges", section 2.3.8).
static bool translate(const struct fdt *fdt, uint32_t bus, uint32_t parent, struct fdt_range *range)
{
    struct fdt_property ranges;
    struct cells inner, outer;
    uint64_t child, address, size;
    uint32_t index = 0;

    if (!get_of(fdt, bus, "ranges", &ranges) || !cells_of(fdt, bus, &inner) ||
        !cells_of(fdt, parent, &outer))
        return false;
    if (ranges.size_bytes == 0)
        return true;
    while (take_number(&ranges, &index, inner.address, &child) &&
           take_number(&ranges, &index, outer.address, &address) &&
           take_number(&ranges, &index, inner.size, &size)) {
        if (range->base >= child && is_within(range->base - child, range->size_bytes, size)) {
            range->base += address - child;
            return true;
        }
    }
    return false;
}

// Up from the addresses of the children of the node at `depth` of the cursor's way to the root's.
static bool translate_to_root(const struct fdt *fdt, const struct fdt_cursor *cursor,
                              uint32_t depth, struct fdt_range *range)
{
    for (; depth > 0; depth--) {
        if (!translate(fdt, cursor->nodes[depth], cursor->nodes[depth - 1], range))
            return false;
    }
    return range->size_bytes <= UINT64_MAX - range->base;
}

bool fdt_get_pci_range(const struct fdt *fdt, const struct fdt_cursor *cursor, uint32_t index,
                       struct fdt_pci_range *out)
{
    struct fdt_property ranges;
    struct fdt_range range;
    struct cells cells;
    uint32_t at, space, address_cells = 0, size_cells = 0;

    (void)fdt_get_u32(fdt, cursor, "#address-cells", &address_cells);
    (void)fdt_get_u32(fdt, cursor, "#size-cells", &size_cells);
    if (cursor->depth == 0 || !fdt_get(fdt, cursor, "ranges", &ranges) ||
        address_cells != PCI_ADDRESS_CELLS || size_cells != PCI_SIZE_CELLS ||
        !cells_of(fdt, cursor->nodes[cursor->depth - 1], &cells) ||
        index > ranges.size_bytes / TOKEN_BYTES)
        return false;
    at = index * (PCI_ADDRESS_CELLS + cells.address + PCI_SIZE_CELLS);
    if (!fdt_cell(&ranges, at++, &space) || !take_number(&ranges, &at, 2, &out->bus_base) ||
        !take_number(&ranges, &at, cells.address, &range.base) ||
        !take_number(&ranges, &at, PCI_SIZE_CELLS, &range.size_bytes) ||
        !translate_to_root(fdt, cursor, cursor->depth - 1, &range))
        return false;
    out->space = space >> PCI_SPACE_SHIFT & PCI_SPACE_MASK;
    out->base = range.base;
    out->size_bytes = range.size_bytes;
    return out->size_bytes <= UINT64_MAX - out->bus_base;
}

bool fdt_get_reg(const struct fdt *fdt, const struct fdt_cursor *cursor, uint32_t index,
                 struct fdt_range *out)
{
    struct fdt_property reg;
    struct cells cells;
    uint32_t at;

    if (cursor->depth == 0 || !fdt_get(fdt, cursor, "reg", &reg) ||
        !cells_of(fdt, cursor->nodes[cursor->depth - 1], &cells) ||
        index > reg.size_bytes / TOKEN_BYTES)
        return false;
    at = index * (cells.address + cells.size);
    if (!take_number(&reg, &at, cells.address, &out->base) ||
        !take_number(&reg, &at, cells.size, &out->size_bytes))
        return false;
    return translate_to_root(fdt, cursor, cursor->depth - 1, out);
}
