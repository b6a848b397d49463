/* SPDX-License-Identifier: MIT */
/* main.c - UDP as a module: the transport of protocol 17 for both IP versions. Open sockets hold
 * it; without it datagrams are answered with protocol unreachable. The alias names the protocol: a
 * plain datagram socket, which ifconfig opens for its ioctls, does not bring an unloaded UDP back.
 */
#include <weft/net/diag.h>

#include "udp.h"

static struct ip_proto udp_proto = {
	.name = "udp",
	.number = IPPROTO_UDP,
	.sock_type = SOCK_DGRAM,
	.flags = IP_PROTO_DEFAULT,
	.input = udp_input,
	.error = udp_error,
	.socket = udp_socket,
};

static int __init udp_init(void)
{
	int err;

	udp_table_init();
	err = udp_proc_init();
	if (err)
		return err;
	err = diag_register(&udp_diag);
	if (!err)
		err = ip_proto_register(&udp_proto);
	if (err) {
		diag_unregister(&udp_diag);
		udp_proc_exit();
	}
	return err;
}

static void __exit udp_exit(void)
{
	ip_proto_unregister(&udp_proto);
	diag_unregister(&udp_diag);
	udp_proc_exit();
}

module_entry_points(udp_init, udp_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("User Datagram Protocol");
MODULE_ALIAS("net-pf-2-proto-17-type-2");
MODULE_ALIAS("net-pf-10-proto-17-type-2");
