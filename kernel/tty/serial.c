/* SPDX-License-Identifier: MIT */
/* serial.c - 16550 serial ports ttyS0 to ttyS3. The interrupt handler moves bytes between the FIFOs
 * and two rings; the poller hands input to the line discipline. Output goes to the FIFO at once
 * when that is empty, as a virtual port's always is, and by the transmit interrupt otherwise. A
 * receive ring that nobody empties switches the receive interrupt off: the sender feels it.
 *
 * uart->lock, with interrupts off, guards the registers and rings; innermost lock. The kernel log
 * writes by polling under it. */

#include "tty.h"
#include "uart.h"

#include <core/console.h>
#include <weft/arch.h>
#include <weft/irq.h>
#include <weft/poller.h>
#include <weft/printk.h>
#include <weft/random.h>
#include <weft/string.h>
#include <weft/time.h>
#include <core/vfs.h>

#define NR_PORTS 4
#define RX_SIZE 4096 /* powers of two */
#define TX_SIZE 4096
#define SPIN_LIMIT 100000
#define MAX_IRQ_ROUNDS 64
#define POLL_PERIOD (10 * NSEC_PER_MSEC)

struct uart {
	/* fixed */
	u16 base;
	u8 isa_irq;
	bool present, has_irq;
	char name[8];
	struct tty tty;
	struct console console;
	struct poller poller;
	struct timer timer; /* without an interrupt */
	/* guarded by lock */
	struct spinlock lock;
	u8 ier, mcr;
	bool open, got_break, wakeup;
	u32 rx_head, rx_tail, tx_head, tx_tail;
	u64 overruns;
	u8 rx[RX_SIZE], tx[TX_SIZE];
};

static struct uart uarts[NR_PORTS] = {
	{ .base = 0x3f8, .isa_irq = 4 },
	{ .base = 0x2f8, .isa_irq = 3 },
	{ .base = 0x3e8, .isa_irq = 4 },
	{ .base = 0x2e8, .isa_irq = 3 },
};

static u8 reg_read(const struct uart *u, u16 reg)
{
	return inb(u->base + reg);
}

static void reg_write(const struct uart *u, u16 reg, u8 v)
{
	outb(u->base + reg, v);
}

static void set_ier(struct uart *u, u8 ier)
{
	if (u->ier != ier)
		reg_write(u, UART_IER, ier);
	u->ier = ier;
}

static u32 tx_used(const struct uart *u)
{
	return u->tx_head - u->tx_tail;
}

/* ---- moving bytes, lock held ---- */

static void receive_locked(struct uart *u, u8 lsr)
{
	while (lsr & (LSR_READY | LSR_BREAK)) {
		u8 c;

		if (lsr == 0xff) /* the port has gone */
			return;
		if (u->rx_head - u->rx_tail == RX_SIZE) {
			set_ier(u, u->ier & ~IER_RECEIVE);
			return;
		}
		c = reg_read(u, UART_DATA);
		if (lsr & LSR_OVERRUN)
			u->overruns++;
		if (lsr & LSR_BREAK)
			u->got_break = true;
		else
			u->rx[u->rx_head++ % RX_SIZE] = c;
		lsr = reg_read(u, UART_LSR);
	}
}

/* The transmit FIFO is empty: fills it. */
static void transmit_locked(struct uart *u)
{
	for (u32 i = 0; i < UART_FIFO && u->tx_tail != u->tx_head; i++)
		reg_write(u, UART_DATA, u->tx[u->tx_tail++ % TX_SIZE]);
	if (u->tx_tail == u->tx_head)
		set_ier(u, u->ier & ~IER_TRANSMIT);
	if (tx_used(u) <= TX_SIZE / 2)
		u->wakeup = true;
}

static bool service_locked(struct uart *u)
{
	u8 lsr = reg_read(u, UART_LSR);

	if (lsr == 0xff)
		return false;
	receive_locked(u, lsr);
	if ((u->ier & IER_TRANSMIT) && (lsr & LSR_THR_EMPTY))
		transmit_locked(u);
	return u->rx_head != u->rx_tail || u->got_break || u->wakeup;
}

