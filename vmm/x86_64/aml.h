// Writes ACPI machine language: just the terms that a table of static devices needs.
//
// Everything is appended to a byte buffer; running out of room sets a flag that aml_is_complete
// reports once at the end, so that the callers need no check in between. Terms with a length are
// opened and closed like brackets; the length is patched in when they close.
//
// Spec: ACPI 6.4, section 20.2 "AML Grammar Definition" and 6.4 "Resource Data Types for ACPI".
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
    uint8_t *bytes;
    size_t capacity;
    size_t size;
    bool is_overflown;
};

// An open bracket: where its length belongs.
struct aml_mark {
    size_t length_at;
    size_t size_at; // of a resource buffer's BufferSize
};

void aml_init(struct aml *aml, uint8_t *bytes, size_t capacity);

// False when something did not fit.
bool aml_is_complete(const struct aml *aml);

void aml_put_number(struct aml *aml, uint64_t value, unsigned size_bytes);
void aml_put_bytes(struct aml *aml, const void *bytes, size_t size_bytes);

// A name of one to four characters ("_SB", "C001"), padded with underscores; `root` puts it at the
// root.
void aml_put_name(struct aml *aml, const char *name, bool root);

// The shortest encoding of an integer constant.
void aml_put_integer(struct aml *aml, uint64_t value);

// An EISA identifier such as "PNP0A08" as the integer that _HID and _CID hold.
void aml_put_eisa_id(struct aml *aml, const char *id);
void aml_put_string(struct aml *aml, const char *text);

struct aml_mark aml_open_scope(struct aml *aml, const char *root_name);
struct aml_mark aml_open_device(struct aml *aml, const char *name);
struct aml_mark aml_open_package(struct aml *aml, unsigned element_count);
void aml_close(struct aml *aml, struct aml_mark mark);

// Name (name, <what follows>).
void aml_put_named(struct aml *aml, const char *name);
void aml_put_named_integer(struct aml *aml, const char *name, uint64_t value);

// Name (name, ResourceTemplate () { ... }); closed by aml_close_resources.
struct aml_mark aml_open_resources(struct aml *aml, const char *name);
void aml_close_resources(struct aml *aml, struct aml_mark mark);

// Resource descriptors. Windows are what a bridge passes to its bus; the others are what a device
// decodes.
void aml_put_bus_window(struct aml *aml, uint16_t first, uint16_t last);
void aml_put_io_window(struct aml *aml, uint16_t first, uint16_t last);
void aml_put_memory32_window(struct aml *aml, uint32_t first, uint32_t last);
void aml_put_memory64_window(struct aml *aml, uint64_t first, uint64_t last);
void aml_put_io(struct aml *aml, uint16_t first, uint8_t port_count);
void aml_put_memory32(struct aml *aml, uint32_t first, uint32_t size_bytes);
void aml_put_isa_irq(struct aml *aml, unsigned irq); // 0 to 15, edge-triggered
