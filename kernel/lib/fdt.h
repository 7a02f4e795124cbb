// Reads a flattened device tree (Devicetree Specification 0.4, chapter 5 "Flattened Devicetree
// (DTB) Format", chapter 2 for the standard properties).
//
// fdt_open checks every token, name and property of the tree once, so that all other functions walk
// it without surprises. Their work is bounded by its size. A cursor stands on a node and knows the
// way to it from the root, since addresses and interrupts mean something only by what the parents
// say.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#define FDT_SIZE_MAX \
    ((size_t)2 << 20) // Linux Documentation/arm64/booting.rst, "Setup the device tree"
#define FDT_HEADER_BYTES 40
#define FDT_DEPTH_MAX    16

struct fdt {
    const uint8_t *data;
    uint32_t size_bytes;
    uint32_t structure, structure_end; // offsets in data
    uint32_t strings, strings_end;
    uint32_t reservations; // checked to end in time
};

struct fdt_cursor {
    uint32_t depth;                // of the node; the root has 0
    uint32_t nodes[FDT_DEPTH_MAX]; // offsets of the root, ..., the node itself
};

struct fdt_property {
    const uint8_t *data; // not aligned
    uint32_t size_bytes;
};

struct fdt_range {
    uint64_t base, size_bytes;
};

// The size that the header claims, before all of it is mapped; 0 if this is no device tree.
// `header` has FDT_HEADER_BYTES.
uint32_t fdt_total_size(const void *header);

// `data` stays the caller's and must not change. IO_DATA_INTEGRITY, and *reason says what is wrong.
MX_MUST_CHECK mx_status_t fdt_open(struct fdt *fdt, const void *data, size_t size_bytes,
                                   const char **reason);

// Puts the cursor on the root.
void fdt_start(const struct fdt *fdt, struct fdt_cursor *cursor);
// Goes on to the next node in the order of the file, children first. False: that was the last.
bool fdt_next(const struct fdt *fdt, struct fdt_cursor *cursor);
// Finds a node by its path ("/chosen", "/soc/serial@9000000"); a part without a unit address fits
// any. What follows a colon in the path (options of stdout-path) is left out.
bool fdt_find(const struct fdt *fdt, const char *path, struct fdt_cursor *cursor);

// "name@unit-address"; the root's is empty.
const char *fdt_name(const struct fdt *fdt, const struct fdt_cursor *cursor);

bool fdt_get(const struct fdt *fdt, const struct fdt_cursor *cursor, const char *name,
             struct fdt_property *out);
// False also if the property has not exactly one cell, or for text, does not end in NUL.
bool fdt_get_u32(const struct fdt *fdt, const struct fdt_cursor *cursor, const char *name,
                 uint32_t *out);
const char *fdt_get_text(const struct fdt *fdt, const struct fdt_cursor *cursor,
                         const char *name); // NULL
// One or two cells, as linux,initrd-start has them.
bool fdt_get_number(const struct fdt *fdt, const struct fdt_cursor *cursor, const char *name,
                    uint64_t *out);
// Cell `index` of a property; false beyond its end.
bool fdt_cell(const struct fdt_property *property, uint32_t index, uint32_t *out);

bool fdt_is_compatible(const struct fdt *fdt, const struct fdt_cursor *cursor, const char *with);
// No status property, or one that says so.
bool fdt_is_enabled(const struct fdt *fdt, const struct fdt_cursor *cursor);
// Entry `index` of "reg", translated to the root's addresses by the "ranges" on the way. False:
// there is none, or it cannot be reached from the root.
bool fdt_get_reg(const struct fdt *fdt, const struct fdt_cursor *cursor, uint32_t index,
                 struct fdt_range *out);
// Entry `index` of the "ranges" of a PCI host bridge (IEEE 1275, PCI Bus Binding 2.1,
// section 2.2.1.1), its address translated to the root's.
struct fdt_pci_range {
    uint32_t space; // FDT_PCI_SPACE_*
    uint64_t bus_base, base, size_bytes;
};
#define FDT_PCI_SPACE_CONFIG   0
#define FDT_PCI_SPACE_IO       1
#define FDT_PCI_SPACE_MEMORY32 2
#define FDT_PCI_SPACE_MEMORY64 3
// False: there is none, or it cannot be reached from the root.
bool fdt_get_pci_range(const struct fdt *fdt, const struct fdt_cursor *cursor, uint32_t index,
                       struct fdt_pci_range *out);
// The phandle of the interrupt controller that the node's "interrupts" belong to.
bool fdt_interrupt_parent(const struct fdt *fdt, const struct fdt_cursor *cursor,
                          uint32_t *phandle);

// Entry `index` of the memory reservation block. False: there are no more.
bool fdt_reservation(const struct fdt *fdt, uint32_t index, struct fdt_range *out);
