// The user programs' library on the target: memory, threads, locks, numbers, sorting, launching
// programs.

#include "tests/test.h"

#include <stdlib.h>

#include <machina/syscalls.h>

#include <machina_user/files.h>
#include <machina_user/mutex.h>
#include <machina_user/process.h>
#include <machina_user/startup.h>
#include <machina_user/stream.h>
#include <machina_user/thread.h>

#define THREADS 4
#define ROUNDS  2000

static struct mutex counter_mutex;
static uint64_t counter; // not atomic: only the mutex keeps it right

static void count_up(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        mutex_lock(&counter_mutex);
        uint64_t value = counter;
        if (i % 64 == 0)
            mx_thread_yield();
        counter = value + 1;
        mutex_unlock(&counter_mutex);
    }
}

TEST(mutex_excludes_threads)
{
    struct thread *threads[THREADS];

    counter = 0;
    for (unsigned i = 0; i < THREADS; i++)
        ASSERT_OK(thread_create(&threads[i], "counter", count_up, NULL, 0));
    for (unsigned i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    EXPECT_EQ(counter, THREADS * ROUNDS);
}

static void use_heap(void *arg)
{
    unsigned *wrong = arg;
    uint8_t *blocks[16] = {0};

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned slot = i % 16;
        if (blocks[slot] && (blocks[slot][0] != slot || blocks[slot][99] != slot))
            (*wrong)++;
        free(blocks[slot]);
        blocks[slot] = malloc(100 + i % 700);
        memset(blocks[slot], (int)slot, 100);
    }
    for (unsigned slot = 0; slot < 16; slot++)
        free(blocks[slot]);
}

TEST(malloc_is_thread_safe)
{
    struct thread *threads[THREADS];
    unsigned wrong[THREADS] = {0};

    for (unsigned i = 0; i < THREADS; i++)
        ASSERT_OK(thread_create(&threads[i], "heap", use_heap, &wrong[i], 0));
    for (unsigned i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    for (unsigned i = 0; i < THREADS; i++)
        EXPECT_EQ(wrong[i], 0);
}

static uint64_t own_memory_bytes(void)
{
    struct mx_info_process info;
    mx_handle_t self = startup_handle_look(MX_STARTUP_SELF_PROCESS, 0);

    EXPECT_OK(mx_object_get_info(self, MX_INFO_PROCESS, &info, sizeof(info), NULL));
    return info.mapped_bytes;
}

TEST(free_gives_large_blocks_back)
{
    free(malloc(8 << 20));
    uint64_t before = own_memory_bytes();
    uint8_t *block = malloc(8 << 20);
    ASSERT_TRUE(block != NULL);
    memset(block, 1, 8 << 20);
    EXPECT_GE(own_memory_bytes(), before + (8 << 20));
    free(block);
    EXPECT_LE(own_memory_bytes(), before + (64 << 10));
}

TEST(calloc_and_realloc_keep_their_promises)
{
    size_t huge = SIZE_MAX / 2;
    unsigned wrong = 0;
    uint8_t *block = malloc(3000);

    memset(block, 0xff, 3000);
    free(block);
    block = calloc(30, 100);
    for (unsigned i = 0; i < 3000; i++)
        wrong += block[i] != 0;
    for (unsigned i = 0; i < 3000; i++)
        block[i] = (uint8_t)i;
    block = realloc(block, 200000);
    for (unsigned i = 0; i < 3000; i++)
        wrong += block[i] != (uint8_t)i;
    block = realloc(block, 10);
    for (unsigned i = 0; i < 10; i++)
        wrong += block[i] != (uint8_t)i;
    free(block);
    EXPECT_EQ(wrong, 0);
    EXPECT_TRUE(calloc(huge, 4) == NULL);
    EXPECT_TRUE(malloc(huge) == NULL);
}

static struct {
    struct mutex mutex;
    struct condition condition;
    unsigned turn;
} game;

static void play(void *arg)
{
    unsigned own = *(unsigned *)arg;

    mutex_lock(&game.mutex);
    while (game.turn < 200) {
        while (game.turn < 200 && game.turn % 2 != own) {
            if (condition_wait(&game.condition, &game.mutex, MX_TIME_INFINITE) != MX_OK)
                abort();
        }
        game.turn++;
        condition_wake_all(&game.condition);
    }
    mutex_unlock(&game.mutex);
}

TEST(condition_hands_turns_over)
{
    struct thread *thread;
    unsigned odd = 1, even = 0;

    game.turn = 0;
    ASSERT_OK(thread_create(&thread, "odd", play, &odd, 0));
    play(&even);
    thread_join(thread);
    EXPECT_GE(game.turn, 200);
}

TEST(condition_times_out)
{
    struct mutex mutex = {0};
    struct condition condition = {0};

    mutex_lock(&mutex);
    EXPECT_STATUS(MX_ERR_TIMED_OUT,
                  condition_wait(&condition, &mutex, mx_clock_get_monotonic() + MX_MSEC(5)));
    EXPECT_EQ(mutex.state, 1);
    mutex_unlock(&mutex);
}

TEST(strings_and_numbers)
{
    char text[32] = "overlapping text";
    char *end;

    memmove(text + 4, text, 12);
    EXPECT_STR_EQ(text, "overoverlapping ");
    memmove(text, text + 4, 12);
    EXPECT_TRUE(strncmp(text, "overlapping ", 12) == 0);
    EXPECT_EQ(strtoul("0x1fz", &end, 0), 31);
    EXPECT_EQ(*end, 'z');
    EXPECT_EQ(strtol("-12", NULL, 10), -12);
    EXPECT_EQ(strtoul("99999999999999999999999", NULL, 10), UINT64_MAX);
    EXPECT_EQ(strtol("-99999999999999999999999", NULL, 10), INT64_MIN);
    EXPECT_EQ(strtoul("0xg", &end, 16), 0);
    EXPECT_EQ(*end, 'x');
    EXPECT_TRUE(strstr("abcabd", "abd") != NULL);
    EXPECT_LT(memcmp("aaaaaaaab", "aaaaaaaac", 9), 0);
}

static int compare_ints(const void *a, const void *b)
{
    int left = *(const int *)a, right = *(const int *)b;

    return (left > right) - (left < right);
}

TEST(qsort_sorts_and_bsearch_finds)
{
    int values[257];
    unsigned wrong = 0;

    for (int i = 0; i < 257; i++)
        values[i] = i * 7919 % 257;
    qsort(values, 257, sizeof(values[0]), compare_ints);
    for (int i = 0; i < 257; i++) {
        wrong += values[i] != i;
        wrong += bsearch(&i, values, 257, sizeof(values[0]), compare_ints) != &values[i];
    }
    EXPECT_EQ(wrong, 0);
    int missing = 300;
    EXPECT_TRUE(bsearch(&missing, values, 257, sizeof(values[0]), compare_ints) == NULL);
}

static mx_status_t launch_echo(const struct process_handle *handles, size_t handle_count,
                               mx_handle_t *process)
{
    static const char *const argv[] = {"echo", "launched"};
    const struct process_launch spec = {.job = startup_handle_look(MX_STARTUP_JOB, 0),
                                        .argv = argv,
                                        .argc = 2,
                                        .handles = handles,
                                        .handle_count = handle_count};

    return process_launch_file(&spec, "bin/echo", process);
}

TEST(launched_program_writes_to_its_stream)
{
    mx_handle_t ours, theirs, process;
    char text[32] = "";
    size_t length;
    int32_t exit_code = -1;

    ASSERT_OK(mx_stream_create(&ours, &theirs));
    const struct process_handle handles[] = {{MX_STARTUP_STDOUT, 0, theirs}};
    ASSERT_OK(launch_echo(handles, 1, &process));
    EXPECT_OK(process_wait(process, mx_clock_get_monotonic() + MX_SEC(10), &exit_code));
    EXPECT_EQ(exit_code, 0);
    EXPECT_OK(stream_read_some(ours, text, sizeof(text) - 1, 0, &length));
    EXPECT_STR_EQ(text, "launched\n");
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, stream_read_some(ours, text, sizeof(text), 0, &length));
    handle_close(process);
    handle_close(ours);
}

