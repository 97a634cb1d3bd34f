/*
 * load - the load generator of `make bench`.
 *
 * It plays many clients whose keys come from a seed, seals its requests before
 * the clock starts, and sends them over a fixed number of connections. Every
 * reply is counted, one in --sample is opened and its lease verified down to the
 * publisher's signature. With --pid it also says what CPU time those processes
 * used. The options are in usage() below, the output is one line of key=value.
 *
 * The loop is closed (a connection sends its next request when it has its reply), or with --rate
 * open: requests are due at a fixed rate, whatever the server does, and a latency begins when the
 * request was due, also if no connection was free to send it then.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libkms/core/lease.h"
#include "libkms/kms_error.h"
#include "t/lib/player.h"

#define MAX_PIDS 64
#define RUN_SECONDS_MAX 600

enum mode {
	MODE_HELLO,
	MODE_ACTIVATE,
	MODE_RENEW,
	MODE_RELEASE,
	MODE_ECHO,
	MODE_IDLE,
	MODE_X25519,
	MODES
};

struct options {
	enum mode mode;
	const char *host;
	uint16_t port;
	unsigned connections;
	bool reconnect; /* a new connection for every request */
	bool stateless; /* clients say that they keep no state */
	double rate;    /* requests a second that are due; 0: closed loop */
	uint64_t requests;
	uint64_t first;   /* index of the first client */
	uint64_t clients; /* how many clients there are */
	const char *clients_file;
	const char *publisher_key;
	uint8_t product[16];
	unsigned sample;   /* open one reply in this many */
	size_t echo_reply; /* bytes an echo server answers with */
	int pids[MAX_PIDS];
	unsigned pid_count;
	unsigned hold; /* seconds to keep idle connections open */
	uint64_t seed;
};

struct connection {
	int fd;
	uint64_t request;       /* index into the sealed requests, or UINT64_MAX */
	uint64_t started;       /* nanoseconds */
	size_t sent, got, want; /* want: whole reply, 0 until its header is there */
	bool connecting;
	uint8_t reply[PLAYER_REPLY];
};

struct run {
	struct options opt;
	struct player_host to;
	struct player *client; /* mapped */
	uint8_t *sealed;       /* requests * PLAYER_REQUEST */
	uint32_t *who;         /* client of each request */
	uint32_t *latency;     /* microseconds of each request */
	struct connection *conn;
	struct connection **idle; /* a stack */
	unsigned idle_count;
	uint64_t start; /* nanoseconds */
	int epoll;
	uint64_t next, done, leases, refused, verified, bytes;
	uint32_t last_status;
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Seconds that each --pid process has run, all its threads. */
static void
cpu_used(const struct options *o, double out[MAX_PIDS])
{
	for (unsigned i = 0; i < o->pid_count; i++) {
		clockid_t id;
		struct timespec t;

		if (clock_getcpuclockid(o->pids[i], &id) != 0 || clock_gettime(id, &t) != 0)
			player_die("--pid");
		out[i] = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
	}
}

static void
map_clients(struct run *r)
{
	size_t size = r->opt.clients * sizeof(struct player);
	int fd = open(r->opt.clients_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		player_die(r->opt.clients_file);
	if ((uint64_t)st.st_size < size && ftruncate(fd, (off_t)size) == -1)
		player_die("ftruncate");
	r->client = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (r->client == MAP_FAILED)
		player_die("mmap");
	close(fd);
}

static void
seal_one(struct run *r, uint64_t slot, uint64_t i, enum message_operation op)
{
	struct message_request m = { .operation = (uint8_t)op,
		.state = MESSAGE_ACTIVATED,
		.flags = r->opt.stateless ? MESSAGE_STATELESS : 0 };

	player_seal(
	    r->sealed + slot * PLAYER_REQUEST, &r->client[i], &r->to, &m, r->opt.product, i);
	r->who[slot] = (uint32_t)i;
}

/* Of the clients from --first on, those that have a lease. */
static void
seal_releases(struct run *r)
{
	struct options *o = &r->opt;
	uint64_t count = 0;

	for (uint64_t i = o->first; i < o->first + o->requests; i++)
		if (r->client[i].leased)
			seal_one(r, count++, i, MESSAGE_RELEASE);
	o->requests = count;
}

/*
 * Renewals walk the clients in a scattered order and meet none twice within a round: by a step that
 * has no factor in common with their number.
 */
static uint64_t
step_of(uint64_t clients)
{
	uint64_t step = 0x9e3779b97f4a7c15u % clients | 1;

	for (uint64_t a = step, b = clients;; a = ++step, b = clients) {
		while (b != 0) {
			uint64_t t = a % b;
			a = b;
			b = t;
		}
		if (a == 1)
			return step;
	}
}

static uint64_t
client_of(const struct options *o, uint64_t step, uint64_t request)
{
	return o->mode == MODE_ACTIVATE ? o->first + request
					: (o->first + request) % o->clients * step % o->clients;
}

/*
 * Keys of the clients that have none yet: two key agreements each, so all cores share them. A
 * client that has none and renews is one of fill_ledger's, which used the first sequence number.
 */
static void
make_clients(struct run *r, uint64_t step)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct options *o = &r->opt;
	int status;

	for (long core = 0; core < cores; core++) {
		pid_t pid = fork();

		if (pid == -1)
			player_die("fork");
		if (pid != 0)
			continue;
		for (uint64_t k = (uint64_t)core; k < o->requests; k += (uint64_t)cores) {
			uint64_t i = client_of(o, step, k);
			struct player *p = &r->client[i];

			if (o->mode == MODE_RENEW && !sodium_is_zero(p->pk, sizeof(p->pk)))
				continue;
			player_make(p, &r->to, o->seed, i);
			p->sequence = o->mode == MODE_RENEW;
		}
		_exit(0);
	}
	while (wait(&status) > 0)
		if (status != 0)
			player_die("keys of the clients");
}

static void
seal_requests(struct run *r)
{
	struct options *o = &r->opt;
	uint64_t step = step_of(o->clients);

	make_clients(r, step);
	for (uint64_t k = 0; k < o->requests; k++)
		seal_one(r, k, client_of(o, step, k),
		    o->mode == MODE_ACTIVATE ? MESSAGE_ACTIVATE : MESSAGE_RENEW);
}

static void
watch(struct run *r, struct connection *c, uint32_t events, int how)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	if (epoll_ctl(r->epoll, how, c->fd, &ev) == -1)
		player_die("epoll_ctl");
}

