/* SPDX-License-Identifier: MIT */
/* acpi.c - the static tables of ACPI 6.4: processors and interrupt controllers (MADT), power and
 * reset registers (FADT), HPET, PCI Express configuration space (MCFG). There is no AML
 * interpreter; the one object looked for in the DSDT's byte code is \_S5, whose encoding is always
 * a named package. */

#define LOG_NAME "acpi: "
#include <weft/printk.h>
#include <weft/string.h>

#include "machine.h"

#define MAX_TABLE (4u << 20)
#define LAPIC_DEFAULT 0xfee00000
#define IOAPIC_DEFAULT 0xfec00000

struct sdt {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem[26];
} __packed;

/* Offsets in the tables (5.2.9, 5.2.12, HPET 1.0a 3.2.4, PCI Firmware 3.0 4.1.2). */
#define FADT_DSDT 40
#define FADT_SMI_CMD 48
#define FADT_ACPI_ENABLE 52
#define FADT_PM1A_CNT 64
#define FADT_PM1B_CNT 68
#define FADT_PM_TMR 76
#define FADT_FLAGS 112
#define FADT_RESET_REG 116
#define FADT_RESET_VALUE 128
#define FADT_X_DSDT 140
#define FADT_FLAG_RESET BIT(10)
#define MADT_LAPIC 36
#define MADT_FLAGS 40
#define MADT_ENTRIES 44
#define HPET_ADDRESS 44
#define MCFG_ENTRIES 44

struct acpi_info acpi = { .lapic = LAPIC_DEFAULT };

static u32 get32(const void *table, u32 off)
{
	u32 v;

	memcpy(&v, (const u8 *)table + off, sizeof(v));
	return v;
}

static u64 get64(const void *table, u32 off)
{
	u64 v;

	memcpy(&v, (const u8 *)table + off, sizeof(v));
	return v;
}

static u16 get16(const void *table, u32 off)
{
	u16 v;

	memcpy(&v, (const u8 *)table + off, sizeof(v));
	return v;
}

static bool sum_is_zero(const void *p, size_t n)
{
	u8 sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += ((const u8 *)p)[i];
	return sum == 0;
}

/* A whole table, mapped and checked; NULL when it is none. */
static const struct sdt *table_map(phys_addr_t pa)
{
	const struct sdt *t = pa ? mmu_map_physical(pa, sizeof(*t)) : NULL;

	if (!t || t->length < sizeof(*t) || t->length > MAX_TABLE)
		return NULL;
	if (!mmu_map_physical(pa, t->length) || !sum_is_zero(t, t->length)) {
		pr_warn("table at %#lx has a wrong checksum\n", pa);
		return NULL;
	}
	return t;
}

/* ---- MADT ---- */

static void add_cpu(u32 apic, u32 flags)
{
	if (!(flags & 1)) /* not there; hot plug is not supported */
		return;
	for (u32 i = 0; i < acpi.nr_cpus; i++) {
		if (acpi.apic_id[i] == apic)
			return;
	}
	if (acpi.nr_cpus < MAX_CPUS)
		acpi.apic_id[acpi.nr_cpus++] = apic;
}

/* 5.2.12.5: MPS INTI flags. ISA's default is edge, active high. */
static void add_override(const u8 *e)
{
	u16 flags = get16(e, 8);
	u8 irq = e[3];

	if (e[2] != 0 || irq >= 16)
		return;
	acpi.isa[irq].gsi = get32(e, 4);
	acpi.isa[irq].low = (flags & 3) == 3;
	acpi.isa[irq].level = (flags >> 2 & 3) == 3;
	acpi.isa[irq].set = true;
}

static void parse_madt(const struct sdt *t)
{
	const u8 *base = (const u8 *)t;

	if (t->length < MADT_ENTRIES)
		return;
	acpi.lapic = get32(base, MADT_LAPIC);
	acpi.has_8259 = get32(base, MADT_FLAGS) & 1;
	for (u32 off = MADT_ENTRIES; off + 2 <= t->length;) {
		const u8 *e = base + off;
		u8 len = e[1];

		if (len < 2 || off + len > t->length)
			break;
		if (e[0] == 0 && len >= 8) {
			add_cpu(e[3], get32(e, 4));
		} else if (e[0] == 1 && len >= 12 && acpi.nr_ioapics < ARRAY_SIZE(acpi.ioapic)) {
			acpi.ioapic[acpi.nr_ioapics].addr = get32(e, 4);
			acpi.ioapic[acpi.nr_ioapics++].gsi_base = get32(e, 8);
		} else if (e[0] == 2 && len >= 10) {
			add_override(e);
		} else if (e[0] == 5 && len >= 12) {
			acpi.lapic = get64(e, 4);
		} else if (e[0] == 9 && len >= 16) {
			add_cpu(get32(e, 4), get32(e, 8));
		}
		off += len;
	}
}

/* ---- FADT and \_S5 ---- */

static bool aml_byte(const u8 **p, const u8 *end, u8 *v)
{
	if (*p >= end)
		return false;
	if (**p == 0x0a && *p + 1 < end) { /* BytePrefix */
		*v = (*p)[1];
		*p += 2;
		return true;
	}
	*v = **p; /* ZeroOp, OneOp */
	(*p)++;
	return *v <= 1;
}

