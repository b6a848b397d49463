/* SPDX-License-Identifier: MIT */
/* link.c - interfaces as RTM_*LINK tells and changes them. They belong to drivers: none is made or
 * removed here. */
#include "rtnetlink.h"

#include <weft/sched.h>

#define NR_STATS 25 /* struct rtnl_link_stats64 */
#define NR_STATS_OLD 24

/* ---- telling ---- */

static void put_stats(struct nl_out *o, struct netif *nif)
{
	struct netif_stats st;
	u64 v[NR_STATS] = { 0 };
	u32 old[NR_STATS_OLD];

	netif_stats_sum(nif, &st);
	v[0] = st.rx_packets;
	v[1] = st.tx_packets;
	v[2] = st.rx_bytes;
	v[3] = st.tx_bytes;
	v[4] = st.rx_errors;
	v[5] = st.tx_errors;
	v[6] = st.rx_dropped;
	v[7] = st.tx_dropped;
	v[8] = st.rx_multicast;
	v[9] = st.tx_collisions;
	v[13] = st.rx_frame;
	v[14] = st.rx_fifo;
	v[17] = st.tx_carrier;
	v[18] = st.tx_fifo;
	v[21] = st.rx_compressed;
	v[22] = st.tx_compressed;
	nl_put(o, IFLA_STATS64, v, sizeof(v));
	for (u32 i = 0; i < NR_STATS_OLD; i++)
		old[i] = v[i];
	nl_put(o, IFLA_STATS, old, sizeof(old));
}

static u8 operstate(const struct netif *nif)
{
	if (nif->flags & IFF_LOOPBACK)
		return IF_OPER_UNKNOWN;
	return netif_running(nif) ? IF_OPER_UP : IF_OPER_DOWN;
}

/* netif_lock held. */
void link_message(struct nl_out *o, struct netif *nif, u16 type)
{
	struct ifinfomsg body = {
		.ifi_type = nif->type,
		.ifi_index = nif->index,
		.ifi_flags = netif_user_flags(nif),
	};
	u32 addr_len = nif->link->addr_len;

	nl_begin(o, type, &body, sizeof(body));
	nl_put_str(o, IFLA_IFNAME, nif->name);
	nl_put_u32(o, IFLA_TXQLEN, nif->txqlen);
	nl_put_u8(o, IFLA_OPERSTATE, operstate(nif));
	nl_put_u8(o, IFLA_LINKMODE, 0);
	nl_put_u32(o, IFLA_MTU, nif->mtu);
	nl_put_u32(o, IFLA_MIN_MTU, nif->min_mtu);
	nl_put_u32(o, IFLA_MAX_MTU, nif->max_mtu);
	nl_put_u32(o, IFLA_GROUP, 0);
	nl_put_u32(o, IFLA_PROMISCUITY, nif->promisc_users + !!(nif->user_flags & IFF_PROMISC));
	nl_put_u32(o, IFLA_NUM_TX_QUEUES, 1);
	nl_put_u32(o, IFLA_NUM_RX_QUEUES, 1);
	nl_put_u8(o, IFLA_CARRIER, READ_ONCE(nif->carrier));
	nl_put_str(o, IFLA_QDISC, "noqueue");
	if (addr_len) {
		nl_put(o, IFLA_ADDRESS, nif->mac, addr_len);
		nl_put(o, IFLA_BROADCAST, nif->link->broadcast, addr_len);
	}
	put_stats(o, nif);
}

static void dump_links(struct nl_dump *d)
{
	struct netif *nif;

	netif_lock();
	netif_for_each(nif) {
		if (!netif_present(nif) || !nl_dump_next(d))
			continue;
		link_message(&d->out, nif, RTM_NEWLINK);
		nl_dump_end(d);
	}
	netif_unlock();
}

/* By index, or by name where there is none. netif_lock held. ERR_PTR. */
static struct netif *find(const struct nl_request *rq, const struct ifinfomsg *body)
{
	char name[IFNAMSIZ] = "";
	struct netif *nif;

	if (body->ifi_index < 0 || nl_get_name(&rq->attr[IFLA_IFNAME], name))
		return ERR_PTR(-EINVAL);
	if (body->ifi_index)
		nif = netif_by_index(body->ifi_index);
	else if (name[0])
		nif = netif_by_name(name);
	else
		return ERR_PTR(-EINVAL);
	return nif ? nif : ERR_PTR(-ENODEV);
}

