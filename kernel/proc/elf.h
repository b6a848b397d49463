/* SPDX-License-Identifier: MIT */
/* elf.h - what the loader takes from an ELF64 file (System V gABI 4.1, chapters 4 and 5), checked
 * before anything is mapped. The checks need no kernel service, so a host test can feed them
 * garbage. */
#pragma once

#include <weft/types.h>

#define ELF_HEAD_SIZE 256 /* the first bytes of a file that exec looks at */
#define ELF_MAX_PHDRS 128
#define ELF_MAX_SEGS 32

#define ET_EXEC 2
#define ET_DYN 3
#define PF_X 1
#define PF_W 2
#define PF_R 4

struct elf_ehdr {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_phdr {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

struct elf_seg {
	u64 vaddr, memsz, offset, filesz;
	u32 flags; /* PF_* */
};

/* The image before it has a place: addresses are the file's own. */
struct elf_plan {
	u16 type;
	u16 phnum;
	u64 entry, phdr; /* phdr 0: the table is in no segment */
	u64 low, high;	 /* first page, and the end rounded up to pages */
	u64 align;	 /* of the whole image */
	u64 brk;	 /* the end of the last segment */
	u64 code_start, code_end;
	u64 interp_offset, interp_size; /* size 0: no interpreter */
	bool exec_stack;
	u32 nr_segs;
	struct elf_seg seg[ELF_MAX_SEGS];
};

/* The header: 0 or -ENOEXEC. */
int elf_check_header(const struct elf_ehdr *eh, size_t len);
/* The segments: 0 or -ENOEXEC. ph has eh->phnum entries. limit: first address that is not a user's.
 */
int elf_make_plan(const struct elf_ehdr *eh, const struct elf_phdr *ph, u64 limit,
		  struct elf_plan *plan);
