// The state of an arm64 guest's interrupts, and list registers that stand in for a CPU's.
#include "kernel/arch/arm64/hypervisor/portable/irq_state.h"

#include "kernel/arch/arm64/hypervisor/portable/mpidr.h"
#include "tests/test.h"

#define CPUS  20
#define LISTS 4

static struct irq_state state;
static struct irq_vcpu vcpus[CPUS];
static unsigned notify_count;

static void count_notify(struct irq_vcpu *vcpu)
{
    (void)vcpu;
    notify_count++;
}
static const struct irq_state_ops ops = {count_notify};

static void write_field(uint32_t cpu, enum mx_gic_field field, uint32_t first, uint32_t value,
                        uint32_t mask)
{
    EXPECT_OK(irq_field_write(&state, cpu, field, first, value, mask));
}

static uint32_t read_field(uint32_t cpu, enum mx_gic_field field, uint32_t first)
{
    uint32_t value = 0;

    EXPECT_OK(irq_field_read(&state, cpu, field, first, &value));
    return value;
}

// Everything enabled, group 1, priority 0xa0; SPIs edge-triggered.
static void start(bool has_sgi_sources)
{
    irq_state_init(&state, &ops, has_sgi_sources);
    for (uint32_t i = 0; i < CPUS; i++) {
        irq_vcpu_join(&state, &vcpus[i], i, LISTS);
        write_field(i, MX_GIC_GROUP, 0, UINT32_MAX, UINT32_MAX);
        write_field(i, MX_GIC_ENABLE, 0, UINT32_MAX, UINT32_MAX);
        for (uint32_t first = 0; first < 32; first += 4)
            write_field(i, MX_GIC_PRIORITY, first, 0xa0a0a0a0, UINT32_MAX);
    }
    write_field(0, MX_GIC_CONTROL, 0, 3, UINT32_MAX);
    for (uint32_t first = 32; first < MX_GIC_SPI_END; first += 32) {
        write_field(0, MX_GIC_GROUP, first, UINT32_MAX, UINT32_MAX);
        write_field(0, MX_GIC_EDGE, first, UINT32_MAX, UINT32_MAX);
        write_field(0, MX_GIC_ENABLE, first, UINT32_MAX, UINT32_MAX);
    }
    for (uint32_t first = 32; first < MX_GIC_SPI_END; first += 4)
        write_field(0, MX_GIC_PRIORITY, first, 0xa0a0a0a0, UINT32_MAX);
    for (uint32_t i = 0; i < CPUS; i++)
        irq_vcpu_fill(&state, &vcpus[i]);
    notify_count = 0;
}

static uint32_t listed_count(uint32_t cpu)
{
    return (uint32_t)__builtin_popcount(vcpus[cpu].used_lists);
}

static uint64_t *find_list(uint32_t cpu, uint32_t intid)
{
    for (uint32_t i = 0; i < LISTS; i++)
        if (vcpus[cpu].used_lists >> i & 1 && (uint32_t)vcpus[cpu].lists[i] == intid)
            return &vcpus[cpu].lists[i];
    return NULL;
}

// What the CPU's list registers do when the guest acknowledges and ends interrupts.
static bool guest_takes(uint32_t cpu, uint32_t intid)
{
    uint64_t *list = find_list(cpu, intid);

    if (!list || !(*list & IRQ_LIST_PENDING) || *list & IRQ_LIST_ACTIVE)
        return false;
    *list ^= IRQ_LIST_PENDING | IRQ_LIST_ACTIVE;
    return true;
}

static bool guest_ends(uint32_t cpu, uint32_t intid)
{
    uint64_t *list = find_list(cpu, intid);

    if (!list || !(*list & IRQ_LIST_ACTIVE))
        return false;
    *list &= ~IRQ_LIST_ACTIVE;
    return true;
}

static void refresh(uint32_t cpu)
{
    irq_vcpu_take_back(&state, &vcpus[cpu], 0);
    irq_vcpu_fill(&state, &vcpus[cpu]);
}

TEST(edge_goes_to_a_list_register_once)
{
    start(false);
    irq_raise(&state, 40);
    EXPECT_TRUE(irq_vcpu_has_posted(&vcpus[0]));
    EXPECT_EQ(notify_count, 1u);
    refresh(0);
    EXPECT_FALSE(irq_vcpu_has_posted(&vcpus[0]));
    ASSERT_TRUE(find_list(0, 40));
    EXPECT_EQ(*find_list(0, 40),
              40 | (uint64_t)0xa0 << IRQ_LIST_PRIORITY_SHIFT | IRQ_LIST_PENDING | IRQ_LIST_GROUP1);
    EXPECT_TRUE(guest_takes(0, 40));
    refresh(0);
    EXPECT_TRUE(guest_ends(0, 40));
    refresh(0);
    EXPECT_EQ(listed_count(0), 0u);
    EXPECT_EQ(vcpus[0].active.used_words, 0u);
}

