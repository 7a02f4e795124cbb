// What comes after an EFI application that gives firmware a fault.
#pragma once

#include <efi.h>

// Reads a file of the application's disk, of 4 MiB at most, into the pool.
EFI_STATUS chain_read(EFI_HANDLE image, EFI_SYSTEM_TABLE *table, CHAR16 *name, void **data,
                      UINTN *size_bytes);
// Starts loader.efi, which lies beside the application.
EFI_STATUS chain_loader(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);
