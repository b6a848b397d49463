/* SPDX-License-Identifier: MIT */
/* sysctl.h - the settings under /proc/sys/net/ipv4/tcp_*: Linux's names, units and defaults. */
#pragma once

struct tcp_sysctls {
	int rmem[3], wmem[3]; /* min, default, max: bytes */
	int mem[3];	      /* pages, of all connections together */
	int window_scaling, timestamps, sack, dsack, ecn;
	int syn_retries, synack_retries, retries1, retries2, orphan_retries;
	int fin_timeout, keepalive_time, keepalive_intvl, keepalive_probes;
	int syncookies, max_syn_backlog, abort_on_overflow, max_tw_buckets, max_orphans, tw_reuse;
	int rfc1337, stdurg, slow_start_after_idle, moderate_rcvbuf, frto, early_retrans;
	int mtu_probing, base_mss, min_snd_mss, probe_interval, probe_threshold;
	int mtu_probe_floor;
	int adv_win_scale, challenge_ack_limit, invalid_ratelimit, notsent_lowat, tso_win_divisor;
	int fastopen, fastopen_blackhole_timeout_sec;
	/* without effect */
	int fack, recovery, reordering, max_reordering, thin_linear_timeouts, app_win;
	int limit_output_bytes, min_tso_segs, autocorking, no_metrics_save;
};
extern struct tcp_sysctls tcp_sysctls;
