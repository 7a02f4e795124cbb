// The ITS as Linux's irq-gic-v3-its driver uses it, and at its edges.
#include "tests/test.h"
#include "tests/unit/gic_fixture.h"
#include "vmm/arm64/gic_its.h"

#define GITS_CTLR    0x0000
#define GITS_IIDR    0x0004
#define GITS_TYPER   0x0008
#define GITS_CBASER  0x0080
#define GITS_CWRITER 0x0088
#define GITS_CREADR  0x0090
#define GITS_BASER   0x0100
#define GITS_PIDR2   0xffe8

#define MOVI    0x01
#define INT     0x03
#define CLEAR   0x04
#define SYNC    0x05
#define MAPD    0x08
#define MAPC    0x09
#define MAPTI   0x0a
#define MAPI    0x0b
#define INV     0x0c
#define INVALL  0x0d
#define MOVALL  0x0e
#define DISCARD 0x0f

#define VALID       (UINT64_C(1) << 63)
#define RAM_BASE    UINT64_C(0x80000000)
#define QUEUE       0x0
#define QUEUE_BYTES 0x10000
#define PROP        0x10000

static struct fake_gic fake;
static struct gic_lpis lpis;
static struct gic_its its;
static struct guest_memory memory;
static uint8_t ram[0x20000];
static unsigned change_count;
static uint32_t last_device, last_event;

static void note_change(void *context, uint32_t device_id, uint32_t event_id)
{
    (void)context;
    change_count++;
    last_device = device_id;
    last_event = event_id;
}

static uint64_t in_width(uint64_t offset, unsigned width_bytes)
{
    return gic_its_ops.read(&its, offset, width_bytes);
}

static uint64_t in(uint64_t offset)
{
    return in_width(offset, 8);
}

static void out_width(uint64_t offset, unsigned width_bytes, uint64_t value)
{
    gic_its_ops.write(&its, offset, width_bytes, value);
}

static void out(uint64_t offset, uint64_t value)
{
    out_width(offset, 8, value);
}

static void start_off(uint32_t vcpu_count)
{
    const struct gic_its_host host = {.routes_changed = note_change};

    fake_gic_start(&fake, vcpu_count, 32);
    memset(ram, 0, sizeof(ram));
    memset(ram + PROP, 0xa1, GIC_LPI_COUNT);
    memory = (struct guest_memory){0};
    EXPECT_OK(guest_memory_add_region(&memory, RAM_BASE, sizeof(ram), ram));
    gic_lpis_init(&lpis, &fake.machine, &memory);
    for (uint32_t i = 0; i < vcpu_count; i++)
        lpis.redistributors[i] =
            (struct gic_lpi_redistributor){.propbaser = (RAM_BASE + PROP) | 13, .is_enabled = true};
    gic_its_init(&its, &host, &lpis);
    change_count = 0;
}

// One command at the end of the queue, as its_send_single_command.
static void send(uint64_t word0, uint64_t word1, uint64_t word2, uint64_t word3)
{
    const uint64_t words[4] = {word0, word1, word2, word3};
    const uint64_t place = in(GITS_CWRITER);

    memcpy(ram + QUEUE + place, words, sizeof(words));
    out(GITS_CWRITER, (place + sizeof(words)) % QUEUE_BYTES);
    EXPECT_EQ(in(GITS_CREADR), in(GITS_CWRITER));
}

static void mapd(uint64_t device_id, unsigned event_bits, uint64_t valid)
{
    send(MAPD | device_id << 32, event_bits - 1, RAM_BASE | valid, 0);
}

static void mapc(uint64_t collection_id, uint64_t vcpu_id, uint64_t valid)
{
    send(MAPC, 0, collection_id | vcpu_id << 16 | valid, 0);
}

static void mapti(uint64_t device_id, uint64_t event_id, uint64_t intid, uint64_t collection_id)
{
    send(MAPTI | device_id << 32, event_id | intid << 32, collection_id, 0);
}

static void event_command(uint64_t number, uint64_t device_id, uint64_t event_id,
                          uint64_t collection_id)
{
    send(number | device_id << 32, event_id, collection_id, 0);
}

// its_probe_one, its_alloc_tables, its_cpu_init_collection.
static void start(uint32_t vcpu_count)
{
    start_off(vcpu_count);
    out(GITS_BASER, VALID | RAM_BASE | 0x200);
    out(GITS_BASER + 8, VALID | RAM_BASE | 0x200);
    out(GITS_CBASER, VALID | (RAM_BASE + QUEUE) | (QUEUE_BYTES / 4096 - 1));
    out(GITS_CWRITER, 0);
    out_width(GITS_CTLR, 4, 1);
    for (uint32_t i = 0; i < vcpu_count; i++) {
        mapc(i, i, VALID);
        send(INVALL, 0, i, 0);
    }
    change_count = 0;
}

