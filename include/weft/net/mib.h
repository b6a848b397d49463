/* SPDX-License-Identifier: MIT */
/* mib.h - the management counters of RFC 2011 to 2013 and Linux's extensions, as the files
 * /proc/net/snmp, netstat and sockstat show them. A module registers the lines that are its own,
 * with Linux's field names; the IP core prints them in order of rank. One row of counters a CPU,
 * summed when read.
 *
 *	#define UDP_MIB(X) X(UDP_IN_DATAGRAMS, "InDatagrams") X(UDP_NO_PORTS, "NoPorts") ...
 *	enum { UDP_MIB(IP_MIB_ID) UDP_MIB_FIELDS };
 *	static const char *const names[] = { UDP_MIB(IP_MIB_NAME) };
 *	struct ip_mib udp_mib = { .name = "Udp", .file = IP_MIB_SNMP, .rank = 50,
 *				  .fields = names, .nr_fields = UDP_MIB_FIELDS };
 *	ip_mib_inc(&udp_mib, UDP_NO_PORTS); */
#pragma once

#include <weft/ledger.h>
#include <weft/module.h>

struct seq;

#define IP_MIB_ID(id, text) id,
#define IP_MIB_NAME(id, text) text,

enum ip_mib_file {
	IP_MIB_SNMP,	  /* /proc/net/snmp */
	IP_MIB_NETSTAT,	  /* /proc/net/netstat */
	IP_MIB_SOCKSTAT,  /* /proc/net/sockstat: by show() only */
	IP_MIB_SNMP6,	  /* /proc/net/snmp6: a line a counter */
	IP_MIB_SOCKSTAT6, /* /proc/net/sockstat6: by show() only */
	IP_MIB_FILES,
};

struct ip_mib {
	const char *name; /* what its two lines begin with: "Tcp" */
	u8 file;	  /* enum ip_mib_file */
	/* Linux's order. snmp: Ip 10, Icmp 20, IcmpMsg 30, Tcp 40, Udp 50, UdpLite 60; netstat:
	 * TcpExt 10, IpExt 20; sockstat: TCP 10, UDP 20, UDPLITE 30, RAW 40, FRAG 50 */
	u8 rank;
	u16 nr_fields; /* 0: show() alone */
	const char *const *fields;
	/* Optional: puts what is not counted (limits, how many there are now) into the sums.
	 * Process context, the registry's sleeping lock held. */
	void (*fill)(s64 *value);
	/* Instead of the two lines: prints its own. Context as fill. */
	void (*show)(struct seq *s);
	/* the registry's */
	u32 stride; /* of counters, in u64 */
	u64 *counters;
	struct module *owner;
	struct list_head node;
	struct ledger_entry ledger;
};
/* Before the first count. -EEXIST name and file are taken, -ENOMEM. */
int ip_mib_register_owner(struct ip_mib *m, struct module *owner);
/* After the last count. On one never registered it does nothing. */
void ip_mib_unregister(struct ip_mib *m);
#define ip_mib_register(m) ip_mib_register_owner(m, THIS_MODULE)
/* The sum over all CPUs as of now. */
u64 ip_mib_sum(const struct ip_mib *m, u32 field);

/* With preemption off: poll context, an RCU section, a spin lock held. This CPU's counters, for who
 * counts several things at once. */
static inline u64 *ip_mib_here(struct ip_mib *m)
{
	return &m->counters[cpu_id() * m->stride];
}

static inline void ip_mib_add_poll(struct ip_mib *m, u32 field, u64 n)
{
	ip_mib_here(m)[field] += n;
}

static inline void ip_mib_inc_poll(struct ip_mib *m, u32 field)
{
	ip_mib_add_poll(m, field, 1);
}

/* Any context but interrupt. */
static inline void ip_mib_add(struct ip_mib *m, u32 field, u64 n)
{
	preempt_disable();
	ip_mib_add_poll(m, field, n);
	preempt_enable();
}

static inline void ip_mib_inc(struct ip_mib *m, u32 field)
{
	ip_mib_add(m, field, 1);
}
