// What comes after an EFI application that gives firmware a fault.
#pragma once

#include <efi.h>

// Starts loader.efi, which lies beside the application.
EFI_STATUS chain_loader(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);
