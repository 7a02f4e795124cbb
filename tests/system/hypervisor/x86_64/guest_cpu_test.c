// What a guest sees of its CPU: modes, exceptions, control registers, CPUID, MSRs, vector state,
// time.

#include <machina/syscalls.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/system/hypervisor/second_vcpu.h"
#include "tests/system/vector_state.h"
#include "tests/test.h"

#define GP          13
#define LIST_OUTPUT (0x800 / 8) // index in guest_data()

static struct guest_fixture guest;
static struct mx_vcpu_packet packet;

static void expect_finish(const struct guest_code *code)
{
    ASSERT_TRUE(guest_start(&guest, code));
    EXPECT_TRUE(guest_finishes(&guest));
    guest_destroy(&guest);
}

TEST(exceptions_reach_the_guests_handlers)
{
    expect_finish(&code_exception_handlers);
}
TEST(control_registers_behave)
{
    expect_finish(&code_control_registers);
}
TEST(xsetbv_takes_legal_values_only)
{
    expect_finish(&code_xsetbv);
}
TEST(sysenter_registers_are_the_guests)
{
    expect_finish(&code_sysenter);
}
TEST(changed_page_tables_are_seen)
{
    expect_finish(&code_invlpg);
}
TEST(time_stamps_do_not_go_back)
{
    expect_finish(&code_time_stamps);
}

TEST(triple_fault_ends_the_guest)
{
    ASSERT_TRUE(guest_start(&guest, &code_triple_fault));
    packet = (struct mx_vcpu_packet){0};
    ASSERT_OK(guest_enter(guest.vcpu, &packet));
    EXPECT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_SHUTDOWN);
    EXPECT_NE(packet.shutdown.text[0], 0);
    EXPECT_STATUS(MX_ERR_BAD_STATE, guest_enter(guest.vcpu, &packet));
    guest_destroy(&guest);
}

TEST(unknown_hypercall_is_refused)
{
    ASSERT_TRUE(guest_start(&guest, &code_hypercall));
    EXPECT_TRUE(guest_finishes(&guest));
    EXPECT_EQ(guest_data(&guest)[0], (uint64_t)-1000);
    guest_destroy(&guest);
}

TEST(user_mode_calls_its_kernel_and_not_the_hypervisor)
{
    ASSERT_TRUE(guest_start(&guest, &code_user_mode));
    EXPECT_TRUE(guest_finishes(&guest));
    EXPECT_EQ(guest_data(&guest)[0], (uint64_t)-1);
    guest_destroy(&guest);
}

TEST(compatibility_mode_runs)
{
    ASSERT_TRUE(guest_start(&guest, &code_compat_mode));
    EXPECT_TRUE(guest_finishes(&guest));
    EXPECT_EQ(guest_data(&guest)[0] & 0xffffffff, 0x80000002u);
    guest_destroy(&guest);
}

// --- CPUID
// ------------------------------------------------------------------------------------------

struct leaf {
    uint32_t eax, ebx, ecx, edx;
};

static volatile struct leaf *read_leaves(const uint32_t (*leaves)[2], size_t count)
{
    volatile uint32_t *list = (volatile uint32_t *)guest_data(&guest);

    list[0] = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        list[2 + i * 2] = leaves[i][0];
        list[3 + i * 2] = leaves[i][1];
    }
    if (!guest_finishes(&guest))
        return NULL;
    return (volatile struct leaf *)(guest_data(&guest) + LIST_OUTPUT);
}

