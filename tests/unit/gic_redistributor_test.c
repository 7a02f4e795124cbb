// Redistributors and the GICv2m frame as Linux's irq-gic-v3 and irq-gic-v2m drivers use them, and
// at their edges.
#include "tests/test.h"
#include "tests/unit/gic_fixture.h"
#include "vmm/arm64/gic_redistributor.h"
#include "vmm/arm64/gicv2m.h"

#define GICR_CTLR       0x00
#define GICR_IIDR       0x04
#define GICR_TYPER      0x08
#define GICR_WAKER      0x14
#define GICR_PROPBASER  0x70
#define GICR_PENDBASER  0x78
#define GICR_INVLPIR    0xa0
#define GICR_INVALLR    0xb0
#define GICR_SYNCR      0xc0
#define GICR_PIDR2      0xffe8
#define GICR_IGROUPR0   0x10080
#define GICR_ISENABLER0 0x10100
#define GICR_ICENABLER0 0x10180
#define GICR_ISPENDR0   0x10200
#define GICR_ICPENDR0   0x10280
#define GICR_ICACTIVER0 0x10380
#define GICR_IPRIORITYR 0x10400
#define GICR_ICFGR0     0x10c00
#define GICR_ICFGR1     0x10c04

#define STRIDE      0x20000
#define RAM_BASE    0x40000000
#define PROP_OFFSET 0x10000

static struct fake_gic fake;
static struct gic_redistributors gic;
static struct gic_lpis lpis;
static struct guest_memory memory;
static uint8_t ram[0x20000];

static void start(uint32_t vcpu_count, bool has_lpis)
{
    fake_gic_start(&fake, vcpu_count, 32);
    memset(ram, 0, sizeof(ram));
    memory = (struct guest_memory){0};
    EXPECT_OK(guest_memory_add_region(&memory, RAM_BASE, sizeof(ram), ram));
    gic_lpis_init(&lpis, &fake.machine, &memory);
    gic_redistributors_init(&gic, &fake.machine, has_lpis ? &lpis : NULL);
}

static uint64_t in_width(uint64_t offset, unsigned width_bytes)
{
    return gic_redistributors_ops.read(&gic, offset, width_bytes);
}

static void out_width(uint64_t offset, unsigned width_bytes, uint64_t value)
{
    gic_redistributors_ops.write(&gic, offset, width_bytes, value);
}

static uint32_t in(uint64_t offset)
{
    return (uint32_t)in_width(offset, 4);
}

static void out(uint64_t offset, uint32_t value)
{
    out_width(offset, 4, value);
}

// gic_iterate_rdists: to the one with the CPU's affinity, no further than the last.
TEST(gic_redistributors_are_found_by_affinity)
{
    start(18, true);
    for (uint64_t i = 0; i < 18; i++) {
        const uint64_t typer = in_width(i * STRIDE + GICR_TYPER, 8);
        EXPECT_EQ(in(i * STRIDE + GICR_PIDR2) >> 4 & 15, 3);
        EXPECT_EQ(typer >> 32, i / 16 << 8 | i % 16);
        EXPECT_EQ(typer >> 8 & 0xffff, i);
        EXPECT_EQ(typer >> 4 & 1, i == 17);
        EXPECT_EQ(typer & 1, 1); // PLPIS
        EXPECT_EQ(typer >> 1 & 1, 0);
        EXPECT_EQ(in(i * STRIDE + GICR_TYPER), (uint32_t)typer);
        EXPECT_EQ(in(i * STRIDE + GICR_TYPER + 4), (uint32_t)(typer >> 32));
    }
    EXPECT_EQ(in_width(18 * STRIDE + GICR_TYPER, 8), 0);
    EXPECT_EQ(in(18 * STRIDE + GICR_PIDR2), 0);
}

// gic_enable_redist waits for ChildrenAsleep to follow.
TEST(gic_redistributor_wakes_and_sleeps)
{
    start(2, true);
    EXPECT_EQ(in(GICR_WAKER), 6);
    out(GICR_WAKER, in(GICR_WAKER) & ~2u);
    EXPECT_EQ(in(GICR_WAKER), 0);
    EXPECT_EQ(in(STRIDE + GICR_WAKER), 6);
    out(GICR_WAKER, in(GICR_WAKER) | 2);
    EXPECT_EQ(in(GICR_WAKER), 6);
}

