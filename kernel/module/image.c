/* SPDX-License-Identifier: MIT */
/* image.c - looks at a module file before anything of it is used: after image_check every offset,
 * size, index and string in headers, symbols and relocations is within the file and the section it
 * belongs to, so that the loader only has to follow them. */
#include <weft/err.h>
#include <weft/string.h>

#include "internal.h"

#define REJECT(img, ...)                                               \
	({                                                             \
		snprintf((img)->why, sizeof((img)->why), __VA_ARGS__); \
		-ENOEXEC;                                              \
	})

static const struct elf64_ehdr *header(const struct module_image *img)
{
	return (const struct elf64_ehdr *)img->data;
}

static bool in_file(const struct module_image *img, u64 offset, u64 size)
{
	return offset <= img->len && size <= img->len - offset;
}

static int check_header(struct module_image *img)
{
	const struct elf64_ehdr *h = header(img);

	if (img->len < sizeof(*h) || memcmp(h->ident, ELF_MAGIC, 7))
		return REJECT(img, "not a 64-bit little-endian ELF file");
	if (h->type != ELF_ET_REL)
		return REJECT(img, "ELF type %u, a module is relocatable (1)", h->type);
	if (h->machine != ELF_EM_X86_64)
		return REJECT(img, "built for machine %u, this is x86-64 (62)", h->machine);
	if (h->version != 1 || h->ehsize != sizeof(*h) || h->shentsize != sizeof(struct elf64_shdr))
		return REJECT(img, "bad ELF header");
	if (!h->shnum || h->shnum >= ELF_SHN_LORESERVE || h->shstrndx >= h->shnum || h->shoff % 8 ||
	    !in_file(img, h->shoff, (u64)h->shnum * sizeof(struct elf64_shdr)))
		return REJECT(img, "section headers lie outside of the file: truncated?");
	img->sections = (const struct elf64_shdr *)(img->data + h->shoff);
	img->nr_sections = h->shnum;
	return 0;
}

/* The bytes of a string table that is in the file, starts and ends with a NUL. NULL: it is not. */
static const char *string_table(const struct module_image *img, u32 index)
{
	const struct elf64_shdr *s;
	const char *p;

	if (!index || index >= img->nr_sections)
		return NULL;
	s = &img->sections[index];
	if (s->type != ELF_SHT_STRTAB || !s->size || !in_file(img, s->offset, s->size))
		return NULL;
	p = (const char *)img->data + s->offset;
	return p[0] || p[s->size - 1] ? NULL : p;
}

static int check_section(struct module_image *img, u32 i)
{
	const struct elf64_shdr *s = &img->sections[i];

	if (s->name >= img->sections[header(img)->shstrndx].size)
		return REJECT(img, "section %u: name out of range", i);
	if (s->type != ELF_SHT_NOBITS && !in_file(img, s->offset, s->size))
		return REJECT(img, "section %u lies outside of the file: truncated?", i);
	if (s->addralign & (s->addralign - 1))
		return REJECT(img, "section %u: alignment is no power of two", i);
	if (s->type == ELF_SHT_REL)
		return REJECT(img, "section %u: relocations without addends", i);
	if (!(s->flags & ELF_SHF_ALLOC))
		return 0;
	if (s->size > MODULE_SIZE_MAX || s->addralign > PAGE_SIZE)
		return REJECT(img, "section %u is too large or too strictly aligned", i);
	if ((s->flags & ELF_SHF_WRITE) && (s->flags & ELF_SHF_EXECINSTR))
		return REJECT(img, "section %u is writable and executable", i);
	return 0;
}

static int check_sections(struct module_image *img)
{
	u64 total = 0;
	u32 i;
	int err;

	img->section_names = string_table(img, header(img)->shstrndx);
	if (!img->section_names)
		return REJECT(img, "no table of section names");
	for (i = 1; i < img->nr_sections; i++) {
		err = check_section(img, i);
		if (err)
			return err;
		if (img->sections[i].flags & ELF_SHF_ALLOC)
			total += img->sections[i].size;
		if (total > MODULE_SIZE_MAX)
			return REJECT(img, "needs more than %u MiB", MODULE_SIZE_MAX >> 20);
	}
	return 0;
}

static int check_symbols(struct module_image *img, u32 table)
{
	const struct elf64_shdr *s = &img->sections[table];
	u64 names_size;
	u32 i;

	if (img->symbols)
		return REJECT(img, "two symbol tables");
	if (s->entsize != sizeof(struct elf64_sym) || s->size % s->entsize || s->offset % 8 ||
	    s->size / s->entsize > 0xffffffffu)
		return REJECT(img, "bad symbol table");
	img->symbol_names = string_table(img, s->link);
	if (!img->symbol_names)
		return REJECT(img, "symbols without a string table");
	names_size = img->sections[s->link].size;
	img->symbols = (const struct elf64_sym *)(img->data + s->offset);
	img->nr_symbols = s->size / s->entsize;
	for (i = 0; i < img->nr_symbols; i++) {
		const struct elf64_sym *sym = &img->symbols[i];

		if (sym->name >= names_size)
			return REJECT(img, "symbol %u: name out of range", i);
		if (sym->shndx == ELF_SHN_UNDEF || sym->shndx == ELF_SHN_ABS)
			continue;
		if (sym->shndx >= img->nr_sections)
			return REJECT(img, "symbol %s is in no section (common or reserved)",
				      img->symbol_names + sym->name);
		if (sym->value > img->sections[sym->shndx].size)
			return REJECT(img, "symbol %s lies behind its section",
				      img->symbol_names + sym->name);
	}
	return 0;
}

