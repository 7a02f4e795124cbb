// See sysreg_table.h.
#include "kernel/arch/arm64/hypervisor/portable/sysreg_table.h"

#include <stddef.h>

// --- identification registers
// ---------------------------------------------------------------------

#define FIELD(shift) ((uint64_t)0xf << (shift))

// What is shown of a register: the fields of the CPU in `passed`, and `fixed`.
struct id_register {
    uint8_t crm, op2;
    uint64_t passed;
    uint64_t fixed;
};

#define PASS_ALL UINT64_MAX

static const struct id_register id_registers[] = {
    // For 32-bit programs: ID_PFR0_EL1, ID_PFR1_EL1, ID_MMFR0_EL1 to ID_MMFR3_EL1.
    {1, 0, 0x0000ffff, 0},
    {1, 1, 0, 0},
    {1, 4, PASS_ALL, 0},
    {1, 5, PASS_ALL, 0},
    {1, 6, PASS_ALL, 0},
    {1, 7, PASS_ALL, 0},
    // ID_ISAR0_EL1 to ID_ISAR5_EL1, ID_MMFR4_EL1, ID_ISAR6_EL1
    {2, 0, PASS_ALL, 0},
    {2, 1, PASS_ALL, 0},
    {2, 2, PASS_ALL, 0},
    {2, 3, PASS_ALL, 0},
    {2, 4, PASS_ALL, 0},
    {2, 5, PASS_ALL, 0},
    {2, 6, PASS_ALL, 0},
    {2, 7, PASS_ALL, 0},
    // MVFR0_EL1 to MVFR2_EL1
    {3, 0, PASS_ALL, 0},
    {3, 1, PASS_ALL, 0},
    {3, 2, PASS_ALL, 0},
    // ID_AA64PFR0_EL1: EL0, FP, AdvSIMD, DIT, CSV3, the lowest bit of CSV2 (no SCXTNUM_EL1); EL1 is
    // AArch64 only.
    {4, 0, FIELD(0) | FIELD(16) | FIELD(20) | FIELD(48) | (uint64_t)1 << 56 | FIELD(60), 1 << 4},
    // ID_AA64PFR1_EL1: BT, SSBS
    {4, 1, FIELD(0) | FIELD(4), 0},
    // ID_AA64DFR0_EL1: debug of Armv8.0 with one breakpoint and watchpoint, no double lock, nothing
    // that counts or traces.
    {5, 0, 0, (uint64_t)0xf << 36 | 6},
    // ID_AA64ISAR0_EL1: all but TME
    {6, 0, ~FIELD(24), 0},
    // ID_AA64ISAR1_EL1: all but XS and LS64
    {6, 1, ~(FIELD(56) | FIELD(60)), 0},
    // ID_AA64ISAR2_EL1: RPRES, GPA3, APA3, BC, PAC_frac, CLRBHB
    {6, 2, FIELD(4) | FIELD(8) | FIELD(12) | FIELD(20) | FIELD(24) | FIELD(28), 0},
    // ID_AA64MMFR0_EL1: ASIDBits, BigEnd, SNSMem, BigEndEL0, TGran16, TGran64, TGran4, ExS; PARange
    // is computed.
    {7, 0,
     FIELD(4) | FIELD(8) | FIELD(12) | FIELD(16) | FIELD(20) | FIELD(24) | FIELD(28) | FIELD(44),
     0},
    // ID_AA64MMFR1_EL1: HAFDBS, HPDS, PAN, XNX, ETS, AFP, nTLBPA
    {7, 1, FIELD(0) | FIELD(12) | FIELD(20) | FIELD(28) | FIELD(36) | FIELD(44) | FIELD(48), 0},
    // ID_AA64MMFR2_EL1: CnP, UAO, LSM, IESB, VARange, CCIDX, ST, AT, IDS, TTL, BBM, E0PD
    {7, 2,
     FIELD(0) | FIELD(4) | FIELD(8) | FIELD(12) | FIELD(16) | FIELD(20) | FIELD(28) | FIELD(32) |
         FIELD(36) | FIELD(48) | FIELD(52) | FIELD(60),
     0},
};

#define ID_AA64PFR0_GIC_V3 ((uint64_t)1 << 24)

// PARange, no greater than the guest's addresses reach: 32, 36, 40, 42, 44, 48, 52 bits.
static uint64_t physical_range(uint64_t host_range, unsigned guest_bits)
{
    static const uint8_t bits[] = {32, 36, 40, 42, 44, 48, 52};
    uint64_t range = 0;

    while (range + 1 < sizeof(bits) && range < host_range && bits[range + 1] <= guest_bits)
        range++;
    return range;
}

