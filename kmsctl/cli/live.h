/*
 * live.h - a terminal whose whole screen is drawn again and again until a person has seen enough.
 *
 * From live_begin to live_end keys are not echoed, what was on the screen waits on the terminal's
 * other screen, and signals that would end or stop the program come as events, so that the terminal
 * is always left as it was.
 */
#ifndef KMSCTL_CLI_LIVE_H
#define KMSCTL_CLI_LIVE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

enum live_event {
	LIVE_TIME,    /* the time is over */
	LIVE_REFRESH, /* a key asks for it */
	LIVE_RESIZED, /* the terminal has another size, or was away */
	LIVE_END,     /* a key or a signal ends it, or the terminal is gone */
};

struct live {
	int signals; /* signalfd */
	struct termios before;
	sigset_t mask;
	unsigned columns, rows; /* of the terminal now */
};

/* False: standard input and output are not both a terminal; nothing was changed. */
bool live_begin(struct live *l);
/* Shows as many lines of the text as fit, and below them the note, in one line. */
void live_draw(const struct live *l, const char *text, const char *note);
/* Waits for at most that long, in milliseconds. l->columns and l->rows are as they are then. */
enum live_event live_wait(struct live *l, int ms);
void live_end(struct live *l);

#endif
