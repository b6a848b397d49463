/* SPDX-License-Identifier: MIT */
/* drive_matrix.c - two real stacks, or three with a router between, joined by links that a seed
 * describes; conversations whose every octet is checked; afterwards nothing may be left on either.
 *	build/sim/matrix [--pcap FILE] [--verbose] [SEED | FIRST..LAST]...
 * Each seed is a process of its own. Output is TAP; a failing seed says how to run it again. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weft/err.h>
#include <weft/string.h>

#include "host.h"
#include "plan.h"

#define IP4(a, b, c, d) ((u32)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define CLIENT IP4(10, 0, 0, 2)
#define SERVER IP4(10, 0, 0, 1)
#define NEAR_ROUTER IP4(10, 0, 0, 9)
#define FAR_ROUTER IP4(10, 0, 1, 9)
#define LOOP IP4(127, 0, 0, 1)
#define FAR_SERVER IP4(10, 0, 1, 1)
#define FIRST_PORT 2000 /* servers' */
#define CLIENT_PORT 20000
#define TIME_LIMIT (4ull * 3600 * NSEC_PER_SEC)
#define MEMORY_BACK (300 * NSEC_PER_SEC)
#define TIME_WAIT_OVER (70 * NSEC_PER_SEC)
#define ORPHANS_OVER (900 * NSEC_PER_SEC)
#define WORKERS_MAX 400
#define REAL_TIME_LIMIT 25
#define DEFAULT_SEEDS "1..63"

#define X(name, deps) #name " "
static const char all_modules[] =
#include <sim_modules.h>
	;
#undef X

static const u8 macs[4][6] = {
	{ 2, 0, 0, 0, 0, 1 }, { 2, 0, 0, 0, 0, 2 }, { 2, 0, 0, 0, 0, 3 }, { 2, 0, 0, 0, 0, 4 }
};

struct matrix {
	struct plan plan;
	struct host host[3]; /* client, server, router */
	struct host *server; /* whose programs accept */
	struct guest_config config[3];
	struct sim_link link[2];
	u32 server_addr;
	struct guest_job *jobs[2];
	struct app_worker *workers;
	int *listeners;
	u32 nr_listeners;
	/* by version; a client and an echo server each */
	struct app_datagrams udp[2][2];
	struct guest_job udp_jobs[2][2];
	char text[512], banner[1200];
};

static const char *pcap;
static bool verbose, have_tcp, have_udp;

/* The IPv6 address beside an IPv4 one: the same, behind 2001:db8:0:NET::. */
static struct ip_addr address(u32 ip, bool six)
{
	struct ip_addr a = ip_addr_v4(ip);

	if (!six)
		return a;
	if (ip == LOOP)
		return (struct ip_addr){ .b = { [15] = 1 } };
	a.w[0] = htonl(0x20010db8);
	a.w[1] = htonl(ip >> 8 & 0xff);
	a.w[2] = 0;
	return a;
}

static void fail(struct matrix *m, const char *what, long v)
{
	fprintf(stderr, "%s: %ld\n", what, v);
	fprintf(stderr, "%s\n", m->banner);
	_exit(1);
}

/* ---- up ---- */

static bool module_exists(const char *name)
{
	char word[32];

	snprintf(word, sizeof(word), "%s ", name);
	return strstr(all_modules, word) != NULL;
}

static void choose_modules(char *text, size_t size, bool six)
{
	static const char *const names[] = { "ipv6", "udp", "tcp", "tcp_cubic", "tcp_reno" };
	u32 i;

	text[0] = 0;
	for (i = !six; i < ARRAY_SIZE(names); i++) {
		if (!module_exists(names[i]))
			continue;
		snprintf(text + strlen(text), size - strlen(text), "%s ", names[i]);
	}
	have_udp = module_exists("udp");
	have_tcp = module_exists("tcp");
}

static void join(struct matrix *m, u32 n, struct guest_nic *a, struct guest_nic *b)
{
	struct sim_link *l = &m->link[n];

	sim_link_init(l, a->end, b->end);
	*l = m->plan.faults;
	l->end[0] = a->end;
	l->end[1] = b->end;
	if (pcap && !n && !sim_link_trace(l, pcap))
		perror(pcap);
}

static struct guest_nic nic_of(u32 station, u32 ip, u32 features)
{
	return (struct guest_nic){
		.mac = macs[station], .ip = ip, .plen = 24, .features = features
	};
}