static uint64_t id_value(const struct sysreg_host *host, unsigned crm, unsigned op2)
{
    uint64_t value = 0;

    for (size_t i = 0; i < sizeof(id_registers) / sizeof(id_registers[0]); i++) {
        const struct id_register *shown = &id_registers[i];
        if (shown->crm != crm || shown->op2 != op2)
            continue;
        value = (shown->passed ? host->read_id(crm, op2) & shown->passed : 0) | shown->fixed;
        break;
    }
    if (crm == 4 && op2 == 0 && host->has_gicv3)
        value |= ID_AA64PFR0_GIC_V3;
    if (crm == 7 && op2 == 0)
        value |= physical_range(host->read_id(crm, op2) & 0xf, host->guest_address_bits);
    return value;
}

// --- all others
// -----------------------------------------------------------------------------------

enum sysreg_direction {
    READ = 1,
    WRITE = 2,
    BOTH = 3,
};

// A range of registers: op0, op1 and CRn are given, CRm and op2 from the first to the last of each.
struct sysreg_rule {
    uint8_t op0, op1, crn, crm_first, crm_last, op2_first, op2_last;
    uint8_t directions; // others are UNDEFINED
    enum sysreg_action action;
    uint64_t value;
};

#define OSLSR_OS_LOCK  8 // implemented, not locked
#define DBGDTR_NOTHING 0

static const struct sysreg_rule rules[] = {
    // Cache maintenance by set and way: DC ISW, CSW, CISW
    {1, 0, 7, 6, 6, 2, 2, WRITE, SYSREG_SET_WAY, 0},
    {1, 0, 7, 10, 10, 2, 2, WRITE, SYSREG_SET_WAY, 0},
    {1, 0, 7, 14, 14, 2, 2, WRITE, SYSREG_SET_WAY, 0},
    // SCTLR_EL1; TTBR0_EL1, TTBR1_EL1, TCR_EL1; AFSR0_EL1, AFSR1_EL1, ESR_EL1; FAR_EL1; MAIR_EL1,
    // AMAIR_EL1; CONTEXTIDR_EL1
    {3, 0, 1, 0, 0, 0, 0, WRITE, SYSREG_STAGE1, 0},
    {3, 0, 2, 0, 0, 0, 2, WRITE, SYSREG_STAGE1, 0},
    {3, 0, 5, 1, 1, 0, 1, WRITE, SYSREG_STAGE1, 0},
    {3, 0, 5, 2, 2, 0, 0, WRITE, SYSREG_STAGE1, 0},
    {3, 0, 6, 0, 0, 0, 0, WRITE, SYSREG_STAGE1, 0},
    {3, 0, 10, 2, 3, 0, 0, WRITE, SYSREG_STAGE1, 0},
    {3, 0, 13, 0, 0, 1, 1, WRITE, SYSREG_STAGE1, 0},
    // Debug: MDCCINT_EL1, MDSCR_EL1, OSDTRRX_EL1, OSDTRTX_EL1, OSECCR_EL1
    {2, 0, 0, 2, 2, 0, 0, BOTH, SYSREG_VALUE, 0},
    {2, 0, 0, 2, 2, 2, 2, BOTH, SYSREG_MDSCR, 0},
    {2, 0, 0, 0, 0, 2, 2, BOTH, SYSREG_VALUE, 0},
    {2, 0, 0, 3, 3, 2, 2, BOTH, SYSREG_VALUE, 0},
    {2, 0, 0, 6, 6, 2, 2, BOTH, SYSREG_VALUE, 0},
    // The one breakpoint and watchpoint: DBGBVR0_EL1, DBGBCR0_EL1, DBGWVR0_EL1, DBGWCR0_EL1; they
    // never match.
    {2, 0, 0, 0, 15, 4, 7, BOTH, SYSREG_VALUE, 0},
    // MDRAR_EL1, OSLAR_EL1, OSLSR_EL1, OSDLR_EL1, DBGPRCR_EL1
    {2, 0, 1, 0, 0, 0, 0, READ, SYSREG_VALUE, 0},
    {2, 0, 1, 0, 0, 4, 4, WRITE, SYSREG_VALUE, 0},
    {2, 0, 1, 1, 1, 4, 4, READ, SYSREG_VALUE, OSLSR_OS_LOCK},
    {2, 0, 1, 3, 4, 4, 4, BOTH, SYSREG_VALUE, 0},
    // DBGCLAIMSET_EL1, DBGCLAIMCLR_EL1, DBGAUTHSTATUS_EL1
    {2, 0, 7, 8, 9, 6, 6, BOTH, SYSREG_VALUE, 0},
    {2, 0, 7, 14, 14, 6, 6, READ, SYSREG_VALUE, 0},
    // MDCCSR_EL0, DBGDTR_EL0, DBGDTRRX_EL0 and DBGDTRTX_EL0; DBGVCR32_EL2 belongs to EL2.
    {2, 3, 0, 1, 1, 0, 0, READ, SYSREG_VALUE, 0},
    {2, 3, 0, 4, 5, 0, 0, BOTH, SYSREG_VALUE, DBGDTR_NOTHING},
    // ACTLR_EL1
    {3, 0, 1, 0, 0, 1, 1, BOTH, SYSREG_VALUE, 0},
    // Performance counters are not there, but kernels turn them on before they look, and before
    // they could take an
    // exception: all read as zero, as counters that do not exist. PMINTENSET_EL1, PMINTENCLR_EL1,
    // PMMIR_EL1; PMCR_EL0 to PMXEVCNTR_EL0;
    // PMUSERENR_EL0, PMOVSSET_EL0;
    // PMEVCNTR<n>_EL0, PMEVTYPER<n>_EL0, PMCCFILTR_EL0
    {3, 0, 9, 14, 14, 1, 2, BOTH, SYSREG_VALUE, 0},
    {3, 0, 9, 14, 14, 6, 6, READ, SYSREG_VALUE, 0},
    {3, 3, 9, 12, 13, 0, 7, BOTH, SYSREG_VALUE, 0},
    {3, 3, 9, 14, 14, 0, 3, BOTH, SYSREG_VALUE, 0},
    {3, 3, 14, 8, 15, 0, 7, BOTH, SYSREG_VALUE, 0},
    // LORegions: LORSA_EL1 to LORN_EL1, LORC_EL1, LORID_EL1 read as "none".
    {3, 0, 10, 4, 4, 0, 3, BOTH, SYSREG_VALUE, 0},
    {3, 0, 10, 4, 4, 7, 7, READ, SYSREG_VALUE, 0},
    // Physical timer: CNTPCT_EL0, CNTP_TVAL_EL0, CNTP_CTL_EL0, CNTP_CVAL_EL0
    {3, 3, 14, 0, 0, 1, 1, READ, SYSREG_CNTPCT, 0},
    {3, 3, 14, 2, 2, 0, 0, BOTH, SYSREG_CNTP_TVAL, 0},
    {3, 3, 14, 2, 2, 1, 1, BOTH, SYSREG_CNTP_CTL, 0},
    {3, 3, 14, 2, 2, 2, 2, BOTH, SYSREG_CNTP_CVAL, 0},
};

