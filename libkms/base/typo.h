/*
 * typo.h - how far a word is from an expected one, for "did you mean".
 */
#ifndef KMS_LIBKMS_BASE_TYPO_H
#define KMS_LIBKMS_BASE_TYPO_H

#define TYPO_LONGEST 64 /* characters of a name; longer ones are far from everything */
#define TYPO_FAR 1000u

/* Levenshtein's distance: characters to insert, delete or replace; TYPO_FAR for long names. */
unsigned typo_distance(const char *a, const char *b);

/* The name that was meant, among those that are tried; NULL: none is near enough. */
struct typo {
	const char *wanted, *name;
	unsigned distance;
};
struct typo typo_of(const char *wanted);
void typo_try(struct typo *t, const char *name);

#endif
