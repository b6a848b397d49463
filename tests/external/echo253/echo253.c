/* SPDX-License-Identifier: MIT */
/* echo253.c - sends every datagram of protocol 253 back to where it came from. */
#include <weft/module.h>
#include <weft/net/proto.h>
#include <weft/seqfile.h>
#include <weft/string.h>

#define PROTO_ECHO 253

static u64 answered; /* a count lost between CPUs is no harm */

static int echo_input(struct pkt *p, struct ip_rx *rx)
{
	struct flow f = { .dst = rx->src, .src = rx->dst, .proto = PROTO_ECHO, .flags = FLOW_PARK };
	struct pkt *answer;

	/* RFC 1122 3.2.2.6 has the reason: no answers to groups */
	if (ip_rx_is_group(rx))
		return ip_drop(p, DROP_IGNORED);
	if (ip_addr_needs_scope(&f.dst)) /* the same on every link: this one is meant */
		f.oif = rx->ifindex;
	answer = ip_reserve(&f, p->len, NULL);
	if (IS_ERR(answer))
		return ip_drop(p, DROP_NO_ROUTE);
	memcpy(pkt_put(answer, p->len), p->data, p->len);
	pkt_free(p);
	answered++;
	ip_commit(&f, answer);
	return IP_TAKEN;
}

static int echo_show(struct seq *s)
{
	seq_printf(s, "answered %lu\n", answered);
	return 0;
}

static struct procfile file = { .path = "net/weft/echo253", .mode = 0444, .show = echo_show };
static struct ip_proto echo = { .name = "echo253", .number = PROTO_ECHO, .input = echo_input };

static int __init echo_init(void)
{
	int err = procfile_add(&file);

	if (err)
		return err;
	err = ip_proto_register(&echo);
	if (err)
		procfile_remove(&file);
	return err;
}

static void __exit echo_exit(void)
{
	ip_proto_unregister(&echo);
	procfile_remove(&file);
}

module_entry_points(echo_init, echo_exit);
MODULE_LICENSE("MIT");
