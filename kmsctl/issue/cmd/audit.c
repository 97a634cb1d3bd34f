/*
 * audit.c - kmsissue audit verify: the audit file of a customer's host, what it proves, and what
 * the register knows of that host from before.
 */
#include "kmsctl/issue/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsctl/issue/cmd/audit_past.h"
#include "kmsctl/issue/cmd/audit_print.h"
#include "kmsctl/issue/cmd/audit_several.h"
#include "kmsctl/issue/lease_read.h"
#include "kmsctl/issue/sign.h"
#include "libkms/base/file.h"
#include "libkms/base/hex.h"
#include "libkms/base/number.h"
#include "policy/values.h"

#define LEASES 1000 /* files */

struct file_names {
	unsigned count;
	const char *names[LEASES];
};
struct verify_options {
	const char *dir, *publisher, *from, *to, *last, *host, *override;
	struct file_names packs, leases;
	bool no_record, days;
};

struct audit_job {
	struct audit_options opt;
	struct audit_report report;
	struct audit_pack packs[AUDIT_PACKS];
	struct audit_lease leases[LEASES];
	bool registered;     /* there is a register, and it takes part */
	struct audited past; /* what it knows of the host; zeros: nothing */
};

/* -- options -- */

/* "17:0123..." */
static bool
take_last(struct audit_options *opt, const char *text)
{
	struct audit_known *k = &opt->known[opt->known_count++];
	const char *colon = strchr(text, ':');
	char number[24];

	if (colon == NULL || (size_t)(colon - text) >= sizeof(number))
		return false;
	snprintf(number, sizeof(number), "%.*s", (int)(colon - text), text);
	return number_parse(&k->number, NUMBER_EXACT, number) && k->number > 0 &&
	       hex_parse(k->hash, sizeof(k->hash), colon + 1);
}

static int
take_options(struct issue *i, struct audit_options *opt)
{
	const struct verify_options *o = i->options;
	int rc;

	if (o->dir != NULL)
		i->dir = o->dir;
	opt->to = UINT64_MAX;
	if (o->from != NULL && !value_time_parse(&opt->from, o->from, false))
		return fault_set(&i->fault, KMS_E_ARGUMENT, "--from needs a date or a time");
	if (o->to != NULL && !value_time_parse(&opt->to, o->to, true))
		return fault_set(&i->fault, KMS_E_ARGUMENT, "--to needs a date or a time");
	if (opt->to < opt->from)
		return fault_set(&i->fault, KMS_E_ARGUMENT, "--to is before --from");
	if (o->last != NULL && !take_last(opt, o->last))
		return fault_set(&i->fault, KMS_E_ARGUMENT,
		    "--last needs the number of a batch, a colon and 64 hexadecimal digits");
	opt->have_host = o->host != NULL;
	if (opt->have_host && !hex_parse(opt->host, sizeof(opt->host), o->host))
		return fault_set(&i->fault, KMS_E_ARGUMENT, "--host needs 32 hexadecimal digits");
	if (o->override != NULL && o->no_record)
		return fault_set(
		    &i->fault, KMS_E_ARGUMENT, "--override and --no-record exclude each other");
	if (!issue_reason_ok(o->override))
		return fault_set(&i->fault, KMS_E_ARGUMENT,
		    "--override needs a reason of at most %d bytes", EVENT_REASON);
	if ((rc = issue_publisher(i, o->publisher, &opt->publisher)) != KMS_OK)
		return rc;
	if (o->publisher == NULL || o->dir != NULL)
		sign_take_companions(i);
	return KMS_OK;
}

static int
take_packs(struct issue *i, struct audit_job *job)
{
	const struct verify_options *o = i->options;
	struct publisher_file c;
	int rc;

	job->opt.packs = job->packs;
	for (unsigned n = 0; n < o->packs.count; n++) {
		struct audit_pack *pack = &job->packs[n];

		rc = sign_read(i, o->packs.names[n], FILE_PACK, &job->opt.publisher, &c, NULL, 0);
		if (rc != KMS_OK)
			return rc;
		pack->pack = c.pack;
		memcpy(pack->digest, c.digest, sizeof(pack->digest));
		job->opt.pack_count++;
	}
	return KMS_OK;
}

static int
take_lease(struct issue *i, struct audit_job *job, const char *path)
{
	struct audit_lease *l = &job->leases[job->opt.lease_count];
	struct lease_told told;
	char *data;
	size_t len;
	int rc = file_read(AT_FDCWD, path, FILE_GIVEN, LEASE_FILE_MAX, &data, &len);

	if (rc != KMS_OK)
		return issue_fail_file(i, rc, path);
	rc = lease_read(i, path, data, len, &job->opt.publisher, &told);
	free(data);
	if (rc != KMS_OK)
		return rc;
	*l = (struct audit_lease){
		.name = path, .number = told.header.number, .time = told.header.time
	};
	memcpy(l->host, told.header.host_id, sizeof(l->host));
	memcpy(l->hash, told.hash, sizeof(l->hash));
	job->opt.lease_count++;
	return KMS_OK;
}

