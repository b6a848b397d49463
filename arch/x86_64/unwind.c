/* SPDX-License-Identifier: MIT */
/* unwind.c - finds the entry of a code address in a .eh_frame table and runs its call frame program
 * up to there: what comes out says where the caller's registers lie. DWARF expressions are not
 * understood, the compiler needs none for code whose stack it does not realign. */
#include "unwind.h"

#include <weft/err.h>
#include <weft/string.h>

/* Pointer encodings, LSB 5.0 Core Generic 10.5. */
#define EH_FORMAT 0x0f
#define EH_ABSPTR 0x00
#define EH_UDATA4 0x03
#define EH_UDATA8 0x04
#define EH_SDATA4 0x0b
#define EH_SDATA8 0x0c
#define EH_UNSIGNED 0x07 /* of a format: the same width without sign */
#define EH_PCREL 0x10

/* Call frame instructions, DWARF 5 section 7.24; the first three hold an operand in 6 bits. */
#define CFA_SHORT 0xc0
#define CFA_ADVANCE_LOC 0x40
#define CFA_OFFSET 0x80
#define CFA_RESTORE 0xc0
#define CFA_NOP 0x00
#define CFA_ADVANCE_LOC1 0x02
#define CFA_ADVANCE_LOC2 0x03
#define CFA_ADVANCE_LOC4 0x04
#define CFA_OFFSET_EXTENDED 0x05
#define CFA_RESTORE_EXTENDED 0x06
#define CFA_UNDEFINED 0x07
#define CFA_SAME_VALUE 0x08
#define CFA_REGISTER 0x09
#define CFA_REMEMBER_STATE 0x0a
#define CFA_RESTORE_STATE 0x0b
#define CFA_DEF_CFA 0x0c
#define CFA_DEF_CFA_REGISTER 0x0d
#define CFA_DEF_CFA_OFFSET 0x0e
#define CFA_OFFSET_EXTENDED_SF 0x11
#define CFA_DEF_CFA_SF 0x12
#define CFA_DEF_CFA_OFFSET_SF 0x13
#define CFA_VAL_OFFSET 0x14
#define CFA_VAL_OFFSET_SF 0x15
#define CFA_GNU_ARGS_SIZE 0x2e

#define MAX_REMEMBERED 4
#define MAX_FRAME 65536	    /* no frame is larger than any stack */
#define CALLER_SAVED 0x0f37 /* rax rdx rcx rsi rdi r8-r11: lost in a call */

struct cursor {
	const u8 *p, *end;
	bool bad; /* read behind the end, or nonsense; stays so */
};

struct cie {
	u64 code_align;
	s64 data_align;
	u8 encoding;
	bool augmented, trap;
	struct cursor program;
};

enum rule_kind { RULE_SAME, RULE_LOST, RULE_OFFSET, RULE_VAL_OFFSET, RULE_REGISTER };

struct rule {
	u8 kind;
	s32 value; /* bytes from the CFA, or a register */
};

/* A row of the table of DWARF 5 section 6.4.1. */
struct row {
	u32 cfa_reg;
	s32 cfa_offset;
	struct rule reg[UNWIND_REGS];
};

struct program {
	const struct cie *cie;
	struct row now, initial, remembered[MAX_REMEMBERED];
	u32 depth;
	u64 loc, target;
};

/* ---- reading ---- */

static u64 get(struct cursor *c, u32 bytes)
{
	u64 v = 0;

	if (c->bad || (size_t)(c->end - c->p) < bytes) {
		c->bad = true;
		return 0;
	}
	memcpy(&v, c->p, bytes);
	c->p += bytes;
	return v;
}

static u64 get_leb(struct cursor *c, bool is_signed)
{
	u64 v = 0;
	u32 shift = 0;
	u8 b;

	do {
		b = get(c, 1);
		if (shift > 63) {
			c->bad = true;
			return 0;
		}
		v |= (u64)(b & 0x7f) << shift;
		shift += 7;
	} while (b & 0x80);
	if (is_signed && b & 0x40 && shift < 64)
		v |= ~0ull << shift;
	return v;
}

