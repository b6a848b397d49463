/* SPDX-License-Identifier: MIT */
/* listener_cases.h - what holds of IGMP and of MLD alike, for RFC 9776 and RFC 9777 describe one
 * machine. A test includes it behind its own functions, which speak its family's packets and are
 * called the same in both:
 *
 *	GROUP, GROUP2, UNKNOWN, EVERY_GROUP	groups, and a general query's
 *	NEWEST, OLDER, OLDER_REPORT		versions, and what the older one's reports begin
 *with NEWEST_ROUTERS, ROUTERS			who hears reports, and older departures setup,
 *teardown, sock			the host, with UDP; a socket change(s, what, group, n)
 *the socket option about source n query(group, version, ms, nr, sources, lies) heard(to)
 *the next message, or NULL
 *	heard_record(type, group, nr, sources)	it is a newest report of this alone
 *	records_of(message, group, type)	how many it has
 *	speak_older, other_reports		the host's version; another host's report on GROUP
 *	check_shown(nr)				what /proc says of GROUP with sources 1 to nr */
#pragma once

static void heard_nothing(void)
{
	assert_null(heard(NEWEST_ROUTERS));
}

static void settle(void)
{
	sim_run_s(5);
	peer_forget(&peer);
}

static struct socket *setup_member(void)
{
	struct socket *s;

	setup();
	s = sock();
	assert_int_equal(change(s, JOIN, GROUP, 0), 0);
	settle();
	return s;
}

static void done(struct socket *s)
{
	sock_close(s);
	teardown();
}

static void joins_and_leaves_are_told_twice(void **state)
{
	struct socket *s;
	u32 i;

	setup();
	s = sock();
	assert_int_equal(change(s, JOIN, GROUP, 0), 0);
	sim_run_ms(2);
	heard_record(TO_EX, GROUP, 0, NULL);
	heard_nothing();
	sim_run_ms(1100);
	heard_record(TO_EX, GROUP, 0, NULL);
	sim_run_s(20);
	heard_nothing();
	assert_int_equal(change(s, JOIN, GROUP, 0), -EADDRINUSE);
	assert_int_equal(change(s, LEAVE, GROUP, 0), 0);
	for (i = 0; i < 2; i++) {
		sim_run_ms(1100);
		heard_record(TO_IN, GROUP, 0, NULL);
	}
	sim_run_s(20);
	heard_nothing();
	assert_int_equal(change(s, LEAVE, GROUP, 0), -EADDRNOTAVAIL);
	done(s);
}

static void close_leaves(void **state)
{
	struct socket *a = setup_member(), *b = sock();

	change(b, JOIN, GROUP, 0);
	settle();
	sock_close(a);
	sim_run_s(5);
	heard_nothing(); /* b is still there */
	sock_close(b);
	sim_run_ms(2);
	heard_record(TO_IN, GROUP, 0, NULL);
	teardown();
}

static void general_query_is_answered_in_time(void **state)
{
	struct socket *s = setup_member();
	const u8 *m;

	change(s, JOIN, GROUP2, 0);
	settle();
	query(EVERY_GROUP, NEWEST, 5000, 0, NULL, 0);
	sim_run_ms(5000);
	m = heard(NEWEST_ROUTERS);
	assert_non_null(m);
	assert_int_equal(records_of(m, GROUP, IS_EX), 1); /* all in one */
	assert_int_equal(records_of(m, GROUP2, IS_EX), 1);
	heard_nothing();
	query(GROUP, NEWEST, 1000, 0, NULL, 0);
	sim_run_ms(1000);
	heard_record(IS_EX, GROUP, 0, NULL);
	query(UNKNOWN, NEWEST, 1000, 0, NULL, 0);
	sim_run_ms(1100);
	heard_nothing();
	done(s);
}

/* However often it is asked: a bounded number of answers. */
static void a_flood_of_queries_is_answered_seldom(void **state)
{
	struct socket *s = setup_member();
	u32 i, n = 0;

	for (i = 0; i < 1000; i++) {
		query(EVERY_GROUP, NEWEST, 0, 0, NULL, 0);
		query(GROUP, NEWEST, 0, 0, NULL, 0);
	}
	while (heard(NEWEST_ROUTERS))
		n++;
	assert_in_range(n, 10, 240); /* of two seconds */
	done(s);
}