static int
take_leases(struct issue *i, struct audit_job *job)
{
	const struct verify_options *o = i->options;
	int rc = KMS_OK;

	job->opt.leases = job->leases;
	for (unsigned n = 0; n < o->leases.count && rc == KMS_OK; n++)
		rc = take_lease(i, job, o->leases.names[n]);
	return rc;
}

/* -- the register -- */

/* With -P alone, nobody's directory takes part. */
static bool
has_register(struct issue *i)
{
	const struct verify_options *o = i->options;

	return (o->publisher == NULL || o->dir != NULL) && issue_is_directory(i);
}

/* What it knows of the file's host. */
static int
take_past(struct issue *i, struct audit_job *job, const void *data, size_t len)
{
	struct audit_known *k = &job->opt.known[job->opt.known_count];
	const struct verify_options *o = i->options;
	int rc;

	job->registered = has_register(i);
	if (!job->registered || (rc = audit_past_take(i, &job->opt.publisher, data, len,
				     &job->past)) == KMS_E_NOT_FOUND)
		return KMS_OK;
	if (rc != KMS_OK)
		return rc;
	job->opt.confirmed = job->past.confirmed;
	if (job->past.last > 0 && o->override == NULL) {
		k->number = job->past.last;
		memcpy(k->hash, job->past.hash, sizeof(k->hash));
		job->opt.known_count++;
	}
	return KMS_OK;
}

static bool
to_be_recorded(struct issue *i, const struct audit_job *job)
{
	const struct verify_options *o = i->options;

	return job->registered && !o->no_record && job->report.beginning != BEGINNING_NOT_PROVED &&
	       (o->override != NULL ||
		   audit_findings_grade(&job->report.findings) < HISTORY_CONTRADICTION);
}

/* -- the file -- */

/* What the customer is to be asked for. */
static void
conclude(struct issue *i, const struct audit_job *job)
{
	const struct audit_report *a = &job->report;
	char since[VALUE_TIME + 1] = "";

	i->findings = audit_findings_grade(&a->findings) > HISTORY_NOTE;
	if (a->beginning != BEGINNING_NOT_PROVED)
		return;
	if (job->past.last > 0)
		(void)value_time_format(since, job->past.until);
	fault_set(&i->conclusion, KMS_E_NOT_PROVED,
	    "%s begins with batch %llu, and nothing proves the batches before it: ask the customer for kmsctl audit export%s%s -o FILE%s",
	    i->operand, (unsigned long long)a->first, since[0] != '\0' ? " --from " : "", since,
	    since[0] != '\0'
		? ""
		: ", which begins with batch 1, or give the last of an earlier audit with --last");
}

