// Memory objects and address spaces: what is shown, shared, hidden, charged and refused.
#include "tests/unit/kernel_fixture.h"

#define RW          (MX_MAP_READ | MX_MAP_WRITE)
#define DEVICE_BASE UINT64_C(0xfe000000) // not RAM

static uint64_t job_used_bytes(void)
{
    struct mx_info_job info;
    EXPECT_OK(mx_object_get_info(env.job_handle, MX_INFO_JOB, &info, sizeof(info), NULL));
    return info.memory_used_bytes;
}

static uint64_t map(mx_handle_t vmo, uint32_t options, uint64_t size)
{
    uint64_t addr = 0;
    EXPECT_OK(mx_aspace_map(env.aspace, options, vmo, 0, size, &addr));
    return addr;
}

static uint32_t load(uint64_t addr)
{
    uint32_t value;
    host_user_load(&value, addr, sizeof(value));
    return value;
}

static void store(uint64_t addr, uint32_t value)
{
    host_user_store(addr, &value, sizeof(value));
}

static bool is_shown(uint64_t addr)
{
    paddr_t page;
    uint32_t options;
    enum memory_type memory;
    return host_aspace_lookup(&env.process->aspace->arch, addr, &page, &options, &memory);
}

static bool can_write(uint64_t addr)
{
    return aspace_handle_fault(env.process->aspace, addr, MX_MAP_WRITE) == MX_OK;
}

PROCESS_TEST(vmo_is_zero_when_first_touched)
{
    mx_handle_t vmo;
    struct mx_info_vmo info;
    char bytes[100], zeros[100] = {0};

    memset(bytes, 1, sizeof(bytes));
    ASSERT_OK(mx_vmo_create(100000, &vmo));
    EXPECT_OK(mx_object_get_info(vmo, MX_INFO_VMO, &info, sizeof(info), NULL));
    EXPECT_EQ(info.size_bytes, 102400);
    EXPECT_EQ(info.committed_bytes, 0);
    EXPECT_OK(mx_vmo_read(vmo, bytes, 4096 * 3 - 50, 100));
    EXPECT_BYTES_EQ(bytes, zeros, sizeof(zeros));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_vmo_read(vmo, bytes, 102400 - 1, 2));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_vmo_read(vmo, bytes, UINT64_MAX, 2));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_vmo_create(UINT64_MAX, &vmo));
}

PROCESS_TEST(vmo_is_the_same_memory_in_all_mappings)
{
    mx_handle_t vmo;
    uint32_t value = 5;

    ASSERT_OK(mx_vmo_create(8192, &vmo));
    uint64_t a = map(vmo, RW, 8192), b = map(vmo, RW, 8192);
    EXPECT_NE(a, b);
    store(a + 4096, 7);
    EXPECT_EQ(load(b + 4096), 7);
    EXPECT_OK(mx_vmo_write(vmo, &value, 4096, 4));
    EXPECT_EQ(load(a + 4096), 5);
}

PROCESS_TEST(vmo_large_blocks_are_used_from_16_mib_on)
{
    mx_handle_t vmo;
    struct mx_info_vmo info;

    ASSERT_OK(mx_vmo_create(UINT64_C(16) << 20, &vmo));
    uint64_t addr = map(vmo, RW, UINT64_C(16) << 20);
    EXPECT_EQ(addr % (2 << 20), 0);
    store(addr + 0x2345678 % (2 << 20) / 4 * 4, 1);
    EXPECT_OK(mx_object_get_info(vmo, MX_INFO_VMO, &info, sizeof(info), NULL));
    EXPECT_EQ(info.committed_bytes, 2 << 20);
    EXPECT_TRUE(is_shown(addr) && is_shown(addr + (2 << 20) - 1));
    EXPECT_FALSE(is_shown(addr + (2 << 20)));
}