TEST(cpuid_hides_and_shows_what_it_must)
{
    static const uint32_t leaves[][2] = {
        {0, 0},          {1, 0},    {0x40000000, 0}, {0x40000001, 0}, {0x80000001, 0},
        {0x8000000a, 0}, {0x0d, 0}, {7, 0},          {0xfffffff0, 0}, {0x80000000, 0}};
    ASSERT_TRUE(guest_start(&guest, &code_cpuid_list));
    volatile struct leaf *r = read_leaves(leaves, 10);
    ASSERT_TRUE(r != NULL);
    EXPECT_GE(r[0].eax, 7u);
    EXPECT_NE(r[1].ecx & 1u << 31, 0u); // hypervisor
    EXPECT_NE(r[1].ecx & 1u << 21, 0u); // x2APIC
    EXPECT_NE(r[1].ecx & 1u << 24, 0u); // TSC deadline
    EXPECT_EQ(r[1].ecx & 1u << 3, 0u);  // MONITOR
    EXPECT_EQ(r[1].ecx & 1u << 5, 0u);  // VMX
    EXPECT_EQ(r[1].ebx >> 24, 0u);      // APIC id
    EXPECT_EQ(r[2].ebx, 0x4b4d564bu);   // "KVMKVMKVM"
    EXPECT_EQ(r[2].ecx, 0x564b4d56u);
    EXPECT_EQ(r[2].edx, 0x0000004du);
    EXPECT_NE(r[3].eax & 1u << 3, 0u);  // clock source 2
    EXPECT_NE(r[3].eax & 1u << 24, 0u); // stable
    EXPECT_EQ(r[4].ecx & 1u << 2, 0u);  // SVM
    EXPECT_EQ(r[5].eax | r[5].ebx | r[5].ecx | r[5].edx, 0u);
    EXPECT_NE(r[9].eax & 0x80000000, 0u);
    guest_destroy(&guest);
}

// --- MSRs
// -------------------------------------------------------------------------------------------

struct msr_read {
    uint32_t msr;
    uint64_t vector; // of the exception, or 0
};

TEST(msr_reads_answer_or_fault)
{
    static const struct msr_read reads[] = {
        {0x10, 0},       {0x1b, 0},       {0xc0000080, 0}, {0xc0000081, 0},  {0xc0000100, 0},
        {0xc0000101, 0}, {0xc0000102, 0}, {0x277, 0},      {0xfe, 0},        {0x2ff, 0},
        {0x8b, 0},       {0x174, 0},      {0x179, 0},      {0x4b564d01, 0},  {0x6e0, 0},
        {0xc0010015, 0}, {0x12345, GP},   {0x480, GP},     {0xc0010117, GP}, {0xdeadbeef, GP},
        {0x802, GP},     {0x200, 0},      {0x20f, 0},      {0x250, 0},       {0x259, 0},
        {0x26f, 0},      {0x210, GP},     {0x251, GP},
    };
    const size_t count = sizeof(reads) / sizeof(reads[0]);

    ASSERT_TRUE(guest_start(&guest, &code_read_msrs));
    guest_data(&guest)[0] = count;
    for (size_t i = 0; i < count; i++)
        guest_data(&guest)[1 + i] = reads[i].msr;
    ASSERT_TRUE(guest_finishes(&guest));
    for (size_t i = 0; i < count; i++) {
        uint64_t vector = guest_data(&guest)[LIST_OUTPUT + i * 2];
        if (vector != reads[i].vector)
            test_fail(__FILE__, __LINE__, "rdmsr 0x%x: vector %lu", reads[i].msr, vector);
    }
    guest_destroy(&guest);
}

struct msr_write {
    uint64_t msr, value, vector;
};

TEST(msr_writes_are_taken_ignored_or_fault)
{
    static const struct msr_write writes[] = {
        {0xc0000081, 0x2b000800000000, 0},
        {0xc0000100, 0x7f0000000000, 0},
        {0x277, 0x0007040600070406, 0},
        {0x277, 2, GP},
        {0xc0000080, 1u << 12, GP},
        {0xfe, 0, GP},
        {0x79, 0, 0},
        {0x1b, 0xfee00900, 0},
        {0x12345, 0, GP},
        {0xc0010117, 0x1000, GP},
        {0x174, 8, 0},
        {0x10, 5000, 0},
        {0x6e0, 0, 0},
        {0x200, 6, 0},
        {0x268, 0, 0},
        {0x210, 0, GP},
    };
    const size_t count = sizeof(writes) / sizeof(writes[0]);

    ASSERT_TRUE(guest_start(&guest, &code_write_msrs));
    guest_data(&guest)[0] = count;
    for (size_t i = 0; i < count; i++) {
        guest_data(&guest)[1 + i * 2] = writes[i].msr;
        guest_data(&guest)[2 + i * 2] = writes[i].value;
    }
    ASSERT_TRUE(guest_finishes(&guest));
    for (size_t i = 0; i < count; i++) {
        uint64_t vector = guest_data(&guest)[LIST_OUTPUT + i];
        if (vector != writes[i].vector)
            test_fail(__FILE__, __LINE__, "wrmsr 0x%lx, 0x%lx: vector %lu", writes[i].msr,
                      writes[i].value, vector);
    }
    guest_destroy(&guest);
}

