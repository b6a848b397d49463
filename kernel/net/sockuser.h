/* SPDX-License-Identifier: MIT */
/* sockuser.h - socket names across the user border. */
#pragma once

#include <weft/socket.h>

/* To a zeroed buffer of SOCKADDR_MAX. len is as the user gave it. -EINVAL, -EFAULT. */
int socket_name_from_user(u8 *name, u64 user, u64 len);
/* Writes as much as the int at user_len allows and the true length there. -EINVAL, -EFAULT. */
int socket_name_to_user(u64 user, u64 user_len, const u8 *name, u32 len);