static u64 get_uleb(struct cursor *c)
{
	return get_leb(c, false);
}

static s64 get_sleb(struct cursor *c)
{
	return (s64)get_leb(c, true);
}

static u64 get_pointer(struct cursor *c, u8 encoding)
{
	u64 at = (u64)c->p, v = 0;

	switch (encoding & EH_FORMAT) {
	case EH_ABSPTR:
	case EH_UDATA8:
	case EH_SDATA8:
		v = get(c, 8);
		break;
	case EH_UDATA4:
		v = get(c, 4);
		break;
	case EH_SDATA4:
		v = (u64)(s64)(s32)get(c, 4);
		break;
	default:
		c->bad = true;
	}
	if (encoding & EH_PCREL)
		v += at;
	else if (encoding & ~EH_FORMAT)
		c->bad = true;
	return v;
}

/* ---- entries ---- */

/* The next entry of the table, from the word behind its length on; false at the end. An entry of
 * more than 4 GiB and a zero length end it as well. */
static bool next_entry(struct cursor *table, struct cursor *entry)
{
	u32 length = get(table, 4);

	if (table->bad || length < 4 || length > (size_t)(table->end - table->p))
		return false;
	*entry = (struct cursor){ .p = table->p, .end = table->p + length };
	table->p += length;
	return true;
}

static void parse_augmentation(struct cursor *c, const char *letters, struct cie *cie)
{
	u64 length = get_uleb(c);
	const u8 *end;

	if (c->bad || length > (size_t)(c->end - c->p)) {
		c->bad = true;
		return;
	}
	end = c->p + length;
	for (; *letters; letters++) {
		switch (*letters) {
		case 'R':
			cie->encoding = get(c, 1);
			break;
		case 'S':
			cie->trap = true;
			break;
		default: /* languages with exceptions */
			c->bad = true;
		}
	}
	if (c->p > end)
		c->bad = true;
	c->p = end;
}

static bool parse_cie(struct cursor c, struct cie *cie)
{
	const char *letters;
	u8 version;

	*cie = (struct cie){ .encoding = EH_ABSPTR };
	if (get(&c, 4)) /* that of an FDE is the distance to its CIE */
		return false;
	version = get(&c, 1);
	letters = (const char *)c.p;
	while (get(&c, 1))
		;
	cie->code_align = get_uleb(&c);
	cie->data_align = get_sleb(&c);
	if ((version == 1 ? get(&c, 1) : get_uleb(&c)) != UNWIND_RIP || c.bad ||
	    (version != 1 && version != 3))
		return false;
	if (*letters == 'z') {
		cie->augmented = true;
		parse_augmentation(&c, letters + 1, cie);
	} else if (*letters) {
		return false;
	}
	cie->program = c;
	return !c.bad;
}

/* The CIE that an FDE's first word leads to; NULL: to none in this table. */
static const u8 *cie_of(struct unwind_table table, const struct cursor *fde, u32 distance)
{
	return distance > (size_t)(fde->p - table.start) ? NULL : fde->p - distance;
}

/* Looks for the entry of pc. Its program is left in *fde, its CIE in *cie. */
static bool find_entry(struct unwind_table table, u64 pc, struct cie *cie, struct cursor *fde,
		       u64 *start)
{
	struct cursor c = { .p = table.start, .end = table.end }, entry;
	const u8 *last = NULL, *at;
	bool usable = false;
	u64 size, skip;
	u32 id;

	while (next_entry(&c, fde)) {
		struct cursor head = *fde;

		id = get(fde, 4);
		at = id ? cie_of(table, &head, id) : NULL;
		if (at && at != last) {
			struct cursor back = { .p = at, .end = table.end };

			usable = next_entry(&back, &entry) && parse_cie(entry, cie);
			last = at;
		}
		if (!at || !usable)
			continue;
		*start = get_pointer(fde, cie->encoding);
		size = get_pointer(fde, cie->encoding & EH_UNSIGNED);
		if (fde->bad || pc - *start >= size)
			continue;
		skip = cie->augmented ? get_uleb(fde) : 0;
		if (fde->bad || skip > (size_t)(fde->end - fde->p))
			return false;
		fde->p += skip;
		return true;
	}
	return false;
}

