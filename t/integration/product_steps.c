/*
 * product_steps.c - a product whose steps a test writes on its standard input, one a line. It uses
 * kms.h alone, and answers each with one line. Its client is what it was started with:
 *
 *	product_steps KEY PRODUCT [OPTION=VALUE]...    state, host, domain, nameserver, name,
 *	                                              user, close, total, reply
 *
 *	open activate renew release status close    the functions of kms.h
 *	borrow start-borrow borrow-none             for a day; for no time
 *	start-activate start-renew start-release    kms_start
 *	step cancel next                            kms_poll once, kms_cancel, kms_next
 *	loop                                        poll(2) and kms_poll, until it is over
 *	fork                                        a child closes, and this process goes on
 *	crash                                       ends here, and closes nothing
 */
#include <kms.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct product {
	struct kms_options options;
	struct kms_client *client;
	char detail[256];
};

static const char *
symbol(int status)
{
	return kms_error_find((uint32_t)status)->symbol;
}

static unsigned
milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (unsigned)t.tv_sec * 1000u + (unsigned)(t.tv_nsec / 1000000);
}

static void
step_open(struct product *p)
{
	printf("%s %s\n", symbol(kms_open(&p->client, &p->options)), p->detail);
}

static void
ask(struct product *p, int (*call)(struct kms_client *, struct kms_result *))
{
	struct kms_result r = { .size = sizeof(r) };

	printf("%s ", symbol(call(p->client, &r)));
	printf("%s\n", r.detail);
}

static void
step_activate(struct product *p)
{
	ask(p, kms_activate);
}

static void
step_renew(struct product *p)
{
	ask(p, kms_renew);
}

static void
step_release(struct product *p)
{
	ask(p, kms_release);
}

static void
step_start_activate(struct product *p)
{
	printf("%s\n", symbol(kms_start(p->client, KMS_ACTIVATE)));
}

static void
step_start_renew(struct product *p)
{
	printf("%s\n", symbol(kms_start(p->client, KMS_RENEW)));
}

static void
step_start_release(struct product *p)
{
	printf("%s\n", symbol(kms_start(p->client, KMS_RELEASE)));
}

static void
step_step(struct product *p)
{
	ask(p, kms_poll);
}

static void
step_cancel(struct product *p)
{
	kms_cancel(p->client);
	printf("cancelled\n");
}

static void
step_next(struct product *p)
{
	enum kms_operation operation = 0;
	int wait = kms_next(p->client, &operation);

	printf("%d operation %d\n", wait, (int)operation);
}

static void
step_loop(struct product *p)
{
	struct pollfd fd = { .fd = kms_fd(p->client), .events = POLLIN };
	struct kms_result r = { .size = sizeof(r) };
	unsigned calls = 0, woken = 0;
	int e = KMS_E_PENDING;

	while (e == KMS_E_PENDING) {
		woken += poll(&fd, 1, 60000) == 1;
		e = kms_poll(p->client, &r);
		calls++;
	}
	printf("%s ", symbol(e));
	printf("%s", r.detail);
	printf(" (%s, %s, %s)\n", calls > 1 ? "in steps" : "at once",
	    woken == calls ? "woken" : "not woken", poll(&fd, 1, 0) == 0 ? "quiet" : "not quiet");
}

static void
borrow(struct product *p, uint32_t minutes)
{
	struct kms_result r = { .size = sizeof(r) };

	printf("%s ", symbol(kms_borrow(p->client, minutes, &r)));
	printf("%s\n", r.detail);
}

static void
step_borrow(struct product *p)
{
	borrow(p, 24 * 60);
}

static void
step_borrow_none(struct product *p)
{
	borrow(p, 0);
}

static void
step_start_borrow(struct product *p)
{
	printf("%s\n", symbol(kms_start_borrow(p->client, 24 * 60)));
}

static void
step_status(struct product *p)
{
	struct kms_status_info s = { .size = sizeof(s) };
	int rc = kms_status(p->client, &s);

	printf("%s licence %d grace %u\n", symbol(rc), (int)s.licence, s.grace_left);
}

static void
step_close(struct product *p)
{
	unsigned begin = milliseconds();

	kms_close(p->client);
	p->client = NULL;
	printf("closed in %u ms\n", milliseconds() - begin);
}

static void
step_fork(struct product *p)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		kms_close(p->client);
		_exit(0);
	}
	waitpid(child, &status, 0);
	printf("child %d\n", status);
}

static void
step_crash(struct product *p)
{
	(void)p;
	_exit(0);
}

static const struct {
	const char *name;
	void (*step)(struct product *p);
} steps[] = {
	{ "open", step_open },
	{ "activate", step_activate },
	{ "renew", step_renew },
	{ "release", step_release },
	{ "start-activate", step_start_activate },
	{ "start-renew", step_start_renew },
	{ "start-release", step_start_release },
	{ "borrow", step_borrow },
	{ "borrow-none", step_borrow_none },
	{ "start-borrow", step_start_borrow },
	{ "step", step_step },
	{ "cancel", step_cancel },
	{ "next", step_next },
	{ "loop", step_loop },
	{ "status", step_status },
	{ "close", step_close },
	{ "fork", step_fork },
	{ "crash", step_crash },
};

static void
take_option(struct kms_options *o, const char *text)
{
	const struct {
		const char *name;
		const char **text;
		uint32_t *number;
	} rows[] = {
		{ "state", &o->state_file, NULL },
		{ "host", &o->host, NULL },
		{ "domain", &o->domain, NULL },
		{ "name", &o->name, NULL },
		{ "user", &o->user, NULL },
		{ "close", NULL, &o->close_timeout },
		{ "total", NULL, &o->total_timeout },
		{ "reply", NULL, &o->reply_timeout },
		{ "nameserver", &o->nameserver, NULL },
	};
	size_t len = strcspn(text, "=");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strlen(rows[i].name) != len || strncmp(rows[i].name, text, len) != 0)
			continue;
		if (rows[i].text != NULL)
			*rows[i].text = text + len + 1;
		else
			*rows[i].number = (uint32_t)strtoul(text + len + 1, NULL, 10);
	}
}

int
main(int argc, char **argv)
{
	struct product p = { .options = { .size = sizeof(p.options) } };
	char line[64];

	if (argc < 3)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	p.options.publisher_key = argv[1];
	p.options.product = argv[2];
	p.options.virtual_machine = KMS_VM_NO;
	p.options.detail = p.detail;
	p.options.detail_size = sizeof(p.detail);
	for (int i = 3; i < argc; i++)
		take_option(&p.options, argv[i]);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
			if (strcmp(steps[i].name, line) == 0)
				steps[i].step(&p);
	}
	kms_close(p.client);
	return 0;
}
