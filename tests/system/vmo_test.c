// Memory objects: creation, reading and writing, children, operations on ranges.

#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include "tests/system/child.h"
#include "tests/test.h"

#define PAGE MX_PAGE_SIZE

static uint64_t committed(mx_handle_t vmo)
{
    struct mx_info_vmo info = {0};

    return mx_object_get_info(vmo, MX_INFO_VMO, &info, sizeof(info), NULL) == MX_OK
               ? info.committed_bytes
               : UINT64_MAX;
}

static uint64_t size_of(mx_handle_t vmo)
{
    struct mx_info_vmo info = {0};

    return mx_object_get_info(vmo, MX_INFO_VMO, &info, sizeof(info), NULL) == MX_OK
               ? info.size_bytes
               : UINT64_MAX;
}

static uint8_t byte_at(mx_handle_t vmo, uint64_t offset)
{
    uint8_t byte = 0xee;

    return mx_vmo_read(vmo, &byte, offset, 1) == MX_OK ? byte : 0xee;
}

static bool set_byte(mx_handle_t vmo, uint64_t offset, uint8_t byte)
{
    return mx_vmo_write(vmo, &byte, offset, 1) == MX_OK;
}

TEST(size_is_rounded_up_and_memory_is_zero_and_unallocated)
{
    mx_handle_t vmo;

    ASSERT_OK(mx_vmo_create(PAGE * 3 + 1, &vmo));
    EXPECT_EQ(size_of(vmo), PAGE * 4);
    EXPECT_EQ(committed(vmo), 0u);
    EXPECT_EQ(byte_at(vmo, 0), 0);
    EXPECT_EQ(byte_at(vmo, PAGE * 4 - 1), 0);
    EXPECT_TRUE(set_byte(vmo, PAGE, 1));
    EXPECT_LE(committed(vmo), PAGE * 3);
    close_handle(vmo);
}

TEST(create_refuses_absurd_sizes_and_pointers)
{
    mx_handle_t vmo;

    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_vmo_create(UINT64_MAX, &vmo));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_vmo_create(UINT64_MAX - PAGE, &vmo));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_vmo_create((uint64_t)1 << 60, &vmo));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vmo_create(PAGE, (mx_handle_t *)16));
}

TEST(what_is_written_is_read_across_pages)
{
    static uint8_t in[PAGE * 3], out[PAGE * 3];
    mx_handle_t vmo;

    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(i * 7 + i / 256);
    ASSERT_OK(mx_vmo_create(PAGE * 4, &vmo));
    ASSERT_OK(mx_vmo_write(vmo, in, 100, sizeof(in)));
    ASSERT_OK(mx_vmo_read(vmo, out, 100, sizeof(out)));
    EXPECT_BYTES_EQ(in, out, sizeof(in));
    close_handle(vmo);
}

// Writes and reads bytes at an odd place of the buffer; false if others than these changed.
static bool copy_is_exact(mx_handle_t vmo, size_t place, size_t size_bytes)
{
    uint8_t out[128], expected[128];
    static uint8_t in[128];

    for (size_t i = 0; i < sizeof(in); i++) {
        in[i] = (uint8_t)(i * 37 + size_bytes + 1);
        out[i] = expected[i] = 0xee;
    }
    memcpy(expected + place, in + place, size_bytes);
    return mx_vmo_write(vmo, in + place, 3, size_bytes) == MX_OK &&
           mx_vmo_read(vmo, out + place, 3, size_bytes) == MX_OK &&
           memcmp(out, expected, sizeof(out)) == 0;
}

TEST(copies_of_every_size_and_place_touch_no_other_byte)
{
    mx_handle_t vmo;

    ASSERT_OK(mx_vmo_create(PAGE, &vmo));
    for (size_t place = 0; place < 16; place++) {
        for (size_t size_bytes = 0; size_bytes <= 100; size_bytes++)
            ASSERT_TRUE(copy_is_exact(vmo, place, size_bytes));
    }
    close_handle(vmo);
}

TEST(copies_end_at_the_last_byte_that_is_there)
{
    mx_handle_t vmo;
    uint64_t at = 0;

    ASSERT_OK(mx_vmo_create(PAGE * 2, &vmo));
    ASSERT_OK(mx_aspace_map(own_aspace(), MX_MAP_READ | MX_MAP_WRITE, vmo, 0, PAGE * 2, &at));
    ASSERT_OK(mx_aspace_unmap(own_aspace(), at + PAGE, PAGE));
    char *end = (char *)at + PAGE;
    for (size_t size_bytes = 1; size_bytes <= 80; size_bytes++) {
        EXPECT_OK(mx_vmo_write(vmo, end - size_bytes, PAGE, size_bytes));
        EXPECT_OK(mx_vmo_read(vmo, end - size_bytes, PAGE, size_bytes));
        EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                      mx_vmo_write(vmo, end - size_bytes + 1, PAGE, size_bytes));
        EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                      mx_vmo_read(vmo, end - size_bytes + 1, PAGE, size_bytes));
    }
    ASSERT_OK(mx_aspace_unmap(own_aspace(), at, PAGE));
    close_handle(vmo);
}

