// Guest configurations; see guest_config.h.
//
// Every key is a row of one table. A row's setter gets the value as bytes, whether it came from a
// string or number of the file or from the command line, so that both have one grammar and one set
// of messages.

#include "vmm/config/guest_config.h"

#include <string.h>

#include "user/portable/format.h"
#include "user/portable/utf8.h"
#include "vmm/config/json.h"

enum {
    NODES_MAX = 128, // values in one file: the root, the keys, and arrays of disks and words
};

// A value as its setter sees it, and where to say what is wrong with it.
struct value {
    const char *bytes;
    size_t length;
    struct text *message; // begins with the place and the key
};

struct key {
    const char *name;
    bool may_be_number;
    bool may_be_boolean;
    bool may_be_array;
    const char *expected; // completes "expected ..."
    mx_status_t (*set)(struct guest_config *config, const struct value *value);
};

// Says: "VALUE" problem; remedy.
static mx_status_t refuse(const struct value *value, const char *problem, const char *remedy)
{
    text_add_quoted(value->message, value->bytes, value->length);
    text_add(value->message, " ");
    text_add(value->message, problem);
    text_add(value->message, "; ");
    text_add(value->message, remedy);
    return MX_ERR_INVALID_ARGS;
}

static bool has_control_characters(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t size = utf8_length(bytes + i, length - i);
        if (size == 0 || utf8_is_control(bytes + i, size))
            return true;
        i += size;
    }
    return false;
}

static bool value_is(const struct value *value, const char *word)
{
    return value->length == strlen(word) && memcmp(value->bytes, word, value->length) == 0;
}

static bool value_starts_with(const struct value *value, const char *prefix)
{
    size_t length = strlen(prefix);
    return value->length >= length && memcmp(value->bytes, prefix, length) == 0;
}

// --- paths --------------------------------------------------------------------------------------

static bool is_component_plain(const char *bytes, size_t length)
{
    return length > 0 && !(length == 1 && bytes[0] == '.') &&
           !(length == 2 && bytes[0] == '.' && bytes[1] == '.');
}

static bool is_path_plain(const char *bytes, size_t length)
{
    size_t start = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && bytes[i] != '/')
            continue;
        if (!is_component_plain(bytes + start, i - start))
            return false;
        start = i + 1;
    }
    return true;
}

static mx_status_t set_path(char path[GUEST_CONFIG_PATH_BYTES_MAX], const struct value *value)
{
    static const char prefix[] = "/pkg/";
    struct value relative = *value;

    if (value_starts_with(value, prefix)) {
        relative.bytes += sizeof prefix - 1;
        relative.length -= sizeof prefix - 1;
    }
    if (relative.length == 0)
        return refuse(value, "names no file", "write a path in the package, as \"data/NAME\"");
    if (relative.bytes[0] == '/')
        return refuse(value, "is outside the package", "write a path in it, as \"data/NAME\"");
    if (relative.length >= GUEST_CONFIG_PATH_BYTES_MAX)
        return refuse(value, "is too long", "a path has at most 255 bytes");
    if (has_control_characters(relative.bytes, relative.length))
        return refuse(value, "has a control character or is not UTF-8", "use printable characters");
    if (!is_path_plain(relative.bytes, relative.length))
        return refuse(value, "has an empty, \".\" or \"..\" part", "write the path without it");
    memcpy(path, relative.bytes, relative.length);
    path[relative.length] = '\0';
    return MX_OK;
}

static mx_status_t set_kernel(struct guest_config *config, const struct value *value)
{
    config->kernel_key = GUEST_KERNEL_KEY_KERNEL;
    return set_path(config->kernel, value);
}

static mx_status_t set_linux(struct guest_config *config, const struct value *value)
{
    config->kernel_key = GUEST_KERNEL_KEY_LINUX;
    return set_path(config->kernel, value);
}

static mx_status_t set_zircon(struct guest_config *config, const struct value *value)
{
    config->kernel_key = GUEST_KERNEL_KEY_ZIRCON;
    return set_path(config->kernel, value);
}

static mx_status_t set_ramdisk(struct guest_config *config, const struct value *value)
{
    return set_path(config->ramdisk, value);
}

