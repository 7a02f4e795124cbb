// Small questions to the firmware; see firmware.h.
#include "boot/efi/firmware.h"

#include "kernel/lib/string.h"

EFI_HANDLE efi_image;
EFI_SYSTEM_TABLE *efi_table;
EFI_BOOT_SERVICES *efi_boot;

void *efi_protocol(EFI_HANDLE handle, const EFI_GUID *guid)
{
    EFI_GUID copy = *guid;
    void *interface = NULL;

    if (efi_boot->HandleProtocol(handle, &copy, &interface) != EFI_SUCCESS)
        return NULL;
    return interface;
}

void *efi_config_table(const EFI_GUID *guid)
{
    for (UINTN i = 0; i < efi_table->NumberOfTableEntries; i++) {
        const EFI_CONFIGURATION_TABLE *table = &efi_table->ConfigurationTable[i];
        if (memcmp(&table->VendorGuid, guid, sizeof(*guid)) == 0)
            return table->VendorTable;
    }
    return NULL;
}

const char *efi_status_text(EFI_STATUS status)
{
    static const struct {
        EFI_STATUS status;
        const char *text;
    } texts[] = {
        {EFI_NOT_FOUND, "there is no such file"},
        {EFI_OUT_OF_RESOURCES, "there is not enough memory"},
        {EFI_DEVICE_ERROR, "the device reports an error"},
        {EFI_NO_MEDIA, "there is no medium in the drive"},
        {EFI_MEDIA_CHANGED, "the medium was changed"},
        {EFI_VOLUME_CORRUPTED, "the file system is damaged"},
        {EFI_ACCESS_DENIED, "access is denied"},
        {EFI_TIMEOUT, "the server does not answer"},
        {EFI_TFTP_ERROR, "the server refuses the file"},
        {EFI_ICMP_ERROR, "the server cannot be reached"},
        {EFI_PROTOCOL_ERROR, "the server breaks the protocol"},
        {EFI_BUFFER_TOO_SMALL, "more comes than was announced"},
        {EFI_INCOMPATIBLE_VERSION, "the server does not tell the file's size (TFTP option tsize)"},
        {EFI_ABORTED, "it was given up"},
        {EFI_NO_MAPPING, "there is no address for this computer yet"},
        {EFI_NOT_STARTED, "the network is not started"},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].status == status)
            return texts[i].text;
    }
    return "the firmware reports an error";
}

bool efi_name(const char *text, CHAR16 *out, size_t capacity)
{
    size_t i = 0;

    for (; text[i] != '\0'; i++) {
        if (i + 1 >= capacity || (unsigned char)text[i] >= 0x80)
            return false;
        out[i] = text[i] == '/' ? '\\' : (CHAR16)text[i];
    }
    out[i] = 0;
    return true;
}
