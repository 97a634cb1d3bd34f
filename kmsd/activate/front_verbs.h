/*
 * front_verbs.h - what a front may send.
 */
#ifndef KMSD_ACTIVATE_FRONT_VERBS_H
#define KMSD_ACTIVATE_FRONT_VERBS_H

struct activate;

/* Takes fd over, and listens to it. An older channel of the same front is given up.
 * KMS_E_NO_MEMORY. */
int front_verbs_open(struct activate *a, int fd, unsigned index);

#endif
