// Restarting and switching off: which ways are tried in which order, and what the kernel believes
// of UEFI firmware before it calls it.
#include "tests/test.h"

#include "kernel/arch/host/host.h"
#include "kernel/arch/host/host_firmware.h"
#include "kernel/core/boot_items.h"
#include "kernel/core/efi_runtime.h"
#include "kernel/core/power.h"
#include "kernel/lib/efi_tables.h"
#include "kernel/memory/boot_memory.h"

#define BASE     UINT64_C(0x7ff00000)
#define BYTES    0x4000
#define TABLE    (BASE + 0x100)
#define SERVICES (BASE + 0x1000)
#define RESET    (BASE + 0x2010)
#define DEVICE   UINT64_C(0xffc00000)

static uint8_t memory[BYTES];
static uint8_t container[1024];
static struct {
    uint64_t entry_bytes;
    struct zbi_efi_memory entries[4];
} map_item;
static struct boot_info info;
static struct zbi_machine machine;

static struct {
    uint32_t map_count;
    bool is_map_refused, is_device;
    uint32_t call_count;
    uint64_t function, type;
    bool faults;
} seen;

static bool note_map(uint64_t base, uint64_t size_bytes, bool is_device)
{
    seen.map_count++;
    if (base == DEVICE)
        seen.is_device = is_device;
    else
        EXPECT_TRUE(base == BASE && size_bytes == BYTES && !is_device);
    return !seen.is_map_refused;
}

static bool note_call(uint64_t function, const uint64_t *arguments, uint64_t *result)
{
    seen.call_count++;
    seen.function = function;
    seen.type = arguments[0];
    EXPECT_TRUE(arguments[1] == 0 && arguments[2] == 0 && arguments[3] == 0);
    *result = 0;
    return !seen.faults;
}

static void put(uint64_t address, uint64_t value, size_t size_bytes)
{
    memcpy(memory + (address - BASE), &value, size_bytes);
}

static void put_header(uint64_t address, const char *signature, uint32_t size_bytes)
{
    memcpy(memory + (address - BASE), signature, 8);
    put(address + 12, size_bytes, 4);
}

// What firmware and loader leave.
static void make_firmware(void)
{
    static const struct zbi_efi_memory map[] = {
        {ZBI_EFI_CONVENTIONAL, 0, 0x100000, 0, 0x7ff00, ZBI_EFI_ATTRIBUTE_WRITE_BACK},
        {ZBI_EFI_RUNTIME_DATA, 0, BASE, 0, BYTES / 4096,
         ZBI_EFI_ATTRIBUTE_WRITE_BACK | ZBI_EFI_ATTRIBUTE_RUNTIME},
        {ZBI_EFI_MEMORY_MAPPED_IO, 0, DEVICE, 0, 1024, ZBI_EFI_ATTRIBUTE_RUNTIME},
        {ZBI_EFI_LOADER_DATA, 0, 0x90000000, 0, 16, ZBI_EFI_ATTRIBUTE_WRITE_BACK},
    };
    const struct host_firmware firmware = {BASE, memory, BYTES, note_map, note_call};

    memset(memory, 0, sizeof(memory));
    memset(&seen, 0, sizeof(seen));
    put_header(TABLE, "IBI SYST", EFI_SYSTEM_TABLE_BYTES);
    put(TABLE + 88, SERVICES, 8);
    put_header(SERVICES, "RUNTSERV", EFI_RUNTIME_SERVICES_BYTES);
    put(SERVICES + 104, RESET, 8);
    map_item.entry_bytes = sizeof(map_item.entries[0]);
    memcpy(map_item.entries, map, sizeof(map));
    host_set_firmware(&firmware);
    host_take_power_ways();
    host_take_console_text();
}

static void start_with(const char *cmdline, uint64_t table)
{
    struct format_error error;

    EXPECT_OK(zbi_create(container, sizeof(container)));
    EXPECT_OK(zbi_append(container, sizeof(container), ZBI_TYPE_EFI_MEMORY_MAP, 0, &map_item,
                         sizeof(map_item), false));
    if (table != 0)
        EXPECT_OK(zbi_append(container, sizeof(container), ZBI_TYPE_EFI_SYSTEM_TABLE, 0, &table,
                             sizeof(table), false));
    ASSERT_OK(zbi_read_machine(container, sizeof(container), &machine, &error));
    memset(&info, 0, sizeof(info));
    info.items = &machine;
    strcpy(info.cmdline, cmdline);
    efi_runtime_init(&info);
}

static void expect_ways(void (*act)(void), const char *ways)
{
    host_take_power_ways();
    act();
    EXPECT_STR_EQ(host_take_power_ways(), ways);
}

static void expect_unused(const char *why)
{
    start_with("", TABLE);
    EXPECT_TRUE(strstr(host_take_console_text(), why) != NULL);
    expect_ways(power_off, "tables");
    EXPECT_EQ(seen.call_count, 0u);
}

TEST(firmware_is_called_after_what_its_tables_say)
{
    make_firmware();
    start_with("", TABLE);
    EXPECT_EQ(seen.map_count, 2u);
    EXPECT_TRUE(seen.is_device);
    expect_ways(power_off, "tables efi");
    EXPECT_EQ(seen.function, RESET);
    EXPECT_EQ(seen.type, (uint64_t)EFI_RESET_SHUTDOWN);
    expect_ways(power_reboot, "tables efi force");
    EXPECT_EQ(seen.type, (uint64_t)EFI_RESET_COLD);
}