PROCESS_TEST(vmo_takes_single_pages_when_large_blocks_exceed_the_limit)
{
    mx_handle_t vmo;
    struct mx_info_vmo info;

    ASSERT_OK(mx_vmo_create(UINT64_C(16) << 20, &vmo));
    uint64_t addr = map(vmo, RW, UINT64_C(16) << 20);
    EXPECT_OK(mx_job_set_limit(env.job_handle, MX_JOB_LIMIT_MEMORY, job_used_bytes() + (1 << 20)));
    store(addr, 1);
    EXPECT_OK(mx_object_get_info(vmo, MX_INFO_VMO, &info, sizeof(info), NULL));
    EXPECT_EQ(info.committed_bytes, 4096);
    EXPECT_OK(mx_job_set_limit(env.job_handle, MX_JOB_LIMIT_MEMORY, UINT64_MAX));
}

PROCESS_TEST(vmo_decommit_hides_pages_from_all_mappings_and_returns_the_charge)
{
    mx_handle_t vmo, slice;

    ASSERT_OK(mx_vmo_create(3 * 4096, &vmo));
    ASSERT_OK(mx_vmo_create_child(vmo, MX_VMO_CHILD_SLICE, 4096, 8192, &slice));
    uint64_t a = map(vmo, RW, 3 * 4096), b = map(slice, RW, 8192);
    store(a, 1), store(a + 4096, 2), store(a + 8192, 3);
    EXPECT_EQ(load(b), 2);
    uint64_t used = job_used_bytes();
    EXPECT_OK(mx_vmo_op_range(vmo, MX_VMO_OP_DECOMMIT, 4096, 4096));
    EXPECT_EQ(job_used_bytes(), used - 4096);
    EXPECT_FALSE(is_shown(a + 4096));
    EXPECT_FALSE(is_shown(b));
    EXPECT_TRUE(is_shown(a + 8192));
    EXPECT_EQ(load(b), 0);
    EXPECT_EQ(load(a), 1);
    EXPECT_EQ(load(b + 4096), 3);
}

PROCESS_TEST(device_memory_is_mapped_as_whoever_made_the_object_said)
{
    const enum memory_type memories[] = {MEMORY_DEVICE, MEMORY_COMBINED};
    mx_handle_t resource, vmo, slice;

    ASSERT_OK(mx_resource_create(env.root_resource, MX_RESOURCE_MMIO, 0, UINT64_MAX, &resource));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_vmo_create_physical(resource, MX_VMO_PHYSICAL_COMBINED << 1, DEVICE_BASE,
                                         2 * PAGE_SIZE, &vmo));
    for (uint32_t i = 0; i < 2; i++) {
        paddr_t page;
        uint32_t options;
        enum memory_type memory;

        ASSERT_OK(mx_vmo_create_physical(resource, i ? MX_VMO_PHYSICAL_COMBINED : 0, DEVICE_BASE,
                                         2 * PAGE_SIZE, &vmo));
        ASSERT_OK(mx_vmo_create_child(vmo, MX_VMO_CHILD_SLICE, PAGE_SIZE, PAGE_SIZE, &slice));
        uint64_t addr = map(slice, RW | MX_MAP_POPULATE, PAGE_SIZE);
        ASSERT_TRUE(host_aspace_lookup(&env.process->aspace->arch, addr, &page, &options, &memory));
        EXPECT_EQ((int)memory, (int)memories[i]);
        EXPECT_EQ(page.raw, DEVICE_BASE + PAGE_SIZE);
        EXPECT_OK(mx_aspace_unmap(env.aspace, addr, PAGE_SIZE));
        EXPECT_OK(mx_handle_close(slice));
        EXPECT_OK(mx_handle_close(vmo));
    }
    EXPECT_OK(mx_handle_close(resource));
}

PROCESS_TEST(ram_is_no_device)
{
    mx_handle_t resource, vmo;

    ASSERT_OK(mx_resource_create(env.root_resource, MX_RESOURCE_MMIO, 0, UINT64_MAX, &resource));
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED,
                  mx_vmo_create_physical(resource, 0, HOST_RAM_BYTES / 2, PAGE_SIZE, &vmo));
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED,
                  mx_vmo_create_physical(resource, MX_VMO_PHYSICAL_COMBINED,
                                         HOST_RAM_BYTES - PAGE_SIZE, 2 * PAGE_SIZE, &vmo));
    ASSERT_OK(mx_vmo_create_physical(resource, 0, HOST_RAM_BYTES, PAGE_SIZE, &vmo));
    EXPECT_OK(mx_handle_close(vmo));
    EXPECT_OK(mx_handle_close(resource));
}

