// See chain.h.
#include "tests/integration/efi/chain.h"

static void *protocol(EFI_SYSTEM_TABLE *table, EFI_HANDLE handle, EFI_GUID guid)
{
    void *interface = NULL;

    if (table->BootServices->HandleProtocol(handle, &guid, &interface) != EFI_SUCCESS)
        return NULL;
    return interface;
}

EFI_STATUS chain_read(EFI_HANDLE image, EFI_SYSTEM_TABLE *table, CHAR16 *name, void **data,
                      UINTN *size_bytes)
{
    EFI_GUID image_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
    EFI_GUID guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
    EFI_LOADED_IMAGE *own = protocol(table, image, image_guid);
    EFI_FILE_IO_INTERFACE *disk = protocol(table, own->DeviceHandle, guid);
    EFI_FILE_HANDLE root, file;
    EFI_STATUS status = disk ? disk->OpenVolume(disk, &root) : EFI_NOT_FOUND;

    if (status == EFI_SUCCESS)
        status = root->Open(root, &file, name, EFI_FILE_MODE_READ, 0);
    *size_bytes = (UINTN)4 << 20;
    if (status == EFI_SUCCESS)
        status = table->BootServices->AllocatePool(EfiLoaderData, *size_bytes, data);
    if (status == EFI_SUCCESS)
        status = file->Read(file, size_bytes, *data);
    return status;
}

EFI_STATUS chain_loader(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
    static CHAR16 name[] = L"\\EFI\\BOOT\\loader.efi";
    EFI_GUID guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
    EFI_LOADED_IMAGE *own = protocol(table, image, guid), *next;
    EFI_HANDLE loader = NULL;
    UINTN size_bytes;
    void *data;

    EFI_STATUS status = chain_read(image, table, name, &data, &size_bytes);
    if (status == EFI_SUCCESS)
        status = table->BootServices->LoadImage(FALSE, image, NULL, data, size_bytes, &loader);
    if (status != EFI_SUCCESS)
        return status;
    next = protocol(table, loader, guid);
    next->DeviceHandle = own->DeviceHandle;
    return table->BootServices->StartImage(loader, NULL, NULL);
}
