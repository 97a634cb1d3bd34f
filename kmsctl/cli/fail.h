/*
 * fail.h - reports a failure, to a person or to a program.
 */
#ifndef KMSCTL_CLI_FAIL_H
#define KMSCTL_CLI_FAIL_H

#include "kmsctl/kmsctl.h"
#include "libkms/base/fault.h"

/*
 * Prints the text with the symbol of the status, and with its meaning and remedy unless the text
 * has them: what the host says of a request, and what is wrong with an argument. Returns the exit
 * code for it.
 */
int fail(struct ctl *ctl, uint32_t status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a fault that a function returned. */
int fail_fault(struct ctl *ctl, const struct fault *f);

#endif
