/*
 * tries.h - what a stranger's code would try from inside a sandbox, one thing a run.
 */
#ifndef KMS_T_SECURITY_TRIES_H
#define KMS_T_SECURITY_TRIES_H

struct config;

/*
 * Reads INI, applies confine (0: what is wanted is in force) and tries:
 *
 *   PROGRAM INI WHAT [argument]
 *
 * Exit 0: it could be done. 10: refused with an errno (printed). Killed: the signal says so.
 * Exit 11: the sandbox is not in force as wanted, 12: WHAT is not known. INI "free": without a
 * sandbox.
 */
int tries_main(int argc, char **argv, int (*confine)(const struct config *c));

#endif
