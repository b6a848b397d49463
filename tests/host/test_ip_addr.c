/* SPDX-License-Identifier: MIT */
/* test_ip_addr.c - addresses as text and as prefixes. */
/* sources: modules/ip/addr.c kernel/lib/printf.c kernel/lib/string.c */
/* cflags: -include tests/host/own_names.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <weft/net/addr.h>
#include <weft/string.h>

static void text_round_trip(void **state)
{
	static const char *const same[] = {
		"0.0.0.0",
		"10.0.2.15",
		"255.255.255.255",
		"::",
		"::1",
		"1::",
		"fe80::1:2",
		"2001:db8::8:800:200c:417a",
		"1:2:3:4:5:6:7:8",
		"1:0:0:4::8",
		"1::4:5:0:0:8",
		"ff02::1:ff00:0",
	};
	static const struct {
		const char *in, *out;
	} changed[] = {
		{ "2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a" },
		{ "0:0:0:0:0:0:0:0", "::" },
		{ "1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8" },
		{ "::ffff:1.2.3.4", "1.2.3.4" },
		{ "64:ff9b::192.0.2.33", "64:ff9b::c000:221" },
	};
	char buf[IP_ADDR_STRLEN];
	struct ip_addr a;

	for (u32 i = 0; i < ARRAY_SIZE(same); i++) {
		assert_int_equal(ip_addr_parse(same[i], &a), 0);
		assert_string_equal(ip_addr_format(buf, &a), same[i]);
	}
	for (u32 i = 0; i < ARRAY_SIZE(changed); i++) {
		assert_int_equal(ip_addr_parse(changed[i].in, &a), 0);
		assert_string_equal(ip_addr_format(buf, &a), changed[i].out);
	}
}

static void wrong_text_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"1",
		"1.2.3",
		"1.2.3.4.5",
		"256.1.1.1",
		"1.2.3.",
		"1.2.3.4 ",
		"a.b.c.d",
		":",
		":::",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"1::2::3",
		"12345::",
		"g::",
		"1:",
		":1",
		"::1.2.3",
		"1:2:3:4:5:6:7:1.2.3.4",
		"1:2:3:4:5:6:7:8::",
		"::1:",
	};
	struct ip_addr a;

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ip_addr_parse(bad[i], &a), -EINVAL);
}

static void prefixes(void **state)
{
	struct ip_addr a, p;
	char buf[IP_ADDR_STRLEN];

	ip_addr_parse("10.1.2.255", &a);
	p = ip_addr_prefix(&a, 25);
	assert_string_equal(ip_addr_format(buf, &p), "10.1.2.128");
	assert_true(ip_addr_in_prefix(&a, &p, 25));
	p = ip_addr_prefix(&a, 0);
	assert_string_equal(ip_addr_format(buf, &p), "0.0.0.0");
	assert_true(ip_addr_in_prefix(&a, &p, 0));
	p = ip_addr_prefix(&a, 32);
	assert_true(ip_addr_eq(&a, &p));
	ip_addr_parse("10.1.2.127", &p);
	assert_false(ip_addr_in_prefix(&p, &a, 25));
	assert_true(ip_addr_in_prefix(&p, &a, 24));
	/* no IPv6 address lies in an IPv4 prefix, not even in the widest */
	ip_addr_parse("2001:db8::1", &p);
	ip_addr_parse("0.0.0.0", &a);
	assert_false(ip_addr_in_prefix(&p, &a, 0));
	a = ip_addr_prefix(&p, 31);
	assert_string_equal(ip_addr_format(buf, &a), "2001:db8::");
	for (u32 n = 0; n <= 32; n++)
		assert_int_equal(ip_mask_to_plen(ip_plen_to_mask(n)), n);
	assert_int_equal(ip_mask_to_plen(0xff00ff00), -EINVAL);
}

static void socket_names(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(53) };
	struct ip_addr a;
	u8 name[SOCKADDR_MAX];
	u32 scope;
	u16 port;

	in.sin_addr = htonl(0x01020304);
	memcpy(name, &in, sizeof(in));
	assert_int_equal(ip_addr_from_sockaddr(name, 15, AF_INET, &a, &port, &scope), -EINVAL);
	assert_int_equal(ip_addr_from_sockaddr(name, 16, AF_INET, &a, &port, &scope), 0);
	assert_int_equal(ip_addr_to_v4(&a), 0x01020304);
	assert_int_equal(port, 53);
	assert_int_equal(ip_addr_from_sockaddr(name, 28, AF_INET6, &a, &port, &scope),
			 -EAFNOSUPPORT);
	assert_int_equal(ip_addr_to_sockaddr(name, AF_INET6, &a, 7, 3),
			 sizeof(struct sockaddr_in6));
	assert_int_equal(ip_addr_from_sockaddr(name, 28, AF_INET6, &a, &port, &scope), 0);
	assert_int_equal(ip_addr_to_v4(&a), 0x01020304);
	assert_int_equal(port, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_round_trip),
		cmocka_unit_test(wrong_text_is_refused),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(socket_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
