/* SPDX-License-Identifier: MIT */
/* sysctl.c - /proc/sys/net/ipv4/tcp_*: Linux's names, bounds and defaults; how much memory all
 * connections may take together follows the machine's. */
#include "tcp.h"

#include <weft/alloc.h>
#include <weft/seqfile.h>

#define INT_MAX 0x7fffffff
#define NAMES_MAX 256
#define MEM_MIN 128 /* pages */

struct tcp_sysctls tcp_sysctls = {
	.rmem = { 4096, 131072, 6291456 },
	.wmem = { 4096, 16384, 4194304 },
	.window_scaling = 1,
	.timestamps = 1,
	.sack = 1,
	.dsack = 1,
	.ecn = 2, /* answers, does not ask */
	.syn_retries = 6,
	.synack_retries = 5,
	.retries1 = 3,
	.retries2 = 15,
	.fin_timeout = 60,
	.keepalive_time = 7200,
	.keepalive_intvl = 75,
	.keepalive_probes = 9,
	.syncookies = 1,
	.max_syn_backlog = 512,
	.max_tw_buckets = 16384,
	.max_orphans = 8192,
	.tw_reuse = 2,
	.rfc1337 = 1,
	.slow_start_after_idle = 1,
	.moderate_rcvbuf = 1,
	.frto = 2,
	.mtu_probing = 1,
	.base_mss = 1024,
	.min_snd_mss = TCP_MSS_MIN,
	.mtu_probe_floor = TCP_MSS_MIN,
	.probe_interval = 600,
	.probe_threshold = 8,
	.adv_win_scale = 1,
	.app_win = 31,
	.limit_output_bytes = 1048576,
	.challenge_ack_limit = 10, /* a connection and second */
	.invalid_ratelimit = 500,
	.recovery = 1,
	.early_retrans = 3,
	.reordering = 3,
	.max_reordering = 300,
	.fastopen = 1,
	.notsent_lowat = -1,
	.tso_win_divisor = 3,
	.min_tso_segs = 2,
	.autocorking = 1,
};

/* A vector's minimum, default and maximum are in order. */
static int check_ascending(const int *v)
{
	return v[0] <= v[1] && v[1] <= v[2] ? 0 : -EINVAL;
}

#define NUMBER(name, field, low, high)                                                   \
	{                                                                                \
		.path = "net/ipv4/tcp_" name, .value = &tcp_sysctls.field, .min = (low), \
		.max = (high)                                                            \
	}
#define VECTOR(name, field, low, high)                                                \
	{                                                                             \
		.path = "net/ipv4/tcp_" name, .value = tcp_sysctls.field, .count = 3, \
		.min = (low), .max = (high), .check = check_ascending                 \
	}

