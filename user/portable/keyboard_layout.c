// Keys into bytes; see keyboard_layout.h. The usages are those of HID Usage Tables 1.12,
// section 10.

#include "user/portable/keyboard_layout.h"

#include <string.h>

#include "user/include/machina_user/keyboard.h"

#include "user/portable/format.h"

enum usage {
    USAGE_A = 0x04,
    USAGE_Z = 0x1d,
    USAGE_1 = 0x1e,
    USAGE_ENTER = 0x28,
    USAGE_ESCAPE = 0x29,
    USAGE_BACKSPACE = 0x2a,
    USAGE_TAB = 0x2b,
    USAGE_SPACE = 0x2c,
    USAGE_SLASH = 0x38,
    USAGE_CAPS_LOCK = 0x39,
    USAGE_F1 = 0x3a,
    USAGE_F12 = 0x45,
    USAGE_SCROLL_LOCK = 0x47,
    USAGE_INSERT = 0x49,
    USAGE_HOME = 0x4a,
    USAGE_PAGE_UP = 0x4b,
    USAGE_PAGE_DOWN = 0x4e,
    USAGE_RIGHT = 0x4f,
    USAGE_LEFT = 0x50,
    USAGE_UP = 0x52,
    USAGE_NUM_LOCK = 0x53,
    USAGE_KEYPAD_DIVIDE = 0x54,
    USAGE_KEYPAD_ENTER = 0x58,
    USAGE_KEYPAD_1 = 0x59,
    USAGE_KEYPAD_POINT = 0x63,
    USAGE_NON_US_BACKSLASH = 0x64,
    USAGE_LEFT_CTRL = 0xe0,
    USAGE_RIGHT_GUI = 0xe7,
};

#define ESCAPE "\x1b"

static bool is_down(const struct keyboard_layout *keyboard, unsigned usage)
{
    return (keyboard->is_down[usage / 8] & 1u << usage % 8) != 0;
}

// The modifiers' usages are in the order of enum key_modifier, left hand first.
static unsigned modifiers(const struct keyboard_layout *keyboard)
{
    unsigned down = 0;

    for (unsigned i = 0; i < 8; i++)
        down |= is_down(keyboard, USAGE_LEFT_CTRL + i) ? 1u << i % 4 : 0;
    return down;
}

static bool is_modifier(unsigned usage)
{
    return usage >= USAGE_LEFT_CTRL && usage <= USAGE_RIGHT_GUI;
}

// --- characters

// What is printed on the keys from USAGE_1 to USAGE_SLASH, without and with shift; 0 where there is
// no character.
static const char plain_characters[] = "1234567890\r\x1b\x7f\t -=[]\\#;'`,./";
static const char shifted_characters[] = "!@#$%^&*()\r\x1b\x7f\t _+{}|~:\"~<>?";
_Static_assert(sizeof(plain_characters) == USAGE_SLASH - USAGE_1 + 2, "a character for each key");
_Static_assert(sizeof(shifted_characters) == sizeof(plain_characters), "the same keys");

// The character of a key; 0: it has none.
static char character_of(const struct keyboard_layout *keyboard, unsigned usage)
{
    bool is_shifted = (modifiers(keyboard) & KEY_SHIFT) != 0;

    if (usage >= USAGE_A && usage <= USAGE_Z) {
        if (keyboard->indicators & KEYBOARD_CAPS_LOCK)
            is_shifted = !is_shifted;
        return (char)((is_shifted ? 'A' : 'a') + (int)(usage - USAGE_A));
    }
    if (usage >= USAGE_1 && usage <= USAGE_SLASH)
        return is_shifted ? shifted_characters[usage - USAGE_1] : plain_characters[usage - USAGE_1];
    if (usage == USAGE_NON_US_BACKSLASH)
        return is_shifted ? '|' : '\\';
    return 0;
}

// What Ctrl makes of a character, by the VT102's table: letters and their row, digits 2 to 8.
static char control_of(char character)
{
    static const char digits[] = "\0\x1b\x1c\x1d\x1e\x1f\x7f"; // of 2 to 8

    if (character >= '@' && character <= '~')
        return (char)(character & 0x1f);
    if (character >= '2' && character <= '8')
        return digits[character - '2'];
    switch (character) {
    case ' ':
        return '\0';
    case '/':
    case '-':
        return 0x1f;
    case '?':
        return 0x7f;
    case 0x7f:
        return '\b';
    default:
        return character;
    }
}

