/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_output.c - IPv6 datagrams going out: header fields, flow labels (RFC 6437),
 * extension headers, fragments and their identifications (RFC 8200 4.5, RFC 7739), path MTU (RFC
 * 8201), and what does not leave this host. */
#include "stack6.h"

#include <weft/net/flow.h>

#define PROTO 99
#define ICMP_TOO_BIG 2

static struct ip_addr to;
static struct flow flow;

static void setup(void)
{
	assert_int_equal(stack_up6(), 0);
	to = PEER6;
	flow = (struct flow){ .dst = to, .proto = PROTO };
	drops_mark();
}

/* len bytes that count up. 0 or what the stack says. */
static int emit(struct flow *f, u32 len)
{
	struct pkt *p = ip_reserve(f, len, NULL);
	u8 *data;
	int err;

	if (IS_ERR(p))
		return PTR_ERR(p);
	data = pkt_put(p, len);
	for (u32 i = 0; i < len; i++)
		data[i] = i * 7;
	err = ip_commit(f, p);
	sim_run_ms(2);
	return err;
}

/* Of the groups that this host is in (RFC 3810 5.2); they come when they like. */
static bool is_report(const struct frame *f)
{
	const u8 *ip = f->data + 14;

	return f->len > 14 + 48 && ip[6] == 0 && ip[40] == IPPROTO_ICMPV6 && ip[48] == 143;
}

static const struct frame *next_frame(void)
{
	struct frame *f;

	list_for_each_entry(f, &peer.heard, node) {
		if (get_be16(f->data + 12) == 0x86dd && !is_report(f))
			return peer_take(&peer, f);
	}
	return NULL;
}

static u32 label_of(const struct frame *f)
{
	return get_be32(f->data + 14) & 0xfffff;
}

static u32 sent_label(struct flow *f)
{
	const struct frame *frame;

	assert_int_equal(emit(f, 8), 0);
	frame = next_frame();
	assert_non_null(frame);
	return label_of(frame);
}

static void header_fields(void **state)
{
	struct ip_addr host = HOST6, group = ip6("ff02::1:77");
	const struct frame *f;

	setup();
	flow.tos = 0xb9;
	flow.flow_label = 0xabcde;
	assert_int_equal(emit(&flow, 10), 0);
	f = next_frame();
	assert_non_null(f);
	assert_int_equal(get_be32(f->data + 14), 0x6b9abcde);
	assert_int_equal(get_be16(f->data + 18), 10);
	assert_int_equal(f->data[20], PROTO);
	assert_int_equal(f->data[21], 64);
	assert_memory_equal(f->data + 22, &host, 16);
	assert_memory_equal(f->data + 38, &to, 16);
	assert_memory_equal(f->data, peer_mac, 6);
	flow.ttl = 3;
	assert_int_equal(emit(&flow, 10), 0);
	assert_int_equal(frame6_hop_limit(next_frame()), 3);
	flow.ttl = 0;
	assert_int_equal(sysctl6("conf/eth0/hop_limit", "17"), 0);
	assert_int_equal(emit(&flow, 10), 0);
	assert_int_equal(frame6_hop_limit(next_frame()), 17);
	/* a group: one hop, and its own link address */
	flow = (struct flow){ .dst = group, .proto = PROTO, .oif = netif_named("eth0")->index };
	assert_int_equal(emit(&flow, 10), 0);
	f = next_frame();
	assert_int_equal(frame6_hop_limit(f), 1);
	assert_memory_equal(f->data, "\x33\x33\0\1\0\x77", 6);
	stack_down6();
}

/* RFC 6437 3: the same for a flow, and different ones not to be told from each other. */
static void labels_belong_to_flows(void **state)
{
	u32 first, i, same = 0;

	setup();
	flow.sport = 1000;
	flow.dport = 80;
	first = sent_label(&flow);
	for (i = 0; i < 10; i++)
		assert_int_equal(sent_label(&flow), first);
	for (i = 0; i < 50; i++) {
		flow.sport = 1001 + i;
		same += sent_label(&flow) == first;
	}
	assert_true(same <= 1);
	flow.flags = FLOW_NO_LABEL;
	assert_int_equal(sent_label(&flow), 0);
	flow.flags = 0;
	assert_int_equal(sysctl6("auto_flowlabels", "0"), 0);
	assert_int_equal(sent_label(&flow), 0);
	flow.flow_label = 5;
	assert_int_equal(sent_label(&flow), 5);
	stack_down6();
}

static void router_alert(void **state)
{
	const struct frame *f;

	setup();
	flow.flags = FLOW_ROUTER_ALERT;
	assert_int_equal(emit(&flow, 10), 0);
	f = next_frame();
	assert_int_equal(get_be16(f->data + 18), 18);
	assert_int_equal(f->data[20], 0);
	assert_memory_equal(f->data + 54, "\x63\0\5\2\0\0\1\0", 8);
	stack_down6();
}

