// Any bytes as keys: the line stays valid UTF-8, the cursor stays in it, and the output is bounded.

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/portable/line_editor.h"
#include "user/portable/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t written;

static void count_written(void *context, const char *bytes, size_t length)
{
    (void)context;
    (void)bytes;
    written += length;
}

// Offers two words and, now and then, a nonsensical place for them.
static void complete(void *context, const char *line, size_t cursor, struct line_matches *matches)
{
    (void)context;
    matches->word_start = cursor > 3 && line[0] == 'x' ? cursor + 1 : cursor - (cursor > 0);
    while (matches->word_start > 0 && matches->word_start < cursor &&
           utf8_is_continuation(line[matches->word_start]))
        matches->word_start--;
    line_matches_add(matches, "ab\xc3\xa9");
    line_matches_add(matches, line[0] == 'y' ? "ab\xc3\xaa" : "abc");
}

static void check(const struct line_editor *editor)
{
    const char *line = line_editor_line(editor);
    size_t length = strlen(line);

    if (length != editor->length || editor->cursor > length || editor->scroll > editor->cursor)
        abort();
    for (size_t at = 0, step; at < length; at += step) {
        step = utf8_length(line + at, length - at);
        if (step == 0)
            abort();
    }
    if (editor->cursor < length && utf8_is_continuation(line[editor->cursor]))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct line_editor_ops ops = {count_written, complete};
    static struct line_editor editor;

    if (size == 0)
        return 0;
    line_editor_init(&editor, &ops, NULL);
    line_editor_set_width(&editor, data[0]);
    line_editor_start(&editor, "$ ");
    for (size_t i = 1; i < size; i++) {
        written = 0;
        enum line_editor_event event = line_editor_feed(&editor, data[i]);
        check(&editor);
        if (written > 8 * LINE_EDITOR_LINE_BYTES)
            abort();
        if (event == LINE_EDITOR_MORE)
            continue;
        line_editor_add_history(&editor, line_editor_line(&editor));
        line_editor_start(&editor, "a longer prompt$ ");
    }
    return 0;
}
