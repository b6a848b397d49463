/* SPDX-License-Identifier: MIT */
/* entry.c - the tree of names. An entry that is linked is held by the tree and found through one
 * hash over (directory, name), under the lock of its bucket alone; a directory's list of children
 * gives readdir its order. Loose entries stand for objects that a look-up made up (/proc/PID) or
 * that never had a name (pipes): they live as long as somebody holds them. */
#include "inotify.h"

#define BUCKETS 1024

struct bucket {
	struct spinlock lock;
	struct hlist_head head;
};

static struct bucket buckets[BUCKETS];
struct spinlock tree_lock = SPINLOCK_INIT;

static u32 name_hash(const struct entry *dir, const char *name)
{
	u32 h = 2166136261u ^ (u32)((uintptr_t)dir >> 6);

	while (*name)
		h = (h ^ (u8)*name++) * 16777619u;
	return h ^ (h >> 15);
}

static struct bucket *bucket_of(u32 hash)
{
	return &buckets[hash % BUCKETS];
}

struct entry *entry_get(struct entry *e)
{
	refcount_inc(&e->refs);
	return e;
}

static void entry_free(struct entry *e)
{
	if (!READ_ONCE(e->inode->nlink))
		inotify_gone(e->inode, IN_DELETE_SELF);
	if (e->name != e->short_name)
		kfree(e->name);
	inode_put(e->inode);
	kfree(e);
}

void entry_put(struct entry *e)
{
	/* the last reference on a name may be the last on its parents: a loop, not a recursion */
	while (e && refcount_dec_and_test(&e->refs)) {
		struct entry *parent = e->parent;

		entry_free(e);
		e = parent;
	}
}

static int entry_set_name(struct entry *e, const char *name)
{
	size_t n = strlen(name) + 1;

	e->name = n <= sizeof(e->short_name) ? e->short_name : kmalloc(n);
	if (!e->name)
		return -ENOMEM;
	memcpy(e->name, name, n);
	return 0;
}

static struct entry *entry_alloc(const char *name, struct inode *ino)
{
	struct entry *e = kzalloc(sizeof(*e));

	if (!e)
		return NULL;
	if (entry_set_name(e, name)) {
		kfree(e);
		return NULL;
	}
	refcount_set(&e->refs, 1);
	e->inode = inode_get(ino);
	list_init(&e->children);
	list_init(&e->sibling);
	e->next_cookie = 3; /* 0 ".", 1 "..", and 2 is where the children start */
	return e;
}

struct entry *entry_new_root(struct inode *ino)
{
	return entry_alloc("", ino);
}

struct entry *entry_new_loose(struct entry *dir, const char *name, struct inode *ino)
{
	struct entry *e = entry_alloc(name, ino);

	if (!e)
		return NULL;
	e->flags = ENTRY_LOOSE;
	if (dir)
		e->parent = entry_get(dir);
	return e;
}

/* A linked child with a reference, or NULL. */
static struct entry *hash_find(struct entry *dir, const char *name)
{
	u32 hash = name_hash(dir, name);
	struct bucket *b = bucket_of(hash);
	struct entry *e;

	spin_lock(&b->lock);
	hlist_for_each_entry(e, &b->head, hash_node) {
		if (e->hash == hash && e->parent == dir && !strcmp(e->name, name)) {
			refcount_inc(&e->refs);
			break;
		}
	}
	spin_unlock(&b->lock);
	return e;
}

static void hash_insert(struct entry *e)
{
	struct bucket *b;

	e->hash = name_hash(e->parent, e->name);
	b = bucket_of(e->hash);
	spin_lock(&b->lock);
	hlist_add_head(&e->hash_node, &b->head);
	spin_unlock(&b->lock);
}

struct entry *entry_lookup_locked(struct entry *dir, const char *name)
{
	struct entry *e = hash_find(dir, name);
	struct inode *ino;

