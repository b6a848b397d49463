/* SPDX-License-Identifier: MIT */
/* test_vt.c - the terminal emulator: what a byte stream leaves on the screen, what it answers, and
 * that no stream leaves the grid. */
/* cflags: -Itests/host/tty */
/* sources: kernel/tty/vt_parse.c kernel/tty/vt_screen.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/tty/vt.h"

#define COLS 10
#define ROWS 5
#define ESC "\033"

static u32 *cells;
static struct vt vt;
static char answer[64];
static size_t answer_len;

static void on_reply(struct vt *v, const char *s, size_t n)
{
	assert_true(answer_len + n < sizeof(answer));
	memcpy(answer + answer_len, s, n);
	answer_len += n;
	answer[answer_len] = 0;
}

static int start(void **state)
{
	cells = malloc(COLS * ROWS * sizeof(*cells));
	vt_init(&vt, cells, COLS, ROWS);
	vt.reply = on_reply;
	answer_len = 0;
	answer[0] = 0;
	return 0;
}

static int stop(void **state)
{
	free(cells);
	return 0;
}

static void feed(const char *s)
{
	vt_write(&vt, (const u8 *)s, strlen(s));
}

/* Rows separated by '|', trailing blanks of rows and of the screen left out. */
static const char *screen(void)
{
	static char out[COLS * ROWS * 4 + ROWS + 1];
	size_t n = 0, keep = 0;

	for (u32 y = 0; y < ROWS; y++) {
		size_t row_keep = n;

		for (u32 x = 0; x < COLS; x++) {
			u32 ch = VT_CELL_CHAR(vt_row(&vt, y)[x]);

			out[n++] = ch < 0x80 ? ch : '#';
			if (ch != ' ')
				row_keep = n;
		}
		n = row_keep;
		if (n && out[n - 1] != '|')
			keep = n;
		out[n++] = '|';
	}
	out[keep] = 0;
	return out;
}

static void shows(const char *bytes, const char *want)
{
	feed(bytes);
	assert_string_equal(screen(), want);
}

static void cursor_at(u32 x, u32 y)
{
	assert_int_equal(vt.cur.x, x);
	assert_int_equal(vt.cur.y, y);
}

static void text_and_controls(void **state)
{
	shows("ab\r\ncd\be\tx", "ab|ce      x");
	cursor_at(9, 1);
}

static void wraps_late(void **state)
{
	shows("0123456789", "0123456789");
	cursor_at(9, 0);
	shows("a", "0123456789|a");
	shows(ESC "[?7l" ESC "[1;9Hxyz", "01234567xz|a");
	feed(ESC "[?7h" ESC "[1;10Hq\r");
	cursor_at(0, 0);
}

static void scrolls(void **state)
{
	shows("1\r\n2\r\n3\r\n4\r\n5\r\n6", "2|3|4|5|6");
	shows(ESC "[H" ESC "M"
		  "0",
	      "0|2|3|4|5");
	shows(ESC "[2;4r" ESC "[4;1H\nx", "0|3|4|x|5");
	shows(ESC "[2;1H" ESC "My", "0|y|3|4|5");
	shows(ESC "[S", "0|3|4||5");
	shows(ESC "[2T", "0|||3|5");
}

static void moves_are_clamped(void **state)
{
	feed(ESC "[99;99H");
	cursor_at(9, 4);
	feed(ESC "[99A" ESC "[99D");
	cursor_at(0, 0);
	feed(ESC "[3C" ESC "[2B");
	cursor_at(3, 2);
	feed(ESC "[E");
	cursor_at(0, 3);
	feed(ESC "[5G" ESC "[2d");
	cursor_at(4, 1);
	feed(ESC "[F");
	cursor_at(0, 0);
	feed(ESC "[2;4r" ESC "[?6h" ESC "[99;1H");
	cursor_at(0, 3);
	feed(ESC "[H");
	cursor_at(0, 1);
}

static void erases(void **state)
{
	feed("abcde\r\nfghij\r\nklmno" ESC "[2;3H");
	shows(ESC "[K", "abcde|fg|klmno");
	shows(ESC "[1K", "abcde||klmno");
	shows(ESC "[1;2H" ESC "[2X", "a  de||klmno");
	shows(ESC "[2;1H" ESC "[J", "a  de");
	shows("x" ESC "[1;4H" ESC "[1J", "    e|x");
	shows(ESC "[2J", "");
}

