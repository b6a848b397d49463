/* SPDX-License-Identifier: MIT */
/* mib.c - ICMP's lines of /proc/net/snmp and snmp6: Icmp with RFC 2011's names for the types it
 * knows, made when read from the counts by type, which IcmpMsg shows as they are. */
#include "icmp.h"

#include <weft/net/mib.h>
#include <weft/seqfile.h>

#define TYPES 32 /* those above share the last */

#define OUT(type) (TYPES + (type))
#define OTHER(c) (2 * TYPES + (c))

static void show_types(struct seq *s);

/* In, out, then enum icmp_count. */
static struct ip_mib types_mib = {
	.name = "IcmpMsg",
	.file = IP_MIB_SNMP,
	.rank = 30,
	.nr_fields = OTHER(ICMP_NR_COUNTS),
	.show = show_types,
};

static u32 slot(u8 type)
{
	return min(type, (u8)(TYPES - 1));
}

void icmp_count(enum icmp_count c)
{
	ip_mib_inc(&types_mib, OTHER(c));
}

void icmp_count_in(u8 type)
{
	ip_mib_inc(&types_mib, slot(type));
}

void icmp_count_out(u8 type)
{
	ip_mib_inc(&types_mib, OUT(slot(type)));
}

/* Names and values of those that were ever counted. */
static void show_types(struct seq *s)
{
	u64 n[2 * TYPES], any = 0;

	for (u32 i = 0; i < 2 * TYPES; i++)
		any |= n[i] = ip_mib_sum(&types_mib, i);
	if (!any)
		return;
	seq_puts(s, "IcmpMsg:");
	for (u32 i = 0; i < 2 * TYPES; i++) {
		if (n[i])
			seq_printf(s, i < TYPES ? " InType%u" : " OutType%u", i % TYPES);
	}
	seq_puts(s, "\nIcmpMsg:");
	for (u32 i = 0; i < 2 * TYPES; i++) {
		if (n[i])
			seq_printf(s, " %lu", n[i]);
	}
	seq_puts(s, "\n");
}

#define ICMP_MIB(X)                                   \
	X(MIB_IN_MSGS, "InMsgs")                      \
	X(MIB_IN_ERRORS, "InErrors")                  \
	X(MIB_IN_CSUM_ERRORS, "InCsumErrors")         \
	X(MIB_IN_UNREACHS, "InDestUnreachs")          \
	X(MIB_IN_TIME_EXCDS, "InTimeExcds")           \
	X(MIB_IN_PARM_PROBS, "InParmProbs")           \
	X(MIB_IN_QUENCHS, "InSrcQuenchs")             \
	X(MIB_IN_REDIRECTS, "InRedirects")            \
	X(MIB_IN_ECHOS, "InEchos")                    \
	X(MIB_IN_ECHO_REPS, "InEchoReps")             \
	X(MIB_IN_TIMESTAMPS, "InTimestamps")          \
	X(MIB_IN_TIMESTAMP_REPS, "InTimestampReps")   \
	X(MIB_IN_MASKS, "InAddrMasks")                \
	X(MIB_IN_MASK_REPS, "InAddrMaskReps")         \
	X(MIB_OUT_MSGS, "OutMsgs")                    \
	X(MIB_OUT_ERRORS, "OutErrors")                \
	X(MIB_LIMITED_ALL, "OutRateLimitGlobal")      \
	X(MIB_LIMITED_HOST, "OutRateLimitHost")       \
	X(MIB_OUT_UNREACHS, "OutDestUnreachs")        \
	X(MIB_OUT_TIME_EXCDS, "OutTimeExcds")         \
	X(MIB_OUT_PARM_PROBS, "OutParmProbs")         \
	X(MIB_OUT_QUENCHS, "OutSrcQuenchs")           \
	X(MIB_OUT_REDIRECTS, "OutRedirects")          \
	X(MIB_OUT_ECHOS, "OutEchos")                  \
	X(MIB_OUT_ECHO_REPS, "OutEchoReps")           \
	X(MIB_OUT_TIMESTAMPS, "OutTimestamps")        \
	X(MIB_OUT_TIMESTAMP_REPS, "OutTimestampReps") \
	X(MIB_OUT_MASKS, "OutAddrMasks")              \
	X(MIB_OUT_MASK_REPS, "OutAddrMaskReps")