static struct sysctl sysctls[] = {
	VECTOR("rmem", rmem, 1, INT_MAX),
	VECTOR("wmem", wmem, 1, INT_MAX),
	VECTOR("mem", mem, 0, INT_MAX),
	NUMBER("window_scaling", window_scaling, 0, 1),
	NUMBER("timestamps", timestamps, 0, 2),
	NUMBER("sack", sack, 0, 1),
	NUMBER("dsack", dsack, 0, 1),
	NUMBER("ecn", ecn, 0, 2),
	NUMBER("syn_retries", syn_retries, 1, 127),
	NUMBER("synack_retries", synack_retries, 0, 255),
	NUMBER("retries1", retries1, 0, 255),
	NUMBER("retries2", retries2, 0, 255),
	NUMBER("orphan_retries", orphan_retries, 0, 255),
	NUMBER("fin_timeout", fin_timeout, 1, INT_MAX / 1000),
	NUMBER("keepalive_time", keepalive_time, 1, INT_MAX / 1000),
	NUMBER("keepalive_intvl", keepalive_intvl, 1, INT_MAX / 1000),
	NUMBER("keepalive_probes", keepalive_probes, 0, 255),
	NUMBER("syncookies", syncookies, 0, 2),
	NUMBER("max_syn_backlog", max_syn_backlog, 0, INT_MAX),
	NUMBER("abort_on_overflow", abort_on_overflow, 0, 1),
	NUMBER("max_tw_buckets", max_tw_buckets, 0, INT_MAX),
	NUMBER("max_orphans", max_orphans, 0, INT_MAX),
	NUMBER("tw_reuse", tw_reuse, 0, 2),
	NUMBER("rfc1337", rfc1337, 0, 1),
	NUMBER("stdurg", stdurg, 0, 1),
	NUMBER("slow_start_after_idle", slow_start_after_idle, 0, 1),
	NUMBER("moderate_rcvbuf", moderate_rcvbuf, 0, 1),
	NUMBER("frto", frto, 0, 255),
	NUMBER("mtu_probing", mtu_probing, 0, 2),
	NUMBER("base_mss", base_mss, TCP_MSS_MIN, 65535),
	NUMBER("min_snd_mss", min_snd_mss, TCP_MSS_MIN, 65535),
	NUMBER("mtu_probe_floor", mtu_probe_floor, TCP_MSS_MIN, 65535),
	NUMBER("probe_interval", probe_interval, 0, INT_MAX),
	NUMBER("probe_threshold", probe_threshold, 0, INT_MAX),
	NUMBER("adv_win_scale", adv_win_scale, -31, 31),
	NUMBER("challenge_ack_limit", challenge_ack_limit, 0, INT_MAX),
	NUMBER("invalid_ratelimit", invalid_ratelimit, 0, INT_MAX),
	NUMBER("early_retrans", early_retrans, 0, 4),
	NUMBER("fastopen", fastopen, 0, 0xfff),
	NUMBER("fastopen_blackhole_timeout_sec", fastopen_blackhole_timeout_sec, 0, INT_MAX),
	NUMBER("notsent_lowat", notsent_lowat, -1, INT_MAX),
	NUMBER("tso_win_divisor", tso_win_divisor, 0, 255),
	/* kept, as sysctl.conf files set them; what they tune is not there to be tuned */
	NUMBER("fack", fack, 0, 255),
	NUMBER("recovery", recovery, 0, 255),
	NUMBER("reordering", reordering, 1, 300),
	NUMBER("max_reordering", max_reordering, 1, INT_MAX),
	NUMBER("thin_linear_timeouts", thin_linear_timeouts, 0, 1),
	NUMBER("app_win", app_win, 0, 31),
	NUMBER("limit_output_bytes", limit_output_bytes, 0, INT_MAX),
	NUMBER("min_tso_segs", min_tso_segs, 1, 255),
	NUMBER("autocorking", autocorking, 0, 1),
	NUMBER("no_metrics_save", no_metrics_save, 0, 1),
};

/* ---- congestion control, by name ---- */

static int show_default(struct seq *s)
{
	char name[TCP_CC_NAME_MAX];

	tcp_cc_default(name);
	seq_printf(s, "%s\n", name);
	return 0;
}

static int set_default(void *arg, const char *text, size_t len)
{
	char name[TCP_CC_NAME_MAX];

	if (strscpy(name, text, sizeof(name)) < 0)
		return -EINVAL;
	return tcp_cc_set_default(name);
}

static int show_names(struct seq *s)
{
	char names[NAMES_MAX];

	tcp_cc_names(names, sizeof(names), s->arg != NULL);
	seq_printf(s, "%s\n", names);
	return 0;
}

static int set_allowed(void *arg, const char *text, size_t len)
{
	return tcp_cc_set_allowed(text);
}

static struct procfile files[] = {
	{ .path = "sys/net/ipv4/tcp_congestion_control",
	  .mode = 0644,
	  .show = show_default,
	  .write = set_default },
	{ .path = "sys/net/ipv4/tcp_available_congestion_control",
	  .mode = 0444,
	  .show = show_names },
	{ .path = "sys/net/ipv4/tcp_allowed_congestion_control",
	  .mode = 0644,
	  .show = show_names,
	  .write = set_allowed,
	  .arg = (void *)1 },
};

/* ---- start and end ---- */

/* As Linux: a sixteenth of memory before anybody has to save, half as much again at most. */
static void size_memory(void)
{
	struct mem_stats m;
	u64 limit;

	mem_stats_get(&m);
	limit = max(m.total_pages / 16, (u64)MEM_MIN);
	limit = min(limit, (u64)INT_MAX / 4);
	tcp_sysctls.mem[0] = limit / 4 * 3;
	tcp_sysctls.mem[1] = limit;
	tcp_sysctls.mem[2] = tcp_sysctls.mem[0] * 2;
}

int tcp_sysctl_init(void)
{
	int err;

	size_memory();
	err = sysctl_add_all(sysctls, ARRAY_SIZE(sysctls));
	for (u32 i = 0; i < ARRAY_SIZE(files) && !err; i++)
		err = procfile_add(&files[i]);
	if (err)
		tcp_sysctl_exit();
	return err;
}

/* Also of those that init did not come to: that does nothing. */
void tcp_sysctl_exit(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(files); i++)
		procfile_remove(&files[i]);
	sysctl_remove_all(sysctls, ARRAY_SIZE(sysctls));
}
