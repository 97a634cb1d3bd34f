/*
 * installed.h - what is installed for a publisher, read from the state directory: its
 * policy pack and its host certificate, each verified as kmsd does at its start.
 */
#ifndef KMSCTL_INSTALLED_H
#define KMSCTL_INSTALLED_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsd/common/config.h"
#include "libkms/certificate.h"
#include "libkms/minisig.h"
#include "policy/policy.h"

struct installed {
	char name[65];                  /* the publisher's in kms.ini */
	struct minisig_key key;
	struct policy_pack *pack;       /* NULL: none */
	uint8_t digest[32];             /* SHA-256 of its file */
	bool confirmed;
	struct certificate certificate;
};

/*
 * One row for each publisher of kms.ini, malloc'd; installed_free in every case. KMS_OK, KMS_E_CONFIG,
 * KMS_E_NO_MEMORY, or what is wrong with a file, why set.
 */
int installed_read(struct installed **out, int state_fd, const struct config *config, char why[256]);
void installed_free(struct installed *list, unsigned count);

#endif
