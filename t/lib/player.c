/*
 * player.c - pretend clients for load and kill tests. See player.h.
 */
#include "t/lib/player.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "libkms/core/lease.h"
#include "libkms/kms_error.h"

void
player_die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "failed");
	exit(1);
}

void
player_host_set(struct player_host *h, const char *address, uint16_t port, const char *key)
{
	h->address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	if (inet_pton(AF_INET, address, &h->address.sin_addr) != 1)
		player_die("host: not an IPv4 address");
	if (key != NULL && minisig_key_parse(&h->publisher, key) != KMS_OK)
		player_die("publisher: not a minisign public key");
}

int
player_connect(const struct player_host *h)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (connect(fd, (const struct sockaddr *)&h->address, sizeof(h->address)) == -1) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static bool
read_all(int fd, uint8_t *buf, size_t len)
{
	while (len > 0) {
		ssize_t n = read(fd, buf, len);

		if (n <= 0)
			return false;
		buf += n;
		len -= (size_t)n;
	}
	return true;
}

int
player_hello(struct player_host *h)
{
	struct message_hello hello = { 0 };
	struct message_hello_reply reply;
	struct frame f;
	uint8_t buf[PLAYER_REPLY];
	size_t n;
	int fd = player_connect(h), rc = KMS_E_IO;

	if (fd == -1)
		return KMS_E_IO;
	memcpy(hello.publisher, h->publisher.id, 8);
	n = message_hello_encode(buf + FRAME_HEADER, sizeof(buf) - FRAME_HEADER, &hello);
	frame_encode(buf, FRAME_HELLO, (uint32_t)n);
	if (send(fd, buf, FRAME_HEADER + n, MSG_NOSIGNAL) != (ssize_t)(FRAME_HEADER + n) ||
	    !read_all(fd, buf, FRAME_HEADER))
		goto out;
	rc = KMS_E_BAD_FRAME;
	if (frame_decode(&f, buf, FRAME_MAX_REPLY) != KMS_OK || f.type != FRAME_HELLO_REPLY)
		goto out;
	rc = KMS_E_IO;
	if (!read_all(fd, buf + FRAME_HEADER, f.length))
		goto out;
	rc = message_hello_reply_decode(&reply, buf + FRAME_HEADER, f.length);
	if (rc == KMS_OK)
		rc = certificate_verify(&h->certificate, reply.certificate, reply.certificate_len,
		    h->publisher.id, h->publisher.pk);
	if (rc == KMS_OK)
		rc = exchange_verify(
		    &h->exchange, reply.exchange, EXCHANGE_SIZE, h->certificate.sign_pk);
out:
	close(fd);
	return rc;
}

static void
key_pair(uint8_t pk[SEAL_PUBLIC], uint8_t sk[SEAL_SECRET], uint64_t seed, uint64_t number)
{
	uint8_t from[crypto_kx_SEEDBYTES];
	uint64_t key[2] = { seed, number };

	crypto_generichash(from, sizeof(from), (const uint8_t *)key, sizeof(key), NULL, 0);
	crypto_kx_seed_keypair(pk, sk, from);
}

void
player_cmid(uint8_t cmid[SEAL_CMID], uint64_t seed, uint64_t number)
{
	uint8_t pk[SEAL_PUBLIC], sk[SEAL_SECRET];

	key_pair(pk, sk, seed, number);
	seal_cmid(cmid, pk);
}

void
player_make(struct player *p, const struct player_host *h, uint64_t seed, uint64_t number)
{
	uint8_t sk[SEAL_SECRET];

	key_pair(p->pk, sk, seed, number);
	if (seal_client_keys(&p->keys, p->pk, sk, h->exchange.pk) != KMS_OK)
		player_die("session keys");
	hash16_salt(p->salt, sk);
	p->sequence = 0;
}

void
player_seal(uint8_t frame[PLAYER_REQUEST], struct player *p, const struct player_host *h,
    struct message_request *m, const uint8_t product[16], uint64_t number)
{
	uint8_t text[MESSAGE_REQUEST_TEXT];
	size_t n;

	m->time = (uint64_t)time(NULL);
	m->sequence = ++p->sequence;
	randombytes_buf(m->request_id, sizeof(m->request_id));
	memcpy(m->product, product, 16);
	memcpy(m->salt, p->salt, sizeof(m->salt));
	m->highest_version = FRAME_VERSION;
	snprintf(m->name, sizeof(m->name), PLAYER_NAME, (unsigned long long)number);
	n = message_request_encode(text, sizeof(text), m);
	if (seal_request(frame, PLAYER_REQUEST, &p->keys, h->certificate.host_id,
		h->exchange.key_id, p->pk, NULL, text, n) != PLAYER_REQUEST)
		player_die("seal");
}

int
player_open(const struct player *p, const struct player_host *h, const uint8_t product[16],
    const uint8_t *frame, size_t len, uint8_t text[FRAME_MAX_REPLY], const uint8_t **bundle,
    size_t *bundle_len)
{
	struct message_reply m;
	struct entry_client entry;
	uint8_t cmid[SEAL_CMID];
	size_t n;
	int rc;

	seal_cmid(cmid, p->pk);
	if ((rc = seal_open_reply(text, FRAME_MAX_REPLY, &n, &p->keys, frame, len)) != KMS_OK ||
	    (rc = message_reply_decode(&m, text, n)) != KMS_OK)
		return rc;
	if (m.status != KMS_OK)
		return (int)m.status;
	rc = lease_verify(&entry, m.bundle, m.bundle_len, &h->certificate, cmid, product);
	if (bundle != NULL) {
		*bundle = m.bundle;
		*bundle_len = m.bundle_len;
	}
	return rc;
}

void
player_uuid(uint8_t out[16], const char *text)
{
	size_t n = 0;

	if (sodium_hex2bin(out, 16, text, strlen(text), "-", &n, NULL) != 0 || n != 16)
		player_die("product: not a UUID");
}