static void
send_some(struct run *r, struct connection *c)
{
	const uint8_t *req = r->sealed + c->request * PLAYER_REQUEST;
	ssize_t n = send(c->fd, req + c->sent, PLAYER_REQUEST - c->sent, MSG_NOSIGNAL);

	if (n == -1 && errno != EAGAIN)
		player_die("send");
	if (n > 0)
		c->sent += (size_t)n;
}

/* The time at which the open loop has to send that request. */
static uint64_t
due(const struct run *r, uint64_t request)
{
	return r->start + (uint64_t)((double)request * 1e9 / r->opt.rate);
}

static void
begin(struct run *r, struct connection *c)
{
	c->request = r->next++;
	c->sent = c->got = c->want = 0;
	c->started = r->opt.rate > 0 ? due(r, c->request) : now_ns();
	if (r->opt.reconnect || c->fd == -1) {
		int one = 1;

		c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (c->fd == -1)
			player_die("socket");
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (connect(c->fd, (struct sockaddr *)&r->to.address, sizeof(r->to.address)) ==
			-1 &&
		    errno != EINPROGRESS)
			player_die("connect");
		c->connecting = true;
		watch(r, c, EPOLLOUT, EPOLL_CTL_ADD);
		return;
	}
	send_some(r, c);
}

/* A lease is verified as a product would: seal, reply, proof, signature, certificate. */
static void
check_reply(struct run *r, struct connection *c)
{
	uint8_t text[FRAME_MAX_REPLY];
	int rc = player_open(&r->client[r->who[c->request]], &r->to, r->opt.product, c->reply,
	    c->want, text, NULL, NULL);

	if (rc >= KMS_E_LOCAL)
		player_die(kms_strerror((uint32_t)rc));
	r->last_status = (uint32_t)rc;
	if (rc == KMS_OK)
		r->verified++;
	else
		r->refused++;
}

