/*
 * audit.c - audit export: copies a part of the journal, for the publisher to check with kmsissue
 * audit verify. It reads the disk, whether or not kmsd is running.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/audit_file.h"
#include "kmsctl/ledger/ledger_access.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"
#include "libkms/base/file.h"
#include "libkms/base/hex.h"
#include "libkms/core/certificate.h"
#include "libkms/core/entry_base.h"
#include "libkms/core/entry_blobs.h"
#include "libkms/core/minisig.h"
#include "libkms/core/publisher_keys.h"
#include "libkms/kms_error.h"
#include "policy/values.h"

struct export_options {
	const char *output, *from, *to, *publisher;
	bool names;
};

struct document {
	uint8_t kind;
	uint64_t serial; /* of a certificate */
	uint16_t len;
	uint8_t octets[CERTIFICATE_MAX];
};

struct export
{
	struct ctl *ctl;
	const struct export_options *options;
	struct publisher_keys publisher;
	uint64_t from, to;
	bool shortened; /* from is later than was asked for */
	/* found in the first pass */
	uint64_t first, first_time; /* batch that the journal begins with */
	uint64_t last;              /* in the journal */
	uint64_t first_in, last_in; /* batches in the period, 0: none */
	struct document *documents;
	size_t count;
	uint8_t host[16];
	/* written in the second pass */
	struct file_stream file;
	uint64_t begin, end, batches;
	uint8_t last_hash[32];
};

static int
take_document(struct export *x, uint8_t kind, const uint8_t *octets, size_t len)
{
	struct document *grown;

	for (size_t i = 0; i < x->count; i++)
		if (x->documents[i].kind == kind && x->documents[i].len == len &&
		    memcmp(x->documents[i].octets, octets, len) == 0)
			return KMS_OK;
	if (x->count == AUDIT_DOCUMENTS || len > sizeof(grown->octets))
		return KMS_E_TOO_LARGE;
	if ((grown = realloc(x->documents, (x->count + 1) * sizeof(*grown))) == NULL)
		return KMS_E_NO_MEMORY;
	x->documents = grown;
	grown += x->count++;
	grown->kind = kind;
	grown->len = (uint16_t)len;
	memcpy(grown->octets, octets, len);
	return KMS_OK;
}

static int
by_serial(const void *a, const void *b)
{
	uint64_t x = ((const struct document *)a)->serial, y = ((const struct document *)b)->serial;

	return x < y ? -1 : x > y;
}

/*
 * Only what the publisher can verify is included: other publishers' documents are not. Whose a
 * certificate is, the whole chain of rotations tells; its first statement for a key counts.
 */
static void
choose_documents(struct export *x)
{
	size_t kept = 0;

	for (bool grown = true; grown;) {
		grown = false;
		for (size_t i = 0; i < x->count; i++)
			if (x->documents[i].kind == AUDIT_ROTATION &&
			    publisher_keys_rotate(&x->publisher, x->documents[i].octets) == KMS_OK)
				grown = true;
	}
	for (size_t i = 0; i < x->count; i++) {
		const struct document *d = &x->documents[i];
		struct certificate cert;

		if (d->kind == AUDIT_CERTIFICATE && publisher_keys_certificate(&x->publisher, &cert,
							d->octets, d->len, NULL) == KMS_OK) {
			x->documents[kept] = *d;
			x->documents[kept++].serial = cert.serial;
			memcpy(x->host, cert.host_id, sizeof(x->host));
		}
	}
	x->count = kept;
	if (kept > 0)
		qsort(x->documents, kept, sizeof(*x->documents), by_serial);
	/* One certificate can be in the journal twice, when it was installed again. */
	for (size_t i = kept = 0; i < x->count; i++)
		if (kept == 0 || x->documents[i].serial != x->documents[kept - 1].serial)
			x->documents[kept++] = x->documents[i];
	x->count = kept;
}