TEST(edge_not_taken_yet_survives_taking_back)
{
    start(false);
    irq_raise(&state, 40);
    refresh(0);
    irq_vcpu_take_back(&state, &vcpus[0], 0);
    EXPECT_EQ(read_field(0, MX_GIC_PENDING, 32), 1u << 8);
    irq_vcpu_fill(&state, &vcpus[0]);
    EXPECT_TRUE(guest_takes(0, 40));
}

TEST(edge_during_its_handler_comes_again)
{
    start(false);
    irq_raise(&state, 40);
    refresh(0);
    EXPECT_TRUE(guest_takes(0, 40));
    irq_raise(&state, 40);
    EXPECT_TRUE(irq_vcpu_has_posted(&vcpus[0]));
    refresh(0);
    EXPECT_EQ(*find_list(0, 40) >> 62, 3u);
    EXPECT_TRUE(guest_ends(0, 40));
    EXPECT_TRUE(guest_takes(0, 40));
    EXPECT_TRUE(guest_ends(0, 40));
    refresh(0);
    EXPECT_EQ(listed_count(0), 0u);
}

TEST(owner_is_told_once_of_what_it_has_not_looked_at)
{
    start(false);
    for (uint32_t intid = 32; intid < 132; intid++)
        irq_raise(&state, intid);
    EXPECT_EQ(notify_count, 1u);
    refresh(0);
    irq_raise(&state, 132);
    EXPECT_EQ(notify_count, 2u);
}

TEST(level_comes_again_while_its_line_is_high)
{
    start(false);
    write_field(0, MX_GIC_EDGE, 32, 0, 1u << 8);
    irq_raise(&state, 40);
    refresh(0);
    ASSERT_TRUE(find_list(0, 40));
    EXPECT_TRUE(*find_list(0, 40) & IRQ_LIST_EOI);
    EXPECT_TRUE(guest_takes(0, 40));
    refresh(0);
    EXPECT_EQ(*find_list(0, 40) >> 62, 2u); // active, not pending
    EXPECT_TRUE(guest_ends(0, 40));
    refresh(0);
    EXPECT_TRUE(guest_takes(0, 40));
    irq_lower(&state, 40);
    EXPECT_TRUE(guest_ends(0, 40));
    refresh(0);
    EXPECT_EQ(listed_count(0), 0u);
}

TEST(level_that_goes_before_it_is_taken_is_not_delivered)
{
    start(false);
    write_field(0, MX_GIC_EDGE, 32, 0, 1u << 8);
    irq_raise(&state, 40);
    refresh(0);
    irq_lower(&state, 40);
    EXPECT_TRUE(irq_vcpu_has_posted(&vcpus[0]));
    refresh(0);
    EXPECT_EQ(listed_count(0), 0u);
}

TEST(level_made_pending_by_software_stays_so_without_its_line)
{
    start(false);
    write_field(0, MX_GIC_EDGE, 32, 0, 1u << 8);
    write_field(0, MX_GIC_PENDING, 32, 1u << 8, 1u << 8);
    refresh(0);
    refresh(0);
    EXPECT_TRUE(guest_takes(0, 40));
    EXPECT_TRUE(guest_ends(0, 40));
    refresh(0);
    EXPECT_EQ(listed_count(0), 0u);
    EXPECT_EQ(read_field(0, MX_GIC_PENDING, 32), 0u);
}

TEST(clearing_pending_of_a_level_leaves_the_line)
{
    start(false);
    write_field(0, MX_GIC_EDGE, 32, 0, 1u << 8);
    write_field(0, MX_GIC_ENABLE, 32, 0, 1u << 8);
    irq_raise(&state, 40);
    write_field(0, MX_GIC_PENDING, 32, 0, 1u << 8);
    EXPECT_EQ(read_field(0, MX_GIC_PENDING, 32), 1u << 8);
    irq_lower(&state, 40);
    EXPECT_EQ(read_field(0, MX_GIC_PENDING, 32), 0u);
}