// gic_cpu_init and gic_cpu_config.
TEST(gic_redistributor_goes_through_linux_start)
{
    start(2, true);
    const uint64_t base = STRIDE;
    out(base + GICR_WAKER, 0);
    out(base + GICR_IGROUPR0, 0xffffffff);
    out(base + GICR_ICACTIVER0, 0xffffffff);
    out(base + GICR_ICENABLER0, 0xffffffff);
    for (unsigned i = 0; i < 32; i += 4)
        out(base + GICR_IPRIORITYR + i, 0xa0a0a0a0);
    EXPECT_EQ(in(base + GICR_CTLR) & 0x80000008, 0); // UWP, RWP
    out(base + GICR_ISENABLER0, 0x0800ffff);
    EXPECT_TRUE(fake.banks[1][27].is_enabled && fake.banks[1][27].is_group1);
    EXPECT_EQ(fake.banks[1][27].priority, 0xa0);
    EXPECT_FALSE(fake.banks[0][27].is_enabled || fake.banks[0][27].is_group1);
    EXPECT_EQ(in(base + GICR_ISENABLER0), 0x0800ffff);
    out(base + GICR_ISPENDR0, 1); // SGIs, too: there are no sources
    EXPECT_TRUE(fake.banks[1][0].is_pending);
    EXPECT_EQ(in(base + GICR_ICPENDR0), 1);
    EXPECT_EQ(in(base + GICR_ICFGR0), 0xaaaaaaaa);
    out(base + GICR_ICFGR0, 0);
    out(base + GICR_ICFGR1, 2);
    EXPECT_EQ(in(base + GICR_ICFGR0), 0xaaaaaaaa);
    EXPECT_EQ(in(base + GICR_ICFGR1), 2);
    out_width(base + GICR_IPRIORITYR + 17, 1, 0x17);
    EXPECT_EQ(in(base + GICR_IPRIORITYR + 16), 0xa0a010a0);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

// its_cpu_init_lpis.
TEST(gic_redistributor_enables_lpis_with_their_tables)
{
    start(1, true);
    EXPECT_EQ(in(GICR_CTLR), 6); // CES, IR
    const uint64_t propbaser = RAM_BASE + PROP_OFFSET + 0x788 + 13 - 8;
    out_width(GICR_PROPBASER, 8, propbaser);
    EXPECT_EQ(in_width(GICR_PROPBASER, 8), propbaser);
    out_width(GICR_PENDBASER, 8, UINT64_C(1) << 62 | 0x50000788);
    EXPECT_EQ(in_width(GICR_PENDBASER, 8), 0x50000780);
    out(GICR_CTLR, 1);
    EXPECT_EQ(in(GICR_CTLR), 7);
    out_width(GICR_PROPBASER, 8, 0); // not while enabled
    out(GICR_PENDBASER, 0);
    EXPECT_EQ(in_width(GICR_PROPBASER, 8), propbaser);
    EXPECT_EQ(in_width(GICR_PENDBASER, 8), 0x50000780);
    out(GICR_CTLR, 0);
    EXPECT_EQ(in(GICR_CTLR), 6);
    out(GICR_PROPBASER + 4, 0xffffffff);
    EXPECT_EQ(in(GICR_PROPBASER + 4), 0x070fffff);
    EXPECT_EQ(in(GICR_PROPBASER), (uint32_t)propbaser);
}

static void route_with_config(uint32_t intid, uint32_t vcpu_id, uint8_t config)
{
    ram[PROP_OFFSET + intid - GIC_LPI_BASE] = config;
    gic_lpis_route(&lpis, intid, vcpu_id);
}

static void enable_lpis(uint64_t vcpu_id)
{
    out_width(vcpu_id * STRIDE + GICR_PROPBASER, 8, RAM_BASE + PROP_OFFSET + 13);
    out(vcpu_id * STRIDE + GICR_CTLR, 1);
}

TEST(gic_lpi_has_the_configuration_of_the_guests_table)
{
    start(2, true);
    enable_lpis(0);
    route_with_config(8200, 0, 0xa3);
    EXPECT_EQ(fake.lpis[8].priority, 0xa0);
    EXPECT_TRUE(fake.lpis[8].is_enabled);
    EXPECT_EQ(fake.lpis[8].vcpu_id, 0);
    ram[PROP_OFFSET + 8] = 0x40;
    EXPECT_TRUE(fake.lpis[8].is_enabled); // until it is invalidated
    out_width(GICR_INVLPIR, 8, 8200);
    EXPECT_EQ(fake.lpis[8].priority, 0x40);
    EXPECT_FALSE(fake.lpis[8].is_enabled);
    EXPECT_EQ(in(GICR_SYNCR), 0);
    ram[PROP_OFFSET + 8] = 0x41;
    out_width(STRIDE + GICR_INVLPIR, 8, 8200); // not there
    out_width(STRIDE + GICR_INVALLR, 8, 0);
    EXPECT_FALSE(fake.lpis[8].is_enabled);
    out_width(GICR_INVALLR, 8, 0);
    EXPECT_TRUE(fake.lpis[8].is_enabled);
    const unsigned set_lpi_count = fake.set_lpi_count;
    out_width(GICR_INVALLR, 8, 0); // nothing new
    EXPECT_EQ(fake.set_lpi_count, set_lpi_count);
}

TEST(gic_lpi_is_disabled_while_its_redistributor_has_them_disabled)
{
    start(2, true);
    route_with_config(8192, 1, 0x81);
    EXPECT_FALSE(fake.lpis[0].is_enabled);
    enable_lpis(1);
    EXPECT_TRUE(fake.lpis[0].is_enabled);
    out(STRIDE + GICR_CTLR, 0);
    EXPECT_FALSE(fake.lpis[0].is_enabled);
}

TEST(gic_lpi_outside_of_the_table_or_of_memory_is_disabled)
{
    start(1, true);
    out_width(GICR_PROPBASER, 8, RAM_BASE + PROP_OFFSET + 12); // 13 bits: to 8191
    out(GICR_CTLR, 1);
    route_with_config(8192, 0, 0x81);
    EXPECT_FALSE(fake.lpis[0].is_enabled);
    out(GICR_CTLR, 0);
    out_width(GICR_PROPBASER, 8, UINT64_C(0x000ffffffffff000) | 31);
    out(GICR_CTLR, 1);
    EXPECT_FALSE(fake.lpis[0].is_enabled);
    out(GICR_CTLR, 0);
    out_width(GICR_PROPBASER, 8, RAM_BASE + sizeof(ram) - 0x1000 + 0x1f);
    ram[sizeof(ram) - 0x1000] = 1;
    out(GICR_CTLR, 1);
    EXPECT_TRUE(fake.lpis[0].is_enabled);
    out_width(GICR_INVLPIR, 8, 0xffffffff); // no such LPI
    out_width(GICR_INVLPIR, 8, 8191);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(gic_redistributor_without_lpis_has_none_of_their_registers)
{
    start(1, false);
    EXPECT_EQ(in_width(GICR_TYPER, 8) & 1, 0);
    out_width(GICR_PROPBASER, 8, UINT64_MAX);
    out(GICR_CTLR, 1);
    out_width(GICR_INVALLR, 8, 0);
    EXPECT_EQ(in_width(GICR_PROPBASER, 8) | in(GICR_CTLR), 0);
    gic_redistributors_ops.reset(&gic);
    EXPECT_EQ(in(GICR_WAKER), 6);
}

TEST(gic_redistributor_answers_strange_accesses_with_nothing)
{
    start(2, true);
    for (unsigned width = 1; width <= 8; width *= 2) {
        for (uint64_t offset = 0; offset < 3 * STRIDE; offset++) {
            out_width(offset, width, UINT64_MAX >> (64 - 8 * width));
            if (offset % width != 0 || offset >= 2 * STRIDE)
                EXPECT_EQ(in_width(offset, width), 0);
        }
    }
    EXPECT_EQ(in_width(GICR_CTLR, 8) | in_width(GICR_TYPER, 1) | in(GICR_IIDR), 0);
    EXPECT_EQ(in(0x10000) | in(0x10104) | in(0x10d00), 0);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(gic_redistributor_reset_undoes_all)
{
    start(2, true);
    enable_lpis(1);
    route_with_config(8192, 1, 0x81);
    out(STRIDE + GICR_WAKER, 0);
    out(STRIDE + GICR_ISENABLER0, 0xffffffff);
    out(STRIDE + GICR_ISPENDR0, 0xffffffff);
    out(STRIDE + GICR_IPRIORITYR + 28, 0xffffffff);
    gic_redistributors_ops.reset(&gic);
    EXPECT_EQ(in(STRIDE + GICR_WAKER), 6);
    EXPECT_EQ(in(STRIDE + GICR_CTLR), 6);
    EXPECT_EQ(in_width(STRIDE + GICR_PROPBASER, 8), 0);
    EXPECT_EQ(in(STRIDE + GICR_ISENABLER0) | in(STRIDE + GICR_ISPENDR0), 0);
    EXPECT_EQ(in(STRIDE + GICR_IPRIORITYR + 28), 0);
    EXPECT_FALSE(fake.lpis[0].is_enabled);
}

TEST(gic_redistributor_shows_what_reads_would_give)
{
    static uint8_t page[GIC_REDISTRIBUTOR_SHOWN_BYTES];
    start(2, true);
    memset(page, 0, sizeof(page));
    gic_redistributors_show(&gic, 1, page);
    for (unsigned round = 0; round < 3; round++) {
        for (uint64_t offset = 0; offset < sizeof(page); offset += 4) {
            uint32_t shown;
            memcpy(&shown, page + offset, sizeof(shown));
            EXPECT_EQ(shown, in(STRIDE + offset));
        }
        if (round == 0) {
            out(STRIDE + GICR_WAKER, 0);
            enable_lpis(1);
        } else {
            gic_redistributors_ops.reset(&gic);
        }
    }
}

// --- GICv2m -------------------------------------------------------------------------------------

TEST(gicv2m_frame_tells_its_spis)
{
    struct gicv2m frame;
    start(1, false);
    gicv2m_init(&frame, &fake.machine, 48, 16);
    EXPECT_EQ(gicv2m_ops.read(&frame, 0x008, 4), 48 << 16 | 16);
    EXPECT_EQ(gicv2m_ops.read(&frame, 0xfcc, 4), 0);
    EXPECT_EQ(gicv2m_ops.read(&frame, 0xff0, 4), 0x0d);
    EXPECT_EQ(gicv2m_ops.read(&frame, 0x040, 4), 0);
    EXPECT_EQ(gicv2m_ops.read(&frame, 0x008, 8), 0);
    EXPECT_EQ(gicv2m_ops.read(&frame, 0x009, 4), 0);
}

TEST(gicv2m_frame_makes_only_its_own_spis_pending)
{
    struct gicv2m frame;
    start(1, false);
    gicv2m_init(&frame, &fake.machine, 48, 16);
    gicv2m_ops.write(&frame, 0x040, 4, 48);
    gicv2m_ops.write(&frame, 0x040, 2, 63);
    EXPECT_TRUE(fake.spis[16].is_pending && fake.spis[31].is_pending);
    EXPECT_EQ(fake.write_count, 2);
    gicv2m_ops.write(&frame, 0x040, 4, 47);
    gicv2m_ops.write(&frame, 0x040, 4, 64);
    gicv2m_ops.write(&frame, 0x040, 4, UINT32_MAX);
    gicv2m_ops.write(&frame, 0x040, 1, 50);
    gicv2m_ops.write(&frame, 0x040, 8, 50);
    gicv2m_ops.write(&frame, 0x044, 4, 50);
    gicv2m_ops.write(&frame, 0x008, 4, 50);
    EXPECT_EQ(fake.write_count, 2);
}

TEST(gicv2m_message_becomes_the_spi_in_it)
{
    struct gicv2m frame;
    uint32_t intid = 0;
    start(1, false);
    gicv2m_init(&frame, &fake.machine, 48, 16);
    EXPECT_TRUE(gicv2m_translate(&frame, GICV2M_SETSPI_NS, 50, &intid));
    EXPECT_EQ(intid, 50);
    EXPECT_FALSE(gicv2m_translate(&frame, GICV2M_SETSPI_NS, 32, &intid));
    EXPECT_FALSE(gicv2m_translate(&frame, GICV2M_SETSPI_NS, 64, &intid));
    EXPECT_FALSE(gicv2m_translate(&frame, GICV2M_SETSPI_NS + 8, 50, &intid));
}