static int get(const struct nl_request *rq, struct nl_out *o)
{
	struct ifinfomsg body;
	struct netif *nif;
	int err = 0;

	memcpy(&body, rq->body, sizeof(body));
	netif_lock();
	nif = find(rq, &body);
	if (IS_ERR(nif)) {
		err = PTR_ERR(nif);
	} else {
		link_message(o, nif, RTM_NEWLINK);
		nl_end(o);
	}
	netif_unlock();
	return err;
}

/* ---- changing ---- */

static int change_address(struct netif *nif, const struct nl_attr *a)
{
	u8 mac[LINK_ADDR_MAX] = { 0 };

	if (!a->data)
		return 0;
	if (a->len < nif->link->addr_len)
		return -EINVAL;
	memcpy(mac, a->data, nif->link->addr_len);
	return netif_set_mac(nif, mac);
}

static int change_name(struct netif *nif, const struct nl_request *rq, bool by_index)
{
	char name[IFNAMSIZ] = "";
	int err = nl_get_name(&rq->attr[IFLA_IFNAME], name);

	return err || !name[0] || !by_index ? err : netif_rename(nif, name);
}

static int change_flags(struct netif *nif, const struct ifinfomsg *body)
{
	u32 mask = body->ifi_change ? body->ifi_change : ~0u;

	if (!body->ifi_flags && !body->ifi_change)
		return 0;
	return netif_set_flags(nif, (netif_user_flags(nif) & ~mask) | (body->ifi_flags & mask));
}

/* What needs an interface that is down comes before what brings it up. netif_lock held. */
static int change(struct netif *nif, const struct nl_request *rq, const struct ifinfomsg *body)
{
	u32 mtu = nif->mtu, txqlen = nif->txqlen;
	int err;

	if (rq->attr[IFLA_MASTER].data || rq->attr[IFLA_LINKINFO].data ||
	    rq->attr[IFLA_NET_NS_PID].data || rq->attr[IFLA_NET_NS_FD].data)
		return -EOPNOTSUPP;
	err = nl_get_u32(&rq->attr[IFLA_MTU], &mtu);
	if (!err)
		err = nl_get_u32(&rq->attr[IFLA_TXQLEN], &txqlen);
	if (!err)
		err = change_address(nif, &rq->attr[IFLA_ADDRESS]);
	if (!err && mtu != nif->mtu)
		err = netif_set_mtu(nif, mtu);
	if (!err)
		err = change_name(nif, rq, body->ifi_index);
	if (err)
		return err;
	nif->txqlen = txqlen;
	return change_flags(nif, body);
}

static int set(const struct nl_request *rq, struct nl_out *o)
{
	struct ifinfomsg body;
	struct netif *nif;
	int err;

	memcpy(&body, rq->body, sizeof(body));
	netif_lock();
	nif = find(rq, &body);
	if (!IS_ERR(nif) && (rq->h.nlmsg_flags & NLM_F_EXCL))
		err = -EEXIST;
	else if (!IS_ERR(nif))
		err = change(nif, rq, &body);
	else if (PTR_ERR(nif) == -ENODEV && (rq->h.nlmsg_flags & NLM_F_CREATE))
		err = -EOPNOTSUPP; /* there is no kind of link that could be made */
	else
		err = PTR_ERR(nif);
	netif_unlock();
	return err;
}

static int del(const struct nl_request *rq, struct nl_out *o)
{
	struct ifinfomsg body;
	struct netif *nif;

	memcpy(&body, rq->body, sizeof(body));
	netif_lock();
	nif = find(rq, &body);
	netif_unlock();
	return IS_ERR(nif) ? PTR_ERR(nif) : -EOPNOTSUPP;
}

const struct nl_handler link_get = {
	.body_len = sizeof(struct ifinfomsg),
	.answers = true,
	.doit = get,
	.dump = dump_links,
};
const struct nl_handler link_set = { .body_len = sizeof(struct ifinfomsg), .doit = set };
const struct nl_handler link_del = { .body_len = sizeof(struct ifinfomsg), .doit = del };
