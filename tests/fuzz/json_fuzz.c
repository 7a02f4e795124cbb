// Any bytes as JSON: no access outside the text, and a tree that can be walked to its end.

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/config/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct json_node *node, const char *text, size_t size)
{
    size_t count = 0;
    for (; node; node = node->next, count++) {
        if (node->text && (node->text < text || node->length > (size_t)(text + size - node->text)))
            abort();
        if (node->type == JSON_STRING && node->text[node->length] != '\0')
            abort();
        if (node->key && node->key[node->key_length] != '\0')
            abort();
        count += walk(node->child, text, size);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_node nodes[200];
    const struct json_node *root;
    struct json_error error = {0};
    char *text = malloc(size + !size);

    if (size)
        memcpy(text, data, size);
    mx_status_t status = json_parse(text, size, nodes, 200, &root, &error);
    if (status != MX_OK && (!error.reason || !error.place.line || !error.place.column))
        abort();
    if (status == MX_OK && walk(root, text, size) > 200)
        abort();
    free(text);
    return 0;
}
