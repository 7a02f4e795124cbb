// The driver of AHCI controllers (Serial ATA AHCI 1.3.1): the first port with a disk, without
// native command queuing. One command at a time is with the disk; the others wait in their slots.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dma_fence.h>

#include "user/drivers/lib/disk.h"
#include "user/drivers/portable/ahci_port.h"

#define BAR            5 // ABAR
#define REG_CAP        0x00
#define REG_GHC        0x04
#define REG_IS         0x08
#define REG_PI         0x0c
#define REG_BYTES_MIN  0x180u
#define CAP_64         (1u << 31)
#define GHC_RESET      (1u << 0)
#define GHC_INTERRUPTS (1u << 1)
#define GHC_AHCI       (1u << 31)
#define GONE           UINT32_MAX

#define PORTS_MAX     32u
#define PORT_BASE     0x100u
#define PORT_BYTES    0x80u
#define PORT_CLB      0x00
#define PORT_FB       0x08
#define PORT_IS       0x10
#define PORT_IE       0x14
#define PORT_CMD      0x18
#define PORT_TFD      0x20
#define PORT_SIG      0x24
#define PORT_SSTS     0x28
#define PORT_SERR     0x30
#define PORT_CI       0x38
#define CMD_START     (1u << 0)
#define CMD_SPIN_UP   (1u << 1)
#define CMD_POWER_ON  (1u << 2)
#define CMD_RECEIVE   (1u << 4)
#define CMD_RECEIVING (1u << 14)
#define CMD_RUNNING   (1u << 15)
#define SSTS_PRESENT  3u // DET: device and link
#define SIG_DISK      0x00000101u
#define TFD_BUSY      0x88u
#define IS_FATAL      0x78000000u // task file, host bus fatal and data, interface
#define IE_ALL        (IS_FATAL | 0x1fu)

#define WAIT         MX_SEC(5)
#define POLL_PAUSE   MX_MSEC(1)
#define TABLE_STRIDE 4096u

// Pages of the memory that driver and controller share.
#define PAGE_LIST       0
#define PAGE_IDENTIFY   1
#define PAGE_TABLES     2 // one for each tag
#define PAGE_COUNT      (PAGE_TABLES + DISK_TAGS_MAX)
#define RECEIVED_OFFSET AHCI_LIST_BYTES

_Static_assert(AHCI_TABLE_BYTES <= TABLE_STRIDE, "tables");
_Static_assert(DISK_TAGS_MAX <= AHCI_SLOTS_MAX, "tags are slots");
_Static_assert(DISK_RUNS_MAX <= AHCI_PIECES_MAX, "runs are pieces");
_Static_assert(sizeof(struct ahci_piece) == sizeof(struct disk_run), "the same");

struct ahci {
    struct disk disk;
    volatile uint8_t *registers, *port;
    struct driver_memory memory;
    uint32_t active; // slot with the disk
    bool is_active;
    uint32_t waiting; // slots
};

static uint32_t read32(const volatile uint8_t *base, uint32_t offset)
{
    return *(const volatile uint32_t *)(base + offset);
}

static void write32(volatile uint8_t *base, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(base + offset) = value;
}

static bool wait_clear(const volatile uint8_t *base, uint32_t offset, uint32_t bits)
{
    mx_time_t deadline = mx_clock_get_monotonic() + WAIT;

    for (;;) {
        uint32_t value = read32(base, offset);
        if (value == GONE)
            return false;
        if (!(value & bits))
            return true;
        if (mx_clock_get_monotonic() > deadline)
            return false;
        mx_nanosleep(mx_clock_get_monotonic() + POLL_PAUSE);
    }
}

static bool stop_port(volatile uint8_t *port)
{
    write32(port, PORT_CMD, read32(port, PORT_CMD) & ~CMD_START);
    if (!wait_clear(port, PORT_CMD, CMD_RUNNING))
        return false;
    write32(port, PORT_CMD, read32(port, PORT_CMD) & ~CMD_RECEIVE);
    return wait_clear(port, PORT_CMD, CMD_RECEIVING);
}

static void start_port(volatile uint8_t *port)
{
    write32(port, PORT_SERR, UINT32_MAX);
    write32(port, PORT_IS, UINT32_MAX);
    write32(port, PORT_CMD, read32(port, PORT_CMD) | CMD_RECEIVE);
    write32(port, PORT_CMD, read32(port, PORT_CMD) | CMD_START);
}

// The controller's own reset ends all it does, whatever state the port is in.
static bool stop(struct disk *disk)
{
    struct ahci *ahci = (struct ahci *)disk;

    write32(ahci->registers, REG_GHC, GHC_AHCI | GHC_RESET);
    return wait_clear(ahci->registers, REG_GHC, GHC_RESET) ||
           read32(ahci->registers, REG_GHC) == GONE;
}

static bool is_alive(struct disk *disk)
{
    struct ahci *ahci = (struct ahci *)disk;

    return read32(ahci->registers, REG_GHC) != GONE &&
           (read32(ahci->port, PORT_SSTS) & 0xf) == SSTS_PRESENT;
}

