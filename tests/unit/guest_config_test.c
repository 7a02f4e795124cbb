// Guest configurations: the examples in data/config, which the schema's test reads too, and what
// they mean.

#include "tests/test.h"

#include <dirent.h>
#include <stdlib.h>

#include "vmm/config/guest_config.h"
#include "vmm/config/json.h"

#define EXAMPLES "tests/unit/data/config/"

static char message[GUEST_CONFIG_MESSAGE_BYTES];
static struct guest_config config;

static size_t read_file(const char *path, char *text, size_t capacity)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return 0;
    size_t size = fread(text, 1, capacity, file);
    fclose(file);
    return size;
}

static mx_status_t parse_whole(char *text, size_t size)
{
    guest_config_init(&config);
    mx_status_t status =
        guest_config_parse(&config, "guest.cfg", text, size, message, sizeof message);
    if (status == MX_OK)
        status = guest_config_finish(&config, "guest.cfg", message, sizeof message);
    return status;
}

// Parses from an exactly sized heap block, so that the sanitizer sees a read beyond the end.
static mx_status_t parse_text(const char *text)
{
    size_t size = strlen(text);
    char *copy = malloc(size + !size);
    memcpy(copy, text, size);
    mx_status_t status = parse_whole(copy, size);
    free(copy);
    return status;
}

static mx_status_t parse_file(const char *path)
{
    static char text[GUEST_CONFIG_FILE_BYTES_MAX];
    return parse_whole(text, read_file(path, text, sizeof text));
}

// Calls check with the path of every .cfg in the folder; the number of them.
static unsigned for_each_example(const char *folder, void (*check)(const char *path))
{
    unsigned count = 0;
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        char path[512];
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 4, ".cfg") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        check(path);
        count++;
    }
    if (directory)
        closedir(directory);
    return count;
}

