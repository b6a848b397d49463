/* SPDX-License-Identifier: MIT */
/* unix_scm.c - SCM_RIGHTS and SCM_CREDENTIALS (unix(7)). Files on their way are bounded in number,
 * for each user as Linux has it; those that only hold each other are unix_gc.c's. */
#include <core/proc.h>
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/sched.h>
#include <weft/string.h>

#include "unix.h"

#define SCM_CREDENTIALS 2
#define FILES_ON_THE_WAY_MAX 16384 /* of everybody; the last quarter is root's */
#define USERS 256

static struct atomic files_on_the_way;
static struct atomic user_files[USERS]; /* of users whose ids are equal in their last bits */

/* Linux: who has as many on their way as may be open sends no more. */
static bool too_many(u32 user, u32 n)
{
	int all = atomic_read(&files_on_the_way) + (int)n;
	const struct proc *p = current_proc();

	if (!require_root())
		return all > FILES_ON_THE_WAY_MAX;
	return all > FILES_ON_THE_WAY_MAX / 4 * 3 ||
	       (p && (u64)atomic_read(&user_files[user]) + n > p->rlim[RLIMIT_NOFILE].cur);
}

static int take_files(const struct cmsg_view *c, struct unix_scm *scm)
{
	u32 n = c->len / sizeof(int), i;

	if (scm->files || n > UNIX_FILES_MAX)
		return -EINVAL;
	if (!n)
		return 0;
	scm->user = current_uid() % USERS;
	if (too_many(scm->user, n)) {
		unix_gc_schedule();
		return -ETOOMANYREFS;
	}
	scm->files = kcalloc(n, sizeof(*scm->files));
	if (!scm->files)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, c->data + i * sizeof(int), sizeof(fd));
		scm->files[i] = fd_get(fd);
		if (!scm->files[i])
			return -EBADF;
		unix_file_leaves(scm->files[i]);
		scm->nr_files++;
		atomic_inc(&files_on_the_way);
		atomic_inc(&user_files[scm->user]);
	}
	return 0;
}

static int take_cred(const struct cmsg_view *c, struct unix_scm *scm)
{
	struct unix_cred given, own = unix_current_cred();

	if (c->len < sizeof(given))
		return -EINVAL;
	memcpy(&given, c->data, sizeof(given));
	if ((given.pid != own.pid || given.uid != own.uid || given.gid != own.gid) &&
	    require_root())
		return -EPERM;
	scm->cred = given;
	return 0;
}

/* On failure unix_scm_free() is still due. */
int unix_scm_parse(const struct msg *m, struct unix_scm *scm)
{
	struct cmsg_view c;
	size_t pos = 0;
	int err = 0;

	memset(scm, 0, sizeof(*scm));
	scm->cred = unix_current_cred();
	while (!err && msg_next_control(m, &pos, &c)) {
		if (c.level != SOL_SOCKET)
			continue;
		if (c.type == SCM_RIGHTS)
			err = take_files(&c, scm);
		else if (c.type == SCM_CREDENTIALS)
			err = take_cred(&c, scm);
		else
			err = -EINVAL;
	}
	return err;
}

void unix_scm_free(struct unix_scm *scm)
{
	u32 i;

	for (i = 0; i < scm->nr_files; i++) {
		atomic_dec(&files_on_the_way);
		atomic_dec(&user_files[scm->user]);
		unix_file_arrives(scm->files[i]);
		file_put(scm->files[i]);
	}
	kfree(scm->files);
	scm->files = NULL;
	scm->nr_files = 0;
}

static void deliver_files(struct msg *m, struct unix_scm *scm)
{
	size_t room = m->control_len - m->control_used;
	u32 flags = m->flags & MSG_CMSG_CLOEXEC ? O_CLOEXEC : 0, fit, n;
	int fds[UNIX_FILES_MAX];

	fit = room > sizeof(struct user_cmsghdr) ?
		      (room - sizeof(struct user_cmsghdr)) / sizeof(int) :
		      0;
	for (n = 0; m->control && n < scm->nr_files && n < fit; n++) {
		struct file *f = file_get(scm->files[n]);

		fds[n] = fd_install(f, flags);
		if (fds[n] < 0) {
			file_put(f);
			break;
		}
	}
	if (n)
		msg_put_control(m, SOL_SOCKET, SCM_RIGHTS, fds, n * sizeof(int));
	if (n < scm->nr_files)
		m->flags |= MSG_CTRUNC;
}

void unix_scm_deliver(struct socket *s, struct msg *m, struct unix_scm *scm, bool peek)
{
	if (s->passcred)
		msg_put_control(m, SOL_SOCKET, SCM_CREDENTIALS, &scm->cred, sizeof(scm->cred));
	if (scm->nr_files)
		deliver_files(m, scm);
	if (!peek)
		unix_scm_free(scm);
}