/* Name (_S5, Package (n) { a, b, ... }): NameOp, "_S5_", PackageOp, PkgLength, count, elements
 * (20.2). */
static void find_s5(const struct sdt *dsdt)
{
	const u8 *p = (const u8 *)(dsdt + 1), *end = (const u8 *)dsdt + dsdt->length;

	for (; p + 8 < end; p++) {
		const u8 *q = p + 4;

		if (memcmp(p, "_S5_", 4) || (p[-1] != 0x08 && !(p[-1] == '\\' && p[-2] == 0x08)))
			continue;
		if (*q++ != 0x12)
			continue;
		q += (*q >> 6) + 1; /* the lead byte's top bits count the bytes that follow */
		q++;
		if (aml_byte(&q, end, &acpi.sleep_a) && aml_byte(&q, end, &acpi.sleep_b)) {
			acpi.has_s5 = true;
			return;
		}
	}
}

static void parse_fadt(const struct sdt *t)
{
	phys_addr_t dsdt_pa;
	const struct sdt *dsdt;

	if (t->length < 116)
		return;
	acpi.smi_cmd = (u16)get32(t, FADT_SMI_CMD);
	acpi.acpi_enable = ((const u8 *)t)[FADT_ACPI_ENABLE];
	acpi.pm1a_cnt = (u16)get32(t, FADT_PM1A_CNT);
	acpi.pm1b_cnt = (u16)get32(t, FADT_PM1B_CNT);
	acpi.pm_timer = (u16)get32(t, FADT_PM_TMR);
	if (t->length >= FADT_RESET_VALUE + 1 && get32(t, FADT_FLAGS) & FADT_FLAG_RESET) {
		acpi.has_reset = true;
		acpi.reset_space = ((const u8 *)t)[FADT_RESET_REG];
		acpi.reset_addr = get64(t, FADT_RESET_REG + 4);
		acpi.reset_value = ((const u8 *)t)[FADT_RESET_VALUE];
	}
	dsdt_pa = t->length >= FADT_X_DSDT + 8 ? get64(t, FADT_X_DSDT) : 0;
	dsdt = table_map(dsdt_pa ? dsdt_pa : get32(t, FADT_DSDT));
	if (dsdt)
		find_s5(dsdt);
}

static void parse_mcfg(const struct sdt *t)
{
	for (u32 off = MCFG_ENTRIES; off + 16 <= t->length; off += 16) {
		if (get16(t, off + 8) != 0) /* segment group */
			continue;
		acpi.ecam.base = get64(t, off);
		acpi.ecam.first_bus = ((const u8 *)t)[off + 10];
		acpi.ecam.last_bus = ((const u8 *)t)[off + 11];
		return;
	}
}

static void parse_table(phys_addr_t pa)
{
	const struct sdt *t = table_map(pa);

	if (!t)
		return;
	if (!memcmp(t->signature, "APIC", 4))
		parse_madt(t);
	else if (!memcmp(t->signature, "FACP", 4))
		parse_fadt(t);
	else if (!memcmp(t->signature, "HPET", 4) && t->length >= HPET_ADDRESS + 8)
		acpi.hpet = get64(t, HPET_ADDRESS);
	else if (!memcmp(t->signature, "MCFG", 4))
		parse_mcfg(t);
}

/* ---- root pointer ---- */

static bool rsdp_valid(const u8 *p)
{
	return !memcmp(p, "RSD PTR ", 8) && sum_is_zero(p, 20);
}

/* 5.2.5.1: the first KiB of the EBDA and 0xe0000-0xfffff, on 16-byte boundaries. */
static bool rsdp_scan(phys_addr_t start, size_t n)
{
	const u8 *p = mmu_map_physical(start, n);

	for (size_t off = 0; p && off + 20 <= n; off += 16) {
		if (rsdp_valid(p + off)) {
			memcpy(boot_rsdp, p + off, min(n - off, sizeof(boot_rsdp)));
			return true;
		}
	}
	return false;
}

static bool find_rsdp(void)
{
	const u16 *ebda;

	if (rsdp_valid(boot_rsdp))
		return true;
	ebda = mmu_map_physical(0x40e, sizeof(*ebda));
	if (ebda && *ebda >= 0x8000 && rsdp_scan((phys_addr_t)*ebda << 4, 1024))
		return true;
	return rsdp_scan(0xe0000, 0x20000);
}

void acpi_init(void)
{
	const struct sdt *root = NULL;
	u32 width = 8;

	if (find_rsdp()) {
		if (boot_rsdp[15] >= 2)
			root = table_map(get64(boot_rsdp, 24));
		if (!root) {
			width = 4;
			root = table_map(get32(boot_rsdp, 16));
		}
	}
	if (!root)
		pr_warn("no tables: one CPU, standard addresses\n");
	for (u32 off = sizeof(*root); root && off + width <= root->length; off += width)
		parse_table(width == 8 ? get64(root, off) : get32(root, off));
	if (!acpi.nr_ioapics) {
		acpi.ioapic[0].addr = IOAPIC_DEFAULT;
		acpi.nr_ioapics = 1;
		acpi.has_8259 = true;
	}
}
