// Files of the disk that the loader was started from (UEFI Specification 2.10, sections 13.4
// "Simple File System Protocol", 13.5 "File Protocol"): in the folder of the loader, or in the
// root.
#include "boot/efi/source.h"

#include "boot/efi/console.h"
#include "kernel/lib/string.h"

#define NAME_CHARS  160
#define CHUNK_BYTES ((UINTN)4 << 20)
#define INFO_BYTES  1024

// Where images are looked for, the first that has them.
static const char *const folders[] = {"/EFI/BOOT/", "/"};

static EFI_FILE_HANDLE volume;

static EFI_STATUS open_file(const char *name, EFI_FILE_HANDLE *file)
{
    EFI_STATUS status = EFI_NOT_FOUND;
    char path[NAME_CHARS];
    CHAR16 wide[NAME_CHARS];

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && status == EFI_NOT_FOUND; i++) {
        size_t length = strlen(folders[i]);
        if (strnlen(name, NAME_CHARS) + length >= NAME_CHARS)
            return EFI_NOT_FOUND;
        memcpy(path, folders[i], length);
        memcpy(path + length, name, strlen(name) + 1);
        if (!efi_name(name[0] == '/' ? name : path, wide, NAME_CHARS))
            return EFI_NOT_FOUND;
        status = volume->Open(volume, file, wide, EFI_FILE_MODE_READ, 0);
    }
    return status;
}

static EFI_STATUS disk_size(const char *name, uint64_t *size_bytes)
{
    static uint8_t buffer[INFO_BYTES] __attribute__((aligned(8)));
    EFI_FILE_INFO *info = (EFI_FILE_INFO *)buffer;
    EFI_GUID guid = EFI_FILE_INFO_ID;
    UINTN info_bytes = sizeof(buffer);
    EFI_FILE_HANDLE file;
    EFI_STATUS status = open_file(name, &file);

    if (status != EFI_SUCCESS)
        return status;
    status = file->GetInfo(file, &guid, &info_bytes, buffer);
    if (status == EFI_SUCCESS && (info->Attribute & EFI_FILE_DIRECTORY))
        status = EFI_NOT_FOUND;
    *size_bytes = info->FileSize;
    file->Close(file);
    return status;
}

static EFI_STATUS disk_read(const char *name, void *buffer, uint64_t size_bytes)
{
    EFI_FILE_HANDLE file;
    EFI_STATUS status = open_file(name, &file);
    uint64_t done = 0;

    if (status != EFI_SUCCESS)
        return status;
    while (status == EFI_SUCCESS && done < size_bytes) {
        UINTN chunk = size_bytes - done < CHUNK_BYTES ? (UINTN)(size_bytes - done) : CHUNK_BYTES;
        source_show_progress(done, size_bytes);
        status = file->Read(file, &chunk, (uint8_t *)buffer + done);
        if (status == EFI_SUCCESS && chunk == 0)
            status = EFI_DEVICE_ERROR; // it became shorter
        done += chunk;
    }
    if (status == EFI_SUCCESS)
        source_show_progress(size_bytes, size_bytes);
    console_say("\n");
    file->Close(file);
    return status;
}

static bool is_image_name(const CHAR16 *name, char *out)
{
    size_t length = 0;

    for (; name[length] != 0 && length + 1 < MENU_NAME_BYTES; length++) {
        if (name[length] < 0x21 || name[length] > 0x7e)
            return false;
        out[length] = (char)name[length];
    }
    out[length] = '\0';
    return name[length] == 0 && length > 4 &&
           (strcmp(out + length - 4, ".zbi") == 0 || strcmp(out + length - 4, ".ZBI") == 0);
}

static void list_folder(EFI_FILE_HANDLE folder, struct menu *menu)
{
    static uint8_t buffer[INFO_BYTES] __attribute__((aligned(8)));
    const EFI_FILE_INFO *info = (const EFI_FILE_INFO *)buffer;
    UINTN info_bytes = sizeof(buffer);
    char name[MENU_NAME_BYTES];

    // A damaged folder may have no end.
    for (unsigned i = 0; i < 4096; i++, info_bytes = sizeof(buffer)) {
        if (folder->Read(folder, &info_bytes, buffer) != EFI_SUCCESS || info_bytes == 0)
            return;
        if (!(info->Attribute & EFI_FILE_DIRECTORY) && is_image_name(info->FileName, name))
            (void)menu_add_image(menu, name);
    }
}

static void disk_list(struct menu *menu)
{
    EFI_FILE_HANDLE folder;
    CHAR16 wide[NAME_CHARS];

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        if (!efi_name(folders[i], wide, NAME_CHARS) ||
            volume->Open(volume, &folder, wide, EFI_FILE_MODE_READ, 0) != EFI_SUCCESS)
            continue;
        list_folder(folder, menu);
        folder->Close(folder);
    }
}

static const struct source_ops disk_ops = {disk_size, disk_read, disk_list};

bool source_find_disk(EFI_HANDLE device, struct source *source)
{
    static const EFI_GUID file_system = SIMPLE_FILE_SYSTEM_PROTOCOL;
    EFI_FILE_IO_INTERFACE *interface = efi_protocol(device, &file_system);

    if (!interface || interface->OpenVolume(interface, &volume) != EFI_SUCCESS)
        return false;
    *source = (struct source){&disk_ops, "the disk"};
    return true;
}
