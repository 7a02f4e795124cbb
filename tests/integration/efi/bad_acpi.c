// Firmware with a fault, for test_acpi.py: an EFI application // Firmware with a fault, for
// test_acpi.py: an EFI application that changes the ACPI tables, or adds the device tree that lies
// beside it, and goes on with the boot loader, loader.efi beside it. Which fault: the digit in its
// image, which the test replaces.
#include "tests/integration/efi/chain.h"

#define RSDP_XSDT  24
#define HEADER     36
#define LENGTH     4
#define CHECKSUM   9
#define MADT_FIRST 44
#define MADT_CPU   0x0b
#define CPU_MPIDR  68
#define MCFG_BASE  44

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

static const volatile char fault[] = "FAULT=0";

static const EFI_GUID acpi_guids[] = {ACPI_20_TABLE_GUID, ACPI_TABLE_GUID};

static BOOLEAN is_same(const void *a, const void *b, UINTN size)
{
    for (UINTN i = 0; i < size; i++) {
        if (((const UINT8 *)a)[i] != ((const UINT8 *)b)[i])
            return FALSE;
    }
    return TRUE;
}

static UINT64 get(const UINT8 *at, UINTN size)
{
    UINT64 value = 0;

    for (UINTN i = 0; i < size; i++)
        value |= (UINT64)at[i] << (8 * i);
    return value;
}

static UINT8 *find_rsdp(EFI_SYSTEM_TABLE *table)
{
    for (UINTN i = 0; i < table->NumberOfTableEntries; i++) {
        if (is_same(&table->ConfigurationTable[i].VendorGuid, &acpi_guids[0], sizeof(EFI_GUID)))
            return table->ConfigurationTable[i].VendorTable;
    }
    return NULL;
}

static UINT8 *find_table(UINT8 *rsdp, const char *signature)
{
    UINT8 *xsdt = (UINT8 *)get(rsdp + RSDP_XSDT, 8);

    for (UINTN at = HEADER; at < get(xsdt + LENGTH, 4); at += 8) {
        UINT8 *found = (UINT8 *)get(xsdt + at, 8);
        if (is_same(found, signature, 4))
            return found;
    }
    return NULL;
}

static void seal(UINT8 *table)
{
    UINT8 sum = 0;

    table[CHECKSUM] = 0;
    for (UINTN i = 0; i < get(table + LENGTH, 4); i++)
        sum = (UINT8)(sum + table[i]);
    table[CHECKSUM] = (UINT8)-sum;
}

// Two CPUs of one MPIDR, configuration space that is in no page's place, a debug port that is not
// whole.
static void confuse(UINT8 *rsdp)
{
    UINT8 *madt = find_table(rsdp, "APIC"), *mcfg = find_table(rsdp, "MCFG");
    UINT8 *first = NULL;

    for (UINT8 *at = madt + MADT_FIRST; at < madt + get(madt + LENGTH, 4); at += at[1]) {
        if (at[0] != MADT_CPU)
            continue;
        if (first)
            at[CPU_MPIDR] = first[CPU_MPIDR];
        else
            first = at;
    }
    mcfg[MCFG_BASE] = 1;
    seal(madt);
    seal(mcfg);
    find_table(rsdp, "DBG2")[CHECKSUM]++;
}

static void forget_all(EFI_SYSTEM_TABLE *table)
{
    for (UINTN i = 0; i < 2; i++) {
        EFI_GUID guid = acpi_guids[i];
        (void)table->BootServices->InstallConfigurationTable(&guid, NULL);
    }
}

static void add_device_tree(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
    static CHAR16 name[] = L"\\EFI\\BOOT\\machine.dtb";
    EFI_GUID guid = EFI_DTB_TABLE_GUID;
    UINTN size_bytes;
    void *tree;

    if (chain_read(image, table, name, &tree, &size_bytes) == EFI_SUCCESS)
        (void)table->BootServices->InstallConfigurationTable(&guid, tree);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
    UINT8 *rsdp = find_rsdp(table);

    if (!rsdp)
        return EFI_NOT_FOUND;
    switch (fault[6]) {
    case '1':
        confuse(rsdp);
        break;
    case '2':
        find_table(rsdp, "APIC")[CHECKSUM]++;
        break;
    case '3':
        forget_all(table);
        break;
    case '4':
        confuse(rsdp);
        add_device_tree(image, table);
        break;
    default:
        break;
    }
    return chain_loader(image, table);
}