static void inserts_and_deletes(void **state)
{
	feed("abcdef" ESC "[1;3H");
	shows(ESC "[2@", "ab  cdef");
	shows(ESC "[3P", "abdef");
	shows(ESC "[4hxy" ESC "[4l", "abxydef");
	shows("\r\n1\r\n2\r\n3" ESC "[2;1H" ESC "[L", "abxydef||1|2|3");
	shows(ESC "[2M", "abxydef|2|3");
	shows(ESC "[99M", "abxydef");
}

static u32 cell_at(u32 x, u32 y)
{
	return vt_row(&vt, y)[x];
}

static void colours(void **state)
{
	feed(ESC "[31;44ma" ESC "[1mb" ESC "[7mc" ESC "[0;4md" ESC "[mE" ESC "[38;5;196mf" ESC
		 "[48;2;0;0;255mg");
	assert_int_equal(cell_at(0, 0), VT_CELL('a', 1, 4, 0));
	assert_int_equal(cell_at(1, 0), VT_CELL('b', 9, 4, 0));
	assert_int_equal(cell_at(2, 0), VT_CELL('c', 4, 9, 0));
	assert_int_equal(cell_at(3, 0), VT_CELL('d', 7, 0, 1));
	assert_int_equal(cell_at(4, 0), VT_CELL('E', 7, 0, 0));
	assert_int_equal(cell_at(5, 0), VT_CELL('f', 9, 0, 0));
	assert_int_equal(cell_at(6, 0), VT_CELL('g', 9, 12, 0));
	feed(ESC "[0;42m" ESC "[K");
	assert_int_equal(VT_CELL_BG(cell_at(9, 0)), 2);
	feed(ESC "[97;101mz");
	assert_int_equal(cell_at(7, 0), VT_CELL('z', 15, 9, 0));
}

static void answers(void **state)
{
	feed(ESC "[3;4H" ESC "[6n");
	assert_string_equal(answer, "\033[3;4R");
	answer_len = 0;
	feed(ESC "[5n" ESC "[c");
	assert_string_equal(answer, "\033[0n\033[?6c");
	answer_len = 0;
	feed(ESC "[999;999H" ESC "[6n");
	assert_string_equal(answer, "\033[5;10R");
}

static void saves_and_restores(void **state)
{
	feed(ESC "[2;3H" ESC "[31m" ESC "7" ESC "[H" ESC "[0m" ESC "8x");
	assert_int_equal(cell_at(2, 1), VT_CELL('x', 1, 0, 0));
}

static void utf8(void **state)
{
	feed("\xc3\xa9\xe2\x94\x80\xf0\x9f\x98\x80"
	     "a");
	assert_int_equal(VT_CELL_CHAR(cell_at(0, 0)), 0xe9);
	assert_int_equal(VT_CELL_CHAR(cell_at(1, 0)), 0x2500);
	assert_int_equal(VT_CELL_CHAR(cell_at(2, 0)), 0x1f600);
	assert_int_equal(VT_CELL_CHAR(cell_at(4, 0)), 'a'); /* the one before is two wide */
	feed("\r\n\xff\xc3"
	     "b\xe0\x80\x80\xed\xa0\x80"
	     "c\xc3");
	feed(ESC "[1C"
		 "d");
	assert_int_equal(VT_CELL_CHAR(cell_at(0, 1)), 0xfffd);
	assert_int_equal(VT_CELL_CHAR(cell_at(1, 1)), 0xfffd);
	assert_int_equal(VT_CELL_CHAR(cell_at(2, 1)), 'b');
	assert_int_equal(VT_CELL_CHAR(cell_at(3, 1)), 0xfffd);
	assert_int_equal(VT_CELL_CHAR(cell_at(4, 1)), 0xfffd);
	assert_int_equal(VT_CELL_CHAR(cell_at(5, 1)), 'c');
}

static void line_drawing(void **state)
{
	feed(ESC "(0qx" ESC "(Bq" ESC ")0\016l\017l");
	assert_int_equal(VT_CELL_CHAR(cell_at(0, 0)), 0x2500);
	assert_int_equal(VT_CELL_CHAR(cell_at(1, 0)), 0x2502);
	assert_int_equal(VT_CELL_CHAR(cell_at(2, 0)), 'q');
	assert_int_equal(VT_CELL_CHAR(cell_at(3, 0)), 0x250c);
	assert_int_equal(VT_CELL_CHAR(cell_at(4, 0)), 'l');
}