static enum irq_return serial_interrupt(void *arg)
{
	struct uart *u = arg;
	unsigned long flags = spin_lock_irqsave(&u->lock);
	bool schedule = false;
	u32 rounds = 0;

	/* an edge-triggered line: it must have gone low once before it can tell of more */
	while (!(reg_read(u, UART_IIR) & IIR_NONE) && rounds < MAX_IRQ_ROUNDS) {
		schedule |= service_locked(u);
		reg_read(u, UART_MSR);
		rounds++;
	}
	spin_unlock_irqrestore(&u->lock, flags);
	if (schedule)
		poller_schedule(&u->poller);
	return rounds ? IRQ_HANDLED : IRQ_NOT_MINE;
}

static void serial_timer(struct timer *timer)
{
	struct uart *u = container_of(timer, struct uart, timer);
	unsigned long flags = spin_lock_irqsave(&u->lock);
	bool schedule = service_locked(u);

	spin_unlock_irqrestore(&u->lock, flags);
	if (schedule)
		poller_schedule(&u->poller);
	timer_set(timer, ktime_get() + POLL_PERIOD);
}

/* Bytes stay in the ring until the line discipline took them; there is one poller. */
static u32 serial_poll(struct poller *p, u32 budget)
{
	struct uart *u = container_of(p, struct uart, poller);
	bool got_break, wakeup;
	unsigned long flags;
	u8 chunk[128];
	u32 n, taken, units = 0;

	do {
		flags = spin_lock_irqsave(&u->lock);
		n = min(u->rx_head - u->rx_tail, (u32)sizeof(chunk));
		for (u32 i = 0; i < n; i++)
			chunk[i] = u->rx[(u->rx_tail + i) % RX_SIZE];
		got_break = u->got_break;
		wakeup = u->wakeup;
		u->got_break = u->wakeup = false;
		spin_unlock_irqrestore(&u->lock, flags);
		if (got_break)
			tty_receive_break(&u->tty);
		if (wakeup)
			tty_write_wakeup(&u->tty);
		if (!n)
			return units;
		random_add(chunk, n, 0);
		taken = tty_receive(&u->tty, chunk, n);
		flags = spin_lock_irqsave(&u->lock);
		u->rx_tail += taken;
		if (u->open && taken && !(u->ier & IER_RECEIVE))
			set_ier(u, u->ier | IER_RECEIVE);
		spin_unlock_irqrestore(&u->lock, flags);
		units++;
	} while (taken == n && units < budget);
	/* refused bytes wait for serial_resume, not for another round */
	return taken == n ? budget : 0;
}

/* ---- the tty's driver ---- */

static struct uart *uart_of(struct tty *t)
{
	return t->driver_data;
}

/* Runs of 16 bytes while the FIFO is empty; bounded, since interrupts are off. */
static size_t send_direct(struct uart *u, const u8 *p, size_t n)
{
	size_t done = 0;

	if (u->tx_tail != u->tx_head)
		return 0;
	while (done < n && (reg_read(u, UART_LSR) & LSR_THR_EMPTY)) {
		for (u32 i = 0; i < UART_FIFO && done < n; i++)
			reg_write(u, UART_DATA, p[done++]);
	}
	return done;
}

static size_t serial_write(struct tty *t, const u8 *p, size_t n)
{
	struct uart *u = uart_of(t);
	unsigned long flags = spin_lock_irqsave(&u->lock);
	size_t done = send_direct(u, p, n);

	while (done < n && tx_used(u) < TX_SIZE)
		u->tx[u->tx_head++ % TX_SIZE] = p[done++];
	if (u->tx_tail != u->tx_head)
		set_ier(u, u->ier | IER_TRANSMIT);
	spin_unlock_irqrestore(&u->lock, flags);
	return done;
}

static size_t serial_room(struct tty *t)
{
	return TX_SIZE - (READ_ONCE(uart_of(t)->tx_head) - READ_ONCE(uart_of(t)->tx_tail));
}