// --- vector registers
// -----------------------------------------------------------------------------

static void fill_vectors(struct guest_fixture *fixture, uint64_t seed)
{
    for (unsigned i = 0; i < 6; i++)
        guest_data(fixture)[i] = seed * (i + 3);
}

static bool run_guest_and_host_vectors(struct guest_fixture *fixture, uint64_t seed)
{
    uint32_t value;

    for (int i = 0; i < 100; i++) {
        vector_state_load(seed + (uint64_t)i);
        if (!guest_run(fixture->vcpu, &value) || value != 1 || !vector_state_is(seed + (uint64_t)i))
            return false;
        mx_thread_yield();
    }
    return true;
}

TEST(vector_registers_of_host_and_guest_are_apart)
{
    ASSERT_TRUE(guest_start(&guest, &code_vector_registers));
    fill_vectors(&guest, 0x1111111122222222);
    EXPECT_TRUE(run_guest_and_host_vectors(&guest, 0xabcdef));
    guest_destroy(&guest);
}

struct vector_runner {
    uint64_t seed;
    bool is_kept;
};

static void run_vectors(void *argument)
{
    struct vector_runner *runner = argument;
    struct guest_fixture own;

    runner->is_kept = false;
    if (!guest_start(&own, &code_vector_registers))
        return;
    fill_vectors(&own, runner->seed);
    runner->is_kept = run_guest_and_host_vectors(&own, ~runner->seed);
    guest_destroy(&own);
}

TEST(vector_registers_of_several_guests_are_apart)
{
    struct vector_runner runners[4];
    struct thread *threads[4];

    for (size_t i = 0; i < 4; i++) {
        runners[i].seed = (i + 1) * 0x123456789abcdef;
        ASSERT_OK(thread_create(&threads[i], "guest", run_vectors, &runners[i], 0));
    }
    for (size_t i = 0; i < 4; i++) {
        thread_join(threads[i]);
        EXPECT_TRUE(runners[i].is_kept);
    }
}

// --- the KVM clock
// ----------------------------------------------------------------------------------

// Linux Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW
struct pv_time {
    uint32_t version, pad0;
    uint64_t tsc_timestamp, system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags, pad[2];
};

static uint64_t guest_clock_ns(uint64_t tsc)
{
    struct pv_time page;

    memcpy(&page, guest.ram + GUEST_DATA + 0x100, sizeof(page));
    uint64_t delta = tsc - page.tsc_timestamp;
    delta = page.tsc_shift < 0 ? delta >> -page.tsc_shift : delta << page.tsc_shift;
    return page.system_time + (uint64_t)((unsigned __int128)delta * page.tsc_to_system_mul >> 32);
}

// The guest looks at its clock between two looks at the host's.
static bool look_at_clocks(mx_time_t *before, uint64_t *inside, mx_time_t *after)
{
    *before = mx_clock_get_monotonic();
    if (!guest_finishes(&guest))
        return false;
    *after = mx_clock_get_monotonic();
    *inside = guest_clock_ns(guest_data(&guest)[0]);
    return true;
}

TEST(guest_clock_runs_as_the_hosts)
{
    mx_time_t before[2], after[2];
    uint64_t inside[2];

    ASSERT_TRUE(guest_start(&guest, &code_clock));
    ASSERT_TRUE(look_at_clocks(&before[0], &inside[0], &after[0]));
    mx_nanosleep(deadline_after(MX_MSEC(50)));
    ASSERT_TRUE(look_at_clocks(&before[1], &inside[1], &after[1]));
    uint64_t guest_ns = inside[1] - inside[0];
    EXPECT_GE(guest_ns + MX_USEC(10), (uint64_t)(before[1] - after[0]));
    EXPECT_LE(guest_ns, (uint64_t)(after[1] - before[0]) + MX_USEC(10));
    struct pv_time page;
    memcpy(&page, guest.ram + GUEST_DATA + 0x100, sizeof(page));
    EXPECT_EQ(page.version & 1, 0u);
    EXPECT_EQ(page.flags & 1, 1); // stable
    guest_destroy(&guest);
}