TEST(more_pending_than_list_registers_go_by_priority)
{
    start(false);
    for (uint32_t i = 0; i < 8; i++) {
        write_field(0, MX_GIC_PRIORITY, 40 + i / 4 * 4, (0x80 - i * 8) << i % 4 * 8,
                    0xffu << i % 4 * 8);
        irq_raise(&state, 40 + i);
    }
    refresh(0);
    EXPECT_EQ(listed_count(0), (uint32_t)LISTS);
    EXPECT_TRUE(vcpus[0].wants_underflow);
    for (uint32_t i = 4; i < 8; i++)
        EXPECT_TRUE(guest_takes(0, 40 + i) && guest_ends(0, 40 + i));
    refresh(0);
    EXPECT_FALSE(vcpus[0].wants_underflow);
    for (uint32_t i = 0; i < 4; i++)
        EXPECT_TRUE(guest_takes(0, 40 + i) && guest_ends(0, 40 + i));
}

TEST(urgent_interrupt_finds_a_place_beside_active_ones)
{
    start(false);
    for (uint32_t i = 0; i < LISTS; i++)
        irq_raise(&state, 40 + i);
    refresh(0);
    for (uint32_t i = 0; i < LISTS; i++)
        EXPECT_TRUE(guest_takes(0, 40 + i));
    write_field(0, MX_GIC_PRIORITY, 48, 0x10, 0xff);
    irq_raise(&state, 48);
    refresh(0);
    EXPECT_TRUE(guest_takes(0, 48));
    EXPECT_TRUE(vcpus[0].wants_not_present);
    EXPECT_TRUE(guest_ends(0, 48));
    // One of the four has no list register; the guest ends it all the same.
    irq_vcpu_take_back(&state, &vcpus[0], 1);
    EXPECT_EQ(__builtin_popcount(read_field(0, MX_GIC_ACTIVE, 32)), 3);
    irq_vcpu_fill(&state, &vcpus[0]);
    EXPECT_FALSE(vcpus[0].wants_not_present);
}

TEST(disabled_interrupts_and_groups_wait)
{
    start(false);
    write_field(0, MX_GIC_ENABLE, 32, 0, 1u << 8);
    irq_raise(&state, 40);
    EXPECT_FALSE(irq_vcpu_has_posted(&vcpus[0]));
    write_field(0, MX_GIC_CONTROL, 0, 1, UINT32_MAX);
    write_field(0, MX_GIC_ENABLE, 32, 1u << 8, 1u << 8);
    EXPECT_FALSE(irq_vcpu_has_posted(&vcpus[0]));
    write_field(0, MX_GIC_CONTROL, 0, 3, UINT32_MAX);
    EXPECT_TRUE(irq_vcpu_has_posted(&vcpus[0]));
    refresh(0);
    EXPECT_EQ(listed_count(0), 1u);
    write_field(0, MX_GIC_CONTROL, 0, 0, UINT32_MAX);
    EXPECT_TRUE(irq_vcpu_has_posted(&vcpus[0]));
    refresh(0);
    EXPECT_EQ(listed_count(0), 0u);
    EXPECT_EQ(read_field(0, MX_GIC_PENDING, 32), 1u << 8);
}

TEST(target_moves_a_pending_interrupt)
{
    start(false);
    irq_raise(&state, 40);
    refresh(0);
    write_field(0, MX_GIC_TARGET, 40, 3, UINT32_MAX);
    EXPECT_FALSE(irq_vcpu_has_posted(&vcpus[3]));
    EXPECT_TRUE(irq_vcpu_has_posted(&vcpus[0]));
    refresh(0);
    EXPECT_EQ(listed_count(0), 0u);
    EXPECT_TRUE(irq_vcpu_has_posted(&vcpus[3]));
    refresh(3);
    EXPECT_TRUE(guest_takes(3, 40));
    // While it is active it stays with the vCPU that took it.
    write_field(0, MX_GIC_TARGET, 40, 0, UINT32_MAX);
    irq_raise(&state, 40);
    refresh(3);
    EXPECT_TRUE(guest_ends(3, 40));
    write_field(0, MX_GIC_TARGET, 41, MX_GIC_TARGET_NONE, UINT32_MAX);
    EXPECT_EQ(read_field(0, MX_GIC_TARGET, 41), MX_GIC_TARGET_NONE);
    irq_raise(&state, 41);
    refresh(0);
    EXPECT_EQ(find_list(0, 41), NULL);
}

TEST(vcpu_that_joins_finds_what_waits_for_it)
{
    start(false);
    irq_vcpu_leave(&state, &vcpus[5]);
    write_field(0, MX_GIC_TARGET, 40, 5, UINT32_MAX);
    irq_raise(&state, 40);
    irq_vcpu_join(&state, &vcpus[5], 5, LISTS);
    refresh(5);
    EXPECT_TRUE(guest_takes(5, 40));
    irq_vcpu_leave(&state, &vcpus[5]);
    irq_vcpu_leave(&state, &vcpus[5]);
    irq_raise(&state, 40);
    EXPECT_EQ(read_field(0, MX_GIC_ACTIVE, 32), 0u);
}

