/*
 * log.c - one line an event, escaped, to stderr or syslog, and never more than a few a minute for
 * one event name when the network decides how often it happens.
 *
 * The log is the only thing that every function may use without getting it as an argument, so its
 * state is the only file-scope state. One thread writes it at a time (writer threads report
 * through their owner).
 */
#include "kmsd/common/log.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "libkms/base/clock.h"
#include "libkms/base/wire.h"

#define LOG_TEXT 1024
#define LOG_EVENTS 64 /* names that log_limited can distinguish */
#define LOG_BURST 5   /* lines of one name within LOG_WINDOW seconds */
#define LOG_WINDOW 60

struct limit {
	char event[48];
	int level;
	time_t since;
	unsigned written;
	unsigned long kept_back;
};

static struct {
	char process[32];
	int level;
	bool to_syslog;
	bool journal;
	int native;         /* connected to journald's own socket, or -1 */
	unsigned long lost; /* lines that were lost because nobody read */
	struct limit limits[LOG_EVENTS];
	unsigned limit_count;
} state = { .process = "kmsd", .level = LOG_INFO, .native = -1 };

/*
 * Is standard error the stream that journald reads? The variable may be inherited from another
 * process.
 */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/*
 * journald's native socket, so that a line has fields (journalctl KMS_EVENT=front-died). -1: use
 * standard error.
 */
static int
open_native(void)
{
	static const struct sockaddr_un journald = { AF_UNIX, "/run/systemd/journal/socket" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd != -1 && connect(fd, (const struct sockaddr *)&journald, sizeof(journald)) == 0)
		return fd;
	if (fd != -1)
		close(fd);
	return -1;
}

void
log_open(const char *process, bool to_syslog, int level)
{
	snprintf(state.process, sizeof(state.process), "%s", process);
	state.level = level;
	state.to_syslog = to_syslog;
	state.journal = getenv("JOURNAL_STREAM") != NULL;
	if (state.native != -1)
		close(state.native);
	state.native = !to_syslog && stderr_is_journal() ? open_native() : -1;
	/*
	 * Opens everything now: once confined, neither the time zone's file nor the socket can be
	 * opened.
	 */
	tzset();
	if (to_syslog)
		openlog(state.process, LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void
log_level(int level)
{
	state.level = level;
}

/*
 * Text from outside can neither begin a new line, control a terminal nor turn one around: what the
 * text rule does not allow is written as the bytes that it is.
 */
static void
escape(char *out, size_t size, const char *text)
{
	size_t left = strlen(text), used = 0, n;

	for (; left > 0; text += n, left -= n) {
		n = wire_text_character(text, left);
		if (used + (n > 0 ? n : 4) >= size)
			break;
		if (n > 0) {
			memcpy(out + used, text, n);
			used += n;
			continue;
		}
		n = 1;
		used += (size_t)snprintf(out + used, size - used, "\\x%02x", (unsigned char)*text);
	}
	out[used] = '\0';
}

/*
 * A reader that has stopped reading must not stop the service: what standard error cannot take now
 * is lost, and counted. A pipe that is ready takes PIPE_BUF bytes at once; one write keeps the
 * lines of several processes apart.
 */
static bool
write_ready(const char *line, size_t len)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0 &&
	       write(STDERR_FILENO, line, len) == (ssize_t)len;
}

/* A line for standard error. */
static size_t
form(char line[PIPE_BUF], int level, const char *event, const char *text)
{
	if (state.journal)
		return (size_t)snprintf(
		    line, PIPE_BUF, "<%d>%s: %s: %s\n", level, state.process, event, text);
	return (size_t)snprintf(
	    line, PIPE_BUF, "%s[%ld]: %s: %s\n", state.process, (long)getpid(), event, text);
}

static void
write_line(int level, const char *event, const char *text)
{
	char line[PIPE_BUF], count[96];

	if (state.lost > 0) {
		snprintf(count, sizeof(count), "%lu lines were lost, because nobody read the log",
		    state.lost);
		if (write_ready(line, form(line, LOG_WARNING, "log-lost", count)))
			state.lost = 0;
	}
	if (state.lost > 0 || !write_ready(line, form(line, level, event, text)))
		state.lost++;
}

static void
emit(int level, const char *event, const char *text)
{
	/* Room for the longest line's other parts, so that one is never longer than PIPE_BUF. */
	char line[PIPE_BUF], safe[PIPE_BUF - 256];
	int n;

	escape(safe, sizeof(safe), text);
	if (state.native != -1) {
		n = snprintf(line, sizeof(line),
		    "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nSYSLOG_FACILITY=3\nKMS_EVENT=%s\n"
		    "MESSAGE=%s: %s\n",
		    level, state.process, event, event, safe);
		if (write(state.native, line, (size_t)n) == n)
			return;
	}
	if (state.to_syslog)
		syslog(level, "%s: %s", event, safe);
	else
		write_line(level, event, safe);
}

void
log_event(int level, const char *event, const char *fmt, ...)
{
	char text[LOG_TEXT];
	va_list ap;

	if (level > state.level)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	emit(level, event, text);
}

/* The row for event; names past the last row share it. */
static struct limit *
find_limit(const char *event)
{
	struct limit *l;
	unsigned i;

	for (i = 0; i < state.limit_count; i++)
		if (strncmp(state.limits[i].event, event, sizeof(state.limits[i].event) - 1) == 0)
			return &state.limits[i];
	if (state.limit_count == LOG_EVENTS)
		return &state.limits[LOG_EVENTS - 1];
	l = &state.limits[state.limit_count++];
	memset(l, 0, sizeof(*l));
	snprintf(l->event, sizeof(l->event), "%s", event);
	return l;
}

static void
end_window(struct limit *l, time_t t)
{
	char text[64];

	if (l->kept_back > 0) {
		snprintf(text, sizeof(text), "%lu more like this were not logged", l->kept_back);
		emit(l->level, l->event, text);
	}
	l->since = t;
	l->written = 0;
	l->kept_back = 0;
}

void
log_limited(int level, const char *event, const char *fmt, ...)
{
	char text[LOG_TEXT];
	struct limit *l;
	time_t t;
	va_list ap;

	if (level > state.level)
		return;
	t = (time_t)clock_seconds();
	l = find_limit(event);
	if (l->written == 0 || t - l->since >= LOG_WINDOW)
		end_window(l, t);
	l->level = level;
	if (l->written >= LOG_BURST) {
		l->kept_back++;
		return;
	}
	l->written++;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	emit(level, event, text);
}

void
log_flush_limited(void)
{
	time_t t = (time_t)clock_seconds();
	unsigned i;

	for (i = 0; i < state.limit_count; i++)
		if (t - state.limits[i].since >= LOG_WINDOW)
			end_window(&state.limits[i], t);
}

void
log_close(void)
{
	time_t t = (time_t)clock_seconds();
	unsigned i;

	for (i = 0; i < state.limit_count; i++)
		end_window(&state.limits[i], t);
	if (state.to_syslog)
		closelog();
}
