/* SPDX-License-Identifier: MIT */
/* input6.c - ICMPv6 messages for this host (RFC 4443): echo is answered, errors go to the transport
 * whose packet they quote. Neighbour discovery and multicast listener discovery are declined: IPv6
 * has handlers of its own for them. */
#include "icmp.h"

#include <weft/net/ifaddr.h>
#include <weft/seqfile.h>
#include <weft/string.h>

static int echo_ignore_all, echo_ignore_multicast, echo_ignore_anycast;
static int anycast_replies; /* come from the anycast address that was asked */
int icmp6_ratelimit_ms = 100, icmp6_error_anycast;
static int reflect_label;
#define REFLECT_ECHO 4 /* of Linux's bits the one that is meant for this module */

/* Types that the limit of each receiver holds for. As on Linux, path MTU discovery is not slowed
 * down by default. */
static u64 rate_mask[2]; /* of the error types, 0 to 127 */
static char mask_text[] = "0-1,3-127";

bool icmp6_is_limited(u8 type)
{
	return type < 128 && (READ_ONCE(rate_mask[type / 64]) & (1ul << type % 64));
}

/* An address that is ours and stands on no interface is one that others have too. */
static bool is_anycast(const struct ip_rx *rx)
{
	return !(rx->flags & IP_RX_MULTICAST) && !ifaddr_find(NULL, &rx->dst);
}

static bool is_local_scope(const struct ip_addr *a)
{
	return ip_addr_is_link_local(a) || ip_addr_is_multicast(a);
}

static int echo(struct pkt *p, const struct ip_rx *rx)
{
	bool group = rx->flags & IP_RX_MULTICAST, anycast = is_anycast(rx);
	struct flow f = {
		.dst = rx->src,
		.src = rx->dst,
		.proto = IPPROTO_ICMPV6,
		.tos = rx->tos,
		.flags = FLOW_CONTROL | FLOW_PARK,
	};

	if (READ_ONCE(echo_ignore_all) || (group && READ_ONCE(echo_ignore_multicast)) ||
	    (anycast && READ_ONCE(echo_ignore_anycast)) || p->data[1] != 0)
		return ip_drop(p, DROP_IGNORED);
	/* RFC 4443 4.2: the source of the reply is one interface's */
	if (group || (anycast && !READ_ONCE(anycast_replies)))
		f.src = ip_addr_any(AF_INET6);
	if (is_local_scope(&rx->src) || is_local_scope(&rx->dst))
		f.oif = rx->ifindex;
	/* RFC 6437 3 leaves it to the host; a label that the asker chose leads back his way */
	if (READ_ONCE(reflect_label))
		f.flow_label = rx->flow_label;
	return icmp_echo_reply(p, rx, &f, ICMP6_ECHO_REPLY);
}

int icmp6_input(struct pkt *p, struct ip_rx *rx)
{
	u32 pseudo;
	u8 type;

	if (p->len < ICMP_HEADER)
		return ip_drop(p, DROP_TRUNCATED);
	type = p->data[0];
	if ((type >= ICMP6_MLD_FIRST && type <= ICMP6_ND_REDIRECT) || type == ICMP6_MLD2_REPORT)
		return IP_DECLINED;
	if (p->csum != PKT_CSUM_OK) {
		pseudo = ip_pseudo_sum(&rx->src, &rx->dst, IPPROTO_ICMPV6, p->len);
		if (csum_fold(csum_partial(p->data, p->len, pseudo)))
			return ip_drop(p, DROP_BADSUM);
	}
	if (type == ICMP6_ECHO)
		return echo(p, rx);
	if (type == ICMP6_ECHO_REPLY) {
		ping_reply(p, rx);
		pkt_free(p);
		return IP_TAKEN;
	}
	if (icmp6_is_error(type))
		return icmp6_receive_error(p, rx);
	/* RFC 4443 2.4 b; and nobody is told about this node (RFC 4620) */
	return ip_drop(p, DROP_UNKNOWN_TYPE);
}

/* ---- settings ---- */

static int check_reflect(const int *v)
{
	return *v == 0 || *v == REFLECT_ECHO ? 0 : -EINVAL;
}

#define SETTING(n, var, most)                                              \
	{                                                                  \
		.path = "net/ipv6/icmp/" n, .value = &(var), .max = (most) \
	}

static struct sysctl sysctls[] = {
	SETTING("echo_ignore_all", echo_ignore_all, 1),
	SETTING("echo_ignore_multicast", echo_ignore_multicast, 1),
	SETTING("echo_ignore_anycast", echo_ignore_anycast, 1),
	SETTING("error_anycast_as_unicast", icmp6_error_anycast, 1),
	SETTING("ratelimit", icmp6_ratelimit_ms, 1000000),
	{ .path = "net/ipv6/anycast_src_echo_reply", .value = &anycast_replies, .max = 1 },
	{ .path = "net/ipv6/flowlabel_reflect",
	  .value = &reflect_label,
	  .max = REFLECT_ECHO,
	  .check = check_reflect },
};

/* A decimal number below 128 at *s, moved behind it; -EINVAL. */
static int parse_type(const char **s)
{
	int n = 0;

	if (**s < '0' || **s > '9')
		return -EINVAL;
	for (; **s >= '0' && **s <= '9'; ++*s) {
		n = n * 10 + **s - '0';
		if (n > 127)
			return -EINVAL;
	}
	return n;
}

/* "0-1,3-127"; nothing is an empty mask. */
static int parse_mask(const char *s, u64 mask[2])
{
	int from, to;

	mask[0] = mask[1] = 0;
	while (*s) {
		from = to = parse_type(&s);
		if (from >= 0 && *s == '-') {
			s++;
			to = parse_type(&s);
		}
		if (from < 0 || to < from || (*s && *s != ','))
			return -EINVAL;
		for (; from <= to; from++)
			mask[from / 64] |= 1ul << from % 64;
		if (*s == ',' && !*++s)
			return -EINVAL;
	}
	return 0;
}

static int mask_show(struct seq *s)
{
	bool any = false;
	u32 end;

	for (u32 i = 0; i < 128; i++) {
		if (!icmp6_is_limited(i))
			continue;
		for (end = i; end < 127 && icmp6_is_limited(end + 1); end++)
			;
		seq_printf(s, end > i ? "%s%u-%u" : "%s%u", any ? "," : "", i, end);
		any = true;
		i = end;
	}
	seq_puts(s, "\n");
	return 0;
}

static int mask_write(void *arg, const char *text, size_t len)
{
	u64 mask[2];
	int err = parse_mask(text, mask);

	if (err)
		return err;
	WRITE_ONCE(rate_mask[0], mask[0]);
	WRITE_ONCE(rate_mask[1], mask[1]);
	return 0;
}

static struct procfile mask_file = {
	.path = "sys/net/ipv6/icmp/ratemask",
	.mode = 0644,
	.show = mask_show,
	.write = mask_write,
};

int icmp6_init(void)
{
	int err = parse_mask(mask_text, rate_mask);

	if (!err)
		err = procfile_add(&mask_file);
	if (!err)
		err = sysctl_add_all(sysctls, ARRAY_SIZE(sysctls));
	if (err)
		icmp6_exit();
	return err;
}

/* Also of those that init did not come to: that does nothing. */
void icmp6_exit(void)
{
	sysctl_remove_all(sysctls, ARRAY_SIZE(sysctls));
	procfile_remove(&mask_file);
}
