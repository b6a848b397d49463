/* SPDX-License-Identifier: MIT */
/* proto.c - the tables of network layers and of transports, and the dispatch of received
 * packets through them. Readers walk under RCU, so a packet costs no atomic operation here;
 * unregister unlinks and waits a grace period. An emptied transport slot answers protocol
 * unreachable, or drops in silence if its last owner asked for that. */
#include "ip.h"

#define LAYER_BUCKETS 16
#define DOOR_TIMEOUT_NS (2 * NSEC_PER_SEC)

static DEFINE_MUTEX(proto_lock);	       /* all changes */
static struct list_head layers[LAYER_BUCKETS]; /* of struct net_layer, by EtherType */
static struct list_head slots[256];	       /* of struct ip_proto, by number */
static u8 slot_flags[256];		       /* IP_PROTO_SILENT: what an empty slot does */
static const struct ip_error_sender *senders[AF_MAX];

static struct list_head *layer_bucket(u16 ethertype)
{
	return &layers[(ethertype ^ ethertype >> 8) % LAYER_BUCKETS];
}

/* ---- network layers ---- */

const struct net_layer *net_layer_find(u16 ethertype)
{
	struct net_layer *n;

	list_for_each_entry(n, layer_bucket(ethertype), node) {
		if (n->ethertype == ethertype)
			return n;
	}
	return NULL;
}

static __noinline int unknown_layer(struct netif *nif, struct pkt *p)
{
	netif_stats_this(nif)->rx_dropped++;
	return ip_drop(p, DROP_ETHERTYPE);
}

int net_input(struct netif *nif, struct pkt *p)
{
	struct net_layer *n;

	p->net_off = p->data - p->head;
	list_for_each_entry(n, layer_bucket(p->ethertype), node) {
		if (n->ethertype == p->ethertype)
			return n->input(nif, p);
	}
	return unknown_layer(nif, p);
}
EXPORT(net_input);

static void undo_layer(struct ledger_entry *e)
{
	net_layer_unregister(container_of(e, struct net_layer, ledger));
}

int net_layer_register_owner(struct net_layer *n, struct module *owner)
{
	struct net_layer *other;

	mutex_lock(&proto_lock);
	list_for_each_entry(other, layer_bucket(n->ethertype), node) {
		if (other->ethertype == n->ethertype) {
			mutex_unlock(&proto_lock);
			return -EEXIST;
		}
	}
	n->owner = owner;
	ledger_add(&n->ledger, owner, "network layer", n->name, undo_layer);
	list_add_tail(&n->node, layer_bucket(n->ethertype));
	mutex_unlock(&proto_lock);
	return 0;
}
EXPORT(net_layer_register_owner);

void net_layer_unregister(struct net_layer *n)
{
	mutex_lock(&proto_lock);
	list_del_rcu(&n->node);
	ledger_remove(&n->ledger);
	mutex_unlock(&proto_lock);
	synchronize_rcu();
}
EXPORT(net_layer_unregister);

/* ---- transports ---- */

static void count_unknown(u16 af)
{
	struct ip_family *fam = ip_family_find(af);

	if (fam)
		__atomic_fetch_add(&fam->unknown_protos, 1, __ATOMIC_RELAXED);
}

/* Nobody took p: pr, which has been asked, NULL: nobody was. seen: by a raw socket. */
static __noinline int deliver_on(struct pkt *p, struct ip_proto *pr, bool seen)
{
	struct ip_rx *rx = ip_rx(p);
	u16 af = ip_addr_family(&rx->dst);
	struct list_head *slot = &slots[rx->proto];
	struct list_head *n = pr ? &pr->node : slot;

	while ((n = READ_ONCE(n->next)) != slot) {
		pr = list_entry(n, struct ip_proto, node);
		if (pr->input && (!pr->af || pr->af == af) && pr->input(p, rx) == IP_TAKEN)
			return IP_TAKEN;
	}
	if (seen) {
		pkt_free(p);
		return IP_TAKEN;
	}
	count_unknown(af);
	if (slot_flags[rx->proto] & IP_PROTO_SILENT)
		return ip_drop(p, DROP_PROTO_SILENT);
	/* RFC 1122 3.2.2.1: protocol unreachable */
	return ip_reject(p, DROP_NO_PROTO, IP_ERR_PROTO_UNREACH, 0);
}

int ip_deliver(struct pkt *p)
{
	struct ip_rx *rx = ip_rx(p);
	struct list_head *slot = &slots[rx->proto], *n = READ_ONCE(slot->next);
	struct ip_proto *pr = list_entry(n, struct ip_proto, node);

	p->trans_off = p->data - p->head;
	p->ip_proto = rx->proto;
	if (raw_listens(rx->proto))
		return deliver_on(p, NULL, raw_deliver(p, rx));
	/* nearly always: one transport for both families */
	if (unlikely(n == slot || pr->af || !pr->input))
		return deliver_on(p, NULL, false);
	if (likely(pr->input(p, rx) == IP_TAKEN))
		return IP_TAKEN;
	return deliver_on(p, pr, false);
}
EXPORT(ip_deliver);

void ip_deliver_error(const struct ip_error *e, const u8 *quote, u32 quote_len)
{
	u16 af = ip_addr_family(&e->remote);
	struct ip_proto *pr;

	rcu_read_lock();
	raw_error(e, quote, quote_len);
	list_for_each_entry(pr, &slots[e->proto], node) {
		if (pr->error && (!pr->af || pr->af == af))
			pr->error(e, quote, quote_len);
	}
	rcu_read_unlock();
}
EXPORT(ip_deliver_error);

