/* SPDX-License-Identifier: MIT */
/* flowlabel.c - flow labels that programs lease (RFC 6437, Linux's IPV6_FLOWLABEL_MGR): one table
 * of who has which, shared as its first owner said. While some are for one owner alone, a send may
 * only bear a label that its socket has. Bounded; what nobody uses any more lingers a while, so
 * that a label does not at once mean another flow, and is swept by whoever comes next. */
#include "ip.h"

#include <weft/sched.h>

#define LABEL_MASK 0xfffff
#define ALL_MAX 4096
#define SOCKET_MAX 32
#define LINGER_MIN 6
#define LINGER_MAX 150 /* seconds; longer for root alone */

/* linux/in6.h */
struct request {
	struct ip_addr dst;
	u32 label; /* network order */
	u8 action, share;
	u16 flags, expires, linger;
	u32 pad;
};
_Static_assert(sizeof(struct request) == 32, "as the user has it");

enum action { GET, PUT, RENEW };
enum share { SHARE_NONE, SHARE_EXCLUSIVE, SHARE_PROCESS, SHARE_USER, SHARE_ANY = 255 };
#define FLAG_CREATE BIT(0)
#define FLAG_EXCLUSIVE BIT(1)
#define FLAG_REFLECT BIT(2)

struct label {
	struct list_head node; /* in labels */
	struct ip_addr dst;
	u32 label, owner; /* owner: process or user id, as share says */
	u8 share;
	u32 users;
	u64 linger, last_use, expires; /* ns, ktime */
};

/* What a socket has. */
struct lease {
	struct list_head node; /* in inet_sock.labels */
	struct label *label;
};

static struct spinlock labels_lock = SPINLOCK_INIT;
static LIST_HEAD(labels); /* guarded by labels_lock, as are the leases and the next two */
static u32 nr_labels;
static u32 nr_exclusive; /* leases of labels that are not for everybody; read without the lock */

static bool is_exclusive(const struct label *l)
{
	return l->share != SHARE_ANY;
}

static void label_free(struct label *l)
{
	list_del(&l->node);
	nr_labels--;
	kfree(l);
}

static void sweep(u64 now)
{
	struct label *l, *next;

	list_for_each_entry_safe(l, next, &labels, node) {
		if (!l->users && now >= l->expires && now >= l->last_use + l->linger)
			label_free(l);
	}
}

static struct label *find(u32 label)
{
	struct label *l;

	list_for_each_entry(l, &labels, node) {
		if (l->label == label)
			return l;
	}
	return NULL;
}

static struct lease *lease_of(const struct inet_sock *is, u32 label)
{
	struct lease *le;

	list_for_each_entry(le, &is->labels, node) {
		if (le->label->label == label)
			return le;
	}
	return NULL;
}

static void give_back(struct lease *le)
{
	le->label->users--;
	WRITE_ONCE(nr_exclusive, nr_exclusive - is_exclusive(le->label));
	le->label->last_use = ktime_get();
	list_del(&le->node);
	kfree(le);
}

bool inet_label_allowed(const struct inet_sock *is, u32 label)
{
	bool has;

	if (likely(!label || !READ_ONCE(nr_exclusive)))
		return true;
	spin_lock(&labels_lock);
	has = lease_of(is, label);
	spin_unlock(&labels_lock);
	return has;
}

void inet_release_labels(struct inet_sock *is)
{
	struct lease *le, *next;

	if (list_empty(&is->labels))
		return;
	spin_lock(&labels_lock);
	list_for_each_entry_safe(le, next, &is->labels, node)
		give_back(le);
	spin_unlock(&labels_lock);
}

/* ---- requests ---- */

/* Seconds as ns; 0: too long for him who asks. */
static u64 lifetime(u16 seconds)
{
	if (seconds > LINGER_MAX && require_root())
		return 0;
	return max(seconds, (u16)LINGER_MIN) * NSEC_PER_SEC;
}

/* Only ever makes it longer. */
static int renew(struct label *l, const struct request *r)
{
	u64 linger = lifetime(r->linger), expires = lifetime(r->expires), now = ktime_get();

	if (!linger || !expires)
		return -EPERM;
	l->last_use = now;
	l->linger = max(l->linger, linger);
	l->expires = max(l->expires, now + max(expires, linger));
	return 0;
}

static int set_owner(struct label *l)
{
	switch (l->share) {
	case SHARE_EXCLUSIVE:
	case SHARE_ANY:
		l->owner = 0;
		return 0;
	case SHARE_PROCESS:
		l->owner = current_pid();
		return 0;
	case SHARE_USER:
		l->owner = current_uid();
		return 0;
	default:
		return -EINVAL;
	}
}

/* May who asks for want have l, which is there already? */
static int may_share(const struct label *l, const struct label *want, u16 flags)
{
	if (flags & FLAG_EXCLUSIVE)
		return -EEXIST;
	if (l->share == SHARE_EXCLUSIVE || l->share != want->share || l->owner != want->owner)
		return -EPERM;
	return 0;
}

static u32 leases(const struct inet_sock *is)
{
	const struct lease *le;
	u32 n = 0;

	list_for_each_entry(le, &is->labels, node)
		n++;
	return n;
}

/* The last quarter of the table is root's, and of the last half a socket gets one. */
static bool room_for(const struct inet_sock *is)
{
	u32 room = ALL_MAX - nr_labels, has = leases(is);

	if (!room)
		return false;
	if (has < SOCKET_MAX && (room >= ALL_MAX / 2 || (!has && room >= ALL_MAX / 4)))
		return true;
	return require_root() == 0;
}

static u32 unused_label(void)
{
	u32 v;

	do {
		v = random_u32() & LABEL_MASK;
	} while (!v || find(v));
	return v;
}