static uint32_t translated(uint32_t device_id, uint32_t event_id)
{
    uint32_t intid;

    return gic_its_translate(&its, GIC_ITS_GITS_TRANSLATER, device_id, event_id, &intid) ? intid
                                                                                         : 0;
}

TEST(its_tells_what_it_is)
{
    start_off(2);
    EXPECT_EQ(in_width(GITS_PIDR2, 4) >> 4 & 15, 3);
    EXPECT_EQ(in_width(GITS_CTLR, 4), 0x80000000); // off and quiescent
    const uint64_t typer = in(GITS_TYPER);
    EXPECT_EQ(typer & 3, 1); // physical, not virtual
    EXPECT_EQ((typer >> 13 & 0x1f) + 1, GIC_ITS_DEVICE_BITS);
    EXPECT_EQ((typer >> 8 & 0x1f) + 1, GIC_ITS_EVENT_BITS);
    EXPECT_EQ(typer >> 19 & 1, 0);    // PTA
    EXPECT_EQ(typer >> 24 & 0xff, 0); // HCC
    EXPECT_EQ(typer >> 36 & 1, 1);    // CIL
    EXPECT_EQ((typer >> 32 & 15) + 1, GIC_ITS_COLLECTION_BITS);
    EXPECT_EQ(in_width(GITS_TYPER + 4, 4), typer >> 32);
    EXPECT_EQ(in_width(GITS_IIDR, 4), 0);
}

// its_probe_baser_psz and its_setup_baser read back what they write.
TEST(its_tables_keep_what_the_driver_gives)
{
    start_off(1);
    EXPECT_EQ(in(GITS_BASER) >> 56 & 7, 1);
    EXPECT_EQ(in(GITS_BASER + 8) >> 56 & 7, 4);
    for (unsigned i = 2; i < 8; i++)
        EXPECT_EQ(in(GITS_BASER + 8 * i), 0);
    const uint64_t fixed = in(GITS_BASER);
    EXPECT_EQ((fixed >> 48 & 0x1f) + 1, 8);
    const uint64_t value = VALID | UINT64_C(1) << 62 | UINT64_C(7) << 59 | UINT64_C(5) << 53 |
                           0x123456789000 | 1 << 10 | 2 << 8 | 0x7f;
    out(GITS_BASER, value);
    EXPECT_EQ(in(GITS_BASER), value | fixed);
    out(GITS_BASER + 16, value);
    EXPECT_EQ(in(GITS_BASER + 16), 0);
    out(GITS_BASER, UINT64_MAX);
    EXPECT_EQ(in(GITS_BASER) >> 56 & 7, 1);
    EXPECT_EQ(in(GITS_BASER) >> 48 & 0x1f, 7);
    out_width(GITS_BASER + 12, 4, 0x80000000);
    EXPECT_EQ(in_width(GITS_BASER + 12, 4), 0x84070000);
}

TEST(its_queue_and_tables_stay_while_it_is_enabled)
{
    start(1);
    const uint64_t cbaser = in(GITS_CBASER), baser = in(GITS_BASER);
    EXPECT_EQ(cbaser, VALID | RAM_BASE | 15);
    EXPECT_EQ(in_width(GITS_CTLR, 4), 1);
    out(GITS_CBASER, 0);
    out(GITS_BASER, 0);
    out(GITS_CREADR, 0);
    EXPECT_EQ(in(GITS_CBASER), cbaser);
    EXPECT_EQ(in(GITS_BASER), baser);
    EXPECT_EQ(in(GITS_CREADR), 0x40);
    out_width(GITS_CTLR, 4, 0);
    out(GITS_CBASER, UINT64_MAX);
    EXPECT_EQ(in(GITS_CBASER), UINT64_C(0xb8effffffffffcff));
    EXPECT_EQ(in(GITS_CREADR), 0);
}

