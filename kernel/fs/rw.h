/* SPDX-License-Identifier: MIT */
/* rw.h - what the calls that move data share: vectors of user memory, positions. */
#pragma once

#include "fs.h"

#define MAX_RW 0x7ffff000ul /* bytes a call, as Linux */
#define FAST_IOV 8

/* Vectors of a call: on the stack when they are few. */
struct vectors {
	struct iovec fast[FAST_IOV];
	struct iovec *iov;
	struct iov_iter it;
};
int vectors_get(struct vectors *v, u64 uiov, u64 nr);
void vectors_put(struct vectors *v);

/* At the file's own position (pos NULL) or at *pos, which moves. */
long transfer(struct file *f, struct iov_iter *it, u64 *pos, bool write);
