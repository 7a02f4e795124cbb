// UEFI's tables with anything in them: no read beyond them, and an address or a reason.
#include "kernel/lib/efi_tables.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const uint8_t *data, size_t size, size_t table_bytes, const char *signature,
                  const char *(*read)(const uint8_t *table, uint64_t *address))
{
    uint8_t *table =
        calloc(1, table_bytes); // a block of its own size, so that a read beyond is seen
    uint64_t address = 0;

    memcpy(table, data, size < table_bytes ? size : table_bytes);
    const char *reason = read(table, &address);
    if (!reason && memcmp(table, signature, 8) != 0)
        abort();
    if (reason && address != 0)
        abort();
    free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(data, size, EFI_SYSTEM_TABLE_BYTES, "IBI SYST", efi_read_system_table);
    check(data, size, EFI_RUNTIME_SERVICES_BYTES, "RUNTSERV", efi_read_runtime_services);
    return 0;
}