TEST(sgi_goes_to_the_vcpus_of_its_target_list)
{
    uint64_t value = (uint64_t)5 << 24 | 1u << 16 | 0xa; // aff1 1, targets 17 and 19

    start(false);
    irq_send_sgi(&state, &vcpus[0], value, true);
    for (uint32_t i = 0; i < CPUS; i++)
        EXPECT_EQ(irq_vcpu_has_posted(&vcpus[i]), i == 17 || i == 19);
    refresh(19);
    EXPECT_TRUE(guest_takes(19, 5));
    // Clusters that are not there, ranges, other groups.
    notify_count = 0;
    irq_send_sgi(&state, &vcpus[0], value | (uint64_t)9 << 16, true);
    irq_send_sgi(&state, &vcpus[0], (uint64_t)1 << 48 | 1, true);
    irq_send_sgi(&state, &vcpus[0], (uint64_t)1 << 44 | 1, true);
    irq_send_sgi(&state, &vcpus[0], (uint64_t)1 << 32 | 1, true);
    irq_send_sgi(&state, &vcpus[0], (uint64_t)255 << 16 | 0xffff, true);
    irq_send_sgi(&state, &vcpus[0], 1, false);
    EXPECT_EQ(notify_count, 0u);
}

TEST(sgi_to_all_spares_its_sender)
{
    start(false);
    irq_send_sgi(&state, &vcpus[2], (uint64_t)1 << 40 | (uint64_t)15 << 24, true);
    for (uint32_t i = 0; i < CPUS; i++)
        EXPECT_EQ(irq_vcpu_has_posted(&vcpus[i]), i != 2);
}

TEST(gicv2_sgi_comes_once_for_each_source)
{
    start(true);
    write_field(1, MX_GIC_SGI_SOURCES, 4, 0x28u << 8, 0x28u << 8); // SGI 5 from vCPUs 3 and 5
    EXPECT_EQ(read_field(1, MX_GIC_PENDING, 0), 1u << 5);
    refresh(1);
    for (uint32_t source = 3; source <= 5; source += 2) {
        uint64_t list = vcpus[1].lists[0];
        EXPECT_EQ(listed_count(1), 1u);
        EXPECT_EQ(list & 0x3ff, 5u);
        EXPECT_EQ(list >> IRQ_LIST_SOURCE_SHIFT & 7, source);
        EXPECT_EQ(!!(list & IRQ_LIST_EOI), source == 3);
        vcpus[1].lists[0] ^= IRQ_LIST_PENDING | IRQ_LIST_ACTIVE;
        refresh(1);
        EXPECT_EQ(vcpus[1].lists[0] >> IRQ_LIST_SOURCE_SHIFT & 7, source);
        vcpus[1].lists[0] &= ~IRQ_LIST_ACTIVE;
        refresh(1);
    }
    EXPECT_EQ(listed_count(1), 0u);
}

TEST(lpis_are_configured_and_go_to_their_vcpu)
{
    start(false);
    irq_raise(&state, 8192);
    EXPECT_EQ(notify_count, 0u);
    EXPECT_OK(irq_set_lpi(&state, 8192, 2, 0x40, true));
    EXPECT_TRUE(irq_vcpu_has_posted(&vcpus[2]));
    refresh(2);
    EXPECT_TRUE(guest_takes(2, 8192));
    EXPECT_TRUE(guest_ends(2, 8192));
    EXPECT_OK(irq_set_lpi(&state, 8192 + 1023, MX_GIC_TARGET_NONE, 0, false));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, irq_set_lpi(&state, 8192 + 1024, 0, 0, true));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, irq_set_lpi(&state, 40, 0, 0, true));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, irq_set_lpi(&state, 8192, 64, 0, true));
    write_field(0, MX_GIC_PENDING, 8192, 1u << 1, 1u << 1);
    EXPECT_EQ(read_field(0, MX_GIC_PENDING, 8192), 1u << 1);
}