PROCESS_TEST(vmo_decommit_of_part_of_a_large_block_zeroes_it)
{
    mx_handle_t vmo;

    ASSERT_OK(mx_vmo_create(UINT64_C(16) << 20, &vmo));
    uint64_t addr = map(vmo, RW, UINT64_C(16) << 20);
    store(addr, 1), store(addr + 4096, 2);
    EXPECT_OK(mx_vmo_op_range(vmo, MX_VMO_OP_DECOMMIT, 0, 4096));
    EXPECT_EQ(load(addr), 0);
    EXPECT_EQ(load(addr + 4096), 2);
    EXPECT_OK(mx_vmo_op_range(vmo, MX_VMO_OP_DECOMMIT, 0, UINT64_C(16) << 20));
    EXPECT_FALSE(is_shown(addr));
    EXPECT_EQ(load(addr + 4096), 0);
}

PROCESS_TEST(vmo_operations_refuse_bad_ranges)
{
    mx_handle_t vmo;

    ASSERT_OK(mx_vmo_create(8192, &vmo));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vmo_op_range(vmo, 0, 0, 4096));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vmo_op_range(vmo, MX_VMO_OP_ZERO, 1, 4096));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_vmo_op_range(vmo, MX_VMO_OP_COMMIT, 8192, 4096));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  mx_vmo_op_range(vmo, MX_VMO_OP_COMMIT, 4096, UINT64_MAX - 4095));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  mx_vmo_create_child(vmo, MX_VMO_CHILD_COW, 4096, 8192, &vmo));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vmo_create_child(vmo, 3, 0, 4096, &vmo));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vmo_create_child(vmo, MX_VMO_CHILD_COW, 0, 0, &vmo));
}

PROCESS_TEST(vmo_copy_on_write_child_keeps_its_own_changes)
{
    mx_handle_t vmo, child;

    ASSERT_OK(mx_vmo_create(8192, &vmo));
    uint64_t a = map(vmo, RW, 8192);
    store(a, 1), store(a + 4096, 2);
    ASSERT_OK(mx_vmo_create_child(vmo, MX_VMO_CHILD_COW, 0, 8192, &child));
    uint64_t b = map(child, RW, 8192), c = map(child, MX_MAP_READ, 8192);
    EXPECT_EQ(load(b), 1);
    EXPECT_EQ(load(c), 1);
    store(b, 9);
    EXPECT_EQ(load(a), 1);
    EXPECT_EQ(load(b), 9);
    EXPECT_EQ(load(c), 9);
    EXPECT_EQ(load(c + 4096), 2);
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, mx_vmo_op_range(vmo, MX_VMO_OP_DECOMMIT, 0, 4096));
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, mx_vmo_op_range(child, MX_VMO_OP_DECOMMIT, 0, 4096));
    EXPECT_OK(mx_handle_close(vmo));
    EXPECT_OK(mx_aspace_unmap(env.aspace, a, 8192));
    EXPECT_EQ(load(b + 4096), 2); // the parent lives on
}

PROCESS_TEST(vmo_write_to_a_copy_shows_in_its_own_copies)
{
    mx_handle_t vmo, middle, last;

    ASSERT_OK(mx_vmo_create(8192, &vmo));
    uint64_t a = map(vmo, RW, 8192);
    store(a + 4096, 1);
    ASSERT_OK(mx_vmo_create_child(vmo, MX_VMO_CHILD_COW, 0, 8192, &middle));
    ASSERT_OK(mx_vmo_create_child(middle, MX_VMO_CHILD_COW, 4096, 4096, &last));
    uint64_t b = map(middle, RW, 8192), c = map(last, MX_MAP_READ, 4096);
    EXPECT_EQ(load(c), 1); // shows the oldest's page
    store(b + 4096, 2);
    EXPECT_EQ(load(c), 2); // and now the middle one's
    EXPECT_EQ(load(a + 4096), 1);
}