static void unknown_sequences_vanish(void **state)
{
	shows("a" ESC "]0;title\007b" ESC "]2;t" ESC "\\c" ESC "]P1ff0000d" ESC "]Re", "abcde");
	shows(ESC "Pdcs" ESC "\\" ESC "[?1049h" ESC "[>c" ESC "[1$rf" ESC
		  "[1;2;3;4;5;6;7;8;9;10;11;12;13;14;"
		  "15;16;17;18mg",
	      "abcdefg");
	shows(ESC "[12\030h" ESC "[1" ESC "[2Gi", "aicdefgh");
	assert_string_equal(answer, "");
	shows(ESC "%G" ESC "=" ESC ">j", "aijdefgh");
}

static void tab_stops(void **state)
{
	feed(ESC "[3g" ESC "[1;4H" ESC "H\r\t");
	cursor_at(3, 0);
	feed("\t");
	cursor_at(9, 0);
	feed(ESC "[Z");
	cursor_at(3, 0);
	feed(ESC "[Z");
	cursor_at(0, 0);
}

static void resets(void **state)
{
	shows("abc" ESC "[31m" ESC "[2;3r" ESC "[?25l" ESC "c"
	      "x",
	      "x");
	assert_int_equal(cell_at(0, 0), VT_CELL('x', 7, 0, 0));
	assert_false(vt.hide_cursor);
	assert_int_equal(vt.bottom, ROWS);
	shows(ESC "#8", "EEEEEEEEEE|EEEEEEEEEE|EEEEEEEEEE|EEEEEEEEEE|EEEEEEEEEE");
}

static void dirty_rows(void **state)
{
	memset(vt.dirty, 0, sizeof(vt.dirty));
	feed(ESC "[2;1H");
	assert_int_equal(vt.dirty[0], 3); /* the cursor left one row and came to another */
	memset(vt.dirty, 0, sizeof(vt.dirty));
	feed("x");
	assert_int_equal(vt.dirty[0], 2);
	memset(vt.dirty, 0, sizeof(vt.dirty));
	feed(ESC "[3;4r" ESC "[S");
	assert_int_equal(vt.dirty[0] & 12, 12);
}

static void check_sane(u32 cols, u32 rows)
{
	u64 seen[3] = { 0 };

	assert_true(vt.cur.x < cols && vt.cur.y < rows);
	assert_true(vt.top < vt.bottom && vt.bottom <= rows);
	for (u32 y = 0; y < rows; y++) {
		assert_true(vt.line[y] < rows);
		seen[vt.line[y] / 64] |= BIT64(vt.line[y] % 64);
	}
	for (u32 y = 0; y < rows; y++)
		assert_true(seen[y / 64] & BIT64(y % 64));
}

/* Streams of mostly valid pieces, on several sizes of screen; ASan watches the grid. */
static void fuzz(void **state)
{
	static const char *const pieces[] = {
		ESC "[", ESC,	 ";",	     "?",     "9999",  "3",
		"1;1H",	 "r",	 "2J",	     "\n",    "\r",    "\t",
		"\b",	 "m",	 "\xe2\x94", "\x80",  "hello", "M",
		"L",	 "@",	 "P",	     "X",     "S",     "T",
		"h",	 "l",	 "6n",	     ESC "7", ESC "8", ESC "M",
		ESC "c", "\016", ESC ")0",   "38;5;", "48;2;", "\xef\xbc\xa1",
		"]",	 "d",	 "G",	     "A",     "B",     "I",
		"Z",
	};
	static const u32 sizes[][2] = {
		{ 1, 1 }, { 2, 2 }, { 1, 5 }, { 80, 25 }, { VT_MAX_COLS, VT_MAX_ROWS }
	};

	srandom(7);
	for (u32 size = 0; size < ARRAY_SIZE(sizes); size++) {
		u32 cols = sizes[size][0], rows = sizes[size][1];
		u32 *grid = malloc(cols * rows * sizeof(*grid));

		vt_init(&vt, grid, cols, rows);
		for (u32 i = 0; i < 60000; i++) {
			u8 c = random();

			if (random() % 8)
				feed(pieces[random() % ARRAY_SIZE(pieces)]);
			else
				vt_write(&vt, &c, 1);
			if (i % 16 == 0)
				check_sane(cols, rows);
		}
		free(grid);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(text_and_controls),
		T(wraps_late),
		T(scrolls),
		T(moves_are_clamped),
		T(erases),
		T(inserts_and_deletes),
		T(colours),
		T(answers),
		T(saves_and_restores),
		T(utf8),
		T(line_drawing),
		T(unknown_sequences_vanish),
		T(tab_stops),
		T(resets),
		T(dirty_rows),
		cmocka_unit_test(fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
