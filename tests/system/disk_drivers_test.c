// The drivers of disks against controllers that do not answer, each at another step. The registers
// are memory, in which this program plays the controller as far as it gets; the driver programs are
// the product's.
#include <stdio.h>

#include <machina/syscalls.h>

#include <machina_user/block_client.h>
#include <machina_user/process.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/test.h"
#include "user/drivers/lib/driver.h"

#define REGISTERS_BYTES ((size_t)4 * MX_PAGE_SIZE)
#define END_WAIT        MX_SEC(60)
#define REQUESTER       0xf8 // bus 0, device 31: nobody
#define HOST_BRIDGE     0    // bus 0, device 0: a function that nobody drives

// NVMe (Base Specification 2.0, 3.1.3).
#define NVME_CAP           0x00
#define NVME_CC            0x14
#define NVME_CSTS          0x1c
#define NVME_CAP_LOW_GOOD  0x0000ffffu // many entries, no patience
#define NVME_CAP_HIGH_GOOD 0x00000020u // the NVM command set

// AHCI (1.3.1, 3.1 and 3.3).
#define AHCI_CAP          0x00
#define AHCI_GHC          0x04
#define AHCI_PI           0x0c
#define AHCI_PORT_CMD     0x118
#define AHCI_PORT_TFD     0x120
#define AHCI_PORT_SIG     0x124
#define AHCI_PORT_SSTS    0x128
#define AHCI_CAP_64       (1u << 31)
#define AHCI_GHC_RESET    1u
#define AHCI_CMD_RUNNING  (1u << 15)
#define AHCI_TFD_BUSY     0x80u
#define AHCI_SIG_DISK     0x101u
#define AHCI_SSTS_PRESENT 3u

// Virtio (1.2, 4.1.4): the common structure in the first page of registers, doorbells in the
// second, the device's own configuration in the third.
#define VIRTIO_FEATURES   0x04
#define VIRTIO_QUEUE_SIZE 0x18
#define VIRTIO_OWN        (2 * MX_PAGE_SIZE)
#define VIRTIO_SECTORS    64

struct machine {
    char name[DRIVER_NAME_SIZE];
    mx_handle_t process;
    mx_handle_t service; // the client's end
    volatile uint32_t *registers;
    void (*step)(struct machine *machine); // what the controller does again and again, or NULL
};

static mx_handle_t make(uint32_t kind, uint64_t base, uint64_t size)
{
    mx_handle_t resource;

    return mx_resource_create(root_resource(), kind, base, size, &resource) == MX_OK
               ? resource
               : MX_HANDLE_INVALID;
}

static void set(struct machine *machine, uint32_t offset, uint32_t value)
{
    machine->registers[offset / 4] = value;
}

static uint32_t get(const struct machine *machine, uint32_t offset)
{
    return machine->registers[offset / 4];
}

static mx_handle_t make_interrupt(void)
{
    mx_handle_t irqs = make(MX_RESOURCE_IRQ, MX_IRQ_MESSAGES, 1), interrupt;
    struct mx_interrupt_message message;
    const mx_status_t status = mx_interrupt_create_message(irqs, REQUESTER, &interrupt, &message);

    close_handle(irqs);
    return status == MX_OK ? interrupt : MX_HANDLE_INVALID;
}

// The drivers share one, as there is no real function for each.
static mx_handle_t make_dma(void)
{
    static mx_handle_t shared;
    mx_handle_t resource = make(MX_RESOURCE_DMA, 0, 0), dma;
    mx_status_t status =
        shared == MX_HANDLE_INVALID ? mx_dma_create(resource, HOST_BRIDGE, &shared) : MX_OK;

    close_handle(resource);
    if (status == MX_OK)
        status = mx_handle_duplicate(shared, MX_RIGHT_SAME, &dma);
    return status == MX_OK ? dma : MX_HANDLE_INVALID;
}

static mx_handle_t make_log(void)
{
    mx_handle_t log;

    return mx_log_create(system_resource(), &log) == MX_OK ? log : MX_HANDLE_INVALID;
}

// Configuration space with virtio's structures, as all devices here have it.
static mx_handle_t make_config(void)
{
    static const uint32_t capabilities[] = {
        0x02140009 | 0x54 << 8,
        0,
        0x1000,
        0x1000,
        4, // doorbells
        0x01100009 | 0x64 << 8,
        0,
        0x0000,
        0x0038, // common
        0x04100009,
        0,
        0x2000,
        0x0040, // the device's own
    };
    mx_handle_t page;
    uint32_t *words = map_new(MX_PAGE_SIZE, &page);

    if (!words)
        return MX_HANDLE_INVALID;
    words[1] = 0x10u << 16;
    words[0x34 / 4] = 0x40;
    memcpy(words + 0x40 / 4, capabilities, sizeof(capabilities));
    unmap(words, MX_PAGE_SIZE);
    return page;
}

