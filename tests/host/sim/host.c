/* SPDX-License-Identifier: MIT */
/* host.c - loads machines and waits for them. */
#include "host.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct world_machine driver;

void world_wake_driver(void)
{
	driver.irq = true;
}

void world_run(u64 ns)
{
	driver.timer_at = sim_now() + ns;
	world_wait(&driver);
	driver.irq = false;
	driver.timer_at = 0;
}

/* Beside the program. Copies under names of their own: one name would be loaded once. */
void host_load(struct host *h, u32 n, u64 seed)
{
	char name[512];
	ssize_t len = readlink("/proc/self/exe", name, sizeof(name) - 32);

	while (len > 0 && name[len - 1] != '/')
		len--;
	if (!driver.node.next)
		world_add(&driver);
	snprintf(name + len, 32, "stack-%u.so", n);
	h->library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	h->ops = h->library ? dlsym(h->library, "guest_ops") : NULL;
	if (!h->ops) {
		fprintf(stderr, "%s\n", dlerror());
		exit(2);
	}
	h->ops->start(seed);
}

void host_spawn(struct host *h, struct guest_job *j, long (*fn)(void *), void *arg)
{
	*j = (struct guest_job){ .fn = fn, .arg = arg, .apart = true };
	h->ops->post(j);
}

long host_call(struct host *h, long (*fn)(void *), void *arg)
{
	struct guest_job j = { .fn = fn, .arg = arg };

	h->ops->post(&j);
	while (!j.done)
		world_run(NSEC_PER_SEC);
	return j.result;
}
