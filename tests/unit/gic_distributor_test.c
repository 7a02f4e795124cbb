// The distributor of both versions as Linux's irq-gic and irq-gic-v3 drivers use it, and at its
// edges.
#include "tests/test.h"
#include "tests/unit/gic_fixture.h"
#include "vmm/arm64/gic_distributor.h"

#define CTLR       0x000
#define TYPER      0x004
#define IIDR       0x008
#define IGROUPR    0x080
#define ISENABLER  0x100
#define ICENABLER  0x180
#define ISPENDR    0x200
#define ICPENDR    0x280
#define ISACTIVER  0x300
#define ICACTIVER  0x380
#define IPRIORITYR 0x400
#define ITARGETSR  0x800
#define ICFGR      0xc00
#define IGRPMODR   0xd00
#define SGIR       0xf00
#define CPENDSGIR  0xf10
#define SPENDSGIR  0xf20
#define IROUTER    0x6000

static struct fake_gic fake;
static struct gic_distributor gic;

static uint32_t in(uint64_t offset)
{
    return (uint32_t)gic_distributor_ops.read(&gic, offset, 4);
}

static void out(uint64_t offset, uint32_t value)
{
    gic_distributor_ops.write(&gic, offset, 4, value);
}

static uint64_t in_width(uint64_t offset, unsigned width_bytes)
{
    return gic_distributor_ops.read(&gic, offset, width_bytes);
}

static void out_width(uint64_t offset, unsigned width_bytes, uint64_t value)
{
    gic_distributor_ops.write(&gic, offset, width_bytes, value);
}

static void start_v2(uint32_t vcpu_count, uint32_t spi_count)
{
    fake_gic_start(&fake, vcpu_count, spi_count);
    gic_distributor_init_v2(&gic, &fake.machine);
}

static void start_v3(uint32_t vcpu_count, uint32_t spi_count, bool has_lpis)
{
    fake_gic_start(&fake, vcpu_count, spi_count);
    gic_distributor_init_v3(&gic, &fake.machine, has_lpis);
}

// --- GICv2 --------------------------------------------------------------------------------------

TEST(gicv2_distributor_tells_what_it_is)
{
    start_v2(4, 224);
    EXPECT_EQ(in(CTLR), 0);
    EXPECT_EQ(in(TYPER), 7 | 3 << 5);
    EXPECT_EQ(in(IIDR), 0);
    EXPECT_EQ(in(0xfe8) >> 4 & 15, 2);
    EXPECT_EQ(in(0xff0) | in(0xff4) << 8 | in(0xff8) << 16 | in(0xffc) << 24, 0xb105f00d);
}