TEST(read_and_write_check_their_arguments)
{
    char buffer[16] = {0};
    mx_handle_t vmo, weak, event;

    ASSERT_OK(mx_vmo_create(PAGE, &vmo));
    ASSERT_OK(mx_event_create(&event));
    weak = with_rights(vmo, MX_RIGHT_MAP);
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_vmo_read(MX_HANDLE_INVALID, buffer, 0, 1));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_vmo_read(event, buffer, 0, 1));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_vmo_read(weak, buffer, 0, 1));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_vmo_write(weak, buffer, 0, 1));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_vmo_read(vmo, buffer, PAGE, 1));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_vmo_read(vmo, buffer, PAGE - 8, 16));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_vmo_write(vmo, buffer, UINT64_MAX - 4, 16));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vmo_read(vmo, (void *)16, 0, 16));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vmo_write(vmo, (void *)0xffffffff80100000, 0, 16));
    EXPECT_OK(mx_vmo_read(vmo, buffer, PAGE, 0));
    close_handle(weak);
    close_handle(event);
    close_handle(vmo);
}

TEST(commit_allocates_and_decommit_gives_back)
{
    mx_handle_t vmo;

    ASSERT_OK(mx_vmo_create(PAGE * 16, &vmo));
    ASSERT_OK(mx_vmo_op_range(vmo, MX_VMO_OP_COMMIT, PAGE * 2, PAGE * 4));
    EXPECT_EQ(committed(vmo), PAGE * 4);
    EXPECT_TRUE(set_byte(vmo, PAGE * 3, 9));
    ASSERT_OK(mx_vmo_op_range(vmo, MX_VMO_OP_DECOMMIT, PAGE * 3, PAGE));
    EXPECT_EQ(committed(vmo), PAGE * 3);
    EXPECT_EQ(byte_at(vmo, PAGE * 3), 0);
    close_handle(vmo);
}

TEST(zero_clears)
{
    mx_handle_t vmo;

    ASSERT_OK(mx_vmo_create(PAGE * 2, &vmo));
    EXPECT_TRUE(set_byte(vmo, 5, 9));
    EXPECT_TRUE(set_byte(vmo, PAGE + 5, 9));
    ASSERT_OK(mx_vmo_op_range(vmo, MX_VMO_OP_ZERO, 0, PAGE));
    EXPECT_EQ(byte_at(vmo, 5), 0);
    EXPECT_EQ(byte_at(vmo, PAGE + 5), 9);
    close_handle(vmo);
}

TEST(op_range_checks_its_arguments)
{
    mx_handle_t vmo, weak;

    ASSERT_OK(mx_vmo_create(PAGE * 2, &vmo));
    weak = with_rights(vmo, MX_RIGHT_READ);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vmo_op_range(vmo, 0, 0, PAGE));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vmo_op_range(vmo, 99, 0, PAGE));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vmo_op_range(vmo, MX_VMO_OP_COMMIT, 1, PAGE));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vmo_op_range(vmo, MX_VMO_OP_COMMIT, 0, 100));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_vmo_op_range(vmo, MX_VMO_OP_COMMIT, PAGE, PAGE * 2));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  mx_vmo_op_range(vmo, MX_VMO_OP_ZERO, UINT64_MAX - PAGE + 1, PAGE * 2));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_vmo_op_range(weak, MX_VMO_OP_COMMIT, 0, PAGE));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_vmo_op_range(MX_HANDLE_INVALID, MX_VMO_OP_COMMIT, 0, PAGE));
    close_handle(weak);
    close_handle(vmo);
}

TEST(large_object_is_allocated_sparsely)
{
    mx_handle_t vmo;

    ASSERT_OK(mx_vmo_create((uint64_t)64 << 30, &vmo));
    EXPECT_EQ(committed(vmo), 0u);
    EXPECT_TRUE(set_byte(vmo, ((uint64_t)40 << 30) + 123, 7));
    EXPECT_EQ(byte_at(vmo, ((uint64_t)40 << 30) + 123), 7);
    EXPECT_LE(committed(vmo), (uint64_t)2 << 20);
    close_handle(vmo);
}

TEST(more_memory_than_there_is_is_refused)
{
    uint64_t free_bytes = machine_counts().free_bytes;
    mx_handle_t vmo;

    ASSERT_OK(mx_vmo_create(free_bytes + (64 << 20), &vmo));
    EXPECT_STATUS(MX_ERR_NO_MEMORY, mx_vmo_op_range(vmo, MX_VMO_OP_COMMIT, 0, size_of(vmo)));
    close_handle(vmo);
    EXPECT_LE(free_bytes, machine_counts().free_bytes + (4 << 20));
}