/* A journal may be larger than memory: the file is mapped, and must not be truncated meanwhile. */
static int
map_file(struct issue *i, struct audit_named *f)
{
	int fd = open(f->name, O_RDONLY | O_CLOEXEC), rc = KMS_OK;
	struct stat st;
	void *at;

	f->part = (struct audit_part){ "", 0 };
	if (fd < 0 || fstat(fd, &st) != 0)
		rc = issue_fail_file(i, file_status(errno), f->name);
	else if (!S_ISREG(st.st_mode))
		rc = fault_set(&i->fault, KMS_E_FORMAT, "%s is not a file", f->name);
	if (rc == KMS_OK && st.st_size > 0) {
		at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (at == MAP_FAILED)
			rc = issue_fail_file(i, file_status(errno), f->name);
		else
			f->part = (struct audit_part){ at, (size_t)st.st_size };
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

static int
verify(struct issue *i, struct audit_job *job, const struct audit_part *part)
{
	const struct verify_options *o = i->options;
	struct audit_print p = { &job->opt, &job->report, o->days, false };
	struct fault f = { 0 };
	int rc = take_past(i, job, part->data, part->len);

	if (rc != KMS_OK)
		return rc;
	if ((rc = audit_verify(&job->report, &job->opt, part, 1, &f)) != KMS_OK)
		return fault_set(&i->fault, rc, "%s: %s", i->operand, fault_text(&f, rc));
	if ((p.recorded = to_be_recorded(i, job)))
		rc = audit_past_record(i, &job->opt, &job->report, o->override);
	if (rc == KMS_OK) {
		audit_print(i, &p);
		conclude(i, job);
	}
	audit_report_free(&job->report);
	return rc;
}

static int
verify_several(struct issue *i, struct audit_job *job, struct audit_named *files)
{
	const struct verify_options *o = i->options;
	const struct audit_several s = { &job->opt, files, i->operand_count, has_register(i),
		o->no_record, o->days, o->override };

	if (o->last != NULL || o->host != NULL)
		return fault_set(&i->fault, KMS_E_ARGUMENT,
		    "--last and --host are about one host: give one FILE, or give the earlier files of each host, too");
	return audit_several(i, &s);
}

static int
map_and_verify(struct issue *i, struct audit_job *job, struct audit_named *files)
{
	unsigned mapped = 0;
	int rc = KMS_OK;

	for (; mapped < i->operand_count && rc == KMS_OK; mapped++) {
		files[mapped].name = i->operands[mapped];
		rc = map_file(i, &files[mapped]);
	}
	if (rc == KMS_OK)
		rc = i->operand_count == 1 ? verify(i, job, &files[0].part)
					   : verify_several(i, job, files);
	while (mapped-- > 0)
		if (files[mapped].part.len > 0)
			munmap((void *)(uintptr_t)files[mapped].part.data, files[mapped].part.len);
	return rc;
}

static int
run_audit_verify(struct issue *i)
{
	struct audit_job *job = calloc(1, sizeof(*job));
	struct audit_named *files = calloc(i->operand_count, sizeof(*files));
	int rc = job != NULL && files != NULL ? KMS_OK : KMS_E_NO_MEMORY;

	if (rc == KMS_OK && (rc = take_options(i, &job->opt)) == KMS_OK &&
	    (rc = take_packs(i, job)) == KMS_OK && (rc = take_leases(i, job)) == KMS_OK)
		rc = map_and_verify(i, job, files);
	for (unsigned n = 0; job != NULL && n < job->opt.pack_count; n++)
		free(job->packs[n].pack);
	free(files);
	free(job);
	return rc;
}

static bool
read_name(struct file_names *names, unsigned most, const char *text)
{
	if (names->count == most)
		return false;
	names->names[names->count++] = text;
	return true;
}

static bool
read_pack(void *field, const char *text)
{
	return read_name(field, AUDIT_PACKS, text);
}

static bool
read_lease(void *field, const char *text)
{
	return read_name(field, LEASES, text);
}

static const struct option_row rows[] = {
	{ "dir", 'd', "DIR",
	    "the publisher's directory, with the register to compare with (default: .)",
	    .offset = offsetof(struct verify_options, dir) },
	{ "publisher", 'P', "KEY",
	    "public key \"RW...\" or its file, to verify with; without --dir, no register is used",
	    .offset = offsetof(struct verify_options, publisher), .complete = "file *.pub" },
	{ "from", 0, "TIME", "first moment of the period",
	    .offset = offsetof(struct verify_options, from) },
	{ "to", 0, "TIME", "last moment of the period",
	    .offset = offsetof(struct verify_options, to) },
	{ "last", 0, "BATCH:HASH", "a batch known from an earlier audit, which must be in the file",
	    .offset = offsetof(struct verify_options, last) },
	{ "host", 0, "ID", "the host to which the journal must belong",
	    .offset = offsetof(struct verify_options, host) },
	{ "policy", 'p', "FILE",
	    "signed policy pack, to compare leases with; may be given several times",
	    .offset = offsetof(struct verify_options, packs), .read = read_pack,
	    .takes = "at most 16 files", .complete = "file *.kmspolicy" },
	{ "lease", 0, "FILE",
	    "lease file whose batch the journal must have; may be given several times",
	    .offset = offsetof(struct verify_options, leases), .read = read_lease,
	    .takes = "at most 1000 files" },
	{ "days", 0, NULL,
	    "print both counts of each pool, for each day on which one of them changes",
	    .offset = offsetof(struct verify_options, days) },
	{ "override", 0, "REASON",
	    "record the audit although it does not join the last one, or found a contradiction",
	    .offset = offsetof(struct verify_options, override) },
	{ "no-record", 0, NULL, "do not record the audit in the register",
	    .offset = offsetof(struct verify_options, no_record) },
	{ 0 },
};

const struct issue_command cmd_audit_verify = {
	.line.noun = "audit",
	.line.verb = "verify",
	.line.args = "FILE...",
	.line.summary = "verify the exported journals of a host, or of several",
	.line.min = 1,
	.line.max = AUDIT_FILES,
	.line.options = rows,
	.line.values = sizeof(struct verify_options),
	.run = run_audit_verify,
};