enum { ICMP_MIB(IP_MIB_ID) ICMP_MIB_FIELDS };
static const char *const names[] = { ICMP_MIB(IP_MIB_NAME) };

/* In the order of the names from MIB_IN_UNREACHS and MIB_OUT_UNREACHS on. */
static const u8 named[] = {
	ICMP_UNREACHABLE,     ICMP_TIME_EXCEEDED, ICMP_PARAMETER,  ICMP_SOURCE_QUENCH,
	ICMP_REDIRECT,	      ICMP_ECHO,	  ICMP_ECHO_REPLY, ICMP_TIMESTAMP,
	ICMP_TIMESTAMP_REPLY, ICMP_MASK,	  ICMP_MASK_REPLY,
};

static void fill(s64 *v)
{
	u64 malformed = ip_mib_sum(&types_mib, OTHER(ICMP_IN_MALFORMED));
	u64 badsum = ip_mib_sum(&types_mib, OTHER(ICMP_IN_BADSUM));

	v[MIB_IN_ERRORS] = malformed + badsum;
	v[MIB_IN_CSUM_ERRORS] = badsum;
	v[MIB_IN_MSGS] = malformed + badsum;
	v[MIB_OUT_ERRORS] = ip_mib_sum(&types_mib, OTHER(ICMP_OUT_FAILED));
	v[MIB_LIMITED_ALL] = ip_mib_sum(&types_mib, OTHER(ICMP_LIMITED_ALL));
	v[MIB_LIMITED_HOST] = ip_mib_sum(&types_mib, OTHER(ICMP_LIMITED_HOST));
	for (u32 i = 0; i < TYPES; i++) {
		v[MIB_IN_MSGS] += ip_mib_sum(&types_mib, i);
		v[MIB_OUT_MSGS] += ip_mib_sum(&types_mib, OUT(i));
	}
	for (u32 i = 0; i < ARRAY_SIZE(named); i++) {
		v[MIB_IN_UNREACHS + i] = ip_mib_sum(&types_mib, named[i]);
		v[MIB_OUT_UNREACHS + i] = ip_mib_sum(&types_mib, OUT(named[i]));
	}
}

static struct ip_mib icmp_mib = {
	.name = "Icmp",
	.file = IP_MIB_SNMP,
	.rank = 20,
	.fields = names,
	.nr_fields = ICMP_MIB_FIELDS,
	.fill = fill,
};

/* ---- IPv6: what comes and goes by type is counted there ---- */

static const char *const names6[ICMP_NR_COUNTS] = {
	[ICMP_OUT_FAILED] = "Icmp6OutErrors",
	[ICMP_LIMITED_ALL] = "Icmp6OutRateLimitGlobal",
	[ICMP_LIMITED_HOST] = "Icmp6OutRateLimitHost",
};

static void show6(struct seq *s);

static struct ip_mib icmp6_mib = {
	.name = "Icmp6Out",
	.file = IP_MIB_SNMP6,
	.rank = 21,
	.nr_fields = ICMP_NR_COUNTS,
	.show = show6,
};

static void show6(struct seq *s)
{
	for (u32 i = 0; i < ICMP_NR_COUNTS; i++) {
		if (names6[i])
			seq_printf(s, "%-32s\t%lu\n", names6[i], ip_mib_sum(&icmp6_mib, i));
	}
}

void icmp6_count(enum icmp_count c)
{
	ip_mib_inc(&icmp6_mib, c);
}

int icmp_mib_init(void)
{
	int err = ip_mib_register(&types_mib);

	if (!err)
		err = ip_mib_register(&icmp_mib);
	if (!err)
		err = ip_mib_register(&icmp6_mib);
	if (err)
		icmp_mib_exit();
	return err;
}

/* Also of those that init did not come to: that does nothing. */
void icmp_mib_exit(void)
{
	ip_mib_unregister(&icmp6_mib);
	ip_mib_unregister(&icmp_mib);
	ip_mib_unregister(&types_mib);
}
