/*
 * control_answer.h - the one table of the control protocol's verbs: who may ask which, and the
 * answer to one request, for kmsctl's connections and for kmsd-web's channel.
 */
#ifndef KMSD_ACTIVATE_CONTROL_CONTROL_ANSWER_H
#define KMSD_ACTIVATE_CONTROL_CONTROL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/base/wire.h"

struct activate;

/* Each may what those before it may. */
enum control_right {
	CONTROL_NOTHING,
	CONTROL_PAGE,   /* kmsd-web: sums, and no name of a client */
	CONTROL_LOOK,   /* the monitor group */
	CONTROL_CHANGE, /* root, who started kmsd, the control group */
};
struct control_asker {
	enum control_right access;
	long uid; /* for the log */
};

bool control_may(enum control_right access, uint16_t verb);
/* It shows figures of the fronts: ask them, and answer this much later. */
bool control_wants_figures(uint16_t verb);
#define CONTROL_FIGURES_US 50000
/* Header and rows, malloc'd; NULL: memory. */
uint8_t *control_answer(struct activate *a, const struct control_asker *by, uint16_t verb,
    const struct wire_reader *args, size_t *len);

#endif