// --- data
// ---------------------------------------------------------------------------------------------

// In turn, so that nobody's command waits for ever while others' tags are used again.
static void give_next(struct ahci *ahci)
{
    const uint32_t later = ahci->waiting & ~((UINT32_C(2) << ahci->active) - 1);

    if (ahci->is_active || ahci->waiting == 0)
        return;
    ahci->active = (uint32_t)__builtin_ctz(later ? later : ahci->waiting);
    ahci->waiting &= ~(1u << ahci->active);
    ahci->is_active = true;
    // The command is there before its bit.
    dma_fence_write();
    write32(ahci->port, PORT_CI, 1u << ahci->active);
}

static mx_status_t write_command(struct ahci *ahci, uint32_t slot,
                                 const struct ahci_command *command)
{
    uint32_t offset = PAGE_TABLES * (uint32_t)MX_PAGE_SIZE + slot * TABLE_STRIDE;

    return ahci_write_command(ahci->memory.bytes, slot, (uint8_t *)ahci->memory.bytes + offset,
                              ahci->memory.address + offset, command);
}

static mx_status_t start(struct disk *disk, const struct disk_transfer *transfer)
{
    struct ahci *ahci = (struct ahci *)disk;
    struct ahci_command command = {.command = ATA_FLUSH_CACHE_EXT};

    if (transfer->operation != BLOCK_FLUSH) {
        command = (struct ahci_command){
            .command = transfer->operation == BLOCK_READ ? ATA_READ_DMA_EXT : ATA_WRITE_DMA_EXT,
            .is_write = transfer->operation == BLOCK_WRITE,
            .sector = transfer->offset / AHCI_SECTOR_BYTES,
            .sector_count = (uint16_t)(transfer->size_bytes / AHCI_SECTOR_BYTES),
            .pieces = (const struct ahci_piece *)transfer->runs,
            .piece_count = transfer->run_count,
        };
    }
    mx_status_t status = write_command(ahci, transfer->tag, &command);
    if (status != MX_OK)
        return status;
    ahci->waiting |= 1u << transfer->tag;
    give_next(ahci);
    return MX_OK;
}

// A command that failed stops the port: it is started again for the next.
static void interrupt(struct disk *disk)
{
    struct ahci *ahci = (struct ahci *)disk;
    uint32_t cause = read32(ahci->port, PORT_IS), left = read32(ahci->port, PORT_CI);

    if (cause == GONE || left == GONE) {
        disk_fail(disk, "it is gone");
        return;
    }
    write32(ahci->port, PORT_IS, cause);
    write32(ahci->registers, REG_IS, UINT32_MAX);
    if (!ahci->is_active)
        return;
    if (cause & IS_FATAL) {
        if (!stop_port(ahci->port)) {
            disk_fail(disk, "its port does not stop after an error");
            return;
        }
        start_port(ahci->port);
    } else if (left >> ahci->active & 1) {
        return;
    }
    // What the device wrote is read after the register that says so.
    dma_fence_read();
    ahci->is_active = false;
    disk_complete(disk, ahci->active, cause & IS_FATAL ? MX_ERR_IO : MX_OK);
    if (!disk->is_failed)
        give_next(ahci);
}

static const struct disk_ops ops = {.needs_words = true,
                                    .start = start,
                                    .interrupt = interrupt,
                                    .is_alive = is_alive,
                                    .stop = stop};

// --- start-up
// -----------------------------------------------------------------------------------------

static mx_status_t enable(struct ahci *ahci, const char **why)
{
    uint32_t implemented;

    *why = "it cannot be reset, or has no 64-bit addresses";
    write32(ahci->registers, REG_GHC, GHC_AHCI);
    if (!(read32(ahci->registers, REG_CAP) & CAP_64))
        return MX_ERR_NOT_SUPPORTED;
    write32(ahci->registers, REG_GHC, GHC_AHCI | GHC_RESET);
    if (!wait_clear(ahci->registers, REG_GHC, GHC_RESET))
        return MX_ERR_IO;
    write32(ahci->registers, REG_GHC, GHC_AHCI);
    implemented = read32(ahci->registers, REG_PI);
    for (uint32_t i = 0; i < PORTS_MAX; i++) {
        volatile uint8_t *port = ahci->registers + PORT_BASE + i * PORT_BYTES;
        if (implemented >> i & 1 &&
            PORT_BASE + (i + 1) * PORT_BYTES <= ahci->disk.device.bars[BAR].size_bytes)
            write32(port, PORT_CMD, read32(port, PORT_CMD) | CMD_SPIN_UP | CMD_POWER_ON);
    }
    // A link is up in 10 ms.
    mx_nanosleep(mx_clock_get_monotonic() + MX_MSEC(20));
    return MX_OK;
}

