// UEFI's tables; see efi_tables.h.
#include "kernel/lib/efi_tables.h"

#include <stddef.h>
#include <string.h>

// EFI_TABLE_HEADER: u64 signature, u32 revision, u32 size, u32 CRC, u32 reserved.
#define HEADER_SIGNATURE 0
#define HEADER_SIZE      12

#define SYSTEM_TABLE_SIGNATURE     "IBI SYST"
#define SYSTEM_TABLE_RUNTIME       88
#define RUNTIME_SERVICES_SIGNATURE "RUNTSERV"
#define RUNTIME_SERVICES_RESET     104

static uint64_t get_u64(const uint8_t *bytes)
{
    uint64_t value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

static bool has_header(const uint8_t *table, const char *signature, uint32_t size_bytes)
{
    uint32_t size;

    memcpy(&size, table + HEADER_SIZE, sizeof(size));
    return memcmp(table + HEADER_SIGNATURE, signature, 8) == 0 && size >= size_bytes;
}

const char *efi_read_system_table(const uint8_t table[EFI_SYSTEM_TABLE_BYTES],
                                  uint64_t *runtime_services)
{
    if (!has_header(table, SYSTEM_TABLE_SIGNATURE, EFI_SYSTEM_TABLE_BYTES))
        return "there is no EFI system table where the boot loader says";
    *runtime_services = get_u64(table + SYSTEM_TABLE_RUNTIME);
    return NULL;
}

const char *efi_read_runtime_services(const uint8_t table[EFI_RUNTIME_SERVICES_BYTES],
                                      uint64_t *reset_system)
{
    if (!has_header(table, RUNTIME_SERVICES_SIGNATURE, EFI_RUNTIME_SERVICES_BYTES))
        return "there is no table of run-time services where the EFI system table says";
    *reset_system = get_u64(table + RUNTIME_SERVICES_RESET);
    return NULL;
}