static int
take_entry(struct export *x, const uint8_t *octets, size_t len)
{
	int kind = entry_kind(octets, len);
	struct entry_base_kept k;
	struct entry_admin e;

	/* One of a batch that was dropped. */
	if (entry_base_kept_in(&k, octets, len))
		return take_entry(x, k.entry, k.entry_len);
	if ((kind != ENTRY_CERTIFICATE && kind != ENTRY_ROTATION) ||
	    entry_admin_decode(&e, octets, len) != KMS_OK)
		return KMS_OK;
	if (kind == ENTRY_CERTIFICATE)
		return take_document(x, AUDIT_CERTIFICATE, e.blob, e.blob_len);
	if (e.blob_len != ROTATION_SIZE)
		return KMS_OK;
	return take_document(x, AUDIT_ROTATION, e.blob, e.blob_len);
}

static int
look(const struct kmsdb_batch_view *b, void *arg)
{
	struct export *x = arg;
	int e = KMS_OK;

	if (x->first == 0) {
		x->first = b->header.number;
		x->first_time = b->header.time;
	}
	x->last = b->header.number;
	if (b->header.time >= x->from && x->first_in == 0)
		x->first_in = b->header.number;
	if (b->header.time <= x->to)
		x->last_in = b->header.number;
	for (uint32_t i = 0; i < b->header.size && e == KMS_OK; i++)
		e = take_entry(x, b->items[i].entry, b->items[i].entry_len);
	return e;
}

/* One more batch at either end shows that none is missing there. */
static void
choose(struct export *x)
{
	x->begin = x->first_in == 0 ? x->last : x->first_in > x->first ? x->first_in - 1 : x->first;
	x->end = x->last_in < x->last ? x->last_in + 1 : x->last;
	if (x->end < x->begin)
		x->end = x->begin;
}

/* Names leave the host only when they were asked for. */
static struct item
shown(const struct export *x, const struct item *i)
{
	struct item one = *i;

	if (!x->options->names)
		one.aside_len = 0;
	return one;
}

static int
write_batch(const struct kmsdb_batch_view *b, void *arg)
{
	struct export *x = arg;
	struct wire_writer w;
	uint8_t size[4];
	uint32_t n = 0;

	if (b->header.number < x->begin || b->header.number > x->end)
		return KMS_OK;
	for (uint32_t i = 0; i < b->header.size; i++) {
		struct item one = shown(x, &b->items[i]);

		n += (uint32_t)item_size(&one);
	}
	wire_writer_init(&w, size, sizeof(size));
	wire_put_u32(&w, n);
	fwrite(size, 1, sizeof(size), x->file.to);
	fwrite(b->header_octets, 1, BATCH_HEADER, x->file.to);
	fwrite(b->signature, 1, BATCH_SIGNATURE, x->file.to);
	for (uint32_t i = 0; i < b->header.size; i++) {
		struct item one = shown(x, &b->items[i]);
		uint8_t octets[ITEM_MAX];

		fwrite(octets, 1, item_encode(octets, sizeof(octets), &one), x->file.to);
	}
	x->batches++;
	batch_header_hash(x->last_hash, b->header_octets);
	return ferror(x->file.to) ? KMS_E_IO : KMS_OK;
}

static void
write_document(struct export *x, uint8_t kind, const uint8_t *octets, uint16_t len)
{
	uint8_t head[AUDIT_DOCUMENT_HEAD];

	audit_document_head_encode(head, kind, len);
	fwrite(head, 1, sizeof(head), x->file.to);
	fwrite(octets, 1, len, x->file.to);
}

