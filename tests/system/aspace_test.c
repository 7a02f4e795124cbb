// Address spaces: mapping, unmapping, protecting, and what a fault sees.

#include <machina/syscalls.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/test.h"

#define PAGE       MX_PAGE_SIZE
#define RW         (MX_MAP_READ | MX_MAP_WRITE)
#define FREE_PLACE UINT64_C(0x500000000000)

static mx_handle_t vmo;

static bool make(uint64_t size_bytes)
{
    return mx_vmo_create(size_bytes, &vmo) == MX_OK;
}

static mx_status_t map(uint32_t options, uint64_t offset, uint64_t size_bytes, uint64_t *addr)
{
    return mx_aspace_map(own_aspace(), options, vmo, offset, size_bytes, addr);
}

static volatile uint8_t *at(uint64_t addr)
{
    return (volatile uint8_t *)(uintptr_t)addr;
}

// Whether the kernel can write there on behalf of this process, which is how it would fault.
static bool can_write(uint64_t addr)
{
    return mx_random_draw((void *)(uintptr_t)addr, 1) == MX_OK;
}

static bool can_read(uint64_t addr)
{
    mx_handle_t target;
    mx_status_t status = mx_vmo_create(PAGE, &target);

    if (status == MX_OK) {
        status = mx_vmo_write(target, (void *)(uintptr_t)addr, 0, 1);
        close_handle(target);
    }
    return status == MX_OK;
}

TEST(mapping_shows_the_object)
{
    uint64_t addr = 0;
    uint8_t byte;

    ASSERT_TRUE(make(PAGE * 4));
    ASSERT_OK(map(RW, PAGE, PAGE * 2, &addr));
    at(addr)[0] = 7;
    ASSERT_OK(mx_vmo_read(vmo, &byte, PAGE, 1));
    EXPECT_EQ(byte, 7);
    byte = 8;
    ASSERT_OK(mx_vmo_write(vmo, &byte, PAGE * 2 + 5, 1));
    EXPECT_EQ(at(addr)[PAGE + 5], 8);
    ASSERT_OK(mx_aspace_unmap(own_aspace(), addr, PAGE * 2));
    EXPECT_FALSE(can_read(addr));
    close_handle(vmo);
}

TEST(two_mappings_show_the_same_pages)
{
    uint64_t first = 0, second = 0;

    ASSERT_TRUE(make(PAGE));
    ASSERT_OK(map(RW, 0, PAGE, &first));
    ASSERT_OK(map(MX_MAP_READ, 0, PAGE, &second));
    close_handle(vmo); // the mappings keep it
    at(first)[9] = 9;
    EXPECT_EQ(at(second)[9], 9);
    EXPECT_FALSE(can_write(second));
    unmap((void *)(uintptr_t)first, PAGE);
    EXPECT_EQ(at(second)[9], 9);
    unmap((void *)(uintptr_t)second, PAGE);
}

TEST(specific_place_is_used_and_overlap_refused)
{
    uint64_t addr = FREE_PLACE, other = FREE_PLACE + PAGE;

    ASSERT_TRUE(make(PAGE * 4));
    ASSERT_OK(map(RW | MX_MAP_SPECIFIC, 0, PAGE * 2, &addr));
    EXPECT_EQ(addr, FREE_PLACE);
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, map(RW | MX_MAP_SPECIFIC, 0, PAGE, &other));
    other = FREE_PLACE - PAGE;
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, map(RW | MX_MAP_SPECIFIC, 0, PAGE * 4, &other));
    ASSERT_OK(mx_aspace_unmap(own_aspace(), addr, PAGE * 2));
    other = FREE_PLACE;
    EXPECT_OK(map(RW | MX_MAP_SPECIFIC, 0, PAGE * 4, &other));
    ASSERT_OK(mx_aspace_unmap(own_aspace(), other, PAGE * 4));
    close_handle(vmo);
}

