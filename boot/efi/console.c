// The firmware's consoles (UEFI Specification 2.10, sections 12.3 "Simple Text Input
// Protocol", 12.4 "Simple Text Output Protocol"); see console.h.
#include "boot/efi/console.h"

#include <stdarg.h>

#include "kernel/lib/print.h"
#include "kernel/lib/string.h"

#define TEXT_BYTES      512
#define SECOND_IN_100NS 10000000
#define COLUMNS_DEFAULT 80

static EFI_EVENT second_timer;

void console_start(void)
{
    if (efi_boot->CreateEvent(EVT_TIMER, 0, NULL, NULL, &second_timer) != EFI_SUCCESS)
        second_timer = NULL;
    efi_table->ConOut->EnableCursor(efi_table->ConOut, FALSE);
}

void console_clear(void)
{
    efi_table->ConOut->ClearScreen(efi_table->ConOut);
}

static void put(const char *text)
{
    CHAR16 wide[2 * TEXT_BYTES + 1];
    size_t count = 0;

    for (; *text && count < 2 * TEXT_BYTES - 1; text++) {
        if (*text == '\n')
            wide[count++] = '\r';
        wide[count++] = (CHAR16)(unsigned char)*text;
    }
    wide[count] = 0;
    efi_table->ConOut->OutputString(efi_table->ConOut, wide);
}

void console_say(const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list args;

    va_start(args, format);
    print_format_args(text, sizeof(text), format, args);
    va_end(args);
    put(text);
}

static enum text_key key_of(UINT16 scan_code)
{
    static const struct {
        UINT16 scan_code;
        enum text_key key;
    } keys[] = {
        {SCAN_UP, TEXT_KEY_UP},         {SCAN_DOWN, TEXT_KEY_DOWN},  {SCAN_LEFT, TEXT_KEY_LEFT},
        {SCAN_RIGHT, TEXT_KEY_RIGHT},   {SCAN_HOME, TEXT_KEY_HOME},  {SCAN_END, TEXT_KEY_END},
        {SCAN_DELETE, TEXT_KEY_DELETE}, {SCAN_ESC, TEXT_KEY_ESCAPE},
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (keys[i].scan_code == scan_code)
            return keys[i].key;
    }
    return TEXT_KEY_NONE;
}

static bool read_key(struct console_key *key)
{
    EFI_INPUT_KEY input;

    if (efi_table->ConIn->ReadKeyStroke(efi_table->ConIn, &input) != EFI_SUCCESS)
        return false;
    *key = (struct console_key){input.UnicodeChar, key_of(input.ScanCode)};
    return true;
}

bool console_wait(struct console_key *key)
{
    EFI_EVENT events[2] = {efi_table->ConIn->WaitForKey, second_timer};
    UINTN which = 1;

    if (read_key(key))
        return true;
    if (!second_timer ||
        efi_boot->SetTimer(second_timer, TimerRelative, SECOND_IN_100NS) != EFI_SUCCESS) {
        efi_boot->Stall(1000000);
        return read_key(key);
    }
    while (efi_boot->WaitForEvent(2, events, &which) == EFI_SUCCESS && which == 0) {
        if (read_key(key))
            return true;
    }
    return false;
}

void console_pause(void)
{
    struct console_key key;

    console_say("Press a key to return to the menu.\n");
    while (!console_wait(&key))
        continue;
}

static size_t columns(void)
{
    UINTN width = 0, height = 0;

    if (efi_table->ConOut->QueryMode(efi_table->ConOut, (UINTN)efi_table->ConOut->Mode->Mode,
                                     &width, &height) != EFI_SUCCESS ||
        width < 20)
        return COLUMNS_DEFAULT;
    return width < TEXT_BYTES ? width : TEXT_BYTES - 1;
}

// The part of the text around the cursor, in one row that is written again.
static void show_field(const char *prompt, const struct text_field *field)
{
    char row[TEXT_BYTES];
    size_t width = columns() - 1, prompt_length = strlen(prompt);
    size_t room = width - prompt_length - 1;
    size_t start = field->cursor > room ? field->cursor - room : 0;
    size_t length = field->length - start < room ? field->length - start : room;

    memset(row, ' ', width);
    memcpy(row, prompt, prompt_length);
    memcpy(row + prompt_length, field->text + start, length);
    row[width] = '\0';
    put("\r");
    put(row);
    put("\r");
    row[prompt_length + field->cursor - start] = '\0';
    put(row);
}

bool console_edit(const char *prompt, struct text_field *field)
{
    enum text_field_event event = TEXT_FIELD_MORE;
    struct console_key key;

    efi_table->ConOut->EnableCursor(efi_table->ConOut, TRUE);
    while (event == TEXT_FIELD_MORE) {
        show_field(prompt, field);
        while (!console_wait(&key))
            continue;
        event = text_field_feed(field, key.character, key.key);
    }
    efi_table->ConOut->EnableCursor(efi_table->ConOut, FALSE);
    put("\n");
    return event == TEXT_FIELD_DONE;
}
