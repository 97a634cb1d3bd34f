/*
 * tap.h - results of a test program that is a whole play rather than unit tests.
 */
#ifndef KMS_T_LIB_TAP_H
#define KMS_T_LIB_TAP_H

#include <stdbool.h>

bool ok(bool passed, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
unsigned tap_failed(void);
/* The plan; returns main's exit status. */
int tap_done(void);

#endif
