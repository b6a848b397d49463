/* SPDX-License-Identifier: MIT */
/* test_sim_mib.c - /proc/net/snmp, netstat and sockstat: in Linux's order and with its names, only
 * lines of what is loaded, and counts that add up. */
#include "stack.h"

#include <stdlib.h>

static long value(const char *path, const char *line, const char *field)
{
	const char *text = sim_read(path), *names, *values;
	char word[40];
	u32 n = 0, len;

	assert_non_null(text);
	names = strstr(text, line);
	assert_non_null(names);
	values = strstr(names + 1, line);
	assert_non_null(values);
	snprintf(word, sizeof(word), " %s", field);
	len = strlen(word);
	for (; *names != '\n'; names++) {
		if (*names != ' ')
			continue;
		n++;
		if (!strncmp(names, word, len) && (names[len] == ' ' || names[len] == '\n'))
			break;
	}
	assert_int_not_equal(*names, '\n');
	while (n) {
		if (*values == ' ')
			n--;
		values++;
	}
	return strtol(values, NULL, 10);
}

static void lines_in_order(void **state)
{
	const char *text, *ip, *icmp, *udp;

	assert_int_equal(stack_up(), 0);
	assert_null(strstr(sim_read("/proc/net/snmp"), "Udp:"));
	assert_int_equal(sim_insmod("udp", NULL), 0);
	text = sim_read("/proc/net/snmp");
	ip = strstr(text, "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors "
			  "ForwDatagrams InUnknownProtos InDiscards InDelivers OutRequests "
			  "OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails "
			  "FragOKs FragFails FragCreates OutTransmits\nIp: 2 64 ");
	icmp = strstr(text, "Icmp: InMsgs InErrors InCsumErrors InDestUnreachs ");
	udp = strstr(text, "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors "
			   "SndbufErrors InCsumErrors IgnoredMulti MemErrors\nUdp: 0 0 ");
	assert_true(ip == text && icmp > ip && udp > icmp);
	assert_non_null(strstr(sim_read("/proc/net/netstat"), "IpExt: InNoRoutes "));
	assert_non_null(strstr(sim_read("/proc/net/sockstat"), "sockets: used 0\n"));
	assert_non_null(strstr(sim_read("/proc/net/sockstat"),
			       "\nUDP: inuse 0 mem 0\nRAW: inuse 0\n"
			       "FRAG: inuse 0 memory 0\n"));
	assert_int_equal(sim_rmmod("udp", false), 0);
	assert_null(strstr(sim_read("/proc/net/sockstat"), "UDP:"));
	stack_down();
}

static void counts_add_up(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 17 };
	u8 u[12] = { 0, 9, 5000 >> 8, 5000 & 255, 0, 12, 0, 0, 'd', 'a', 't', 'a' };
	struct socket *s;
	u8 data[16];

	assert_int_equal(stack_up(), 0);
	assert_int_equal(sim_insmod("udp", NULL), 0);
	stack_know_peer();
	s = sock_open(SOCK_DGRAM, 0);
	assert_int_equal(sock_bind(s, 0, 5000), 0);
	assert_non_null(strstr(sim_read("/proc/net/sockstat"), "sockets: used 1\n"));
	assert_non_null(strstr(sim_read("/proc/net/sockstat"), "UDP: inuse 1 "));
	peer_ipv4(&peer, host_mac, &h, u, 12);
	h.tos = 3;
	peer_ipv4(&peer, host_mac, &h, u, 12);
	u[3]++;
	peer_ipv4(&peer, host_mac, &h, u, 12);
	u[6] = 1;
	peer_ipv4(&peer, host_mac, &h, u, 12);
	h.bad_sum = true;
	peer_ipv4(&peer, host_mac, &h, u, 12);
	sim_run_ms(5);
	assert_int_equal(value("/proc/net/snmp", "Ip:", "InReceives"), 5);
	assert_int_equal(value("/proc/net/snmp", "Ip:", "InDelivers"), 4);
	assert_int_equal(value("/proc/net/snmp", "Ip:", "InHdrErrors"), 1);
	assert_int_equal(value("/proc/net/snmp", "Ip:", "OutRequests"), 1);
	assert_int_equal(value("/proc/net/netstat", "IpExt:", "InCEPkts"), 3);
	assert_int_equal(value("/proc/net/netstat", "IpExt:", "InNoECTPkts"), 2);
	assert_int_equal(value("/proc/net/netstat", "IpExt:", "InOctets"), 4 * 32);
	assert_int_equal(value("/proc/net/snmp", "Icmp:", "OutDestUnreachs"), 1);
	assert_int_equal(value("/proc/net/snmp", "IcmpMsg:", "OutType3"), 1);
	assert_int_equal(value("/proc/net/snmp", "Udp:", "InDatagrams"), 2);
	assert_int_equal(value("/proc/net/snmp", "Udp:", "NoPorts"), 1);
	assert_int_equal(value("/proc/net/snmp", "Udp:", "InErrors"), 1);
	assert_int_equal(value("/proc/net/snmp", "Udp:", "InCsumErrors"), 1);
	assert_int_equal(sock_recv(s, data, sizeof(data), MSG_DONTWAIT, NULL), 4);
	sock_close(s);
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_in_order),
		cmocka_unit_test(counts_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
