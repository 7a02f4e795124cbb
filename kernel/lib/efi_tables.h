// Finds a run-time service in what UEFI firmware left in memory (UEFI Specification 2.10, 4.2 "EFI
// Table Header", 4.3 "EFI System Table", 4.5 "EFI Runtime Services Table").
//
// The CRCs are not checked: firmware changes its tables at the end of its boot services, and some
// forgets them. What the caller goes by is that tables and function lie in the memory that the
// memory map gives to run-time services.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define EFI_SYSTEM_TABLE_BYTES     120
#define EFI_RUNTIME_SERVICES_BYTES 136

// Each takes so many bytes of a table and gives the address that it has. Returns NULL, or what is
// wrong, for people.
const char *efi_read_system_table(const uint8_t table[EFI_SYSTEM_TABLE_BYTES],
                                  uint64_t *runtime_services);
const char *efi_read_runtime_services(const uint8_t table[EFI_RUNTIME_SERVICES_BYTES],
                                      uint64_t *reset_system);