PROCESS_TEST(vmo_copy_on_write_chain_has_a_limit)
{
    mx_handle_t vmo, child;
    mx_status_t status = MX_OK;
    unsigned depth = 0;
    uint32_t value = 3;

    ASSERT_OK(mx_vmo_create(4096, &vmo));
    EXPECT_OK(mx_vmo_write(vmo, &value, 0, 4));
    while ((status = mx_vmo_create_child(vmo, MX_VMO_CHILD_COW, 0, 4096, &child)) == MX_OK &&
           depth < 100) {
        EXPECT_OK(mx_handle_close(vmo));
        vmo = child;
        depth++;
    }
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, status);
    value = 0;
    EXPECT_OK(mx_vmo_read(vmo, &value, 0, 4));
    EXPECT_EQ(value, 3);
}

PROCESS_TEST(vmo_slice_of_a_slice_shows_the_same_pages)
{
    mx_handle_t vmo, slice, inner;

    ASSERT_OK(mx_vmo_create(4 * 4096, &vmo));
    ASSERT_OK(mx_vmo_create_child(vmo, MX_VMO_CHILD_SLICE, 4096, 3 * 4096, &slice));
    ASSERT_OK(mx_vmo_create_child(slice, MX_VMO_CHILD_SLICE, 4096, 4096, &inner));
    EXPECT_OK(mx_handle_close(slice));
    uint64_t a = map(vmo, RW, 4 * 4096), b = map(inner, RW, 4096);
    store(b, 6);
    EXPECT_EQ(load(a + 8192), 6);
    EXPECT_OK(mx_handle_close(vmo));
    EXPECT_OK(mx_vmo_op_range(inner, MX_VMO_OP_ZERO, 0, 4096));
    EXPECT_EQ(load(b), 0);
}

PROCESS_TEST(vmo_commit_stops_at_the_job_limit_of_any_ancestor)
{
    mx_handle_t vmo;

    ASSERT_OK(mx_vmo_create(64 * 4096, &vmo));
    uint64_t used = job_used_bytes();
    EXPECT_OK(mx_job_set_limit(env.job_handle, MX_JOB_LIMIT_MEMORY, used + 10 * 4096));
    EXPECT_STATUS(MX_ERR_NO_MEMORY, mx_vmo_op_range(vmo, MX_VMO_OP_COMMIT, 0, 64 * 4096));
    EXPECT_LE(job_used_bytes(), used + 10 * 4096);
    EXPECT_OK(mx_job_set_limit(env.job_handle, MX_JOB_LIMIT_MEMORY, UINT64_MAX));
    EXPECT_OK(mx_vmo_op_range(vmo, MX_VMO_OP_COMMIT, 0, 64 * 4096));
}

PROCESS_TEST(vmo_read_only_handle_gives_no_writable_mapping)
{
    mx_handle_t vmo, weak;
    uint64_t addr = 0;

    ASSERT_OK(mx_vmo_create(4096, &vmo));
    ASSERT_OK(mx_handle_duplicate(vmo, MX_RIGHT_READ | MX_RIGHT_MAP, &weak));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_aspace_map(env.aspace, RW, weak, 0, 4096, &addr));
    EXPECT_OK(mx_aspace_map(env.aspace, MX_MAP_READ, weak, 0, 4096, &addr));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_aspace_protect(env.aspace, RW, addr, 4096));
    EXPECT_FALSE(can_write(addr));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, HOST_SYSCALL(sys_random_draw(addr, 8)));
}

// --- address spaces
// -----------------------------------------------------------------------------------

