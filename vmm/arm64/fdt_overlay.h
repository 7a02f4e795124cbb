// Applies a device tree overlay (dtc -@, .dtbo) of a package to the machine's tree.
//
// An overlay is a tree whose children are fragments: each names a target, by phandle or by path,
// and has a node
// __overlay__ whose properties and children are merged into it. Its phandles move behind those of
// the machine's tree
// (__local_fixups__ lists where they are used), and __fixups__ lists where the phandles of the
// machine's labels belong, which __symbols__ of the machine's tree names. Linux,
// Documentation/devicetree/dynamic-resolution-notes.rst and overlay-notes.rst.
#pragma once

#include <stddef.h>
#include <machina/status.h>

#define FDT_OVERLAY_BYTES_MAX (256u << 10)

// Merges `overlay` into `base`, a tree of our own, and puts the result into `output`. On failure
// `reason` holds one line: IO_DATA_INTEGRITY, NOT_SUPPORTED, NO_RESOURCES: the overlay is no tree
// or has too much in it; INVALID_ARGS: it is none that fits this machine; FILE_TOO_BIG: more than
// FDT_OVERLAY_BYTES_MAX; BUFFER_TOO_SMALL: the result does not fit; NO_MEMORY. Both blobs are
// changed and of no use afterwards.
MX_MUST_CHECK mx_status_t fdt_overlay_apply(void *base, size_t base_bytes, void *overlay,
                                            size_t overlay_bytes, void *output, size_t capacity,
                                            size_t *output_bytes, char *reason,
                                            size_t reason_bytes);