// With registers that are zero.
static bool make_machine(struct machine *machine, const char *name, mx_handle_t *registers)
{
    *machine = (struct machine){.registers = map_new(REGISTERS_BYTES, registers)};
    snprintf(machine->name, sizeof(machine->name), "%s", name);
    return machine->registers != NULL;
}

static mx_status_t start_driver(struct machine *machine, const char *program, uint32_t bar,
                                mx_handle_t registers)
{
    const char *const argv[] = {program, machine->name};
    char path[64];
    mx_handle_t service;

    snprintf(path, sizeof(path), "bin/%s", program);
    if (mx_channel_create(&machine->service, &service) != MX_OK)
        return MX_ERR_NO_RESOURCES;
    const struct process_handle handles[] = {
        {DRIVER_STARTUP_BAR, bar, registers},
        {DRIVER_STARTUP_CONFIG, 0, make_config()},
        {DRIVER_STARTUP_INTERRUPT, 0, make_interrupt()},
        {DRIVER_STARTUP_DMA, 0, make_dma()},
        {DRIVER_STARTUP_SERVICE, 0, service},
        {MX_STARTUP_LOG, 0, make_log()},
    };
    const struct process_launch launch = {.job = own_job(),
                                          .argv = argv,
                                          .argc = 2,
                                          .handles = handles,
                                          .handle_count = sizeof(handles) / sizeof(handles[0])};
    return process_launch_file(&launch, path, &machine->process);
}

static bool is_in_log(const char *machine, const char *what)
{
    static struct mx_log_record record;
    mx_handle_t log = make_log();
    char line[MX_LOG_LINE_SIZE];
    bool is_found = false;

    snprintf(line, sizeof(line), "disk %s: %s", machine, what);
    while (!is_found && mx_log_read(log, &record) == MX_OK) {
        record
            .text[record.size_bytes < MX_LOG_LINE_SIZE ? record.size_bytes : MX_LOG_LINE_SIZE - 1] =
            '\0';
        is_found = strncmp(record.text, line, strlen(line)) == 0;
    }
    close_handle(log);
    return is_found;
}

// --- controllers

static void nvme_enable(struct machine *machine)
{
    set(machine, NVME_CSTS, get(machine, NVME_CC) & 1);
}

static void ahci_reset(struct machine *machine)
{
    set(machine, AHCI_GHC, get(machine, AHCI_GHC) & ~AHCI_GHC_RESET);
}

struct word {
    uint32_t offset, value;
};

#define NVME_GOOD                        \
    {NVME_CAP, NVME_CAP_LOW_GOOD},       \
    {                                    \
        NVME_CAP + 4, NVME_CAP_HIGH_GOOD \
    }
#define AHCI_GOOD                                                               \
    {AHCI_CAP, AHCI_CAP_64}, {AHCI_PI, 1}, {AHCI_PORT_SSTS, AHCI_SSTS_PRESENT}, \
    {                                                                           \
        AHCI_PORT_SIG, AHCI_SIG_DISK                                            \
    }

static const struct {
    const char *program;
    uint32_t bar;
    struct word words[6];
    void (*step)(struct machine *machine);
    const char *said;
} cases[] = {
    {"nvme_driver", 0, {{NVME_CAP, 0}}, NULL, "it has no queues of the size"},
    {"nvme_driver", 0, {NVME_GOOD, {NVME_CSTS, 1}}, NULL, "it cannot be reset"},
    {"nvme_driver", 0, {NVME_GOOD}, NULL, "it does not become ready"},
    {"nvme_driver", 0, {NVME_GOOD}, nvme_enable, "it does not say what it is"},
    {"ahci_driver", 5, {{AHCI_CAP, 0}}, NULL, "it cannot be reset, or has no"},
    {"ahci_driver", 5, {AHCI_GOOD}, NULL, "it cannot be reset, or has no"},
    {"ahci_driver",
     5,
     {AHCI_GOOD, {AHCI_PORT_CMD, AHCI_CMD_RUNNING}},
     ahci_reset,
     "its port does not stop"},
    {"ahci_driver", 5, {AHCI_GOOD, {AHCI_PORT_TFD, AHCI_TFD_BUSY}}, ahci_reset, "its disk is busy"},
    {"ahci_driver", 5, {AHCI_GOOD}, ahci_reset, "its disk does not say what it is"},
    {"virtio_block_driver", 0, {{VIRTIO_FEATURES, 0}}, NULL, "it does not accept the features"},
    {"virtio_block_driver", 0, {{VIRTIO_FEATURES, 1}}, NULL, "it has no queue"},
};
#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))

static bool start_case(size_t index, struct machine *machine)
{
    mx_handle_t registers;
    char name[DRIVER_NAME_SIZE];

    snprintf(name, sizeof(name), "case-%u", (unsigned)index);
    if (!make_machine(machine, name, &registers))
        return false;
    for (size_t i = 0; i < sizeof(cases[0].words) / sizeof(cases[0].words[0]); i++) {
        if (cases[index].words[i].value != 0)
            set(machine, cases[index].words[i].offset, cases[index].words[i].value);
    }
    machine->step = cases[index].step;
    return start_driver(machine, cases[index].program, cases[index].bar, registers) == MX_OK;
}

