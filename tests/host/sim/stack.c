/* SPDX-License-Identifier: MIT */
/* stack.c - one configured host for the tests. */
#define SIM_NO_CMOCKA
#include "stack.h"

#include <kernel/net/socket_internal.h>
#include <uapi/if_arp.h>

#include "machine.h"

const u8 host_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
const u8 peer_mac[6] = { 0x52, 0x55, 10, 0, 0, 1 };
const u8 broadcast_mac[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
struct sim_nic nic;
struct peer peer;
struct sim_link wire;

/* The last one is loaded by stack_up6. */
static const char *const order[] = { "ip", "ethernet", "ipv4", "icmp", "ipv6" };

/* ---- configuration, by the calls that ifconfig and route make ---- */

long sock_ioctl(u32 cmd, void *arg)
{
	struct socket s = { .family = AF_INET, .type = SOCK_DGRAM };

	return socket_ioctl_registered(&s, cmd, (unsigned long)arg);
}

static void set_name(struct ifreq *r, const char *name)
{
	memset(r, 0, sizeof(*r));
	strscpy(r->name, name, IFNAMSIZ);
}

static void set_in(struct ifreq *r, u32 addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = htonl(addr) };

	memcpy(&r->u, &in, sizeof(in));
}

int ifconfig(const char *name, u32 addr, u32 plen)
{
	struct ifreq r;
	long err;

	set_name(&r, name);
	set_in(&r, addr);
	err = sock_ioctl(SIOCSIFADDR, &r);
	if (err)
		return err;
	set_name(&r, name);
	set_in(&r, plen ? 0xffffffffu << (32 - plen) : 0);
	err = sock_ioctl(SIOCSIFNETMASK, &r);
	if (err)
		return err;
	set_name(&r, name);
	err = sock_ioctl(SIOCGIFFLAGS, &r);
	if (err)
		return err;
	r.u.flags |= IFF_UP;
	return sock_ioctl(SIOCSIFFLAGS, &r);
}

int ifconfig_down(const char *name)
{
	struct ifreq r;

	set_name(&r, name);
	return sock_ioctl(SIOCSIFFLAGS, &r);
}

int route_default(u32 gateway)
{
	struct rtentry {
		u64 pad1;
		struct sockaddr_in dst, gateway, mask;
		u16 flags;
		u8 rest[62];
	} rt = { .flags = 3 };

	_Static_assert(sizeof(rt) == 120, "struct rtentry of Linux");
	rt.dst.sin_family = rt.gateway.sin_family = rt.mask.sin_family = AF_INET;
	rt.gateway.sin_addr = htonl(gateway);
	return sock_ioctl(SIOCADDRT, &rt);
}

struct netif *netif_named(const char *name)
{
	struct netif *nif;

	rcu_read_lock();
	nif = netif_by_name(name);
	rcu_read_unlock();
	return nif;
}

/* ---- up and down ---- */

static int modules_up(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(order) - 1; i++) {
		int err = sim_module_loaded(order[i]) ? 0 : sim_insmod(order[i], NULL);

		if (err)
			return err;
	}
	return 0;
}

static int configure(void)
{
	int err = ifconfig("eth0", HOST, 24);

	if (!err)
		err = route_default(PEER);
	sim_run_ms(5);
	peer_forget(&peer);
	return err;
}

int stack_up_quiet(void)
{
	int err;

	sim_boot();
	sim_mark();
	err = modules_up();
	memset(&nic, 0, sizeof(nic));
	peer_init(&peer, peer_mac, PEER);
	sim_link_init(&wire, &nic.end, &peer.end);
	if (!err)
		err = sim_nic_attach(&nic, host_mac);
	return err ? err : configure();
}

int stack_up(void)
{
	int err = stack_up_quiet();

	peer.answers_arp = true;
	return err;
}

static void modules_down(void)
{
	u32 i;
	int err;

	for (i = ARRAY_SIZE(order); i--;) {
		if (!sim_module_there(order[i]) || !sim_module_loaded(order[i]))
			continue;
		err = sim_rmmod(order[i], false);
		if (err)
			sim_fatal("rmmod %s: error %d", order[i], err);
	}
	sim_run_ms(1); /* what is still on the wire */
	wire.end[0]->link = NULL;
	peer_forget(&peer);
	sim_check();
}

void stack_down(void)
{
	sim_nic_detach(&nic);
	modules_down();
}