static void check_good(const char *path)
{
    if (parse_file(path) != MX_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", path, message);
}

// The expected message is in FILE.expected, without the file name.
static void check_bad(const char *path)
{
    char expected_path[512], line[GUEST_CONFIG_MESSAGE_BYTES], expected[512];

    snprintf(expected_path, sizeof expected_path, "%.*s.expected", (int)strlen(path) - 4, path);
    size_t size = read_file(expected_path, line, sizeof line - 1);
    line[size] = '\0';
    line[strcspn(line, "\n")] = '\0';
    snprintf(expected, sizeof expected, "guest.cfg:%s", line);
    mx_status_t status = parse_file(path);
    if (status != MX_ERR_INVALID_ARGS)
        test_fail(__FILE__, __LINE__, "%s: status %d", path, status);
    else if (strcmp(message, expected) != 0)
        test_fail(__FILE__, __LINE__, "%s:\n#  says   %s\n#  not    %s", path, message, expected);
}

TEST(guest_config_accepts_the_good_examples)
{
    EXPECT_GE(for_each_example(EXAMPLES "good", check_good), 10u);
}

TEST(guest_config_refuses_the_bad_examples_with_their_message)
{
    EXPECT_GE(for_each_example(EXAMPLES "bad", check_bad), 50u);
}

TEST(guest_config_schema_has_the_parsers_keys)
{
    static char text[GUEST_CONFIG_FILE_BYTES_MAX];
    static struct json_node nodes[1024];
    const struct json_node *root;
    struct json_error error;
    size_t size = read_file("vmm/config/guest.schema.json", text, sizeof text), count = 0;

    ASSERT_OK(json_parse(text, size, nodes, 1024, &root, &error));
    const struct json_node *properties = json_member(root, "properties");
    ASSERT_TRUE(properties != NULL);
    for (const struct json_node *key = properties->child; key; key = key->next) {
        ASSERT_TRUE(guest_config_key(count) != NULL);
        EXPECT_STR_EQ(key->key, guest_config_key(count));
        count++;
    }
    EXPECT_TRUE(guest_config_key(count) == NULL);
}

TEST(guest_config_reads_every_key)
{
    ASSERT_OK(parse_file(EXAMPLES "good/everything.cfg"));
    EXPECT_STR_EQ(config.kernel, "data/bzImage");
    EXPECT_STR_EQ(config.ramdisk, "data/ramdisk");
    EXPECT_STR_EQ(config.dtb_overlay, "data/board.dtbo");
    EXPECT_STR_EQ(config.cmdline, "root=/dev/vda ro console=ttyS0 quiet");
    EXPECT_EQ(config.cpu_count, 4u);
    EXPECT_EQ(config.memory_bytes, UINT64_C(512) << 20);
    EXPECT_TRUE(config.has_console);
    EXPECT_FALSE(config.has_rng);
    EXPECT_FALSE(config.has_pci_ports);
    ASSERT_EQ(config.block_count, 4u);
    EXPECT_EQ(config.blocks[0].mode, GUEST_BLOCK_READ_ONLY);
    EXPECT_STR_EQ(config.blocks[0].path, "data/root.img");
    EXPECT_EQ(config.blocks[1].mode, GUEST_BLOCK_VOLATILE);
    EXPECT_STR_EQ(config.blocks[1].path, "data/scratch.img");
    EXPECT_EQ(config.blocks[2].mode, GUEST_BLOCK_READ_WRITE);
    EXPECT_EQ(config.blocks[2].memory_bytes, UINT64_C(64) << 20);
    EXPECT_STR_EQ(config.blocks[2].path, "");
    EXPECT_EQ(config.blocks[3].memory_bytes, 512u);
    EXPECT_EQ(config.blocks[3].mode, GUEST_BLOCK_READ_WRITE);
}

TEST(guest_config_has_defaults)
{
    ASSERT_OK(parse_text("{\"kernel\":\"k\"}"));
    EXPECT_EQ(config.cpu_count, 1u);
    EXPECT_EQ(config.memory_bytes, GUEST_CONFIG_MEMORY_DEFAULT);
    EXPECT_TRUE(config.has_console && config.has_rng && config.has_pci_ports);
    EXPECT_EQ(config.block_count, 0u);
    EXPECT_STR_EQ(config.cmdline, "");
    EXPECT_STR_EQ(config.ramdisk, "");
    EXPECT_STR_EQ(config.dtb_overlay, "");
}

TEST(guest_config_decodes_escapes)
{
    ASSERT_OK(parse_file(EXAMPLES "good/escapes.cfg"));
    EXPECT_STR_EQ(config.kernel, "data/k");
    EXPECT_STR_EQ(config.cmdline, "caf\xc3\xa9 \xf0\x9f\x98\x80 \"quoted\"");
}

TEST(guest_config_joins_cmdline_add_whatever_the_order)
{
    ASSERT_OK(
        parse_text("{\"cmdline-add\":[\"b\",\"\",\"c\"],\"cmdline\":\"a\",\"kernel\":\"k\"}"));
    EXPECT_STR_EQ(config.cmdline, "a b c");
    ASSERT_OK(parse_text("{\"cmdline-add\":\"b\",\"kernel\":\"k\"}"));
    EXPECT_STR_EQ(config.cmdline, "b");
}

static mx_status_t override(const char *key, const char *value)
{
    return guest_config_apply_override(&config, key, value, message, sizeof message);
}

static void start_overriding(void)
{
    char text[] = "{\"kernel\":\"k\",\"cmdline\":\"a\",\"cmdline-add\":\"b\",\"block\":\"d,ro\"}";
    guest_config_init(&config);
    EXPECT_OK(guest_config_parse(&config, "f", text, strlen(text), message, sizeof message));
}

TEST(guest_config_override_replaces_scalars_and_appends_lists)
{
    start_overriding();
    EXPECT_OK(override("cpus", "3"));
    EXPECT_OK(override("memory", "64M"));
    EXPECT_OK(override("cmdline", "x"));
    EXPECT_OK(override("cmdline-add", "y"));
    EXPECT_OK(override("block", "memory:1M"));
    EXPECT_OK(override("rng", "false"));
    ASSERT_OK(guest_config_finish(&config, "f", message, sizeof message));
    EXPECT_EQ(config.cpu_count, 3u);
    EXPECT_EQ(config.memory_bytes, UINT64_C(64) << 20);
    EXPECT_STR_EQ(config.cmdline, "x b y");
    ASSERT_EQ(config.block_count, 2u);
    EXPECT_STR_EQ(config.blocks[0].path, "d");
    EXPECT_EQ(config.blocks[1].memory_bytes, UINT64_C(1) << 20);
    EXPECT_FALSE(config.has_rng);
}

TEST(guest_config_override_says_what_is_wrong)
{
    start_overriding();
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, override("cpus", "0"));
    EXPECT_STR_EQ(message, "--cpus: \"0\" is too small; write a whole number from 1 to 16");
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, override("memory", "12Q"));
    EXPECT_STR_EQ(message,
                  "--memory: \"12Q\" has a suffix other than b, k, M or G; write bytes or a "
                  "number with b, k, M or G, as \"512M\", from 1M to 1024G");
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, override("colour", "red"));
    EXPECT_TRUE(strncmp(message, "unknown key \"colour\"; known are", 31) == 0);
}