/* Each names itself in what the flow brings, and the next one on the wire. */
static void extension_headers(void **state)
{
	static const u8 opts[24] = {
		60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 7, 0, 9, 9, 9, 9, 60, 0, 1, 4,
	};
	const struct frame *f;
	u8 proto;
	u32 len;

	setup();
	memcpy(flow.opts, opts, sizeof(opts));
	flow.opt_len = sizeof(opts);
	assert_int_equal(emit(&flow, 10), 0);
	f = next_frame();
	assert_int_equal(f->data[20], 60);
	assert_int_equal(f->data[54], 43);
	assert_int_equal(f->data[62], 60);
	assert_int_equal(f->data[70], PROTO);
	assert_non_null(frame6_payload(f, &proto, &len));
	assert_int_equal(proto, PROTO);
	assert_int_equal(len, 10);
	/* one that says to be longer than it is */
	flow.opts[17] = 1;
	assert_int_equal(emit(&flow, 10), -EINVAL);
	stack_down6();
}

/* ---- fragments ---- */

struct heard {
	u32 id, nr, payload; /* bytes behind what all fragments begin with */
	u32 longest;	     /* of them, header and all */
	bool whole, same_id;
};

/* Takes all fragments heard; head: bytes in front of their header. */
static struct heard collect(u32 head)
{
	struct heard h = { .same_id = true };
	const struct frame *f;
	u32 next = 0;

	while ((f = next_frame()) != NULL) {
		const u8 *ip = f->data + 14, *frag = ip + head;
		u32 len = get_be16(ip + 4) + 40 - head - 8, off = get_be16(frag + 2) & 0xfff8;

		assert_int_equal(head == 40 ? ip[6] : ip[head - 8], 44);
		assert_int_equal(frag[1], 0);
		assert_int_equal(off, next);
		assert_int_equal(get_be16(frag + 2) & 6, 0);
		for (u32 i = 0; i < len && !(head == 40 && frag[0] == 60); i++)
			assert_int_equal(frag[8 + i], (u8)((off + i) * 7));
		if (h.nr++)
			h.same_id &= h.id == get_be32(frag + 4);
		h.id = get_be32(frag + 4);
		h.longest = max(h.longest, get_be16(ip + 4) + 40u);
		h.whole = !(frag[3] & 1);
		next += len;
		if (!h.whole)
			assert_int_equal(len % 8, 0);
	}
	h.payload = next;
	return h;
}

static void long_ones_are_cut(void **state)
{
	struct heard h;

	setup();
	assert_int_equal(emit(&flow, 1460), 0);
	assert_int_equal(next_frame()->data[20], PROTO); /* fits: RFC 8021, no fragment */
	assert_int_equal(emit(&flow, 1461), 0);
	h = collect(40);
	assert_true(h.whole && h.same_id);
	assert_int_equal(h.nr, 2);
	assert_int_equal(h.payload, 1461);
	assert_true(h.longest <= 1500);
	assert_int_equal(emit(&flow, 65535), 0);
	h = collect(40);
	assert_true(h.whole && h.same_id);
	assert_int_equal(h.payload, 65535);
	assert_int_equal(emit(&flow, 65536), -EMSGSIZE);
	flow.flags = FLOW_DF;
	assert_int_equal(emit(&flow, 1461), -EMSGSIZE);
	stack_down6();
}

static void what_routers_read_is_in_each(void **state)
{
	static const u8 opts[16] = { 0, 0, 1, 4, 0, 0, 0, 0, 60, 0, 1, 4 };
	struct heard h;

	setup();
	memcpy(flow.opts, opts, sizeof(opts));
	/* hop-by-hop options in front of each, destination options are cut with the rest */
	flow.opt_len = 8;
	assert_int_equal(emit(&flow, 3000), 0);
	h = collect(48);
	assert_true(h.whole && h.same_id);
	assert_int_equal(h.payload, 3000);
	assert_true(h.longest <= 1500);
	memcpy(flow.opts, opts + 8, 8);
	flow_reset(&flow);
	assert_int_equal(emit(&flow, 3000), 0);
	h = collect(40);
	assert_true(h.whole && h.same_id);
	assert_int_equal(h.payload, 3008);
	stack_down6();
}