TEST(specific_place_must_be_in_user_memory)
{
    static const uint64_t outside[] = {0,
                                       0x1000,
                                       0x00007ffffffff000,
                                       0x0000800000000000,
                                       0xffff800000000000,
                                       0xffffffff80000000,
                                       0xfffffffffffff000};
    ASSERT_TRUE(make(PAGE * 2));
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        uint64_t addr = outside[i];
        EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, map(RW | MX_MAP_SPECIFIC, 0, PAGE * 2, &addr));
    }
    uint64_t unaligned = FREE_PLACE + 8;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, map(RW | MX_MAP_SPECIFIC, 0, PAGE, &unaligned));
    close_handle(vmo);
}

TEST(map_checks_its_arguments)
{
    uint64_t addr = 0;
    mx_handle_t weak_space = with_rights(own_aspace(), MX_RIGHT_READ);

    ASSERT_TRUE(make(PAGE * 2));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, map(0, 0, PAGE, &addr));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, map(MX_MAP_WRITE, 0, PAGE, &addr));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, map(1u << 20 | RW, 0, PAGE, &addr));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, map(RW | MX_MAP_EXECUTE, 0, PAGE, &addr));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, map(RW, 0, 0, &addr));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, map(RW, 0, 100, &addr));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, map(RW, 100, PAGE, &addr));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, map(RW, PAGE, PAGE * 2, &addr));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, map(RW, UINT64_MAX - PAGE + 1, PAGE * 2, &addr));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, map(RW, 0, PAGE, NULL));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_aspace_map(0, RW, vmo, 0, PAGE, &addr));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_aspace_map(own_aspace(), RW, 0, 0, PAGE, &addr));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_aspace_map(vmo, RW, vmo, 0, PAGE, &addr));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_aspace_map(own_aspace(), RW, own_aspace(), 0, PAGE, &addr));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_aspace_map(weak_space, RW, vmo, 0, PAGE, &addr));
    close_handle(weak_space);
    close_handle(vmo);
}

TEST(rights_of_the_object_limit_the_mapping)
{
    uint64_t addr = 0;
    mx_handle_t whole, read_only, no_map;

    ASSERT_TRUE(make(PAGE));
    whole = vmo;
    read_only = with_rights(whole, MX_RIGHT_READ | MX_RIGHT_MAP);
    no_map = with_rights(whole, MX_RIGHT_READ | MX_RIGHT_WRITE);
    vmo = read_only;
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, map(RW, 0, PAGE, &addr));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, map(MX_MAP_READ | MX_MAP_EXECUTE, 0, PAGE, &addr));
    vmo = no_map;
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, map(MX_MAP_READ, 0, PAGE, &addr));
    vmo = read_only;
    ASSERT_OK(map(MX_MAP_READ, 0, PAGE, &addr));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_aspace_protect(own_aspace(), RW, addr, PAGE));
    unmap((void *)(uintptr_t)addr, PAGE);
    close_handle(whole);
    close_handle(read_only);
    close_handle(no_map);
}

TEST(protect_takes_write_away_and_gives_it_back)
{
    uint64_t addr = 0;

    ASSERT_TRUE(make(PAGE * 2));
    ASSERT_OK(map(RW, 0, PAGE * 2, &addr));
    at(addr)[0] = 1;
    ASSERT_OK(mx_aspace_protect(own_aspace(), MX_MAP_READ, addr, PAGE * 2));
    EXPECT_EQ(at(addr)[0], 1);
    EXPECT_FALSE(can_write(addr));
    ASSERT_OK(mx_aspace_protect(own_aspace(), RW, addr, PAGE * 2));
    EXPECT_TRUE(can_write(addr));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_aspace_protect(own_aspace(), RW | MX_MAP_EXECUTE, addr, PAGE * 2));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_aspace_protect(own_aspace(), RW, addr, PAGE));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_aspace_protect(own_aspace(), RW, FREE_PLACE, PAGE));
    unmap((void *)(uintptr_t)addr, PAGE * 2);
    close_handle(vmo);
}