	if (e)
		return e;
	if (!dir->inode->ops || !dir->inode->ops->lookup)
		return ERR_PTR(-ENOENT);
	ino = dir->inode->ops->lookup(dir->inode, name);
	if (IS_ERR(ino))
		return ERR_PTR(PTR_ERR(ino));
	e = entry_new_loose(dir, name, ino);
	inode_put(ino);
	return e ? e : ERR_PTR(-ENOMEM);
}

struct entry *entry_lookup(struct entry *dir, const char *name)
{
	struct entry *e = hash_find(dir, name);

	if (e)
		return e;
	if (!dir->inode->ops || !dir->inode->ops->lookup)
		return ERR_PTR(-ENOENT);
	mutex_lock(&dir->inode->lock);
	e = entry_lookup_locked(dir, name);
	mutex_unlock(&dir->inode->lock);
	return e;
}

int entry_link(struct entry *dir, const char *name, struct inode *ino, struct entry **out)
{
	struct entry *e = hash_find(dir, name);

	if (e) {
		entry_put(e);
		return -EEXIST;
	}
	if (READ_ONCE(dir->flags) & ENTRY_DELETED)
		return -ENOENT;
	e = entry_alloc(name, ino);
	if (!e)
		return -ENOMEM;
	e->parent = entry_get(dir);
	e->cookie = dir->next_cookie++;
	list_add_tail(&e->sibling, &dir->children);
	if (out)
		*out = entry_get(e);
	hash_insert(e);
	return 0;
}

/* Out of hash and list; the tree's reference is the caller's now. */
static void entry_detach(struct entry *e)
{
	struct bucket *b = bucket_of(e->hash);

	spin_lock(&b->lock);
	hlist_del(&e->hash_node);
	spin_unlock(&b->lock);
	list_del(&e->sibling);
	spin_lock(&tree_lock);
	e->flags |= ENTRY_DELETED;
	spin_unlock(&tree_lock);
}

void entry_unlink(struct entry *e)
{
	entry_detach(e);
	entry_put(e);
}

/* Locks the buckets of two hashes, in the order of their addresses. */
static void lock_buckets(struct bucket *a, struct bucket *b)
{
	if (a > b) {
		struct bucket *t = a;

		a = b;
		b = t;
	}
	spin_lock(&a->lock);
	if (a != b)
		spin_lock(&b->lock);
}

