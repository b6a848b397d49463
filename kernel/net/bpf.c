/* SPDX-License-Identifier: MIT */
/* bpf.c - classic BPF (McCanne and Jacobson, 1993; Linux's extensions by negative offsets): the
 * check of a program before it is taken, and the interpreter. Every jump goes forward and the last
 * instruction returns, so a checked program ends; every load is compared with the view. */
#include <weft/alloc.h>
#include <weft/arch.h>
#include <weft/bytes.h>
#include <weft/filter.h>
#include <weft/module.h>
#include <weft/random.h>
#include <weft/string.h>

#define AD_OFF ((u32)SKF_AD_OFF)
#define NET_OFF ((u32)SKF_NET_OFF)
#define LL_OFF ((u32)SKF_LL_OFF)

/* ---- the check ---- */

static bool ancillary_known(u32 k)
{
	switch (k - AD_OFF) {
	case SKF_AD_PROTOCOL:
	case SKF_AD_PKTTYPE:
	case SKF_AD_IFINDEX:
	case SKF_AD_MARK:
	case SKF_AD_QUEUE:
	case SKF_AD_HATYPE:
	case SKF_AD_RXHASH:
	case SKF_AD_CPU:
	case SKF_AD_ALU_XOR_X:
	case SKF_AD_VLAN_TAG:
	case SKF_AD_VLAN_TAG_PRESENT:
	case SKF_AD_RANDOM:
	case SKF_AD_VLAN_TPID:
		return true;
	default:
		return false;
	}
}

static bool load_valid(const struct sock_filter *in)
{
	bool x = BPF_CLASS(in->code) == BPF_LDX;
	u16 size = BPF_SIZE(in->code);

	switch (BPF_MODE(in->code)) {
	case BPF_IMM:
	case BPF_LEN:
		return size == BPF_W;
	case BPF_MEM:
		return size == BPF_W && in->k < BPF_MEMWORDS;
	case BPF_MSH:
		return x && size == BPF_B;
	case BPF_ABS:
		return !x && size <= BPF_B && (in->k < AD_OFF || ancillary_known(in->k));
	case BPF_IND:
		return !x && size <= BPF_B;
	default:
		return false;
	}
}

static bool alu_valid(const struct sock_filter *in)
{
	bool by_k = BPF_SRC(in->code) == BPF_K;

	switch (BPF_OP(in->code)) {
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_OR:
	case BPF_AND:
	case BPF_XOR:
		return true;
	case BPF_DIV:
	case BPF_MOD:
		return !by_k || in->k;
	case BPF_LSH:
	case BPF_RSH:
		return !by_k || in->k < 32;
	case BPF_NEG:
		return by_k;
	default:
		return false;
	}
}

/* left: instructions behind this one. */
static bool jump_valid(const struct sock_filter *in, u32 left)
{
	switch (BPF_OP(in->code)) {
	case BPF_JA:
		return BPF_SRC(in->code) == BPF_K && in->k < left;
	case BPF_JEQ:
	case BPF_JGT:
	case BPF_JGE:
	case BPF_JSET:
		return in->jt < left && in->jf < left;
	default:
		return false;
	}
}

static bool insn_valid(const struct sock_filter *in, u32 left)
{
	if (in->code > 0xff)
		return false;
	switch (BPF_CLASS(in->code)) {
	case BPF_LD:
	case BPF_LDX:
		return load_valid(in);
	case BPF_ST:
	case BPF_STX:
		return !(in->code & ~7u) && in->k < BPF_MEMWORDS;
	case BPF_ALU:
		return alu_valid(in);
	case BPF_JMP:
		return jump_valid(in, left);
	case BPF_RET:
		return in->code == (BPF_RET | BPF_K) || in->code == (BPF_RET | BPF_A);
	default:
		return in->code == (BPF_MISC | BPF_TAX) || in->code == (BPF_MISC | BPF_TXA);
	}
}

/* seen[i]: the scratch words written on every way that leads to i, as far as i was reached. */
static bool scratch_valid(const struct sock_filter *prog, u32 n, u16 *seen)
{
	memset(seen, 0xff, n * sizeof(*seen));
	seen[0] = 0;
	for (u32 i = 0; i < n; i++) {
		const struct sock_filter *in = &prog[i];
		u16 words = seen[i];

		switch (BPF_CLASS(in->code)) {
		case BPF_ST:
		case BPF_STX:
			words |= BIT(in->k);
			break;
		case BPF_LD:
		case BPF_LDX:
			if (BPF_MODE(in->code) == BPF_MEM && !(words & BIT(in->k)))
				return false;
			break;
		case BPF_JMP:
			if (BPF_OP(in->code) == BPF_JA) {
				seen[i + 1 + in->k] &= words;
			} else {
				seen[i + 1 + in->jt] &= words;
				seen[i + 1 + in->jf] &= words;
			}
			continue;
		case BPF_RET:
			continue;
		}
		seen[i + 1] &= words;
	}
	return true;
}

