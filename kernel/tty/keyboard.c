/* SPDX-License-Identifier: MIT */
/* keyboard.c - the PS/2 keyboard behind an i8042 (Intel 8042, IBM PS/2 technical reference). The
 * handler takes scancodes into a ring; the poller makes them tty1's input.
 *
 * kbd_lock, with interrupts off, guards the ring; the key states are the poller's. */

#include "keymap.h"
#include "tty.h"

#include <core/proc.h>
#include <weft/arch.h>
#include <weft/irq.h>
#include <weft/poller.h>
#include <weft/printk.h>
#include <weft/random.h>

#define KBD_IRQ 1
#define PORT_DATA 0x60
#define PORT_STATUS 0x64  /* read */
#define PORT_COMMAND 0x64 /* write */
#define STATUS_OUTPUT_FULL 0x01
#define STATUS_INPUT_FULL 0x02
#define STATUS_AUX 0x20 /* the byte is the mouse's */
#define CMD_READ_CONFIG 0x20
#define CMD_WRITE_CONFIG 0x60
#define CMD_ENABLE_KEYBOARD 0xae
#define CONFIG_IRQ1 0x01
#define CONFIG_KEYBOARD_OFF 0x10
#define CONFIG_TRANSLATE 0x40 /* set 1, whatever the keyboard speaks */
#define KBD_SET_LEDS 0xed
#define KBD_ACK 0xfa
#define KBD_RESEND 0xfe
#define RING_SIZE 256
#define WAIT_STEPS 2000
#define WAIT_STEP_NS 10000

static struct spinlock kbd_lock;
static u8 ring[RING_SIZE];
static u32 head, tail;

static struct keyboard keys;
static u32 keyboard_poll(struct poller *p, u32 budget);
static struct poller keyboard_poller = { .poll = keyboard_poll, .name = "keyboard" };

static bool wait_status(u8 mask, u8 value)
{
	for (u32 i = 0; i < WAIT_STEPS; i++) {
		if ((inb(PORT_STATUS) & mask) == value)
			return true;
		arch_delay_ns(WAIT_STEP_NS);
	}
	return false;
}

static bool command(u8 cmd)
{
	if (!wait_status(STATUS_INPUT_FULL, 0))
		return false;
	outb(PORT_COMMAND, cmd);
	return true;
}

static bool send(u8 byte)
{
	if (!wait_status(STATUS_INPUT_FULL, 0))
		return false;
	outb(PORT_DATA, byte);
	return true;
}

static enum irq_return keyboard_interrupt(void *arg)
{
	unsigned long flags = spin_lock_irqsave(&kbd_lock);
	bool got = false;

	for (u32 i = 0; i < RING_SIZE; i++) {
		u8 status = inb(PORT_STATUS), code;

		if (!(status & STATUS_OUTPUT_FULL) || status == 0xff)
			break;
		code = inb(PORT_DATA);
		got = true;
		if (!(status & STATUS_AUX) && code != KBD_ACK && code != KBD_RESEND &&
		    head - tail < RING_SIZE)
			ring[head++ % RING_SIZE] = code;
	}
	spin_unlock_irqrestore(&kbd_lock, flags);
	if (got)
		poller_schedule(&keyboard_poller);
	return got ? IRQ_HANDLED : IRQ_NOT_MINE;
}

/* The keyboard's answers are dropped by the handler. */
static void set_leds(void)
{
	if (send(KBD_SET_LEDS))
		send((keys.num ? 2 : 0) | (keys.caps ? 4 : 0));
}

static void handle(u8 code)
{
	u8 out[KEY_OUTPUT_MAX];
	u32 n;

	keys.app_cursor = screen_app_cursor();
	switch (keyboard_scancode(&keys, code, out, &n)) {
	case KEY_TEXT:
		tty_receive(screen_tty(), out, n);
		break;
	case KEY_LEDS:
		set_leds();
		break;
	case KEY_REBOOT:
		if (init_proc)
			signal_send_proc(init_proc, SIGINT, NULL);
		break;
	case KEY_NOTHING:
		break;
	}
}

static u32 keyboard_poll(struct poller *p, u32 budget)
{
	u32 done = 0;

	while (done < budget) {
		unsigned long flags = spin_lock_irqsave(&kbd_lock);
		bool have = head != tail;
		u8 code = have ? ring[tail++ % RING_SIZE] : 0;

		spin_unlock_irqrestore(&kbd_lock, flags);
		if (!have)
			break;
		random_add(&code, 1, 0);
		handle(code);
		done++;
	}
	return done;
}

/* Bounded waits throughout: machines without an i8042 answer anything. */
static bool controller_setup(void)
{
	u8 config;

	if (inb(PORT_STATUS) == 0xff)
		return false;
	for (u32 i = 0; i < 64 && (inb(PORT_STATUS) & STATUS_OUTPUT_FULL); i++)
		inb(PORT_DATA);
	if (!command(CMD_READ_CONFIG) || !wait_status(STATUS_OUTPUT_FULL, STATUS_OUTPUT_FULL))
		return false;
	config = inb(PORT_DATA);
	config |= CONFIG_IRQ1 | CONFIG_TRANSLATE;
	config &= ~CONFIG_KEYBOARD_OFF;
	return command(CMD_WRITE_CONFIG) && send(config) && command(CMD_ENABLE_KEYBOARD);
}

void keyboard_init(void)
{
	struct irq *irq;

	if (!screen_tty() || !controller_setup())
		return;
	poller_add(&keyboard_poller);
	irq = isa_irq_request(KBD_IRQ, keyboard_interrupt, NULL, "i8042");
	if (IS_ERR(irq))
		pr_warn("keyboard: no interrupt: error %ld\n", PTR_ERR(irq));
	else
		keyboard_interrupt(NULL); /* what came meanwhile will not interrupt again */
}