TEST(unmap_in_the_middle_splits)
{
    uint64_t addr = 0;

    ASSERT_TRUE(make(PAGE * 5));
    ASSERT_OK(map(RW, 0, PAGE * 5, &addr));
    for (uint64_t i = 0; i < 5; i++)
        at(addr)[i * PAGE] = (uint8_t)(i + 1);
    ASSERT_OK(mx_aspace_unmap(own_aspace(), addr + PAGE * 2, PAGE));
    EXPECT_EQ(at(addr)[PAGE], 2);
    EXPECT_FALSE(can_read(addr + PAGE * 2));
    EXPECT_EQ(at(addr)[PAGE * 3], 4);
    EXPECT_EQ(at(addr)[PAGE * 4], 5);
    ASSERT_OK(mx_aspace_unmap(own_aspace(), addr, PAGE * 5));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_aspace_unmap(own_aspace(), addr, PAGE * 5));
    close_handle(vmo);
}

TEST(unmap_checks_its_arguments)
{
    mx_handle_t weak_space = with_rights(own_aspace(), MX_RIGHT_READ);

    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_aspace_unmap(own_aspace(), FREE_PLACE + 1, PAGE));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_aspace_unmap(own_aspace(), FREE_PLACE, 0));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_aspace_unmap(own_aspace(), 0xffff800000000000, PAGE));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  mx_aspace_unmap(own_aspace(), FREE_PLACE, UINT64_MAX - PAGE + 1));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_aspace_unmap(weak_space, FREE_PLACE, PAGE));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_aspace_unmap(0, FREE_PLACE, PAGE));
    close_handle(weak_space);
}

TEST(decommitted_page_reads_zero_through_its_mapping)
{
    uint64_t addr = 0;

    ASSERT_TRUE(make(PAGE * 2));
    ASSERT_OK(map(RW, 0, PAGE * 2, &addr));
    at(addr)[0] = 1;
    at(addr)[PAGE] = 2;
    ASSERT_OK(mx_vmo_op_range(vmo, MX_VMO_OP_DECOMMIT, 0, PAGE));
    EXPECT_EQ(at(addr)[0], 0);
    EXPECT_EQ(at(addr)[PAGE], 2);
    unmap((void *)(uintptr_t)addr, PAGE * 2);
    close_handle(vmo);
}

TEST(copy_on_write_separates_mapped_pages)
{
    uint64_t parent_addr = 0, child_addr = 0;
    mx_handle_t parent, child;

    ASSERT_TRUE(make(PAGE * 2));
    parent = vmo;
    ASSERT_OK(map(RW, 0, PAGE * 2, &parent_addr));
    at(parent_addr)[0] = 1;
    ASSERT_OK(mx_vmo_create_child(parent, MX_VMO_CHILD_COW, 0, PAGE * 2, &child));
    vmo = child;
    ASSERT_OK(map(RW, 0, PAGE * 2, &child_addr));
    EXPECT_EQ(at(child_addr)[0], 1);
    at(child_addr)[0] = 2;
    EXPECT_EQ(at(parent_addr)[0], 1);
    EXPECT_EQ(at(child_addr)[0], 2);
    unmap((void *)(uintptr_t)parent_addr, PAGE * 2);
    unmap((void *)(uintptr_t)child_addr, PAGE * 2);
    close_handle(parent);
    close_handle(child);
}

TEST(populate_allocates_at_once)
{
    struct mx_info_vmo info;
    uint64_t addr = 0;

    ASSERT_TRUE(make(PAGE * 8));
    ASSERT_OK(map(RW | MX_MAP_POPULATE, 0, PAGE * 8, &addr));
    ASSERT_OK(mx_object_get_info(vmo, MX_INFO_VMO, &info, sizeof(info), NULL));
    EXPECT_EQ(info.committed_bytes, PAGE * 8);
    unmap((void *)(uintptr_t)addr, PAGE * 8);
    close_handle(vmo);
}

