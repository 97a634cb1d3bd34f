/*
 * migrate.c - one step for each schema number there was; each runs in one
 * transaction with the new number in it, so that a crash leaves one schema or the next.
 *
 * Schema 1 is the first: the table is empty. A step is added with the number it
 * starts from; where a step would be as much work as reading the journal, leave it out and the
 * operator is told to rebuild.
 */
#include "kmsdb/migrate.h"

#include <stddef.h>
#include <stdio.h>

#include "libkms/kms_error.h"

struct step {
	uint32_t from;
	int (*run)(struct index *ix); /* within a write transaction */
};

static const struct step steps[] = {
	{ 0, NULL },
};

static const struct step *
step_from(uint32_t schema)
{
	for (const struct step *s = steps; s->run != NULL; s++) {
		if (s->from == schema)
			return s;
	}
	return NULL;
}

static int
run_step(struct index *ix, const struct step *s, struct index_meta *meta)
{
	int status = index_begin(ix), run;

	if (status != KMS_OK)
		return status;
	run = s->run(ix);
	meta->schema = s->from + 1;
	index_put_meta(ix, meta);
	status = index_commit(ix);
	return run != KMS_OK ? run : status != KMS_OK ? status : index_refresh(ix);
}

int
migrate(struct index *ix, bool read_only, struct fault *fault)
{
	struct index_meta meta;
	int status = index_get_meta(ix, &meta);

	if (status != KMS_OK) {
		return fault_set(fault, status,
		    "the index (kmsdb/index) is damaged: stop kmsd and run kmsctl ledger rebuild");
	}
	while (meta.schema < INDEX_SCHEMA && !read_only) {
		const struct step *s = step_from(meta.schema);
		if (s == NULL)
			break;
		if ((status = run_step(ix, s, &meta)) != KMS_OK)
			return status;
	}
	if (meta.schema == INDEX_SCHEMA)
		return KMS_OK;
	return fault_set(fault, KMS_E_SCHEMA,
	    "the index has schema %u and this program knows %u: %s", (unsigned)meta.schema,
	    INDEX_SCHEMA,
	    meta.schema > INDEX_SCHEMA
		? "install the newer kmsd again, or stop it and run kmsctl ledger rebuild"
		: "start kmsd once, or stop it and run kmsctl ledger rebuild");
}