static size_t serial_pending(struct tty *t, bool discard)
{
	struct uart *u = uart_of(t);
	unsigned long flags = spin_lock_irqsave(&u->lock);
	size_t n;

	if (discard)
		u->tx_tail = u->tx_head;
	n = tx_used(u);
	/* the FIFO's bytes count as one: nobody knows how many they are */
	if (!n && !(reg_read(u, UART_LSR) & LSR_IDLE))
		n = 1;
	spin_unlock_irqrestore(&u->lock, flags);
	return n;
}

static void program_line(struct uart *u, const struct termios *termios)
{
	u32 baud = tty_baud(termios);
	u8 lcr = (termios->cflag & CSIZE) >> 4;

	if (termios->cflag & CSTOPB)
		lcr |= LCR_STOP_2;
	if (termios->cflag & PARENB)
		lcr |= LCR_PARITY | (termios->cflag & PARODD ? 0 : LCR_EVEN);
	if (baud && baud <= UART_CLOCK) {
		u16 divisor = UART_CLOCK / baud;

		reg_write(u, UART_LCR, lcr | LCR_DLAB);
		reg_write(u, UART_DATA, divisor & 0xff);
		reg_write(u, UART_IER, divisor >> 8);
	}
	reg_write(u, UART_LCR, lcr);
	/* speed 0 hangs the modem up */
	u->mcr = baud ? u->mcr | MCR_DTR | MCR_RTS : u->mcr & ~(MCR_DTR | MCR_RTS);
	reg_write(u, UART_MCR, u->mcr);
}

static void serial_set_termios(struct tty *t)
{
	struct uart *u = uart_of(t);
	unsigned long flags = spin_lock_irqsave(&u->lock);

	program_line(u, &t->termios);
	spin_unlock_irqrestore(&u->lock, flags);
}

static void serial_resume(struct tty *t)
{
	poller_schedule(&uart_of(t)->poller);
}

static int serial_open(struct tty *t)
{
	struct uart *u = uart_of(t);
	unsigned long flags = spin_lock_irqsave(&u->lock);

	u->open = true;
	u->mcr |= MCR_OUT2;
	program_line(u, &t->termios);
	set_ier(u, u->ier | IER_RECEIVE | IER_LINE);
	spin_unlock_irqrestore(&u->lock, flags);
	return 0;
}

static void serial_close(struct tty *t)
{
	struct uart *u = uart_of(t);
	unsigned long flags = spin_lock_irqsave(&u->lock);

	u->open = false;
	u->tx_tail = u->tx_head;
	u->rx_tail = u->rx_head;
	set_ier(u, 0);
	spin_unlock_irqrestore(&u->lock, flags);
}

static int modem_get(struct uart *u)
{
	unsigned long flags = spin_lock_irqsave(&u->lock);
	u8 msr = reg_read(u, UART_MSR), mcr = u->mcr;

	spin_unlock_irqrestore(&u->lock, flags);
	return (mcr & MCR_DTR ? TIOCM_DTR : 0) | (mcr & MCR_RTS ? TIOCM_RTS : 0) |
	       (mcr & MCR_OUT2 ? TIOCM_OUT2 : 0) | (mcr & MCR_LOOP ? TIOCM_LOOP : 0) |
	       (msr & MSR_CTS ? TIOCM_CTS : 0) | (msr & MSR_DSR ? TIOCM_DSR : 0) |
	       (msr & MSR_RING ? TIOCM_RNG : 0) | (msr & MSR_CARRIER ? TIOCM_CAR : 0);
}

static void modem_set(struct uart *u, int set, int clear)
{
	unsigned long flags = spin_lock_irqsave(&u->lock);

	if (clear & TIOCM_DTR)
		u->mcr &= ~MCR_DTR;
	if (clear & TIOCM_RTS)
		u->mcr &= ~MCR_RTS;
	if (set & TIOCM_DTR)
		u->mcr |= MCR_DTR;
	if (set & TIOCM_RTS)
		u->mcr |= MCR_RTS;
	reg_write(u, UART_MCR, u->mcr);
	spin_unlock_irqrestore(&u->lock, flags);
}