static mx_status_t set_dtb_overlay(struct guest_config *config, const struct value *value)
{
    return set_path(config->dtb_overlay, value);
}

// --- command line -------------------------------------------------------------------------------

static mx_status_t check_cmdline(const struct value *value)
{
    if (value->length >= GUEST_CONFIG_CMDLINE_BYTES_MAX)
        return refuse(value, "is too long", "a command line has at most 2047 bytes");
    if (has_control_characters(value->bytes, value->length))
        return refuse(value, "has a control character or is not UTF-8", "use printable characters");
    return MX_OK;
}

// Appends after a space; false when the whole does not fit.
static bool cmdline_append(char cmdline[GUEST_CONFIG_CMDLINE_BYTES_MAX], const char *bytes,
                           size_t length)
{
    size_t used = strlen(cmdline);
    size_t space = used > 0 && length > 0;

    if (length + space >= GUEST_CONFIG_CMDLINE_BYTES_MAX - used)
        return false;
    if (space)
        cmdline[used++] = ' ';
    memcpy(cmdline + used, bytes, length);
    cmdline[used + length] = '\0';
    return true;
}

static mx_status_t set_cmdline(struct guest_config *config, const struct value *value)
{
    mx_status_t status = check_cmdline(value);
    if (status != MX_OK)
        return status;
    memcpy(config->cmdline, value->bytes, value->length);
    config->cmdline[value->length] = '\0';
    return MX_OK;
}

static mx_status_t add_cmdline(struct guest_config *config, const struct value *value)
{
    mx_status_t status = check_cmdline(value);
    if (status != MX_OK)
        return status;
    if (!cmdline_append(config->cmdline_add, value->bytes, value->length))
        return refuse(value, "makes the command line too long", "it has at most 2047 bytes");
    return MX_OK;
}

// --- disks --------------------------------------------------------------------------------------

static mx_status_t set_disk_mode(struct guest_block *block, enum guest_block_mode mode,
                                 const struct value *whole)
{
    if (block->mode != GUEST_BLOCK_UNSET)
        return refuse(whole, "has more than one mode", "write one of rw, ro, volatile");
    block->mode = mode;
    return MX_OK;
}

static mx_status_t set_disk_memory(struct guest_block *block, const struct value *size,
                                   const struct value *whole)
{
    const char *reason;

    if (parse_size(size->bytes, size->length, &block->memory_bytes, &reason) != MX_OK) {
        text_add(size->message, "the size ");
        return refuse(size, reason, "write memory:SIZE as in \"memory:64M\"");
    }
    if (block->memory_bytes == 0 || block->memory_bytes % GUEST_CONFIG_SECTOR_BYTES ||
        block->memory_bytes > GUEST_CONFIG_MEMORY_MAX)
        return refuse(whole, "has a bad size", "a disk is a multiple of 512 bytes, up to 1024G");
    return MX_OK;
}

static mx_status_t set_disk_word(struct guest_block *block, const struct value *word,
                                 const struct value *whole)
{
    static const char memory[] = "memory:";

    if (value_is(word, "rw"))
        return set_disk_mode(block, GUEST_BLOCK_READ_WRITE, whole);
    if (value_is(word, "ro"))
        return set_disk_mode(block, GUEST_BLOCK_READ_ONLY, whole);
    if (value_is(word, "volatile"))
        return set_disk_mode(block, GUEST_BLOCK_VOLATILE, whole);
    if (value_is(word, "raw"))
        return MX_OK;
    if (value_is(word, "qcow") || value_is(word, "qcow2"))
        return refuse(whole, "asks for a format that is not supported", "convert the disk to raw");
    if (block->path[0] || block->memory_bytes)
        return refuse(whole, "names more than one disk",
                      "write PATH,MODE with MODE one of rw, ro, volatile");
    if (value_starts_with(word, memory)) {
        struct value size = *word;
        size.bytes += sizeof memory - 1;
        size.length -= sizeof memory - 1;
        return set_disk_memory(block, &size, whole);
    }
    return set_path(block->path, word);
}

