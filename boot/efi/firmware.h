// The firmware that the loader runs on (UEFI Specification 2.10), and what all of the loader's
// files use of it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <efi.h>

extern EFI_HANDLE efi_image;
extern EFI_SYSTEM_TABLE *efi_table;
extern EFI_BOOT_SERVICES *efi_boot;

// The interface of a protocol on a handle, or NULL.
void *efi_protocol(EFI_HANDLE handle, const EFI_GUID *guid);
// A configuration table's address, or NULL.
void *efi_config_table(const EFI_GUID *guid);
// For people.
const char *efi_status_text(EFI_STATUS status);

// A file name in the firmware's characters; false: too long, or not ASCII.
bool efi_name(const char *text, CHAR16 *out, size_t capacity);
