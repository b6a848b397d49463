/* SPDX-License-Identifier: MIT */
/* main.c - TCP as a module: the transport of protocol 6 for both IP versions. Open sockets hold it;
 * what has none, orphans and TIME-WAITs, does not keep it from leaving: orphans' peers get a RST.
 * Without the module segments are answered with protocol unreachable. */
#include "conn.h"
#include "listen.h"
#include "ports.h"
#include "respond.h"
#include "table.h"
#include "timewait.h"
#include "stamp.h"

#include <weft/sched.h>

#define LEAVE_PATIENCE_NS (2 * NSEC_PER_SEC)

static struct ip_proto tcp_proto = {
	.name = "tcp",
	.number = IPPROTO_TCP,
	.sock_type = SOCK_STREAM,
	.flags = IP_PROTO_DEFAULT,
	.input = tcp_input,
	.error = tcp_error,
	.socket = tcp_socket,
};

static const struct {
	int (*init)(void);
	void (*exit)(void);
} parts[] = {
	{ tcp_count_init, tcp_count_exit },	{ tcp_sysctl_init, tcp_sysctl_exit },
	{ tcp_memory_init, tcp_memory_exit },	{ tcp_isn_init, NULL },
	{ tcp_table_init, tcp_table_exit },	{ tcp_ports_init, tcp_ports_exit },
	{ tcp_conn_init, tcp_conn_exit },	{ tcp_records_init, tcp_records_exit },
	{ tcp_request_init, tcp_request_exit }, { tcp_timewait_init, tcp_timewait_exit },
	{ tcp_cc_init, tcp_cc_exit },		{ tcp_proc_init, tcp_proc_exit },
	{ tcp_diag_init, tcp_diag_exit },
};

static void parts_exit(u32 n)
{
	while (n--) {
		if (parts[n].exit)
			parts[n].exit();
	}
}

/* No socket is open and no segment comes in any more: what is left ends by itself, with a grace
 * period behind the last reference. */
static void ends_exit(void)
{
	u64 deadline = ktime_get() + LEAVE_PATIENCE_NS;

	tcp_orphans_exit();
	tcp_timewait_purge();
	do {
		rcu_barrier();
		if (!tcp_ends_alive())
			return;
		sleep_ns(NSEC_PER_MSEC);
	} while (ktime_get() < deadline);
	pr_warn("tcp: %u connections have not ended\n", tcp_ends_alive());
}

static int __init tcp_init(void)
{
	int err;

	tcp_sock_init();
	tcp_respond_init();
	tcp_cookies_init();
	tcp_fastopen_init();
	tcp_fastopen_client_init();
	for (u32 i = 0; i < ARRAY_SIZE(parts); i++) {
		err = parts[i].init();
		if (err) {
			parts_exit(i);
			return err;
		}
	}
	err = ip_proto_register(&tcp_proto);
	if (err)
		parts_exit(ARRAY_SIZE(parts));
	return err;
}

static void __exit tcp_exit(void)
{
	ip_proto_unregister(&tcp_proto);
	ends_exit();
	parts_exit(ARRAY_SIZE(parts));
}

module_entry_points(tcp_init, tcp_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Transmission Control Protocol");
MODULE_ALIAS("net-pf-2-proto-6");
MODULE_ALIAS("net-pf-10-proto-6");
MODULE_ALIAS("net-pf-2-proto-0-type-1");
MODULE_ALIAS("net-pf-10-proto-0-type-1");
