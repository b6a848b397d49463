/* SPDX-License-Identifier: MIT */
/* drop.c - one counter a reason and CPU, so that counting costs no shared cache line, and a trace
 * switched on per reason while the system runs. */
#include "ip.h"

static const char *const drop_names[] = {
#define DROP_NAME(id, text) text,
	DROP_REASONS(DROP_NAME)
#undef DROP_NAME
};

static u64 *drop_counts; /* per CPU, DROP_COUNT each */
static u64 drop_trace[DIV_ROUND_UP(DROP_COUNT, 64)];

const char *ip_drop_name(enum drop_reason why)
{
	return (u32)why < DROP_COUNT ? drop_names[why] : "?";
}
EXPORT(ip_drop_name);

void ip_drop_count(enum drop_reason why)
{
	u64 *counts;

	preempt_disable();
	counts = percpu_this(drop_counts);
	counts[why]++;
	preempt_enable();
}
EXPORT(ip_drop_count);

static void trace(const struct pkt *p, enum drop_reason why)
{
	static struct ratelimit rl;
	u8 head[16] = { 0 };

	if (!printk_ratelimit(&rl, "drop"))
		return;
	if (p)
		memcpy(head, p->data, min(p->len, (u32)sizeof(head)));
	pr_info("drop %s: %s type %04x len %u: %08x %08x %08x %08x\n", drop_names[why],
		p && p->nif ? p->nif->name : "-", p ? p->ethertype : 0, p ? p->len : 0,
		get_be32(head), get_be32(head + 4), get_be32(head + 8), get_be32(head + 12));
}

int ip_drop(struct pkt *p, enum drop_reason why)
{
	ip_drop_count(why);
	if (unlikely(drop_trace[why / 64] & BIT64(why % 64)))
		trace(p, why);
	if (p)
		pkt_free(p);
	return 0;
}
EXPORT(ip_drop);

u64 ip_drop_total(enum drop_reason why)
{
	u64 sum = 0;

	for (u32 cpu = 0; cpu < percpu_cpus(); cpu++) {
		u64 *counts = percpu_ptr(drop_counts, cpu);

		sum += READ_ONCE(counts[why]);
	}
	return sum;
}
EXPORT(ip_drop_total);

static int drops_show(struct seq *s)
{
	for (u32 i = 0; i < DROP_COUNT; i++)
		seq_printf(s, "%-24s %lu\n", drop_names[i], ip_drop_total(i));
	return 0;
}

static int trace_show(struct seq *s)
{
	bool any = false;

	for (u32 i = 0; i < DROP_COUNT; i++) {
		if (!(drop_trace[i / 64] & BIT64(i % 64)))
			continue;
		seq_printf(s, "%s%s", any ? " " : "", drop_names[i]);
		any = true;
	}
	seq_puts(s, any ? "\n" : "none\n");
	return 0;
}

static int find_name(const char *text, size_t len)
{
	for (u32 i = 0; i < DROP_COUNT; i++) {
		if (strlen(drop_names[i]) == len && !memcmp(drop_names[i], text, len))
			return i;
	}
	return -EINVAL;
}

/* Words: reasons, "all" or "none"; the whole set is replaced, or left alone when a word is
 * wrong. */
static int trace_write(void *arg, const char *text, size_t len)
{
	u64 set[ARRAY_SIZE(drop_trace)] = { 0 };
	size_t i = 0;

	while (i < len) {
		size_t n = 0;
		int why;

		while (i + n < len && text[i + n] != ' ' && text[i + n] != ',')
			n++;
		if (n == 3 && !memcmp(text + i, "all", 3)) {
			memset(set, 0xff, sizeof(set));
		} else if (n && !(n == 4 && !memcmp(text + i, "none", 4))) {
			why = find_name(text + i, n);
			if (why < 0)
				return why;
			set[why / 64] |= BIT64(why % 64);
		}
		i += n + 1;
	}
	memcpy(drop_trace, set, sizeof(drop_trace));
	return 0;
}

static struct procfile drops_file = {
	.path = "net/weft/drops",
	.mode = 0444,
	.show = drops_show,
};
static struct procfile trace_file = {
	.path = "sys/net/weft/drop_trace",
	.mode = 0644,
	.show = trace_show,
	.write = trace_write,
};

int drop_init(void)
{
	int err;

	drop_counts = percpu_alloc(DROP_COUNT * sizeof(u64));
	if (!drop_counts)
		return -ENOMEM;
	err = procfile_add(&drops_file);
	if (err)
		goto free_counts;
	err = procfile_add(&trace_file);
	if (err)
		goto remove_drops;
	return 0;

remove_drops:
	procfile_remove(&drops_file);
free_counts:
	percpu_free(drop_counts);
	return err;
}

void drop_exit(void)
{
	procfile_remove(&trace_file);
	procfile_remove(&drops_file);
	percpu_free(drop_counts);
}
