/* SPDX-License-Identifier: MIT */
/* seqfile.h - files under /proc and /sys made of text: a show function prints the whole, once per
 * open (at the first read), so that a reader sees one consistent state however it reads. */
#pragma once

#include <weft/module.h>

/* A growing text buffer. Printing into one that ran out of memory is a no-op; the reader then gets
 * -ENOMEM. */
struct seq {
	char *buf;
	size_t len, cap;
	bool failed;
	void *arg; /* as registered */
};
int seq_printf(struct seq *s, const char *fmt, ...) __printf(2, 3);
void seq_puts(struct seq *s, const char *str);
void seq_write(struct seq *s, const void *p, size_t n);

/* A registered file. Memory belongs to the caller, path and all, until removed. Text written by a
 * user arrives whole, terminated, without its last newline. Process context. */
struct procfile {
	const char *path; /* below /proc: "net/arp", "sys/net/ipv4/ip_forward" */
	u16 mode;	  /* 0444, 0644 ... */
	int (*show)(struct seq *s);
	int (*write)(void *arg, const char *text,
		     size_t len); /* NULL: EACCES/EPERM at open for write */
	void *arg;
	void *node; /* the file system's */
};
/* Makes missing directories. -EEXIST, -ENOMEM. After remove returned no show or write is running; a
 * file still open reads as empty. remove on one never added is a no-op. */
int procfile_add_owner(struct procfile *f, struct module *owner);
void procfile_remove(struct procfile *f);
#define procfile_add(f) procfile_add_owner(f, THIS_MODULE)
/* A directory or link under /sys; same rules: sysfile_add("class/net/eth0/mtu" ...). */
int sysfile_add_owner(struct procfile *f, struct module *owner);
void sysfile_remove(struct procfile *f);
#define sysfile_add(f) sysfile_add_owner(f, THIS_MODULE)
int sysfs_link(const char *path, const char *target); /* symlink below /sys; -EEXIST, -ENOMEM */
int sysfs_mkdir(const char *path);
void sysfs_remove(const char *path); /* link, or directory with all below it */

#define SYSCTL_MAX_COUNT 4

/* An integer, or a few, under /proc/sys: read as text with tabs between, written whole with bounds
 * checked (-EINVAL outside). */
struct sysctl {
	const char *path; /* below /proc/sys: "net/ipv4/ip_forward" */
	int *value;
	u32 count; /* of integers at value; 0 is 1 */
	int min, max;
	/* Optional: sees the new ones before they are stored; -EINVAL to refuse. */
	int (*check)(const int *value);
	void (*changed)(struct sysctl *s); /* optional */
	struct procfile file;		   /* the core's */
	char full[96];
};
int sysctl_add_owner(struct sysctl *s, struct module *owner);
void sysctl_remove(struct sysctl *s);
#define sysctl_add(s) sysctl_add_owner(s, THIS_MODULE)
/* n in a row, all or none; removing what was never added is a no-op here too. */
static inline void sysctl_remove_all(struct sysctl *s, u32 n)
{
	while (n--)
		sysctl_remove(&s[n]);
}
static inline int sysctl_add_all_owner(struct sysctl *s, u32 n, struct module *owner)
{
	for (u32 i = 0; i < n; i++) {
		int err = sysctl_add_owner(&s[i], owner);

		if (err) {
			sysctl_remove_all(s, i);
			return err;
		}
	}
	return 0;
}
#define sysctl_add_all(s, n) sysctl_add_all_owner(s, n, THIS_MODULE)