/* Everybody has IPv6 addresses as well. */
static void configure_ipv6(struct guest_config *c)
{
	u32 i;

	for (i = 0; i < GUEST_NICS; i++) {
		if (c->nic[i].mac)
			c->nic[i].ip6 = address(c->nic[i].ip, true);
	}
	if (c->gateway)
		c->gateway6 = address(c->gateway, true);
	if (!c->modules)
		c->modules = "ipv6";
}

/* The links are good until everybody is configured. */
static void machines_up(struct matrix *m)
{
	static char modules[128];
	struct plan *p = &m->plan;
	bool routed = p->nr_links == 2, six = p->ip != PLAN_IPV4;
	u32 i, nr = routed ? 3 : 2;
	long err;

	choose_modules(modules, sizeof(modules), six);
	m->server = &m->host[p->kind != PLAN_LOCAL];
	m->server_addr = routed ? FAR_SERVER : SERVER;
	m->config[0].nic[0] = nic_of(0, CLIENT, p->features[0]);
	m->config[1].nic[0] = nic_of(1, m->server_addr, p->features[1]);
	if (routed) {
		m->config[0].gateway = NEAR_ROUTER;
		m->config[1].gateway = FAR_ROUTER;
		m->config[2].nic[0] = nic_of(2, NEAR_ROUTER, 0);
		m->config[2].nic[1] = nic_of(3, FAR_ROUTER, 0);
		m->config[2].nic[1].mtu = p->far_mtu; /* only the router knows */
		m->config[2].forward = true;
	}
	for (i = 0; i < nr; i++) {
		if (i < 2)
			m->config[i].modules = modules;
		if (six)
			configure_ipv6(&m->config[i]);
		host_load(&m->host[i], i, p->seed * 4 + i);
		err = host_call(&m->host[i], m->host[i].ops->up, &m->config[i]);
		if (err)
			fail(m, "a machine did not come up", err);
	}
	join(m, 0, &m->config[0].nic[0], &m->config[routed ? 2 : 1].nic[0]);
	if (routed)
		join(m, 1, &m->config[2].nic[1], &m->config[1].nic[0]);
}

static void set_failures(struct matrix *m, u32 every)
{
	u32 i;

	for (i = 0; i < 2; i++)
		host_call(&m->host[i], m->host[i].ops->fail, &every);
}

/* ---- conversations ---- */

static void open_listeners(struct matrix *m)
{
	struct plan *p = &m->plan;
	u32 i, n = p->shared_listener ? 1 : p->nr;

	m->listeners = calloc(n, sizeof(int));
	for (i = 0; i < n; i++) {
		const struct app *a = &p->talk[i].end[1];
		struct app_listen l = { .af = a->af,
					.addr = p->ip == PLAN_MIXED ? ip_addr_any(AF_INET6) :
								      a->local,
					.port = FIRST_PORT + i,
					.backlog = p->backlog,
					.rcvbuf = n > 1 ? a->rcvbuf : 0,
					.sndbuf = n > 1 ? a->sndbuf : 0 };
		long fd = host_call(m->server, m->server->ops->app->listen, &l);

		if (fd < 0)
			fail(m, "no listener", fd);
		m->listeners[i] = fd;
	}
	m->nr_listeners = n;
}

static void start_servers(struct matrix *m)
{
	struct plan *p = &m->plan;
	u32 i;

	m->workers = calloc(p->nr, sizeof(*m->workers));
	for (i = 0; i < p->nr; i++) {
		struct conversation *c = &p->talk[i];
		bool shared = p->shared_listener;

		m->jobs[1][i].done = true;

		if (c->end[1].simultaneous) {
			host_spawn(m->server, &m->jobs[1][i], m->server->ops->app->connect,
				   &c->end[1]);
			continue;
		}
		if (shared && i >= WORKERS_MAX)
			continue;
		m->workers[i] =
			(struct app_worker){ .listener = m->listeners[shared ? 0 : i],
					     .end = shared ? &p->talk[0].end[1] : &c->end[1],
					     .stride = sizeof(*c),
					     .nr_ends = shared ? p->nr : 1,
					     .first_port = CLIENT_PORT };
		host_spawn(m->server, &m->jobs[1][i], m->server->ops->app->serve, &m->workers[i]);
	}
}

