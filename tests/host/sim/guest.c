/* SPDX-License-Identifier: MIT */
/* guest.c - the inside of a machine that a driver runs: a thread that takes jobs, and the jobs of
 * coming up and of leaving without a trace. */
#define SIM_NO_CMOCKA
#include "guest.h"

#include <core/sched.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "calls.h"
#include "machine.h"
#include "stack6.h"

#define MODULES_MAX 16
#define TIMERS 16384
#define SETTLE_NS (200 * NSEC_PER_MSEC)

static LIST_HEAD(jobs);
static struct wait_queue job_wait;
static bool job_waits;
static struct sim_irq doorbell;
static char loaded[MODULES_MAX][16];
static u32 nr_loaded;
static struct sim_nic nics[GUEST_NICS];

/* ---- jobs ---- */

static void finish(struct guest_job *j)
{
	j->done = true;
	world_wake_driver();
}

static int apart(void *arg)
{
	struct guest_job *j = arg;

	j->result = j->fn(j->arg);
	finish(j);
	return 0;
}

static void take(struct guest_job *j)
{
	if (j->apart) {
		struct thread *t = kthread_run(apart, j, "app");

		if (!IS_ERR(t)) {
			thread_put(t); /* nobody waits for its end */
			return;
		}
		j->result = -ENOMEM;
	} else {
		j->result = j->fn(j->arg);
	}
	finish(j);
}

static int serve(void *unused)
{
	machine_core_start();
	for (;;) {
		wait_event(&job_wait, READ_ONCE(job_waits));
		job_waits = false;
		while (!list_empty(&jobs)) {
			struct guest_job *j = list_first_entry(&jobs, struct guest_job, node);

			list_del(&j->node);
			take(j);
		}
	}
	return 0;
}

static void ring(void *arg)
{
	job_waits = true;
	wake_up(&job_wait);
}

static void start(u64 seed)
{
	wait_queue_init(&job_wait);
	doorbell.fn = ring;
	machine_seed(seed);
	machine_start(serve);
}

static void post(struct guest_job *j)
{
	list_add_tail(&j->node, &jobs);
	sim_irq_raise(&doorbell);
}

/* ---- up and down ---- */

static int load(const char *name)
{
	int err = sim_insmod(name, NULL);

	if (!err)
		strscpy(loaded[nr_loaded++], name, sizeof(loaded[0]));
	return err;
}

static int load_all(const char *names)
{
	static const char *const first[] = { "ip", "ethernet", "ipv4", "icmp" };
	char word[16];
	int err = 0, n;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(first) && !err; i++)
		err = load(first[i]);
	while (names && !err && sscanf(names, " %15s%n", word, &n) == 1) {
		err = load(word);
		names += n;
	}
	return err;
}

static int nic_up(struct sim_nic *n, struct guest_nic *c, u32 number)
{
	struct ifreq r = { .u.ivalue = c->mtu };
	int err;

	memset(n, 0, sizeof(*n));
	n->features = c->features;
	c->end = &n->end;
	err = sim_nic_attach(n, c->mac);
	snprintf(r.name, sizeof(r.name), "eth%u", number);
	if (!err && c->mtu)
		err = sock_ioctl(SIOCSIFMTU, &r);
	if (!err)
		err = ifconfig(r.name, c->ip, c->plen);
	if (!err && !ip_addr_is_any(&c->ip6))
		err = addr6_add(r.name, &c->ip6, 64, IFADDR_PERMANENT | IFADDR_NODAD);
	return err;
}

static void never(struct timer *t)
{
}

/* The timers' heap grows as it must and stays so: now, so that it is not taken for a leak later. */
static void grow_timers(void)
{
	static struct timer many[TIMERS];
	u32 i;

	for (i = 0; i < TIMERS; i++) {
		timer_init(&many[i], never);
		timer_set(&many[i], ktime_get() + NSEC_PER_SEC);
	}
	for (i = 0; i < TIMERS; i++)
		timer_cancel(&many[i]);
}

static long up(void *config)
{
	struct ip_addr any = ip_addr_any(AF_INET6);
	struct guest_config *c = config;
	int err;
	u32 i;

	grow_timers();
	sim_mark();
	err = load_all(c->modules);
	if (!err)
		err = ifconfig("lo", IP4(127, 0, 0, 1), 8);
	for (i = 0; i < GUEST_NICS && !err; i++)
		err = c->nic[i].mac ? nic_up(&nics[i], &c->nic[i], i) : 0;
	if (!err && c->gateway)
		err = route_default(c->gateway);
	if (!err && !ip_addr_is_any(&c->gateway6))
		err = route6_add("eth0", &any, 0, &c->gateway6);
	if (!err && c->forward)
		err = sim_write("/proc/sys/net/ipv4/ip_forward", "1");
	if (!err && c->forward && !ip_addr_is_any(&c->nic[0].ip6))
		err = sysctl6("conf/all/forwarding", "1");
	return err;
}

static long check(void *unused)
{
	u32 i;

	sim_fail_every(0);
	for (i = 0; i < GUEST_NICS; i++) {
		sim_nic_detach(&nics[i]);
		nics[i].end.link = NULL;
	}
	while (nr_loaded) {
		int err = sim_rmmod(loaded[--nr_loaded], false);

		if (err)
			sim_fatal("rmmod %s: error %d", loaded[nr_loaded], err);
	}
	if (sim_open_files())
		sim_fatal("%u files are still open", sim_open_files());
	sim_run(SETTLE_NS);
	sim_check();
	return 0;
}

static long fail(void *every)
{
	sim_fail_every(*(u32 *)every);
	return 0;
}

static long put(void *words)
{
	const char **w = words;

	return sim_write(w[0], w[1]);
}

static long get(void *words)
{
	const char **w = words;

	w[1] = sim_read(w[0]);
	return 0;
}

__attribute__((visibility("default"))) const struct guest_ops guest_ops = {
	.start = start,
	.post = post,
	.up = up,
	.check = check,
	.fail = fail,
	.write = put,
	.read = get,
	.app = &app_ops,
	.app_udp = &app_udp_ops,
};
