// SPDX-License-Identifier: GPL-2.0-only
/* console.c - the host's stdin and stdout as a terminal; stderr for the kernel's messages. */
/*
 * Theory of operation
 *
 * /dev/ttyLO, which also is /dev/console, reads descriptor 0 and writes descriptor 1. The
 * kernel's messages go to descriptor 2, so that a program's output can be redirected alone.
 *
 * If stdin is a terminal, this one starts with the usual settings, for the host's is expected to
 * be raw (the launcher sees to it). If it isn't, nothing is echoed, translated or turned into
 * signals; the end of the file is handed on as the EOF character, so a reader of lines sees it.
 *
 * Output never blocks the vCPU: what the host doesn't take now waits for HOST_POLLOUT.
 */
#include <asm/event.h>
#include <asm/linux_versions.h>
#include <asm/lo.h>
#include <linux/console.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/tty.h>
#include <linux/tty_driver.h>
#include <linux/tty_flip.h>

#include "../host/host.h"

#define STDIN    0
#define STDOUT   1
#define STDERR   2
#define CHUNK    4096 /* what a pipe takes at once, if it takes anything */
#define CHAR_EOF 4

static struct tty_driver *driver;
static struct tty_port port;
static bool interactive; /* stdin is a terminal */
static bool at_end;      /* of stdin */

static void on_input(struct lo_event *event);
static void on_output(struct lo_event *event);

static struct lo_event input = {
	.node = LIST_HEAD_INIT(input.node),
	.fd = STDIN,
	.wants = HOST_POLLIN,
	.ready = on_input,
};
static struct lo_event output = {
	.node = LIST_HEAD_INIT(output.node),
	.fd = STDOUT,
	.wants = HOST_POLLOUT,
	.ready = on_output,
};

static void on_input(struct lo_event *event)
{
	static u8 buf[CHUNK];
	unsigned int room = tty_buffer_space_avail(&port);
	long n;

	if (!room) { /* on_input comes back with unthrottle */
		lo_event_del(&input);
		return;
	}
	n = host_read(STDIN, buf, min_t(unsigned int, room, sizeof(buf)));
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n <= 0) {
		lo_event_del(&input);
		at_end = true;
		tty_insert_flip_char(&port, CHAR_EOF, TTY_NORMAL);
	} else {
		tty_insert_flip_string(&port, buf, n);
	}
	tty_flip_buffer_push(&port);
}

static void on_output(struct lo_event *event)
{
	lo_event_del(&output);
	tty_port_tty_wakeup(&port);
}

static bool stdout_ready(void)
{
	const struct host_timespec now = { 0, 0 };
	struct host_pollfd fd = { .fd = STDOUT, .events = HOST_POLLOUT };

	return host_poll(&fd, 1, &now) > 0;
}

static lo_tty_ssize_t console_tty_write(struct tty_struct *tty, const u8 *buf, lo_tty_size_t size)
{
	/* `buf` may be vmalloc memory, which the host can't read before we have touched it. */
	static u8 out[CHUNK];
	long n = -EAGAIN;

	size = min_t(size_t, size, CHUNK);
	memcpy(out, buf, size);
	if (stdout_ready())
		n = host_write(STDOUT, out, size);
	if (n == -EAGAIN || n == -EINTR) {
		if (list_empty(&output.node))
			lo_event_add(&output);
		return 0;
	}
	/* No one reads it any more: as a terminal that hung up takes all and shows nothing. */
	return n < 0 ? size : n;
}

static unsigned int console_tty_write_room(struct tty_struct *tty)
{
	return stdout_ready() ? CHUNK : 0;
}

static int console_tty_open(struct tty_struct *tty, struct file *file)
{
	struct host_winsize size;

	if (host_window_size(STDOUT, &size) == 0)
		tty->winsize =
			(struct winsize){ size.rows, size.columns, size.x_pixels, size.y_pixels };
	return tty_port_open(&port, tty, file);
}

static void console_tty_close(struct tty_struct *tty, struct file *file)
{
	tty_port_close(&port, tty, file);
}

static void console_tty_hangup(struct tty_struct *tty)
{
	tty_port_hangup(&port);
}

static void console_tty_unthrottle(struct tty_struct *tty)
{
	if (list_empty(&input.node) && !at_end)
		lo_event_add(&input);
}

static const struct tty_operations ops = {
	.open = console_tty_open,
	.close = console_tty_close,
	.hangup = console_tty_hangup,
	.write = console_tty_write,
	.write_room = console_tty_write_room,
	.unthrottle = console_tty_unthrottle,
};

/* What came before someone opened it would lie in the buffer until something else comes. */
static int console_port_activate(struct tty_port *p, struct tty_struct *tty)
{
	if (!at_end)
		lo_event_add(&input);
	return 0;
}

static void console_port_shutdown(struct tty_port *p)
{
	lo_event_del(&input);
}

static const struct tty_port_operations port_ops = {
	.activate = console_port_activate,
	.shutdown = console_port_shutdown,
};

static void set_termios(struct ktermios *termios)
{
	*termios = tty_std_termios;
	termios->c_cflag = B38400 | CS8 | CREAD | HUPCL | CLOCAL;
	if (interactive)
		return;
	termios->c_iflag = 0;
	termios->c_oflag = 0;
	termios->c_lflag = ICANON;
	memset(termios->c_cc, __DISABLED_CHAR, sizeof(termios->c_cc));
	termios->c_cc[VEOF] = CHAR_EOF;
	termios->c_cc[VMIN] = 1;
}

static void console_write(struct console *console, const char *text, unsigned int size)
{
	host_write(STDERR, text, size);
}

static struct tty_driver *console_tty_device(struct console *console, int *index)
{
	*index = 0;
	return driver;
}

static struct console lo_console = {
	.name = "ttyLO",
	.write = console_write,
	.device = console_tty_device,
	.flags = CON_PRINTBUFFER | CON_ANYTIME | CON_ENABLED,
	.index = 0,
};

void __init lo_console_init(void)
{
	register_console(&lo_console);
}

static int __init console_tty_init(void)
{
	int r;

	interactive = host_is_tty(STDIN);
	driver = tty_alloc_driver(1, TTY_DRIVER_REAL_RAW | TTY_DRIVER_RESET_TERMIOS |
					     TTY_DRIVER_UNNUMBERED_NODE);
	if (IS_ERR(driver))
		return PTR_ERR(driver);
	driver->driver_name = "ttyLO";
	driver->name = "ttyLO";
	driver->type = TTY_DRIVER_TYPE_CONSOLE;
	driver->subtype = SYSTEM_TYPE_CONSOLE;
	set_termios(&driver->init_termios);
	tty_set_operations(driver, &ops);
	tty_port_init(&port);
	port.ops = &port_ops;
	tty_port_link_device(&port, driver, 0);
	r = tty_register_driver(driver);
	if (r < 0) {
		tty_driver_kref_put(driver);
		return r;
	}
	return 0;
}
device_initcall(console_tty_init);