// Interrupts between vCPUs: ICC_SGI1R_EL1, ICC_ASGI1R_EL1, ICC_SGI0R_EL1.
static const struct sysreg_rule gic_rules[] = {
    {3, 0, 12, 11, 11, 5, 5, WRITE, SYSREG_SGI, 0},
    {3, 0, 12, 11, 11, 6, 7, WRITE, SYSREG_SGI_OTHER, 0},
};

struct encoding {
    unsigned op0, op1, crn, crm, op2;
};

static struct encoding encoding_of(uint32_t id)
{
    return (struct encoding){id >> 20 & 3, id >> 14 & 7, id >> 10 & 0xf, id >> 1 & 0xf,
                             id >> 17 & 7};
}

static const struct sysreg_rule *find_rule(const struct sysreg_rule *table, size_t count,
                                           struct encoding e)
{
    for (size_t i = 0; i < count; i++) {
        const struct sysreg_rule *rule = &table[i];
        if (rule->op0 == e.op0 && rule->op1 == e.op1 && rule->crn == e.crn &&
            e.crm >= rule->crm_first && e.crm <= rule->crm_last && e.op2 >= rule->op2_first &&
            e.op2 <= rule->op2_last)
            return rule;
    }
    return NULL;
}

struct sysreg_access sysreg_access_from_iss(uint32_t iss)
{
    return (struct sysreg_access){
        .id = iss & SYSREG_ID_MASK, .rt = iss >> 5 & 0x1f, .is_read = iss & 1};
}

struct sysreg_result sysreg_lookup(const struct sysreg_host *host, struct sysreg_access access)
{
    const struct sysreg_result undefined = {SYSREG_UNDEFINED, 0};
    struct encoding e = encoding_of(access.id);
    const struct sysreg_rule *rule = NULL;

    if (e.op0 == 3 && e.op1 == 0 && e.crn == 0 && e.crm >= 1 && e.crm <= 7) {
        if (!access.is_read)
            return undefined;
        return (struct sysreg_result){SYSREG_VALUE, id_value(host, e.crm, e.op2)};
    }
    if (host->has_gicv3)
        rule = find_rule(gic_rules, sizeof(gic_rules) / sizeof(gic_rules[0]), e);
    if (!rule)
        rule = find_rule(rules, sizeof(rules) / sizeof(rules[0]), e);
    if (!rule || !(rule->directions & (access.is_read ? READ : WRITE)))
        return undefined;
    return (struct sysreg_result){rule->action, rule->value};
}
