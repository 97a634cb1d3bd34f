/*
 * control_verbs.h - what each verb of kmsd/ipc/control.h does. On failure a
 * function fills why and the rows it wrote are dropped.
 */
#ifndef KMSD_ACTIVATE_CONTROL_CONTROL_VERBS_H
#define KMSD_ACTIVATE_CONTROL_CONTROL_VERBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/ipc/control.h"

struct activate;
struct publisher;

#define CONTROL_WHY 256

struct control_request {
	struct activate *activate;
	struct wire_reader args;
	struct control_buf *out;
	char *why;  /* CONTROL_WHY */
	bool names; /* the asker may see names and addresses of clients */
};

int control_status(struct control_request *q);
int control_checkpoint(struct control_request *q);
int control_key_install(struct control_request *q);
int control_key_show(struct control_request *q);
int control_key_request(struct control_request *q);
int control_key_confirm(struct control_request *q);
int control_key_remove(struct control_request *q);
int control_policy_install(struct control_request *q);
int control_publisher_rotate(struct control_request *q);
int control_revocations_install(struct control_request *q);
int control_policy_show(struct control_request *q);
int control_key_seal(struct control_request *q);
int control_unlock(struct control_request *q);
int control_client_show(struct control_request *q);
int control_client_list(struct control_request *q);
int control_journal(struct control_request *q);
int control_usage(struct control_request *q);
int control_client_revoke(struct control_request *q);
int control_client_unrevoke(struct control_request *q);
int control_client_forget(struct control_request *q);
int control_client_erase(struct control_request *q);
int control_relay_name(struct control_request *q);
int control_relay_status(struct control_request *q);
int control_metrics(struct control_request *q);
int control_share_status(struct control_request *q);
int control_share_alone(struct control_request *q);
int control_share_first(struct control_request *q);
int control_web_login(struct control_request *q);
int control_web_logout(struct control_request *q);
int control_web_session(struct control_request *q);
int control_client_find(struct control_request *q);

/* The argument of that type and name; false when absent. */
bool control_argument(
    const struct control_request *q, char type, const char *name, struct control_field *out);
/* An identifier in hexadecimal, hyphens skipped (UUID, CMID). KMS_E_ARGUMENT with why. */
int control_id(struct control_request *q, const char *name, uint8_t out[16]);
/* Rows and fields that several verbs share. */
void control_contacts(struct control_buf *b, const struct publisher *p);
void control_hex(struct control_buf *b, const char *name, const uint8_t *octets, size_t len);
void control_uuid(struct control_buf *b, const char *name, const uint8_t id[16]);

#endif
