/*
 * pem_files.h - PEM files that kmsd reads for a child that can open none. What is in them is for
 * the child to judge: here it is only seen that they are such files at all.
 */
#ifndef KMSD_SUPERVISOR_PEM_FILES_H
#define KMSD_SUPERVISOR_PEM_FILES_H

#include <stdint.h>

#include "libkms/base/fault.h"

enum pem_kind {
	PEM_CERTIFICATES,
	PEM_KEY, /* nobody else may read it, and it has no passphrase */
};

/* Which file it was, and as of when: all zero is none. Two that differ may still be equal. */
struct pem_mark {
	uint64_t device, inode, size;
	int64_t changed, changed_ns;
};

/*
 * Its bytes as sealed memory (ipc_memory_write), IPC_SHARE_TLS_MAX at most; the caller closes it.
 * -1: why says what is wrong, and what to do.
 */
int pem_open(const char *path, enum pem_kind kind, struct pem_mark *mark, struct fault *why);

#endif