static mx_status_t check_disk(struct guest_block *block, const struct value *whole)
{
    if (block->memory_bytes) {
        if (block->mode == GUEST_BLOCK_VOLATILE)
            return refuse(whole, "is a volatile RAM disk", "a RAM disk is rw or ro");
        if (block->mode == GUEST_BLOCK_UNSET)
            block->mode = GUEST_BLOCK_READ_WRITE;
        return MX_OK;
    }
    if (!block->path[0])
        return refuse(whole, "names no disk", "write PATH,MODE or memory:SIZE");
    if (block->mode == GUEST_BLOCK_UNSET)
        return refuse(whole, "has no mode", "write PATH,MODE with MODE one of rw, ro, volatile");
    return MX_OK;
}

static mx_status_t add_block(struct guest_config *config, const struct value *value)
{
    size_t start = 0;

    if (config->block_count == GUEST_CONFIG_BLOCKS_MAX)
        return refuse(value, "is one disk too many", "a guest has at most 16");
    struct guest_block *block = &config->blocks[config->block_count];
    *block = (struct guest_block){0};
    for (size_t i = 0; i <= value->length; i++) {
        if (i < value->length && value->bytes[i] != ',')
            continue;
        struct value word = {value->bytes + start, i - start, value->message};
        if (word.length == 0)
            return refuse(value, "has an empty part", "write PATH,MODE or memory:SIZE");
        mx_status_t status = set_disk_word(block, &word, value);
        if (status != MX_OK)
            return status;
        start = i + 1;
    }
    mx_status_t status = check_disk(block, value);
    if (status == MX_OK)
        config->block_count++;
    return status;
}

// --- numbers and switches -----------------------------------------------------------------------

static mx_status_t set_cpus(struct guest_config *config, const struct value *value)
{
    static const char remedy[] = "write a whole number from 1 to 16";
    uint64_t count;
    const char *reason;

    if (parse_number(value->bytes, value->length, GUEST_CONFIG_CPUS_MAX, &count, &reason) != MX_OK)
        return refuse(value, reason, remedy);
    if (count == 0)
        return refuse(value, "is too small", remedy);
    config->cpu_count = (unsigned)count;
    return MX_OK;
}

static mx_status_t set_memory(struct guest_config *config, const struct value *value)
{
    static const char remedy[] =
        "write bytes or a number with b, k, M or G, as \"512M\", from 1M to 1024G";
    uint64_t size_bytes;
    const char *reason;

    if (parse_size(value->bytes, value->length, &size_bytes, &reason) != MX_OK)
        return refuse(value, reason, remedy);
    if (size_bytes < GUEST_CONFIG_MEMORY_MIN)
        return refuse(value, "is too small", remedy);
    if (size_bytes > GUEST_CONFIG_MEMORY_MAX)
        return refuse(value, "is too large", remedy);
    if (size_bytes % GUEST_CONFIG_MEMORY_UNIT)
        return refuse(value, "is not a whole number of pages", "write a multiple of 4k");
    config->memory_bytes = size_bytes;
    return MX_OK;
}

static mx_status_t set_switch(bool *is_on, const struct value *value)
{
    if (!value_is(value, "true") && !value_is(value, "false"))
        return refuse(value, "is neither true nor false", "write true or false");
    *is_on = value_is(value, "true");
    return MX_OK;
}

static mx_status_t set_console(struct guest_config *config, const struct value *value)
{
    return set_switch(&config->has_console, value);
}

static mx_status_t set_rng(struct guest_config *config, const struct value *value)
{
    return set_switch(&config->has_rng, value);
}

static mx_status_t set_pci_ports(struct guest_config *config, const struct value *value)
{
    return set_switch(&config->has_pci_ports, value);
}

// --- keys ---------------------------------------------------------------------------------------

#define EXPECTED_PATH  "a string with a path in the package"
#define EXPECTED_TEXTS "a string or an array of strings"

