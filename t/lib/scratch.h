/*
 * scratch.h - a directory that goes with the process, however that ends: a fuzz target that finds
 * something aborts, and leaves no files either.
 */
#ifndef KMS_T_LIB_SCRATCH_H
#define KMS_T_LIB_SCRATCH_H

#include <stdbool.h>

#define SCRATCH_PATH 64

/* In memory where there is /dev/shm. False: errno. */
bool scratch_make(char path[SCRATCH_PATH]);
/* What is at the path, with everything below it. */
void scratch_remove(const char *path);

#endif