/* ---- programs ---- */

static void set_rule(struct program *g, struct cursor *c, u64 reg, u8 kind, s64 value)
{
	if (value != (s32)value) {
		c->bad = true;
		return;
	}
	if (reg < UNWIND_REGS) /* others are the FPU's */
		g->now.reg[reg] = (struct rule){ .kind = kind, .value = (s32)value };
}

static s64 scaled(const struct program *g, s64 factor)
{
	return (s64)((u64)factor * (u64)g->cie->data_align);
}

static void set_cfa_offset(struct program *g, struct cursor *c, s64 offset)
{
	if (offset != (s32)offset)
		c->bad = true;
	g->now.cfa_offset = (s32)offset;
}

static void set_cfa_reg(struct program *g, struct cursor *c)
{
	u64 reg = get_uleb(c);

	if (reg >= UNWIND_REGS)
		c->bad = true;
	else
		g->now.cfa_reg = reg;
}

static void restore_rule(struct program *g, u64 reg)
{
	if (reg < UNWIND_REGS)
		g->now.reg[reg] = g->initial.reg[reg];
}

static void remember(struct program *g, struct cursor *c)
{
	if (g->depth < MAX_REMEMBERED)
		g->remembered[g->depth++] = g->now;
	else
		c->bad = true;
}

static void recall(struct program *g, struct cursor *c)
{
	if (g->depth)
		g->now = g->remembered[--g->depth];
	else
		c->bad = true;
}

/* The instructions about where a register is. False: op is none of them. */
static bool rule_instruction(struct program *g, struct cursor *c, u8 op)
{
	u64 reg = get_uleb(c);

	switch (op) {
	case CFA_OFFSET_EXTENDED:
		set_rule(g, c, reg, RULE_OFFSET, scaled(g, (s64)get_uleb(c)));
		return true;
	case CFA_OFFSET_EXTENDED_SF:
		set_rule(g, c, reg, RULE_OFFSET, scaled(g, get_sleb(c)));
		return true;
	case CFA_VAL_OFFSET:
		set_rule(g, c, reg, RULE_VAL_OFFSET, scaled(g, (s64)get_uleb(c)));
		return true;
	case CFA_VAL_OFFSET_SF:
		set_rule(g, c, reg, RULE_VAL_OFFSET, scaled(g, get_sleb(c)));
		return true;
	case CFA_RESTORE_EXTENDED:
		restore_rule(g, reg);
		return true;
	case CFA_UNDEFINED:
		set_rule(g, c, reg, RULE_LOST, 0);
		return true;
	case CFA_SAME_VALUE:
		set_rule(g, c, reg, RULE_SAME, 0);
		return true;
	case CFA_REGISTER:
		set_rule(g, c, reg, RULE_REGISTER, (s64)get_uleb(c));
		return true;
	}
	return false;
}

static void instruction(struct program *g, struct cursor *c, u8 op)
{
	switch (op) {
	case CFA_NOP:
		return;
	case CFA_REMEMBER_STATE:
		remember(g, c);
		return;
	case CFA_RESTORE_STATE:
		recall(g, c);
		return;
	case CFA_DEF_CFA:
		set_cfa_reg(g, c);
		set_cfa_offset(g, c, (s64)get_uleb(c));
		return;
	case CFA_DEF_CFA_SF:
		set_cfa_reg(g, c);
		set_cfa_offset(g, c, scaled(g, get_sleb(c)));
		return;
	case CFA_DEF_CFA_REGISTER:
		set_cfa_reg(g, c);
		return;
	case CFA_DEF_CFA_OFFSET:
		set_cfa_offset(g, c, (s64)get_uleb(c));
		return;
	case CFA_DEF_CFA_OFFSET_SF:
		set_cfa_offset(g, c, scaled(g, get_sleb(c)));
		return;
	case CFA_GNU_ARGS_SIZE:
		get_uleb(c);
		return;
	}
	if (!rule_instruction(g, c, op))
		c->bad = true;
}

