// The free command: what the machine's memory is used for.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <machina/syscalls.h>

#include <machina_user/startup.h>

#include "user/portable/format.h"

static void print_line(const char *what, uint64_t bytes)
{
    char buffer[96];
    struct text text = text_begin(buffer, sizeof(buffer));

    text_add(&text, what);
    text_add_padding(&text, 18);
    text_add_size(&text, bytes);
    text_add_padding(&text, 30);
    text_add_number(&text, bytes / 1024);
    printf("%s KiB\n", buffer);
}

int main(void)
{
    mx_handle_t resource = startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM);
    struct mx_info_memory memory;
    mx_status_t status =
        mx_object_get_info(resource, MX_INFO_MEMORY, &memory, sizeof(memory), NULL);

    if (status != MX_OK) {
        printf("free: %s\n", mx_status_string(status));
        return EXIT_FAILURE;
    }
    print_line("total", memory.total_bytes);
    print_line("free", memory.free_bytes);
    print_line("used", memory.total_bytes - memory.free_bytes);
    print_line("  memory objects", memory.vmo_bytes);
    print_line("  page tables", memory.page_table_bytes);
    print_line("  kernel heap", memory.kernel_heap_bytes);
    print_line("  kernel image", memory.kernel_image_bytes);
    print_line("  boot image", memory.boot_image_bytes);
    return 0;
}