static void undo_proto(struct ledger_entry *e)
{
	ip_proto_unregister(container_of(e, struct ip_proto, ledger));
}

/* May a and b share a slot? Not when a socket(2) call could mean either. */
static bool proto_clash(const struct ip_proto *a, const struct ip_proto *b)
{
	bool same_af = !a->af || !b->af || a->af == b->af;

	return a == b || (same_af && a->sock_type && a->sock_type == b->sock_type);
}

int ip_proto_register_owner(struct ip_proto *p, struct module *owner)
{
	struct ip_proto *other;

	mutex_lock(&proto_lock);
	list_for_each_entry(other, &slots[p->number], node) {
		if (proto_clash(p, other)) {
			mutex_unlock(&proto_lock);
			return -EEXIST;
		}
	}
	p->owner = owner;
	door_init(&p->door);
	ledger_add(&p->ledger, owner, "transport", p->name, undo_proto);
	slot_flags[p->number] = 0;
	list_add_tail(&p->node, &slots[p->number]);
	mutex_unlock(&proto_lock);
	return 0;
}
EXPORT(ip_proto_register_owner);

void ip_proto_unregister(struct ip_proto *p)
{
	mutex_lock(&proto_lock);
	list_del_rcu(&p->node);
	if (list_empty(&slots[p->number]))
		slot_flags[p->number] = p->flags & IP_PROTO_SILENT;
	ledger_remove(&p->ledger);
	mutex_unlock(&proto_lock);
	/* the grace period for input and error, then whoever is inside socket */
	if (door_close(&p->door, DOOR_TIMEOUT_NS))
		pr_warn("%s: somebody is still opening a socket of it\n", p->name);
}
EXPORT(ip_proto_unregister);

struct ip_proto *ip_proto_find_socket(u16 af, u16 type, int protocol, int *err)
{
	struct ip_proto *pr, *found = NULL;

	*err = -ESOCKTNOSUPPORT;
	mutex_lock(&proto_lock);
	for (u32 i = 0; i < ARRAY_SIZE(slots) && !found; i++) {
		list_for_each_entry(pr, &slots[i], node) {
			if (pr->sock_type != type || !pr->socket || (pr->af && pr->af != af))
				continue;
			*err = -EPROTONOSUPPORT;
			if (protocol ? pr->number == protocol : !!(pr->flags & IP_PROTO_DEFAULT)) {
				found = pr;
				break;
			}
		}
	}
	if (found && !door_enter(&found->door))
		found = NULL;
	mutex_unlock(&proto_lock);
	return found;
}

/* ---- errors ---- */

void ip_send_error(const struct pkt *p, enum ip_error_kind kind, u32 info)
{
	const struct ip_error_sender *s;

	rcu_read_lock();
	s = rcu_dereference(senders[ip_addr_family(&ip_rx_const(p)->dst)]);
	if (s)
		s->send(p, kind, info);
	rcu_read_unlock();
}
EXPORT(ip_send_error);

int ip_reject(struct pkt *p, enum drop_reason why, enum ip_error_kind kind, u32 info)
{
	ip_send_error(p, kind, info);
	return ip_drop(p, why);
}
EXPORT(ip_reject);

static void undo_sender(struct ledger_entry *e)
{
	ip_error_sender_unregister(container_of(e, struct ip_error_sender, ledger));
}

int ip_error_sender_register_owner(struct ip_error_sender *s, struct module *owner)
{
	int err = 0;

	if (s->af >= AF_MAX)
		return -EINVAL;
	mutex_lock(&proto_lock);
	if (senders[s->af]) {
		err = -EEXIST;
	} else {
		s->owner = owner;
		ledger_add(&s->ledger, owner, "error sender", s->name, undo_sender);
		rcu_assign_pointer(senders[s->af], s);
	}
	mutex_unlock(&proto_lock);
	return err;
}
EXPORT(ip_error_sender_register_owner);

void ip_error_sender_unregister(struct ip_error_sender *s)
{
	mutex_lock(&proto_lock);
	if (senders[s->af] == s)
		rcu_assign_pointer(senders[s->af], NULL);
	ledger_remove(&s->ledger);
	mutex_unlock(&proto_lock);
	synchronize_rcu();
}
EXPORT(ip_error_sender_unregister);

void proto_init(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(layers); i++)
		list_init(&layers[i]);
	for (u32 i = 0; i < ARRAY_SIZE(slots); i++)
		list_init(&slots[i]);
}

void ip_proto_show(struct seq *s)
{
	struct net_layer *n;
	struct ip_proto *p;

	mutex_lock(&proto_lock);
	seq_puts(s, "ethertype name       module\n");
	for (u32 i = 0; i < ARRAY_SIZE(layers); i++) {
		list_for_each_entry(n, &layers[i], node)
			seq_printf(s, "0x%04x    %-10s %s\n", n->ethertype, n->name,
				   module_name(n->owner));
	}
	seq_puts(s, "protocol  name       socket module\n");
	for (u32 i = 0; i < ARRAY_SIZE(slots); i++) {
		list_for_each_entry(p, &slots[i], node)
			seq_printf(s, "%-9u %-10s %-6u %s\n", i, p->name, p->sock_type,
				   module_name(p->owner));
	}
	seq_puts(s, "errors    name       module\n");
	for (u32 i = 0; i < ARRAY_SIZE(senders); i++) {
		if (senders[i])
			seq_printf(s, "%-9u %-10s %s\n", i, senders[i]->name,
				   module_name(senders[i]->owner));
	}
	mutex_unlock(&proto_lock);
}
