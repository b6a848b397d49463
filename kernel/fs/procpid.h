/* SPDX-License-Identifier: MIT */
/* procpid.h - the parts of /proc/PID: which process an inode means, and who prints what. */
#pragma once

#include "tree.h"

/* What one inode below /proc/PID stands for. Nothing is held: the process is looked up at each use.
 */
struct pid_ref {
	int pid, tid; /* tid 0: the process as a whole */
	u64 start_ns; /* tells a new process from an old one of the same number */
	int fd;	      /* entries of fd and fdinfo */
	const struct pid_file *what;
};

struct pid_file {
	const char *name;
	u32 mode;
	bool private; /* for the owner and root only */
	bool group;   /* not below task/TID */
	int (*show)(struct seq *s, struct proc *p, struct thread *t);
	int (*write)(struct proc *p, struct thread *t, const char *text);
	int (*link)(struct proc *p, struct path *out); /* where a magic link leads */
	const struct inode_ops *ops;		       /* directories, made by themselves */
	const struct file_ops *fops;
};

extern const struct pid_file pid_files[];
extern const u32 nr_pid_files;

/* The process of a reference, itself with a reference; NULL when it is gone. */
struct proc *pid_ref_proc(const struct pid_ref *r);
/* The thread it means: tid, or for the process as a whole any. NULL. */
struct thread *pid_ref_thread(const struct pid_ref *r, struct proc *p);
bool may_inspect(struct proc *p);
/* A new inode like parent's reference, for what and fd. ERR_PTR. */
struct inode *pid_inode(struct super *s, const struct pid_ref *like, const struct pid_file *what,
			u32 mode, struct proc *owner);
int parse_number(const char *name); /* decimal without leading zeros; -1 */

extern const struct inode_ops fd_dir_ops, fdinfo_dir_ops, task_dir_ops, thread_dir_ops;
extern const struct file_ops fd_dir_fops, task_dir_fops, thread_dir_fops;
extern const struct inode_ops pid_text_ops;
extern const struct file_ops pid_text_fops;
/* Looks name up among pid_files for a directory of r. ERR_PTR. */
struct inode *pid_file_lookup(struct inode *dir, const char *name, bool thread);
int pid_files_readdir(struct file *f, void *ctx, bool thread,
		      bool (*emit)(void *ctx, const char *name, u64 ino, u8 type, u64 next_pos));

/* procshow.c, procmm.c */
int show_stat(struct seq *s, struct proc *p, struct thread *t);
int show_status(struct seq *s, struct proc *p, struct thread *t);
int show_comm(struct seq *s, struct proc *p, struct thread *t);
int write_comm(struct proc *p, struct thread *t, const char *text);
int show_limits(struct seq *s, struct proc *p, struct thread *t);
int show_oom_adj(struct seq *s, struct proc *p, struct thread *t);
int write_oom_adj(struct proc *p, struct thread *t, const char *text);
int show_oom_score(struct seq *s, struct proc *p, struct thread *t);
int show_cgroup(struct seq *s, struct proc *p, struct thread *t);
int show_mounts(struct seq *s, struct proc *p, struct thread *t);
int show_mountinfo(struct seq *s, struct proc *p, struct thread *t);
int show_statm(struct seq *s, struct proc *p, struct thread *t);
int show_cmdline(struct seq *s, struct proc *p, struct thread *t);
int show_environ(struct seq *s, struct proc *p, struct thread *t);
int show_auxv(struct seq *s, struct proc *p, struct thread *t);
int show_maps(struct seq *s, struct proc *p, struct thread *t);
int show_fdinfo(struct seq *s, struct proc *p, int fd);
int link_exe(struct proc *p, struct path *out);
int link_cwd(struct proc *p, struct path *out);
int link_root(struct proc *p, struct path *out);
