// The only process of the Linux guest in which the path of a virtual disk is measured: it loads the
// ramdisk's modules, reads /dev/vda past the page cache, and marks where each part begins and ends
// (marks.h). Each 4 KiB of the disk begin with their own number, which is checked.
//
// It prints "block: done", or what went wrong, and then waits to be stopped.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/bench/block/reads.h"

#define DISK         "/dev/vda"
#define MODULES      "/modules/"
#define DISK_WAIT_MS 5000

static void fail(const char *what)
{
    printf("block: failed: %s: %s\n", what, strerror(errno));
    for (;;)
        pause();
}

static void load_modules(void)
{
    char name[64], path[sizeof(MODULES) + sizeof(name)];
    FILE *list = fopen(MODULES "early", "r");

    while (list && fscanf(list, "%63s", name) == 1) {
        snprintf(path, sizeof(path), MODULES "%s", name);
        int file = open(path, O_RDONLY);
        if (file < 0 || (syscall(SYS_finit_module, file, "", 0) != 0 && errno != EEXIST))
            fail(name);
        close(file);
    }
}

static int open_disk(void)
{
    mkdir("/dev", 0755);
    if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) != 0 && errno != EBUSY)
        fail("/dev");
    load_modules();
    for (unsigned waited_ms = 0; access(DISK, F_OK) != 0 && waited_ms < DISK_WAIT_MS; waited_ms++)
        usleep(1000);
    int disk = open(DISK, O_RDONLY | O_DIRECT);
    if (disk < 0)
        fail(DISK);
    return disk;
}

static void check(const uint8_t *bytes, uint64_t offset)
{
    uint64_t number;

    memcpy(&number, bytes, sizeof(number));
    if (number != offset / SMALL_BYTES) {
        errno = EILSEQ;
        fail("what was read");
    }
}

static void read_at(int disk, uint8_t *bytes, size_t size, uint64_t offset)
{
    if (pread(disk, bytes, size, (off_t)offset) != (ssize_t)size)
        fail("read");
    check(bytes, offset);
}

// The same sequence everywhere: Marsaglia's xorshift.
static uint64_t next_offset(void)
{
    static uint64_t state = 88172645463325252u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % (DISK_BYTES / SMALL_BYTES) * SMALL_BYTES;
}

static void read_small(int disk, uint8_t *bytes, unsigned count)
{
    while (count-- != 0)
        read_at(disk, bytes, SMALL_BYTES, next_offset());
}

static void read_large(int disk, uint8_t *bytes, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        read_at(disk, bytes, LARGE_BYTES, (uint64_t)i * LARGE_BYTES);
}

static struct iocb requests[AT_ONCE];

static void submit(aio_context_t context, int disk, uint8_t *bytes, unsigned index)
{
    struct iocb *request = &requests[index];

    *request = (struct iocb){.aio_fildes = (uint32_t)disk,
                             .aio_lio_opcode = IOCB_CMD_PREAD,
                             .aio_buf = (uintptr_t)(bytes + index * SMALL_BYTES),
                             .aio_nbytes = SMALL_BYTES,
                             .aio_offset = (int64_t)next_offset(),
                             .aio_data = index};
    if (syscall(SYS_io_submit, context, 1, &request) != 1)
        fail("io_submit");
}

// AT_ONCE requests in flight all the time, but at the end.
static void read_at_once(int disk, uint8_t *bytes, unsigned count)
{
    aio_context_t context = 0;
    struct io_event events[AT_ONCE];
    unsigned begun = 0, done = 0;

    if (syscall(SYS_io_setup, AT_ONCE, &context) != 0)
        fail("io_setup");
    while (begun < AT_ONCE && begun < count)
        submit(context, disk, bytes, begun++);
    while (done < count) {
        long got = syscall(SYS_io_getevents, context, 1, AT_ONCE, events, NULL);
        if (got < 1)
            fail("io_getevents");
        for (long i = 0; i < got; i++, done++) {
            unsigned index = (unsigned)events[i].data;
            if (events[i].res != SMALL_BYTES)
                fail("read");
            check(bytes + index * SMALL_BYTES, (uint64_t)requests[index].aio_offset);
            if (begun < count) {
                submit(context, disk, bytes, index);
                begun++;
            }
        }
    }
    syscall(SYS_io_destroy, context);
}

int main(void)
{
    int disk = open_disk();
    uint8_t *bytes = aligned_alloc(LARGE_BYTES, LARGE_BYTES);

    if (!bytes)
        fail("memory");
    memset(bytes, 0, LARGE_BYTES);
    read_small(disk, bytes, WARM_UP_COUNT);
    MARK(MARK_SMALL);
    read_small(disk, bytes, SMALL_COUNT);
    MARK(MARK_SMALL + 1);
    read_at_once(disk, bytes, WARM_UP_COUNT);
    MARK(MARK_AT_ONCE);
    read_at_once(disk, bytes, AT_ONCE_COUNT);
    MARK(MARK_AT_ONCE + 1);
    read_large(disk, bytes, 0, LARGE_WARM_UP_COUNT);
    MARK(MARK_LARGE);
    read_large(disk, bytes, LARGE_WARM_UP_COUNT, LARGE_COUNT);
    MARK(MARK_LARGE + 1);
    puts("block: done");
    for (;;)
        pause();
}