static int check_relocations(struct module_image *img, u32 index, u32 symtab)
{
	const struct elf64_shdr *s = &img->sections[index], *target;
	const struct elf64_rela *r = (const struct elf64_rela *)(img->data + s->offset);
	u64 i, n;

	if (s->info >= img->nr_sections || s->link != symtab || s->offset % 8 ||
	    s->entsize != sizeof(*r) || s->size % s->entsize)
		return REJECT(img, "section %u: bad relocation section", index);
	target = &img->sections[s->info];
	if (!(target->flags & ELF_SHF_ALLOC))
		return 0;
	if (target->type == ELF_SHT_NOBITS)
		return REJECT(img, "section %u relocates one without contents", index);
	n = s->size / s->entsize;
	for (i = 0; i < n; i++) {
		u32 width = elf_rela_width(ELF_RELA_TYPE(r[i].info));

		if (ELF_RELA_SYM(r[i].info) >= img->nr_symbols)
			return REJECT(img, "section %u: relocation of an unknown symbol", index);
		if (r[i].offset > target->size || width > target->size - r[i].offset)
			return REJECT(img, "section %u: relocation behind its section", index);
	}
	return 0;
}

static int read_modinfo(struct module_image *img, u32 index)
{
	static const char *const keys[] = { "name=", "vermagic=", "depends=", "intree=" };
	const char **const values[] = { &img->name, &img->vermagic, &img->depends, &img->intree };
	const struct elf64_shdr *s = &img->sections[index];
	const char *p = (const char *)img->data + s->offset, *end = p + s->size;
	u32 i;

	if (s->type == ELF_SHT_NOBITS || !s->size || end[-1])
		return REJECT(img, "bad .modinfo");
	for (; p < end; p += strlen(p) + 1) {
		for (i = 0; i < ARRAY_SIZE(keys); i++) {
			size_t n = strlen(keys[i]);

			if (!strncmp(p, keys[i], n))
				*values[i] = p + n;
		}
	}
	return 0;
}

static int check_name(struct module_image *img)
{
	const char *p = img->name;

	if (!p)
		return REJECT(img, "no name= in .modinfo: not a module of this kernel");
	for (; *p; p++) {
		bool ok = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			  (*p >= '0' && *p <= '9') || *p == '_' || *p == '-';

		if (!ok || p - img->name >= MODULE_NAME_MAX - 1)
			break;
	}
	if (*p || p == img->name)
		return REJECT(img, "bad module name in .modinfo");
	return 0;
}

/* The sections that the loader reads as tables. */
static int find_special(struct module_image *img, u32 i)
{
	const struct elf64_shdr *s = &img->sections[i];
	const char *name = image_section_name(img, i);
	u32 *found = NULL;
	size_t item = 1;

	if (!strcmp(name, ".modinfo"))
		return read_modinfo(img, i);
	if (!strcmp(name, ".eh_frame")) { /* SHT_X86_64_UNWIND from some tools */
		img->eh_frame = s->flags & ELF_SHF_ALLOC && s->type != ELF_SHT_NOBITS ? i : 0;
		return 0;
	}
	if (!strcmp(name, ".weft_entry")) {
		found = &img->entry;
		item = sizeof(struct module_entry);
	} else if (!strcmp(name, "__param")) {
		found = &img->params;
		item = sizeof(struct kparam);
	} else if (!strcmp(name, "__ksymtab")) {
		found = &img->exports;
		item = sizeof(struct ksym);
	}
	if (!found || !s->size)
		return 0;
	if (*found || s->size % item || s->addralign < 8 || !(s->flags & ELF_SHF_ALLOC) ||
	    s->type != ELF_SHT_PROGBITS)
		return REJECT(img, "bad section %s", name);
	*found = i;
	return 0;
}

int image_check(struct module_image *img, const void *data, size_t len)
{
	u32 i, symtab = 0;
	int err;

	memset(img, 0, sizeof(*img));
	img->data = data;
	img->len = len;
	err = check_header(img);
	if (!err)
		err = check_sections(img);
	for (i = 1; !err && i < img->nr_sections; i++) {
		if (img->sections[i].type == ELF_SHT_SYMTAB) {
			symtab = i;
			err = check_symbols(img, i);
		}
	}
	if (!err && !symtab)
		err = REJECT(img, "no symbol table: stripped?");
	for (i = 1; !err && i < img->nr_sections; i++) {
		err = img->sections[i].type == ELF_SHT_RELA ? check_relocations(img, i, symtab) :
							      find_special(img, i);
	}
	if (err)
		return err;
	err = check_name(img);
	if (!err && img->entry && img->sections[img->entry].size != sizeof(struct module_entry))
		err = REJECT(img, "more than one module_entry_points()");
	return err;
}
