/* SPDX-License-Identifier: MIT */
/* drop.h - why packets die. Every drop in the stack has a name here and a counter per CPU,
 * shown by /proc/net/weft/drops. Those named in /proc/sys/net/weft/drop_trace ("all", "none",
 * or reasons) are also logged, one line a packet, at a bounded rate. */
#pragma once

#include <weft/pkt.h>

/* clang-format off */
/* X(constant, name in /proc). Add at the end of its group; the order is that of the file. */
#define DROP_REASONS(X)                                                        \
	/* link */                                                             \
	X(DROP_RUNT, "runt_frame")                                             \
	X(DROP_OTHERHOST, "other_host")                                        \
	X(DROP_LINK_ADDR, "bad_link_address")                                  \
	X(DROP_LENGTH_FIELD, "bad_802_3_length")                               \
	X(DROP_LLC, "unknown_llc")                                             \
	X(DROP_VLAN, "unknown_vlan")                                           \
	X(DROP_ETHERTYPE, "no_network_layer")                                  \
	X(DROP_NO_LINK_TYPE, "no_link_type")                                   \
	/* interface */                                                        \
	X(DROP_IF_DOWN, "interface_down")                                      \
	X(DROP_NO_CARRIER, "no_carrier")                                       \
	X(DROP_RING_FULL, "tx_ring_full")                                      \
	X(DROP_BACKLOG, "backlog_full")                                        \
	X(DROP_TX_ERROR, "tx_error")                                           \
	X(DROP_RX_ERROR, "rx_error")                                           \
	X(DROP_TOO_LONG, "longer_than_mtu")                                    \
	X(DROP_NO_TSO, "cannot_segment")                                       \
	/* network layer, input */                                             \
	X(DROP_TRUNCATED, "truncated")                                         \
	X(DROP_BAD_VERSION, "bad_version")                                     \
	X(DROP_BAD_HEADER, "bad_header")                                       \
	X(DROP_BADSUM, "bad_checksum")                                         \
	X(DROP_BAD_SOURCE, "martian_source")                                   \
	X(DROP_BAD_DEST, "martian_destination")                                \
	X(DROP_NOT_LOCAL, "not_for_us")                                        \
	X(DROP_BAD_OPTION, "bad_option")                                       \
	X(DROP_SOURCE_ROUTE, "source_route")                                   \
	X(DROP_TTL, "ttl_exceeded")                                            \
	X(DROP_NO_GROUP, "not_member")                                         \
	X(DROP_NO_PROTO, "no_transport")                                       \
	X(DROP_PROTO_SILENT, "transport_parked")                               \
	X(DROP_FILTER, "filtered")                                             \
	X(DROP_REDIRECT, "bad_redirect")                                       \
	/* fragments */                                                        \
	X(DROP_FRAG_BAD, "fragment_malformed")                                 \
	X(DROP_FRAG_OVERLAP, "fragment_overlap")                               \
	X(DROP_FRAG_TOO_BIG, "fragment_beyond_64k")                            \
	X(DROP_FRAG_TIMEOUT, "reassembly_timeout")                             \
	X(DROP_FRAG_LIMIT, "reassembly_limit")                                 \
	X(DROP_FRAG_DUP, "fragment_duplicate")                                 \
	/* neighbours */                                                       \
	X(DROP_NEIGH_MALFORMED, "neighbour_malformed")                         \
	X(DROP_NEIGH_NOT_MINE, "neighbour_not_for_us")                         \
	X(DROP_NEIGH_FAILED, "neighbour_failed")                               \
	X(DROP_NEIGH_PARKED, "neighbour_park_full")                            \
	X(DROP_NEIGH_TABLE, "neighbour_table_full")                            \
	X(DROP_ND_QUEUE, "router_advert_queue_full")                           \
	X(DROP_ND_LIMIT, "router_advert_bound")                                \
	X(DROP_NEIGH_DISTANT, "neighbour_hop_limit_not_255")                   \
	X(DROP_NEIGH_FRAGMENT, "neighbour_in_fragments")                       \
	X(DROP_NEIGH_CONFLICT, "neighbour_claims_our_address")                 \
	/* routing and sending */                                              \
	X(DROP_NO_ROUTE, "no_route")                                           \
	X(DROP_REJECT, "reject_route")                                         \
	X(DROP_BLACKHOLE, "blackhole_route")                                   \
	X(DROP_NEEDS_FRAG, "needs_fragmentation")                              \
	X(DROP_NO_FORWARD, "forwarding_off")                                   \
	X(DROP_STALE_FLOW, "stale_flow")                                       \
	/* transport and sockets */                                            \
	X(DROP_NO_SOCKET, "no_socket")                                         \
	X(DROP_SOCKET_FULL, "socket_buffer_full")                              \
	X(DROP_SOCKET_FILTER, "socket_filter")                                 \
	X(DROP_MIN_TTL, "below_least_ttl")                                     \
	X(DROP_BAD_LENGTH, "bad_length")                                       \
	X(DROP_BAD_PORT, "bad_port")                                           \
	X(DROP_UNKNOWN_TYPE, "unknown_type")                                   \
	X(DROP_BAD_QUOTE, "bad_quoted_packet")                                 \
	X(DROP_RATE_LIMIT, "rate_limited")                                     \
	X(DROP_IGNORED, "ignored_by_rfc")                                      \
	X(DROP_BAD_SEQUENCE, "bad_sequence")                                   \
	X(DROP_RESET, "reset")                                                 \
	/* own trouble */                                                      \
	X(DROP_NO_MEMORY, "no_memory")                                         \
	X(DROP_UNLOADED, "module_left")                                        \
	X(DROP_CLOSED, "closed")
/* clang-format on */

#define DROP_ENUM(id, text) id,
enum drop_reason { DROP_REASONS(DROP_ENUM) DROP_COUNT };
#undef DROP_ENUM

/* Frees p, counts, traces when asked; NULL p only counts. Returns 0 (IP_TAKEN), so that an input
 * function may `return ip_drop(p, DROP_...)`. Poll and process context. */
int ip_drop(struct pkt *p, enum drop_reason why);
/* Counts a drop of a packet that somebody else frees. */
void ip_drop_count(enum drop_reason why);
u64 ip_drop_total(enum drop_reason why);
const char *ip_drop_name(enum drop_reason why);
