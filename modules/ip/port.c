/* SPDX-License-Identifier: MIT */
/* port.c - which ports a transport may pick for itself, and from where in the range it starts to
 * look: RFC 6056. The settings are Linux's and hold for all transports. */
#include "ip.h"

#define PORTS 65536

static int range[2] = { 32768, 60999 };
static int privileged_below = 1024;
static u64 reserved[PORTS /
		    64]; /* a writer replaces it word by word: readers see a mixture at worst */
static struct siphash_key offset_key;

void inet_port_range(u16 *low, u16 *high)
{
	int a = READ_ONCE(range[0]), b = READ_ONCE(range[1]);

	/* between the two stores of a writer */
	*low = min(a, b);
	*high = max(a, b);
}
EXPORT(inet_port_range);

bool inet_port_reserved(u16 port)
{
	return READ_ONCE(reserved[port / 64]) >> (port % 64) & 1;
}
EXPORT(inet_port_reserved);

bool inet_port_privileged(u16 port)
{
	return port && port < READ_ONCE(privileged_below);
}
EXPORT(inet_port_privileged);

u32 inet_port_offset(const struct ip_addr *laddr, const struct ip_addr *raddr, u16 rport)
{
	struct {
		struct ip_addr laddr, raddr;
		u64 rport;
	} key = { *laddr, *raddr, rport };

	return siphash(&key, sizeof(key), &offset_key);
}
EXPORT(inet_port_offset);

/* ---- settings ---- */

static int check_range(const int *v)
{
	return v[0] <= v[1] ? 0 : -EINVAL;
}

static struct sysctl sysctls[] = {
	{ .path = "net/ipv4/ip_local_port_range",
	  .value = range,
	  .count = 2,
	  .min = 1,
	  .max = PORTS - 1,
	  .check = check_range },
	{ .path = "net/ipv4/ip_unprivileged_port_start",
	  .value = &privileged_below,
	  .max = PORTS - 1 },
};

/* As Linux writes a set: "8080,9000-9100". */
static int reserved_show(struct seq *s)
{
	const char *comma = "";
	u32 from, to;

	for (from = 0; from < PORTS; from = to + 1) {
		to = from;
		if (!inet_port_reserved(from))
			continue;
		while (to + 1 < PORTS && inet_port_reserved(to + 1))
			to++;
		seq_printf(s, from == to ? "%s%u" : "%s%u-%u", comma, from, to);
		comma = ",";
	}
	seq_puts(s, "\n");
	return 0;
}

static int parse_port(const char **text, u32 *port)
{
	u32 v = 0;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	for (; **text >= '0' && **text <= '9'; ++*text) {
		v = v * 10 + (**text - '0');
		if (v >= PORTS)
			return -EINVAL;
	}
	*port = v;
	return 0;
}

static int parse_set(const char *text, u64 *set)
{
	u32 from, to;

	while (*text) {
		if (parse_port(&text, &from))
			return -EINVAL;
		to = from;
		if (*text == '-') {
			text++;
			if (parse_port(&text, &to) || to < from)
				return -EINVAL;
		}
		for (; from <= to; from++)
			set[from / 64] |= BIT64(from % 64);
		if (*text == ',')
			text++;
		else if (*text)
			return -EINVAL;
	}
	return 0;
}

static int reserved_write(void *arg, const char *text, size_t len)
{
	u64 *set = kzalloc(sizeof(reserved));
	int err;

	if (!set)
		return -ENOMEM;
	err = parse_set(text, set);
	for (u32 i = 0; !err && i < ARRAY_SIZE(reserved); i++)
		WRITE_ONCE(reserved[i], set[i]);
	kfree(set);
	return err;
}

static struct procfile reserved_file = {
	.path = "sys/net/ipv4/ip_local_reserved_ports",
	.mode = 0644,
	.show = reserved_show,
	.write = reserved_write,
};

int port_init(void)
{
	int err = procfile_add(&reserved_file);

	random_bytes(&offset_key, sizeof(offset_key));
	if (!err)
		err = sysctl_add_all(sysctls, ARRAY_SIZE(sysctls));
	if (err)
		port_exit();
	return err;
}

/* Also of those that init did not come to: that does nothing. */
void port_exit(void)
{
	sysctl_remove_all(sysctls, ARRAY_SIZE(sysctls));
	procfile_remove(&reserved_file);
}
