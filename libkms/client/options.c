/*
 * options.c - see options.h.
 */
#include "libkms/client/options.h"

#include <stdlib.h>
#include <string.h>

#include "libkms/base/uuid.h"
#include "libkms/base/wire.h"
#include "libkms/client/machine.h"
#include "libkms/client/order.h"
#include "libkms/kms_error.h"
#include "libkms/os/surroundings.h"

static int
missing(const char *option, const char *needs, struct fault *fault)
{
	return fault_set(fault, KMS_E_ARGUMENT, "%s: it is missing. It needs %s", option, needs);
}

static int
required(const struct kms_options *o, struct fault *fault)
{
	if (o->publisher_key == NULL)
		return missing("publisher_key", "\"RW...\", the publisher's public key", fault);
	if (o->product == NULL)
		return missing("product", "the product's UUID", fault);
	/* NULL is a wish, an empty path a mistake. */
	if (o->state_file != NULL && o->state_file[0] == '\0')
		return fault_set(fault, KMS_E_ARGUMENT,
		    "state_file: it is empty. It needs a path, or NULL for a client without state");
	return KMS_OK;
}

int
options_take(struct kms_options *out, const struct kms_options *from, struct fault *fault)
{
	memset(out, 0, sizeof(*out));
	if (from == NULL)
		return fault_set(fault, KMS_E_ARGUMENT, "there are no options");
	memcpy(out, from, from->size < sizeof(*out) ? from->size : sizeof(*out));
	if (from->size < offsetof(struct kms_options, host))
		return missing("size", "sizeof(struct kms_options)", fault);
	return required(out, fault);
}

static int
copy_text(char **out, const char *option, const char *from, struct fault *fault)
{
	if (from == NULL || from[0] == '\0')
		return KMS_OK;
	if (strlen(from) >= DISCOVER_NAME)
		return fault_set(fault, KMS_E_ARGUMENT, "%s: it is longer than %d bytes", option,
		    DISCOVER_NAME - 1);
	*out = strdup(from);
	return *out != NULL ? KMS_OK : KMS_E_NO_MEMORY;
}

static int
copy_host(struct kms_client *c, const char *option, const char *from, struct fault *fault)
{
	struct discover_host fixed;
	int rc = copy_text(&c->host, option, from, fault);

	if (rc != KMS_OK || c->host == NULL || discover_parse(&fixed, c->host, KMS_PORT) == KMS_OK)
		return rc;
	return fault_set(fault, KMS_E_ARGUMENT,
	    "%s: \"%.80s\" is not a name or an address. It needs \"name\", \"name:port\" or \"[v6]:port\"",
	    option, from);
}

/*
 * Where to ask. What the product says counts; when it says nothing, whoever starts a container
 * does: the host is verified in any case. A program with the rights of another user does not
 * listen.
 */
static int
copy_place(struct kms_client *c, const struct kms_options *o, struct fault *fault)
{
	char *told;
	int rc;

	if (o->host != NULL || o->domain != NULL) {
		rc = copy_host(c, "host", o->host, fault);
		return rc == KMS_OK ? copy_text(&c->domain, "domain", o->domain, fault) : rc;
	}
	told = os_environment("KMS_HOST");
	rc = copy_host(c, "KMS_HOST", told, fault);
	free(told);
	if (rc != KMS_OK || c->host != NULL)
		return rc;
	told = os_environment("KMS_DOMAIN");
	rc = copy_text(&c->domain, "KMS_DOMAIN", told, fault);
	free(told);
	return rc;
}

/* What fits of a text of the product's, cut between characters. */
static int
copy_told(char out[MESSAGE_NAME + 1], const char *option, const char *from, struct fault *fault)
{
	size_t len = strlen(from);

	if (len > MESSAGE_NAME)
		for (len = MESSAGE_NAME; len > 0 && ((unsigned char)from[len] & 0xc0) == 0x80;
		     len--)
			;
	if (!wire_text_ok(from, len))
		return fault_set(fault, KMS_E_ARGUMENT,
		    "%s: it is not UTF-8, or has control characters or characters that change the direction of writing",
		    option);
	memcpy(out, from, len);
	return KMS_OK;
}

/* The record's name. The system's own is made to follow the text rule; the product's has to. */
static int
copy_name(struct kms_client *c, const char *from, struct fault *fault)
{
	char own[256] = "";

	if (from == NULL) {
		if (!os_host_name(own, sizeof(own)))
			return KMS_OK; /* the name is a courtesy, its absence no failure */
		own[wire_text_clean(own, strlen(own))] = '\0';
		from = own;
	}
	return copy_told(c->name, "name", from, fault);
}