static const struct key keys[] = {
    {"kernel", false, false, false, EXPECTED_PATH, set_kernel},
    {"linux", false, false, false, EXPECTED_PATH, set_linux},
    {"zircon", false, false, false, EXPECTED_PATH, set_zircon},
    {"ramdisk", false, false, false, EXPECTED_PATH, set_ramdisk},
    {"dtb-overlay", false, false, false, EXPECTED_PATH, set_dtb_overlay},
    {"cmdline", false, false, false, "a string", set_cmdline},
    {"cmdline-add", false, false, true, EXPECTED_TEXTS, add_cmdline},
    {"block", false, false, true, EXPECTED_TEXTS, add_block},
    {"cpus", true, false, false, "a whole number from 1 to 16", set_cpus},
    {"memory", true, false, false, "a size as \"512M\" or a number of bytes", set_memory},
    {"console", false, true, false, "true or false", set_console},
    {"rng", false, true, false, "true or false", set_rng},
    {"pci-ports", false, true, false, "true or false", set_pci_ports},
};

const char *guest_config_key(size_t index)
{
    return index < sizeof keys / sizeof keys[0] ? keys[index].name : NULL;
}

static const struct key *key_find(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strlen(keys[i].name) == length && memcmp(keys[i].name, name, length) == 0)
            return &keys[i];
    }
    return NULL;
}

static void add_known_keys(struct text *message)
{
    text_add(message, "; known are ");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        text_add(message, i ? ", " : "");
        text_add(message, keys[i].name);
    }
}

void guest_config_init(struct guest_config *config)
{
    memset(config, 0, sizeof *config);
    config->cpu_count = 1;
    config->memory_bytes = GUEST_CONFIG_MEMORY_DEFAULT;
    config->has_console = true;
    config->has_rng = true;
    config->has_pci_ports = true;
}

// --- the file -----------------------------------------------------------------------------------

struct reader {
    struct guest_config *config;
    const char *file_name;
    struct text *message;
    bool has_kernel;
};

static void say_place(const struct reader *reader, struct json_place place)
{
    *reader->message = text_begin(reader->message->buffer, reader->message->capacity);
    text_add(reader->message, reader->file_name);
    text_add(reader->message, ":");
    text_add_number(reader->message, place.line);
    text_add(reader->message, ":");
    text_add_number(reader->message, place.column);
    text_add(reader->message, ": ");
}

static mx_status_t read_scalar(const struct reader *reader, const struct key *key,
                               const struct json_node *node)
{
    struct value value = {node->text, node->length, reader->message};

    say_place(reader, node->place);
    text_add(reader->message, key->name);
    text_add(reader->message, ": ");
    if (node->type == JSON_BOOLEAN && key->may_be_boolean) {
        value.bytes = node->boolean ? "true" : "false";
        value.length = strlen(value.bytes);
    } else if (node->type != JSON_STRING && !(node->type == JSON_NUMBER && key->may_be_number)) {
        text_add(reader->message, json_type_name(node->type));
        text_add(reader->message, " is not possible here; expected ");
        text_add(reader->message, key->expected);
        return MX_ERR_INVALID_ARGS;
    }
    return key->set(reader->config, &value);
}

// Whether a file has named its kernel already when this key does so again.
static bool is_second_kernel(struct reader *reader, const struct key *key)
{
    const bool is_kernel =
        key->set == set_kernel || key->set == set_linux || key->set == set_zircon;
    const bool is_second = is_kernel && reader->has_kernel;

    reader->has_kernel |= is_kernel;
    return is_second;
}

static mx_status_t read_member(struct reader *reader, const struct json_node *member)
{
    const struct key *key = key_find(member->key, member->key_length);

    if (!key) {
        say_place(reader, member->key_place);
        text_add(reader->message, "unknown key ");
        text_add_quoted(reader->message, member->key, member->key_length);
        add_known_keys(reader->message);
        return MX_ERR_INVALID_ARGS;
    }
    if (is_second_kernel(reader, key)) {
        say_place(reader, member->key_place);
        text_add(reader->message, key->name);
        text_add(reader->message, ": a second kernel; write one of kernel, linux, zircon");
        return MX_ERR_INVALID_ARGS;
    }
    if (member->type != JSON_ARRAY || !key->may_be_array)
        return read_scalar(reader, key, member);
    for (const struct json_node *item = member->child; item; item = item->next) {
        mx_status_t status = read_scalar(reader, key, item);
        if (status != MX_OK)
            return status;
    }
    return MX_OK;
}