TEST(command_line_puts_firmware_first)
{
    make_firmware();
    start_with("kernel.reset=efi", TABLE);
    expect_ways(power_off, "efi tables");
    expect_ways(power_reboot, "efi tables force");
    start_with("kernel.reset=acpi", TABLE);
    expect_ways(power_reboot, "tables efi force");
}

TEST(firmware_that_does_nothing_is_told_of)
{
    make_firmware();
    start_with("kernel.reset=efi", TABLE);
    power_off();
    const char *text = host_take_console_text();
    EXPECT_TRUE(strstr(text, "switching off by EFI run-time services") != NULL);
    EXPECT_TRUE(strstr(text, "EFI run-time services did not do it") != NULL);
    expect_ways(power_reboot, "efi tables force");
}

TEST(firmware_that_faults_is_not_called_again)
{
    make_firmware();
    start_with("", TABLE);
    seen.faults = true;
    expect_ways(power_off, "tables efi");
    EXPECT_TRUE(strstr(host_take_console_text(), "EFI run-time services faulted") != NULL);
    expect_ways(power_off, "tables");
}

TEST(without_firmware_there_are_the_other_ways)
{
    make_firmware();
    start_with("kernel.reset=efi", 0);
    EXPECT_TRUE(strstr(host_take_console_text(), "not started by UEFI") != NULL);
    expect_ways(power_off, "tables");
    expect_ways(power_reboot, "tables force");
    info.items = NULL;
    efi_runtime_init(&info);
    expect_ways(power_reboot, "tables force");
    EXPECT_EQ(seen.map_count, 0u);
}

TEST(memory_map_of_another_kind_has_no_run_time_services)
{
    const struct zbi_e820_entry e820 = {0x100000, 0x1000000, ZBI_E820_RAM};
    uint64_t table = TABLE;
    struct format_error error;

    make_firmware();
    EXPECT_OK(zbi_create(container, sizeof(container)));
    EXPECT_OK(zbi_append(container, sizeof(container), ZBI_TYPE_E820_TABLE, 0, &e820, sizeof(e820),
                         false));
    EXPECT_OK(zbi_append(container, sizeof(container), ZBI_TYPE_EFI_SYSTEM_TABLE, 0, &table,
                         sizeof(table), false));
    ASSERT_OK(zbi_read_machine(container, sizeof(container), &machine, &error));
    efi_runtime_init(&info);
    expect_ways(power_off, "tables");
}

TEST(tables_and_function_must_be_firmwares)
{
    make_firmware();
    put(TABLE, 0, 1);
    expect_unused("there is no EFI system table where the boot loader says");
    make_firmware();
    put(TABLE + 12, EFI_SYSTEM_TABLE_BYTES - 1, 4);
    expect_unused("there is no EFI system table where the boot loader says");
    make_firmware();
    put(SERVICES + 7, 0, 1);
    expect_unused("there is no table of run-time services where the EFI system table says");
    make_firmware();
    put(TABLE + 88, 0x200000, 8);
    expect_unused("the EFI tables are not in memory of run-time services");
    make_firmware();
    put(TABLE + 88, BASE + BYTES - EFI_RUNTIME_SERVICES_BYTES + 8, 8);
    expect_unused("the EFI tables are not in memory of run-time services");
    make_firmware();
    put(SERVICES + 104, 0x200000, 8);
    expect_unused("the run-time service ResetSystem is not in their memory");
    make_firmware();
    put(SERVICES + 104, DEVICE, 8);
    expect_unused("the run-time service ResetSystem is not in their memory");
    make_firmware();
    map_item.entries[1].type = ZBI_EFI_BOOT_SERVICES_DATA;
    map_item.entries[1].attributes = ZBI_EFI_ATTRIBUTE_WRITE_BACK;
    expect_unused("the EFI tables are not in memory of run-time services");
}

TEST(memory_that_cannot_be_mapped_is_told_of)
{
    make_firmware();
    seen.is_map_refused = true;
    expect_unused("the run-time services' memory cannot be mapped");
    make_firmware();
    map_item.entries[2].page_count = (UINT64_C(4) << 30 >> 12) + 1;
    expect_unused("a range of the run-time services' memory is too large");
}

static bool is_ram(uint64_t address)
{
    return boot_memory_is_ram(address, 4096);
}

// Also where the map says in another place that it is free.
TEST(memory_of_run_time_services_is_never_free)
{
    struct boot_items items = {0};

    make_firmware();
    start_with("", TABLE);
    items.machine = machine;
    EXPECT_TRUE(boot_items_add_memory(&items));
    EXPECT_TRUE(is_ram(BASE - 4096));
    for (uint64_t at = BASE; at < BASE + BYTES; at += 4096)
        EXPECT_FALSE(is_ram(at));
    EXPECT_TRUE(is_ram(BASE + BYTES));
    EXPECT_TRUE(is_ram(0x90000000));
    EXPECT_FALSE(is_ram(DEVICE));
}
