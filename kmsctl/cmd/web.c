/*
 * web.c - web login: an address at which a browser sees the names of clients; web logout: no
 * browser sees them any longer.
 */
#include <stdio.h>
#include <string.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/kmsctl.h"
#include "kmsd/common/network.h"
#include "libkms/kms_error.h"

/* The first address that the page is at; any address becomes the loopback one. */
static void
page_address(const struct config *c, char out[ENDPOINT_TEXT])
{
	struct endpoint e = c->web_listen.at[0];

	if (address_is_nowhere(e.address))
		strcpy(e.name, address_is_ipv4(e.address) ? "127.0.0.1" : "::1");
	endpoint_text(out, &e, 0);
}

static int
run_web_login(struct ctl *ctl)
{
	const struct config *c = &ctl->config;
	struct reply reply = { 0 };
	char address[ENDPOINT_TEXT], url[ENDPOINT_TEXT + 80];
	const char *token;
	uint64_t seconds = 0;
	int code;

	if (c->web_listen.count == 0 && c->web_hosts.count == 0)
		return fail_told(ctl, KMS_E_NOT_FOUND,
		    "kms.ini does not set up the page: write listen = 127.0.0.1:1690 under [web], then restart kmsd");
	if ((code = ask_host(ctl, CONTROL_WEB_LOGIN, NULL, &reply)) != CTL_OK)
		return code;
	token = reply_text(reply_next(&reply, "login", NULL), "token");
	reply_number(reply_next(&reply, "login", NULL), "seconds", &seconds);
	if (token == NULL)
		token = "";
	if (c->web_listen.count > 0)
		page_address(c, address);
	else
		snprintf(address, sizeof(address), "%s", c->web_hosts.at[0]);
	snprintf(url, sizeof(url), "http%s://%s/login?token=%s", c->web_listen.count > 0 ? "" : "s",
	    address, token);
	output_text(ctl->out, "address", NULL, url);
	output_line(ctl->out, OUTPUT_PLAIN, "%s", url);
	output_line(ctl->out, OUTPUT_PLAIN,
	    "Open this address in a browser within %u minutes. It works once.",
	    (unsigned)(seconds / 60));
	output_number(ctl->out, "seconds", NULL, seconds);
	reply_free(&reply);
	return CTL_OK;
}

const struct ctl_command cmd_web_login = {
	.line.noun = "web",
	.line.verb = "login",
	.line.summary = "print an address; a browser that opens it sees the names of clients",
	.run = run_web_login,
};

static int
run_web_logout(struct ctl *ctl)
{
	struct reply reply = { 0 };
	uint64_t sessions = 0;
	int code = ask_host(ctl, CONTROL_WEB_LOGOUT, NULL, &reply);

	if (code != CTL_OK)
		return code;
	reply_number(reply_next(&reply, "logout", NULL), "sessions", &sessions);
	output_number(ctl->out, "sessions", NULL, sessions);
	output_line(ctl->out, OUTPUT_PLAIN,
	    "Browsers logged out: %u. No browser sees the names of clients now.",
	    (unsigned)sessions);
	reply_free(&reply);
	return CTL_OK;
}

const struct ctl_command cmd_web_logout = {
	.line.noun = "web",
	.line.verb = "logout",
	.line.summary = "hide the names of clients from all browsers again",
	.run = run_web_logout,
};