/* *want becomes NULL when it is in the table. Under labels_lock. */
static int lease_locked(struct inet_sock *is, struct label **want, struct lease *le,
			const struct request *r)
{
	struct label *l;
	int err;

	sweep(ktime_get());
	l = (*want)->label ? find((*want)->label) : NULL;
	if (l) {
		err = may_share(l, *want, r->flags);
		if (err)
			return err;
		l->linger = max(l->linger, (*want)->linger);
		l->expires = max(l->expires, (*want)->expires);
	} else {
		if (!(r->flags & FLAG_CREATE))
			return -ENOENT;
		if (!room_for(is))
			return -ENOBUFS;
		l = *want;
		*want = NULL;
		if (!l->label)
			l->label = unused_label();
		list_add_tail(&l->node, &labels);
		nr_labels++;
	}
	l->users++;
	WRITE_ONCE(nr_exclusive, nr_exclusive + is_exclusive(l));
	le->label = l;
	list_add_tail(&le->node, &is->labels);
	return 0;
}

static int lease_label(struct inet_sock *is, struct request *r)
{
	struct lease *le = kzalloc(sizeof(*le));
	struct label *want = kzalloc(sizeof(*want));
	int err = le && want ? 0 : -ENOMEM;

	if (!err) {
		want->dst = r->dst;
		want->label = ntohl(r->label);
		want->share = r->share;
		err = set_owner(want);
	}
	if (!err)
		err = renew(want, r);
	if (!err) {
		spin_lock(&labels_lock);
		err = lease_locked(is, &want, le, r);
		if (!err)
			r->label = htonl(le->label->label);
		spin_unlock(&labels_lock);
	}
	kfree(want);
	if (err)
		kfree(le);
	return err;
}

static int return_label(struct inet_sock *is, u32 label)
{
	struct lease *le;

	spin_lock(&labels_lock);
	le = lease_of(is, label);
	if (le)
		give_back(le);
	spin_unlock(&labels_lock);
	return le ? 0 : -ESRCH;
}

/* Root may lengthen what lingers without an owner. */
static int renew_label(struct inet_sock *is, const struct request *r)
{
	struct label *l = NULL;
	struct lease *le;
	int err;

	spin_lock(&labels_lock);
	sweep(ktime_get());
	le = lease_of(is, ntohl(r->label));
	if (le)
		l = le->label;
	else if (r->share == SHARE_NONE && !require_root())
		l = find(ntohl(r->label));
	err = l ? renew(l, r) : -ESRCH;
	spin_unlock(&labels_lock);
	return err;
}

int inet_set_flow_label(struct inet_sock *is, void *val, u32 len)
{
	struct request r;
	int err;

	if (len < sizeof(r))
		return -EINVAL;
	memcpy(&r, val, sizeof(r));
	if (r.action <= PUT && (r.flags & FLAG_REFLECT))
		return -ENOPROTOOPT;
	switch (r.action) {
	case PUT:
		return return_label(is, ntohl(r.label));
	case RENEW:
		return renew_label(is, &r);
	case GET:
		break;
	default:
		return -EINVAL;
	}
	if (ntohl(r.label) & ~LABEL_MASK || ip_addr_is_v4(&r.dst) || ip_addr_is_any(&r.dst))
		return -EINVAL;
	err = lease_label(is, &r);
	if (err)
		return err;
	memcpy(val, &r, sizeof(r));
	return sizeof(r);
}

static u32 seconds(u64 ns)
{
	return ns / NSEC_PER_SEC;
}

static u32 seconds_left(const struct label *l)
{
	u64 now = ktime_get();

	return l->expires > now ? seconds(l->expires - now) : 0;
}

/* Of the connection. */
int inet_get_flow_label(const struct inet_sock *is, void *val, u32 *len)
{
	struct request r;
	struct lease *le;

	if (*len < sizeof(r))
		return -EINVAL;
	memcpy(&r, val, sizeof(r));
	if (r.action != GET)
		return -EINVAL;
	memset(&r, 0, sizeof(r));
	spin_lock(&labels_lock);
	le = lease_of(is, is->flow_label);
	if (le) {
		r.label = htonl(le->label->label);
		r.dst = le->label->dst;
		r.share = le->label->share;
		r.linger = seconds(le->label->linger);
		r.expires = seconds_left(le->label);
	}
	spin_unlock(&labels_lock);
	if (!le)
		return -ENOENT;
	memcpy(val, &r, sizeof(r));
	*len = sizeof(r);
	return 0;
}

/* ---- /proc/net/ip6_flowlabel ---- */

static int labels_show(struct seq *s)
{
	const struct label *l;

	seq_puts(s, "Label S Owner  Users  Linger Expires  Dst                              Opt\n");
	spin_lock(&labels_lock);
	sweep(ktime_get());
	list_for_each_entry(l, &labels, node) {
		seq_printf(s, "%05X %-1u %-6u %-6u %-6u %-8u ", l->label, l->share, l->owner,
			   l->users, seconds(l->linger), seconds_left(l));
		for (u32 i = 0; i < 16; i++)
			seq_printf(s, "%02x", l->dst.b[i]);
		seq_puts(s, " 0   \n");
	}
	spin_unlock(&labels_lock);
	return 0;
}

static struct procfile labels_file = {
	.path = "net/ip6_flowlabel",
	.mode = 0444,
	.show = labels_show,
};

int flowlabel_init(void)
{
	return procfile_add(&labels_file);
}

/* No socket is left by now. */
void flowlabel_exit(void)
{
	struct label *l, *next;

	procfile_remove(&labels_file);
	list_for_each_entry_safe(l, next, &labels, node)
		label_free(l);
}