int filter_check(const struct sock_filter *prog, u32 n)
{
	u16 *seen;
	bool good;

	if (!n || n > BPF_MAXINSNS)
		return -EINVAL;
	for (u32 i = 0; i < n; i++) {
		if (!insn_valid(&prog[i], n - 1 - i))
			return -EINVAL;
	}
	if (BPF_CLASS(prog[n - 1].code) != BPF_RET)
		return -EINVAL;
	seen = kmalloc(n * sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	good = scratch_valid(prog, n, seen);
	kfree(seen);
	return good ? 0 : -EINVAL;
}

/* ---- the interpreter ---- */

static u32 ancillary(const struct filter_view *v, u32 k, u32 a, u32 x)
{
	switch (k - AD_OFF) {
	case SKF_AD_PROTOCOL:
		return v->ethertype;
	case SKF_AD_PKTTYPE:
		return v->pkttype;
	case SKF_AD_IFINDEX:
		return v->ifindex;
	case SKF_AD_HATYPE:
		return v->hatype;
	case SKF_AD_MARK:
		return v->mark;
	case SKF_AD_CPU:
		return cpu_id();
	case SKF_AD_ALU_XOR_X:
		return a ^ x;
	case SKF_AD_RANDOM:
		return random_u32();
	default: /* no VLAN tag is ever taken off a frame, there is one queue and no hash */
		return 0;
	}
}

/* NULL: not size bytes there. k may ask from the network or the link header on. */
static const u8 *reach(const struct filter_view *v, u32 k, u32 size)
{
	u64 at = k;

	if (k >= NET_OFF)
		at = (u64)v->net_off + (k - NET_OFF);
	else if (k >= LL_OFF)
		at = k - LL_OFF;
	else
		at += v->data_off;
	return at + size <= v->size ? v->head + at : NULL;
}

static bool load(const struct filter_view *v, u16 code, u32 k, u32 *a)
{
	u32 size = BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
	const u8 *p = reach(v, k, size);

	if (unlikely(!p))
		return false;
	*a = size == 4 ? get_be32(p) : size == 2 ? get_be16(p) : *p;
	return true;
}

/* False: a division by zero. */
static bool alu(u16 code, u32 *a, u32 b)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		*a += b;
		break;
	case BPF_SUB:
		*a -= b;
		break;
	case BPF_MUL:
		*a *= b;
		break;
	case BPF_DIV:
		if (!b)
			return false;
		*a /= b;
		break;
	case BPF_MOD:
		if (!b)
			return false;
		*a %= b;
		break;
	case BPF_OR:
		*a |= b;
		break;
	case BPF_AND:
		*a &= b;
		break;
	case BPF_XOR:
		*a ^= b;
		break;
	case BPF_LSH:
		*a <<= b & 31;
		break;
	case BPF_RSH:
		*a >>= b & 31;
		break;
	default: /* BPF_NEG */
		*a = -*a;
	}
	return true;
}

static bool jump_taken(u16 code, u32 a, u32 b)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	default: /* BPF_JSET */
		return a & b;
	}
}

u32 filter_run(const struct sock_filter *prog, const struct filter_view *v)
{
	u32 a = 0, x = 0, mem[BPF_MEMWORDS];
	const u8 *p;

	for (const struct sock_filter *in = prog;; in++) {
		u32 b = BPF_SRC(in->code) == BPF_X ? x : in->k;

		switch (in->code) {
		case BPF_LD | BPF_W | BPF_ABS:
		case BPF_LD | BPF_H | BPF_ABS:
		case BPF_LD | BPF_B | BPF_ABS:
			if (in->k >= AD_OFF)
				a = ancillary(v, in->k, a, x);
			else if (!load(v, in->code, in->k, &a))
				return 0;
			continue;
		case BPF_LD | BPF_W | BPF_IND:
		case BPF_LD | BPF_H | BPF_IND:
		case BPF_LD | BPF_B | BPF_IND:
			if (!load(v, in->code, in->k + x, &a))
				return 0;
			continue;
		case BPF_LDX | BPF_B | BPF_MSH:
			p = reach(v, in->k, 1);
			if (!p)
				return 0;
			x = (*p & 15) * 4;
			continue;
		case BPF_LD | BPF_IMM:
			a = in->k;
			continue;
		case BPF_LDX | BPF_IMM:
			x = in->k;
			continue;
		case BPF_LD | BPF_MEM:
			a = mem[in->k];
			continue;
		case BPF_LDX | BPF_MEM:
			x = mem[in->k];
			continue;
		case BPF_LD | BPF_LEN:
			a = v->size - v->data_off;
			continue;
		case BPF_LDX | BPF_LEN:
			x = v->size - v->data_off;
			continue;
		case BPF_ST:
			mem[in->k] = a;
			continue;
		case BPF_STX:
			mem[in->k] = x;
			continue;
		case BPF_MISC | BPF_TAX:
			x = a;
			continue;
		case BPF_MISC | BPF_TXA:
			a = x;
			continue;
		case BPF_RET | BPF_K:
			return in->k;
		case BPF_RET | BPF_A:
			return a;
		case BPF_JMP | BPF_JA:
			in += in->k;
			continue;
		}
		if (BPF_CLASS(in->code) == BPF_JMP)
			in += jump_taken(in->code, a, b) ? in->jt : in->jf;
		else if (!alu(in->code, &a, b))
			return 0;
	}
}
