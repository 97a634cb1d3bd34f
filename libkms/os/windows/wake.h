/*
 * wake.h - a descriptor that can be read when another thread says so: two sockets of this machine,
 * connected to each other alone.
 */
#ifndef KMS_LIBKMS_OS_WINDOWS_WAKE_H
#define KMS_LIBKMS_OS_WINDOWS_WAKE_H

#include <stdbool.h>

struct wake {
	int heard; /* can be read */
	int told;
};

/* False: errno. */
bool wake_open(struct wake *w);
void wake_close(struct wake *w);
/* From any thread; once is enough. */
void wake_tell(const struct wake *w);
/* It cannot be read any more. */
void wake_hear(const struct wake *w);

#endif
