/*
 * appliance.h - kmsd-activate alone, with the test in the place of kmsd and of its fronts.
 */
#ifndef KMS_T_LIB_APPLIANCE_H
#define KMS_T_LIB_APPLIANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kmsd/ipc/channel.h"
#include "kmsd/ipc/control.h"
#include "kmsd/ipc/ipc.h"
#include "t/lib/player.h"
#include "t/lib/publisher.h"

struct appliance {
	char dir[64]; /* temporary: state/, control.sock, log */
	char control[96];
	char ini[2048];
	int state, parent;
	pid_t pid;
	uint32_t layers; /* as CHILD_READY told */
	struct test_publisher publisher;
	struct player_host host; /* certificate, exchange: after appliance_confirm */
};

/* Temporary directory, publisher, ini text. extra: more of the ini text, or "". */
void appliance_make(struct appliance *a, const char *extra);
/* Spawn and wait for CHILD_READY. Returns 0, or the status of CHILD_FAILED. */
uint32_t appliance_start(struct appliance *a);
/* Its values of an ini file, as kmsd hands them over. */
int appliance_config(const char *ini);
/* STOP; waits; its exit status, 128 + signal when it was killed. */
int appliance_stop(struct appliance *a);
bool appliance_alive(struct appliance *a);
void appliance_remove(struct appliance *a);

/* A new FRONT channel; *fd is ours, blocking, with a time-out for reads. */
int appliance_front(struct appliance *a, unsigned index);
/* READY, and WELCOME read: its credits. */
uint32_t appliance_welcome(int fd);
/* Frames over a front's descriptor. Reading: 1 a frame, 0 closed by activate, -1 nothing came. */
bool appliance_send(int fd, const struct ipc_frame *f, const void *body);
int appliance_recv(int fd, struct ipc_frame *f, uint8_t *body, size_t size);

/*
 * HELLO over a front's descriptor: fills host.certificate and host.exchange. 0, or the status of
 * the ERROR, or why the answer does not verify.
 */
uint32_t appliance_hello(struct appliance *a, int fd);

/*
 * kmsctl's verbs; text receives the first field `name` of the reply, when not NULL. Returns the
 * status.
 */
uint32_t appliance_control(struct appliance *a, uint16_t verb, const struct test_file *file,
    const char *arg_name, const char *arg, const char *name, char *text, size_t size);
/*
 * Pack, host key, confirmation: all through the control socket; fills host.certificate and
 * host.exchange. 0 or status.
 */
uint32_t appliance_confirm(struct appliance *a);

/* Lines of the log that contain text. */
unsigned appliance_logged(const struct appliance *a, const char *text);
void appliance_log_show(const struct appliance *a);

#endif
