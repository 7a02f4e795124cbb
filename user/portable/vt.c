// The terminal; see vt.h. Row and column arguments of sequences count from 1, everything here from
// 0.

#include "user/portable/vt.h"

#include <string.h>

#include "user/portable/character_width.h"
#include "user/portable/format.h"

#define TAB_COLUMNS 8

enum control {
    BACKSPACE = 0x08,
    TAB = 0x09,
    LINE_FEED = 0x0a,
    VERTICAL_TAB = 0x0b,
    FORM_FEED = 0x0c,
    CARRIAGE_RETURN = 0x0d,
    SHIFT_OUT = 0x0e,
    SHIFT_IN = 0x0f,
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

// A parameter that counts, 1 when left out.
static size_t count_of(const struct vt *vt)
{
    return vt_parameter(&vt->parser, 0, 1);
}

// What erasing leaves: the pen's background, no attributes.
static struct vt_cell blank(const struct vt *vt)
{
    return (struct vt_cell){
        .code_point = ' ', .foreground = VT_FOREGROUND_DEFAULT, .background = vt->pen.background};
}

static const struct vt_cell plain_pen = {
    .code_point = ' ', .foreground = VT_FOREGROUND_DEFAULT, .background = VT_BACKGROUND_DEFAULT};

// --- the cursor

static void place_cursor(struct vt *vt, size_t row, size_t column)
{
    vt->row = smaller(row, vt->grid.rows - 1);
    vt->column = smaller(column, vt->grid.columns - 1);
    vt->is_wrap_pending = false;
}

// As a sequence names a row: from the region's top in origin mode, and then not outside of it.
static void place_cursor_at(struct vt *vt, size_t row, size_t column)
{
    if (vt->modes & VT_MODE_ORIGIN)
        row = smaller(row + vt->top, vt->bottom);
    place_cursor(vt, row, column);
}

// Up and down stop at the region's edge, if they start inside of it.
static void move_up(struct vt *vt, size_t count)
{
    size_t limit = vt->row >= vt->top ? vt->top : 0;

    place_cursor(vt, vt->row - smaller(count, vt->row - limit), vt->column);
}

static void move_down(struct vt *vt, size_t count)
{
    size_t limit = vt->row <= vt->bottom ? vt->bottom : vt->grid.rows - 1;

    place_cursor(vt, vt->row + smaller(count, limit - vt->row), vt->column);
}

static void move_left(struct vt *vt, size_t count)
{
    place_cursor(vt, vt->row, vt->column - smaller(count, vt->column));
}

static void index_down(struct vt *vt)
{
    vt->is_wrap_pending = false;
    if (vt->row == vt->bottom)
        vt_grid_scroll_up(&vt->grid, vt->top, vt->bottom, 1, blank(vt));
    else if (vt->row + 1 < vt->grid.rows)
        vt->row++;
}

static void index_up(struct vt *vt)
{
    vt->is_wrap_pending = false;
    if (vt->row == vt->top)
        vt_grid_scroll_down(&vt->grid, vt->top, vt->bottom, 1, blank(vt));
    else if (vt->row > 0)
        vt->row--;
}

static void next_line(struct vt *vt)
{
    index_down(vt);
    vt->column = 0;
}

static void save_cursor(struct vt *vt)
{
    vt->saved = (struct vt_saved){.row = vt->row,
                                  .column = vt->column,
                                  .pen = vt->pen,
                                  .charsets = {vt->charsets[0], vt->charsets[1]},
                                  .charset_index = vt->charset_index,
                                  .origin = vt->modes & VT_MODE_ORIGIN};
}

static void restore_cursor(struct vt *vt)
{
    vt->pen = vt->saved.pen;
    vt->charsets[0] = vt->saved.charsets[0];
    vt->charsets[1] = vt->saved.charsets[1];
    vt->charset_index = vt->saved.charset_index;
    vt->modes = (vt->modes & ~(unsigned)VT_MODE_ORIGIN) | vt->saved.origin;
    place_cursor(vt, vt->saved.row, vt->saved.column);
}

// --- tab stops

static bool is_tab_stop(const struct vt *vt, size_t column)
{
    return (vt->tabs[column / 8] & 1u << column % 8) != 0;
}

static void tab_forward(struct vt *vt, size_t count)
{
    size_t column = vt->column;

    for (; count > 0 && column + 1 < vt->grid.columns; count--) {
        do
            column++;
        while (column + 1 < vt->grid.columns && !is_tab_stop(vt, column));
    }
    place_cursor(vt, vt->row, column);
}

static void tab_backward(struct vt *vt, size_t count)
{
    size_t column = vt->column;

    for (; count > 0 && column > 0; count--) {
        do
            column--;
        while (column > 0 && !is_tab_stop(vt, column));
    }
    place_cursor(vt, vt->row, column);
}

static void reset_tabs(struct vt *vt)
{
    memset(vt->tabs, 0, sizeof(vt->tabs));
    for (size_t column = 0; column < VT_COLUMNS_MAX; column += TAB_COLUMNS)
        vt->tabs[column / 8] |= (uint8_t)(1u << column % 8);
}

static void clear_tabs(struct vt *vt)
{
    if (vt_parameter(&vt->parser, 0, 0) == 3)
        memset(vt->tabs, 0, sizeof(vt->tabs));
    else if (vt_parameter(&vt->parser, 0, 0) == 0)
        vt->tabs[vt->column / 8] &= (uint8_t) ~(1u << vt->column % 8);
}

// --- text

// DEC Special Graphics, from 0x60 on (VT102 User Guide, "Character sets").
static const uint16_t line_drawing[] = {
    0x25c6, 0x2592, 0x2409, 0x240c, 0x240d, 0x240a, 0x00b0, 0x00b1, 0x2424, 0x240b, 0x2518,
    0x2510, 0x250c, 0x2514, 0x253c, 0x23ba, 0x23bb, 0x2500, 0x23bc, 0x23bd, 0x251c, 0x2524,
    0x2534, 0x252c, 0x2502, 0x2264, 0x2265, 0x03c0, 0x2260, 0x00a3, 0x00b7,
};

static uint32_t map_character(const struct vt *vt, uint32_t code_point)
{
    if (vt->charsets[vt->charset_index] == VT_LINE_DRAWING && code_point >= 0x60 &&
        code_point - 0x60 < sizeof(line_drawing) / sizeof(line_drawing[0]))
        return line_drawing[code_point - 0x60];
    return code_point;
}

// A character that is written over one half of a wide one takes the other away.
static void part_wide(struct vt *vt, size_t column)
{
    struct vt_cell *cells = vt_grid_row(&vt->grid, vt->row, 0);

    if (column > 0 && column < vt->grid.columns && (cells[column].attributes & VT_WIDE_REST)) {
        cells[column - 1].code_point = cells[column].code_point = ' ';
        cells[column].attributes &= (uint8_t)~VT_WIDE_REST;
    }
}

static void put_cells(struct vt *vt, uint32_t code_point, size_t width)
{
    struct vt_cell *cells = vt_grid_row(&vt->grid, vt->row, 0) + vt->column;

    part_wide(vt, vt->column);
    part_wide(vt, vt->column + width);
    cells[0] = vt->pen;
    cells[0].code_point = code_point;
    if (width == 2) {
        cells[1] = vt->pen;
        cells[1].code_point = ' ';
        cells[1].attributes |= VT_WIDE_REST;
    }
}

static void print(struct vt *vt, uint32_t code_point)
{
    size_t width = character_width(code_point);

    if (width == 0)
        return;
    if (vt->is_wrap_pending && (vt->modes & VT_MODE_WRAP))
        next_line(vt);
    if (vt->column + width > vt->grid.columns) {
        if (vt->modes & VT_MODE_WRAP)
            next_line(vt);
        else
            vt->column = vt->grid.columns - width;
    }
    if (vt->modes & VT_MODE_INSERT) {
        part_wide(vt, vt->column);
        vt_grid_insert(&vt->grid, vt->row, vt->column, width, blank(vt));
    }
    put_cells(vt, code_point, width);
    vt->last_printed = code_point;
    vt->is_wrap_pending = vt->column + width == vt->grid.columns;
    vt->column = smaller(vt->column + width, vt->grid.columns - 1);
}

// No more than a line of them: a few bytes shall not cost a screenful.
static void repeat_last(struct vt *vt)
{
    size_t count = smaller(count_of(vt), vt->grid.columns);

    for (size_t i = 0; i < count && vt->last_printed != 0; i++)
        print(vt, vt->last_printed);
}

static void control(struct vt *vt, uint8_t byte)
{
    switch (byte) {
    case BACKSPACE:
        move_left(vt, 1);
        break;
    case TAB:
        tab_forward(vt, 1);
        break;
    case LINE_FEED:
    case VERTICAL_TAB:
    case FORM_FEED:
        index_down(vt);
        if (vt->modes & VT_MODE_NEW_LINE)
            vt->column = 0;
        break;
    case CARRIAGE_RETURN:
        place_cursor(vt, vt->row, 0);
        break;
    case SHIFT_OUT:
        vt->charset_index = 1;
        break;
    case SHIFT_IN:
        vt->charset_index = 0;
        break;
    default:
        break;
    }
}

// --- erasing, inserting, deleting

static void erase_rows(struct vt *vt, size_t from, size_t to)
{
    for (size_t row = from; row < to; row++)
        vt_grid_erase(&vt->grid, row, 0, vt->grid.columns, blank(vt));
}

static void erase_in_display(struct vt *vt)
{
    vt->is_wrap_pending = false;
    switch (vt_parameter(&vt->parser, 0, 0)) {
    case 0:
        vt_grid_erase(&vt->grid, vt->row, vt->column, vt->grid.columns, blank(vt));
        erase_rows(vt, vt->row + 1, vt->grid.rows);
        break;
    case 1:
        erase_rows(vt, 0, vt->row);
        vt_grid_erase(&vt->grid, vt->row, 0, vt->column + 1, blank(vt));
        break;
    case 3:
        vt->grid.history = 0;
        erase_rows(vt, 0, vt->grid.rows);
        break;
    case 2:
        erase_rows(vt, 0, vt->grid.rows);
        break;
    default:
        break;
    }
}

static void erase_in_line(struct vt *vt)
{
    unsigned what = vt_parameter(&vt->parser, 0, 0);

    vt->is_wrap_pending = false;
    if (what <= 2)
        vt_grid_erase(&vt->grid, vt->row, what == 0 ? vt->column : 0,
                      what == 1 ? vt->column + 1 : vt->grid.columns, blank(vt));
}

static void erase_characters(struct vt *vt)
{
    vt->is_wrap_pending = false;
    vt_grid_erase(&vt->grid, vt->row, vt->column, vt->column + count_of(vt), blank(vt));
}

static void insert_characters(struct vt *vt)
{
    vt->is_wrap_pending = false;
    vt_grid_insert(&vt->grid, vt->row, vt->column, count_of(vt), blank(vt));
}

static void delete_characters(struct vt *vt)
{
    vt->is_wrap_pending = false;
    vt_grid_delete(&vt->grid, vt->row, vt->column, count_of(vt), blank(vt));
}

static bool is_in_region(const struct vt *vt)
{
    return vt->row >= vt->top && vt->row <= vt->bottom;
}

static void insert_lines(struct vt *vt)
{
    if (!is_in_region(vt))
        return;
    vt_grid_scroll_down(&vt->grid, vt->row, vt->bottom, count_of(vt), blank(vt));
    place_cursor(vt, vt->row, 0);
}

static void delete_lines(struct vt *vt)
{
    if (!is_in_region(vt))
        return;
    vt_grid_scroll_up(&vt->grid, vt->row, vt->bottom, count_of(vt), blank(vt));
    place_cursor(vt, vt->row, 0);
}

static void scroll_up(struct vt *vt)
{
    vt_grid_scroll_up(&vt->grid, vt->top, vt->bottom, count_of(vt), blank(vt));
}

static void scroll_down(struct vt *vt)
{
    vt_grid_scroll_down(&vt->grid, vt->top, vt->bottom, count_of(vt), blank(vt));
}

// --- colours and attributes

// The nearest level of the cube: 0, 95, 135, 175, 215, 255.
static unsigned cube_level(unsigned value)
{
    return value < 48 ? 0 : value < 115 ? 1 : value >= 255 ? 5 : (value - 35) / 40;
}

// 5;N or 2;R;G;B behind 38 or 48. Returns how many parameters that were.
static unsigned extended_color(const struct vt *vt, unsigned index, uint8_t *color)
{
    const struct vt_parser *parser = &vt->parser;
    unsigned kind = vt_parameter(parser, index, 0);

    if (kind == 5) {
        unsigned number = vt_parameter(parser, index + 1, 0);
        if (number <= UINT8_MAX)
            *color = (uint8_t)number;
        return 2;
    }
    if (kind != 2)
        return 1;
    *color = (uint8_t)(16 + 36 * cube_level(vt_parameter(parser, index + 1, 0)) +
                       6 * cube_level(vt_parameter(parser, index + 2, 0)) +
                       cube_level(vt_parameter(parser, index + 3, 0)));
    return 4;
}

static void set_attribute(struct vt *vt, unsigned attributes)
{
    vt->pen.attributes |= (uint8_t)attributes;
}

static void clear_attribute(struct vt *vt, unsigned attributes)
{
    vt->pen.attributes &= (uint8_t)~attributes;
}

// A rendition without further parameters.
static void set_rendition(struct vt *vt, unsigned value)
{
    static const uint8_t attributes_on[] = {0, VT_BOLD, VT_DIM, 0, VT_UNDERLINE, 0, 0, VT_REVERSE};

    if (value == 0)
        vt->pen = plain_pen;
    else if (value < sizeof(attributes_on))
        set_attribute(vt, attributes_on[value]);
    else if (value == 21 || value == 22)
        clear_attribute(vt, VT_BOLD | VT_DIM);
    else if (value == 24)
        clear_attribute(vt, VT_UNDERLINE);
    else if (value == 27)
        clear_attribute(vt, VT_REVERSE);
    else if (value >= 30 && value <= 37)
        vt->pen.foreground = (uint8_t)(value - 30);
    else if (value >= 40 && value <= 47)
        vt->pen.background = (uint8_t)(value - 40);
    else if (value >= 90 && value <= 97)
        vt->pen.foreground = (uint8_t)(value - 90 + 8);
    else if (value >= 100 && value <= 107)
        vt->pen.background = (uint8_t)(value - 100 + 8);
    else if (value == 39)
        vt->pen.foreground = VT_FOREGROUND_DEFAULT;
    else if (value == 49)
        vt->pen.background = VT_BACKGROUND_DEFAULT;
}

static void select_rendition(struct vt *vt)
{
    unsigned count = vt->parser.parameter_count;

    if (count == 0)
        set_rendition(vt, 0);
    for (unsigned i = 0; i < count; i++) {
        unsigned value = vt_parameter(&vt->parser, i, 0);
        if (value == 38)
            i += extended_color(vt, i + 1, &vt->pen.foreground);
        else if (value == 48)
            i += extended_color(vt, i + 1, &vt->pen.background);
        else
            set_rendition(vt, value);
    }
}

// --- modes, regions, reports

static void set_modes(struct vt *vt, bool is_on)
{
    static const struct {
        uint8_t prefix;
        uint16_t number;
        unsigned mode;
    } modes[] = {
        {0, 4, VT_MODE_INSERT},           {0, 20, VT_MODE_NEW_LINE}, {'?', 1, VT_MODE_CURSOR_KEYS},
        {'?', 5, VT_MODE_REVERSE_SCREEN}, {'?', 6, VT_MODE_ORIGIN},  {'?', 7, VT_MODE_WRAP},
        {'?', 25, VT_MODE_CURSOR_SHOWN},
    };

    for (unsigned i = 0; i < vt->parser.parameter_count; i++) {
        for (size_t j = 0; j < sizeof(modes) / sizeof(modes[0]); j++) {
            if (modes[j].prefix != vt->parser.prefix || modes[j].number != vt->parser.parameters[i])
                continue;
            vt->modes = is_on ? vt->modes | modes[j].mode : vt->modes & ~modes[j].mode;
            if (modes[j].mode == VT_MODE_ORIGIN)
                place_cursor_at(vt, 0, 0);
        }
    }
}

static void modes_on(struct vt *vt)
{
    set_modes(vt, true);
}

static void modes_off(struct vt *vt)
{
    set_modes(vt, false);
}

static void set_region(struct vt *vt)
{
    size_t top = vt_parameter(&vt->parser, 0, 1) - 1;
    size_t bottom =
        smaller(vt_parameter(&vt->parser, 1, (unsigned)vt->grid.rows), vt->grid.rows) - 1;

    if (top >= bottom)
        return;
    vt->top = top;
    vt->bottom = bottom;
    place_cursor_at(vt, 0, 0);
}

static void reply(struct vt *vt, const char *text)
{
    vt->ops->reply(vt->context, text, strlen(text));
}

static void report_status(struct vt *vt)
{
    char buffer[VT_REPLY_BYTES_MAX];
    struct text text = text_begin(buffer, sizeof(buffer));
    size_t row = vt->row - (vt->modes & VT_MODE_ORIGIN && is_in_region(vt) ? vt->top : 0);

    switch (vt_parameter(&vt->parser, 0, 0)) {
    case 5:
        reply(vt, "\x1b[0n");
        break;
    case 6:
        text_add(&text, "\x1b[");
        text_add_number(&text, row + 1);
        text_add(&text, ";");
        text_add_number(&text, vt->column + 1);
        text_add(&text, "R");
        reply(vt, buffer);
        break;
    default:
        break;
    }
}

// A VT102.
static void report_device(struct vt *vt)
{
    if (vt_parameter(&vt->parser, 0, 0) == 0)
        reply(vt, "\x1b[?6c");
}

// --- sequences

static void cursor_up(struct vt *vt)
{
    move_up(vt, count_of(vt));
}

static void cursor_down(struct vt *vt)
{
    move_down(vt, count_of(vt));
}

static void cursor_right(struct vt *vt)
{
    place_cursor(vt, vt->row, vt->column + count_of(vt));
}

static void cursor_left(struct vt *vt)
{
    move_left(vt, count_of(vt));
}

static void cursor_next_line(struct vt *vt)
{
    move_down(vt, count_of(vt));
    vt->column = 0;
}

static void cursor_previous_line(struct vt *vt)
{
    move_up(vt, count_of(vt));
    vt->column = 0;
}

static void cursor_to_column(struct vt *vt)
{
    place_cursor(vt, vt->row, count_of(vt) - 1);
}

static void cursor_to_row(struct vt *vt)
{
    place_cursor_at(vt, count_of(vt) - 1, vt->column);
}

static void cursor_to(struct vt *vt)
{
    place_cursor_at(vt, count_of(vt) - 1, vt_parameter(&vt->parser, 1, 1) - 1);
}

static void tabs_forward(struct vt *vt)
{
    tab_forward(vt, count_of(vt));
}

static void tabs_backward(struct vt *vt)
{
    tab_backward(vt, count_of(vt));
}

static const struct {
    uint8_t prefix, final;
    void (*run)(struct vt *vt);
} sequences[] = {
    {0, '@', insert_characters},
    {0, 'A', cursor_up},
    {0, 'B', cursor_down},
    {0, 'C', cursor_right},
    {0, 'D', cursor_left},
    {0, 'E', cursor_next_line},
    {0, 'F', cursor_previous_line},
    {0, 'G', cursor_to_column},
    {0, 'H', cursor_to},
    {0, 'I', tabs_forward},
    {0, 'J', erase_in_display},
    {0, 'K', erase_in_line},
    {0, 'L', insert_lines},
    {0, 'M', delete_lines},
    {0, 'P', delete_characters},
    {0, 'S', scroll_up},
    {0, 'T', scroll_down},
    {0, 'X', erase_characters},
    {0, 'Z', tabs_backward},
    {0, '`', cursor_to_column},
    {0, 'a', cursor_right},
    {0, 'b', repeat_last},
    {0, 'c', report_device},
    {0, 'd', cursor_to_row},
    {0, 'e', cursor_down},
    {0, 'f', cursor_to},
    {0, 'g', clear_tabs},
    {0, 'h', modes_on},
    {'?', 'h', modes_on},
    {0, 'l', modes_off},
    {'?', 'l', modes_off},
    {0, 'm', select_rendition},
    {0, 'n', report_status},
    {0, 'r', set_region},
    {0, 's', save_cursor},
    {0, 'u', restore_cursor},
};

static void sequence(struct vt *vt)
{
    if (vt->parser.intermediate != 0)
        return;
    for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
        if (sequences[i].final == vt->parser.final && sequences[i].prefix == vt->parser.prefix) {
            sequences[i].run(vt);
            return;
        }
    }
}

