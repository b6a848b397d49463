/* SPDX-License-Identifier: MIT */
/* guest.h - a whole machine as a shared object: loaded N times it is N machines, each with its own
 * kernel, modules and data, in one world. The driver (a plain program, host.c) hands it jobs, which
 * run as kernel threads of that machine. */
#pragma once

#include <weft/net/addr.h>

#include "world.h"

struct sim_end;

/* What the driver asks a machine to do; lives until done. */
struct guest_job {
	struct list_head node;
	long (*fn)(void *arg);
	void *arg;
	long result;
	bool apart; /* in a thread of its own, so that it may take its time */
	bool done;
};

#define GUEST_NICS 2

struct guest_nic {
	const u8 *mac;
	u32 ip, plen;	     /* host order */
	u32 mtu;	     /* 0: 1500 */
	u32 features;	     /* NETIF_F_* */
	struct sim_end *end; /* filled in */
	struct ip_addr ip6;  /* of 64 bits' prefix; zeros: none */
};

struct guest_config {
	struct guest_nic nic[GUEST_NICS]; /* without a MAC address: is not there */
	u32 gateway;			  /* host order; 0: none */
	struct ip_addr gateway6;	  /* zeros: none */
	bool forward;
	const char *modules; /* beside ip, ethernet, ipv4 and icmp: "udp tcp" */
};

/* The one thing a machine exports, found by name. */
struct guest_ops {
	void (*start)(u64 seed);
	void (*post)(struct guest_job *j);
	/* Jobs. */
	long (*up)(void *config);    /* modules, interfaces, addresses: errno */
	long (*check)(void *unused); /* all unloaded, everything given back, or the process dies */
	long (*fail)(void *every);   /* u32, see sim_fail_every */
	long (*write)(void *words);  /* two strings: a path below /proc and what to write */
	/* words[0] is the path of a file below /proc; words[1] becomes what it holds (the machine's
	 * buffer), NULL: not there. */
	long (*read)(void *words);
	const struct app_ops *app; /* app.h */
	const struct app_udp_ops *app_udp;
};
extern const struct guest_ops guest_ops;

/* The driver's: a job is done, or something else that it waits for. Any context. */
void world_wake_driver(void);
