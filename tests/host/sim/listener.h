/* SPDX-License-Identifier: MIT */
/* listener.h - names that IGMP's and MLD's tests share: the types of records (RFC 9776 4.2.12) and
 * what a socket asks for. */
#pragma once

enum { IS_IN = 1, IS_EX, TO_IN, TO_EX, ALLOW, BLOCK };

enum change { JOIN, LEAVE, JOIN_SOURCE, LEAVE_SOURCE, BLOCK_SOURCE, UNBLOCK_SOURCE };
