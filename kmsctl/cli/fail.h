/*
 * fail.h - reports a failure, to a person or to a program.
 */
#ifndef KMSCTL_CLI_FAIL_H
#define KMSCTL_CLI_FAIL_H

#include "kmsctl/kmsctl.h"
#include "libkms/base/fault.h"

/*
 * Prints the text with the symbol of the status, its meaning and its remedy (help_failure). Returns
 * the exit code for it.
 */
int fail(struct ctl *ctl, uint32_t status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a text that says what to do: meaning and remedy are left out. */
int fail_told(struct ctl *ctl, uint32_t status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* fail for a fault that a function returned. */
int fail_fault(struct ctl *ctl, const struct fault *f);

#endif