TEST(ppi_with_a_physical_interrupt_is_listed_with_it)
{
    start(false);
    vcpus[0].hardware_ppis = 1u << 27;
    irq_set_private_line(&state, &vcpus[0], 27, true);
    refresh(0);
    EXPECT_EQ(vcpus[0].lists[0] & 0xffffffff, 27u);
    EXPECT_TRUE(vcpus[0].lists[0] & IRQ_LIST_HW);
    EXPECT_EQ(vcpus[0].lists[0] >> IRQ_LIST_HW_ID_SHIFT & 0x3ff, 27u);
    vcpus[0].lists[0] ^= IRQ_LIST_PENDING | IRQ_LIST_ACTIVE;
    refresh(0);
    EXPECT_EQ(vcpus[0].lists[0] >> 62, 2u); // never pending and active with HW
    vcpus[0].lists[0] &= ~IRQ_LIST_ACTIVE;
    irq_vcpu_take_back(&state, &vcpus[0], 0);
    irq_set_private_line(&state, &vcpus[0], 27, false);
    irq_vcpu_fill(&state, &vcpus[0]);
    EXPECT_EQ(listed_count(0), 0u);
}

TEST(deliverable_looks_at_mask_and_groups)
{
    start(false);
    irq_raise(&state, 40);
    EXPECT_TRUE(irq_vcpu_has_deliverable(&state, &vcpus[0], 0xf0, 2));
    EXPECT_FALSE(irq_vcpu_has_deliverable(&state, &vcpus[0], 0xa0, 2));
    EXPECT_FALSE(irq_vcpu_has_deliverable(&state, &vcpus[0], 0xf0, 1));
}

TEST(frozen_state_fills_no_list_register)
{
    start(false);
    irq_raise(&state, 40);
    refresh(0);
    EXPECT_TRUE(guest_takes(0, 40));
    EXPECT_TRUE(irq_field_is_listed(&state, 0, MX_GIC_ACTIVE, 32));
    EXPECT_FALSE(irq_field_is_listed(&state, 0, MX_GIC_ENABLE, 32));
    irq_state_freeze(&state);
    irq_vcpu_take_back(&state, &vcpus[0], 0);
    irq_vcpu_fill(&state, &vcpus[0]);
    EXPECT_EQ(listed_count(0), 0u);
    EXPECT_TRUE(vcpus[0].wants_not_present);
    EXPECT_EQ(read_field(0, MX_GIC_ACTIVE, 32), 1u << 8);
    write_field(0, MX_GIC_ACTIVE, 32, 0, 1u << 8);
    write_field(0, MX_GIC_ACTIVE, 32, 1u << 9, 1u << 9);
    irq_state_thaw(&state);
    EXPECT_TRUE(irq_vcpu_has_posted(&vcpus[0]));
    refresh(0);
    EXPECT_TRUE(guest_ends(0, 41));
}

TEST(fields_check_their_arguments)
{
    uint32_t value;

    start(false);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, irq_field_read(&state, 0, MX_GIC_FIELD_COUNT, 0, &value));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, irq_field_read(&state, 0, UINT32_MAX, 0, &value));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, irq_field_read(&state, 0, MX_GIC_ENABLE, 33, &value));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, irq_field_read(&state, 0, MX_GIC_PRIORITY, 34, &value));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, irq_field_read(&state, 0, MX_GIC_ENABLE, 992, &value));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  irq_field_read(&state, 0, MX_GIC_ENABLE, 8192 + 1024, &value));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, irq_field_read(&state, CPUS, MX_GIC_ENABLE, 0, &value));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, irq_field_read(&state, 64, MX_GIC_ENABLE, 0, &value));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, irq_field_read(&state, 0, MX_GIC_TARGET, 5, &value));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, irq_field_read(&state, 0, MX_GIC_SGI_SOURCES, 16, &value));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, irq_field_write(&state, 0, MX_GIC_CONTROL, 1, 0, 0));
    EXPECT_FALSE(irq_is_shared(31) || irq_is_shared(992) || irq_is_shared(8191) ||
                 irq_is_shared(9216) || irq_is_shared(UINT64_MAX));
    EXPECT_TRUE(irq_is_shared(32) && irq_is_shared(991) && irq_is_shared(8192) &&
                irq_is_shared(9215));
}

TEST(affinities_name_vcpus)
{
    uint32_t id;

    for (uint32_t i = 0; i < 64; i++) {
        ASSERT_TRUE(mpidr_find_vcpu(mpidr_of_vcpu(i) & MPIDR_AFFINITY_MASK, 64, &id));
        EXPECT_EQ(id, i);
    }
    EXPECT_FALSE(mpidr_find_vcpu(0x10, 64, &id));
    EXPECT_FALSE(mpidr_find_vcpu(0x400, 64, &id));
    EXPECT_FALSE(mpidr_find_vcpu((uint64_t)1 << 32, 64, &id));
    EXPECT_FALSE(mpidr_find_vcpu(MPIDR_RES1, 64, &id));
}
