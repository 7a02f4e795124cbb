// Machina's UEFI loader: a menu of boot images, until one of them runs.
#include "boot/efi/arch.h"
#include "boot/efi/console.h"
#include "boot/efi/source.h"
#include "boot/efi/start_image.h"
#include "boot/loader/loader_config.h"
#include "boot/loader/menu.h"
#include "kernel/lib/string.h"

#define DEFAULT_IMAGE "machina.zbi"
#define CONFIG_NAME   "machina.cfg"

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

struct loader {
    struct source source;
    struct menu menu;
    struct text_field cmdline, name;
};

static void read_config(const struct source *source, struct loader_config *config)
{
    static char text[LOADER_CONFIG_BYTES_MAX];
    struct loader_config_error error;
    uint64_t size_bytes = 0;

    loader_config_read("", 0, config, &error);
    console_say("Looking for " CONFIG_NAME ", from %s\n", source->description);
    EFI_STATUS status = source->ops->size(CONFIG_NAME, &size_bytes);
    // A server may have no other word for a file that is not there.
    if (status == EFI_NOT_FOUND || status == EFI_TFTP_ERROR ||
        (status == EFI_SUCCESS && size_bytes == 0))
        return;
    if (size_bytes > sizeof(text)) {
        console_say(CONFIG_NAME ": it is longer than %u bytes, and was not read.\n",
                    LOADER_CONFIG_BYTES_MAX);
        console_pause();
        return;
    }
    if (status == EFI_SUCCESS)
        status = source->ops->read(CONFIG_NAME, text, size_bytes);
    if (status == EFI_SUCCESS)
        loader_config_read(text, size_bytes, config, &error);
    if (status != EFI_SUCCESS)
        console_say(CONFIG_NAME ", from %s: %s.\nThe menu is as without it; start the loader anew "
                                "to try again.\n",
                    source->description, efi_status_text(status));
    else if (error.reason)
        console_say(CONFIG_NAME ":%u: %s.\nThe line was left out.\n", error.line, error.reason);
    if (status != EFI_SUCCESS || error.reason)
        console_pause();
}

static bool has_firmware_setup(void)
{
    EFI_GUID global = EFI_GLOBAL_VARIABLE;
    CHAR16 name[] = L"OsIndicationsSupported";
    UINT64 supported = 0;
    UINTN size_bytes = sizeof(supported);

    return efi_table->RuntimeServices->GetVariable(name, &global, NULL, &size_bytes, &supported) ==
               EFI_SUCCESS &&
           (supported & EFI_OS_INDICATIONS_BOOT_TO_FW_UI);
}

static void make_menu(struct loader *loader)
{
    static struct loader_config config;
    struct menu *menu = &loader->menu;

    read_config(&loader->source, &config);
    menu_init(menu, config.timeout_seconds);
    text_field_set(&loader->cmdline, config.cmdline);
    for (size_t i = 0; i < config.image_count; i++)
        (void)menu_add_image(menu, config.images[i]);
    if (config.image_count == 0)
        (void)menu_add_image(menu, DEFAULT_IMAGE);
    if (loader->source.ops->list)
        loader->source.ops->list(menu);
    menu_finish(menu, has_firmware_setup());
}

// In the last row, without a line feed: it is written again each second.
static void show_time(const struct menu *menu)
{
    if (menu->is_counting)
        console_say("\rStarts %s in %u s unless a key is pressed. ", menu_image(menu),
                    (unsigned)menu->seconds_left);
}

static void draw(const struct loader *loader)
{
    const struct menu *menu = &loader->menu;

    console_clear();
    console_say("Machina boot loader, %s, from %s\n\n", ARCH_NAME, loader->source.description);
    for (size_t i = 0; i < menu->entry_count; i++)
        console_say(" %s %s\n", i == menu->chosen ? "->" : "  ", menu_title(menu, i));
    console_say("\nCommand line: %s\n", loader->cmdline.text);
    console_say("Up and Down choose, Enter does it, e edits the command line.\n");
    show_time(menu);
}

static void restart(bool to_firmware)
{
    EFI_GUID global = EFI_GLOBAL_VARIABLE;
    CHAR16 name[] = L"OsIndications";
    UINT64 wish = EFI_OS_INDICATIONS_BOOT_TO_FW_UI;
    EFI_STATUS status = EFI_SUCCESS;

    if (to_firmware)
        status = efi_table->RuntimeServices->SetVariable(name, &global,
                                                         EFI_VARIABLE_NON_VOLATILE |
                                                             EFI_VARIABLE_BOOTSERVICE_ACCESS |
                                                             EFI_VARIABLE_RUNTIME_ACCESS,
                                                         sizeof(wish), &wish);
    if (status == EFI_SUCCESS)
        efi_table->RuntimeServices->ResetSystem(EfiResetCold, EFI_SUCCESS, 0, NULL);
    console_say("The firmware cannot do that: %s.\nSwitch the machine off and on.\n",
                efi_status_text(status));
    console_pause();
}

static void start(struct loader *loader, const char *name)
{
    console_clear();
    start_image(&loader->source, name, loader->cmdline.text);
    console_pause();
}

static void act(struct loader *loader, enum menu_action action)
{
    struct text_field edited;

    switch (action) {
    case MENU_NOTHING:
        break;
    case MENU_START:
        start(loader, menu_image(&loader->menu));
        break;
    case MENU_CMDLINE:
        edited = loader->cmdline;
        console_say("\nEnter keeps it, Escape leaves it as it was.\n");
        if (console_edit("Command line: ", &edited))
            loader->cmdline = edited;
        break;
    case MENU_OTHER:
        edited = loader->name;
        console_say("\nThe file's name, such as %s. Escape leads back.\n", DEFAULT_IMAGE);
        if (console_edit("Boot image: ", &edited) && edited.length != 0) {
            loader->name = edited;
            start(loader, edited.text);
        }
        break;
    case MENU_RESTART:
    case MENU_FIRMWARE:
        restart(action == MENU_FIRMWARE);
        break;
    }
}

static _Noreturn void run(struct loader *loader)
{
    struct console_key key;

    draw(loader);
    for (;;) {
        bool is_key = console_wait(&key);
        enum menu_action action =
            is_key ? menu_feed(&loader->menu, key.character, key.key) : menu_tick(&loader->menu);

        if (action != MENU_NOTHING)
            act(loader, action);
        if (is_key || action != MENU_NOTHING)
            draw(loader);
        else
            show_time(&loader->menu);
    }
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
    static struct loader loader;

    efi_image = image;
    efi_table = table;
    efi_boot = table->BootServices;
    // Firmware restarts the machine if a program takes more than five minutes, unless it is told
    // not to.
    efi_boot->SetWatchdogTimer(0, 0, 0, NULL);
    console_start();
    if (!source_find(&loader.source)) {
        console_pause();
        return EFI_NOT_FOUND;
    }
    make_menu(&loader);
    run(&loader);
}