static mx_status_t open_port(struct ahci *ahci, const char **why)
{
    *why = "its port does not stop";
    if (!stop_port(ahci->port))
        return MX_ERR_IO;
    write32(ahci->port, PORT_CLB, (uint32_t)ahci->memory.address);
    write32(ahci->port, PORT_CLB + 4, (uint32_t)(ahci->memory.address >> 32));
    write32(ahci->port, PORT_FB, (uint32_t)(ahci->memory.address + RECEIVED_OFFSET));
    write32(ahci->port, PORT_FB + 4, (uint32_t)((ahci->memory.address + RECEIVED_OFFSET) >> 32));
    start_port(ahci->port);
    *why = "its disk is busy";
    if (!wait_clear(ahci->port, PORT_TFD, TFD_BUSY))
        return MX_ERR_IO;
    return MX_OK;
}

// The signature comes with the first words of the disk, which need somewhere to go. NOT_FOUND:
// there is no disk.
static mx_status_t find_disk(struct ahci *ahci, const char **why)
{
    uint32_t implemented = read32(ahci->registers, REG_PI);

    for (uint32_t i = 0; i < PORTS_MAX; i++) {
        volatile uint8_t *port = ahci->registers + PORT_BASE + i * PORT_BYTES;
        if (!(implemented >> i & 1) ||
            PORT_BASE + (i + 1) * PORT_BYTES > ahci->disk.device.bars[BAR].size_bytes ||
            (read32(port, PORT_SSTS) & 0xf) != SSTS_PRESENT)
            continue;
        ahci->port = port;
        mx_status_t status = open_port(ahci, why);
        if (status != MX_OK || read32(port, PORT_SIG) == SIG_DISK)
            return status;
        if (!stop_port(port))
            return MX_ERR_IO;
    }
    return MX_ERR_NOT_FOUND;
}

static mx_status_t identify(struct ahci *ahci, const char **why)
{
    const struct ahci_piece piece = {ahci->memory.address + PAGE_IDENTIFY * MX_PAGE_SIZE,
                                     AHCI_SECTOR_BYTES};
    const struct ahci_command command = {
        .command = ATA_IDENTIFY, .pieces = &piece, .piece_count = 1};
    mx_status_t status = write_command(ahci, 0, &command);

    *why = "its disk does not say what it is";
    if (status != MX_OK)
        return status;
    dma_fence_write();
    write32(ahci->port, PORT_CI, 1);
    if (!wait_clear(ahci->port, PORT_CI, 1) || (read32(ahci->port, PORT_IS) & IS_FATAL))
        return MX_ERR_IO;
    write32(ahci->port, PORT_IS, UINT32_MAX);
    dma_fence_read();
    uint64_t sectors =
        ahci_read_identify((const uint8_t *)ahci->memory.bytes + PAGE_IDENTIFY * MX_PAGE_SIZE);
    *why = "its disk has no 48-bit addresses, or other sectors than of 512 bytes";
    if (sectors == 0)
        return MX_ERR_NOT_SUPPORTED;
    ahci->disk.geometry = (struct block_geometry){AHCI_SECTOR_BYTES, DISK_TRANSFER_BYTES};
    ahci->disk.size_bytes = sectors * AHCI_SECTOR_BYTES;
    write32(ahci->registers, REG_IS, UINT32_MAX);
    write32(ahci->port, PORT_IE, IE_ALL);
    write32(ahci->registers, REG_GHC, GHC_AHCI | GHC_INTERRUPTS);
    return MX_OK;
}

static mx_status_t open_disk(struct ahci *ahci, const char **why)
{
    struct driver_device *device = &ahci->disk.device;

    *why = "it has no registers";
    ahci->registers = driver_map_bar(device, BAR);
    ahci->disk.ops = &ops;
    if (!ahci->registers || device->bars[BAR].size_bytes < REG_BYTES_MIN)
        return MX_ERR_NOT_FOUND;
    *why = "no memory for its commands";
    mx_status_t status = driver_allocate(device, PAGE_COUNT * MX_PAGE_SIZE, &ahci->memory);
    if (status == MX_OK)
        status = enable(ahci, why);
    if (status != MX_OK)
        return status;
    status = find_disk(ahci, why);
    if (status == MX_ERR_NOT_FOUND)
        return MX_ERR_UNAVAILABLE; // a controller without a disk, as most PCs have
    return status == MX_OK ? identify(ahci, why) : status;
}

int main(int argc, char **argv)
{
    static struct ahci ahci;
    const char *why = "";

    if (driver_start(&ahci.disk.device, argc, argv) != MX_OK)
        return EXIT_FAILURE;
    mx_status_t status = open_disk(&ahci, &why);
    if (status == MX_OK)
        return disk_run(&ahci.disk);
    if (status != MX_ERR_UNAVAILABLE)
        printf("disk %s: %s: %s\n", ahci.disk.device.name, why, mx_status_string(status));
    return status == MX_ERR_UNAVAILABLE ? EXIT_SUCCESS : EXIT_FAILURE;
}
