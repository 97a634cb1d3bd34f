/*
 * vectors.h - the golden vectors of kms-protocol(7): every byte made anew from
 * fixed keys, nonces and times. make_vectors prints them, test_vectors compares.
 */
#ifndef KMS_T_VECTORS_VECTORS_H
#define KMS_T_VECTORS_VECTORS_H

#include <stdio.h>

/* Names of the files, without ".txt"; NULL ends. */
extern const char *const vectors_files[];

/* The whole text of one file. -1: no such file, or a codec failed. */
int vectors_print(FILE *out, const char *file);

#endif
