/* SPDX-License-Identifier: MIT */
/* ioctl.c - the SIOC* calls on interfaces and their IPv4 addresses, reachable from a socket of
 * any family. A name with a colon ("eth0:1") is the label of an address: an alias, as ifconfig
 * has them. */
#include "ip.h"

#include <weft/sched.h>
#include <weft/uaccess.h>

struct request {
	struct socket *s;
	struct ifreq ifr;
	struct netif *nif;
	struct ifaddr *addr; /* the one labelled as asked, or NULL */
	char label[IFNAMSIZ];
	bool alias; /* the label has a colon */
};

/* struct in6_ifreq of linux/ipv6.h */
struct in6_request {
	u8 addr[16];
	u32 plen;
	int ifindex;
};

static u32 get_in_addr(const struct request *r)
{
	struct sockaddr_in in;

	memcpy(&in, &r->ifr.u, sizeof(in));
	return in.sin_addr;
}

static int put_in_addr(struct request *r, u32 addr_be)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = addr_be };

	memcpy(&r->ifr.u, &in, sizeof(in));
	return 0;
}

/* ---- answers ---- */

static int get_hwaddr(struct request *r)
{
	memset(&r->ifr.u, 0, sizeof(r->ifr.u));
	r->ifr.u.addr.sa_family = r->nif->type;
	memcpy(r->ifr.u.addr.sa_data, r->nif->mac, r->nif->link->addr_len);
	return 0;
}

static int get_address(struct request *r, u32 cmd)
{
	const struct ifaddr *a = r->addr;

	if (!a)
		return -EADDRNOTAVAIL;
	switch (cmd) {
	case SIOCGIFADDR:
		return put_in_addr(r, a->addr.w[3]);
	case SIOCGIFDSTADDR:
		return put_in_addr(r, a->peer.w[3]);
	case SIOCGIFBRDADDR:
		return put_in_addr(r, ip_addr_is_any(&a->broadcast) ? 0 : a->broadcast.w[3]);
	default:
		return put_in_addr(r, htonl(ip_plen_to_mask(a->plen)));
	}
}

static int get(struct request *r, u32 cmd)
{
	switch (cmd) {
	case SIOCGIFFLAGS:
		r->ifr.u.flags = netif_user_flags(r->nif);
		return 0;
	case SIOCGIFMETRIC:
		r->ifr.u.ivalue = 0;
		return 0;
	case SIOCGIFMTU:
		r->ifr.u.ivalue = r->nif->mtu;
		return 0;
	case SIOCGIFHWADDR:
		return get_hwaddr(r);
	case SIOCGIFINDEX:
		r->ifr.u.ivalue = r->nif->index;
		return 0;
	case SIOCGIFTXQLEN:
		r->ifr.u.ivalue = r->nif->txqlen;
		return 0;
	case SIOCGIFMAP:
		memset(&r->ifr.u, 0, sizeof(r->ifr.u));
		return 0;
	default:
		return get_address(r, cmd);
	}
}

/* ---- IPv4 addresses ---- */

/* RFC 791 classes: what SIOCSIFADDR assumes until a mask is set. */
static u32 class_plen(u32 addr)
{
	if (!(addr & 0x80000000))
		return 8;
	if (!(addr & 0x40000000))
		return 16;
	return addr & 0x20000000 ? 32 : 24;
}

static void set_broadcast(struct ifaddr *a)
{
	u32 mask = ip_plen_to_mask(a->plen);

	a->broadcast = ip_addr_any(AF_INET);
	if ((a->nif->flags & IFF_BROADCAST) && a->plen < 31)
		a->broadcast = ip_addr_v4(ip_addr_to_v4(&a->addr) | ~mask);
}

/* Puts want in place of the address with its label; the old one comes back if that fails. */
static int replace(struct request *r, const struct ifaddr *want)
{
	struct ifaddr old;
	int err;

	if (r->addr) {
		old = *r->addr;
		ifaddr_del(r->addr);
	}
	if (ip_addr_is_any(&want->addr))
		return 0;
	err = ifaddr_add(want);
	if (err && r->addr && ifaddr_add(&old))
		pr_warn("%s: address lost, no memory\n", r->label);
	return err;
}

