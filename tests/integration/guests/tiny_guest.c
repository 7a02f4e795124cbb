// A guest of a few hundred bytes that does one thing so many times: `WORK [COUNT]` on its command
// line, such as `touch 1000`. It tells on the serial port what it begins and that it is done, and
// halts for good. What there is to do, and how the guest is entered, is each architecture's
// (ARCH/tiny_arch.c).
#include "tiny_guest.h"

static void print(const char *text)
{
    for (; *text; text++)
        tiny_print_char(*text);
}

// The rest of the text behind the word, or NULL if it starts with another.
static const char *skip_word(const char *text, const char *word)
{
    for (; *word; word++, text++) {
        if (*text != *word)
            return NULL;
    }
    return *text == ' ' || *text == '\0' ? text : NULL;
}

static uint32_t parse_count(const char *text)
{
    uint32_t count = 0;

    while (*text == ' ')
        text++;
    if (*text == '\0')
        return 1;
    for (; *text >= '0' && *text <= '9'; text++)
        count = count * 10 + (uint32_t)(*text - '0');
    return count;
}

static void do_work(const char *command)
{
    for (const struct tiny_work *work = tiny_works; work->name; work++) {
        const char *rest = skip_word(command, work->name);
        if (!rest)
            continue;
        uint32_t count = parse_count(rest);
        for (uint32_t n = 0; n < count; n++)
            work->act(n);
        return;
    }
    print("unknown work ");
}

void tiny_main(const char *command)
{
    print("tiny: begin ");
    print(command);
    print("\r\n");
    do_work(command);
    print("tiny: done ");
    print(command);
    print("\r\n");
    for (;;)
        tiny_halt();
}