static void add(struct key_result *result, const char *bytes, size_t length)
{
    memcpy(result->bytes + result->length, bytes, length);
    result->length += length;
    result->action = KEY_BYTES;
}

static void add_character(const struct keyboard_layout *keyboard, unsigned usage, char character,
                          unsigned modes, struct key_result *result)
{
    unsigned down = modifiers(keyboard);

    if (usage == USAGE_TAB && (down & KEY_SHIFT)) {
        add(result, ESCAPE "[Z", 3);
        return;
    }
    if (down & KEY_ALT)
        add(result, ESCAPE, 1);
    if (down & KEY_CTRL)
        character = control_of(character);
    add(result, &character, 1);
    if (usage == USAGE_ENTER && (modes & KEY_MODE_NEW_LINE))
        add(result, "\n", 1);
}

// --- keys with sequences

// CSI NUMBER ~ of F1 to F12 with modifiers, as xterm has them; Linux's console has another form for
// the first five.
static const uint8_t function_numbers[] = {11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 23, 24};
// Insert, Home, Page Up, Delete, End, Page Down.
static const uint8_t editing_numbers[] = {2, 1, 5, 3, 4, 6};
// Right, Left, Down, Up.
static const char arrow_letters[] = "CDBA";

static struct text begin_sequence(char buffer[KEY_BYTES_MAX + 1])
{
    struct text text = text_begin(buffer, KEY_BYTES_MAX + 1);

    text_add(&text, ESCAPE "[");
    return text;
}

// The number that stands for modifiers: 1 and a bit for each of shift, Alt, Ctrl.
static unsigned modifier_number(unsigned down)
{
    return 1 + (down & KEY_SHIFT ? 1 : 0) + (down & KEY_ALT ? 2 : 0) + (down & KEY_CTRL ? 4 : 0);
}

static void add_numbered(unsigned number, unsigned down, struct key_result *result)
{
    char buffer[KEY_BYTES_MAX + 1];
    struct text text = begin_sequence(buffer);

    text_add_number(&text, number);
    if (modifier_number(down) != 1) {
        text_add(&text, ";");
        text_add_number(&text, modifier_number(down));
    }
    text_add(&text, "~");
    add(result, buffer, text.length);
}

static void add_arrow(char letter, unsigned down, unsigned modes, struct key_result *result)
{
    char buffer[KEY_BYTES_MAX + 1];
    struct text text = begin_sequence(buffer);
    char end[2] = {letter, '\0'};

    if (modifier_number(down) != 1) {
        text_add(&text, "1;");
        text_add_number(&text, modifier_number(down));
    } else if (modes & KEY_MODE_CURSOR_KEYS) {
        buffer[text.length - 1] = 'O';
    }
    text_add(&text, end);
    add(result, buffer, text.length);
}

static void add_function(unsigned index, unsigned down, struct key_result *result)
{
    char linux_form[] = {'\x1b', '[', '[', (char)('A' + index)};

    if (index < 5 && modifier_number(down) == 1)
        add(result, linux_form, sizeof(linux_form));
    else
        add_numbered(function_numbers[index], down, result);
}

static void add_editing(unsigned usage, unsigned down, struct key_result *result)
{
    if (usage == USAGE_PAGE_UP && (down & KEY_SHIFT))
        result->action = KEY_LOOK_BACK;
    else if (usage == USAGE_PAGE_DOWN && (down & KEY_SHIFT))
        result->action = KEY_LOOK_FORWARD;
    else
        add_numbered(editing_numbers[usage - USAGE_INSERT], down, result);
}

// --- the keypad

// What the keys from USAGE_KEYPAD_1 to USAGE_KEYPAD_POINT are without Num Lock; 0 for the 5.
static const uint8_t keypad_usages[] = {
    USAGE_INSERT + 4, USAGE_UP - 1,  USAGE_PAGE_DOWN, USAGE_LEFT,       0, USAGE_RIGHT, USAGE_HOME,
    USAGE_UP,         USAGE_PAGE_UP, USAGE_INSERT,    USAGE_INSERT + 3,
};
_Static_assert(sizeof(keypad_usages) == USAGE_KEYPAD_POINT - USAGE_KEYPAD_1 + 1, "all of them");