static void
finish(struct run *r, struct connection *c)
{
	struct options *o = &r->opt;

	r->latency[c->request] = (uint32_t)((now_ns() - c->started) / 1000);
	r->done++;
	r->bytes += c->want;
	if (o->mode != MODE_ECHO) {
		/* A reply without a lease is far shorter than the smallest bundle. */
		bool lease = c->reply[5] == FRAME_REPLY &&
			     c->want > FRAME_HEADER + SEAL_REPLY_OVERHEAD + MESSAGE_REPLY_TEXT +
					   ENTRY_CLIENT_FIXED + BATCH_HEADER;

		if (lease)
			r->leases++;
		if (o->mode != MODE_HELLO)
			r->client[r->who[c->request]].leased = lease;
		if (c->reply[5] != FRAME_REPLY) {
			struct frame_error e = { 0 };

			frame_error_decode(&e, c->reply + FRAME_HEADER, c->want - FRAME_HEADER);
			r->last_status = e.status;
			r->refused++;
		} else if (o->mode != MODE_RELEASE && (!lease || c->request % o->sample == 0))
			check_reply(r, c);
	}
	if (o->reconnect) {
		/* RST at close: a run would otherwise end for want of local ports. */
		struct linger hard = { 1, 0 };

		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(c->fd);
		c->fd = -1;
	}
	r->idle[r->idle_count++] = c;
}

static void
readable(struct run *r, struct connection *c)
{
	size_t room = r->opt.mode == MODE_ECHO ? r->opt.echo_reply : sizeof(c->reply);
	ssize_t n = recv(c->fd, c->reply + c->got, room - c->got, 0);

	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0)
		player_die("connection closed by the server");
	c->got += (size_t)n;
	if (r->opt.mode == MODE_ECHO)
		c->want = r->opt.echo_reply;
	else if (c->want == 0 && c->got >= FRAME_HEADER) {
		struct frame f;

		if (frame_decode(&f, c->reply, FRAME_MAX_REPLY) != KMS_OK)
			player_die("reply frame");
		c->want = FRAME_HEADER + f.length;
	}
	if (c->want != 0 && c->got >= c->want)
		finish(r, c);
}

/* Sends each request whose time has come, while there is a free connection. */
static void
begin_due(struct run *r)
{
	const struct options *o = &r->opt;
	uint64_t now = o->rate > 0 ? now_ns() : 0;

	while (
	    r->idle_count > 0 && r->next < o->requests && (o->rate == 0 || due(r, r->next) <= now))
		begin(r, r->idle[--r->idle_count]);
}

static void
on_event(struct run *r, struct connection *c, uint32_t events)
{
	if (!c->connecting) {
		readable(r, c);
		return;
	}
	if (events & (EPOLLERR | EPOLLHUP))
		player_die("connect");
	c->connecting = false;
	watch(r, c, EPOLLIN, EPOLL_CTL_MOD);
	send_some(r, c);
}

/* The shorter of the server's patience and the time until a free connection has to send. */
static struct timespec
wait_for(const struct run *r)
{
	/* A connection that a firewall drops is tried again after 1, 2, 4, 8, 16 and 32 seconds. A
	 * disk that has much else to do can let a sync wait for some of them, too. */
	struct timespec t = { .tv_sec = 70 };
	uint64_t now = now_ns(), at;

	if (r->opt.rate == 0 || r->idle_count == 0 || r->next == r->opt.requests)
		return t;
	at = due(r, r->next);
	at = at > now ? at - now : 0;
	return (struct timespec){ (time_t)(at / 1000000000u), (long)(at % 1000000000u) };
}