PROCESS_TEST(aspace_refuses_bad_mappings)
{
    mx_handle_t vmo;
    uint64_t addr = 0x40000000;
    uint32_t specific = RW | MX_MAP_SPECIFIC;

    ASSERT_OK(mx_vmo_create(4 * 4096, &vmo));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_aspace_map(env.aspace, RW | MX_MAP_EXECUTE, vmo, 0, 4096, &addr));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_aspace_map(env.aspace, MX_MAP_WRITE, vmo, 0, 4096, &addr));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_aspace_map(env.aspace, RW | 1u << 20, vmo, 0, 4096, &addr));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_aspace_map(env.aspace, RW, vmo, 0, 0, &addr));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_aspace_map(env.aspace, RW, vmo, 1, 4096, &addr));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_aspace_map(env.aspace, RW, vmo, 4096, 4 * 4096, &addr));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  mx_aspace_map(env.aspace, RW, vmo, UINT64_MAX - 4095, 4096, &addr));
    addr++;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_aspace_map(env.aspace, specific, vmo, 0, 4096, &addr));
    addr = 0;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_aspace_map(env.aspace, specific, vmo, 0, 4096, &addr));
    addr = UINT64_MAX - 4095;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_aspace_map(env.aspace, specific, vmo, 0, 4096, &addr));
    addr = arch_aspace_user_limit() - 4096;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_aspace_map(env.aspace, specific, vmo, 0, 8192, &addr));
    addr = 0x40000000;
    EXPECT_OK(mx_aspace_map(env.aspace, specific, vmo, 0, 8192, &addr));
    addr += 4096;
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, mx_aspace_map(env.aspace, specific, vmo, 0, 8192, &addr));
    addr -= 8192;
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS,
                  mx_aspace_map(env.aspace, specific, vmo, 0, 4 * 4096, &addr));
    EXPECT_OK(mx_aspace_map(env.aspace, specific, vmo, 0, 4096, &addr));
}

PROCESS_TEST(aspace_unmap_in_the_middle_splits)
{
    mx_handle_t vmo;

    ASSERT_OK(mx_vmo_create(3 * 4096, &vmo));
    uint64_t addr = map(vmo, RW, 3 * 4096), middle = addr + 4096;
    store(addr, 1), store(addr + 4096, 2), store(addr + 8192, 3);
    EXPECT_OK(mx_aspace_unmap(env.aspace, middle, 4096));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_aspace_unmap(env.aspace, middle, 4096));
    EXPECT_FALSE(is_shown(middle));
    EXPECT_FALSE(can_write(middle));
    EXPECT_EQ(load(addr), 1);
    EXPECT_EQ(load(addr + 8192), 3);
    // The outer parts are mappings of their own now.
    EXPECT_OK(mx_aspace_protect(env.aspace, MX_MAP_READ, addr + 8192, 4096));
    EXPECT_FALSE(can_write(addr + 8192));
    EXPECT_TRUE(can_write(addr));
    EXPECT_OK(mx_aspace_unmap(env.aspace, addr, 3 * 4096));
    EXPECT_FALSE(is_shown(addr) || is_shown(addr + 8192));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_aspace_unmap(env.aspace, addr, 0));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_aspace_unmap(env.aspace, addr, UINT64_MAX - 4095));
}

PROCESS_TEST(aspace_decommit_reaches_both_halves_of_a_split_mapping)
{
    mx_handle_t vmo;

    ASSERT_OK(mx_vmo_create(3 * 4096, &vmo));
    uint64_t addr = map(vmo, RW, 3 * 4096);
    store(addr, 1), store(addr + 8192, 3);
    EXPECT_OK(mx_aspace_unmap(env.aspace, addr + 4096, 4096));
    EXPECT_OK(mx_vmo_op_range(vmo, MX_VMO_OP_DECOMMIT, 0, 3 * 4096));
    EXPECT_FALSE(is_shown(addr) || is_shown(addr + 8192));
    EXPECT_EQ(load(addr), 0);
    EXPECT_EQ(load(addr + 8192), 0);
}

PROCESS_TEST(aspace_chooses_addresses_that_do_not_overlap)
{
    mx_handle_t vmo;
    uint64_t addrs[20];

    ASSERT_OK(mx_vmo_create(2 * 4096, &vmo));
    for (unsigned i = 0; i < 20; i++)
        addrs[i] = map(vmo, RW, 8192);
    EXPECT_OK(mx_aspace_unmap(env.aspace, addrs[7], 8192));
    uint64_t again = map(vmo, RW, 4096);
    EXPECT_EQ(again, addrs[7]); // the gap is used
    for (unsigned i = 0; i < 20; i++) {
        for (unsigned k = 0; k < i; k++)
            EXPECT_TRUE(addrs[i] >= addrs[k] + 8192 || addrs[k] >= addrs[i] + 8192);
    }
}