static void reset(struct vt *vt)
{
    vt->top = 0;
    vt->bottom = vt->grid.rows - 1;
    vt->modes = VT_MODE_WRAP | VT_MODE_CURSOR_SHOWN;
    vt->pen = plain_pen;
    vt->charsets[0] = vt->charsets[1] = VT_ASCII;
    vt->charset_index = 0;
    vt->last_printed = 0;
    reset_tabs(vt);
    place_cursor(vt, 0, 0);
    save_cursor(vt);
    erase_rows(vt, 0, vt->grid.rows);
}

// DECALN: a screen full of E.
static void fill_for_alignment(struct vt *vt)
{
    struct vt_cell e = plain_pen;

    e.code_point = 'E';
    for (size_t row = 0; row < vt->grid.rows; row++)
        vt_grid_erase(&vt->grid, row, 0, vt->grid.columns, e);
}

static void escape_plain(struct vt *vt, uint8_t final)
{
    switch (final) {
    case '7':
        save_cursor(vt);
        break;
    case '8':
        restore_cursor(vt);
        break;
    case '=':
        vt->modes |= VT_MODE_KEYPAD;
        break;
    case '>':
        vt->modes &= ~(unsigned)VT_MODE_KEYPAD;
        break;
    case 'D':
        index_down(vt);
        break;
    case 'E':
        next_line(vt);
        break;
    case 'H':
        vt->tabs[vt->column / 8] |= (uint8_t)(1u << vt->column % 8);
        break;
    case 'M':
        index_up(vt);
        break;
    case 'Z':
        reply(vt, "\x1b[?6c");
        break;
    case 'c':
        reset(vt);
        break;
    default:
        break;
    }
}