int stack_up_pci(struct sim_pci_model *pci, struct sim_end *end, const char *driver,
		 const char *args)
{
	int err;

	sim_boot();
	sim_mark();
	sim_pci_add(pci);
	peer_init(&peer, peer_mac, PEER);
	sim_link_init(&wire, end, &peer.end);
	err = modules_up();
	if (!err)
		err = sim_insmod(driver, args);
	if (!err && !netif_named("eth0"))
		err = -ENODEV;
	if (!err)
		err = configure();
	peer.answers_arp = true;
	return err;
}

void stack_down_pci(struct sim_pci_model *pci, const char *driver)
{
	int err;

	if (sim_module_loaded(driver)) {
		if (netif_named("eth0"))
			ifconfig_down("eth0");
		err = sim_rmmod(driver, false);
		if (err)
			sim_fatal("rmmod %s: error %d", driver, err);
	}
	sim_pci_remove(pci);
	modules_down();
}

int stack_up_e1000(struct model_e1000 *m, const char *args)
{
	return stack_up_pci(&m->pci, &m->end, "e1000", args);
}

void stack_down_e1000(struct model_e1000 *m)
{
	stack_down_pci(&m->pci, "e1000");
}

void stack_know_peer(void)
{
	struct ip_addr a = ip_addr_v4(PEER);

	netif_lock();
	neigh_set(netif_by_name("eth0"), &a, peer_mac, true);
	netif_unlock();
}

/* ---- sockets ---- */

struct socket *sock_open(int type, int protocol)
{
	return socket_create(AF_INET, type, protocol);
}

void sock_close(struct socket *s)
{
	socket_close(s);
}

static void put_name(u8 *name, u32 addr, u16 port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr = htonl(addr),
				  .sin_port = htons(port) };

	memcpy(name, &in, sizeof(in));
}

long sock_send(struct socket *s, u32 dst, const void *data, u32 len, u32 flags)
{
	struct iovec iov = { (void *)data, len };
	u8 name[SOCKADDR_MAX];
	struct msg m = { .name = name,
			 .name_len = dst ? sizeof(struct sockaddr_in) : 0,
			 .flags = flags };

	put_name(name, dst, 0);
	iter_init(&m.iter, &iov, 1, false);
	return socket_sendmsg(s, &m);
}

long sock_recv(struct socket *s, void *data, u32 len, u32 flags, u32 *from)
{
	struct iovec iov = { data, len };
	u8 name[SOCKADDR_MAX], control[256];
	struct sockaddr_in in = { 0 };
	struct msg m = {
		.name = name, .flags = flags, .control = control, .control_len = sizeof(control)
	};
	long n;

	iter_init(&m.iter, &iov, 1, false);
	n = socket_recvmsg(s, &m);
	if (n >= 0 && from && m.name_len >= sizeof(in)) {
		memcpy(&in, name, sizeof(in));
		*from = ntohl(in.sin_addr);
	}
	return n;
}

int sock_bind(struct socket *s, u32 addr, u16 port)
{
	u8 name[SOCKADDR_MAX];
	int err = socket_enter(s);

	if (err)
		return err;
	put_name(name, addr, port);
	err = s->ops->bind ? s->ops->bind(s, name, sizeof(struct sockaddr_in)) : -EOPNOTSUPP;
	socket_leave(s);
	return err;
}

int sock_setopt(struct socket *s, int level, int opt, const void *val, u32 len)
{
	int err = socket_enter(s);

	if (err)
		return err;
	err = level == SOL_SOCKET ? socket_setsockopt_core(s, opt, val, len) : -ENOPROTOOPT;
	if (err == -ENOPROTOOPT && s->ops->setsockopt)
		err = s->ops->setsockopt(s, level, opt, val, len);
	socket_leave(s);
	return err;
}

/* ---- counters ---- */

static u64 marked[DROP_COUNT];

u64 drops(enum drop_reason why)
{
	return ip_drop_total(why);
}

void drops_mark(void)
{
	u32 i;

	for (i = 0; i < DROP_COUNT; i++)
		marked[i] = drops(i);
}

u64 drops_since(enum drop_reason why)
{
	return drops(why) - marked[why];
}

u8 neigh_state_of(u32 addr)
{
	struct ip_addr a = ip_addr_v4(addr);
	struct neigh_info info;
	u8 state = 0xff;

	netif_lock();
	if (!neigh_get_info(netif_by_name("eth0"), &a, &info))
		state = info.state;
	netif_unlock();
	return state;
}