// gic_dist_init and gic_cpu_init.
TEST(gicv2_distributor_goes_through_linux_start)
{
    start_v2(2, 64);
    out(CTLR, 0);
    EXPECT_EQ(in(ITARGETSR), 0x01010101); // gic_get_cpumask
    for (unsigned i = 32; i < 96; i += 4)
        out(ITARGETSR + i, 0x01010101);
    for (unsigned i = 32; i < 96; i += 16)
        out(ICFGR + i / 4, 0);
    for (unsigned i = 32; i < 96; i += 4)
        out(IPRIORITYR + i, 0xa0a0a0a0);
    for (unsigned i = 32; i < 96; i += 32) {
        out(ICACTIVER + i / 8, 0xffffffff);
        out(ICENABLER + i / 8, 0xffffffff);
    }
    out(CTLR, 1);
    gic_distributor_set_accessor(&gic, 1);
    EXPECT_EQ(in(ITARGETSR + 28), 0x02020202);
    out(ICENABLER, 0xffff0000);
    out(ISENABLER, 0x0000ffff);
    out(IPRIORITYR + 16, 0xa0a0a0a0);
    EXPECT_EQ(fake.control, 1);
    EXPECT_EQ(in(CTLR), 1);
    EXPECT_TRUE(fake.banks[1][0].is_enabled && fake.banks[1][15].is_enabled);
    EXPECT_FALSE(fake.banks[1][16].is_enabled || fake.banks[0][0].is_enabled);
    EXPECT_EQ(fake.banks[1][16].priority, 0xa0);
    EXPECT_EQ(fake.banks[0][16].priority, 0);
    EXPECT_EQ(fake.spis[0].priority, 0xa0);
    EXPECT_EQ(fake.spis[63].priority, 0xa0);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(gicv2_distributor_sends_an_spi_to_the_first_of_its_targets)
{
    start_v2(4, 32);
    EXPECT_EQ(in(ITARGETSR + 32), 0x01010101);
    out_width(ITARGETSR + 33, 1, 0x0c); // gic_set_affinity
    EXPECT_EQ(fake.spis[1].target, 2);
    EXPECT_EQ(in(ITARGETSR + 32), 0x01010c01);
    EXPECT_EQ(in_width(ITARGETSR + 33, 1), 0x0c);
    out_width(ITARGETSR + 33, 1, 0xf0); // none that exists
    EXPECT_EQ(fake.spis[1].target, GIC_TARGET_NONE);
    EXPECT_EQ(in_width(ITARGETSR + 33, 1), 0);
    const unsigned write_count = fake.write_count;
    out(ITARGETSR + 32, 0x01010001); // nothing new
    EXPECT_EQ(fake.write_count, write_count);
    out(ITARGETSR + 32, 0x08040201);
    EXPECT_EQ(fake.spis[0].target, 0);
    EXPECT_EQ(fake.spis[1].target, 1);
    EXPECT_EQ(fake.spis[2].target, 2);
    EXPECT_EQ(fake.spis[3].target, 3);
    out(ITARGETSR, 0x0f0f0f0f); // of SGIs: read-only
    EXPECT_EQ(in(ITARGETSR), 0x01010101);
    EXPECT_EQ(in(ITARGETSR + 64), 0);
    out(ITARGETSR + 64, 0x0f0f0f0f);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(gicv2_distributor_sends_sgis_with_their_source)
{
    start_v2(3, 32);
    gic_distributor_set_accessor(&gic, 1);
    out(SGIR, 0x05 << 16 | 6); // to 0 and 2
    EXPECT_EQ(fake.banks[0][6].sources, 2);
    EXPECT_EQ(fake.banks[1][6].sources, 0);
    EXPECT_EQ(fake.banks[2][6].sources, 2);
    out(SGIR, 1 << 24 | 0xff << 16 | 1); // all others
    EXPECT_EQ(fake.banks[0][1].sources, 2);
    EXPECT_EQ(fake.banks[1][1].sources, 0);
    EXPECT_EQ(fake.banks[2][1].sources, 2);
    out(SGIR, 2 << 24 | 15); // self
    EXPECT_EQ(fake.banks[1][15].sources, 2);
    gic_distributor_set_accessor(&gic, 2);
    out(SGIR, 0x01 << 16 | 6);
    EXPECT_EQ(fake.banks[0][6].sources, 6);
    const unsigned write_count = fake.write_count;
    out(SGIR, 3 << 24 | 0xff << 16); // reserved
    out(SGIR, 0xf8 << 16);           // none that exists
    out_width(SGIR, 1, 0xff);
    EXPECT_EQ(fake.write_count, write_count);
    EXPECT_EQ(in(SGIR), 0);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(gicv2_distributor_saves_and_restores_pending_sgis)
{
    start_v2(2, 32);
    gic_distributor_set_accessor(&gic, 1);
    fake.banks[1][5].sources = 3;
    fake.banks[0][5].sources = 1;
    EXPECT_EQ(in(SPENDSGIR + 4), 3 << 8);
    EXPECT_EQ(in(CPENDSGIR + 4), 3 << 8);
    EXPECT_EQ(in_width(CPENDSGIR + 5, 1), 3);
    out_width(CPENDSGIR + 5, 1, 1);
    EXPECT_EQ(fake.banks[1][5].sources, 2);
    EXPECT_EQ(fake.banks[0][5].sources, 1);
    out(SPENDSGIR + 12, 0x80000000u >> 7 | 1);
    EXPECT_EQ(fake.banks[1][15].sources, 1);
    EXPECT_EQ(fake.banks[1][12].sources, 1);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(gicv2_distributor_keeps_sgis_from_the_pending_registers)
{
    start_v2(1, 32);
    out(ISPENDR, 0xffffffff);
    EXPECT_FALSE(fake.banks[0][15].is_pending);
    EXPECT_TRUE(fake.banks[0][16].is_pending);
    fake.banks[0][3].is_pending = true;
    out(ICPENDR, 0xffffffff);
    EXPECT_TRUE(fake.banks[0][3].is_pending);
    EXPECT_EQ(in(ISPENDR), 1 << 3);
}

// --- GICv3 --------------------------------------------------------------------------------------

TEST(gicv3_distributor_tells_what_it_is)
{
    start_v3(4, 224, false);
    EXPECT_EQ(in(0xffe8) >> 4 & 15, 3);
    EXPECT_EQ(in(0xfff0) | in(0xfff4) << 8 | in(0xfff8) << 16 | in(0xfffc) << 24, 0xb105f00d);
    EXPECT_EQ(in(CTLR), 0x50); // ARE, DS
    EXPECT_EQ(in(TYPER)&0x1f, 7);
    EXPECT_EQ(in(TYPER) >> 17 & 1, 0);
    EXPECT_EQ(in(TYPER) >> 19 & 0x1f, 9);
    EXPECT_EQ(in(TYPER) >> 25 & 1, 1); // No1N
    EXPECT_EQ(in(TYPER) >> 8 & 1, 0);  // no extended SPIs
    EXPECT_EQ(in(0xfe8), 0);           // where a GICv2 has PIDR2
    start_v3(4, 992 - 32, true);
    EXPECT_EQ(in(TYPER)&0x1f, 30);
    EXPECT_EQ(in(TYPER) >> 17 & 1, 1);
    EXPECT_EQ(1u << ((in(TYPER) >> 11 & 0x1f) + 1), GIC_LPI_COUNT);
    EXPECT_GE(1u << ((in(TYPER) >> 19 & 0x1f) + 1), GIC_LPI_BASE + GIC_LPI_COUNT);
}

// gic_dist_init.
TEST(gicv3_distributor_goes_through_linux_start)
{
    start_v3(2, 64, true);
    out(CTLR, 0);
    EXPECT_EQ(in(CTLR) >> 31, 0); // RWP
    for (unsigned i = 32; i < 96; i += 32)
        out(IGROUPR + i / 8, 0xffffffff);
    for (unsigned i = 32; i < 96; i += 16)
        out(ICFGR + i / 4, 0);
    for (unsigned i = 32; i < 96; i += 4)
        out(IPRIORITYR + i, 0xa0a0a0a0);
    for (unsigned i = 32; i < 96; i += 32) {
        out(ICACTIVER + i / 8, 0xffffffff);
        out(ICENABLER + i / 8, 0xffffffff);
    }
    out(CTLR, 0x13);
    EXPECT_EQ(fake.control, 3);
    EXPECT_EQ(in(CTLR), 0x53);
    for (unsigned i = 32; i < 96; i++)
        out_width(IROUTER + 8 * i, 8, fake.machine.affinities[0]);
    EXPECT_EQ(fake.spis[63].target, 0);
    EXPECT_TRUE(fake.spis[63].is_group1);
    out(ISENABLER + 4, 1 << 3);
    EXPECT_TRUE(fake.spis[3].is_enabled);
    EXPECT_EQ(in(ISENABLER + 4), 1 << 3);
    EXPECT_EQ(in(ICENABLER + 4), 1 << 3);
    out(ICENABLER + 4, 1 << 3);
    EXPECT_FALSE(fake.spis[3].is_enabled);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(gicv3_distributor_routes_by_affinity)
{
    start_v3(20, 64, false);
    EXPECT_EQ(in_width(IROUTER + 8 * 40, 8), 0);
    out_width(IROUTER + 8 * 40, 8, 0x0103);
    EXPECT_EQ(fake.spis[8].target, 19);
    EXPECT_EQ(in_width(IROUTER + 8 * 40, 8), 0x0103);
    out_width(IROUTER + 8 * 40, 8, 0x80000000 | 0x0001); // "any" does not exist
    EXPECT_EQ(fake.spis[8].target, 1);
    EXPECT_EQ(in_width(IROUTER + 8 * 40, 8), 0x0001);
    out_width(IROUTER + 8 * 40 + 4, 4, 0xffffff05); // nobody's Aff3
    EXPECT_EQ(fake.spis[8].target, GIC_TARGET_NONE);
    EXPECT_EQ(in_width(IROUTER + 8 * 40, 8), UINT64_C(0x0500000001));
    EXPECT_EQ(in(IROUTER + 8 * 40 + 4), 5);
    out(IROUTER + 8 * 40 + 4, 0);
    EXPECT_EQ(fake.spis[8].target, 1);
    out(IROUTER + 8 * 40, 0x0100);
    EXPECT_EQ(fake.spis[8].target, 16);
    const unsigned write_count = fake.write_count;
    out_width(IROUTER + 8 * 31, 8, 1); // not an SPI
    out_width(IROUTER + 8 * 96, 8, 1); // one too many
    out_width(0xfff8, 8, 1);
    out_width(IROUTER + 8 * 40, 2, 1);
    out_width(IROUTER + 8 * 40 + 4, 8, 1);
    EXPECT_EQ(fake.write_count, write_count);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(gicv3_distributor_has_nothing_of_sgis_and_ppis)
{
    start_v3(2, 32, false);
    for (uint64_t offset = IGROUPR; offset < 0x1000; offset += 4) {
        const unsigned irqs_log2 = offset < 0x400 ? 3 : offset < 0xc00 ? 0 : 2;
        const uint64_t base = offset < 0x400 ? offset & ~0x7fULL : offset & ~0x3ffULL;
        if ((offset - base) << irqs_log2 >= 32)
            continue;
        out(offset, 0xffffffff);
        EXPECT_EQ(in(offset), 0);
    }
    EXPECT_EQ(fake.read_count + fake.write_count, 0);
    out(SGIR, 0x00ff0001);
    out(SPENDSGIR, 0xffffffff);
    out(ITARGETSR + 32, 0x01010101);
    out(IGRPMODR + 4, 0xffffffff);
    EXPECT_EQ(in(SPENDSGIR) | in(ITARGETSR + 32) | in(IGRPMODR + 4), 0);
    EXPECT_EQ(fake.read_count + fake.write_count, 0);
}

// --- both ---------------------------------------------------------------------------------------

TEST(gic_distributor_shows_pending_lines_and_active_interrupts)
{
    start_v3(1, 64, false);
    fake.spis[5].line = true;
    fake.spis[37].is_active = true;
    EXPECT_EQ(in(ISPENDR + 4), 1 << 5);
    EXPECT_EQ(in(ICPENDR + 4), 1 << 5);
    EXPECT_EQ(in(ISACTIVER + 8), 1 << 5);
    out(ISPENDR + 4, 3); // irq_set_irqchip_state
    out(ICPENDR + 4, 1);
    EXPECT_EQ(in(ISPENDR + 4), 1 << 5 | 2);
    out(ISACTIVER + 8, 1);
    out(ICACTIVER + 8, 1 << 5);
    EXPECT_EQ(in(ICACTIVER + 8), 1);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(gic_distributor_configures_edge_and_level)
{
    start_v2(1, 64);
    EXPECT_EQ(in(ICFGR), 0xaaaaaaaa);
    out(ICFGR, 0); // of SGIs: read-only
    EXPECT_EQ(in(ICFGR), 0xaaaaaaaa);
    EXPECT_EQ(in(ICFGR + 4), 0);
    out(ICFGR + 4, 2u << (2 * 11));
    EXPECT_TRUE(fake.banks[0][27].is_edge);
    out(ICFGR + 12, 0xd5555557); // even bits mean nothing
    EXPECT_TRUE(fake.spis[16].is_edge && fake.spis[31].is_edge);
    EXPECT_FALSE(fake.spis[17].is_edge || fake.spis[30].is_edge || fake.spis[15].is_edge);
    EXPECT_EQ(in(ICFGR + 12), 0x80000002);
    EXPECT_EQ(in(ICFGR + 8), 0);
    EXPECT_EQ(in(ICFGR + 24), 0); // one too many
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(gic_distributor_has_priorities_of_five_bits)
{
    start_v3(1, 32, false);
    out(IPRIORITYR + 32, 0xff7f0fa5);
    EXPECT_EQ(in(IPRIORITYR + 32), 0xf87808a0);
    out_width(IPRIORITYR + 33, 1, 0xff);
    EXPECT_EQ(in(IPRIORITYR + 32), 0xf878f8a0);
    EXPECT_EQ(in_width(IPRIORITYR + 34, 1), 0x78);
    out_width(IPRIORITYR + 34, 2, 0xffff); // bytes and words only
    EXPECT_EQ(in_width(IPRIORITYR + 34, 2), 0);
    EXPECT_EQ(in(IPRIORITYR + 32), 0xf878f8a0);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(gic_distributor_answers_strange_accesses_with_nothing)
{
    start_v3(1, 960, false);
    for (unsigned width = 1; width <= 8; width *= 2) {
        for (uint64_t offset = 0; offset < 0x10000; offset++) {
            const bool is_aligned = offset % width == 0;
            out_width(offset, width, UINT64_MAX >> (64 - 8 * width));
            if (!is_aligned)
                EXPECT_EQ(in_width(offset, width), 0);
        }
    }
    EXPECT_EQ(in_width(CTLR, 1) | in_width(CTLR, 2) | in_width(CTLR, 8), 0);
    EXPECT_EQ(in_width(ISENABLER + 4, 1) | in_width(ISENABLER + 8, 8), 0);
    EXPECT_EQ(in_width(0xffe8, 1), 0);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(gic_distributor_reset_undoes_all)
{
    start_v2(2, 64);
    for (uint64_t offset = 0; offset < 0x1000; offset += 4) {
        gic_distributor_set_accessor(&gic, offset / 4 % 2);
        if (offset < ICENABLER || offset >= ISPENDR)
            out(offset, 0xffffffff);
    }
    gic_distributor_ops.reset(&gic);
    EXPECT_EQ(in(CTLR), 0);
    EXPECT_EQ(in(ITARGETSR + 64), 0x01010101);
    EXPECT_EQ(fake.spis[40].target, 0);
    for (unsigned vcpu = 0; vcpu < 2; vcpu++) {
        gic_distributor_set_accessor(&gic, vcpu);
        EXPECT_EQ(in(ICFGR), 0xaaaaaaaa);
        EXPECT_EQ(in(SPENDSGIR) | in(ISPENDR) | in(ISACTIVER) | in(ISENABLER) | in(IGROUPR), 0);
        EXPECT_EQ(in(IPRIORITYR) | in(IPRIORITYR + 92) | in(ICFGR + 4) | in(ICFGR + 8), 0);
    }
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(gic_distributor_access_asks_the_kernel_once)
{
    start_v3(8, 224, true);
    (void)in(ISENABLER + 8);
    EXPECT_EQ(fake.read_count, 1);
    out(ICENABLER + 8, 1);
    EXPECT_EQ(fake.write_count, 1);
    out(ISENABLER + 8, 0); // and not for nothing
    EXPECT_EQ(fake.write_count, 1);
    (void)in(TYPER);
    EXPECT_EQ(fake.read_count, 1);
}