TEST(large_pages_are_mapped_and_split)
{
    const uint64_t size = 32 << 20;
    uint64_t addr = 0;

    ASSERT_TRUE(make(size));
    ASSERT_OK(map(RW, 0, size, &addr));
    for (uint64_t i = 0; i < size; i += 1 << 20)
        at(addr)[i] = (uint8_t)(i >> 20);
    ASSERT_OK(mx_aspace_unmap(own_aspace(), addr + (5 << 20) + PAGE, PAGE));
    ASSERT_OK(mx_vmo_op_range(vmo, MX_VMO_OP_DECOMMIT, 9 << 20, PAGE));
    for (uint64_t i = 0; i < size; i += 1 << 20)
        EXPECT_EQ(at(addr)[i], i == 9 << 20 ? 0 : (uint8_t)(i >> 20));
    EXPECT_FALSE(can_read(addr + (5 << 20) + PAGE));
    unmap((void *)(uintptr_t)addr, size);
    close_handle(vmo);
}

TEST(other_processes_space_can_be_filled)
{
    mx_handle_t process, aspace;
    uint64_t addr = 0x10000;
    struct mx_info_process info;

    ASSERT_TRUE(make(PAGE));
    ASSERT_OK(mx_process_create(own_job(), "x", 1, &process, &aspace));
    ASSERT_OK(mx_aspace_map(aspace, RW | MX_MAP_SPECIFIC | MX_MAP_POPULATE, vmo, 0, PAGE, &addr));
    ASSERT_OK(mx_object_get_info(process, MX_INFO_PROCESS, &info, sizeof(info), NULL));
    EXPECT_GE(info.mapped_bytes, PAGE);
    ASSERT_OK(mx_task_kill(process, 0));
    addr = 0x20000;
    EXPECT_STATUS(MX_ERR_BAD_STATE,
                  mx_aspace_map(aspace, RW | MX_MAP_SPECIFIC, vmo, 0, PAGE, &addr));
    close_handle(process);
    close_handle(aspace);
    close_handle(vmo);
}

TEST(mappings_leak_nothing)
{
    struct machine_counts before = machine_counts();

    for (int i = 0; i < 50; i++) {
        uint64_t addr = FREE_PLACE + (uint64_t)i * (1 << 21);
        ASSERT_TRUE(make(PAGE * 16));
        ASSERT_OK(map(RW | MX_MAP_SPECIFIC | MX_MAP_POPULATE, 0, PAGE * 16, &addr));
        ASSERT_OK(mx_aspace_unmap(own_aspace(), addr + PAGE * 4, PAGE));
        ASSERT_OK(mx_aspace_unmap(own_aspace(), addr, PAGE * 16));
        close_handle(vmo);
    }
    EXPECT_TRUE(machine_counts_return_to(&before));
    EXPECT_LE(before.free_bytes, machine_counts().free_bytes + (512 << 10));
}

// --- several CPUs
// ---------------------------------------------------------------------------------

static struct {
    uint64_t addr;
    bool is_over;
    uint64_t count;
} toucher;

static void touch(void *argument)
{
    (void)argument;
    while (!__atomic_load_n(&toucher.is_over, __ATOMIC_SEQ_CST)) {
        if (can_write(toucher.addr))
            toucher.count++;
    }
}

TEST(mapping_comes_and_goes_while_another_thread_uses_it)
{
    struct thread *thread;

    ASSERT_TRUE(make(PAGE));
    toucher.addr = FREE_PLACE;
    toucher.is_over = false;
    toucher.count = 0;
    ASSERT_OK(thread_create(&thread, "touch", touch, NULL, 0));
    mx_time_t end = deadline_after(MX_MSEC(300));
    while (mx_clock_get_monotonic() < end) {
        uint64_t addr = FREE_PLACE;
        ASSERT_OK(map(RW | MX_MAP_SPECIFIC, 0, PAGE, &addr));
        mx_thread_yield();
        ASSERT_OK(mx_aspace_unmap(own_aspace(), addr, PAGE));
    }
    __atomic_store_n(&toucher.is_over, true, __ATOMIC_SEQ_CST);
    thread_join(thread);
    close_handle(vmo);
}