static void start_clients(struct matrix *m)
{
	struct plan *p = &m->plan;
	u32 i;

	for (i = 0; i < p->nr; i++)
		host_spawn(&m->host[0], &m->jobs[0][i], m->host[0].ops->app->connect,
			   &p->talk[i].end[0]);
}

static void set_addresses(struct matrix *m)
{
	struct plan *p = &m->plan;
	u32 i;

	for (i = 0; i < p->nr; i++) {
		struct app *c = &p->talk[i].end[0], *s = &p->talk[i].end[1];
		bool both = c->simultaneous, six = p->talk[i].six;

		c->local = s->remote = address(p->kind == PLAN_LOCAL ? LOOP : CLIENT, six);
		c->remote = s->local = address(p->kind == PLAN_LOCAL ? LOOP : m->server_addr, six);
		c->af = six || (p->ip == PLAN_MIXED && i % 3 == 0) ? AF_INET6 : AF_INET;
		s->af = p->ip == PLAN_MIXED ? AF_INET6 : c->af;
		c->remote_port = FIRST_PORT + (p->shared_listener && !both ? 0 : i);
		c->local_port = p->shared_listener || both ? CLIENT_PORT + i : 0;
		s->remote_port = c->local_port;
		s->local_port = c->remote_port;
		if (both) /* away from the listeners */
			c->remote_port = s->local_port = FIRST_PORT + CONVERSATIONS_MAX + i;
	}
}

static bool all_done(const struct guest_job *jobs, u32 n)
{
	u32 i;

	for (i = 0; i < n && jobs[i].done; i++)
		;
	return i == n;
}

/* The connections there are, as the machines see them. */
static void show_tables(struct matrix *m)
{
	u32 i;

	for (i = 0; i < 4; i++) {
		const char *file[2] = { i & 1 ? "/proc/net/tcp6" : "/proc/net/tcp", NULL };
		struct host *h = &m->host[i / 2];

		host_call(h, h->ops->read, file);
		fprintf(stderr, "%s of %s:\n%.6000s", file[0], i / 2 ? "the server" : "the client",
			file[1] ? file[1] : "(not there)\n");
	}
}

/* Runs until the jobs are done. */
static void wait_for(struct matrix *m, const struct guest_job *jobs, u32 n, const char *who)
{
	u64 start = sim_now();
	u32 i, shown = 0;

	while (!all_done(jobs, n)) {
		world_run(NSEC_PER_SEC);
		if (m->plan.fail_every && sim_now() - start > MEMORY_BACK) {
			set_failures(m, 0);
			m->plan.fail_every = 0;
		}
		if (sim_now() - start < TIME_LIMIT)
			continue;
		for (i = 0; i < n; i++) {
			struct conversation *c = &m->plan.talk[i];

			if (jobs[i].done || shown++ > 5)
				continue;
			fprintf(stderr, "%s %u: up %lu of %lu (%lu read), down %lu of %lu (%lu)\n",
				who, i, c->end[0].written, c->up.bytes, c->end[1].read,
				c->end[1].written, c->down.bytes, c->end[0].read);
		}
		show_tables(m);
		fail(m, "stuck", shown);
	}
}

static bool serving(const struct plan *p, u32 i)
{
	const struct app *c = &p->talk[i].end[0], *s = &p->talk[i].end[1];

	return c->connected && s->connected && !s->done_ns;
}

/* Servers may still have something to send or to find out when the clients are through. */
static void wait_for_servers(struct matrix *m)
{
	u64 start = sim_now();
	u32 i = 0;

	while (i < m->plan.nr && sim_now() - start < TIME_LIMIT) {
		if (serving(&m->plan, i))
			world_run(100 * NSEC_PER_MSEC);
		else
			i++;
	}
}

static void talk(struct matrix *m)
{
	u32 i;

	for (i = 0; i < 2; i++)
		m->jobs[i] = calloc(m->plan.nr, sizeof(struct guest_job));
	set_addresses(m);
	open_listeners(m);
	start_servers(m);
	world_run(NSEC_PER_MSEC);
	start_clients(m);
	world_run(NSEC_PER_USEC); /* everybody has a thread */
	if (m->plan.fail_every)
		set_failures(m, m->plan.fail_every);
	wait_for(m, m->jobs[0], m->plan.nr, "client");
	wait_for_servers(m);
	set_failures(m, 0);
	for (i = 0; i < m->nr_listeners; i++)
		host_call(m->server, m->server->ops->app->close, &m->listeners[i]);
	wait_for(m, m->jobs[1], m->plan.nr, "server");
}

