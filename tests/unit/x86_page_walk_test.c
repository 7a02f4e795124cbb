// Guest page tables in all five formats: translation, permissions, error codes, accessed and dirty
// bits.
#include "tests/test.h"
#include "vmm/x86_64/page_walk.h"

#define RAM_BYTES 0x10000

static uint8_t ram[RAM_BYTES];
static unsigned refuse_exchange_count;

static bool ram_read(void *context, uint64_t guest_physical, void *buffer, size_t size_bytes)
{
    (void)context;
    if (guest_physical > RAM_BYTES || size_bytes > RAM_BYTES - guest_physical)
        return false;
    memcpy(buffer, ram + guest_physical, size_bytes);
    return true;
}

static mx_status_t ram_exchange(void *context, uint64_t guest_physical, unsigned width_bytes,
                                uint64_t expected, uint64_t desired)
{
    (void)context;
    uint64_t current = 0;
    if (!ram_read(NULL, guest_physical, &current, width_bytes))
        return MX_ERR_OUT_OF_RANGE;
    if (refuse_exchange_count > 0) {
        refuse_exchange_count--;
        return MX_ERR_SHOULD_WAIT;
    }
    if (current != expected)
        return MX_ERR_SHOULD_WAIT;
    memcpy(ram + guest_physical, &desired, width_bytes);
    return MX_OK;
}

static const struct x86_table_memory TABLES = {.read = ram_read};
static const struct x86_table_memory MARKING_TABLES = {.read = ram_read,
                                                       .compare_exchange = ram_exchange};

static void put64(uint64_t address, uint64_t value)
{
    memcpy(ram + address, &value, 8);
}

static void put32(uint64_t address, uint32_t value)
{
    memcpy(ram + address, &value, 4);
}

static uint64_t get64(uint64_t address)
{
    uint64_t value;
    memcpy(&value, ram + address, 8);
    return value;
}

static struct x86_vcpu_regs regs_with(uint64_t cr4, uint64_t efer)
{
    memset(ram, 0, sizeof(ram));
    refuse_exchange_count = 0;
    return (struct x86_vcpu_regs){
        .cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP, .cr3 = 0x1000, .cr4 = cr4, .efer = efer};
}

// 4-level tables that map linear 0x40201000 to 0xabc000 with `leaf` flags, through 0x2000 to
// 0x4000.
static struct x86_vcpu_regs four_levels(uint64_t leaf)
{
    struct x86_vcpu_regs regs = regs_with(X86_CR4_PAE, X86_EFER_LMA | X86_EFER_NXE);
    put64(0x1000, 0x2007);
    put64(0x2008, 0x3007);
    put64(0x3008, 0x4007);
    put64(0x4008, 0xabc000 | leaf);
    return regs;
}

#define FOUR_LEVEL_LINEAR UINT64_C(0x40201234)

static mx_status_t walk(const struct x86_vcpu_regs *regs, uint64_t linear, enum x86_access access,
                        struct x86_translation *out)
{
    return x86_page_walk(regs, &TABLES, linear, access, out);
}

static void expect_fault(const struct x86_vcpu_regs *regs, uint64_t linear, enum x86_access access,
                         uint32_t error_code)
{
    struct x86_translation out;
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, walk(regs, linear, access, &out));
    EXPECT_EQ(out.error_code, error_code);
}

static void expect_address(const struct x86_vcpu_regs *regs, uint64_t linear,
                           enum x86_access access, uint64_t guest_physical)
{
    struct x86_translation out;
    EXPECT_OK(walk(regs, linear, access, &out));
    EXPECT_EQ(out.guest_physical, guest_physical);
}

TEST(without_paging_an_address_is_itself_in_32_bits)
{
    struct x86_vcpu_regs regs = {.cr0 = X86_CR0_PE};
    expect_address(&regs, 0x123456789, X86_ACCESS_WRITE, 0x23456789);
}

TEST(two_levels_map_4_kib_and_with_pse_4_mib)
{
    struct x86_vcpu_regs regs = regs_with(X86_CR4_PSE, 0);
    put32(0x1004, 0x2003);
    put32(0x2008, 0x5003);
    put32(0x1000 + 4 * 0x3ff, 0xc0000083 | 5 << 13); // PSE-36: bits 39:32 of the address are 5
    expect_address(&regs, 0x00402abc, X86_ACCESS_WRITE, 0x5abc);
    expect_address(&regs, 0xffc12345, X86_ACCESS_WRITE, UINT64_C(0x5c0012345));
    put32(0x1000 + 4 * 0x3ff, 0xc0200083);
    expect_fault(&regs, 0xffc12345, X86_ACCESS_READ, X86_PF_PRESENT | X86_PF_RESERVED);
}

