// Any bytes as a guest's configuration, and any key and value as an override: a valid configuration
// or a message.

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/config/guest_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

static void check_path(const char *path)
{
    require(path[0] != '/' && strcmp(path, "..") != 0 && strncmp(path, "../", 3) != 0 &&
            !strstr(path, "/../"));
}

static void check_config(const struct guest_config *config)
{
    require(config->cpu_count >= 1 && config->cpu_count <= GUEST_CONFIG_CPUS_MAX);
    require(config->memory_bytes >= GUEST_CONFIG_MEMORY_MIN &&
            config->memory_bytes <= GUEST_CONFIG_MEMORY_MAX &&
            config->memory_bytes % GUEST_CONFIG_MEMORY_UNIT == 0);
    require(config->block_count <= GUEST_CONFIG_BLOCKS_MAX);
    for (unsigned i = 0; i < config->block_count; i++) {
        const struct guest_block *block = &config->blocks[i];
        require(block->mode != GUEST_BLOCK_UNSET);
        require((block->path[0] != '\0') != (block->memory_bytes != 0));
        check_path(block->path);
    }
    check_path(config->kernel);
    check_path(config->ramdisk);
    check_path(config->dtb_overlay);
}

// A file that is written is one disk.
static void check_writes(const struct guest_config *config)
{
    for (unsigned i = 0; i < config->block_count; i++) {
        const char *path = config->blocks[i].path;
        unsigned count = 0;
        for (unsigned j = 0; j < config->block_count; j++)
            count += strcmp(config->blocks[j].path, path) == 0;
        require(count == 1 || !guest_config_writes(config, path));
    }
}

// Overrides each key of the table with the whole input.
static void override_all(const char *value)
{
    static struct guest_config config;
    char message[GUEST_CONFIG_MESSAGE_BYTES];

    for (size_t i = 0; guest_config_key(i); i++) {
        guest_config_init(&config);
        mx_status_t status = guest_config_apply_override(&config, guest_config_key(i), value,
                                                         message, sizeof message);
        require((status == MX_OK) == (message[0] == '\0'));
        if (status == MX_OK)
            check_config(&config);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct guest_config config;
    char message[GUEST_CONFIG_MESSAGE_BYTES];
    char *text = malloc(size + 1);

    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    override_all(text);
    text = realloc(text, size + !size);
    guest_config_init(&config);
    mx_status_t status = guest_config_parse(&config, "f", text, size, message, sizeof message);
    require((status == MX_OK) == (message[0] == '\0'));
    free(text);
    if (status == MX_OK)
        check_config(&config);
    if (status == MX_OK && guest_config_finish(&config, "f", message, sizeof message) == MX_OK) {
        require(config.kernel[0] != '\0');
        check_writes(&config);
    }
    return 0;
}
