/* SPDX-License-Identifier: MIT */
/* arpctl.c - the user's view of the IPv4 neighbours: /proc/net/arp and the ioctls of arp(8). */
#include "ipv4.h"

#include <uapi/if_arp.h>
#include <weft/net/neigh.h>
#include <weft/net/route.h>
#include <weft/seqfile.h>
#include <weft/socket.h>
#include <weft/string.h>

static void show_entry(const struct neigh_info *i, void *arg)
{
	char addr[IP_ADDR_STRLEN], hw[3 * LINK_ADDR_MAX];
	u32 n = 0, flags = 0;
	u8 k;

	hw[0] = 0;
	for (k = 0; k < i->hw_len; k++)
		n += scnprintf(hw + n, sizeof(hw) - n, k ? ":%02x" : "%02x",
			       neigh_has_address(i->state) ? i->hw[k] : 0);
	if (neigh_has_address(i->state))
		flags |= ATF_COM;
	if (i->state == NEIGH_PERMANENT)
		flags |= ATF_PERM;
	seq_printf(arg, "%-16s 0x%-10x0x%-10x%-17s     *        %s\n",
		   ip_addr_format(addr, &i->addr), i->link_type, flags, hw, i->ifname);
}

static int show(struct seq *s)
{
	seq_puts(
		s,
		"IP address       HW type     Flags       HW address            Mask     Device\n");
	return neigh_for_each(AF_INET, show_entry, s);
}

static struct procfile arp_file = { .path = "net/arp", .mode = 0444, .show = show };

/* The interface that a request means: by its name, else the one that the address is reached
 * through. */
static struct netif *request_nif(const struct arpreq *r, const struct ip_addr *addr)
{
	struct route_result res;
	char name[IFNAMSIZ];

	if (r->arp_dev[0]) {
		memcpy(name, r->arp_dev, sizeof(name));
		name[IFNAMSIZ - 1] = 0;
		return netif_by_name(name);
	}
	return route_lookup(addr, 0, &res) ? NULL : res.nif;
}

static int set_entry(struct netif *nif, const struct ip_addr *addr, const struct arpreq *r)
{
	if (r->arp_flags & ATF_PUBL)
		return -EOPNOTSUPP; /* proxy ARP is not this host's business */
	if (r->arp_ha.sa_family != nif->type)
		return -EINVAL;
	return neigh_set(nif, addr, (const u8 *)r->arp_ha.sa_data, r->arp_flags & ATF_PERM);
}

static int get_entry(struct netif *nif, const struct ip_addr *addr, struct arpreq *r)
{
	struct neigh_info info;
	int err = neigh_get_info(nif, addr, &info);

	if (err)
		return err;
	memset(&r->arp_ha, 0, sizeof(r->arp_ha));
	r->arp_ha.sa_family = info.link_type;
	memcpy(r->arp_ha.sa_data, info.hw, min((u32)info.hw_len, (u32)LINK_ADDR_MAX));
	r->arp_flags = (neigh_has_address(info.state) ? ATF_COM : 0) |
		       (info.state == NEIGH_PERMANENT ? ATF_PERM : 0);
	strscpy(r->arp_dev, nif->name, sizeof(r->arp_dev));
	return 0;
}

static long arp_ioctl(struct socket *s, u32 cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	struct netif *nif;
	struct ip_addr addr;
	struct arpreq r;
	int err = cmd == SIOCGARP ? 0 : require_root();

	(void)s;
	if (err)
		return err;
	if (copy_from_user(&r, user, sizeof(r)))
		return -EFAULT;
	if (r.arp_pa.sa_family != AF_INET)
		return -EAFNOSUPPORT;
	addr = ip_addr_v4(get_be32((const u8 *)r.arp_pa.sa_data + 2));
	netif_lock();
	rcu_read_lock();
	nif = request_nif(&r, &addr);
	if (nif)
		netif_get(nif);
	rcu_read_unlock();
	if (!nif)
		err = r.arp_dev[0] ? -ENODEV : -ENXIO;
	else if (!netif_resolves(nif))
		err = cmd == SIOCSARP ? -EINVAL : -ENXIO;
	else if (cmd == SIOCSARP)
		err = set_entry(nif, &addr, &r);
	else if (cmd == SIOCDARP)
		err = neigh_del(nif, &addr);
	else
		err = get_entry(nif, &addr, &r);
	if (nif)
		netif_put(nif);
	netif_unlock();
	if (!err && cmd == SIOCGARP && copy_to_user(user, &r, sizeof(r)))
		err = -EFAULT;
	return err;
}

static struct socket_ioctl arp_ioctls = { .first = SIOCDARP, .last = SIOCSARP, .fn = arp_ioctl };

int arpctl_init(void)
{
	int err = procfile_add(&arp_file);

	if (err)
		return err;
	err = socket_ioctl_register(&arp_ioctls);
	if (err)
		procfile_remove(&arp_file);
	return err;
}

void arpctl_exit(void)
{
	socket_ioctl_unregister(&arp_ioctls);
	procfile_remove(&arp_file);
}