// its_create_device, its_irq_domain_activate, its_unmask_irq.
TEST(its_translates_a_mapped_event)
{
    start(2);
    mapd(8, 5, VALID);
    EXPECT_EQ(translated(8, 0), 0);
    mapti(8, 3, 8192, 1);
    EXPECT_EQ(change_count, 1);
    EXPECT_EQ(last_device, 8);
    EXPECT_EQ(last_event, 3);
    EXPECT_EQ(translated(8, 3), 8192);
    EXPECT_EQ(fake.lpis[0].vcpu_id, 1);
    EXPECT_TRUE(fake.lpis[0].is_enabled);
    EXPECT_EQ(fake.lpis[0].priority, 0xa0);
    ram[PROP] = 0xa0;
    event_command(INV, 8, 3, 0);
    EXPECT_FALSE(fake.lpis[0].is_enabled);
    send(MAPI | UINT64_C(8) << 32, 8193, 0, 0); // an event with that number does not exist
    EXPECT_EQ(translated(8, 8193), 0);
    send(SYNC, 0, 0, 0);
    uint32_t intid;
    EXPECT_FALSE(gic_its_translate(&its, GIC_ITS_GITS_TRANSLATER + 4, 8, 3, &intid));
    EXPECT_EQ(translated(9, 3), 0);
    EXPECT_EQ(translated(8, 4), 0);
    EXPECT_EQ(translated(8, 32), 0);
    EXPECT_EQ(translated(UINT32_MAX, UINT32_MAX), 0);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

// its_set_affinity.
TEST(its_moves_an_interrupt_to_another_vcpu)
{
    start(3);
    mapd(1, 1, VALID);
    mapti(1, 0, 8200, 0);
    event_command(INT, 1, 0, 0);
    EXPECT_TRUE(fake.lpis[8].is_pending);
    event_command(MOVI, 1, 0, 2);
    EXPECT_EQ(fake.lpis[8].vcpu_id, 2);
    EXPECT_TRUE(fake.lpis[8].is_pending);
    EXPECT_EQ(translated(1, 0), 8200);
    event_command(MOVI, 1, 0, 3); // not mapped
    event_command(MOVI, 1, 0, 0xffff);
    EXPECT_EQ(fake.lpis[8].vcpu_id, 2);
    event_command(CLEAR, 1, 0, 0);
    EXPECT_FALSE(fake.lpis[8].is_pending);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(its_forgets_discarded_events_and_unmapped_devices)
{
    start(1);
    mapd(1, 2, VALID);
    for (unsigned i = 0; i < 4; i++)
        mapti(1, i, 8192 + i, 0);
    event_command(INT, 1, 1, 0);
    event_command(DISCARD, 1, 1, 0);
    EXPECT_EQ(last_event, 1);
    EXPECT_EQ(translated(1, 1), 0);
    EXPECT_FALSE(fake.lpis[1].is_enabled || fake.lpis[1].is_pending);
    event_command(INT, 1, 1, 0);
    EXPECT_FALSE(fake.lpis[1].is_pending);
    event_command(INT, 1, 2, 0);
    mapd(1, 2, 0);
    EXPECT_EQ(last_device, 1);
    EXPECT_EQ(last_event, GIC_ITS_ALL);
    for (unsigned i = 0; i < 4; i++) {
        EXPECT_EQ(translated(1, i), 0);
        EXPECT_FALSE(fake.lpis[i].is_enabled || fake.lpis[i].is_pending);
    }
    mapti(1, 0, 8192, 0);
    EXPECT_EQ(translated(1, 0), 0);
    mapd(1, 2, VALID);
    EXPECT_EQ(translated(1, 0), 0);
    mapti(1, 0, 8195, 0);
    EXPECT_EQ(translated(1, 0), 8195);
}

TEST(its_moves_and_unmaps_whole_collections)
{
    start(2);
    mapd(1, 2, VALID);
    mapti(1, 0, 8192, 0);
    mapti(1, 1, 8193, 1);
    mapc(0, 1, VALID);
    send(MOVALL, 0, UINT64_C(0) << 16, UINT64_C(1) << 16);
    EXPECT_EQ(fake.lpis[0].vcpu_id, 1);
    EXPECT_EQ(last_device, GIC_ITS_ALL);
    EXPECT_EQ(translated(1, 0), 8192);
    mapc(0, 0, 0);
    EXPECT_EQ(translated(1, 0), 0);
    EXPECT_FALSE(fake.lpis[0].is_enabled);
    EXPECT_TRUE(fake.lpis[1].is_enabled);
    event_command(INT, 1, 0, 0); // goes nowhere
    EXPECT_FALSE(fake.lpis[0].is_pending);
    mapc(0, 0, VALID);
    EXPECT_EQ(translated(1, 0), 8192);
    EXPECT_TRUE(fake.lpis[0].is_enabled);
    EXPECT_EQ(fake.lpis[0].vcpu_id, 0);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(its_maps_an_event_before_its_collection)
{
    start(2);
    mapd(1, 1, VALID);
    mapti(1, 0, 8192, 40);
    EXPECT_EQ(translated(1, 0), 0);
    EXPECT_EQ(fake.set_lpi_count, 0);
    mapc(40, 1, VALID);
    EXPECT_EQ(translated(1, 0), 8192);
    EXPECT_EQ(fake.lpis[0].vcpu_id, 1);
}

TEST(its_reads_the_configuration_again_for_all)
{
    start(2);
    mapd(1, 2, VALID);
    mapti(1, 0, 8192, 0);
    mapti(1, 1, 8193, 1);
    memset(ram + PROP, 0x20, 2);
    send(INVALL, 0, 0, 0);
    EXPECT_FALSE(fake.lpis[0].is_enabled);
    EXPECT_TRUE(fake.lpis[1].is_enabled);
    send(INVALL, 0, 5, 0); // not mapped
    send(INVALL, 0, 0xffff, 0);
}

TEST(its_gives_an_lpi_to_one_event_only)
{
    start(1);
    mapd(1, 2, VALID);
    mapd(2, 2, VALID);
    mapti(1, 0, 8192, 0);
    mapti(2, 0, 8192, 0);
    EXPECT_EQ(translated(1, 0), 8192);
    EXPECT_EQ(translated(2, 0), 0);
    mapti(1, 0, 8193, 0); // the event gives up the first
    EXPECT_EQ(translated(1, 0), 8193);
    EXPECT_FALSE(fake.lpis[0].is_enabled);
    mapti(2, 0, 8192, 0);
    EXPECT_EQ(translated(2, 0), 8192);
    mapti(2, 0, 8192, 0);
    EXPECT_EQ(translated(2, 0), 8192);
}

TEST(its_skips_commands_beyond_its_bounds)
{
    start(2);
    for (unsigned i = 0; i < GIC_ITS_DEVICES_MAX + 1; i++)
        mapd(i, 1, VALID);
    mapti(GIC_ITS_DEVICES_MAX, 0, 8192, 0);
    EXPECT_EQ(translated(GIC_ITS_DEVICES_MAX, 0), 0);
    mapd(0, 1, 0);
    mapd(GIC_ITS_DEVICES_MAX, 1, VALID); // now there is room
    mapti(GIC_ITS_DEVICES_MAX, 0, 8192, 0);
    EXPECT_EQ(translated(GIC_ITS_DEVICES_MAX, 0), 8192);
    mapd(1, 8, VALID); // too many events: the device stays
    mapti(1, 0, 8193, 0);
    EXPECT_EQ(translated(1, 0), 8193);
    mapd(256, 1, VALID); // no such device
    mapd(0xffffffff, 1, 0);
    mapti(1, 1, 8191, 0); // not an LPI
    mapti(1, 1, GIC_LPI_BASE + GIC_LPI_COUNT, 0);
    mapti(1, 1, 0xffffffff, 0);
    mapti(1, 1, 8194, 64); // no such collection
    mapti(1, 2, 8194, 0);  // no such event
    EXPECT_EQ(translated(1, 1), 0);
    mapc(64, 0, VALID);
    mapc(3, 2, VALID); // no such vCPU
    mapc(3, 0x7ffffffff, VALID);
    mapti(1, 1, 8194, 3);
    EXPECT_EQ(translated(1, 1), 0);
    event_command(INT, 1, 1, 0);
    EXPECT_FALSE(fake.lpis[2].is_pending);
    for (unsigned number = 0; number < 256; number++)
        send(number | UINT64_C(77) << 32, UINT64_MAX, UINT64_MAX, UINT64_MAX);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(its_maps_nothing_without_tables)
{
    start(1);
    out_width(GITS_CTLR, 4, 0);
    out(GITS_BASER, 0);
    out_width(GITS_CTLR, 4, 1);
    mapd(1, 1, VALID);
    mapti(1, 0, 8192, 0);
    EXPECT_EQ(translated(1, 0), 0);
}

// A kernel that was started by another one (kexec) gives new tables.
TEST(its_new_tables_are_empty)
{
    start(1);
    mapd(1, 1, VALID);
    mapti(1, 0, 8192, 0);
    out_width(GITS_CTLR, 4, 0);
    EXPECT_EQ(translated(1, 0), 0);
    EXPECT_EQ(last_device, GIC_ITS_ALL);
    out_width(GITS_CTLR, 4, 1);
    EXPECT_EQ(translated(1, 0), 8192);
    out_width(GITS_CTLR, 4, 0);
    out(GITS_BASER, VALID | RAM_BASE);
    EXPECT_FALSE(fake.lpis[0].is_enabled);
    out_width(GITS_CTLR, 4, 1);
    EXPECT_EQ(translated(1, 0), 0);
    mapd(1, 1, VALID);
    mapti(1, 0, 8192, 0);
    EXPECT_EQ(translated(1, 0), 8192);
    out_width(GITS_CTLR, 4, 0);
    out(GITS_BASER + 8, VALID | RAM_BASE);
    out_width(GITS_CTLR, 4, 1);
    EXPECT_EQ(translated(1, 0), 0); // the device is still mapped, its collection is not
    mapc(0, 0, VALID);
    EXPECT_EQ(translated(1, 0), 8192);
}

TEST(its_queue_wraps_and_holds_many_commands)
{
    start(1);
    mapd(1, 1, VALID);
    for (unsigned i = 0; i < QUEUE_BYTES / 32 + 10; i++)
        event_command(INV, 1, 0, 0);
    EXPECT_EQ(in(GITS_CREADR), (2 + 1 + 10) * 32); // behind MAPC, INVALL, MAPD
    // All at once, in a queue of 1 MiB that is mostly outside of RAM.
    out_width(GITS_CTLR, 4, 0);
    out(GITS_CBASER, VALID | RAM_BASE | 0xff);
    out(GITS_CWRITER, 0xfffe0);
    EXPECT_EQ(in(GITS_CREADR), 0);
    out_width(GITS_CTLR, 4, 1);
    EXPECT_EQ(in(GITS_CREADR), 0xfffe0);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(its_does_nothing_from_an_invalid_queue)
{
    start(1);
    out(GITS_CWRITER, QUEUE_BYTES); // outside
    EXPECT_EQ(in(GITS_CREADR), 0x40);
    out(GITS_CWRITER, UINT64_MAX);
    EXPECT_EQ(in(GITS_CWRITER), 0xfffe0);
    EXPECT_EQ(in(GITS_CREADR), 0x40);
    out_width(GITS_CTLR, 4, 0);
    out(GITS_CBASER, RAM_BASE | 15); // not valid
    out_width(GITS_CTLR, 4, 1);
    out(GITS_CWRITER, 0x20);
    EXPECT_EQ(in(GITS_CREADR), 0);
}

TEST(its_shows_what_reads_would_give)
{
    static uint8_t page[GIC_ITS_SHOWN_BYTES];
    start(1);
    memset(page, 0, sizeof(page));
    gic_its_show_registers(&its, page);
    mapd(1, 1, VALID);
    out_width(GITS_CTLR, 4, 0);
    out(GITS_BASER + 8, VALID | RAM_BASE);
    for (uint64_t offset = 0; offset < sizeof(page); offset += 8) {
        uint64_t shown;
        memcpy(&shown, page + offset, sizeof(shown));
        EXPECT_EQ(shown, in(offset));
    }
}

TEST(its_answers_strange_accesses_with_nothing)
{
    start(1);
    for (unsigned width = 1; width <= 8; width *= 2) {
        for (uint64_t offset = 0; offset < GIC_ITS_SIZE_BYTES; offset++) {
            out_width(offset, width, UINT64_MAX >> (64 - 8 * width));
            if (offset % width != 0 || width < 4)
                EXPECT_EQ(in_width(offset, width), 0);
        }
    }
    out_width(GIC_ITS_GITS_TRANSLATER, 4, 0); // by a vCPU: no device's
    EXPECT_EQ(in_width(GIC_ITS_GITS_TRANSLATER, 4), 0);
    EXPECT_FALSE(fake.was_asked_nonsense);
}

TEST(its_reset_undoes_all)
{
    start(1);
    mapd(1, 1, VALID);
    mapti(1, 0, 8192, 0);
    gic_its_ops.reset(&its);
    EXPECT_EQ(in_width(GITS_CTLR, 4), 0x80000000);
    EXPECT_EQ(in(GITS_CBASER) | in(GITS_CWRITER) | in(GITS_CREADR), 0);
    EXPECT_EQ(in(GITS_BASER) >> 63, 0);
    EXPECT_FALSE(fake.lpis[0].is_enabled);
    EXPECT_EQ(translated(1, 0), 0);
}
