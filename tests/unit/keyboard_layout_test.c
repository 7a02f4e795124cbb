// Keys into bytes: the US layout and the sequences of Linux's console.

#include "tests/test.h"

#include "user/include/machina_user/keyboard.h"
#include "user/portable/keyboard_layout.h"

enum {
    A = 0x04,
    C = 0x06,
    M1 = 0x1e,
    ENTER = 0x28,
    ESC = 0x29,
    BACKSPACE = 0x2a,
    TAB = 0x2b,
    SPACE = 0x2c,
    RIGHT_BRACKET = 0x30,
    CAPS_LOCK = 0x39,
    F1 = 0x3a,
    HOME = 0x4a,
    PAGE_UP = 0x4b,
    DELETE = 0x4c,
    PAGE_DOWN = 0x4e,
    RIGHT = 0x4f,
    LEFT = 0x50,
    UP = 0x52,
    NUM_LOCK = 0x53,
    KEYPAD_SLASH = 0x54,
    KEYPAD_ENTER = 0x58,
    KEYPAD_7 = 0x5f,
    KEYPAD_POINT = 0x63,
    LEFT_CTRL = 0xe0,
    LEFT_SHIFT = 0xe1,
    LEFT_ALT = 0xe2,
    LEFT_GUI = 0xe3,
    RIGHT_SHIFT = 0xe5,
};

static struct keyboard_layout keyboard;
static struct key_result result;

static void press(uint16_t usage, unsigned modes)
{
    result = keyboard_layout_event(&keyboard, usage, true, modes);
}

static void release(uint16_t usage)
{
    keyboard_layout_event(&keyboard, usage, false, 0);
}

// Presses and releases a key with others held, and gives what it sent.
static const char *stroke_in(unsigned modes, uint16_t usage, uint16_t held, uint16_t held_too)
{
    static char text[KEY_BYTES_MAX + 1];

    if (held)
        press(held, modes);
    if (held_too)
        press(held_too, modes);
    press(usage, modes);
    release(usage);
    if (held)
        release(held);
    if (held_too)
        release(held_too);
    size_t length = result.action == KEY_BYTES ? result.length : 0;
    memcpy(text, result.bytes, length);
    text[length] = '\0';
    return text;
}

static const char *stroke(uint16_t usage, uint16_t held)
{
    return stroke_in(0, usage, held, 0);
}

TEST(layout_types_letters_and_shifted_ones)
{
    keyboard_layout_init(&keyboard);
    EXPECT_STR_EQ(stroke(A, 0), "a");
    EXPECT_STR_EQ(stroke(A, LEFT_SHIFT), "A");
    EXPECT_STR_EQ(stroke(A + 25, RIGHT_SHIFT), "Z");
    EXPECT_STR_EQ(stroke(M1, 0), "1");
    EXPECT_STR_EQ(stroke(M1, LEFT_SHIFT), "!");
    EXPECT_STR_EQ(stroke(0x27, 0), "0");
    EXPECT_STR_EQ(stroke(0x2d, 0), "-");
    EXPECT_STR_EQ(stroke(0x2d, LEFT_SHIFT), "_");
    EXPECT_STR_EQ(stroke(0x31, 0), "\\");
    EXPECT_STR_EQ(stroke(0x34, LEFT_SHIFT), "\"");
    EXPECT_STR_EQ(stroke(0x35, LEFT_SHIFT), "~");
    EXPECT_STR_EQ(stroke(0x38, 0), "/");
    EXPECT_STR_EQ(stroke(0x38, LEFT_SHIFT), "?");
    EXPECT_STR_EQ(stroke(SPACE, 0), " ");
    EXPECT_STR_EQ(stroke(0x64, 0), "\\");
}