static int
copy_uuid(uint8_t out[16], const char *option, const char *from, struct fault *fault)
{
	if (uuid_parse(out, from))
		return KMS_OK;
	return fault_set(fault, KMS_E_FORMAT,
	    "%s: \"%.80s\" is not a UUID. It needs 32 hexadecimal digits as \"12345678-1234-1234-1234-123456789abc\"",
	    option, from);
}

/* An empty pin would be none, and nobody would notice. */
static int
copy_pins(struct kms_client *c, const struct kms_options *o, struct fault *fault)
{
	size_t len = o->customer == NULL ? 0 : strlen(o->customer);
	int rc;

	if (o->host_key != NULL) {
		if ((rc = copy_uuid(c->host_key, "host_key", o->host_key, fault)) != KMS_OK)
			return rc;
		c->has_host_key = true;
	}
	if (o->customer == NULL)
		return KMS_OK;
	if (len == 0)
		return fault_set(fault, KMS_E_ARGUMENT,
		    "customer: it is empty. It needs the name in the host's certificate, or NULL for any customer");
	if (len > CERTIFICATE_CUSTOMER || !wire_text_ok(o->customer, len))
		return fault_set(fault, KMS_E_ARGUMENT,
		    "customer: a certificate cannot have this name. It needs at most %d bytes of UTF-8 without control characters",
		    CERTIFICATE_CUSTOMER);
	c->customer = strdup(o->customer);
	return c->customer != NULL ? KMS_OK : KMS_E_NO_MEMORY;
}

/* Zero, and what a product of before calls -1: find out. */
static int
copy_machine(struct kms_client *c, int virtual_machine, struct fault *fault)
{
	switch (virtual_machine) {
	case -1:
	case KMS_VM_DETECT:
		c->virtual_machine = machine_is_virtual("");
		return KMS_OK;
	case KMS_VM_YES:
	case KMS_VM_NO:
		c->virtual_machine = virtual_machine == KMS_VM_YES;
		return KMS_OK;
	default:
		return fault_set(fault, KMS_E_ARGUMENT,
		    "virtual_machine: %d is not KMS_VM_DETECT, KMS_VM_YES or KMS_VM_NO",
		    virtual_machine);
	}
}

static void
copy_numbers(struct kms_client *c, const struct kms_options *o)
{
	/* Without state, each start would be the first use, and grace would never end. */
	c->grace_minutes = c->stateless && o->grace_minutes == 0 ? KMS_NO_GRACE : o->grace_minutes;
	c->connect_timeout = o->connect_timeout ? o->connect_timeout : CLIENT_CONNECT_TIMEOUT;
	c->reply_timeout = o->reply_timeout ? o->reply_timeout : CLIENT_REPLY_TIMEOUT;
	c->total_timeout = o->total_timeout ? o->total_timeout : CLIENT_TOTAL_TIMEOUT;
	c->close_timeout = o->close_timeout ? o->close_timeout : CLIENT_CLOSE_TIMEOUT;
	c->now = o->now;
	c->now_arg = o->now_arg;
}

int
options_copy(struct kms_client *c, const struct kms_options *o, struct fault *fault)
{
	int rc;

	c->stateless = o->state_file == NULL;
	if (minisig_key_parse(&c->publisher, o->publisher_key) != KMS_OK)
		return fault_set(fault, KMS_E_FORMAT,
		    "publisher_key: \"%.80s\" is not a minisign public key. It needs \"RW...\" of 56 characters, or the text of a .pub file",
		    o->publisher_key);
	if ((rc = copy_uuid(c->product, "product", o->product, fault)) != KMS_OK ||
	    (rc = copy_place(c, o, fault)) != KMS_OK ||
	    (rc = copy_text(&c->nameserver, "nameserver", o->nameserver, fault)) != KMS_OK ||
	    (rc = copy_name(c, o->name, fault)) != KMS_OK ||
	    (o->user != NULL && (rc = copy_told(c->user, "user", o->user, fault)) != KMS_OK) ||
	    (rc = copy_pins(c, o, fault)) != KMS_OK ||
	    (rc = copy_machine(c, o->virtual_machine, fault)) != KMS_OK)
		return rc;
	copy_numbers(c, o);
	return KMS_OK;
}