static bool is_advance(u8 op)
{
	return (op & CFA_SHORT) == CFA_ADVANCE_LOC ||
	       (op >= CFA_ADVANCE_LOC1 && op <= CFA_ADVANCE_LOC4);
}

static u64 distance(struct cursor *c, u8 op)
{
	return op & CFA_SHORT ? op & ~CFA_SHORT : get(c, 1 << (op - CFA_ADVANCE_LOC1));
}

static bool run(struct program *g, struct cursor c)
{
	while (!c.bad && c.p < c.end) {
		u8 op = get(&c, 1);

		if (is_advance(op)) {
			g->loc += distance(&c, op) * g->cie->code_align;
			if (g->loc > g->target)
				break; /* the row at hand was that of the target */
		} else if ((op & CFA_SHORT) == CFA_OFFSET) {
			set_rule(g, &c, op & ~CFA_SHORT, RULE_OFFSET, scaled(g, (s64)get_uleb(&c)));
		} else if ((op & CFA_SHORT) == CFA_RESTORE) {
			restore_rule(g, op & ~CFA_SHORT);
		} else {
			instruction(g, &c, op);
		}
	}
	return !c.bad;
}

/* ---- a step ---- */

/* A caller's value of register i; false: it is lost. */
static bool caller_value(const struct unwind_state *s, const struct rule *r, u32 i, u64 cfa, u64 *v)
{
	u32 from = i;

	switch (r->kind) {
	case RULE_OFFSET:
		return unwind_read(cfa + (u64)(s64)r->value, v);
	case RULE_VAL_OFFSET:
		*v = cfa + (u64)(s64)r->value;
		return true;
	case RULE_LOST:
		return false;
	case RULE_REGISTER:
		from = (u32)r->value;
		if (from >= UNWIND_REGS)
			return false;
	}
	*v = s->reg[from];
	return s->known & BIT(from);
}

static enum unwind_result apply(struct unwind_state *s, const struct row *row, bool trap)
{
	struct unwind_state up = { .exact = trap };
	u64 cfa;

	if (!(s->known & BIT(row->cfa_reg)))
		return UNWIND_BAD;
	cfa = s->reg[row->cfa_reg] + (u64)(s64)row->cfa_offset;
	for (u32 i = 0; i < UNWIND_REGS; i++) {
		if (caller_value(s, &row->reg[i], i, cfa, &up.reg[i]))
			up.known |= BIT(i);
	}
	if (row->reg[UNWIND_RIP].kind == RULE_LOST)
		return UNWIND_END;
	if (row->reg[UNWIND_RIP].kind == RULE_SAME || !(up.known & BIT(UNWIND_RIP)) ||
	    !(up.known & BIT(UNWIND_RSP)))
		return UNWIND_BAD;
	if (!trap && up.reg[UNWIND_RSP] - s->reg[UNWIND_RSP] - 1 >= MAX_FRAME)
		return UNWIND_BAD;
	*s = up;
	return UNWIND_CALLER;
}

enum unwind_result unwind_step(struct unwind_state *s, struct unwind_table table)
{
	u64 pc = s->reg[UNWIND_RIP] - !s->exact; /* a call may be its function's last instruction */
	struct program g = { .target = pc };
	struct cursor fde;
	struct cie cie;

	if (!find_entry(table, pc, &cie, &fde, &g.loc))
		return UNWIND_UNLISTED;
	g.cie = &cie;
	for (u32 i = 0; i < UNWIND_REGS; i++)
		g.now.reg[i].kind = !cie.trap && CALLER_SAVED & BIT(i) ? RULE_LOST : RULE_SAME;
	g.now.reg[UNWIND_RSP].kind = RULE_VAL_OFFSET;
	if (!run(&g, cie.program))
		return UNWIND_BAD;
	g.initial = g.now;
	if (!run(&g, fde))
		return UNWIND_BAD;
	return apply(s, &g.now, cie.trap);
}