TEST(without_pse_the_large_bit_of_two_levels_means_nothing)
{
    struct x86_vcpu_regs regs = regs_with(0, 0);
    put32(0x1004, 0x2083);
    put32(0x2008, 0x5003);
    expect_address(&regs, 0x00402abc, X86_ACCESS_READ, 0x5abc);
}

TEST(pae_maps_4_kib_and_2_mib_and_its_top_level_restricts_nothing)
{
    struct x86_vcpu_regs regs = regs_with(X86_CR4_PAE, 0);
    regs.cr3 = 0x1020; // only 32-byte aligned
    put64(0x1028, 0x2001);
    put64(0x2008, 0x3007);
    put64(0x3010, 0x7007);
    put64(0x2010, UINT64_C(0x100200087));
    regs.cpl = 3;
    expect_address(&regs, 0x40202123, X86_ACCESS_WRITE, 0x7123);
    expect_address(&regs, 0x40412345, X86_ACCESS_WRITE, UINT64_C(0x100212345));
    put64(0x1028, 0x2003);
    expect_fault(&regs, 0x40202123, X86_ACCESS_READ,
                 X86_PF_PRESENT | X86_PF_RESERVED | X86_PF_USER);
}

TEST(four_levels_map_4_kib_2_mib_and_1_gib)
{
    struct x86_vcpu_regs regs = four_levels(7);
    expect_address(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_WRITE, 0xabc234);
    put64(0x3008, 0x40000087);
    expect_address(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_WRITE, 0x40001234);
    put64(0x2008, UINT64_C(0x1c0000087));
    expect_address(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_WRITE, UINT64_C(0x1c0201234));
    put64(0x2008, UINT64_C(0x1c0200087));
    expect_fault(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_WRITE,
                 X86_PF_PRESENT | X86_PF_RESERVED | X86_PF_WRITE);
}

TEST(the_pat_bit_of_a_large_page_is_not_part_of_its_address)
{
    struct x86_vcpu_regs regs = four_levels(7);
    put64(0x3008, 0x40001087);
    expect_address(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_READ, 0x40001234);
}

TEST(five_levels_map_57_bits)
{
    struct x86_vcpu_regs regs = regs_with(X86_CR4_PAE | X86_CR4_LA57, X86_EFER_LMA);
    put64(0x1008, 0x2007);
    put64(0x2000, 0x3007);
    put64(0x3000, 0x87);
    expect_address(&regs, (UINT64_C(1) << 48) + 0x12345, X86_ACCESS_READ, 0x12345);
    EXPECT_TRUE(x86_is_canonical(&regs, UINT64_C(0xff00000000000000)));
    EXPECT_FALSE(x86_is_canonical(&regs, UINT64_C(0x0100000000000000)));
}

TEST(an_address_that_is_not_canonical_is_refused)
{
    struct x86_vcpu_regs regs = four_levels(7);
    struct x86_translation out;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  walk(&regs, UINT64_C(0x0000800000000000), X86_ACCESS_READ, &out));
    EXPECT_FALSE(x86_is_canonical(&regs, UINT64_C(0xfffe800000000000)));
    EXPECT_TRUE(x86_is_canonical(&regs, UINT64_C(0xffff800000000000)));
}

TEST(an_entry_that_is_not_present_faults_at_every_level)
{
    for (uint64_t entry = 0x1000; entry <= 0x4000; entry += 0x1000) {
        struct x86_vcpu_regs regs = four_levels(7);
        uint64_t address = entry + (entry == 0x1000 ? 0 : 8);
        put64(address, get64(address) & ~UINT64_C(1));
        expect_fault(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_READ, 0);
        expect_fault(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_WRITE, X86_PF_WRITE);
        expect_fault(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_FETCH, X86_PF_FETCH);
    }
}

TEST(a_user_needs_the_user_bit_at_every_level)
{
    for (uint64_t entry = 0x1000; entry <= 0x4000; entry += 0x1000) {
        struct x86_vcpu_regs regs = four_levels(7);
        uint64_t address = entry + (entry == 0x1000 ? 0 : 8);
        put64(address, get64(address) & ~UINT64_C(4));
        regs.cpl = 3;
        expect_fault(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_READ, X86_PF_PRESENT | X86_PF_USER);
        regs.cpl = 0;
        expect_address(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_WRITE, 0xabc234);
    }
}

