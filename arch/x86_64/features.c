/* SPDX-License-Identifier: MIT */
/* features.c - instructions that depend on the processor, written into the kernel's text once at
 * boot while one CPU runs: stac and clac where SMAP exists (assembly leaves three-byte no-ops). */

#include <weft/string.h>

#include "machine.h"

struct smap_site {
	s32 at;	    /* relative to this field */
	u32 opcode; /* three bytes */
};

extern const struct smap_site smap_sites_start[], smap_sites_end[];

void text_poke(void *at, const void *bytes, size_t n)
{
	u64 cr0 = read_cr0();

	write_cr0(cr0 & ~CR0_WP);
	for (size_t i = 0; i < n; i++)
		((volatile u8 *)at)[i] = ((const u8 *)bytes)[i];
	write_cr0(cr0); /* serialises: the new bytes are fetched from here on */
}

void smap_patch(void)
{
	if (!features.smap)
		return;
	for (const struct smap_site *s = smap_sites_start; s < smap_sites_end; s++)
		text_poke((u8 *)&s->at + s->at, &s->opcode, 3);
}