/* Certificates, then the whole chain of rotations in order. */
static void
write_documents(struct export *x)
{
	struct audit_head h = { .names = x->options->names,
		.first = x->begin,
		.last = x->end,
		.from = x->from,
		.to = x->to,
		.documents = (uint16_t)(x->count + x->publisher.count) };
	uint8_t head[AUDIT_HEAD];

	memcpy(h.host, x->host, sizeof(h.host));
	audit_head_encode(head, &h);
	fwrite(head, 1, sizeof(head), x->file.to);
	for (size_t i = 0; i < x->count; i++)
		write_document(
		    x, x->documents[i].kind, x->documents[i].octets, x->documents[i].len);
	for (unsigned i = 0; i < x->publisher.count; i++)
		write_document(x, AUDIT_ROTATION, x->publisher.octets[i], ROTATION_SIZE);
}

static int
write_failed(const struct export *x, int rc)
{
	return fail(x->ctl, (uint32_t)rc, "%s: cannot be written: %s", x->options->output,
	    rc == KMS_E_ARGUMENT ? "the path is too long" : strerror(errno));
}

/* Never half a file. Opened and closed as the caller; the journal is read as its owner. */
static int
write_file(struct export *x)
{
	struct fault fault = { 0 };
	int rc = file_stream_open(&x->file, AT_FDCWD, x->options->output, 0600), state;

	if (rc != KMS_OK)
		return write_failed(x, rc);
	if ((state = ledger_access_directory(x->ctl)) < 0) {
		(void)file_stream_close(&x->file, false);
		return CTL_FAILED;
	}
	write_documents(x);
	rc = kmsdb_journal_each(state, x->begin, write_batch, x, &fault);
	ledger_access_close(NULL, state);
	if (rc != KMS_OK && !ferror(x->file.to)) {
		(void)file_stream_close(&x->file, false);
		return fail(x->ctl, (uint32_t)rc, "%s", fault_text(&fault, rc));
	}
	rc = file_stream_close(&x->file, true);
	return rc == KMS_OK ? CTL_OK : write_failed(x, rc);
}

/* The last batch that the index knows; 0 when it cannot be read. It is never ahead of the journal.
 */
static uint64_t
indexed(struct ctl *ctl)
{
	struct kmsdb_info info = { 0 };
	struct fault fault = { 0 };
	struct kmsdb *db;

	if (ledger_access_open(ctl, &db, &fault) != KMS_OK)
		return 0;
	kmsdb_info(db, &info);
	ledger_access_close(db, -1);
	return info.index_batch;
}

static int
walk(struct export *x)
{
	struct ctl *ctl = x->ctl;
	struct fault fault = { 0 };
	uint64_t index = indexed(ctl); /* before the journal, which grows */
	int state = ledger_access_directory(ctl), e;

	if (state < 0)
		return CTL_FAILED;
	e = kmsdb_journal_each(state, 0, look, x, &fault);
	ledger_access_close(NULL, state);
	if (e != KMS_OK)
		return fail(ctl, (uint32_t)e, "%s", fault_text(&fault, e));
	if (x->last < index)
		return fail_told(ctl, KMS_E_MISSING,
		    "the journal ends with batch %" PRIu64 ", but the index has batch %" PRIu64
		    ": the end of the journal is missing. Stop kmsd, move %s/kmsdb away, and restore the newest backup with kmsctl ledger restore",
		    x->last, index, ctl->config.state_directory);
	if (x->last == 0)
		return fail(ctl, KMS_E_NOT_FOUND, "the journal is empty");
	choose_documents(x);
	if (x->count == 0)
		return fail(ctl, KMS_E_NOT_CONFIRMED,
		    "the journal contains no host certificate of this publisher, so there is nothing to prove");
	choose(x);
	/* The head names no time that the journal does not cover any more. */
	if (x->first > 1 && x->begin == x->first && x->from <= x->first_time) {
		x->from = x->first_time + 1;
		x->shortened = true;
	}
	return CTL_OK;
}

