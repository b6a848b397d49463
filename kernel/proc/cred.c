/* SPDX-License-Identifier: MIT */
/* cred.c - who a process acts for: user and group numbers, supplementary groups, capabilities. Root
 * is effective user 0; capabilities are kept for the programs that look at and drop them
 * (credentials(7), capabilities(7)), rights are decided by the effective user alone. */
#include "proc.h"

#include <weft/module.h>
#include <weft/string.h>

#define KEEP (~0u)
#define MAX_GROUPS ARRAY_SIZE(((struct cred *)0)->groups)
#define CAP_V1 0x19980330u
#define CAP_V2 0x20071026u
#define CAP_V3 0x20080522u

static DEFINE_MUTEX(changing);

u32 current_uid(void)
{
	return current()->proc ? current()->proc->cred.euid : 0;
}
EXPORT(current_uid);

u32 current_gid(void)
{
	return current()->proc ? current()->proc->cred.egid : 0;
}
EXPORT(current_gid);

int require_root(void)
{
	return current_uid() == 0 ? 0 : -EPERM;
}
EXPORT(require_root);

static bool has_root(const struct cred *c)
{
	return c->uid == 0 || c->euid == 0 || c->suid == 0;
}

/* New credentials take effect at once for all threads. capabilities(7), "Effect of user ID
 * changes". */
static void commit(struct cred *new)
{
	struct proc *p = current_proc();

	spin_lock(&p->lock);
	if (has_root(&p->cred) && !has_root(new) && !p->keepcaps)
		new->cap_permitted = new->cap_effective = 0;
	if (p->cred.euid == 0 && new->euid != 0)
		new->cap_effective = 0;
	if (p->cred.euid != 0 && new->euid == 0)
		new->cap_effective = new->cap_permitted;
	if (p->cred.euid != new->euid || p->cred.egid != new->egid)
		p->dumpable = 0;
	p->cred = *new;
	spin_unlock(&p->lock);
}

/* One change at a time: another thread's between the look at the old credentials and the new ones
 * would be undone. fn changes new, or refuses. */
static long change(long (*fn)(struct cred *new, u64 a, u64 b, u64 c), u64 a, u64 b, u64 c)
{
	struct cred new;
	long err;

	mutex_lock(&changing);
	new = current_proc()->cred;
	err = fn(&new, a, b, c);
	if (err >= 0)
		commit(&new);
	mutex_unlock(&changing);
	return err;
}

/* An unprivileged process may take one of the numbers it has. */
static bool is_one_of(u32 id, u32 x, u32 y, u32 z)
{
	return id == x || id == y || id == z;
}

SYSCALL(102, getuid)
{
	return current_proc()->cred.uid;
}

SYSCALL(104, getgid)
{
	return current_proc()->cred.gid;
}

SYSCALL(107, geteuid)
{
	return current_proc()->cred.euid;
}

SYSCALL(108, getegid)
{
	return current_proc()->cred.egid;
}

static long new_setuid(struct cred *new, u64 a, u64 b, u64 c)
{
	u32 id = (u32)a;

	if (id == KEEP)
		return -EINVAL;
	if (new->euid == 0)
		new->uid = new->suid = id;
	else if (id != new->uid && id != new->suid)
		return -EPERM;
	new->euid = new->fsuid = id;
	return 0;
}

SYSCALL(105, setuid)
{
	return change(new_setuid, a, 0, 0);
}

static long new_setgid(struct cred *new, u64 a, u64 b, u64 c)
{
	u32 id = (u32)a;

	if (id == KEEP)
		return -EINVAL;
	if (new->euid == 0)
		new->gid = new->sgid = id;
	else if (id != new->gid && id != new->sgid)
		return -EPERM;
	new->egid = new->fsgid = id;
	return 0;
}

SYSCALL(106, setgid)
{
	return change(new_setgid, a, 0, 0);
}

