/*
 * main.c - kmsd: options, the order of starting, and the loop that waits for signals and
 * for what children say. It owns the state that the other files are handed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsd/common/config_text.h"
#include "kmsd/common/confine.h"
#include "kmsd/common/log.h"
#include "kmsd/common/relay_config.h"
#include "kmsd/supervisor/capabilities.h"
#include "kmsd/supervisor/directories.h"
#include "kmsd/supervisor/inherit.h"
#include "kmsd/supervisor/listen.h"
#include "kmsd/supervisor/notify.h"
#include "kmsd/supervisor/ping.h"
#include "kmsd/supervisor/reap.h"
#include "kmsd/supervisor/reload.h"
#include "kmsd/supervisor/resolve.h"
#include "kmsd/supervisor/secret_files.h"
#include "kmsd/supervisor/share_child.h"
#include "kmsd/supervisor/signals.h"
#include "kmsd/supervisor/spawn.h"
#include "kmsd/supervisor/stop.h"
#include "kmsd/supervisor/web.h"
#include "libkms/kms_error.h"

#define SPARE_DESCRIPTORS 1024 /* besides connections */
#define LISTEN_CHECK_MS 2000
#define START_TIMEOUT 30 /* seconds a child has to become ready */

struct options {
	const char *ini;
	const char *libexec;
	unsigned start_timeout;
	bool check, print;
};

/* An option: its argument (also the kind of word that completion offers), and what it is. */
static const struct {
	const char *letter, *argument, *what;
} option_rows[] = {
	{ "f", "file", "the ini file" },
	{ "L", "directory", "where the other executables are" },
	{ "n", "", "check the ini file" },
	{ "p", "", "check and print the whole configuration" },
	{ "t", "seconds", "time that a start may take" },
	{ "V", "", "the version" },
};
#define OPTIONS (sizeof(option_rows) / sizeof(option_rows[0]))

static int
help(FILE *out, int code)
{
	fputs("usage: kmsd [-npV] [-f file] [-L directory] [-t seconds]\n", out);
	for (size_t i = 0; code == EXIT_OK && i < OPTIONS; i++)
		fprintf(out, "  -%s %-10s %s\n", option_rows[i].letter, option_rows[i].argument,
		    option_rows[i].what);
	return code;
}

/* What the shells' completions read, a row a line; kmsctl/cli/completion.h has the format. */
static int
completion(void)
{
	for (size_t i = 0; i < OPTIONS; i++)
		printf("o\t\t-%s\t%s\t%s\n", option_rows[i].letter,
		    strcmp(option_rows[i].argument, "seconds") == 0 ? "text"
								    : option_rows[i].argument,
		    option_rows[i].what);
	return fflush(stdout) == 0 ? EXIT_OK : EXIT_START;
}

static int
version(void)
{
	puts("kmsd " PACKAGE_VERSION);
	return EXIT_OK;
}

/* "f:L:npt:V", for getopt(3). */
static const char *
option_letters(char out[2 * OPTIONS + 1])
{
	char *at = out;

	for (size_t i = 0; i < OPTIONS; i++) {
		*at++ = option_rows[i].letter[0];
		if (option_rows[i].argument[0] != '\0')
			*at++ = ':';
	}
	*at = '\0';
	return out;
}

/* -1: go on; else the exit code. */
static int
parse_options(int argc, char **argv, struct options *o)
{
	char letters[2 * OPTIONS + 1], *end;
	long n;
	int c;

	if (argc == 2 && strcmp(argv[1], "--completion") == 0)
		return completion();
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return help(stdout, EXIT_OK);
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return version();
	while ((c = getopt(argc, argv, option_letters(letters))) != -1)
		switch (c) {
		case 'f':
			o->ini = optarg;
			break;
		case 'L':
			o->libexec = optarg;
			break;
		case 'n':
			o->check = true;
			break;
		case 'p':
			o->check = o->print = true;
			break;
		case 't':
			n = strtol(optarg, &end, 10);
			if (*end != '\0' || n < 1 || n > 3600) {
				fputs("kmsd: -t takes 1 to 3600 seconds\n", stderr);
				return EXIT_USAGE;
			}
			o->start_timeout = (unsigned)n;
			break;
		case 'V':
			return version();
		default:
			return help(stderr, EXIT_USAGE);
		}
	return optind == argc ? -1 : help(stderr, EXIT_USAGE);
}

/*
 * The children must not inherit what the caller left open. Descriptors 0 to 2 must be open, or a
 * socket could get the number of standard error.
 */
static void
tidy_descriptors(void)
{
	int fd;

	close_range(3 + inherited_count(), ~0U, 0);
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd < 3);
	if (fd >= 3)
		close(fd);
}

/*
 * Descriptors for the connections that the ini file allows. Children inherit the limit and only
 * lower it; without root, the hard limit is the most, and the front logs when that is too low.
 */