static int set_address(struct request *r)
{
	u32 host = ntohl(get_in_addr(r));
	struct ifaddr want = {
		.nif = r->nif,
		.af = AF_INET,
		.plen = class_plen(host),
		.flags = IFADDR_PERMANENT,
		.addr = ip_addr_v4(host),
		.peer = ip_addr_v4(host),
	};

	if (r->ifr.u.addr.sa_family != AF_INET)
		return -EINVAL;
	if (r->addr && ip_addr_eq(&r->addr->addr, &want.addr))
		return 0;
	strscpy(want.label, r->label, IFNAMSIZ);
	set_broadcast(&want);
	return replace(r, &want);
}

static int change_address(struct request *r, u32 cmd)
{
	struct ifaddr want;
	u32 host = ntohl(get_in_addr(r));
	bool usual;
	int plen;

	if (!r->addr)
		return -EADDRNOTAVAIL;
	want = *r->addr;
	switch (cmd) {
	case SIOCSIFBRDADDR:
		want.broadcast = ip_addr_v4(host);
		if (ip_addr_eq(&want.broadcast, &r->addr->broadcast))
			return 0;
		break;
	case SIOCSIFDSTADDR:
		want.peer = ip_addr_v4(host);
		want.plen = 32;
		break;
	default:
		plen = ip_mask_to_plen(host);
		if (plen < 0)
			return plen;
		if (plen == want.plen)
			return 0;
		usual = ip_addr_to_v4(&want.broadcast) ==
			(ip_addr_to_v4(&want.addr) | ~ip_plen_to_mask(want.plen));
		want.plen = plen;
		if (usual)
			set_broadcast(&want);
	}
	return replace(r, &want);
}

static int set_flags(struct request *r)
{
	/* an alias can only be taken down: it goes */
	if (!r->alias)
		return netif_set_flags(r->nif, (u16)r->ifr.u.flags);
	if (!r->addr)
		return -EADDRNOTAVAIL;
	if (!(r->ifr.u.flags & IFF_UP))
		ifaddr_del(r->addr);
	return 0;
}

static int set_hwaddr(struct request *r)
{
	if (r->ifr.u.addr.sa_family != r->nif->type)
		return -EINVAL;
	return netif_set_mac(r->nif, (const u8 *)r->ifr.u.addr.sa_data);
}

