/*
 * fail.h - reports a failure, to a person or to a program.
 */
#ifndef KMSCTL_CLI_FAIL_H
#define KMSCTL_CLI_FAIL_H

#include "kmsctl/kmsctl.h"
#include "libkms/base/fault.h"

/*
 * Prints the text with the symbol, meaning and remedy of the status. Returns the exit code for it.
 */
int fail(struct ctl *ctl, uint32_t status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a fault that a function returned. */
int fail_fault(struct ctl *ctl, const struct fault *f);

#endif
