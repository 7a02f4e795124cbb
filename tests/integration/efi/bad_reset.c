// Firmware with a fault, for test_uefi.py: an EFI application that puts a ResetSystem of its own
// into the run-time services and goes on with the boot loader, loader.efi beside it. That service
// returns an error when it shall restart the machine, and faults when it shall switch it off.
#include <efi.h>

// In bad_reset_code.S of the architecture; less than a page, wherever it lies.
extern const char bad_reset_code[], bad_reset_code_end[];
void forget_instructions(void);

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

static EFI_SYSTEM_TABLE *system_table;

static void *protocol(EFI_HANDLE handle, EFI_GUID guid)
{
    void *interface = NULL;

    if (system_table->BootServices->HandleProtocol(handle, &guid, &interface) != EFI_SUCCESS)
        return NULL;
    return interface;
}

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

static EFI_STATUS read_loader(EFI_HANDLE device, void **data, UINTN *size_bytes)
{
    static CHAR16 name[] = L"\\EFI\\BOOT\\loader.efi";
    EFI_GUID guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
    EFI_FILE_IO_INTERFACE *disk = protocol(device, guid);
    EFI_FILE_HANDLE root, file;
    EFI_STATUS status = disk ? disk->OpenVolume(disk, &root) : EFI_NOT_FOUND;

    if (status == EFI_SUCCESS)
        status = root->Open(root, &file, name, EFI_FILE_MODE_READ, 0);
    *size_bytes = (UINTN)4 << 20;
    if (status == EFI_SUCCESS)
        status = system_table->BootServices->AllocatePool(EfiLoaderData, *size_bytes, data);
    if (status == EFI_SUCCESS)
        status = file->Read(file, size_bytes, *data);
    return status;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
    EFI_GUID guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
    EFI_LOADED_IMAGE *own, *next;
    EFI_HANDLE loader = NULL;
    UINTN size_bytes;
    void *data;

    system_table = table;
    own = protocol(image, guid);
    EFI_STATUS status = replace_reset();
    if (status == EFI_SUCCESS)
        status = read_loader(own->DeviceHandle, &data, &size_bytes);
    if (status == EFI_SUCCESS)
        status = table->BootServices->LoadImage(FALSE, image, NULL, data, size_bytes, &loader);
    if (status != EFI_SUCCESS)
        return status;
    next = protocol(loader, guid);
    next->DeviceHandle = own->DeviceHandle;
    return table->BootServices->StartImage(loader, NULL, NULL);
}