/* ---- datagrams beside them ---- */

static bool has_version(const struct matrix *m, bool six)
{
	return m->plan.ip == PLAN_MIXED || six == (m->plan.ip == PLAN_IPV6);
}

/* Where there are both versions, the server for IPv4 has a socket of IPv6. */
static void datagrams_start_over(struct matrix *m, bool six)
{
	struct app_datagrams *udp = m->udp[six];
	struct guest_job *jobs = m->udp_jobs[six];
	u32 i;

	for (i = 0; i < 2; i++)
		udp[i] = (struct app_datagrams){ .af = six || (i && m->plan.ip == PLAN_MIXED) ?
							       AF_INET6 :
							       AF_INET,
						 .local = address(i ? m->server_addr : CLIENT, six),
						 .remote = address(m->server_addr, six),
						 .port = 7,
						 .key = m->plan.seed * 977 + six,
						 .count = 200,
						 .gap_us = 3000,
						 .linger_ms = 5000 };
	host_spawn(&m->host[1], &jobs[1], m->host[1].ops->app_udp->echo, &udp[1]);
	host_spawn(&m->host[0], &jobs[0], m->host[0].ops->app_udp->send, &udp[0]);
}

static void datagrams_end_over(struct matrix *m, bool six)
{
	const struct sim_link *l = &m->plan.faults;
	bool good = !l->loss && !l->corrupt && !l->rate && m->plan.nr_links == 1 &&
		    m->plan.kind != PLAN_NO_MEMORY;
	struct app_datagrams *udp = m->udp[six];
	struct guest_job *jobs = m->udp_jobs[six];

	while (!jobs[0].done)
		world_run(100 * NSEC_PER_MSEC);
	udp[1].stop = true;
	while (!jobs[1].done)
		world_run(100 * NSEC_PER_MSEC);
	if (udp[0].wrong)
		fail(m, "datagrams came back with other contents", udp[0].wrong);
	/* a few wait for a neighbour, and not all can */
	if (good && udp[0].received * 10 < udp[0].sent * 9)
		fail(m, "datagrams were lost on a good link", udp[0].received);
}

static void datagrams(struct matrix *m, void (*fn)(struct matrix *m, bool six))
{
	u32 six;

	for (six = 0; six < 2; six++) {
		if (have_udp && has_version(m, six))
			fn(m, six);
	}
}

/* ---- judgement ---- */

static bool whole(const struct app *a)
{
	return a->connected && !a->error && a->saw_end && a->read == a->in->bytes &&
	       a->written == a->out->bytes;
}

static void complain(struct matrix *m, u32 i, const char *what)
{
	struct conversation *c = &m->plan.talk[i];
	u32 k;

	for (k = 0; k < 2; k++) {
		struct app *a = &c->end[k];

		fprintf(stderr,
			"  %s: %sconnected, wrote %lu of %lu, read %lu of %lu, end %s, error %d "
			"%s%s, wrong at %ld\n",
			k ? "server" : "client", a->connected ? "" : "not ", a->written,
			a->out->bytes, a->read, a->in->bytes, a->saw_end ? "seen" : "not seen",
			a->error, a->where ? a->where : "", a->again ? ", again" : "",
			(long)a->wrong_at - 1);
	}
	fail(m, what, i);
}

/* A short queue that overflows answers with SYN cookies, which leave no trace behind: when the ACK
 * that brings one back finds no room, or comes behind the data, the peer is reset. */
static bool turned_away(const struct plan *p, const struct app *c)
{
	return p->shared_listener && p->backlog < 100 && c->error == -ECONNRESET;
}

/* How many conversations did not come to their end, where that may be. */
static u32 judge(struct matrix *m)
{
	u32 i, broken = 0;

	for (i = 0; i < m->plan.nr; i++) {
		struct app *c = &m->plan.talk[i].end[0], *s = &m->plan.talk[i].end[1];
		bool abrupt = c->end != APP_FINISH || s->end != APP_FINISH;

		if (c->wrong_at || s->wrong_at)
			complain(m, i, "wrong octets in conversation");
		if (whole(c) && whole(s))
			continue;
		broken++;
		if (!abrupt && m->plan.kind != PLAN_NO_MEMORY && !c->simultaneous &&
		    !turned_away(&m->plan, c))
			complain(m, i, "not whole: conversation");
	}
	return broken;
}