static int
find_publisher(struct ctl *ctl, const char *name, struct minisig_key *out)
{
	const struct config *c = &ctl->config;
	const struct config_publisher *p = NULL;

	for (unsigned i = 0; i < c->publisher_count; i++)
		if (name == NULL || strcmp(name, c->publishers[i].name) == 0)
			p = &c->publishers[i];
	if (p == NULL)
		return fail(ctl, KMS_E_NOT_FOUND, "no [publisher %s] in %s",
		    name != NULL ? name : "NAME", ctl->config_path);
	if (name == NULL && c->publisher_count > 1)
		return fail(ctl, KMS_E_ARGUMENT,
		    "there are %u publishers: name one with --publisher NAME", c->publisher_count);
	if (minisig_key_parse(out, p->key) != KMS_OK)
		return fail(
		    ctl, KMS_E_CONFIG, "[publisher %s] key: not a minisign public key", p->name);
	return CTL_OK;
}

static int
run_audit_export(struct ctl *ctl)
{
	const struct export_options *o = ctl->options;
	struct export x = { .ctl = ctl, .options = o, .to = UINT64_MAX };
	char last[24 + 64], begins[VALUE_TIME + 1] = "";
	int code;

	if (o->output == NULL)
		return fail(ctl, KMS_E_ARGUMENT, "-o FILE is needed");
	if (o->from != NULL && !value_time_parse(&x.from, o->from, false))
		return fail(ctl, KMS_E_ARGUMENT,
		    "--from takes a date, or a time such as 2026-11-23T14:00:00Z");
	if (o->to != NULL && !value_time_parse(&x.to, o->to, true))
		return fail(ctl, KMS_E_ARGUMENT,
		    "--to takes a date, or a time such as 2026-11-23T14:00:00Z");
	if (x.to < x.from)
		return fail(ctl, KMS_E_ARGUMENT, "--to is before --from");
	if ((code = find_publisher(ctl, o->publisher, &x.publisher.key)) == CTL_OK &&
	    (code = walk(&x)) == CTL_OK && (code = write_file(&x)) == CTL_OK) {
		snprintf(last, sizeof(last), "%" PRIu64 ":", x.end);
		hex_format(last + strlen(last), x.last_hash, sizeof(x.last_hash));
		output_text(ctl->out, "file", "File", o->output);
		output_number(ctl->out, "first_batch", "First batch", x.begin);
		output_number(ctl->out, "last_batch", "Last batch", x.end);
		output_number(ctl->out, "batches", "Batches", x.batches);
		output_text(ctl->out, "last", "Last batch and its hash", last);
		output_bool(ctl->out, "names", "Contains names", o->names);
		output_bool(ctl->out, "shortened", NULL, x.shortened);
		if (x.shortened) {
			(void)value_time_format(begins, x.first_time);
			output_line(ctl->out, OUTPUT_WARN,
			    "The journal begins with batch %" PRIu64
			    " of %s. kmsd dropped the batches before it ([ledger] keep), so the file does not contain them.",
			    x.first, begins);
		}
		output_line(ctl->out, OUTPUT_PLAIN,
		    "Next: give the file to the publisher, who runs kmsissue audit verify");
	}
	free(x.documents);
	return code;
}

static const struct option_row audit_export_rows[] = {
	{ "output", 'o', "FILE", "the file to write",
	    .offset = offsetof(struct export_options, output) },
	{ "from", 0, "TIME", "first moment of the period",
	    .offset = offsetof(struct export_options, from) },
	{ "to", 0, "TIME", "last moment of the period",
	    .offset = offsetof(struct export_options, to) },
	{ "names", 0, NULL, "include the names, users and addresses of clients",
	    .offset = offsetof(struct export_options, names) },
	{ "publisher", 0, "NAME", "include the host certificates of this publisher",
	    .offset = offsetof(struct export_options, publisher), .complete = "ask publishers" },
	{ 0 },
};

const struct ctl_command cmd_audit_export = {
	.line.noun = "audit",
	.line.verb = "export",
	.line.summary = "export a part of the journal to -o FILE, for the publisher to verify",
	.line.options = audit_export_rows,
	.line.values = sizeof(struct export_options),
	.run = run_audit_export,
};