// The key outside of the keypad that says the same; `usage` itself when there is none.
static unsigned keypad_meaning(const struct keyboard_layout *keyboard, unsigned usage,
                               char *character)
{
    static const char operators[] = "/*-+\r";
    bool has_digits = (keyboard->indicators & KEYBOARD_NUM_LOCK) != 0;

    if (usage == USAGE_KEYPAD_ENTER)
        return USAGE_ENTER;
    if (usage >= USAGE_KEYPAD_DIVIDE && usage < USAGE_KEYPAD_ENTER)
        *character = operators[usage - USAGE_KEYPAD_DIVIDE];
    if (usage < USAGE_KEYPAD_1 || usage > USAGE_KEYPAD_POINT)
        return usage;
    if (modifiers(keyboard) & KEY_SHIFT)
        has_digits = !has_digits;
    if (!has_digits)
        return keypad_usages[usage - USAGE_KEYPAD_1];
    *character = "1234567890."[usage - USAGE_KEYPAD_1];
    return usage;
}

// --- events

static void add_special(unsigned usage, unsigned down, unsigned modes, struct key_result *result)
{
    if (usage >= USAGE_F1 && usage <= USAGE_F12 && down == KEY_ALT) {
        result->action = KEY_SWITCH;
        result->number = usage - USAGE_F1;
    } else if (usage >= USAGE_F1 && usage <= USAGE_F12) {
        add_function(usage - USAGE_F1, down, result);
    } else if (usage >= USAGE_INSERT && usage <= USAGE_PAGE_DOWN) {
        add_editing(usage, down, result);
    } else if (usage == USAGE_LEFT && down == KEY_ALT) {
        result->action = KEY_SWITCH_PREVIOUS;
    } else if (usage == USAGE_RIGHT && down == KEY_ALT) {
        result->action = KEY_SWITCH_NEXT;
    } else if (usage >= USAGE_RIGHT && usage <= USAGE_UP) {
        add_arrow(arrow_letters[usage - USAGE_RIGHT], down, modes, result);
    }
}

static struct key_result translate(const struct keyboard_layout *keyboard, unsigned usage,
                                   unsigned modes)
{
    struct key_result result = {.action = KEY_NOTHING};
    char character = 0;
    unsigned meaning = keypad_meaning(keyboard, usage, &character);

    if (character == 0)
        character = character_of(keyboard, meaning);
    if (modifiers(keyboard) & KEY_GUI)
        return result;
    if (character != 0)
        add_character(keyboard, meaning, character, modes, &result);
    else
        add_special(meaning, modifiers(keyboard), modes, &result);
    return result;
}

static unsigned indicator_of(unsigned usage)
{
    switch (usage) {
    case USAGE_CAPS_LOCK:
        return KEYBOARD_CAPS_LOCK;
    case USAGE_NUM_LOCK:
        return KEYBOARD_NUM_LOCK;
    case USAGE_SCROLL_LOCK:
        return KEYBOARD_SCROLL_LOCK;
    default:
        return 0;
    }
}

void keyboard_layout_init(struct keyboard_layout *keyboard)
{
    memset(keyboard, 0, sizeof(*keyboard));
    keyboard->indicators = KEYBOARD_NUM_LOCK;
}

struct key_result keyboard_layout_event(struct keyboard_layout *keyboard, uint16_t usage,
                                        bool is_pressed, unsigned modes)
{
    struct key_result nothing = {.action = KEY_NOTHING};

    // The first four usages say that the keyboard cannot tell, not which key.
    if (usage < USAGE_A || usage >= KEYBOARD_USAGES || is_down(keyboard, usage) == is_pressed)
        return nothing;
    keyboard->is_down[usage / 8] ^= (uint8_t)(1u << usage % 8);
    if (!is_pressed) {
        if (keyboard->repeating == usage)
            keyboard->repeating = 0;
        return nothing;
    }
    if (is_modifier(usage))
        return nothing;
    keyboard->repeating = 0;
    keyboard->indicators ^= indicator_of(usage);
    struct key_result result = translate(keyboard, usage, modes);
    if (result.action == KEY_BYTES || result.action == KEY_LOOK_BACK ||
        result.action == KEY_LOOK_FORWARD)
        keyboard->repeating = usage;
    return result;
}

struct key_result keyboard_layout_repeat(const struct keyboard_layout *keyboard, unsigned modes)
{
    struct key_result nothing = {.action = KEY_NOTHING};

    return keyboard->repeating ? translate(keyboard, keyboard->repeating, modes) : nothing;
}