static long new_setresuid(struct cred *new, u64 a, u64 b, u64 c)
{
	const struct cred old = *new;
	u32 ids[3] = { (u32)a, (u32)b, (u32)c };
	u32 i;

	for (i = 0; i < 3; i++) {
		if (ids[i] != KEEP && old.euid != 0 &&
		    !is_one_of(ids[i], old.uid, old.euid, old.suid))
			return -EPERM;
	}
	new->uid = ids[0] == KEEP ? old.uid : ids[0];
	new->euid = ids[1] == KEEP ? old.euid : ids[1];
	new->suid = ids[2] == KEEP ? old.suid : ids[2];
	new->fsuid = new->euid;
	return 0;
}

SYSCALL(117, setresuid)
{
	return change(new_setresuid, a, b, c);
}

static long new_setresgid(struct cred *new, u64 a, u64 b, u64 c)
{
	const struct cred old = *new;
	u32 ids[3] = { (u32)a, (u32)b, (u32)c };
	u32 i;

	for (i = 0; i < 3; i++) {
		if (ids[i] != KEEP && old.euid != 0 &&
		    !is_one_of(ids[i], old.gid, old.egid, old.sgid))
			return -EPERM;
	}
	new->gid = ids[0] == KEEP ? old.gid : ids[0];
	new->egid = ids[1] == KEEP ? old.egid : ids[1];
	new->sgid = ids[2] == KEEP ? old.sgid : ids[2];
	new->fsgid = new->egid;
	return 0;
}

SYSCALL(119, setresgid)
{
	return change(new_setresgid, a, b, c);
}

/* POSIX.1 setreuid(): the saved number follows when the real one is set or the effective one
 * becomes something other than the old real one. */
static long new_setreuid(struct cred *new, u64 a, u64 b, u64 c)
{
	const struct cred old = *new;
	u32 real = (u32)a, eff = (u32)b;

	if (real != KEEP && old.euid != 0 && real != old.uid && real != old.euid)
		return -EPERM;
	if (eff != KEEP && old.euid != 0 && !is_one_of(eff, old.uid, old.euid, old.suid))
		return -EPERM;
	new->uid = real == KEEP ? old.uid : real;
	new->euid = eff == KEEP ? old.euid : eff;
	if (real != KEEP || (eff != KEEP && eff != old.uid))
		new->suid = new->euid;
	new->fsuid = new->euid;
	return 0;
}

SYSCALL(113, setreuid)
{
	return change(new_setreuid, a, b, 0);
}

static long new_setregid(struct cred *new, u64 a, u64 b, u64 c)
{
	const struct cred old = *new;
	u32 real = (u32)a, eff = (u32)b;

	if (real != KEEP && old.euid != 0 && real != old.gid && real != old.egid)
		return -EPERM;
	if (eff != KEEP && old.euid != 0 && !is_one_of(eff, old.gid, old.egid, old.sgid))
		return -EPERM;
	new->gid = real == KEEP ? old.gid : real;
	new->egid = eff == KEEP ? old.egid : eff;
	if (real != KEEP || (eff != KEEP && eff != old.gid))
		new->sgid = new->egid;
	new->fsgid = new->egid;
	return 0;
}

SYSCALL(114, setregid)
{
	return change(new_setregid, a, b, 0);
}

/* setfsuid(2): the old number is the answer, whether or not it changed. */
static long new_setfsuid(struct cred *new, u64 a, u64 b, u64 c)
{
	u32 old = new->fsuid;

	if ((u32)a != KEEP && (new->euid == 0 || (u32)a == old ||
			       is_one_of((u32)a, new->uid, new->euid, new->suid))) {
		new->fsuid = (u32)a;
	}
	return old;
}

SYSCALL(122, setfsuid)
{
	return change(new_setfsuid, a, 0, 0);
}

static long new_setfsgid(struct cred *new, u64 a, u64 b, u64 c)
{
	u32 old = new->fsgid;

	if ((u32)a != KEEP && (new->euid == 0 || (u32)a == old ||
			       is_one_of((u32)a, new->gid, new->egid, new->sgid))) {
		new->fsgid = (u32)a;
	}
	return old;
}

SYSCALL(123, setfsgid)
{
	return change(new_setfsgid, a, 0, 0);
}

static long put_three(u64 a, u64 b, u64 c, u32 x, u32 y, u32 z)
{
	if (copy_to_user(uptr(a), &x, sizeof(x)) || copy_to_user(uptr(b), &y, sizeof(y)) ||
	    copy_to_user(uptr(c), &z, sizeof(z)))
		return -EFAULT;
	return 0;
}

