/* SPDX-License-Identifier: MIT */
/* request.c - which table answers a message of NETLINK_ROUTE. Types come in fours (new, delete,
 * get, set), and whoever does not only ask must be root. */
#include "rtnetlink.h"

#include <weft/sched.h>

#define RTM_BASE 16
#define KIND(type) ((type)&3)
#define KIND_GET 2

static const struct nl_handler *const handlers[] = {
	[RTM_NEWLINK - RTM_BASE] = &link_set,	    [RTM_DELLINK - RTM_BASE] = &link_del,
	[RTM_GETLINK - RTM_BASE] = &link_get,	    [RTM_SETLINK - RTM_BASE] = &link_set,
	[RTM_NEWADDR - RTM_BASE] = &addr_new,	    [RTM_DELADDR - RTM_BASE] = &addr_del,
	[RTM_GETADDR - RTM_BASE] = &addr_get,	    [RTM_NEWROUTE - RTM_BASE] = &route_new,
	[RTM_DELROUTE - RTM_BASE] = &route_delete,  [RTM_GETROUTE - RTM_BASE] = &route_get,
	[RTM_NEWNEIGH - RTM_BASE] = &neigh_new,	    [RTM_DELNEIGH - RTM_BASE] = &neigh_delete,
	[RTM_GETNEIGH - RTM_BASE] = &neigh_get,	    [RTM_NEWADDRLABEL - RTM_BASE] = &label_new,
	[RTM_GETADDRLABEL - RTM_BASE] = &label_get, [RTM_DELADDRLABEL - RTM_BASE] = &label_delete,
};

const struct nl_handler *rtnetlink_find(const struct nl_request *rq, u32 len, int *err)
{
	u16 type = rq->h.nlmsg_type;

	*err = -EOPNOTSUPP;
	if (type > RTM_MAX || (u32)(type - RTM_BASE) >= ARRAY_SIZE(handlers))
		return NULL;
	if (!len) { /* Linux: not even a family, nothing to be said */
		*err = 0;
		return NULL;
	}
	if (KIND(type) != KIND_GET && require_root()) {
		*err = -EPERM;
		return NULL;
	}
	return handlers[type - RTM_BASE];
}