/* Connections that a machine still keeps, TIME-WAIT and orphans among them. */
static u32 kept_by(struct matrix *m, u32 i)
{
	const char *file[2] = { "/proc/net/sockstat", NULL }, *tcp;
	int inuse = 0, orphan = 0, tw = 0;

	host_call(&m->host[i], m->host[i].ops->read, file);
	tcp = file[1] ? strstr(file[1], "TCP:") : NULL;
	if (!tcp || sscanf(tcp, "TCP: inuse %d orphan %d tw %d", &inuse, &orphan, &tw) < 3)
		return 0;
	return inuse + orphan + tw;
}

/* Orphans whose peer does not answer any more take their time. */
static void nothing_left(struct matrix *m)
{
	u32 i, nr = m->plan.nr_links == 2 ? 3 : 2;
	u64 start = sim_now();

	world_run(TIME_WAIT_OVER);
	for (i = 0; i < 2 && have_tcp; i++) {
		while (kept_by(m, i) && sim_now() - start < ORPHANS_OVER)
			world_run(NSEC_PER_SEC);
		if (kept_by(m, i))
			fail(m, "connections are left", kept_by(m, i));
	}
	for (i = 0; i < nr; i++)
		host_call(&m->host[i], m->host[i].ops->check, NULL);
}

static void run(u64 seed)
{
	static struct matrix m;
	u32 broken = 0;
	u64 start;

	plan_draw(&m.plan, seed, module_exists("ipv6"));
	plan_print(&m.plan, m.text, sizeof(m.text));
	snprintf(m.banner, sizeof(m.banner),
		 "# seed %lu, %s\n# again: build/sim/matrix "
		 "--pcap build/sim/%lu.pcap %lu",
		 seed, m.text, seed, seed);
	world_banner = m.banner;
	machines_up(&m);
	start = sim_now();
	datagrams(&m, datagrams_start_over);
	if (have_tcp) {
		talk(&m);
		broken = judge(&m);
	}
	datagrams(&m, datagrams_end_over);
	if (verbose)
		fprintf(stderr,
			"# %s\n# %lu s simulated, %u not whole, %lu lost, %lu queue full, "
			"%u of %u datagrams back\n",
			m.text, (u64)((sim_now() - start) / NSEC_PER_SEC), broken, m.link[0].lost,
			m.link[0].tail_dropped, m.udp[0][0].received + m.udp[1][0].received,
			m.udp[0][0].sent + m.udp[1][0].sent);
	nothing_left(&m);
	sim_link_trace_end(&m.link[0]);
	_exit(0);
}

/* ---- seeds ---- */

static u32 number, failed;

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Time stands still: somebody runs in circles. */
static void on_alarm(int signal)
{
	fprintf(stderr, "no end after %d s\n", REAL_TIME_LIMIT);
	world_die();
}

static void try(u64 seed)
{
	double start = seconds();
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGALRM, on_alarm);
		alarm(REAL_TIME_LIMIT);
		run(seed);
	}
	waitpid(pid, &status, 0);
	failed += status != 0;
	if (WIFSIGNALED(status))
		fprintf(stderr, "ended by signal %d\n", WTERMSIG(status));
	printf("%s %u - seed %lu, %.1f s\n", status ? "not ok" : "ok", ++number, seed,
	       seconds() - start);
	fflush(stdout);
}

static void try_range(const char *text)
{
	unsigned long first, last;

	switch (sscanf(text, "%lu..%lu", &first, &last)) {
	case 1:
		last = first;
		/* fall through */
	case 2:
		for (; first <= last; first++)
			try(first);
		return;
	}
	fprintf(stderr, "%s is no seed\n", text);
	exit(2);
}

int main(int argc, char **argv)
{
	bool given = false;
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--pcap") && i + 1 < argc) {
			pcap = argv[++i];
		} else if (!strcmp(argv[i], "--verbose")) {
			verbose = true;
		} else {
			given = true;
			try_range(argv[i]);
		}
	}
	if (!given)
		try_range(DEFAULT_SEEDS);
	return failed != 0;
}
