/* SPDX-License-Identifier: MIT */
/* elf64.h - the parts of ELF-64 (System V gABI chapters 4 and 5; AMD64 psABI 4.4) that a
 * relocatable module uses. */
#pragma once

#include <weft/types.h>

struct elf64_ehdr {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf64_shdr {
	u32 name, type;
	u64 flags, addr, offset, size;
	u32 link, info;
	u64 addralign, entsize;
};

struct elf64_sym {
	u32 name;
	u8 info, other;
	u16 shndx;
	u64 value, size;
};

struct elf64_rela {
	u64 offset, info;
	s64 addend;
};

#define ELF_MAGIC "\177ELF\2\1\1" /* 64 bit, little endian, version 1 */
#define ELF_ET_REL 1
#define ELF_EM_X86_64 62
#define ELF_SHN_LORESERVE 0xff00
#define ELF_SHN_UNDEF 0
#define ELF_SHN_ABS 0xfff1

#define ELF_SHT_PROGBITS 1
#define ELF_SHT_SYMTAB 2
#define ELF_SHT_STRTAB 3
#define ELF_SHT_RELA 4
#define ELF_SHT_NOBITS 8
#define ELF_SHT_REL 9

#define ELF_SHF_WRITE 1
#define ELF_SHF_ALLOC 2
#define ELF_SHF_EXECINSTR 4

#define ELF_STT_FUNC 2
#define ELF_SYM_TYPE(info) ((info)&15)
#define ELF_RELA_SYM(info) ((u32)((info) >> 32))
#define ELF_RELA_TYPE(info) ((u32)(info))

#define ELF_R_X86_64_NONE 0
#define ELF_R_X86_64_64 1
#define ELF_R_X86_64_PC64 24

/* Bytes that a relocation of this type writes. */
static inline u32 elf_rela_width(u32 type)
{
	if (type == ELF_R_X86_64_NONE)
		return 0;
	return type == ELF_R_X86_64_64 || type == ELF_R_X86_64_PC64 ? 8 : 4;
}