// A disk that says that it has sectors and a queue, and never looks at the queue.
static struct {
    struct machine machine;
    struct block_client client;
    mx_handle_t buffer;
    uint32_t memory;
} silent;

#define FIRST_READ 99 // its transaction; nobody waits for it yet

static bool start_silent_disk(void)
{
    mx_handle_t registers;

    if (!make_machine(&silent.machine, "silent", &registers))
        return false;
    set(&silent.machine, VIRTIO_FEATURES, 1);
    set(&silent.machine, VIRTIO_QUEUE_SIZE, 64);
    set(&silent.machine, VIRTIO_OWN, VIRTIO_SECTORS);
    if (start_driver(&silent.machine, "virtio_block_driver", 0, registers) != MX_OK ||
        block_client_open(&silent.client, silent.machine.service) != MX_OK ||
        mx_vmo_create(MX_PAGE_SIZE, &silent.buffer) != MX_OK ||
        block_client_attach(&silent.client, silent.buffer, &silent.memory) != MX_OK)
        return false;
    const struct block_message read = {.request = {.transaction = FIRST_READ,
                                                   .operation = BLOCK_READ,
                                                   .size_bytes = 512,
                                                   .segment_count = 1},
                                       .segments = {{0, 512, silent.memory}}};
    return mx_channel_write(silent.machine.service, &read,
                            (uint32_t)(sizeof(read.request) + sizeof(read.segments[0])), NULL,
                            0) == MX_OK;
}

static struct machine machines[CASE_COUNT];

// Until the program ends.
static void run_controllers(void *arg)
{
    (void)arg;
    for (;;) {
        for (size_t i = 0; i < CASE_COUNT; i++) {
            if (machines[i].step)
                machines[i].step(&machines[i]);
        }
        mx_nanosleep(deadline_after(MX_MSEC(1)));
    }
}

// All side by side, in whichever test is first, as each takes its driver's patience.
static bool start_all(void)
{
    static bool is_started, is_good = true;
    static struct thread *thread;

    for (size_t i = 0; i < CASE_COUNT && !is_started; i++)
        is_good = start_case(i, &machines[i]) && is_good;
    if (!is_started)
        is_good = start_silent_disk() && is_good &&
                  thread_create(&thread, "controllers", run_controllers, NULL, 0) == MX_OK;
    is_started = true;
    return is_good;
}

TEST(drivers_of_controllers_that_do_not_answer_say_so_and_end)
{
    ASSERT_TRUE(start_all());
    for (size_t i = 0; i < CASE_COUNT; i++) {
        int32_t exit_code = 0;
        EXPECT_OK(process_wait(machines[i].process, deadline_after(END_WAIT), &exit_code));
        EXPECT_EQ(exit_code, 1);
        if (!is_in_log(machines[i].name, cases[i].said)) {
            printf("# case %u did not say: %s\n", (unsigned)i, cases[i].said);
            EXPECT_TRUE(false);
        }
        close_handle(machines[i].process);
        close_handle(machines[i].service);
    }
}

TEST(clients_of_a_disk_that_never_answers_get_errors)
{
    struct block_reply reply = {.status = MX_OK};
    struct block_client other;
    mx_handle_t extent;

    ASSERT_TRUE(start_all());
    // It tells what it is while requests wait.
    EXPECT_EQ(silent.client.size_bytes, (uint64_t)VIRTIO_SECTORS * 512);
    ASSERT_OK(block_client_split(&silent.client, 0, 512, BLOCK_OPEN_READ_ONLY, &extent));
    EXPECT_OK(block_client_open(&other, extent));
    EXPECT_STATUS(MX_ERR_IO,
                  block_client_copy(&silent.client, BLOCK_READ, 512, 512, silent.memory, 0));
    EXPECT_OK(mx_channel_read(silent.machine.service, &reply, sizeof(reply), NULL, 0, NULL));
    EXPECT_EQ(reply.transaction, (uint32_t)FIRST_READ);
    EXPECT_STATUS(MX_ERR_IO, reply.status);
    EXPECT_TRUE(is_in_log("silent", "it does not answer; its requests fail from now on"));
    // And afterwards, when the device is not asked again.
    EXPECT_STATUS(MX_ERR_IO,
                  block_client_copy(&silent.client, BLOCK_READ, 0, 512, silent.memory, 0));
    EXPECT_STATUS(MX_ERR_IO, block_client_flush(&silent.client)); // although it has no cache
    EXPECT_OK(block_client_open(&other, extent));
    close_handle(extent);
    close_handle(silent.machine.service);
    int32_t exit_code = -1;
    EXPECT_OK(process_wait(silent.machine.process, deadline_after(END_WAIT), &exit_code));
    EXPECT_EQ(exit_code, 0);
    close_handle(silent.machine.process);
    close_handle(silent.buffer);
}