TEST(layout_caps_lock_is_for_letters_alone)
{
    keyboard_layout_init(&keyboard);
    EXPECT_STR_EQ(stroke(CAPS_LOCK, 0), "");
    EXPECT_TRUE(keyboard.indicators & KEYBOARD_CAPS_LOCK);
    EXPECT_STR_EQ(stroke(A, 0), "A");
    EXPECT_STR_EQ(stroke(A, LEFT_SHIFT), "a");
    EXPECT_STR_EQ(stroke(M1, 0), "1");
    stroke(CAPS_LOCK, 0);
    EXPECT_STR_EQ(stroke(A, 0), "a");
}

TEST(layout_ctrl_makes_control_characters)
{
    keyboard_layout_init(&keyboard);
    EXPECT_STR_EQ(stroke(C, LEFT_CTRL), "\x03");
    EXPECT_STR_EQ(stroke(RIGHT_BRACKET, LEFT_CTRL), "\x1d");
    EXPECT_STR_EQ(stroke_in(0, C, LEFT_CTRL, LEFT_SHIFT), "\x03");
    stroke(SPACE, LEFT_CTRL);
    EXPECT_EQ(result.length, 1u);
    EXPECT_EQ(result.bytes[0], 0);
    EXPECT_STR_EQ(stroke(0x23, LEFT_CTRL), "\x1e"); // 6, as Ctrl-^
    EXPECT_STR_EQ(stroke(0x38, LEFT_CTRL), "\x1f");
    EXPECT_STR_EQ(stroke(M1, LEFT_CTRL), "1");
}

TEST(layout_alt_puts_escape_in_front)
{
    keyboard_layout_init(&keyboard);
    EXPECT_STR_EQ(stroke(A, LEFT_ALT), "\x1b"
                                       "a");
    EXPECT_STR_EQ(stroke(BACKSPACE, LEFT_ALT), "\x1b\x7f");
    EXPECT_STR_EQ(stroke_in(0, C, LEFT_ALT, LEFT_CTRL), "\x1b\x03");
}

TEST(layout_has_enter_tab_escape_and_backspace)
{
    keyboard_layout_init(&keyboard);
    EXPECT_STR_EQ(stroke(ENTER, 0), "\r");
    EXPECT_STR_EQ(stroke_in(KEY_MODE_NEW_LINE, ENTER, 0, 0), "\r\n");
    EXPECT_STR_EQ(stroke(TAB, 0), "\t");
    EXPECT_STR_EQ(stroke(TAB, LEFT_SHIFT), "\x1b[Z");
    EXPECT_STR_EQ(stroke(ESC, 0), "\x1b");
    EXPECT_STR_EQ(stroke(BACKSPACE, 0), "\x7f");
}

TEST(layout_sends_the_sequences_of_linux)
{
    static const char *const functions[] = {"\x1b[[A",  "\x1b[[B",  "\x1b[[C",  "\x1b[[D",
                                            "\x1b[[E",  "\x1b[17~", "\x1b[18~", "\x1b[19~",
                                            "\x1b[20~", "\x1b[21~", "\x1b[23~", "\x1b[24~"};
    static const char *const editing[] = {"\x1b[2~", "\x1b[1~", "\x1b[5~",
                                          "\x1b[3~", "\x1b[4~", "\x1b[6~"};
    static const char *const arrows[] = {"\x1b[C", "\x1b[D", "\x1b[B", "\x1b[A"};

    keyboard_layout_init(&keyboard);
    for (uint16_t i = 0; i < 12; i++)
        EXPECT_STR_EQ(stroke(F1 + i, 0), functions[i]);
    for (uint16_t i = 0; i < 6; i++)
        EXPECT_STR_EQ(stroke((uint16_t)(0x49 + i), 0), editing[i]);
    for (uint16_t i = 0; i < 4; i++)
        EXPECT_STR_EQ(stroke(RIGHT + i, 0), arrows[i]);
}

