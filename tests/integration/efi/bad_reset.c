// Firmware with a fault, for test_uefi.py: an EFI application that puts a ResetSystem of its own
// into the run-time services and goes on with the boot loader, loader.efi beside it. That service
// returns an error when it shall restart the machine, and faults when it shall switch it off.
#include "tests/integration/efi/chain.h"

// In bad_reset_code.S of the architecture; less than a page, wherever it lies.
extern const char bad_reset_code[], bad_reset_code_end[];
void forget_instructions(void);

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

static EFI_SYSTEM_TABLE *system_table;

static EFI_STATUS replace_reset(void)
{
    EFI_PHYSICAL_ADDRESS page = 0;
    EFI_STATUS status = system_table->BootServices->AllocatePages(AllocateAnyPages,
                                                                  EfiRuntimeServicesCode, 1, &page);

    if (status != EFI_SUCCESS)
        return status;
    for (const char *from = bad_reset_code; from < bad_reset_code_end; from++)
        ((char *)page)[from - bad_reset_code] = *from;
    forget_instructions();
    system_table->RuntimeServices->ResetSystem = (EFI_RESET_SYSTEM)page;
    return EFI_SUCCESS;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
    system_table = table;
    EFI_STATUS status = replace_reset();
    return status == EFI_SUCCESS ? chain_loader(image, table) : status;
}
