/* SPDX-License-Identifier: MIT */
/* filter.c - INET_DIAG_REQ_BYTECODE: which sockets a program wants, as a program. Each operation is
 * a condition with two ways forward, in bytes: `yes` goes to the next operation, `no` may go
 * farther. Ending exactly at the end accepts, four bytes behind it refuses. Verified once: each way
 * leads forward to the beginning of an operation or to one of the two ends, and each operation has
 * its arguments, so that a run takes no more steps than there are operations and reads nothing
 * outside. */
#include "sock_diag.h"

#include <weft/alloc.h>
#include <weft/net/sock.h>

#define STEP 4 /* all lengths are multiples of it */

/* ---- reading ---- */

static struct inet_diag_bc_op op_at(const u8 *code, u32 at)
{
	struct inet_diag_bc_op op;

	memcpy(&op, code + at, sizeof(op));
	return op;
}

/* The bytes of an address, of a family that has one. */
static u32 addr_len(u8 family)
{
	return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

/* ---- verifying ---- */

/* How long an operation is with its arguments, room bytes being left; 0: it is none, or not whole.
 */
static u32 op_length(const struct inet_diag_bc_op *op, const u8 *args, u32 room)
{
	struct inet_diag_hostcond cond;
	u32 len = sizeof(*op);

	switch (op->code) {
	case INET_DIAG_BC_NOP:
	case INET_DIAG_BC_JMP:
	case INET_DIAG_BC_AUTO:
		break;
	case INET_DIAG_BC_S_GE:
	case INET_DIAG_BC_S_LE:
	case INET_DIAG_BC_S_EQ:
	case INET_DIAG_BC_D_GE:
	case INET_DIAG_BC_D_LE:
	case INET_DIAG_BC_D_EQ:
		len += sizeof(*op); /* the port stands in a second one's `no` */
		break;
	case INET_DIAG_BC_DEV_COND:
		len += sizeof(u32);
		break;
	case INET_DIAG_BC_MARK_COND:
		len += sizeof(struct inet_diag_markcond);
		break;
	case INET_DIAG_BC_S_COND:
	case INET_DIAG_BC_D_COND:
		len += sizeof(cond);
		if (len > room)
			return 0;
		memcpy(&cond, args, sizeof(cond));
		if (cond.family != AF_UNSPEC && !addr_len(cond.family))
			return 0;
		if (cond.prefix_len > 8 * addr_len(cond.family))
			return 0;
		len += addr_len(cond.family);
		break;
	default:
		return 0;
	}
	return len <= room ? len : 0;
}

/* Marks where operations begin: one bit for each STEP. */
static int mark_ops(const u8 *code, u32 len, bool root, u8 *begins)
{
	u32 at = 0;

	while (at < len) {
		struct inet_diag_bc_op op;
		u32 length;

		if (len - at < sizeof(op))
			return -EINVAL;
		op = op_at(code, at);
		length = op_length(&op, code + at + sizeof(op), len - at);
		if (!length || op.yes < length || op.yes % STEP || op.yes > len - at)
			return -EINVAL;
		if (op.code == INET_DIAG_BC_MARK_COND && !root)
			return -EPERM;
		begins[at / STEP / 8] |= 1u << at / STEP % 8;
		at += op.yes;
	}
	return 0;
}

static int check_jumps(const u8 *code, u32 len, const u8 *begins)
{
	u32 at = 0;

	while (at < len) {
		struct inet_diag_bc_op op = op_at(code, at);
		u32 to = at + op.no;

		at += op.yes;
		if (op.code == INET_DIAG_BC_NOP)
			continue;
		/* forward by at least itself, or it would go round for ever */
		if (op.no < sizeof(op) || op.no % STEP || to > len + STEP)
			return -EINVAL;
		if (to < len && !(begins[to / STEP / 8] & 1u << to / STEP % 8))
			return -EINVAL;
	}
	return 0;
}

int filter_verify(const u8 *code, u32 len, bool root)
{
	u8 *begins;
	int err;

	if (len < sizeof(struct inet_diag_bc_op) || len % STEP)
		return -EINVAL;
	begins = kzalloc(len / STEP / 8 + 1);
	if (!begins)
		return -ENOMEM;
	err = mark_ops(code, len, root, begins);
	if (!err)
		err = check_jumps(code, len, begins);
	kfree(begins);
	return err;
}

/* ---- running ---- */

static bool same_prefix(const u8 *a, const u8 *b, u32 bits)
{
	u32 whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole))
		return false;
	return !rest || !((a[whole] ^ b[whole]) >> (8 - rest));
}

static bool host_matches(const u8 *args, const struct diag_sock *d, bool source)
{
	const struct ip_addr *a = source ? &d->laddr : &d->raddr;
	struct inet_diag_hostcond cond;
	const u8 *wanted = args + sizeof(cond), *bytes;

	memcpy(&cond, args, sizeof(cond));
	if (cond.port != -1 && cond.port != (source ? d->lport : d->rport))
		return false;
	if (cond.family == AF_UNSPEC)
		return true;
	/* an IPv6 socket's IPv4 peer is found by its IPv4 address as well */
	if (cond.family != d->family && (cond.family != AF_INET || !ip_addr_is_v4(a)))
		return false;
	bytes = cond.family == AF_INET ? a->b + 12 : a->b;
	return same_prefix(bytes, wanted, cond.prefix_len);
}

static bool mark_matches(const u8 *args, const struct diag_sock *d)
{
	struct inet_diag_markcond cond;

	memcpy(&cond, args, sizeof(cond));
	return (d->mark & cond.mask) == cond.mark;
}

static bool device_matches(const u8 *args, const struct diag_sock *d)
{
	u32 ifindex;

	memcpy(&ifindex, args, sizeof(ifindex));
	return d->ifindex == ifindex;
}

static bool holds(u8 code, const u8 *args, const struct diag_sock *d)
{
	u16 port;

	switch (code) {
	case INET_DIAG_BC_NOP:
		return true;
	case INET_DIAG_BC_JMP:
		return false;
	case INET_DIAG_BC_AUTO:
		return !d->port_bound;
	case INET_DIAG_BC_S_COND:
	case INET_DIAG_BC_D_COND:
		return host_matches(args, d, code == INET_DIAG_BC_S_COND);
	case INET_DIAG_BC_DEV_COND:
		return device_matches(args, d);
	case INET_DIAG_BC_MARK_COND:
		return mark_matches(args, d);
	}
	memcpy(&port, args + offsetof(struct inet_diag_bc_op, no), sizeof(port));
	switch (code) {
	case INET_DIAG_BC_S_GE:
		return d->lport >= port;
	case INET_DIAG_BC_S_LE:
		return d->lport <= port;
	case INET_DIAG_BC_S_EQ:
		return d->lport == port;
	case INET_DIAG_BC_D_GE:
		return d->rport >= port;
	case INET_DIAG_BC_D_LE:
		return d->rport <= port;
	default: /* D_EQ: verified */
		return d->rport == port;
	}
}

bool filter_match(const u8 *code, u32 len, const struct diag_sock *d)
{
	u32 at = 0;

	while (at < len) {
		struct inet_diag_bc_op op = op_at(code, at);

		at += holds(op.code, code + at + sizeof(op), d) ? op.yes : op.no;
	}
	return at == len;
}