SYSCALL(118, getresuid)
{
	const struct cred *cr = &current_proc()->cred;

	return put_three(a, b, c, cr->uid, cr->euid, cr->suid);
}

SYSCALL(120, getresgid)
{
	const struct cred *cr = &current_proc()->cred;

	return put_three(a, b, c, cr->gid, cr->egid, cr->sgid);
}

SYSCALL(115, getgroups)
{
	const struct cred *cr = &current_proc()->cred;
	int room = (int)a;

	if (room < 0)
		return -EINVAL;
	if (!room)
		return cr->ngroups;
	if ((u32)room < cr->ngroups)
		return -EINVAL;
	if (copy_to_user(uptr(b), cr->groups, cr->ngroups * sizeof(u32)))
		return -EFAULT;
	return cr->ngroups;
}

static long new_setgroups(struct cred *new, u64 a, u64 b, u64 c)
{
	if (new->euid != 0)
		return -EPERM;
	if (a > MAX_GROUPS)
		return -EINVAL;
	if (copy_from_user(new->groups, uptr(b), a * sizeof(u32)))
		return -EFAULT;
	new->ngroups = (u32)a;
	return 0;
}

SYSCALL(116, setgroups)
{
	return change(new_setgroups, a, b, 0);
}

/* ---- capabilities ---- */

struct cap_header {
	u32 version;
	int pid;
};

struct cap_data {
	u32 effective, permitted, inheritable;
};

/* How many cap_data the version has; when it is unknown the kernel's is written back. */
static int cap_header_get(u64 user, struct cap_header *h, u32 *words)
{
	u32 ours = CAP_V3;

	if (copy_from_user(h, uptr(user), sizeof(*h)))
		return -EFAULT;
	*words = h->version == CAP_V1 ? 1 : h->version == CAP_V2 || h->version == CAP_V3 ? 2 : 0;
	if (*words)
		return 0;
	return copy_to_user(uptr(user), &ours, sizeof(ours)) ? -EFAULT : -EINVAL;
}

SYSCALL(125, capget)
{
	struct cap_data data[2];
	struct cap_header h;
	struct proc *p;
	struct cred cr;
	u32 words, i;
	int err = cap_header_get(a, &h, &words);

	if (err) /* asked with no buffer it was only about the version */
		return err == -EINVAL && !b ? 0 : err;
	if (h.pid < 0)
		return -EINVAL;
	p = proc_find_get(h.pid ? h.pid : current_proc()->pid);
	if (!p)
		return -ESRCH;
	cr = p->cred;
	proc_put(p);
	for (i = 0; i < 2; i++) {
		data[i] = (struct cap_data){
			.effective = (u32)(cr.cap_effective >> (32 * i)),
			.permitted = (u32)(cr.cap_permitted >> (32 * i)),
			.inheritable = (u32)(cr.cap_inheritable >> (32 * i)),
		};
	}
	return b ? copy_to_user(uptr(b), data, words * sizeof(data[0])) : 0;
}

static long new_capset(struct cred *new, u64 a, u64 b, u64 c)
{
	struct cap_data data[2] = { { 0 } };
	u64 effective, permitted, inheritable;
	struct cap_header h;
	u32 words;
	int err = cap_header_get(a, &h, &words);

	if (err)
		return err;
	if (h.pid && h.pid != current_proc()->pid && h.pid != current()->tid)
		return -EPERM;
	if (copy_from_user(data, uptr(b), words * sizeof(data[0])))
		return -EFAULT;
	effective = data[0].effective | (u64)data[1].effective << 32;
	permitted = data[0].permitted | (u64)data[1].permitted << 32;
	inheritable = data[0].inheritable | (u64)data[1].inheritable << 32;
	if ((permitted & ~new->cap_permitted) || (effective & ~permitted) ||
	    (inheritable & ~(new->cap_inheritable | new->cap_permitted)))
		return -EPERM;
	new->cap_effective = effective;
	new->cap_permitted = permitted;
	new->cap_inheritable = inheritable;
	return 0;
}

SYSCALL(126, capset)
{
	return change(new_capset, a, b, 0);
}
