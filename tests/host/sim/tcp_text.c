/* SPDX-License-Identifier: MIT */
/* tcp_text.c - reads and writes segments as text. */
#include "tcp_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <weft/string.h>

static u32 number(const char **s)
{
	char *end;
	long v;

	while (**s == ' ')
		++*s;
	if (**s == '*') {
		++*s;
		return ANY;
	}
	v = strtol(*s, &end, 0);
	if (end == *s)
		tp_mismatch("a number is wanted at \"%s\"", *s);
	*s = end;
	return v;
}

static bool word(const char **s, const char *w)
{
	size_t n = strlen(w);

	if (strncmp(*s, w, n))
		return false;
	*s += n;
	return true;
}

static void skip(const char **s, const char *set)
{
	while (**s && strchr(set, **s))
		++*s;
}

static void parse_flags(struct segment *g, const char **s)
{
	static const char letters[] = "FSRP.UEWA";
	const char *at;

	for (; **s && **s != ' '; ++*s) {
		at = strchr(letters, **s);
		if (!at)
			tp_mismatch("flag %c", **s);
		g->flags |= 1 << (at - letters);
	}
	g->push = g->flags & PSH;
}

static void parse_raw(struct segment *g, const char **s)
{
	unsigned int b;

	skip(s, " ");
	while (sscanf(*s, "%2x", &b) == 1) {
		g->raw[g->raw_len++] = b;
		*s += 2;
	}
}

static void parse_options(struct segment *g, const char **s)
{
	g->has_options = true;
	for (skip(s, " ,"); **s && **s != '>'; skip(s, " ,")) {
		if (word(s, "mss max")) {
			g->mss = tp_mss();
		} else if (word(s, "mss")) {
			g->mss = number(s);
		} else if (word(s, "wscale")) {
			g->wscale = number(s);
		} else if (word(s, "sackOK")) {
			g->sack_ok = true;
		} else if (word(s, "sack")) {
			g->sack[g->nr_sacks][0] = number(s);
			++*s; /* : */
			g->sack[g->nr_sacks++][1] = number(s);
		} else if (word(s, "ts")) {
			g->ts = true;
			g->ts_val = number(s);
			g->ts_ecr = number(s);
		} else if (word(s, "raw")) {
			parse_raw(g, s);
		} else if (!word(s, "nop")) {
			tp_mismatch("option \"%s\"", *s);
		}
	}
	++*s;
}

void segment_parse(struct segment *g, const char *s)
{
	tp_text = s;
	memset(g, 0, sizeof(*g));
	g->mss = g->wscale = ANY;
	g->win = 65535;
	parse_flags(g, &s);
	for (skip(&s, " "); *s; skip(&s, " ")) {
		if (word(&s, "ack")) {
			g->has_ack = true;
			g->ack = number(&s);
		} else if (word(&s, "win")) {
			g->has_win = true;
			g->win = number(&s);
		} else if (word(&s, "urg")) {
			g->has_urg = true;
			g->urg = number(&s);
		} else if (word(&s, "<")) {
			parse_options(g, &s);
		} else {
			g->has_seq = true;
			g->seq = number(&s);
			if (word(&s, ":"))
				number(&s);
			if (word(&s, "("))
				g->len = number(&s), ++s;
		}
	}
}

void segment_describe(const struct segment *g, char *text, size_t size)
{
	static const char letters[] = "FSRP.UEWA";
	char flags[12] = "";
	u32 i, n = 0;

	for (i = 0; i < 9; i++) {
		if (g->flags & 1 << i)
			flags[n++] = letters[i];
	}
	n = snprintf(text, size, "%s %u:%u(%u) ack %u win %u urg %u <", flags, g->seq,
		     g->seq + g->len, g->len, g->ack, g->win, g->urg);
	if (g->mss != ANY)
		n += snprintf(text + n, size - n, "mss %u,", g->mss);
	if (g->sack_ok)
		n += snprintf(text + n, size - n, "sackOK,");
	if (g->ts)
		n += snprintf(text + n, size - n, "ts %u %u,", g->ts_val, g->ts_ecr);
	if (g->wscale != ANY)
		n += snprintf(text + n, size - n, "wscale %u,", g->wscale);
	for (i = 0; i < g->nr_sacks; i++)
		n += snprintf(text + n, size - n, "sack %u:%u,", g->sack[i][0], g->sack[i][1]);
	snprintf(text + n, size - n, ">");
}

const char *tp_format(const char *fmt, ...)
{
	static char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return text;
}