TEST(layout_follows_the_mode_of_the_arrows)
{
    keyboard_layout_init(&keyboard);
    EXPECT_STR_EQ(stroke_in(KEY_MODE_CURSOR_KEYS, UP, 0, 0), "\x1bOA");
    EXPECT_STR_EQ(stroke_in(KEY_MODE_CURSOR_KEYS, UP, LEFT_CTRL, 0), "\x1b[1;5A");
    EXPECT_STR_EQ(stroke(LEFT, LEFT_CTRL), "\x1b[1;5D");
    EXPECT_STR_EQ(stroke(RIGHT, LEFT_SHIFT), "\x1b[1;2C");
    EXPECT_STR_EQ(stroke(DELETE, LEFT_CTRL), "\x1b[3;5~");
    EXPECT_STR_EQ(stroke(F1, LEFT_SHIFT), "\x1b[11;2~");
}

TEST(layout_switches_consoles_by_alt)
{
    keyboard_layout_init(&keyboard);
    stroke(F1 + 2, LEFT_ALT);
    EXPECT_EQ(result.action, KEY_SWITCH);
    EXPECT_EQ(result.number, 2u);
    stroke(LEFT, LEFT_ALT);
    EXPECT_EQ(result.action, KEY_SWITCH_PREVIOUS);
    stroke(RIGHT, LEFT_ALT);
    EXPECT_EQ(result.action, KEY_SWITCH_NEXT);
    stroke(PAGE_UP, LEFT_SHIFT);
    EXPECT_EQ(result.action, KEY_LOOK_BACK);
    stroke(PAGE_DOWN, RIGHT_SHIFT);
    EXPECT_EQ(result.action, KEY_LOOK_FORWARD);
}

TEST(layout_keypad_follows_num_lock_and_shift)
{
    keyboard_layout_init(&keyboard);
    EXPECT_STR_EQ(stroke(KEYPAD_7, 0), "7");
    EXPECT_STR_EQ(stroke(KEYPAD_POINT, 0), ".");
    EXPECT_STR_EQ(stroke(KEYPAD_SLASH, 0), "/");
    EXPECT_STR_EQ(stroke(KEYPAD_ENTER, 0), "\r");
    EXPECT_STR_EQ(stroke(NUM_LOCK, 0), "");
    EXPECT_STR_EQ(stroke(KEYPAD_7, 0), "\x1b[1~");
    EXPECT_STR_EQ(stroke(KEYPAD_POINT, 0), "\x1b[3~");
    EXPECT_STR_EQ(stroke(0x5d, 0), ""); // 5
    EXPECT_STR_EQ(stroke(KEYPAD_7, LEFT_SHIFT), "7");
}

TEST(layout_ignores_keys_with_the_windows_key)
{
    keyboard_layout_init(&keyboard);
    EXPECT_STR_EQ(stroke(A, LEFT_GUI), "");
}

TEST(layout_repeats_the_last_key_that_is_held)
{
    keyboard_layout_init(&keyboard);
    press(A, 0);
    EXPECT_EQ(keyboard.repeating, A);
    EXPECT_EQ(keyboard_layout_repeat(&keyboard, 0).bytes[0], 'a');
    press(C, 0);
    release(A);
    EXPECT_EQ(keyboard_layout_repeat(&keyboard, 0).bytes[0], 'c');
    release(C);
    EXPECT_EQ(keyboard.repeating, 0);
    EXPECT_EQ(keyboard_layout_repeat(&keyboard, 0).action, KEY_NOTHING);
    press(CAPS_LOCK, 0);
    EXPECT_EQ(keyboard.repeating, 0);
}

TEST(layout_takes_no_event_twice)
{
    keyboard_layout_init(&keyboard);
    press(A, 0);
    EXPECT_EQ(result.action, KEY_BYTES);
    press(A, 0);
    EXPECT_EQ(result.action, KEY_NOTHING);
    release(A);
    release(A);
    press(A, 0);
    EXPECT_EQ(result.action, KEY_BYTES);
}

TEST(layout_ignores_usages_that_are_no_keys)
{
    keyboard_layout_init(&keyboard);
    press(1, 0); // a keyboard that cannot tell which keys are down
    EXPECT_EQ(result.action, KEY_NOTHING);
    press(0xffff, 0);
    EXPECT_EQ(result.action, KEY_NOTHING);
    press(0x100 + A, 0);
    EXPECT_EQ(result.action, KEY_NOTHING);
}