static long serial_ioctl(struct tty *t, u32 cmd, unsigned long arg)
{
	struct uart *u = uart_of(t);
	int bits;

	switch (cmd) {
	case TIOCMGET:
		bits = modem_get(u);
		return copy_to_user((void __user *)arg, &bits, sizeof(bits));
	case TIOCMBIS:
	case TIOCMBIC:
	case TIOCMSET:
		if (copy_from_user(&bits, (const void __user *)arg, sizeof(bits)))
			return -EFAULT;
		modem_set(u, cmd == TIOCMBIC ? 0 : bits,
			  cmd == TIOCMBIC ? bits :
			  cmd == TIOCMSET ? ~bits :
					    0);
		return 0;
	}
	return -ENOIOCTLCMD;
}

static const struct tty_driver serial_driver = {
	.name = "serial",
	.open = serial_open,
	.close = serial_close,
	.write = serial_write,
	.room = serial_room,
	.pending = serial_pending,
	.set_termios = serial_set_termios,
	.resume = serial_resume,
	.ioctl = serial_ioctl,
};

/* ---- the console's side ---- */

static void put_polled(struct uart *u, const char *p, size_t n)
{
	u32 burst = 0;

	for (size_t i = 0; i < n; i++) {
		bool cr = p[i] == '\n';

		if (burst < 1u + cr) {
			for (u32 spin = 0; spin < SPIN_LIMIT; spin++) {
				if (reg_read(u, UART_LSR) & LSR_THR_EMPTY)
					break;
			}
			burst = UART_FIFO;
		}
		if (cr)
			reg_write(u, UART_DATA, '\r');
		reg_write(u, UART_DATA, p[i]);
		burst -= 1 + cr;
	}
}

static void serial_console_write(struct console *c, const char *p, size_t n)
{
	struct uart *u = container_of(c, struct uart, console);
	unsigned long flags;
	bool locked = printk_spin_lock(&u->lock, &flags);

	put_polled(u, p, n);
	printk_spin_unlock(&u->lock, flags, locked);
}

/* A port is there when its scratch register keeps what is written and the FIFO can be enabled. */
static bool probe(struct uart *u)
{
	if (reg_read(u, UART_LSR) == 0xff)
		return false;
	reg_write(u, UART_SCR, 0x5a);
	if (reg_read(u, UART_SCR) != 0x5a)
		return false;
	reg_write(u, UART_SCR, 0xa5);
	if (reg_read(u, UART_SCR) != 0xa5)
		return false;
	reg_write(u, UART_IER, 0);
	reg_write(u, UART_FCR, FCR_ENABLE | FCR_CLEAR | FCR_TRIGGER_8);
	return true;
}

void serial_console_init(void)
{
	for (u32 i = 0; i < NR_PORTS; i++) {
		struct uart *u = &uarts[i];

		u->present = probe(u);
		if (!u->present)
			continue;
		snprintf(u->name, sizeof(u->name), "ttyS%u", i);
		tty_setup(&u->tty, &serial_driver, u->name, makedev(TTY_MAJOR, SERIAL_MINOR + i));
		u->tty.driver_data = u;
		u->tty.termios.cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL;
		u->console = (struct console){ .name = u->name, .write = serial_console_write };
		u->mcr = MCR_DTR | MCR_RTS;
		program_line(u, &u->tty.termios);
		if (console_wanted(u->name))
			console_register(&u->console);
	}
}

void serial_init(void)
{
	for (u32 i = 0; i < NR_PORTS; i++) {
		struct uart *u = &uarts[i];

		if (!u->present)
			continue;
		u->poller.poll = serial_poll;
		u->poller.name = u->name;
		poller_add(&u->poller);
		u->has_irq = !IS_ERR(isa_irq_request(u->isa_irq, serial_interrupt, u, u->name));
		if (!u->has_irq) {
			timer_init(&u->timer, serial_timer);
			timer_set(&u->timer, ktime_get() + POLL_PERIOD);
		}
		tty_register(&u->tty);
		pr_info("%s: 16550 at %#x, irq %u%s\n", u->name, u->base, u->isa_irq,
			u->has_irq ? "" : " (not available: polled)");
	}
}
