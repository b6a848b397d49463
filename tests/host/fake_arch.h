/* SPDX-License-Identifier: MIT */
/* fake_arch.h - the machine for host tests of memory management: an arena as RAM, page tables as
 * plain arrays over one window of user addresses, and whatever else of the core mm calls. */
#pragma once

#include <weft/types.h>

#define WINDOW_START 0x40000000ull
#define WINDOW_PAGES 512ull
#define WINDOW_END (WINDOW_START + WINDOW_PAGES * 4096)

/* Maps an arena of that many pages and describes it in boot_info: two usable ranges with odd
 * borders, between them a hole and an initial root file system. */
void fake_ram(u32 pages);
/* arch_map fails once after n more successes that needed a table; -1: never. */
extern int fake_map_failures;
extern u32 fake_shootdowns, fake_files_open;
/* A file of that many pages; page i begins with the number stamp + i. */
struct file *fake_file(u32 pages, u32 stamp, u32 flags);
void fake_file_close(struct file *f);
