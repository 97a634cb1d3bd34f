/*
 * subprocess.c - see subprocess.h. There are no signals: Ctrl-C and its kin reach every program of
 * a console, the command among them, and then this one waits for its end.
 */
#include "libkms/os/subprocess.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/os/net.h"
#include "libkms/os/windows/wide.h"
#include "libkms/os/windows/win.h"

#define LOOK_MS 200

struct os_child {
	HANDLE process; /* NULL: not started, or ended */
	int code;
};

/* A console calls it in a thread of its own, and has no argument for it. */
static volatile LONG told;

static BOOL WINAPI
console_told(DWORD what)
{
	InterlockedExchange(&told, what == CTRL_C_EVENT ? SIGINT : SIGTERM);
	return TRUE;
}

struct os_child *
os_child_prepare(void (*sigpipe)(int))
{
	struct os_child *c = calloc(1, sizeof(*c));

	if (c != NULL)
		(void)SetConsoleCtrlHandler(console_told, TRUE);
	return c;
}

void
os_child_close(struct os_child *c)
{
	if (c == NULL)
		return;
	(void)SetConsoleCtrlHandler(console_told, FALSE);
	if (c->process != NULL)
		CloseHandle(c->process);
	free(c);
}

/*
 * One argument as CommandLineToArgvW takes it apart again. Quoted only if it must be: programs that
 * read the line themselves, as cmd does, know some words without quotes alone. Returns where it
 * ends.
 */
static wchar_t *
quote(wchar_t *out, const wchar_t *arg)
{
	bool quoted = arg[0] == L'\0' || wcspbrk(arg, L" \t\"") != NULL;
	size_t slashes = 0;

	if (quoted)
		*out++ = L'"';
	for (; *arg != L'\0'; arg++) {
		if (*arg == L'"')
			for (size_t i = 0; i < slashes + 1; i++)
				*out++ = L'\\';
		slashes = *arg == L'\\' ? slashes + 1 : 0;
		*out++ = *arg;
	}
	for (; quoted && slashes > 0; slashes--)
		*out++ = L'\\';
	if (quoted)
		*out++ = L'"';
	return out;
}

static wchar_t *
command_line(char **args)
{
	size_t room = 1;
	wchar_t *line, *at;

	for (char **i = args; *i != NULL; i++)
		room += 2 * strlen(*i) + 3;
	if ((line = at = calloc(room, sizeof(*line))) == NULL)
		return NULL;
	for (char **i = args; *i != NULL; i++) {
		wchar_t *arg = wide_from(*i);

		if (arg == NULL) {
			free(line);
			return NULL;
		}
		if (at != line)
			*at++ = L' ';
		at = quote(at, arg);
		free(arg);
	}
	return line;
}

int
os_child_start(struct os_child *c, char **args, os_child_failed *failed)
{
	STARTUPINFOW start = { .cb = sizeof(start) };
	wchar_t *line = command_line(args);
	PROCESS_INFORMATION made;
	int error;

	if (line == NULL)
		return errno;
	if (CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &made)) {
		c->process = made.hProcess;
		CloseHandle(made.hThread);
	} else {
		wide_failed();
		error = errno;
		c->code = failed(args[0], error);
	}
	free(line);
	return 0;
}

bool
os_child_runs(const struct os_child *c)
{
	return c->process != NULL;
}

int
os_child_exit(const struct os_child *c)
{
	return c->code;
}

int
os_child_told_to_end(const struct os_child *c)
{
	return c->process == NULL && told != 0 ? 128 + (int)told : 0;
}

static void
look(struct os_child *c, DWORD ms)
{
	DWORD code;

	if (c->process == NULL || WaitForSingleObject(c->process, ms) != WAIT_OBJECT_0)
		return;
	c->code = GetExitCodeProcess(c->process, &code) ? (int)code : 1;
	CloseHandle(c->process);
	c->process = NULL;
	InterlockedExchange(&told, 0); /* it was told to the command */
}

/* A process and a socket cannot be waited for in one call: the process, with looks at the socket.
 */
void
os_child_wait(struct os_child *c, int fd, int ms)
{
	struct pollfd p = { .fd = (SOCKET)fd, .events = POLLIN };

	for (; ms > 0; ms -= LOOK_MS) {
		bool ran = c->process != NULL;

		look(c, 0);
		if ((ran && c->process == NULL) || os_child_told_to_end(c) != 0)
			return;
		if (os_poll(&p, 1, ms < LOOK_MS ? ms : LOOK_MS) != 0)
			return;
	}
	look(c, 0);
}
