/*
 * kerberos.h - GSS-TSIG without a person at a keyboard: nsupdate gets its ticket with a keytab.
 */
#ifndef KMSCTL_DNS_KERBEROS_H
#define KMSCTL_DNS_KERBEROS_H

#include <stdio.h>

#include "kmsd/common/config.h"
#include "libkms/base/fault.h"

#define KERBEROS_WORDS 4

struct kerberos {
	/* words before "nsupdate"; NULL ends them */
	const char *words[KERBEROS_WORDS + 1];
	char keytab[300], home[256], home_word[264];
};

/*
 * KMS_OK with words that run a program with the keys of [dns] keytab and a temporary credential
 * cache (no words without a keytab), or a status with why. Close it in either case.
 */
int kerberos_open(struct kerberos *k, const struct config *c, struct fault *f);
void kerberos_close(struct kerberos *k);
/* What nsupdate reads before the update. */
void kerberos_script(FILE *f, const struct config *c);

/*
 * Explains what nsupdate printed about Kerberos: the status, or KMS_OK when the output is about
 * something else.
 */
int kerberos_explain(const struct config *c, const char *said, struct fault *f);

#endif
