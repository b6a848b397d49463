/* SPDX-License-Identifier: MIT */
/* tcp_counter.h - one of TCP's counters by its name in the TcpExt line of /proc/net/netstat. */
#pragma once

#include <stdlib.h>

#include "sim.h"
#include "stack.h"

static inline u32 word_length(const char *s)
{
	u32 n = 0;

	while (s[n] && s[n] != ' ' && s[n] != '\n')
		n++;
	return n;
}

static inline u64 tcp_counter(const char *field)
{
	const char *name = strstr(sim_read("/proc/net/netstat"), "TcpExt:");
	const char *value = strstr(name + 1, "TcpExt:");

	while (*name != '\n') {
		u32 len = word_length(name);

		if (len == strlen(field) && !strncmp(name, field, len))
			return strtoull(value, NULL, 10);
		name += len + (name[len] == ' ');
		value += word_length(value) + 1;
	}
	fail_msg("no counter %s", field);
	return 0;
}
