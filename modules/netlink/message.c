/* SPDX-License-Identifier: MIT */
/* message.c - netlink messages byte by byte: headers, attributes with their padding to four, and
 * the strict reading of what programs send. */
#include <weft/net/netlink.h>
#include <weft/string.h>

#define ATTR_TYPE 0x3fff /* the two bits above are flags: nested, network order */

/* ---- making ---- */

bool nl_out_init(struct nl_out *o, enum pkt_pool pool, u32 size)
{
	memset(o, 0, sizeof(*o));
	o->p = pkt_alloc(pool, 0, size);
	return o->p;
}
EXPORT(nl_out_init);

/* n bytes and their padding, which is cleared; NULL: full. */
static u8 *reserve(struct nl_out *o, u32 n)
{
	u32 whole = NL_ALIGN(n);
	u8 *at;

	if (o->full || whole > pkt_tailroom(o->p)) {
		o->full = true;
		return NULL;
	}
	at = pkt_put(o->p, whole);
	memset(at + n, 0, whole - n);
	return at;
}

void nl_begin(struct nl_out *o, u16 type, const void *body, u32 len)
{
	struct nlmsghdr h = {
		.nlmsg_type = type,
		.nlmsg_flags = o->flags,
		.nlmsg_seq = o->seq,
		.nlmsg_pid = o->pid,
	};
	u8 *at;

	o->start = o->p->len;
	at = reserve(o, sizeof(h));
	if (at)
		memcpy(at, &h, sizeof(h));
	at = reserve(o, len);
	if (at && len)
		memcpy(at, body, len);
}
EXPORT(nl_begin);

void nl_append(struct nl_out *o, const void *data, u32 len)
{
	u8 *at = reserve(o, len);

	if (at)
		memcpy(at, data, len);
}
EXPORT(nl_append);

void nl_put(struct nl_out *o, u16 type, const void *data, u32 len)
{
	struct nlattr a = { .nla_len = sizeof(a) + len, .nla_type = type };
	u8 *at = reserve(o, sizeof(a) + len);

	if (!at)
		return;
	memcpy(at, &a, sizeof(a));
	if (len)
		memcpy(at + sizeof(a), data, len);
}
EXPORT(nl_put);

void nl_put_u32(struct nl_out *o, u16 type, u32 v)
{
	nl_put(o, type, &v, sizeof(v));
}
EXPORT(nl_put_u32);

void nl_put_u8(struct nl_out *o, u16 type, u8 v)
{
	nl_put(o, type, &v, sizeof(v));
}
EXPORT(nl_put_u8);

void nl_put_str(struct nl_out *o, u16 type, const char *s)
{
	nl_put(o, type, s, strlen(s) + 1);
}
EXPORT(nl_put_str);

void nl_put_addr(struct nl_out *o, u16 type, const struct ip_addr *a, u16 af)
{
	if (af == AF_INET)
		nl_put(o, type, a->b + 12, 4);
	else
		nl_put(o, type, a->b, 16);
}
EXPORT(nl_put_addr);

u32 nl_nest(struct nl_out *o, u16 type)
{
	u32 at = o->p->len;

	nl_put(o, type, NULL, 0);
	return at;
}
EXPORT(nl_nest);

void nl_nest_end(struct nl_out *o, u32 at)
{
	u16 len = o->p->len - at;

	if (!o->full)
		memcpy(o->p->data + at, &len, sizeof(len));
}
EXPORT(nl_nest_end);

bool nl_end(struct nl_out *o)
{
	u32 len = o->p->len - o->start;

	if (o->full) {
		pkt_trim(o->p, o->start);
		return false;
	}
	memcpy(o->p->data + o->start, &len, sizeof(len));
	return true;
}
EXPORT(nl_end);

/* ---- dumps ---- */

bool nl_dump_next(struct nl_dump *d)
{
	return d->seen++ == d->pos && !d->out.full;
}
EXPORT(nl_dump_next);

void nl_dump_end(struct nl_dump *d)
{
	if (nl_end(&d->out))
		d->pos++;
}
EXPORT(nl_dump_end);

/* ---- reading ---- */

int nl_parse(const u8 *p, u32 len, struct nl_attr attr[NL_ATTRS])
{
	struct nlattr a;

	memset(attr, 0, NL_ATTRS * sizeof(*attr));
	while (len >= sizeof(a)) {
		u32 step;

		memcpy(&a, p, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > len)
			return -EINVAL;
		a.nla_type &= ATTR_TYPE;
		if (a.nla_type < NL_ATTRS)
			attr[a.nla_type] = (struct nl_attr){ p + sizeof(a), a.nla_len - sizeof(a) };
		/* the last one may lack its padding */
		step = min(NL_ALIGN((u32)a.nla_len), len);
		p += step;
		len -= step;
	}
	return 0;
}
EXPORT(nl_parse);

int nl_get_u32(const struct nl_attr *a, u32 *v)
{
	if (!a->data)
		return 0;
	if (a->len < sizeof(*v))
		return -EINVAL;
	memcpy(v, a->data, sizeof(*v));
	return 0;
}
EXPORT(nl_get_u32);

int nl_get_addr(const struct nl_attr *a, u16 af, struct ip_addr *addr)
{
	u32 be;

	if (!a->data)
		return 0;
	if (a->len != (af == AF_INET ? 4 : 16))
		return -EINVAL;
	if (af == AF_INET) {
		memcpy(&be, a->data, sizeof(be));
		*addr = ip_addr_v4_be(be);
	} else {
		memcpy(addr->b, a->data, 16);
		/* a mapped address would be taken for IPv4 */
		if (ip_addr_is_v4(addr))
			return -EINVAL;
	}
	return 0;
}
EXPORT(nl_get_addr);

int nl_get_name(const struct nl_attr *a, char name[IFNAMSIZ])
{
	u32 n;

	if (!a->data)
		return 0;
	n = strnlen((const char *)a->data, a->len);
	if (!n || n >= IFNAMSIZ)
		return -EINVAL;
	memcpy(name, a->data, n);
	name[n] = '\0';
	return 0;
}
EXPORT(nl_get_name);