static void
raise_descriptors(const struct supervisor *s)
{
	struct rlimit l;
	rlim_t want = (rlim_t)s->config.connections * (relay_configured(&s->config) ? 2 : 1) +
		      SPARE_DESCRIPTORS;

	if (getrlimit(RLIMIT_NOFILE, &l) == -1)
		return;
	if (l.rlim_max < want && geteuid() == 0)
		l.rlim_max = want;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

static int
prepare(struct supervisor *s)
{
	int rc;

	raise_descriptors(s);
	/* Children cannot gain rights through set-uid programs; neither can kmsd. */
	rc = confine_no_new_privs();
	if (rc == KMS_OK)
		rc = signals_open(s);
	if (rc == KMS_OK)
		rc = prepare_users(s);
	if (rc == KMS_OK)
		rc = prepare_directories(s);
	if (rc == KMS_OK)
		rc = open_secrets(s);
	if (rc == KMS_OK)
		rc = inherited_count() > 0 ? listen_inherited(s) : listen_bind(s);
	if (rc != KMS_OK)
		return rc;
	web_bind(s);
	share_init(s);
	drop_capabilities();
	resolve_init(s);
	rc = spawn_activate(s);
	return rc;
}

/* Milliseconds until the next deadline, restart or sign of life, a minute at most. */
static int
next_wake(struct supervisor *s)
{
	int64_t t = clock_ms(), next = s->watchdog != 0 ? s->watchdog_at : t + 60000;
	const struct child *c;

	for (unsigned i = 0; (c = child_at(s, i)) != NULL; i++) {
		if (c->deadline != 0 && c->deadline < next)
			next = c->deadline;
		if (c->restart_at != 0 && c->pid == 0 && c->restart_at < next)
			next = c->restart_at;
	}
	if (ping_due(s) < next)
		next = ping_due(s);
	if (s->resolver.deadline != 0 && s->resolver.deadline < next)
		next = s->resolver.deadline;
	if (s->resolve_at != 0 && s->resolve_at < next)
		next = s->resolve_at;
	if (s->share_at != 0 && s->share_at < next)
		next = s->share_at;
	if (s->phase == PHASE_SERVING && s->listen_check_at < next)
		next = s->listen_check_at;
	return next > t ? (int)(next - t) : 0;
}

/* The sign of life is sent by the loop that looks after the children, not by a separate timer. */
static void
sign_of_life(struct supervisor *s)
{
	int64_t t = clock_ms();

	if (s->watchdog == 0 || t < s->watchdog_at)
		return;
	notify("WATCHDOG=1\n");
	s->watchdog_at = t + s->watchdog;
}

static void
look_at_listeners(struct supervisor *s)
{
	int64_t t = clock_ms();

	if (t < s->listen_check_at)
		return;
	listen_check(s);
	s->listen_check_at = t + LISTEN_CHECK_MS;
}

static void
wait_once(struct supervisor *s)
{
	struct pollfd p[2 + SUPERVISED] = { { .fd = s->signals, .events = POLLIN },
		{ .fd = s->resolver.sock, .events = POLLIN } };
	struct child *c;
	unsigned n;

	for (n = 0; (c = child_at(s, n)) != NULL; n++)
		p[2 + n] = (struct pollfd){ .fd = c->sock, .events = POLLIN };
	if (poll(p, 2 + n, next_wake(s)) == -1 && errno != EINTR) {
		log_event(LOG_CRIT, "start-failed", "poll: %s", strerror(errno));
		stop_begin(s, "poll failed", EXIT_START);
		return;
	}
	/* Messages before deaths: the reason that a child gives is read before it is reaped. */
	for (unsigned i = 0; i < n; i++)
		if (p[2 + i].revents != 0)
			child_message(s, child_at(s, i));
	if (p[1].revents != 0)
		resolve_message(s);
	if (p[0].revents != 0)
		signals_read(s);
	child_deadlines(s);
	ping_children(s);
	sign_of_life(s);
	resolve_due(s);
	share_due(s);
	look_at_listeners(s);
	log_flush_limited();
}

static int
run(struct supervisor *s)
{
	if (prepare(s) != KMS_OK) {
		s->exit_code = EXIT_START;
		return s->exit_code;
	}
	s->watchdog = notify_watchdog();
	while (s->phase != PHASE_DONE)
		wait_once(s);
	log_event(LOG_NOTICE, "kmsd-stopped", "exit code %d", s->exit_code);
	return s->exit_code;
}

int
main(int argc, char **argv)
{
	struct options o = { .ini = KMS_SYSCONFDIR "/kms/kms.ini", .start_timeout = START_TIMEOUT };
	static struct supervisor s = {
		.control = -1, .state_dir = -1, .pid_file = -1, .signals = -1, .secrets = { -1, -1 }
	};
	int rc = parse_options(argc, argv, &o);

	if (rc >= 0)
		return rc;
	tidy_descriptors();
	umask(027);
	s.ini_path = o.ini;
	s.start_timeout = o.start_timeout;
	if (!read_config(o.ini, &s.config, true))
		return EXIT_CONFIG;
	if (o.print)
		config_print(&s.config, stdout);
	else if (o.check)
		printf("%s: valid\n", o.ini);
	if (!o.check) {
		log_open("kmsd", s.config.log_syslog, (int)s.config.log_level);
		s.libexec = o.libexec ? o.libexec : s.config.libexec_directory;
		spawn_init(&s);
		rc = run(&s);
		remove_runtime_files(&s);
		log_close();
	}
	return rc >= 0 ? rc : EXIT_OK;
}
