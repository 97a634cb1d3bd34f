/*
 * steps.h - an input as a row of steps: what happens (one byte), a length (two bytes, the lower
 * first), and that many bytes. The last step has what is left. A fuzzer can change one step and
 * leave the others, and a person can read a finding.
 */
#ifndef KMS_T_FUZZ_STEPS_H
#define KMS_T_FUZZ_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct step {
	uint8_t what;
	const uint8_t *data; /* borrowed from the input */
	size_t len;
};

struct steps {
	const uint8_t *at;
	size_t left;
	unsigned allowed; /* how many more: an input takes a bounded time */
};

/* False: no step is left, or no more are allowed. */
static inline bool
steps_next(struct steps *s, struct step *out)
{
	if (s->left < 3 || s->allowed == 0)
		return false;
	s->allowed--;
	out->what = s->at[0];
	out->len = (size_t)(s->at[1] | s->at[2] << 8);
	out->data = s->at + 3;
	s->left -= 3;
	if (out->len > s->left)
		out->len = s->left;
	s->at = out->data + out->len;
	s->left -= out->len;
	return true;
}

#endif
