/* SPDX-License-Identifier: MIT */
/* serial_early.c - characters to the first serial port (16550, 115200 8N1) by polling, from the
 * first C instruction on and in a panic. The tty's driver uses the same port later; both only
 * write. */

#include "machine.h"

#define COM1 0x3f8
#define UART_DATA (COM1 + 0)
#define UART_IER (COM1 + 1)
#define UART_FCR (COM1 + 2)
#define UART_LCR (COM1 + 3)
#define UART_MCR (COM1 + 4)
#define UART_LSR (COM1 + 5)
#define LSR_THR_EMPTY 0x20
#define SPIN_LIMIT 100000 /* about 10 ms at 1 us a port access: a character takes 87 us */

static enum { UNKNOWN, PRESENT, ABSENT } state;

static void uart_probe(void)
{
	state = ABSENT;
	if (inb(UART_LSR) == 0xff) /* nobody drives the bus */
		return;
	outb(UART_IER, 0);
	outb(UART_LCR, 0x80);
	outb(UART_DATA, 1); /* divisor 1: 115200 */
	outb(UART_IER, 0);
	outb(UART_LCR, 0x03);
	outb(UART_FCR, 0x07);
	outb(UART_MCR, 0x0b);
	state = PRESENT;
}

static void uart_send(u8 c)
{
	for (int i = 0; i < SPIN_LIMIT; i++) {
		if (inb(UART_LSR) & LSR_THR_EMPTY)
			break;
	}
	outb(UART_DATA, c);
}

void arch_early_putc(char c)
{
	if (state == UNKNOWN)
		uart_probe();
	if (state != PRESENT)
		return;
	if (c == '\n')
		uart_send('\r');
	uart_send((u8)c);
}
