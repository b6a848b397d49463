/* SPDX-License-Identifier: MIT */
/* power.c - the end: ACPI S5, reset by every known way in turn, QEMU's debug exit. And the CMOS
 * clock, which is read once at boot. */

#define LOG_NAME "power: "
#include <weft/printk.h>
#include <weft/time.h>

#include "machine.h"

#define PM1_SCI_EN BIT(0)
#define PM1_SLP_TYP(v) ((v) << 10)
#define PM1_SLP_EN BIT(13)
#define ENABLE_TRIES 300
#define GAS_IO 1
#define KBD_STATUS 0x64
#define KBD_RESET 0xfe
#define PORT_RESET 0xcf9
#define PORT_QEMU_EXIT 0xf4
#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define RTC_UPDATING 0x80
#define RTC_BINARY 0x04
#define RTC_24H 0x02

/* ACPI 6.4, 4.8.2.5: some firmware hands the machine over in legacy mode. */
static void acpi_enable(void)
{
	if (!acpi.smi_cmd || !acpi.acpi_enable || inw(acpi.pm1a_cnt) & PM1_SCI_EN)
		return;
	outb(acpi.smi_cmd, acpi.acpi_enable);
	for (int i = 0; i < ENABLE_TRIES && !(inw(acpi.pm1a_cnt) & PM1_SCI_EN); i++)
		arch_delay_ns(NSEC_PER_MSEC);
}

void arch_power_off(void)
{
	if (!acpi.pm1a_cnt || !acpi.has_s5) {
		pr_err("no ACPI S5: switch the machine off by hand\n");
		return;
	}
	acpi_enable();
	outw(acpi.pm1a_cnt, (u16)(PM1_SLP_TYP(acpi.sleep_a) | PM1_SLP_EN | PM1_SCI_EN));
	if (acpi.pm1b_cnt)
		outw(acpi.pm1b_cnt, (u16)(PM1_SLP_TYP(acpi.sleep_b) | PM1_SLP_EN | PM1_SCI_EN));
	arch_delay_ns(NSEC_PER_SEC);
	pr_err("the machine does not switch itself off\n");
}

void arch_reboot(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed no_idt = { 0, 0 };

	irq_disable();
	if (acpi.has_reset && acpi.reset_space == GAS_IO) {
		outb((u16)acpi.reset_addr, acpi.reset_value);
		arch_delay_ns(50 * NSEC_PER_MSEC);
	}
	for (int i = 0; i < 1000 && inb(KBD_STATUS) & 2; i++)
		arch_delay_ns(10 * NSEC_PER_USEC);
	outb(KBD_STATUS, KBD_RESET);
	arch_delay_ns(50 * NSEC_PER_MSEC);
	outb(PORT_RESET, 2);
	outb(PORT_RESET, 6);
	arch_delay_ns(50 * NSEC_PER_MSEC);
	/* a fault that finds no handler three times over resets the processor */
	__asm__ __volatile__("lidt %0; int3" ::"m"(no_idt));
	arch_halt();
}

void arch_exit_qemu(int status)
{
	/* with the device QEMU ends with (status << 1) | 1, which is never 0 */
	outb(PORT_QEMU_EXIT, (u8)status);
	arch_power_off();
	arch_halt();
}

/* ---- CMOS clock (MC146818) ---- */

struct rtc {
	u8 sec, min, hour, day, month, year, century;
};

static u8 cmos_read(u8 reg)
{
	outb(CMOS_INDEX, reg);
	return inb(CMOS_DATA);
}

static void rtc_read_once(struct rtc *r)
{
	for (int i = 0; i < 10000 && cmos_read(0x0a) & RTC_UPDATING; i++)
		cpu_relax();
	*r = (struct rtc){ cmos_read(0), cmos_read(2), cmos_read(4),   cmos_read(7),
			   cmos_read(8), cmos_read(9), cmos_read(0x32) };
}

static u8 from_bcd(u8 v)
{
	return (u8)((v >> 4) * 10 + (v & 15));
}

static u64 days_since_epoch(u32 year, u32 month, u32 day)
{
	/* years begin in March, so that the leap day is a year's last */
	u32 y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;

	return (u64)y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

u64 arch_rtc_seconds(void)
{
	struct rtc a, b;
	u8 mode = cmos_read(0x0b);
	bool pm;

	/* twice alike: no update came in between */
	rtc_read_once(&b);
	for (int i = 0; i < 10; i++) {
		a = b;
		rtc_read_once(&b);
		if (!__builtin_memcmp(&a, &b, sizeof(a)))
			break;
	}
	pm = b.hour & 0x80;
	b.hour &= 0x7f;
	if (!(mode & RTC_BINARY)) {
		b = (struct rtc){ from_bcd(b.sec),    from_bcd(b.min),	 from_bcd(b.hour),
				  from_bcd(b.day),    from_bcd(b.month), from_bcd(b.year),
				  from_bcd(b.century) };
	}
	if (!(mode & RTC_24H))
		b.hour = (u8)(b.hour % 12 + (pm ? 12 : 0));
	if (b.century < 19 || b.century > 21)
		b.century = 20;
	if (b.month < 1 || b.month > 12 || b.day < 1 || b.day > 31)
		return 0;
	return ((days_since_epoch(b.century * 100u + b.year, b.month, b.day) * 24 + b.hour) * 60 +
		b.min) *
		       60 +
	       b.sec;
}