// The handles given to a launch that fails are closed: the stream's other end sees it.
static void expect_refused(mx_status_t expected, const void *file, size_t size_bytes)
{
    static const char *const argv[] = {"bad"};
    mx_handle_t vmo, ours, theirs, process;
    const char *reason = NULL;
    mx_signals_t pending = 0;

    ASSERT_OK(mx_vmo_create(8192, &vmo));
    ASSERT_OK(mx_vmo_write(vmo, file, 0, size_bytes));
    ASSERT_OK(mx_stream_create(&ours, &theirs));
    const struct process_handle handles[] = {{MX_STARTUP_STDOUT, 0, theirs}};
    const struct process_launch spec = {.job = startup_handle_look(MX_STARTUP_JOB, 0),
                                        .executable = vmo,
                                        .executable_bytes = size_bytes,
                                        .argv = argv,
                                        .argc = 1,
                                        .handles = handles,
                                        .handle_count = 1,
                                        .reason = &reason};
    EXPECT_STATUS(expected, process_launch(&spec, &process));
    EXPECT_TRUE(reason != NULL);
    EXPECT_OK(mx_object_wait_one(ours, MX_SIGNAL_PEER_CLOSED, 0, &pending));
    handle_close(ours);
    handle_close(vmo);
}

TEST(bad_programs_are_refused_with_a_reason)
{
    const void *bytes;
    size_t size_bytes;
    char head[4096];

    expect_refused(MX_ERR_INVALID_ARGS, "#!/bin/sh\n", 10);
    ASSERT_OK(files_map("bin/echo", &bytes, &size_bytes));
    memcpy(head, bytes, sizeof(head));
    expect_refused(MX_ERR_IO_DATA_INTEGRITY, head, sizeof(head)); // cut off
    head[16] = 3;                                                 // ET_DYN
    expect_refused(MX_ERR_NOT_SUPPORTED, head, sizeof(head));
}

TEST(missing_program_is_not_found)
{
    static const char *const argv[] = {"x"};
    const struct process_launch spec = {
        .job = startup_handle_look(MX_STARTUP_JOB, 0), .argv = argv, .argc = 1};
    mx_handle_t process;

    EXPECT_STATUS(MX_ERR_NOT_FOUND, process_launch_file(&spec, "bin/x", &process));
    EXPECT_STATUS(
        MX_ERR_BAD_PATH,
        files_clean_path("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                         (char[FILES_PATH_BYTES]){0}));
}