/* RFC 7739: never the same soon, and one destination's tells nothing of another's. */
static void identifications(void **state)
{
	struct ip_addr other = ip6("2001:db8::1:1");
	struct flow second = { .dst = other, .proto = PROTO };
	u32 id[20], others[20], i, k;

	setup();
	neigh_update(netif_named("eth0"), &other, peer_mac, NEIGH_UPDATE_CREATE);
	for (i = 0; i < 20; i++) {
		assert_int_equal(emit(&flow, 1600), 0);
		id[i] = collect(40).id;
		assert_int_equal(emit(&second, 1600), 0);
		others[i] = collect(40).id;
		for (k = 0; k < i; k++)
			assert_true(id[k] != id[i] && others[k] != others[i]);
	}
	assert_true(id[19] - id[0] == 19 || id[19] - id[0] > 19);
	assert_true(id[0] != others[0]);
	assert_true(id[0] > 1000 || id[0] == 0 || others[0] > 1000);
	stack_down6();
}

/* ---- path MTU ---- */

static void too_big(u32 mtu)
{
	struct ip_addr host = HOST6;
	const struct frame *f;
	u8 packet[1400];

	f = next_frame();
	assert_non_null(f);
	memcpy(packet, f->data + 14, min(f->len - 14, 1200u));
	peer_forget(&peer);
	peer6_error(&peer, &host, ICMP_TOO_BIG, 0, mtu, packet, 1200);
	sim_run_ms(2);
}

static void path_mtu(void **state)
{
	struct ip_addr any = ip_addr_any(AF_INET6);
	static u8 data[2000];
	struct socket *s;
	const struct frame *f;

	setup();
	assert_int_equal(sim_insmod("udp", NULL), 0);
	s = sock_open6(SOCK_DGRAM, 0);
	assert_int_equal(sock_bind6(s, &any, 5000), 0);
	assert_int_equal(sock_send6(s, &to, 7, data, 1400, 0), 1400);
	sim_run_ms(2);
	/* less than any path takes is not believed */
	too_big(1279);
	assert_int_equal(ip_pmtu_get(&to), 0);
	assert_int_equal(sock_send6(s, &to, 7, data, 1400, 0), 1400);
	sim_run_ms(2);
	too_big(0);
	assert_int_equal(ip_pmtu_get(&to), 0);
	assert_int_equal(sock_send6(s, &to, 7, data, 1400, 0), 1400);
	sim_run_ms(2);
	too_big(1280);
	assert_int_equal(ip_pmtu_get(&to), 1280);
	sock_send6(s, &to, 7, data, 1400, 0);
	if (list_empty(&peer.heard)) /* the first hears of it */
		sock_send6(s, &to, 7, data, 1400, 0);
	sim_run_ms(2);
	f = next_frame();
	assert_non_null(f);
	assert_int_equal(f->data[20], 44);
	assert_true(f->len <= 14 + 1280);
	/* RFC 8201 4: never up */
	ip_pmtu_update(&to, 1400);
	assert_int_equal(ip_pmtu_get(&to), 1280);
	sock_close(s);
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down6();
}

static void mtu_setting(void **state)
{
	struct heard h;

	setup();
	assert_int_equal(sysctl6("conf/eth0/mtu", "1300"), 0);
	sim_run_ms(2);
	assert_int_equal(emit(&flow, 1280), 0);
	h = collect(40);
	assert_true(h.whole);
	assert_true(h.longest <= 1300);
	stack_down6();
}

/* ---- what stays ---- */

static void narrow_scopes_stay(void **state)
{
	struct ip_addr loopback = ip6("::1"), group = ip6("ff01::1");
	const char *text;

	setup();
	flow = (struct flow){ .dst = group, .proto = PROTO, .oif = netif_named("eth0")->index };
	assert_int_equal(emit(&flow, 10), 0);
	assert_null(next_frame());
	/* but members here hear it: nobody takes the protocol */
	assert_int_equal(drops_since(DROP_NO_PROTO), 1);
	flow = (struct flow){
		.dst = to, .src = loopback, .proto = PROTO, .flags = FLOW_ANY_SOURCE
	};
	assert_int_equal(emit(&flow, 10), -EADDRNOTAVAIL);
	assert_null(next_frame());
	text = sim_read("/proc/net/snmp6");
	assert_non_null(text);
	assert_non_null(strstr(text, "Ip6OutMcastPkts                 \t"));
	assert_non_null(strstr(text, "Ip6InReceives                   \t"));
	stack_down6();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_fields),     cmocka_unit_test(labels_belong_to_flows),
		cmocka_unit_test(router_alert),	     cmocka_unit_test(extension_headers),
		cmocka_unit_test(long_ones_are_cut), cmocka_unit_test(what_routers_read_is_in_each),
		cmocka_unit_test(identifications),   cmocka_unit_test(path_mtu),
		cmocka_unit_test(mtu_setting),	     cmocka_unit_test(narrow_scopes_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