static mx_status_t read_root(struct reader *reader, const struct json_node *root)
{
    if (root->type != JSON_OBJECT) {
        say_place(reader, root->place);
        text_add(reader->message, json_type_name(root->type));
        text_add(reader->message, " at the top; expected an object: { \"kernel\": ... }");
        return MX_ERR_INVALID_ARGS;
    }
    for (const struct json_node *member = root->child; member; member = member->next) {
        mx_status_t status = read_member(reader, member);
        if (status != MX_OK)
            return status;
    }
    return MX_OK;
}

mx_status_t guest_config_parse(struct guest_config *config, const char *file_name, char *text,
                               size_t size_bytes, char *message, size_t message_capacity)
{
    struct text words = text_begin(message, message_capacity);
    struct reader reader = {config, file_name, &words, false};
    struct json_node nodes[NODES_MAX];
    const struct json_node *root;
    struct json_error error;

    if (size_bytes > GUEST_CONFIG_FILE_BYTES_MAX) {
        text_add(&words, file_name);
        text_add(&words, ": the file is too large; a configuration has at most 64 KiB");
        return MX_ERR_FILE_TOO_BIG;
    }
    mx_status_t status = json_parse(text, size_bytes, nodes, NODES_MAX, &root, &error);
    if (status != MX_OK) {
        say_place(&reader, error.place);
        text_add(&words, error.reason);
        return status == MX_ERR_NO_RESOURCES ? status : MX_ERR_INVALID_ARGS;
    }
    status = read_root(&reader, root);
    if (status == MX_OK)
        words = text_begin(message, message_capacity);
    return status;
}

mx_status_t guest_config_apply_override(struct guest_config *config, const char *key_name,
                                        const char *value, char *message, size_t message_capacity)
{
    struct text words = text_begin(message, message_capacity);
    const struct key *key = key_find(key_name, strlen(key_name));

    if (!key) {
        text_add(&words, "unknown key ");
        text_add_quoted(&words, key_name, strlen(key_name));
        add_known_keys(&words);
        return MX_ERR_INVALID_ARGS;
    }
    text_add(&words, "--");
    text_add(&words, key->name);
    text_add(&words, ": ");
    const struct value bytes = {value, strlen(value), &words};
    mx_status_t status = key->set(config, &bytes);
    if (status == MX_OK)
        words = text_begin(message, message_capacity);
    return status;
}

bool guest_config_writes(const struct guest_config *config, const char *path)
{
    for (unsigned i = 0; i < config->block_count; i++) {
        const struct guest_block *block = &config->blocks[i];
        if (block->mode == GUEST_BLOCK_READ_WRITE && block->memory_bytes == 0 &&
            strcmp(block->path, path) == 0)
            return true;
    }
    return false;
}

// A file that is written as one disk and named as another too; NULL when there is none.
static const char *find_shared_disk(const struct guest_config *config)
{
    for (unsigned i = 0; i < config->block_count; i++) {
        const struct guest_block *block = &config->blocks[i];
        for (unsigned j = 0; j < i && block->path[0]; j++) {
            if (strcmp(block->path, config->blocks[j].path) == 0 &&
                guest_config_writes(config, block->path))
                return block->path;
        }
    }
    return NULL;
}

mx_status_t guest_config_finish(struct guest_config *config, const char *file_name, char *message,
                                size_t message_capacity)
{
    const char *shared = find_shared_disk(config);
    struct text words = text_begin(message, message_capacity);

    if (!config->kernel[0]) {
        text_add(&words, file_name);
        text_add(&words, ": no kernel is named; add \"kernel\": \"data/NAME\"");
        return MX_ERR_INVALID_ARGS;
    }
    if (shared) {
        text_add(&words, file_name);
        text_add(&words, ": block: ");
        text_add_quoted(&words, shared, strlen(shared));
        text_add(&words, " is two disks and one of them is rw; make both ro or volatile");
        return MX_ERR_INVALID_ARGS;
    }
    if (!cmdline_append(config->cmdline, config->cmdline_add, strlen(config->cmdline_add))) {
        text_add(&words, file_name);
        text_add(&words, ": cmdline and cmdline-add together exceed 2047 bytes; shorten one");
        return MX_ERR_INVALID_ARGS;
    }
    config->cmdline_add[0] = '\0';
    return MX_OK;
}