static void
run_load(struct run *r)
{
	struct epoll_event ev[256];
	uint64_t end = r->start + RUN_SECONDS_MAX * 1000000000ull;

	for (unsigned i = r->opt.connections; i-- > 0;)
		r->idle[r->idle_count++] = &r->conn[i];
	begin_due(r);
	while (r->done < r->opt.requests) {
		struct timespec t = wait_for(r);
		int k = epoll_pwait2(r->epoll, ev, 256, &t, NULL);

		if ((k == 0 && t.tv_sec >= 70) || now_ns() > end)
			player_die("no reply for a long time");
		for (int i = 0; i < k; i++)
			on_event(r, ev[i].data.ptr, ev[i].events);
		begin_due(r);
	}
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
report(struct run *r, double seconds, const double cpu[MAX_PIDS])
{
	uint64_t n = r->opt.requests;
	double all = 0;

	for (unsigned i = 0; i < r->opt.pid_count; i++)
		all += cpu[i];
	qsort(r->latency, n, sizeof(*r->latency), by_value);
	printf(
	    "requests=%llu seconds=%.4f rate=%.1f cpu_us=%.3f median_us=%u p99_us=%u p999_us=%u leases=%llu refused=%llu verified=%llu last_status=%u request_octets=%zu reply_octets=%llu",
	    (unsigned long long)n, seconds, (double)n / seconds, all * 1e6 / (double)n,
	    r->latency[n / 2], r->latency[n * 99 / 100], r->latency[n * 999 / 1000],
	    (unsigned long long)r->leases, (unsigned long long)r->refused,
	    (unsigned long long)r->verified, r->last_status, (size_t)PLAYER_REQUEST,
	    (unsigned long long)(r->done ? r->bytes / r->done : 0));
	for (unsigned i = 0; i < r->opt.pid_count; i++)
		printf(" cpu%u_us=%.3f", i, cpu[i] * 1e6 / (double)n);
	printf("\n");
}

/* Open many connections and say nothing: what does a front need for them? */
static void
hold_idle(struct run *r)
{
	for (unsigned i = 0; i < r->opt.connections; i++)
		if ((r->conn[i].fd = player_connect(&r->to)) == -1)
			player_die("connect");
	printf("idle=%u\n", r->opt.connections);
	fflush(stdout);
	sleep(r->opt.hold);
}

/* One after the other, with the least around them. */
static void
agree_on_keys(const struct options *o)
{
	uint8_t sk[32], pk[32], shared[32];
	struct timespec t;

	randombytes_buf(sk, sizeof(sk));
	crypto_scalarmult_base(pk, sk);
	for (uint64_t i = 0; i < o->requests; i++) {
		if (crypto_scalarmult(shared, sk, pk) != 0)
			player_die("x25519");
		memcpy(sk, shared, sizeof(sk));
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	printf("cpu_us=%.3f\n",
	    ((double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3) / (double)o->requests);
}

static void
usage(void)
{
	fputs(
	    "usage: load MODE [options]\n"
	    "  hello                 check the host certificate and print the host id\n"
	    "  activate              first activation of --requests clients from --first on\n"
	    "  renew                 --requests renewals spread over --clients\n"
	    "  release               of --requests clients from --first on, those that have a lease\n"
	    "  echo                  the same frames to an echo server\n"
	    "  idle                  hold --connections open and silent for --hold seconds\n"
	    "  x25519                no host: what --requests key agreements cost here\n"
	    "options\n"
	    "  --host ADDRESS        IPv4 address, default 127.0.0.1\n"
	    "  --port N              default 1688\n"
	    "  --connections N       kept connections, one request in flight each; default 64\n"
	    "  --rate N              so many requests a second are due; default: as fast as replies come\n"
	    "  --stateless           the clients say that they keep no state\n"
	    "  --reconnect           a new connection for each request, --connections at a time\n"
	    "  --requests N          how many, default 10000\n"
	    "  --clients N           size of the client population, default = requests\n"
	    "  --first N             number of the first client, default 0\n"
	    "  --clients-file FILE   keys and sequence numbers, kept between runs\n"
	    "  --publisher KEY       minisign public key the host must be certified by\n"
	    "  --product UUID        what is activated\n"
	    "  --sample N            open and verify one lease in N, default 16\n"
	    "  --echo-reply N        octets the echo server answers with, default 256\n"
	    "  --pid PID             add this process to cpu_us (repeat for more: cpu0_us, cpu1_us, ...)\n"
	    "  --hold N              seconds\n"
	    "  --seed N              client keys come from it, default 1\n",
	    stderr);
	exit(1);
}

static void
parse_options(struct run *r, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "host", 1, NULL, 'h' },
		{ "port", 1, NULL, 'p' },
		{ "connections", 1, NULL, 'c' },
		{ "reconnect", 0, NULL, 'r' },
		{ "rate", 1, NULL, 'R' },
		{ "requests", 1, NULL, 'n' },
		{ "clients", 1, NULL, 'C' },
		{ "first", 1, NULL, 'f' },
		{ "clients-file", 1, NULL, 'F' },
		{ "publisher", 1, NULL, 'k' },
		{ "product", 1, NULL, 'P' },
		{ "sample", 1, NULL, 's' },
		{ "echo-reply", 1, NULL, 'e' },
		{ "pid", 1, NULL, 'i' },
		{ "hold", 1, NULL, 'H' },
		{ "seed", 1, NULL, 'S' },
		{ "stateless", 0, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	static const char *const modes[MODES] = { "hello", "activate", "renew", "release", "echo",
		"idle", "x25519" };
	struct options *o = &r->opt;
	unsigned m = 0;
	int ch;

	*o = (struct options){ .host = "127.0.0.1",
		.port = 1688,
		.connections = 64,
		.requests = 10000,
		.sample = 16,
		.echo_reply = 256,
		.hold = 10,
		.seed = 1 };
	while (argc > 1 && m < MODES && strcmp(argv[1], modes[m]) != 0)
		m++;
	if (argc < 2 || m == MODES)
		usage();
	o->mode = (enum mode)m;
	optind = 2;
	while ((ch = getopt_long(argc, argv, "", longs, NULL)) != -1)
		switch (ch) {
		case 'h':
			o->host = optarg;
			break;
		case 'p':
			o->port = (uint16_t)atoi(optarg);
			break;
		case 'c':
			o->connections = (unsigned)atoi(optarg);
			break;
		case 'r':
			o->reconnect = true;
			break;
		case 'R':
			o->rate = strtod(optarg, NULL);
			break;
		case 'l':
			o->stateless = true;
			break;
		case 'n':
			o->requests = strtoull(optarg, NULL, 10);
			break;
		case 'C':
			o->clients = strtoull(optarg, NULL, 10);
			break;
		case 'f':
			o->first = strtoull(optarg, NULL, 10);
			break;
		case 'F':
			o->clients_file = optarg;
			break;
		case 'k':
			o->publisher_key = optarg;
			break;
		case 'P':
			player_uuid(o->product, optarg);
			break;
		case 's':
			o->sample = (unsigned)atoi(optarg);
			break;
		case 'e':
			o->echo_reply = (size_t)atoi(optarg);
			break;
		case 'i':
			if (o->pid_count == MAX_PIDS)
				usage();
			o->pids[o->pid_count++] = atoi(optarg);
			break;
		case 'H':
			o->hold = (unsigned)atoi(optarg);
			break;
		case 'S':
			o->seed = strtoull(optarg, NULL, 10);
			break;
		default:
			usage();
		}
	if (o->clients < o->first + o->requests &&
	    (o->mode == MODE_ACTIVATE || o->mode == MODE_RELEASE))
		o->clients = o->first + o->requests;
	if (o->clients == 0)
		o->clients = o->requests;
	if (o->requests == 0 || o->connections == 0 || o->sample == 0 || o->echo_reply == 0 ||
	    o->echo_reply > PLAYER_REPLY || !(o->rate >= 0 && o->rate <= 1e9))
		usage();
}

int
main(int argc, char **argv)
{
	static struct run r;
	double before[MAX_PIDS], cpu[MAX_PIDS];

	if (sodium_init() == -1)
		player_die("libsodium");
	parse_options(&r, argc, argv);
	if (r.opt.mode == MODE_X25519) {
		agree_on_keys(&r.opt);
		return 0;
	}
	player_host_set(&r.to, r.opt.host, r.opt.port, r.opt.publisher_key);
	r.conn = calloc(r.opt.connections, sizeof(*r.conn));
	r.idle = calloc(r.opt.connections, sizeof(struct connection *));
	r.sealed = calloc(r.opt.requests, PLAYER_REQUEST);
	r.who = calloc(r.opt.requests, sizeof(*r.who));
	r.latency = calloc(r.opt.requests, sizeof(*r.latency));
	if (!r.conn || !r.idle || !r.sealed || !r.who || !r.latency)
		player_die("memory");
	for (unsigned i = 0; i < r.opt.connections; i++)
		r.conn[i].fd = -1;
	if (r.opt.mode == MODE_IDLE) {
		hold_idle(&r);
		return 0;
	}
	if (r.opt.mode == MODE_ECHO) {
		for (uint64_t k = 0; k < r.opt.requests; k++)
			frame_encode(r.sealed + k * PLAYER_REQUEST, FRAME_REQUEST,
			    PLAYER_REQUEST - FRAME_HEADER);
	} else {
		int rc;

		if (r.opt.publisher_key == NULL)
			usage();
		if ((rc = player_hello(&r.to)) != KMS_OK)
			player_die(kms_strerror((uint32_t)rc));
		if (r.opt.mode == MODE_HELLO) {
			for (int i = 0; i < 16; i++)
				printf("%02x", r.to.certificate.host_id[i]);
			putchar('\n');
			return 0;
		}
		if (r.opt.clients_file == NULL)
			usage();
		map_clients(&r);
		(r.opt.mode == MODE_RELEASE ? seal_releases : seal_requests)(&r);
	}
	if ((r.epoll = epoll_create1(EPOLL_CLOEXEC)) == -1)
		player_die("epoll");
	cpu_used(&r.opt, before);
	r.start = now_ns();
	run_load(&r);
	double seconds = (double)(now_ns() - r.start) / 1e9;
	cpu_used(&r.opt, cpu);
	for (unsigned i = 0; i < r.opt.pid_count; i++)
		cpu[i] -= before[i];
	report(&r, seconds, cpu);
	return r.refused != 0;
}
