/* SPDX-License-Identifier: MIT */
/* test_sim_route.c - the longest-prefix table against a list that is searched from end to end, with
 * random routes and addresses; and routes over interfaces that come and go. */
#include "stack.h"

#define MODEL_MAX 400

struct model_route {
	u32 prefix, gateway, metric;
	u8 plen, type;
};

static struct model_route model[MODEL_MAX];
static u32 nr_model;

static void setup(void)
{
	assert_int_equal(stack_up(), 0);
}

static u32 mask_of(u32 plen)
{
	return plen ? 0xffffffffu << (32 - plen) : 0;
}

static struct route spec_of(const struct model_route *m)
{
	return (struct route){
		.af = AF_INET,
		.plen = m->plen,
		.type = m->type,
		.metric = m->metric,
		.prefix = ip_addr_v4(m->prefix),
		.gateway = ip_addr_v4(m->gateway),
		.source = ip_addr_any(AF_INET),
		.flags = RTF_UP,
		.nif = m->type == ROUTE_UNICAST ? nic.nif : NULL,
	};
}

/* The table may hold several routes to one prefix, told apart by their metric here. */
static bool same(const struct model_route *a, const struct model_route *b)
{
	return a->prefix == b->prefix && a->plen == b->plen && a->metric == b->metric;
}

/* Few prefixes under one another, so that they nest. */
static u32 random_address(void)
{
	static const u8 bytes[] = { 0, 1, 64, 128, 192, 255 };
	u32 i, a = 0;

	for (i = 0; i < 3; i++)
		a = a << 8 | bytes[sim_random() % ARRAY_SIZE(bytes)];
	return 0x14000000 | a;
}

static void add_one(void)
{
	struct model_route m = { .plen = 1 + sim_random() % 32,
				 .metric = 1 + sim_random() % 3,
				 .type = sim_random() % 8 ? ROUTE_UNICAST : ROUTE_REJECT };
	struct route spec;
	u32 i;

	m.prefix = random_address() & mask_of(m.plen);
	if (m.type == ROUTE_UNICAST && sim_random() % 2)
		m.gateway = IP4(10, 0, 0, 10) + sim_random() % 5;
	for (i = 0; i < nr_model; i++)
		if (same(&model[i], &m))
			return;
	spec = spec_of(&m);
	netif_lock();
	assert_int_equal(route_add(&spec), 0);
	assert_int_equal(route_add(&spec), -EEXIST);
	netif_unlock();
	model[nr_model++] = m;
}

static void remove_one(void)
{
	u32 i = sim_random() % nr_model;
	struct route spec = spec_of(&model[i]);

	netif_lock();
	assert_int_equal(route_del(&spec), 0);
	assert_int_equal(route_del(&spec), -ESRCH);
	netif_unlock();
	model[i] = model[--nr_model];
}

/* Longest prefix, then least metric; of equals any. */
static void look_up_one(void)
{
	u32 addr = random_address() | sim_random() % 4, i;
	struct ip_addr dst = ip_addr_v4(addr);
	struct route_result res;
	int best_len = -1, err;
	u32 best_metric = 0;
	bool found = false;

	for (i = 0; i < nr_model; i++) {
		if ((addr & mask_of(model[i].plen)) != model[i].prefix)
			continue;
		if (model[i].plen > best_len ||
		    (model[i].plen == best_len && model[i].metric < best_metric)) {
			best_len = model[i].plen;
			best_metric = model[i].metric;
		}
	}
	rcu_read_lock();
	err = route_lookup(&dst, 0, &res);
	rcu_read_unlock();
	if (best_len < 0) {
		/* the default route */
		assert_int_equal(err, 0);
		assert_int_equal(res.plen, 0);
		return;
	}
	assert_int_equal(res.plen, best_len);
	for (i = 0; i < nr_model && !found; i++) {
		const struct model_route *m = &model[i];

		if ((addr & mask_of(m->plen)) != m->prefix || m->plen != best_len ||
		    m->metric != best_metric)
			continue;
		if (err)
			found = err == -EHOSTUNREACH && m->type == ROUTE_REJECT;
		else
			found = m->type == ROUTE_UNICAST &&
				ip_addr_to_v4(&res.next_hop) == (m->gateway ? m->gateway : addr);
	}
	assert_true(found);
}

static void longest_prefix_as_a_list_has_it(void **state)
{
	u32 round, i;

	setup();
	nr_model = 0;
	for (round = 0; round < 3000; round++) {
		if (nr_model < MODEL_MAX - 1 && (nr_model < 10 || sim_random() % 100 < 55))
			add_one();
		for (i = 0; i < 5; i++)
			look_up_one();
		if (nr_model > 300)
			while (nr_model > 50)
				remove_one();
	}
	stack_down();
}

