/* SPDX-License-Identifier: MIT */
/* uart.h - registers of the 16550 (National Semiconductor PC16550D data sheet, section 8). */
#pragma once

#define UART_DATA 0 /* read: received byte, write: byte to send; divisor low with LCR_DLAB */
#define UART_IER 1  /* divisor high with LCR_DLAB */
#define UART_IIR 2  /* read */
#define UART_FCR 2  /* write */
#define UART_LCR 3
#define UART_MCR 4
#define UART_LSR 5
#define UART_MSR 6
#define UART_SCR 7

#define IER_RECEIVE 0x01
#define IER_TRANSMIT 0x02
#define IER_LINE 0x04

#define IIR_NONE 0x01

#define FCR_ENABLE 0x01
#define FCR_CLEAR 0x06
#define FCR_TRIGGER_8 0x80

#define LCR_BITS_8 0x03
#define LCR_STOP_2 0x04
#define LCR_PARITY 0x08
#define LCR_EVEN 0x10
#define LCR_DLAB 0x80

#define MCR_DTR 0x01
#define MCR_RTS 0x02
#define MCR_OUT2 0x08 /* on a PC: lets the interrupt out */
#define MCR_LOOP 0x10

#define LSR_READY 0x01
#define LSR_OVERRUN 0x02
#define LSR_PARITY 0x04
#define LSR_FRAME 0x08
#define LSR_BREAK 0x10
#define LSR_THR_EMPTY 0x20
#define LSR_IDLE 0x40

#define MSR_CTS 0x10
#define MSR_DSR 0x20
#define MSR_RING 0x40
#define MSR_CARRIER 0x80

#define UART_CLOCK 115200u /* divisor 1 */
#define UART_FIFO 16
