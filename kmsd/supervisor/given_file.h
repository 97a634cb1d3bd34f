/*
 * given_file.h - what kmsd asks of a file that kms.ini names, and that says who somebody is.
 */
#ifndef KMSD_SUPERVISOR_GIVEN_FILE_H
#define KMSD_SUPERVISOR_GIVEN_FILE_H

#include <stdbool.h>

/*
 * What is wrong with an open file that was given by its path, and what to do; NULL: nothing. It is
 * a regular file, and with private only its owner, this user or root, can read it.
 */
const char *given_objection(int fd, bool private);
#endif