static u32 lines(const char *text)
{
	u32 n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void routes_sleep_while_the_interface_is_down(void **state)
{
	struct ip_addr far = ip_addr_v4(IP4(192, 0, 2, 1)), near = ip_addr_v4(PEER);
	struct ip_addr own = ip_addr_v4(HOST);
	struct route_result res;

	setup();
	assert_int_equal(lines(sim_read("/proc/net/route")), 3);
	assert_int_equal(route_lookup(&far, 0, &res), 0);
	assert_int_equal(ip_addr_to_v4(&res.next_hop), PEER);
	ifconfig_down("eth0");
	assert_int_equal(route_lookup(&far, 0, &res), -ENETUNREACH);
	assert_int_equal(route_lookup(&near, 0, &res), -ENETUNREACH);
	/* an address stays ours */
	assert_int_equal(route_lookup(&own, 0, &res), 0);
	assert_int_equal(res.type, ROUTE_LOCAL);
	assert_int_equal(ifconfig("eth0", HOST, 24), 0);
	assert_int_equal(route_lookup(&near, 0, &res), 0);
	sim_nic_detach(&nic);
	assert_int_equal(route_lookup(&own, 0, &res), -ENETUNREACH);
	stack_down();
}

static void classify_what_is_ours(void **state)
{
	static const struct {
		u32 addr;
		enum route_type type;
	} cases[] = {
		{ HOST, ROUTE_LOCAL },
		{ PEER, ROUTE_UNICAST },
		{ HOST_BROADCAST, ROUTE_BROADCAST },
		{ IP4(127, 0, 0, 1), ROUTE_LOCAL },
		{ IP4(127, 255, 255, 254), ROUTE_LOCAL },
		{ IP4(192, 0, 2, 1), ROUTE_UNICAST },
		{ IP4(10, 0, 0, 3), ROUTE_UNICAST },
	};
	u32 i;

	setup();
	assert_int_equal(ifconfig("lo", IP4(127, 0, 0, 1), 8), 0);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip_addr a = ip_addr_v4(cases[i].addr);

		assert_int_equal(route_classify(&a), cases[i].type);
	}
	stack_down();
}

/* RFC 1122 3.3.4.3: who sends through an interface without an address uses another's. */
static void source_of_another_interface(void **state)
{
	static const u8 mac[2][6] = { { 2, 0, 0, 0, 0, 1 }, { 2, 0, 0, 0, 0, 2 } };
	static struct sim_nic second, third;
	struct flow f = { .dst = ip_addr_v4(IP4(172, 16, 0, 1)), .flags = FLOW_PARK };

	setup();
	memset(&second, 0, sizeof(second));
	memset(&third, 0, sizeof(third));
	assert_int_equal(sim_nic_attach(&second, mac[0]), 0);
	assert_int_equal(sim_nic_attach(&third, mac[1]), 0);
	assert_int_equal(ifconfig("eth1", IP4(10, 1, 0, 2), 24), 0);
	netif_lock();
	assert_int_equal(netif_up(third.nif), 0);
	f.oif = third.nif->index;
	netif_unlock();
	/* the first has lost its driver: it does not count, nor hide the others */
	sim_nic_detach(&nic);
	assert_int_equal(ip_flow_check(&f, 0, NULL), 0);
	assert_int_equal(ip_addr_to_v4(&f.saddr), IP4(10, 1, 0, 2));
	sim_nic_detach(&second);
	sim_nic_detach(&third);
	stack_down();
}

static void note_order(const struct route *r, void *arg)
{
	struct ip_addr *last = arg;

	if (r->type != ROUTE_UNICAST)
		return;
	assert_true(memcmp(last->b, r->prefix.b, 16) <= 0);
	*last = r->prefix;
}

static void count_to(const struct route *r, void *arg)
{
	*(struct ip_addr *)arg = r->gateway;
}

/* They are shown in order, whatever order they came in; of equal ones the oldest goes first. */
static void many_in_any_order(void **state)
{
	struct route r = { .af = AF_INET, .plen = 32, .type = ROUTE_UNICAST, .flags = RTF_UP };
	struct ip_addr last = { 0 }, seen;
	u32 i;

	setup();
	netif_lock();
	r.nif = netif_by_name("eth0");
	r.source = ip_addr_any(AF_INET);
	for (i = 0; i < 2000; i++) {
		r.gateway = ip_addr_v4(PEER);
		r.prefix = ip_addr_v4(IP4(172, 16, 0, 0) + i * 1237 % 2000);
		assert_int_equal(route_add(&r), 0);
		r.gateway = ip_addr_v4(PEER + 2);
		assert_int_equal(route_add(&r), 0);
	}
	route_for_each(AF_INET, note_order, &last);
	for (i = 0; i < 2000; i++) {
		r.gateway = ip_addr_any(AF_INET);
		r.prefix = ip_addr_v4(IP4(172, 16, 0, 0) + i);
		assert_int_equal(route_del(&r), 0);
		route_for_each_to(AF_INET, &r.prefix, 32, count_to, &seen);
		assert_int_equal(ip_addr_to_v4(&seen), PEER + 2);
		assert_int_equal(route_del(&r), 0);
		assert_int_equal(route_del(&r), -ESRCH);
	}
	netif_unlock();
	stack_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_prefix_as_a_list_has_it),
		cmocka_unit_test(routes_sleep_while_the_interface_is_down),
		cmocka_unit_test(classify_what_is_ours),
		cmocka_unit_test(source_of_another_interface),
		cmocka_unit_test(many_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
