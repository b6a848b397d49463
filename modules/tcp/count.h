/* SPDX-License-Identifier: MIT */
/* count.h - what TCP counts, under Linux's names: the Tcp line of /proc/net/snmp (RFC 4022) and the
 * TcpExt line of /proc/net/netstat. proc.c registers both lines; the enum TCP_<name> says which
 * counter, tcp_count(TCP_InSegs) counts. Add names to the end of their list. */
#pragma once

#include <weft/net/mib.h>

/* clang-format off */
#define TCP_SNMP_COUNTERS(X)                                              \
	X(RtoAlgorithm) X(RtoMin) X(RtoMax) X(MaxConn)                    \
	X(ActiveOpens) X(PassiveOpens) X(AttemptFails) X(EstabResets)     \
	X(CurrEstab) X(InSegs) X(OutSegs) X(RetransSegs) X(InErrs)        \
	X(OutRsts) X(InCsumErrors)

#define TCP_EXT_COUNTERS(X)                                               \
	X(SyncookiesSent) X(SyncookiesRecv) X(SyncookiesFailed)           \
	X(EmbryonicRsts) X(PruneCalled) X(RcvPruned) X(OfoPruned)         \
	X(OutOfWindowIcmps) X(TW) X(TWRecycled) X(TWKilled)               \
	X(PAWSActive) X(PAWSEstab) X(DelayedACKs) X(DelayedACKLost)       \
	X(ListenOverflows) X(ListenDrops) X(TCPHPHits) X(TCPPureAcks)     \
	X(TCPHPAcks) X(TCPRenoRecovery) X(TCPSackRecovery)                \
	X(TCPSACKReneging) X(TCPSACKReorder) X(TCPRenoReorder)            \
	X(TCPTSReorder) X(TCPFullUndo) X(TCPPartialUndo) X(TCPDSACKUndo)  \
	X(TCPLossUndo) X(TCPLostRetransmit) X(TCPRenoFailures)            \
	X(TCPSackFailures) X(TCPLossFailures) X(TCPFastRetrans)           \
	X(TCPSlowStartRetrans) X(TCPTimeouts) X(TCPLossProbes)            \
	X(TCPLossProbeRecovery) X(TCPRcvCollapsed) X(TCPDSACKOldSent)     \
	X(TCPDSACKOfoSent) X(TCPDSACKRecv) X(TCPDSACKOfoRecv)             \
	X(TCPAbortOnData) X(TCPAbortOnClose) X(TCPAbortOnMemory)          \
	X(TCPAbortOnTimeout) X(TCPAbortOnLinger) X(TCPAbortFailed)        \
	X(TCPMemoryPressures) X(TCPSACKDiscard) X(TCPDSACKIgnoredOld)     \
	X(TCPDSACKIgnoredNoUndo) X(TCPSpuriousRTOs) X(TCPMinTTLDrop) X(TCPDeferAcceptDrop) \
	X(TCPTimeWaitOverflow) X(TCPReqQFullDoCookies) X(TCPReqQFullDrop) \
	X(TCPRetransFail) X(TCPRcvCoalesce) X(TCPOFOQueue) X(TCPOFODrop)  \
	X(TCPOFOMerge) X(TCPChallengeACK) X(TCPSYNChallenge)              \
	X(TCPFastOpenActive) X(TCPFastOpenActiveFail)                     \
	X(TCPFastOpenPassive) X(TCPFastOpenPassiveFail)                   \
	X(TCPFastOpenListenOverflow) X(TCPFastOpenCookieReqd)             \
	X(TCPFastOpenBlackhole) X(TCPAutoCorking)                         \
	X(TCPFromZeroWindowAdv) X(TCPToZeroWindowAdv)                     \
	X(TCPWantZeroWindowAdv) X(TCPSynRetrans) X(TCPOrigDataSent)       \
	X(TCPHystartTrainDetect) X(TCPHystartTrainCwnd)                   \
	X(TCPHystartDelayDetect) X(TCPHystartDelayCwnd)                   \
	X(TCPACKSkippedSynRecv) X(TCPACKSkippedPAWS)                      \
	X(TCPACKSkippedSeq) X(TCPACKSkippedFinWait2)                      \
	X(TCPACKSkippedTimeWait) X(TCPACKSkippedChallenge) X(TCPWinProbe) \
	X(TCPKeepAlive) X(TCPMTUPFail) X(TCPMTUPSuccess) X(TCPDelivered)  \
	X(TCPDeliveredCE) X(TCPZeroWindowDrop) X(TCPRcvQDrop)             \
	X(TCPWqueueTooBig) X(TCPDSACKRecvSegs) X(TCPDSACKIgnoredDubious)
/* clang-format on */

#define TCP_COUNTERS(X) TCP_SNMP_COUNTERS(X) TCP_EXT_COUNTERS(X)

#define TCP_COUNTER_ID(name) TCP_##name,
#define TCP_COUNTER_ONE(name) +1
enum tcp_counter { TCP_COUNTERS(TCP_COUNTER_ID) TCP_NR_COUNTERS };
enum { TCP_NR_SNMP = 0 TCP_SNMP_COUNTERS(TCP_COUNTER_ONE) };

extern struct ip_mib tcp_mib, tcp_ext_mib; /* proc.c */

/* With preemption off, which any spin lock, RCU section or poll context is. */
static inline void tcp_count_add(enum tcp_counter id, u64 n)
{
	if ((u32)id < (u32)TCP_NR_SNMP)
		ip_mib_add_poll(&tcp_mib, id, n);
	else
		ip_mib_add_poll(&tcp_ext_mib, id - TCP_NR_SNMP, n);
}

static inline void tcp_count(enum tcp_counter id)
{
	tcp_count_add(id, 1);
}

/* Registered before the first segment, unregistered after the last. */
int tcp_count_init(void);
void tcp_count_exit(void);
