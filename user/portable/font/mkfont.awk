# awk -f mkfont.awk latin.font lines.font: prints the font as C (glyphs.h says what of). The two files say how they are to be
# read. Exits with 1 at the first line that makes no sense.

function fail(text) {
	print FILENAME ":" FNR ": " text > "/dev/stderr"
	failed = 1
	exit 1
}

function begin_glyph(code) {
	if (code !~ /^[0-9A-F][0-9A-F][0-9A-F][0-9A-F]$/)
		fail("not a code point of four digits: " code)
	if (code in is_known)
		fail("there is a " code " already")
	is_known[code] = 1
	codes[count++] = code
}

function set_ink(code, x, y) {
	if (x < 0 || x > 7 || y < 0 || y > 15)
		fail("ink outside the cell")
	ink[code, x, y] = 1
}

function fill(code, x0, y0, width, height,    x, y) {
	for (y = y0; y < y0 + height; y++)
		for (x = x0; x < x0 + width; x++)
			set_ink(code, x, y)
}

# The code point `n` behind `code`, as long as that changes the last two digits only.
function code_after(code, n,    value) {
	value = 16 * (index(HEX, substr(code, 3, 1)) - 1) + index(HEX, substr(code, 4, 1)) - 1 + n
	return substr(code, 1, 2) substr(HEX, int(value / 16) + 1, 1) substr(HEX, value % 16 + 1, 1)
}

# --- lines: arms[1..4] are left, right, up, down

# Whether a pixel is in the bands of double arms, 4 wide, whose outline is what is drawn. Where nothing double crosses, a
# band ends at the middle.
function is_in_band(x, y,    is_tall, is_wide, reach) {
	is_wide = arms[1] == "d" || arms[2] == "d"
	is_tall = arms[3] == "d" || arms[4] == "d"
	reach = is_tall ? 2 : 0
	if (y >= 6 && y <= 9 && ((arms[1] == "d" && x <= 3 + reach) || (arms[2] == "d" && x >= 3 - is_tall)))
		return 1
	reach = is_wide ? 2 : 0
	return x >= 2 && x <= 5 && ((arms[3] == "d" && y <= 7 + reach) || (arms[4] == "d" && y >= 7 - is_wide))
}

function is_band_edge(x, y,    dx, dy) {
	for (dy = -1; dy <= 1; dy++)
		for (dx = -1; dx <= 1; dx++)
			if (x + dx >= 0 && x + dx <= 7 && y + dy >= 0 && y + dy <= 15 && !is_in_band(x + dx, y + dy))
				return 1
	return 0
}

# Whether an arm that is not double covers the pixel; one that ends at a double line does not enter it.
function is_in_arm(arm, x, y,    thickness, opposite, inside) {
	if (arms[arm] != "l" && arms[arm] != "h")
		return 0
	thickness = arms[arm] == "h" ? 2 : 1
	opposite = arms[arm % 2 ? arm + 1 : arm - 1]
	if (opposite == "." && is_in_band(x, y))
		return 0
	if (arm <= 2)
		inside = y >= 7 && y < 7 + thickness && (arm == 1 ? x < 3 + thickness : x >= 3)
	else
		inside = x >= 3 && x < 3 + thickness && (arm == 3 ? y < 7 + thickness : y >= 7)
	return inside
}

function draw_lines(code, description,    x, y, arm) {
	if (description !~ /^[.lhd][.lhd][.lhd][.lhd]$/)
		fail("not four arms: " description)
	for (arm = 1; arm <= 4; arm++)
		arms[arm] = substr(description, arm, 1)
	begin_glyph(code)
	for (y = 0; y < 16; y++)
		for (x = 0; x < 8; x++) {
			if (is_in_band(x, y) && is_band_edge(x, y))
				set_ink(code, x, y)
			for (arm = 1; arm <= 4; arm++)
				if (is_in_arm(arm, x, y))
					set_ink(code, x, y)
		}
}

function draw_dashes(code, axis, weight, dashes,    at, length_, thickness) {
	begin_glyph(code)
	length_ = axis == "h" ? 8 : 16
	thickness = weight == "h" ? 2 : 1
	for (at = 0; at < length_; at++) {
		# The last pixel of each part is the gap.
		if (int((at + 1) * dashes / length_) != int(at * dashes / length_))
			continue
		if (axis == "h")
			fill(code, at, 7, 1, thickness)
		else
			fill(code, 3, at, thickness, 1)
	}
}

function draw_shade(code, quarters,    x, y) {
	begin_glyph(code)
	for (y = 0; y < 16; y++)
		for (x = 0; x < 8; x++)
			if ((quarters == 1 && (x + 2 * (y % 2)) % 4 == 0) || (quarters == 2 && (x + y) % 2 == 0) ||
			    (quarters == 3 && (x + 2 * (y % 2)) % 4 != 0))
				set_ink(code, x, y)
}

# --- the files

BEGIN { HEX = "0123456789ABCDEF" }

/^# / || /^#$/ && drawn == "" { next }

$1 == "glyph" || $1 == "mark" {
	drawn = $1 == "mark" ? "mark " $2 : $2
	row = $3 + 0
	if ($1 == "glyph")
		begin_glyph($2)
	else
		is_known[drawn] = 1
	next
}
$1 == "same" || $1 == "add" {
	begin_glyph($2)
	sources[$2] = $0
	drawn = ""
	next
}
$1 == "lines" { for (i = 3; i <= NF; i++) draw_lines(code_after($2, i - 3), $i); drawn = ""; next }
$1 == "dash" { draw_dashes($2, $3, $4, $5); drawn = ""; next }
$1 == "shade" { draw_shade($2, $3); drawn = ""; next }
$1 == "fill" {
	begin_glyph($2)
	for (i = 3; i + 3 <= NF; i += 4)
		fill($2, $i, $(i + 1), $(i + 2), $(i + 3))
	drawn = ""
	next
}
/^[.#]*$/ {
	for (i = 1; i <= length($0); i++)
		if (substr($0, i, 1) == "#") {
			if (drawn == "")
				fail("a row of no glyph")
			set_ink(drawn, i - 1, row)
		}
	row++
	next
}
{ fail("not understood: " $0) }

# --- the result

function merge(code, from,    x, y) {
	if (!(from in is_known))
		fail("there is no " from)
	for (y = 0; y < 16; y++)
		for (x = 0; x < 8; x++)
			if ((from, x, y) in ink)
				set_ink(code, x, y)
}

function print_glyph(code,    x, y, bits, line) {
	line = ""
	for (y = 0; y < 16; y++) {
		bits = 0
		for (x = 0; x < 8; x++)
			bits = 2 * bits + ((code, x, y) in ink)
		line = line (y ? ", " : "") sprintf("0x%02x", bits)
	}
	print "    {0x" code ", {" line "}},"
}

END {
	if (failed)
		exit 1
	for (i = 0; i < count; i++) {
		if (!(codes[i] in sources))
			continue
		n = split(sources[codes[i]], words, " ")
		merge(codes[i], words[3])
		for (j = 4; j <= n; j++)
			merge(codes[i], "mark " words[j])
	}
	for (i = 1; i < count; i++) {
		# As strings: 00E6 is a number to awk.
		code = codes[i] ""
		for (j = i; j > 0 && codes[j - 1] "" > code; j--)
			codes[j] = codes[j - 1]
		codes[j] = code
	}
	print "// Made by mkfont.awk.\n\n#include \"user/portable/glyphs.h\"\n\nconst struct glyph glyphs[] = {"
	for (i = 0; i < count; i++)
		print_glyph(codes[i])
	print "};\nconst size_t glyph_count = " count ";"
}
