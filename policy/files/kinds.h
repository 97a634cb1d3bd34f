/*
 * kinds.h - the table of the kinds of files that a publisher signs. Only policy/files includes it.
 */
#ifndef KMS_POLICY_FILES_KINDS_H
#define KMS_POLICY_FILES_KINDS_H

#include "policy/files/file_contents.h"
#include "policy/files/signed_file.h"

struct file_kind {
	const char *name;
	const char *section;      /* that only this kind has */
	const char *dir, *ending; /* in the state directory: DIR/NAME.ENDING */
	/* The contents contain their signatures: at a start the .minisig is not read. */
	bool inside;
	bool plain; /* a signature without trusted comment is enough */
	/* Text to contents. */
	int (*parse)(struct publisher_file *c, struct fault *f);
	/* Are the contents this publisher's and this host's? */
	int (*belongs)(const struct publishers *s, struct publisher_file *c, struct fault *f);
	/* May they be installed now? c->installed is set. */
	int (*check)(const struct publishers *s, const struct publisher_file *c, uint64_t now,
	    struct fault *f);
	bool (*same)(const struct publisher *p, const struct publisher_file *c);
	/* NAME of the file; c NULL: of the only one, or what all begin with. */
	void (*path)(
	    char *out, size_t size, const struct publisher *p, const struct publisher_file *c);
	void (*adopt)(struct publisher *p, struct publisher_file *c);
	void (*describe)(const struct publisher_file *c, char *out, size_t size);
};

extern const struct file_kind file_kinds[FILE_KINDS];

/* Path below the state directory. */
void file_kind_path(char out[SIGNED_FILE_PATH], enum publisher_file_kind kind,
    const struct publisher *p, const struct publisher_file *c);
/* Of a pack that is or was installed: its version and an ending, or "current" and none. */
void file_kind_pack_path(
    char out[SIGNED_FILE_PATH], const struct publisher *p, const char *name, const char *end);
/* After a change of certificate, pack or revocation list: what is covered, what is revoked. */
void publisher_settle(struct publisher *p);

#endif