static void escape(struct vt *vt, uint8_t intermediate, uint8_t final)
{
    enum vt_charset charset = final == '0' ? VT_LINE_DRAWING : VT_ASCII;

    if (intermediate == 0)
        escape_plain(vt, final);
    else if (intermediate == '(')
        vt->charsets[0] = charset;
    else if (intermediate == ')')
        vt->charsets[1] = charset;
    else if (intermediate == '#' && final == '8')
        fill_for_alignment(vt);
}

// --- the terminal

void vt_init(struct vt *vt, struct vt_cell *cells, size_t columns, size_t rows, size_t history,
             const struct vt_ops *ops, void *context)
{
    memset(vt, 0, sizeof(*vt));
    vt->ops = ops;
    vt->context = context;
    vt_grid_init(&vt->grid, cells, columns, rows, history, plain_pen);
    vt_parser_init(&vt->parser);
    reset(vt);
}

static void feed_byte(struct vt *vt, uint8_t byte)
{
    bool is_used = false;

    while (!is_used) {
        switch (vt_parser_feed(&vt->parser, byte, &is_used)) {
        case VT_NOTHING:
            break;
        case VT_PRINT:
            print(vt, map_character(vt, vt->parser.code_point));
            break;
        case VT_CONTROL:
            control(vt, vt->parser.control);
            break;
        case VT_ESCAPE:
            escape(vt, vt->parser.intermediate, vt->parser.final);
            break;
        case VT_SEQUENCE:
            sequence(vt);
            break;
        }
    }
}

void vt_feed(struct vt *vt, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < length; i++)
        feed_byte(vt, at[i]);
}