static int set(struct request *r, u32 cmd)
{
	switch (cmd) {
	case SIOCSIFFLAGS:
		return set_flags(r);
	case SIOCSIFADDR:
		return set_address(r);
	case SIOCSIFNETMASK:
	case SIOCSIFBRDADDR:
	case SIOCSIFDSTADDR:
		return change_address(r, cmd);
	case SIOCSIFMTU:
		return r->ifr.u.ivalue < 0 ? -EINVAL : netif_set_mtu(r->nif, r->ifr.u.ivalue);
	case SIOCSIFHWADDR:
		return set_hwaddr(r);
	case SIOCSIFNAME:
		r->ifr.u.newname[IFNAMSIZ - 1] = '\0';
		return netif_rename(r->nif, r->ifr.u.newname);
	case SIOCSIFTXQLEN:
		if (r->ifr.u.ivalue < 0)
			return -EINVAL;
		r->nif->txqlen = r->ifr.u.ivalue;
		return 0;
	case SIOCADDMULTI:
		return netif_mcast_add(r->nif, (const u8 *)r->ifr.u.addr.sa_data);
	case SIOCDELMULTI:
		netif_mcast_del(r->nif, (const u8 *)r->ifr.u.addr.sa_data);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* ---- the calls that are not about one ifreq by name ---- */

static long ifconf(unsigned long arg)
{
	struct {
		int len;
		int pad;
		u64 buf;
	} ifc;
	struct netif *nif;
	struct ifaddr *a;
	int used = 0;
	long err = copy_from_user(&ifc, (void __user *)arg, sizeof(ifc));

	if (err)
		return err;
	netif_lock();
	netif_for_each(nif) {
		if (!netif_present(nif))
			continue;
		ifaddr_for_each(a, nif) {
			struct ifreq ifr = { 0 };
			struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = a->addr.w[3] };

			if (a->af != AF_INET || (ifc.buf && used + (int)sizeof(ifr) > ifc.len))
				continue;
			strscpy(ifr.name, a->label, IFNAMSIZ);
			memcpy(&ifr.u, &in, sizeof(in));
			if (ifc.buf && !err)
				err = copy_to_user((void __user *)(ifc.buf + used), &ifr,
						   sizeof(ifr));
			used += sizeof(ifr);
		}
	}
	netif_unlock();
	ifc.len = used;
	return err ? err : copy_to_user((void __user *)arg, &ifc, sizeof(ifc));
}

static long ifname(unsigned long arg)
{
	struct ifreq ifr;
	struct netif *nif;
	int err = copy_from_user(&ifr, (void __user *)arg, sizeof(ifr));

	if (err)
		return err;
	netif_lock();
	nif = netif_by_index(ifr.u.ivalue);
	if (nif)
		strscpy(ifr.name, nif->name, IFNAMSIZ);
	netif_unlock();
	return nif ? copy_to_user((void __user *)arg, &ifr, sizeof(ifr)) : -ENODEV;
}

static long in6_address(u32 cmd, unsigned long arg)
{
	struct in6_request req;
	struct ifaddr want = { .af = AF_INET6, .flags = IFADDR_PERMANENT };
	struct ifaddr *a;
	int err = copy_from_user(&req, (void __user *)arg, sizeof(req));

	if (!err)
		err = require_root();
	if (err)
		return err;
	memcpy(want.addr.b, req.addr, 16);
	if (ip_addr_is_v4(&want.addr)) /* would be taken for IPv4 */
		return -EADDRNOTAVAIL;
	netif_lock();
	want.nif = netif_by_index(req.ifindex);
	a = want.nif ? ifaddr_find(want.nif, &want.addr) : NULL;
	if (!want.nif) {
		err = -ENODEV;
	} else if (req.plen > 128) {
		err = -EINVAL;
	} else if (cmd == SIOCSIFADDR) {
		want.plen = req.plen;
		want.peer = want.addr;
		strscpy(want.label, want.nif->name, IFNAMSIZ);
		err = ifaddr_add(&want);
	} else if (!a) {
		err = -EADDRNOTAVAIL;
	} else if (a->plen != req.plen) {
		err = -EADDRNOTAVAIL;
	} else {
		ifaddr_del(a);
	}
	netif_unlock();
	return err;
}

/* ---- dispatch ---- */

static bool is_get(u32 cmd)
{
	switch (cmd) {
	case SIOCGIFFLAGS:
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFMETRIC:
	case SIOCGIFMTU:
	case SIOCGIFHWADDR:
	case SIOCGIFINDEX:
	case SIOCGIFTXQLEN:
	case SIOCGIFMAP:
		return true;
	default:
		return false;
	}
}

static bool is_set(u32 cmd)
{
	switch (cmd) {
	case SIOCSIFFLAGS:
	case SIOCSIFADDR:
	case SIOCSIFDSTADDR:
	case SIOCSIFBRDADDR:
	case SIOCSIFNETMASK:
	case SIOCSIFMETRIC:
	case SIOCSIFMTU:
	case SIOCSIFHWADDR:
	case SIOCSIFNAME:
	case SIOCSIFTXQLEN:
	case SIOCSIFMAP:
	case SIOCADDMULTI:
	case SIOCDELMULTI:
		return true;
	default:
		return false;
	}
}

static void find_target(struct request *r)
{
	char *colon;

	r->ifr.name[IFNAMSIZ - 1] = '\0';
	strscpy(r->label, r->ifr.name, IFNAMSIZ);
	colon = strchr(r->ifr.name, ':');
	r->alias = colon;
	if (colon)
		*colon = '\0';
	r->nif = netif_by_name(r->ifr.name);
	if (colon)
		*colon = ':';
	r->addr = r->nif ? ifaddr_by_label(r->nif, AF_INET, r->label) : NULL;
}

static long interface_ioctl(struct socket *s, u32 cmd, unsigned long arg)
{
	struct request r = { .s = s };
	long err = 0;

	if (cmd == SIOCGIFCONF)
		return ifconf(arg);
	if (cmd == SIOCGIFNAME)
		return ifname(arg);
	if (s->family == AF_INET6 && (cmd == SIOCSIFADDR || cmd == SIOCDIFADDR))
		return in6_address(cmd, arg);
	if (cmd == SIOCGIFCOUNT)
		return -EINVAL;
	if (!is_get(cmd) && !is_set(cmd) && cmd != SIOCETHTOOL)
		return -ENOTTY;
	if (copy_from_user(&r.ifr, (void __user *)arg, sizeof(r.ifr)))
		return -EFAULT;
	if (is_set(cmd))
		err = require_root();
	if (err)
		return err;
	netif_lock();
	find_target(&r);
	if (!r.nif)
		err = -ENODEV;
	else if (is_get(cmd))
		err = get(&r, cmd);
	else
		err = cmd == SIOCETHTOOL ? netif_ethtool(r.nif, r.ifr.u.data) : set(&r, cmd);
	netif_unlock();
	if (!err && is_get(cmd))
		err = copy_to_user((void __user *)arg, &r.ifr, sizeof(r.ifr));
	return err;
}

/* No interface has a clock of its own. */
static long stamping_ioctl(struct socket *s, u32 cmd, unsigned long arg)
{
	struct ifreq ifr;
	u32 flags = 0; /* struct hwtstamp_config begins with them */
	bool there;

	if (copy_from_user(&ifr, (void __user *)arg, sizeof(ifr)))
		return -EFAULT;
	if (cmd == SIOCSHWTSTAMP && require_root())
		return -EPERM;
	ifr.name[IFNAMSIZ - 1] = '\0';
	rcu_read_lock();
	there = netif_by_name(ifr.name);
	rcu_read_unlock();
	if (!there)
		return -ENODEV;
	if (cmd == SIOCSHWTSTAMP &&
	    copy_from_user(&flags, (void __user *)ifr.u.data, sizeof(flags)))
		return -EFAULT;
	return flags ? -EINVAL : -EOPNOTSUPP;
}

static struct socket_ioctl ioctls[] = {
	{ .first = SIOCADDRT, .last = SIOCDELRT, .fn = route_ioctl },
	{ .first = SIOCGIFNAME, .last = SIOCETHTOOL, .fn = interface_ioctl },
	{ .first = SIOCGIFMAP, .last = SIOCSIFMAP, .fn = interface_ioctl },
	{ .first = SIOCSHWTSTAMP, .last = SIOCGHWTSTAMP, .fn = stamping_ioctl },
};

/* ---- SO_BINDTODEVICE ---- */

static u32 bind_index(const char *name)
{
	struct netif *nif;
	u32 index;

	rcu_read_lock();
	nif = netif_by_name(name);
	index = nif ? nif->index : 0;
	rcu_read_unlock();
	return index;
}

static int bind_name(u32 index, char name[IFNAMSIZ])
{
	struct netif *nif;

	rcu_read_lock();
	nif = netif_by_index(index);
	if (nif)
		strscpy(name, nif->name, IFNAMSIZ);
	rcu_read_unlock();
	return nif ? 0 : -ENODEV;
}

static struct socket_netif_ops bind_ops = { .index = bind_index, .name = bind_name };

int ioctl_init(void)
{
	u32 n;
	int err = socket_netif_register(&bind_ops);

	if (err)
		return err;
	for (n = 0; n < ARRAY_SIZE(ioctls); n++) {
		err = socket_ioctl_register(&ioctls[n]);
		if (err)
			goto undo;
	}
	return 0;

undo:
	while (n--)
		socket_ioctl_unregister(&ioctls[n]);
	socket_netif_unregister(&bind_ops);
	return err;
}

void ioctl_exit(void)
{
	for (u32 n = ARRAY_SIZE(ioctls); n--;)
		socket_ioctl_unregister(&ioctls[n]);
	socket_netif_unregister(&bind_ops);
}
