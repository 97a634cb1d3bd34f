/*
 * terminal.c - see terminal.h.
 */
#include "libkms/os/terminal.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool
os_program_start(int *argc, char ***argv)
{
	return true;
}

void (*os_survive_pipes(void))(int)
{
	return signal(SIGPIPE, SIG_IGN);
}

unsigned
os_terminal_columns(FILE *file)
{
	struct winsize size = { 0 };

	return ioctl(fileno(file), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool
os_reader_gone(FILE *file)
{
	struct pollfd p = { .fd = fileno(file), .events = POLLOUT };

	return p.fd >= 0 && poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0;
}
