// System registers of arm64 guests that trap.
#include "kernel/arch/arm64/hypervisor/portable/sysreg_table.h"

#include "tests/test.h"

// Every field of every register is `0xf`, but for what a test sets.
static uint64_t everything = UINT64_MAX;

static uint64_t read_everything(unsigned crm, unsigned op2)
{
    (void)crm;
    (void)op2;
    return everything;
}

static struct sysreg_host host = {read_everything, true, 40};

static struct sysreg_result look(uint32_t id, bool is_read)
{
    return sysreg_lookup(&host, (struct sysreg_access){.id = id, .is_read = is_read});
}

static unsigned id_field(unsigned crm, unsigned op2, unsigned shift)
{
    struct sysreg_result r = look(SYSREG_ID(3, 0, 0, crm, op2), true);

    EXPECT_EQ(r.action, SYSREG_VALUE);
    return r.value >> shift & 0xf;
}

TEST(iss_names_register_direction_and_rt)
{
    // mrs x7, id_aa64mmfr1_el1; msr icc_sgi1r_el1, xzr
    struct sysreg_access a = sysreg_access_from_iss(3u << 20 | 1u << 17 | 7u << 5 | 7u << 1 | 1);

    EXPECT_EQ(a.id, SYSREG_ID(3, 0, 0, 7, 1));
    EXPECT_EQ(a.rt, 7);
    EXPECT_TRUE(a.is_read);
    a = sysreg_access_from_iss(3u << 20 | 5u << 17 | 12u << 10 | 31u << 5 | 11u << 1);
    EXPECT_EQ(a.id, SYSREG_ID(3, 0, 12, 11, 5));
    EXPECT_EQ(a.rt, 31);
    EXPECT_FALSE(a.is_read);
}

TEST(identification_hides_what_guests_do_not_get)
{
    EXPECT_EQ(id_field(4, 0, 0), 0xfu); // EL0
    EXPECT_EQ(id_field(4, 0, 4), 1u);   // EL1
    EXPECT_EQ(id_field(4, 0, 8), 0u);   // EL2
    EXPECT_EQ(id_field(4, 0, 12), 0u);  // EL3
    EXPECT_EQ(id_field(4, 0, 24), 1u);  // GIC
    EXPECT_EQ(id_field(4, 0, 28), 0u);  // RAS
    EXPECT_EQ(id_field(4, 0, 32), 0u);  // SVE
    EXPECT_EQ(id_field(4, 1, 8), 0u);   // MTE
    EXPECT_EQ(id_field(4, 1, 24), 0u);  // SME
    EXPECT_EQ(id_field(4, 4, 0), 0u);   // ID_AA64ZFR0_EL1
    EXPECT_EQ(id_field(5, 0, 0), 6u);   // debug
    EXPECT_EQ(id_field(5, 0, 8), 0u);   // PMU
    EXPECT_EQ(id_field(6, 0, 24), 0u);  // TME
    EXPECT_EQ(id_field(6, 1, 4), 0xfu); // pointer authentication
    EXPECT_EQ(id_field(6, 2, 0), 0u);   // WFxT
    EXPECT_EQ(id_field(6, 2, 16), 0u);  // MOPS
    EXPECT_EQ(id_field(7, 1, 8), 0u);   // VH
    EXPECT_EQ(id_field(7, 2, 24), 0u);  // NV
    EXPECT_EQ(id_field(7, 3, 0), 0u);
    EXPECT_EQ(id_field(7, 7, 60), 0u);
    host.has_gicv3 = false;
    EXPECT_EQ(id_field(4, 0, 24), 0u);
    host.has_gicv3 = true;
}

TEST(physical_range_is_no_greater_than_the_guest_s)
{
    EXPECT_EQ(id_field(7, 0, 0), 2u); // 40 bits
    everything = 1;
    EXPECT_EQ(id_field(7, 0, 0), 1u); // 36 bits: no more than the CPU has
    everything = UINT64_MAX;
    host.guest_address_bits = 39;
    EXPECT_EQ(id_field(7, 0, 0), 1u);
    host.guest_address_bits = 40;
}

TEST(identification_cannot_be_written)
{
    EXPECT_EQ(look(SYSREG_ID(3, 0, 0, 4, 0), false).action, SYSREG_UNDEFINED);
}

TEST(registers_have_their_actions)
{
    EXPECT_EQ(look(SYSREG_ID(3, 0, 12, 11, 5), false).action, SYSREG_SGI);
    EXPECT_EQ(look(SYSREG_ID(3, 0, 12, 11, 5), true).action, SYSREG_UNDEFINED);
    EXPECT_EQ(look(SYSREG_ID(3, 0, 12, 11, 7), false).action, SYSREG_SGI_OTHER);
    EXPECT_EQ(look(SYSREG_ID(1, 0, 7, 14, 2), false).action, SYSREG_SET_WAY);
    EXPECT_EQ(look(SYSREG_ID(3, 0, 1, 0, 0), false).action, SYSREG_STAGE1);
    EXPECT_EQ(look(SYSREG_ID(3, 0, 10, 3, 0), false).action, SYSREG_STAGE1);
    EXPECT_EQ(look(SYSREG_ID(2, 0, 0, 2, 2), true).action, SYSREG_MDSCR);
    EXPECT_EQ(look(SYSREG_ID(2, 0, 1, 1, 4), true).value, 8u);
    EXPECT_EQ(look(SYSREG_ID(2, 0, 1, 0, 4), false).action, SYSREG_VALUE);
    EXPECT_EQ(look(SYSREG_ID(3, 3, 9, 12, 0), true).action, SYSREG_VALUE);
    EXPECT_EQ(look(SYSREG_ID(3, 3, 14, 15, 7), false).action, SYSREG_VALUE);
    EXPECT_EQ(look(SYSREG_ID(3, 3, 14, 2, 1), true).action, SYSREG_CNTP_CTL);
    EXPECT_EQ(look(SYSREG_ID(3, 0, 1, 0, 1), false).action, SYSREG_VALUE);
    host.has_gicv3 = false;
    EXPECT_EQ(look(SYSREG_ID(3, 0, 12, 11, 5), false).action, SYSREG_UNDEFINED);
    host.has_gicv3 = true;
}

TEST(every_encoding_has_an_answer)
{
    unsigned known = 0;

    for (uint32_t iss = 0; iss < 1u << 22; iss++) {
        struct sysreg_access access = sysreg_access_from_iss(iss);
        if (access.rt)
            continue;
        struct sysreg_result r = sysreg_lookup(&host, access);
        EXPECT_LE((unsigned)r.action, (unsigned)SYSREG_CNTPCT);
        known += r.action != SYSREG_UNDEFINED;
    }
    EXPECT_GT(known, 200u);
}
