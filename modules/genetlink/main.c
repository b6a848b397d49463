/* SPDX-License-Identifier: MIT */
/* main.c - generic netlink: the controller, which says which families there are. It is the only one
 * yet, so whoever asks for nl80211, ethtool or the like hears at once that it is not there, and
 * goes on without, as on a machine that lacks the hardware. */
#include <uapi/genetlink.h>
#include <weft/module.h>
#include <weft/net/netlink.h>
#include <weft/string.h>

#define CTRL_NAME "nlctrl"
#define CTRL_VERSION 2
#define CTRL_MAXATTR 10 /* Linux's: programs print it */
#define NOTIFY_GROUP GENL_ID_CTRL

/* ---- telling ---- */

static void put_ops(struct nl_out *o)
{
	u32 all = nl_nest(o, CTRL_ATTR_OPS), one = nl_nest(o, 1);

	nl_put_u32(o, CTRL_ATTR_OP_ID, CTRL_CMD_GETFAMILY);
	nl_put_u32(o, CTRL_ATTR_OP_FLAGS, GENL_CMD_CAP_DO | GENL_CMD_CAP_DUMP);
	nl_nest_end(o, one);
	nl_nest_end(o, all);
}

static void put_groups(struct nl_out *o)
{
	u32 all = nl_nest(o, CTRL_ATTR_MCAST_GROUPS), one = nl_nest(o, 1);

	nl_put_u32(o, CTRL_ATTR_MCAST_GRP_ID, NOTIFY_GROUP);
	nl_put_str(o, CTRL_ATTR_MCAST_GRP_NAME, "notify");
	nl_nest_end(o, one);
	nl_nest_end(o, all);
}

static void message(struct nl_out *o)
{
	struct genlmsghdr h = { .cmd = CTRL_CMD_NEWFAMILY, .version = CTRL_VERSION };
	u16 id = GENL_ID_CTRL;

	nl_begin(o, GENL_ID_CTRL, &h, sizeof(h));
	nl_put_str(o, CTRL_ATTR_FAMILY_NAME, CTRL_NAME);
	nl_put(o, CTRL_ATTR_FAMILY_ID, &id, sizeof(id));
	nl_put_u32(o, CTRL_ATTR_VERSION, CTRL_VERSION);
	nl_put_u32(o, CTRL_ATTR_HDRSIZE, 0);
	nl_put_u32(o, CTRL_ATTR_MAXATTR, CTRL_MAXATTR);
	put_ops(o);
	put_groups(o);
}

/* ---- CTRL_CMD_GETFAMILY ---- */

static int get_family(const struct nl_request *rq, struct nl_out *out)
{
	const struct nl_attr *by_id = &rq->attr[CTRL_ATTR_FAMILY_ID];
	char name[GENL_NAMSIZ] = "";
	u16 id = 0;
	int err = nl_get_name(&rq->attr[CTRL_ATTR_FAMILY_NAME], name);

	if (err)
		return err;
	if (by_id->data) {
		if (by_id->len < sizeof(id))
			return -EINVAL;
		memcpy(&id, by_id->data, sizeof(id));
	}
	if (!id && !name[0])
		return -EINVAL;
	if ((id && id != GENL_ID_CTRL) || (name[0] && strcmp(name, CTRL_NAME)))
		return -ENOENT;
	message(out);
	nl_end(out);
	return 0;
}

static void dump_families(struct nl_dump *d)
{
	if (!nl_dump_next(d))
		return;
	message(&d->out);
	nl_dump_end(d);
}

static const struct nl_handler getfamily = {
	.body_len = sizeof(struct genlmsghdr),
	.answers = true,
	.doit = get_family,
	.dump = dump_families,
};

/* The type of a message is the number of its family. */
static const struct nl_handler *find(const struct nl_request *rq, u32 len, int *err)
{
	struct genlmsghdr h;

	*err = -ENOENT;
	if (rq->h.nlmsg_type != GENL_ID_CTRL)
		return NULL;
	*err = -EINVAL;
	if (len < sizeof(h))
		return NULL;
	memcpy(&h, rq->body, sizeof(h));
	*err = -EOPNOTSUPP;
	return h.cmd == CTRL_CMD_GETFAMILY ? &getfamily : NULL;
}

static struct netlink_proto proto = {
	.number = NETLINK_GENERIC,
	.name = "generic",
	.nr_groups = NOTIFY_GROUP,
	.find = find,
};

static int __init genetlink_init(void)
{
	return netlink_register(&proto);
}

static void __exit genetlink_exit(void)
{
	netlink_unregister(&proto);
}

module_entry_points(genetlink_init, genetlink_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Generic netlink: its controller");
MODULE_ALIAS("net-pf-16-proto-16");
