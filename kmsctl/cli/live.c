/*
 * live.c - see live.h. The sequences are those of ECMA-48 and of xterm, which every terminal of
 * today knows.
 */
#include "kmsctl/cli/live.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "kmsctl/cli/screen.h"
#include "libkms/base/clock.h"

#define ROWS 24 /* of a terminal that does not tell its own */
#define ROWS_LEAST 4
/* The other screen, no cursor, no line that goes on in the next. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"
#define TOP "\033[H"
#define REST_OF_LINE "\033[K"
#define REST_OF_SCREEN "\033[J"
#define CONTROL_C 3 /* of a terminal that sends no signal for it */

static void
fill_signals(sigset_t *set)
{
	static const int signals[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH };

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(set, signals[i]);
}

static void
measure(struct live *l)
{
	struct winsize size = { 0 };

	l->columns = screen_width(stdout);
	l->rows = ROWS;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
		l->rows = size.ws_row;
	if (l->rows < ROWS_LEAST)
		l->rows = ROWS_LEAST;
}

static void
enter(struct live *l)
{
	struct termios quiet = l->before;

	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON);
	quiet.c_cc[VMIN] = 1;
	quiet.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet);
	fputs(ENTER, stdout);
	fflush(stdout);
	measure(l);
}

static void
leave(const struct live *l)
{
	fputs(LEAVE, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &l->before);
}

bool
live_begin(struct live *l)
{
	sigset_t set;

	memset(l, 0, sizeof(*l));
	if (isatty(STDOUT_FILENO) != 1 || isatty(STDIN_FILENO) != 1 ||
	    tcgetattr(STDIN_FILENO, &l->before) != 0)
		return false;
	fill_signals(&set);
	if ((l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		return false;
	sigprocmask(SIG_BLOCK, &set, &l->mask);
	enter(l);
	return true;
}

void
live_draw(const struct live *l, const char *text, const char *note)
{
	fputs(TOP, stdout);
	for (unsigned row = 0; row + 1 < l->rows && *text != '\0'; row++) {
		size_t len = strcspn(text, "\n");

		fwrite(text, 1, len, stdout);
		fputs(REST_OF_LINE "\r\n", stdout);
		text += len + (text[len] == '\n');
	}
	fputs(REST_OF_SCREEN, stdout);
	printf("\033[%u;1H%.*s", l->rows, (int)screen_fit(note, l->columns), note);
	fflush(stdout);
}

/* Stops, as the key asked, with the terminal as it was. */
static void
stop(struct live *l)
{
	leave(l);
	raise(SIGSTOP);
	enter(l);
}

static enum live_event
take_signal(struct live *l)
{
	struct signalfd_siginfo s;
	enum live_event event = LIVE_TIME;

	while (event != LIVE_END && read(l->signals, &s, sizeof(s)) == sizeof(s)) {
		event = LIVE_RESIZED;
		if (s.ssi_signo == SIGTSTP)
			stop(l);
		else if (s.ssi_signo == SIGWINCH)
			measure(l);
		else
			event = LIVE_END;
	}
	return event;
}

static enum live_event
take_key(void)
{
	char key;

	if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q' || key == CONTROL_C)
		return LIVE_END;
	return key == ' ' || key == '\n' || key == '\r' ? LIVE_REFRESH : LIVE_TIME;
}

enum live_event
live_wait(struct live *l, int ms)
{
	struct pollfd ready[] = { { .fd = l->signals, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN } };
	int64_t until = clock_ms() + ms, left;
	enum live_event event = LIVE_TIME;

	/* Other keys do not make it come earlier. */
	while (
	    event == LIVE_TIME && (left = until - clock_ms()) > 0 && poll(ready, 2, (int)left) > 0)
		event = ready[0].revents != 0 ? take_signal(l) : take_key();
	return event;
}

void
live_end(struct live *l)
{
	leave(l);
	close(l->signals);
	sigprocmask(SIG_SETMASK, &l->mask, NULL);
}