TEST(read_only_pages_stop_users_always_and_supervisors_with_wp)
{
    struct x86_vcpu_regs regs = four_levels(5);
    expect_fault(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_WRITE, X86_PF_PRESENT | X86_PF_WRITE);
    expect_address(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_READ, 0xabc234);
    regs.cr0 &= ~X86_CR0_WP;
    expect_address(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_WRITE, 0xabc234);
    regs.cpl = 3;
    expect_fault(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_WRITE,
                 X86_PF_PRESENT | X86_PF_WRITE | X86_PF_USER);
}

TEST(no_execute_stops_fetches_and_is_reserved_without_nxe)
{
    struct x86_vcpu_regs regs = four_levels(7 | UINT64_C(1) << 63);
    expect_fault(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_FETCH, X86_PF_PRESENT | X86_PF_FETCH);
    expect_address(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_READ, 0xabc234);
    regs.efer &= ~X86_EFER_NXE;
    expect_fault(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_READ, X86_PF_PRESENT | X86_PF_RESERVED);
}

TEST(smep_stops_supervisor_fetches_from_user_pages)
{
    struct x86_vcpu_regs regs = four_levels(7);
    expect_address(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_FETCH, 0xabc234);
    regs.cr4 |= X86_CR4_SMEP;
    regs.efer &= ~X86_EFER_NXE;
    expect_fault(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_FETCH, X86_PF_PRESENT | X86_PF_FETCH);
    regs.cpl = 3;
    expect_address(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_FETCH, 0xabc234);
}

TEST(smap_stops_supervisor_data_accesses_to_user_pages_unless_ac_is_set)
{
    struct x86_vcpu_regs regs = four_levels(7);
    regs.cr4 |= X86_CR4_SMAP;
    expect_fault(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_READ, X86_PF_PRESENT);
    expect_address(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_FETCH, 0xabc234);
    regs.rflags |= X86_RFLAGS_AC;
    expect_address(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_WRITE, 0xabc234);
}

TEST(tables_outside_ram_are_an_error_and_no_fault)
{
    struct x86_vcpu_regs regs = four_levels(7);
    struct x86_translation out;
    put64(0x2008, 0x7fffff000 | 7);
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, walk(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_READ, &out));
    regs.cr3 = UINT64_MAX;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, walk(&regs, FOUR_LEVEL_LINEAR, X86_ACCESS_READ, &out));
}

TEST(accessed_and_dirty_bits_are_set_as_a_cpu_does)
{
    struct x86_vcpu_regs regs = four_levels(7);
    struct x86_translation out;
    EXPECT_OK(x86_page_walk(&regs, &MARKING_TABLES, FOUR_LEVEL_LINEAR, X86_ACCESS_READ, &out));
    EXPECT_EQ(get64(0x1000), 0x2027);
    EXPECT_EQ(get64(0x3008), 0x4027);
    EXPECT_EQ(get64(0x4008), 0xabc027);
    EXPECT_OK(x86_page_walk(&regs, &MARKING_TABLES, FOUR_LEVEL_LINEAR, X86_ACCESS_WRITE, &out));
    EXPECT_EQ(get64(0x3008), 0x4027);
    EXPECT_EQ(get64(0x4008), 0xabc067);
}

TEST(a_denied_access_sets_no_dirty_bit)
{
    struct x86_vcpu_regs regs = four_levels(5);
    struct x86_translation out;
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  x86_page_walk(&regs, &MARKING_TABLES, FOUR_LEVEL_LINEAR, X86_ACCESS_WRITE, &out));
    EXPECT_EQ(get64(0x4008), 0xabc005);
}

TEST(entries_that_change_are_read_again_a_few_times_only)
{
    struct x86_vcpu_regs regs = four_levels(7);
    struct x86_translation out;
    refuse_exchange_count = 2;
    EXPECT_OK(x86_page_walk(&regs, &MARKING_TABLES, FOUR_LEVEL_LINEAR, X86_ACCESS_READ, &out));
    regs = four_levels(7);
    refuse_exchange_count = 1000;
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT,
                  x86_page_walk(&regs, &MARKING_TABLES, FOUR_LEVEL_LINEAR, X86_ACCESS_READ, &out));
    EXPECT_GT(refuse_exchange_count, 900);
}