TEST(guest_config_refuses_a_command_line_that_is_too_long_together)
{
    static char half[1200];
    memset(half, 'x', sizeof half - 1);
    start_overriding();
    EXPECT_OK(override("cmdline", half));
    EXPECT_OK(override("cmdline-add", half + 300));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, guest_config_finish(&config, "f", message, sizeof message));
    EXPECT_STR_EQ(message, "f: cmdline and cmdline-add together exceed 2047 bytes; shorten one");
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, override("cmdline-add", half));
}

TEST(guest_config_takes_a_command_line_of_exactly_the_limit)
{
    static char line[GUEST_CONFIG_CMDLINE_BYTES_MAX + 1];
    memset(line, 'x', GUEST_CONFIG_CMDLINE_BYTES_MAX - 1);
    start_overriding();
    config.cmdline_add[0] = '\0';
    EXPECT_OK(override("cmdline", line));
    EXPECT_OK(guest_config_finish(&config, "f", message, sizeof message));
    EXPECT_EQ(strlen(config.cmdline), GUEST_CONFIG_CMDLINE_BYTES_MAX - 1u);
    line[GUEST_CONFIG_CMDLINE_BYTES_MAX - 1] = 'x';
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, override("cmdline", line));
}

TEST(guest_config_refuses_a_file_that_is_too_large)
{
    static char text[GUEST_CONFIG_FILE_BYTES_MAX + 1];
    memset(text, ' ', sizeof text);
    EXPECT_STATUS(MX_ERR_FILE_TOO_BIG, parse_whole(text, sizeof text));
    EXPECT_STR_EQ(message, "guest.cfg: the file is too large; a configuration has at most 64 KiB");
}

TEST(guest_config_refuses_too_many_values)
{
    char text[1024] = "{\"kernel\":\"k\",\"cmdline-add\":[\"\"";
    for (int i = 0; i < 200; i++)
        strcat(text, ",\"\"");
    strcat(text, "]}");
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, parse_text(text));
}

TEST(guest_config_message_fits_a_small_buffer)
{
    char text[] = "{\"kernel\":7}", small[12];
    guest_config_init(&config);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, guest_config_parse(&config, "guest.cfg", text, strlen(text),
                                                          small, sizeof small));
    EXPECT_STR_EQ(small, "guest.cfg:1");
}

TEST(guest_config_refuses_a_file_that_is_two_disks_and_written)
{
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  parse_text("{\"kernel\": \"k\", \"block\": [\"d,rw\", \"/pkg/d,ro\"]}"));
    EXPECT_STR_EQ(message,
                  "guest.cfg: block: \"d\" is two disks and one of them is rw; make both ro "
                  "or volatile");
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  parse_text("{\"kernel\": \"k\", \"block\": [\"d,ro\", \"e,ro\", \"d,rw\"]}"));
    EXPECT_OK(parse_text("{\"kernel\": \"k\", \"block\": [\"d,ro\", \"d,volatile\", \"e,rw\"]}"));
    EXPECT_OK(parse_text("{\"kernel\": \"k\", \"block\": [\"memory:1M\", \"memory:1M,rw\"]}"));
}

TEST(guest_config_tells_which_files_are_written)
{
    ASSERT_OK(parse_text("{\"kernel\": \"k\", \"block\": [\"data/a,rw\", \"data/b,ro\", "
                         "\"data/c,volatile\", \"memory:1M,rw\"]}"));
    EXPECT_TRUE(guest_config_writes(&config, "data/a"));
    EXPECT_FALSE(guest_config_writes(&config, "data/b"));
    EXPECT_FALSE(guest_config_writes(&config, "data/c"));
    EXPECT_FALSE(guest_config_writes(&config, "data/aa"));
    EXPECT_FALSE(guest_config_writes(&config, "k"));
    EXPECT_FALSE(guest_config_writes(&config, "data/guest.cfg"));
    EXPECT_FALSE(guest_config_writes(&config, ""));
}
