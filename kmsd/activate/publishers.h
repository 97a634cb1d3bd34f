/*
 * publishers.h - the publishers of kms.ini, with what is installed for each; the log says what is
 * wrong with it. policy/files/publisher_file.h has the way of their files.
 */
#ifndef KMSD_ACTIVATE_PUBLISHERS_H
#define KMSD_ACTIVATE_PUBLISHERS_H

#include "kmsd/common/config.h"
#include "policy/files/publisher_file.h"

/*
 * KMS_E_CONFIG (f says why), KMS_E_NO_MEMORY. A damaged file is logged and ignored: the other
 * publishers are served. host_id is borrowed.
 */
int publishers_open(struct publishers *s, int dirfd, const uint8_t host_id[16],
    const struct config *config, struct fault *f);
/* Logs it if the publisher revoked something that this host has. */
void publishers_tell_revoked(const struct publisher *p);

#endif