static void unlock_buckets(struct bucket *a, struct bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

/* Gives e a new parent and name; both buckets are locked. Its strings are swapped with spare. */
static void entry_rehash(struct entry *e, struct entry *newdir, char **spare, char *spare_short)
{
	char old_short[sizeof(e->short_name)];
	char *old = e->name;

	hlist_del(&e->hash_node);
	spin_lock(&tree_lock);
	memcpy(old_short, e->short_name, sizeof(old_short));
	memcpy(e->short_name, spare_short, sizeof(old_short));
	e->name = *spare ? *spare : e->short_name;
	*spare = old == e->short_name ? NULL : old;
	memcpy(spare_short, old_short, sizeof(old_short));
	e->parent = newdir;
	spin_unlock(&tree_lock);
	e->hash = name_hash(newdir, e->name);
	hlist_add_head(&e->hash_node, &bucket_of(e->hash)->head);
}

int entry_move(struct entry *e, struct entry *newdir, const char *newname, struct entry *victim)
{
	size_t n = strlen(newname) + 1;
	struct entry *olddir = e->parent;
	struct bucket *from = bucket_of(e->hash), *to = bucket_of(name_hash(newdir, newname));
	char spare_short[sizeof(e->short_name)] = { 0 };
	char *spare = NULL;

	if (n > sizeof(spare_short)) {
		spare = kmalloc(n);
		if (!spare)
			return -ENOMEM;
	}
	memcpy(spare ? spare : spare_short, newname, n);
	entry_get(newdir);
	/* one critical section: a look-up of the new name finds the old object or the new one */
	lock_buckets(from, to);
	if (victim)
		hlist_del(&victim->hash_node);
	entry_rehash(e, newdir, &spare, spare_short);
	unlock_buckets(from, to);
	list_del(&e->sibling);
	e->cookie = newdir->next_cookie++;
	list_add_tail(&e->sibling, &newdir->children);
	kfree(spare);
	entry_put(olddir);
	if (victim)
		entry_unlink(victim);
	return 0;
}

int entry_exchange(struct entry *a, struct entry *b)
{
	struct bucket *x = bucket_of(a->hash), *y = bucket_of(b->hash);
	struct entry *adir = a->parent;
	char spare_short[sizeof(a->short_name)] = { 0 };
	char *spare = NULL;
	size_t n = strlen(b->name) + 1;

	if (b->name != b->short_name) {
		spare = kmalloc(n);
		if (!spare)
			return -ENOMEM;
	}
	memcpy(spare ? spare : spare_short, b->name, n);
	lock_buckets(x, y);
	entry_rehash(a, b->parent, &spare, spare_short);
	entry_rehash(b, adir, &spare, spare_short);
	unlock_buckets(x, y);
	kfree(spare); /* b's own old name */
	/* positions must rise along a list: both go to the end of their new one */
	list_del(&a->sibling);
	list_del(&b->sibling);
	a->cookie = a->parent->next_cookie++;
	list_add_tail(&a->sibling, &a->parent->children);
	b->cookie = b->parent->next_cookie++;
	list_add_tail(&b->sibling, &b->parent->children);
	return 0;
}

struct entry *entry_parent(struct entry *e)
{
	struct entry *p;

	spin_lock(&tree_lock);
	p = entry_get(e->parent ? e->parent : e);
	spin_unlock(&tree_lock);
	return p;
}

bool entry_is_inside(struct entry *e, struct entry *dir)
{
	bool inside;

	spin_lock(&tree_lock);
	while (e && e != dir)
		e = e->parent;
	inside = e != NULL;
	spin_unlock(&tree_lock);
	return inside;
}

void entry_destroy_tree(struct entry *root)
{
	struct entry *e = root;

	for (;;) {
		struct entry *parent;

		if (!list_empty(&e->children)) {
			e = list_first_entry(&e->children, struct entry, sibling);
			continue;
		}
		if (e == root)
			break;
		parent = e->parent; /* e's own reference keeps it until the loop is back there */
		inotify_gone(e->inode, IN_UNMOUNT);
		entry_unlink(e);
		e = parent;
	}
	inotify_gone(root->inode, IN_UNMOUNT);
	entry_put(root);
}

bool entry_readdir(struct entry *dir, u64 pos, void *ctx,
		   bool (*emit)(void *ctx, const char *name, u64 ino, u8 type, u64 next_pos))
{
	struct entry *e;

	list_for_each_entry(e, &dir->children, sibling) {
		if (e->cookie < pos)
			continue;
		if (!emit(ctx, e->name, e->inode->ino, mode_to_dtype(e->inode->mode),
			  e->cookie + 1))
			return false;
	}
	return true;
}

/* ---- places and handles on them ---- */

struct path path_get(const struct path *p)
{
	if (p->mnt)
		mount_get(p->mnt);
	entry_get(p->entry);
	return *p;
}

void path_put(struct path *p)
{
	struct mount *m = p->mnt;

	/* the entry first: the mount may hold the last reference on the whole tree */
	if (p->entry)
		entry_put(p->entry);
	if (m)
		mount_put(m);
	p->entry = NULL;
	p->mnt = NULL;
}

struct dentry *dentry_new(const struct path *p)
{
	struct dentry *d = kmalloc(sizeof(*d));

	if (!d)
		return NULL;
	refcount_set(&d->refs, 1);
	d->path = path_get(p);
	return d;
}

struct dentry *dentry_get(struct dentry *d)
{
	refcount_inc(&d->refs);
	return d;
}

void dentry_put(struct dentry *d)
{
	if (!d || !refcount_dec_and_test(&d->refs))
		return;
	path_put(&d->path);
	kfree(d);
}

struct path dentry_to_path(struct dentry *d)
{
	return path_get(&d->path);
}
