// The start-up message: what is written is read back, and no malformed one is accepted.

#include "tests/test.h"
#include "user/portable/startup.h"

static _Alignas(8) char message[MX_STARTUP_MAX_BYTES + 64];
static struct startup startup;

static const struct mx_startup_handle handles[] = {{MX_STARTUP_STDOUT, 0},
                                                   {MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM}};
static const char *const argv[] = {"bin/ls", "", "-l"};
static const char *const env[] = {"A=b", "C="};

static size_t write_message(void)
{
    size_t size = 0;

    EXPECT_OK(startup_write(message, sizeof(message), handles, 2, argv, 3, env, 2, &size));
    return size;
}

TEST(reads_back_what_was_written)
{
    size_t size = write_message();

    ASSERT_OK(startup_read(message, size, 2, &startup));
    ASSERT_EQ(startup.argc, 3);
    EXPECT_STR_EQ(startup_argv(&startup)[0], "bin/ls");
    EXPECT_STR_EQ(startup_argv(&startup)[1], "");
    EXPECT_STR_EQ(startup_argv(&startup)[2], "-l");
    EXPECT_TRUE(startup_argv(&startup)[3] == NULL);
    EXPECT_STR_EQ(startup_env(&startup)[0], "A=b");
    EXPECT_STR_EQ(startup_env(&startup)[1], "C=");
    EXPECT_TRUE(startup_env(&startup)[2] == NULL);
    ASSERT_EQ(startup.handle_count, 2);
    EXPECT_EQ(startup.handles[1].kind, MX_STARTUP_RESOURCE);
    EXPECT_EQ(startup.handles[1].arg, MX_RESOURCE_SYSTEM);
}

TEST(message_of_nothing_is_valid)
{
    size_t size;

    ASSERT_OK(startup_write(message, sizeof(message), NULL, 0, NULL, 0, NULL, 0, &size));
    EXPECT_EQ(size, sizeof(struct mx_startup_message));
    ASSERT_OK(startup_read(message, size, 0, &startup));
    EXPECT_TRUE(startup_argv(&startup)[0] == NULL);
    EXPECT_TRUE(startup_env(&startup)[0] == NULL);
}

TEST(writes_up_to_the_limits_and_not_beyond)
{
    static struct mx_startup_handle many[MX_STARTUP_MAX_HANDLES + 1];
    static const char *words[MX_STARTUP_MAX_STRINGS + 1];
    static char huge[MX_STARTUP_MAX_BYTES];
    size_t size;

    for (size_t i = 0; i <= MX_STARTUP_MAX_STRINGS; i++)
        words[i] = "w";
    EXPECT_OK(startup_write(message, sizeof(message), many, MX_STARTUP_MAX_HANDLES, words,
                            MX_STARTUP_MAX_STRINGS, NULL, 0, &size));
    EXPECT_OK(startup_read(message, size, MX_STARTUP_MAX_HANDLES, &startup));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  startup_write(message, sizeof(message), many, MX_STARTUP_MAX_HANDLES + 1, NULL, 0,
                                NULL, 0, &size));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, startup_write(message, sizeof(message), NULL, 0, words,
                                                     MX_STARTUP_MAX_STRINGS, words, 1, &size));
    memset(huge, 'x', sizeof(huge) - 1);
    words[0] = huge;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  startup_write(message, sizeof(message), NULL, 0, words, 1, NULL, 0, &size));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  startup_write(message, 40, handles, 2, NULL, 0, NULL, 0, &size));
}

static struct mx_startup_message *header(void)
{
    return (struct mx_startup_message *)(void *)message;
}

#define EXPECT_MALFORMED(change)                                            \
    do {                                                                    \
        size_t size = write_message(), handle_count = 2;                    \
        change;                                                             \
        EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY,                             \
                      startup_read(message, size, handle_count, &startup)); \
        EXPECT_EQ(startup.handle_count + startup.argc, 0);                  \
    } while (0)

TEST(refuses_malformed_messages)
{
    EXPECT_MALFORMED((void)handle_count; header()->magic++);
    EXPECT_MALFORMED((void)handle_count; header()->size_bytes++);
    EXPECT_MALFORMED((void)handle_count; header()->argc = 6);
    EXPECT_MALFORMED((void)handle_count; header()->argc = 2);
    EXPECT_MALFORMED((void)handle_count; header()->argc = UINT32_MAX);
    EXPECT_MALFORMED((void)handle_count; header()->envc = UINT32_MAX);
    EXPECT_MALFORMED((void)handle_count; header()->strings_bytes = UINT32_MAX);
    EXPECT_MALFORMED((void)handle_count; header()->handle_count = 3);
    EXPECT_MALFORMED(handle_count = 1);
    EXPECT_MALFORMED((void)handle_count; message[size - 1] = 'x');
    EXPECT_MALFORMED((void)handle_count; size = 8);
}

TEST(refuses_every_shortened_message)
{
    size_t whole = write_message();

    for (size_t size = 0; size < whole; size++) {
        header()->size_bytes = (uint32_t)size;
        EXPECT_NE(startup_read(message, size, 2, &startup), MX_OK);
    }
}
