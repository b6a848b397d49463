/* SPDX-License-Identifier: MIT */
/* inotify.h - what the VFS tells those who watch files, inotify(7). Each call costs one test of the
 * inode's flags while nobody watches it or a directory that names it. Process context; no spin lock
 * held; events of names with the directory's lock held, so that they come in the order of the
 * changes. */
#pragma once

#include "fs.h"

#define IN_ACCESS 0x1u
#define IN_MODIFY 0x2u
#define IN_ATTRIB 0x4u
#define IN_CLOSE_WRITE 0x8u
#define IN_CLOSE_NOWRITE 0x10u
#define IN_OPEN 0x20u
#define IN_MOVED_FROM 0x40u
#define IN_MOVED_TO 0x80u
#define IN_CREATE 0x100u
#define IN_DELETE 0x200u
#define IN_DELETE_SELF 0x400u
#define IN_MOVE_SELF 0x800u
#define IN_ALL_EVENTS 0xfffu
#define IN_UNMOUNT 0x2000u
#define IN_Q_OVERFLOW 0x4000u
#define IN_IGNORED 0x8000u
#define IN_ONLYDIR 0x1000000u
#define IN_DONT_FOLLOW 0x2000000u
#define IN_EXCL_UNLINK 0x4000000u
#define IN_MASK_CREATE 0x10000000u
#define IN_MASK_ADD 0x20000000u
#define IN_ISDIR 0x40000000u
#define IN_ONESHOT 0x80000000u

/* struct inode.watched */
#define WATCHED_SELF BIT(0) /* has watches */
#define WATCHED_NAME BIT(1) /* a directory that names it has some, or had */

/* The slow halves. */
void inotify_file_event(struct file *f, u32 mask);
void inotify_entry_event(struct entry *e, u32 mask);
void inotify_name_event(struct inode *dir, u32 mask, const char *name, struct inode *ino,
			u32 cookie);
void inotify_inode_event(struct inode *ino, u32 mask);
void inotify_end(struct inode *ino, u32 mask);
u32 inotify_next_cookie(void);

/* Something was done through an open file: to its watchers and those of the directory it was opened
 * in. */
static inline void inotify_file(struct file *f, u32 mask)
{
	if (unlikely(READ_ONCE(f->inode->watched)))
		inotify_file_event(f, mask);
}

/* The same for what was done by name. */
static inline void inotify_entry(struct entry *e, u32 mask)
{
	if (unlikely(READ_ONCE(e->inode->watched)))
		inotify_entry_event(e, mask);
}

/* To the watchers of the inode alone. */
static inline void inotify_inode(struct inode *ino, u32 mask)
{
	if (unlikely(READ_ONCE(ino->watched) & WATCHED_SELF))
		inotify_inode_event(ino, mask);
}

/* A name of ino came into dir or went; dir's lock held. */
static inline void inotify_name(struct inode *dir, u32 mask, const char *name, struct inode *ino)
{
	if (unlikely(READ_ONCE(dir->watched) & WATCHED_SELF))
		inotify_name_event(dir, mask, name, ino, 0);
}

/* ino was renamed, in place of victim (may be NULL); both directories locked. */
static inline void inotify_moved(struct inode *from, const char *oldname, struct inode *to,
				 const char *newname, struct inode *ino, struct inode *victim)
{
	if (unlikely((READ_ONCE(from->watched) | READ_ONCE(to->watched)) & WATCHED_SELF)) {
		u32 cookie = inotify_next_cookie();

		inotify_name_event(from, IN_MOVED_FROM, oldname, ino, cookie);
		inotify_name_event(to, IN_MOVED_TO, newname, ino, cookie);
	}
	if (victim)
		inotify_inode(victim, IN_ATTRIB);
	inotify_inode(ino, IN_MOVE_SELF);
}

/* The last that named it is gone (IN_DELETE_SELF), or its file system (IN_UNMOUNT): its watches
 * end, and with them their references. */
static inline void inotify_gone(struct inode *ino, u32 mask)
{
	if (unlikely(READ_ONCE(ino->watched) & WATCHED_SELF))
		inotify_end(ino, mask);
}

int inotify_setup(void);