// --- children -----------------------------------------------------------------------------------

TEST(slice_is_a_window_both_ways)
{
    mx_handle_t vmo, slice;

    ASSERT_OK(mx_vmo_create(PAGE * 4, &vmo));
    ASSERT_OK(mx_vmo_create_child(vmo, MX_VMO_CHILD_SLICE, PAGE, PAGE * 2, &slice));
    EXPECT_EQ(size_of(slice), PAGE * 2);
    EXPECT_TRUE(set_byte(vmo, PAGE + 1, 5));
    EXPECT_EQ(byte_at(slice, 1), 5);
    EXPECT_TRUE(set_byte(slice, PAGE + 2, 6));
    EXPECT_EQ(byte_at(vmo, PAGE * 2 + 2), 6);
    close_handle(vmo);
    EXPECT_EQ(byte_at(slice, 1), 5);
    close_handle(slice);
}

TEST(copy_on_write_child_keeps_its_own_writes)
{
    mx_handle_t vmo, child;

    ASSERT_OK(mx_vmo_create(PAGE * 4, &vmo));
    EXPECT_TRUE(set_byte(vmo, PAGE, 1));
    ASSERT_OK(mx_vmo_create_child(vmo, MX_VMO_CHILD_COW, PAGE, PAGE * 2, &child));
    EXPECT_EQ(byte_at(child, 0), 1);
    EXPECT_TRUE(set_byte(child, 0, 2));
    EXPECT_EQ(byte_at(child, 0), 2);
    EXPECT_EQ(byte_at(vmo, PAGE), 1);
    EXPECT_EQ(committed(child), PAGE);
    close_handle(vmo);
    EXPECT_EQ(byte_at(child, 0), 2);
    close_handle(child);
}

TEST(children_of_children_read_through)
{
    mx_handle_t vmo, slice, child, grandchild;

    ASSERT_OK(mx_vmo_create(PAGE * 8, &vmo));
    EXPECT_TRUE(set_byte(vmo, PAGE * 3, 3));
    ASSERT_OK(mx_vmo_create_child(vmo, MX_VMO_CHILD_SLICE, PAGE, PAGE * 6, &slice));
    ASSERT_OK(mx_vmo_create_child(slice, MX_VMO_CHILD_COW, PAGE, PAGE * 4, &child));
    ASSERT_OK(mx_vmo_create_child(child, MX_VMO_CHILD_COW, PAGE, PAGE * 2, &grandchild));
    EXPECT_EQ(byte_at(grandchild, 0), 3);
    EXPECT_TRUE(set_byte(grandchild, 0, 4));
    EXPECT_EQ(byte_at(child, PAGE), 3);
    close_handle(child);
    close_handle(slice);
    close_handle(vmo);
    EXPECT_EQ(byte_at(grandchild, 0), 4);
    close_handle(grandchild);
}

TEST(create_child_checks_its_arguments)
{
    mx_handle_t vmo, weak, child;

    ASSERT_OK(mx_vmo_create(PAGE * 2, &vmo));
    weak = with_rights(vmo, MX_RIGHT_READ);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vmo_create_child(vmo, 0, 0, PAGE, &child));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_vmo_create_child(vmo, MX_VMO_CHILD_SLICE | MX_VMO_CHILD_COW, 0, PAGE, &child));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_vmo_create_child(vmo, MX_VMO_CHILD_SLICE, 1, PAGE, &child));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  mx_vmo_create_child(vmo, MX_VMO_CHILD_COW, PAGE, PAGE * 2, &child));
    EXPECT_STATUS(
        MX_ERR_OUT_OF_RANGE,
        mx_vmo_create_child(vmo, MX_VMO_CHILD_COW, UINT64_MAX - PAGE + 1, PAGE * 2, &child));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  mx_vmo_create_child(weak, MX_VMO_CHILD_COW, 0, PAGE, &child));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_vmo_create_child(0, MX_VMO_CHILD_COW, 0, PAGE, &child));
    close_handle(weak);
    close_handle(vmo);
}