static void sources_are_told(void **state)
{
	static const u8 s12[] = { 1, 2 }, asked[] = { 2, 7 };
	struct socket *s;

	setup();
	s = sock();
	assert_int_equal(change(s, JOIN_SOURCE, GROUP, 1), 0);
	sim_run_ms(2);
	heard_record(ALLOW, GROUP, 1, s12);
	sim_run_s(2);
	heard_record(ALLOW, GROUP, 1, s12);
	assert_int_equal(change(s, JOIN_SOURCE, GROUP, 2), 0);
	assert_int_equal(change(s, JOIN_SOURCE, GROUP, 2), -EADDRNOTAVAIL);
	assert_int_equal(change(s, BLOCK_SOURCE, GROUP, 3), -EINVAL);
	sim_run_s(2);
	heard_record(ALLOW, GROUP, 1, s12 + 1);
	heard_record(ALLOW, GROUP, 1, s12 + 1);
	query(GROUP, NEWEST, 1000, 0, NULL, 0);
	sim_run_ms(1000);
	heard_record(IS_IN, GROUP, 2, s12);
	query(GROUP, NEWEST, 1000, 2, asked, 0);
	sim_run_ms(1000);
	heard_record(IS_IN, GROUP, 1, asked);
	check_shown(2);
	assert_int_equal(change(s, LEAVE_SOURCE, GROUP, 1), 0);
	sim_run_s(2);
	heard_record(BLOCK, GROUP, 1, s12);
	heard_record(BLOCK, GROUP, 1, s12);
	assert_int_equal(change(s, LEAVE_SOURCE, GROUP, 2), 0);
	sim_run_ms(2);
	heard_record(BLOCK, GROUP, 1, s12 + 1);
	check_shown(0);
	done(s);
}

/* What is said of GROUP when nothing has changed lately. */
static void stands(u8 type, u32 nr, const u8 *sources)
{
	settle();
	query(GROUP, NEWEST, 100, 0, NULL, 0);
	sim_run_ms(200);
	heard_record(type, GROUP, nr, sources);
}

static void filters_are_merged(void **state)
{
	static const u8 s1[] = { 1 }, s2[] = { 2 };
	struct socket *a, *b;

	/* all but 1 and 2; all but 2: all but 2 */
	a = setup_member();
	b = sock();
	change(a, BLOCK_SOURCE, GROUP, 1);
	change(a, BLOCK_SOURCE, GROUP, 2);
	change(b, JOIN, GROUP, 0);
	change(b, BLOCK_SOURCE, GROUP, 2);
	stands(IS_EX, 1, s2);
	/* and one who wants 2 alone: everything but 1 */
	sock_close(b);
	b = sock();
	change(b, JOIN_SOURCE, GROUP, 2);
	stands(IS_EX, 1, s1);
	sock_close(a);
	stands(IS_IN, 1, s2);
	done(b);
}

/* Before the newest version: who hears another's report keeps quiet, and leaves quietly. */
static void others_speak_first(void **state)
{
	struct socket *s;

	setup();
	speak_older();
	s = sock();
	change(s, JOIN, GROUP, 0);
	sim_run_ms(2);
	assert_int_equal(heard(GROUP)[0], OLDER_REPORT);
	query(GROUP, OLDER, 10000, 0, NULL, 0);
	other_reports();
	sim_run_s(11);
	assert_null(heard(GROUP));
	change(s, LEAVE, GROUP, 0);
	sim_run_s(2);
	assert_null(heard(ROUTERS));
	done(s);
}

/* clang-format off */
#define LISTENER_CASES                                           \
	cmocka_unit_test(joins_and_leaves_are_told_twice),       \
	cmocka_unit_test(close_leaves),                          \
	cmocka_unit_test(general_query_is_answered_in_time),     \
	cmocka_unit_test(a_flood_of_queries_is_answered_seldom), \
	cmocka_unit_test(sources_are_told),                      \
	cmocka_unit_test(filters_are_merged),                    \
	cmocka_unit_test(others_speak_first)
/* clang-format on */