PROCESS_TEST(aspace_protect_takes_effect_on_shown_pages)
{
    mx_handle_t vmo;

    ASSERT_OK(mx_vmo_create(8192, &vmo));
    uint64_t addr = map(vmo, RW | MX_MAP_POPULATE, 8192);
    EXPECT_TRUE(is_shown(addr) && is_shown(addr + 4096));
    EXPECT_OK(mx_aspace_protect(env.aspace, MX_MAP_READ, addr, 8192));
    EXPECT_FALSE(is_shown(addr));
    EXPECT_FALSE(can_write(addr));
    EXPECT_EQ(load(addr), 0);
    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_aspace_protect(env.aspace, MX_MAP_READ, addr, 4096));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_aspace_protect(env.aspace, RW | MX_MAP_EXECUTE, addr, 8192));
    EXPECT_OK(mx_aspace_protect(env.aspace, MX_MAP_READ | MX_MAP_EXECUTE, addr, 8192));
}

PROCESS_TEST(aspace_populate_that_fails_leaves_no_mapping)
{
    mx_handle_t vmo;
    uint64_t addr = 0x40000000;

    ASSERT_OK(mx_vmo_create(64 * 4096, &vmo));
    EXPECT_OK(mx_job_set_limit(env.job_handle, MX_JOB_LIMIT_MEMORY, job_used_bytes() + 20 * 4096));
    EXPECT_STATUS(MX_ERR_NO_MEMORY,
                  mx_aspace_map(env.aspace, RW | MX_MAP_SPECIFIC | MX_MAP_POPULATE, vmo, 0,
                                64 * 4096, &addr));
    EXPECT_FALSE(is_shown(0x40000000));
    EXPECT_OK(mx_job_set_limit(env.job_handle, MX_JOB_LIMIT_MEMORY, UINT64_MAX));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_aspace_unmap(env.aspace, 0x40000000, 4096));
}

// --- threads against each other
// -----------------------------------------------------------------------

static mx_handle_t shared_vmo;
static uint64_t shared_addr;

static void decommit_repeatedly(uint64_t argument, uint64_t unused)
{
    (void)argument;
    (void)unused;
    for (unsigned i = 0; i < 8; i++)
        EXPECT_OK(mx_vmo_op_range(shared_vmo, MX_VMO_OP_DECOMMIT, 0, 4 * 4096));
}

PROCESS_TEST(vmo_decommit_races_with_writers)
{
    mx_handle_t other;

    ASSERT_OK(mx_vmo_create(4 * 4096, &shared_vmo));
    shared_addr = map(shared_vmo, RW, 4 * 4096);
    spawn(decommit_repeatedly, 0, &other);
    for (uint32_t i = 0; i < 32; i++)
        store(shared_addr + i % 4 * 4096, i);
    join(other);
    EXPECT_OK(mx_vmo_op_range(shared_vmo, MX_VMO_OP_DECOMMIT, 0, 4 * 4096));
    for (uint32_t i = 0; i < 4; i++)
        EXPECT_EQ(load(shared_addr + i * 4096), 0);
}

static void map_and_unmap(uint64_t argument, uint64_t unused)
{
    (void)argument;
    (void)unused;
    for (unsigned i = 0; i < 6; i++) {
        uint64_t addr = map(shared_vmo, RW | MX_MAP_POPULATE, 4 * 4096);
        EXPECT_OK(mx_aspace_unmap(env.aspace, addr + 4096, 4096));
        EXPECT_OK(mx_aspace_unmap(env.aspace, addr, 4 * 4096));
    }
}

PROCESS_TEST(aspace_mapping_races_with_decommit)
{
    mx_handle_t mapper, other;

    ASSERT_OK(mx_vmo_create(4 * 4096, &shared_vmo));
    spawn(map_and_unmap, 0, &mapper);
    spawn(decommit_repeatedly, 0, &other);
    join(mapper);
    join(other);
}