TEST(child_has_no_more_rights_than_the_parents_handle)
{
    struct mx_info_handle info;
    mx_handle_t vmo, weak, child;

    ASSERT_OK(mx_vmo_create(PAGE, &vmo));
    weak = with_rights(vmo, MX_RIGHT_READ | MX_RIGHT_DUPLICATE | MX_RIGHT_INSPECT);
    ASSERT_OK(mx_vmo_create_child(weak, MX_VMO_CHILD_SLICE, 0, PAGE, &child));
    ASSERT_OK(mx_object_get_info(child, MX_INFO_HANDLE, &info, sizeof(info), NULL));
    EXPECT_EQ(info.rights, MX_RIGHT_READ | MX_RIGHT_DUPLICATE | MX_RIGHT_INSPECT);
    close_handle(child);
    ASSERT_OK(mx_vmo_create_child(weak, MX_VMO_CHILD_COW, 0, PAGE, &child));
    ASSERT_OK(mx_object_get_info(child, MX_INFO_HANDLE, &info, sizeof(info), NULL));
    EXPECT_EQ(info.rights, MX_RIGHT_READ | MX_RIGHT_DUPLICATE | MX_RIGHT_INSPECT | MX_RIGHT_WRITE);
    close_handle(child);
    close_handle(weak);
    close_handle(vmo);
}

TEST(decommit_of_a_copy_on_write_parent_or_child_is_refused)
{
    mx_handle_t vmo, child;

    ASSERT_OK(mx_vmo_create(PAGE, &vmo));
    ASSERT_OK(mx_vmo_create_child(vmo, MX_VMO_CHILD_COW, 0, PAGE, &child));
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, mx_vmo_op_range(child, MX_VMO_OP_DECOMMIT, 0, PAGE));
    close_handle(child);
    EXPECT_OK(mx_vmo_op_range(vmo, MX_VMO_OP_DECOMMIT, 0, PAGE));
    close_handle(vmo);
}

TEST(memory_and_objects_are_given_back)
{
    struct machine_counts before = machine_counts();
    mx_handle_t vmo, child;

    for (int i = 0; i < 20; i++) {
        ASSERT_OK(mx_vmo_create(4 << 20, &vmo));
        ASSERT_OK(mx_vmo_op_range(vmo, MX_VMO_OP_COMMIT, 0, 4 << 20));
        ASSERT_OK(mx_vmo_create_child(vmo, i % 2 ? MX_VMO_CHILD_SLICE : MX_VMO_CHILD_COW, 0,
                                      2 << 20, &child));
        EXPECT_TRUE(set_byte(child, 0, 1));
        close_handle(i % 3 ? vmo : child);
        close_handle(i % 3 ? child : vmo);
    }
    EXPECT_TRUE(machine_counts_return_to(&before));
    EXPECT_LE(before.free_bytes, machine_counts().free_bytes + (128 << 10));
}

// --- memory of the machine
// ------------------------------------------------------------------------

TEST(physical_and_contiguous_memory_need_a_resource)
{
    mx_handle_t vmo, mmio, event;
    uint64_t paddr;

    ASSERT_OK(mx_event_create(&event));
    ASSERT_OK(mx_resource_create(root_resource(), MX_RESOURCE_MMIO, 0xfee00000, PAGE, &mmio));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_vmo_create_physical(event, 0, 0xfee00000, PAGE, &vmo));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  mx_vmo_create_physical(root_resource(), 0, 0xfee00000, PAGE, &vmo));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_vmo_create_physical(mmio, 0, 0xfed00000, PAGE, &vmo));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  mx_vmo_create_physical(mmio, 0, 0xfee00000, PAGE * 2, &vmo));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_vmo_create_contiguous(event, PAGE, &vmo, &paddr));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vmo_create_physical(mmio, 2, 0xfee00000, PAGE, &vmo));
    close_handle(mmio);
    ASSERT_OK(mx_resource_create(root_resource(), MX_RESOURCE_MMIO, 0, PAGE, &mmio));
    ASSERT_OK(mx_vmo_create_contiguous(mmio, PAGE * 8, &vmo, &paddr));
    EXPECT_EQ(paddr % PAGE, 0u);
    EXPECT_EQ(committed(vmo), PAGE * 8);
    EXPECT_TRUE(set_byte(vmo, PAGE * 7, 3));
    EXPECT_EQ(byte_at(vmo, PAGE * 7), 3);
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, mx_vmo_op_range(vmo, MX_VMO_OP_DECOMMIT, 0, PAGE));
    close_handle(vmo);
    close_handle(mmio);
    close_handle(event);
}

TEST(physical_memory_is_never_ram)
{
    mx_handle_t vmo, other, mmio;
    uint64_t paddr;

    ASSERT_OK(mx_resource_create(root_resource(), MX_RESOURCE_MMIO, 0, UINT64_MAX, &mmio));
    ASSERT_OK(mx_vmo_create_contiguous(mmio, PAGE * 8, &vmo, &paddr));
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, mx_vmo_create_physical(mmio, 0, paddr, PAGE, &other));
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED,
                  mx_vmo_create_physical(mmio, 0, 0, paddr + PAGE * 8, &other));
    close_handle(vmo);
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, mx_vmo_create_physical(mmio, 0, paddr, PAGE, &other));
    close_handle(mmio);
}
