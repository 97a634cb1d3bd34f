/*
 * resolver.c - see resolver.h: Windows' own resolver, which blocks. Each question has a thread that
 * asks it, and that nobody waits for when the time is over.
 */
#include "libkms/os/resolver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/base/address.h"
#include "libkms/base/clock.h"
#include "libkms/kms_error.h"
#include "libkms/os/windows/wake.h"
#include "libkms/os/windows/wide.h"
#include "libkms/os/windows/win.h"

#define DOMAINS 6

const char resolver_takes[] = "an IPv4 address: Windows asks name servers at port 53 alone";

/* What the thread and the object share: the last of them frees it. */
struct question {
	LONG holders;
	char name[DISCOVER_NAME + 16];
	uint16_t port; /* of addresses; 0: SRV */
	IP4_ARRAY server;
	bool has_server;
	struct wake wake;
	HMODULE library; /* stays loaded while the thread runs */
	/* Written by the thread before it tells. */
	volatile LONG done;
	struct resolver_answer answer;
	struct discover_host hosts[DISCOVER_HOSTS];
	struct discover_address addresses[DISCOVER_ADDRESSES];
};

struct resolver {
	IP4_ARRAY server;
	bool has_server;
	char domains[DOMAINS][DISCOVER_NAME];
	unsigned domain_count;
	bool has_domains;
	struct question *question; /* NULL: none is on its way */
	struct resolver_answer *answer;
};

static void
let_go(struct question *q)
{
	if (InterlockedDecrement(&q->holders) > 0)
		return;
	wake_close(&q->wake);
	free(q);
}

int
resolver_open(struct resolver **out, const char *nameserver, const char **why)
{
	struct resolver *r = calloc(1, sizeof(*r));
	uint8_t address[16];

	*out = NULL;
	*why = "";
	if (r == NULL)
		return KMS_E_NO_MEMORY;
	if (nameserver != NULL) {
		if (!address_parse(address, nameserver) || !address_is_ipv4(address)) {
			free(r);
			return KMS_E_FORMAT;
		}
		r->server.AddrCount = 1;
		memcpy(&r->server.AddrArray[0], address + 12, 4);
		r->has_server = true;
	}
	*out = r;
	return KMS_OK;
}

void
resolver_close(struct resolver *r)
{
	if (r == NULL)
		return;
	if (r->question != NULL)
		let_go(r->question);
	free(r);
}

/* -- the search domains: of this machine, then of its connections -- */

static void
add_domain(struct resolver *r, const wchar_t *wide)
{
	char *name = wide == NULL || wide[0] == L'\0' ? NULL : wide_to(wide);
	unsigned i;

	for (i = 0; name != NULL && i < r->domain_count; i++)
		if (_stricmp(r->domains[i], name) == 0)
			break;
	if (name != NULL && i == r->domain_count && i < DOMAINS && strlen(name) < DISCOVER_NAME)
		snprintf(r->domains[r->domain_count++], DISCOVER_NAME, "%s", name);
	free(name);
}

/* "a.example,b.example" */
static void
add_list(struct resolver *r)
{
	wchar_t list[1024], *at, *next;
	DWORD size = sizeof(list);

	if (RegGetValueW(HKEY_LOCAL_MACHINE,
		L"SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters", L"SearchList",
		RRF_RT_REG_SZ, NULL, list, &size) != ERROR_SUCCESS)
		return;
	for (at = list; at != NULL && *at != L'\0'; at = next) {
		if ((next = wcspbrk(at, L", ")) != NULL)
			*next++ = L'\0';
		add_domain(r, at);
	}
}

static void
add_connections(struct resolver *r)
{
	ULONG size = 65536, flags = GAA_FLAG_SKIP_UNICAST | GAA_FLAG_SKIP_ANYCAST |
				    GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER;
	IP_ADAPTER_ADDRESSES *all = malloc(size), *i;

	if (all == NULL)
		return;
	if (GetAdaptersAddresses(AF_UNSPEC, flags, NULL, all, &size) == ERROR_SUCCESS)
		for (i = all; i != NULL; i = i->Next)
			add_domain(r, i->DnsSuffix);
	free(all);
}

static void
find_domains(struct resolver *r)
{
	wchar_t own[256];
	DWORD n = sizeof(own) / sizeof(*own);

	if (GetComputerNameExW(ComputerNameDnsDomain, own, &n))
		add_domain(r, own);
	add_list(r);
	add_connections(r);
	r->has_domains = true;
}

const char *
resolver_domain(struct resolver *r, unsigned index)
{
	if (!r->has_domains)
		find_domains(r);
	return index < r->domain_count ? r->domains[index] : NULL;
}

/* -- a question, in its thread -- */

static void
note(struct resolver_answer *a, DNS_STATUS status)
{
	a->none =
	    status == 0 || status == DNS_ERROR_RCODE_NAME_ERROR || status == DNS_INFO_NO_RECORDS;
	a->why = status == 0                            ? NULL
		 : status == DNS_ERROR_RCODE_NAME_ERROR ? "Domain name not found"
		 : status == DNS_INFO_NO_RECORDS        ? "DNS server returned answer with no data"
							: "Could not contact DNS servers";
}

static DNS_STATUS
query(struct question *q, WORD type, DNS_RECORDW **found)
{
	wchar_t *name = wide_from(q->name);
	DNS_STATUS status;

	*found = NULL;
	if (name == NULL)
		return DNS_ERROR_RCODE_NAME_ERROR;
	status = DnsQuery_W(name, type,
	    q->has_server ? DNS_QUERY_BYPASS_CACHE | DNS_QUERY_NO_HOSTS_FILE : DNS_QUERY_STANDARD,
	    q->has_server ? &q->server : NULL, (PDNS_RECORD *)found, NULL);
	free(name);
	return status;
}

static void
ask_srv(struct question *q)
{
	DNS_RECORDW *found, *i;

	note(&q->answer, query(q, DNS_TYPE_SRV, &found));
	for (i = found; i != NULL; i = i->pNext) {
		char *target = i->wType == DNS_TYPE_SRV ? wide_to(i->Data.SRV.pNameTarget) : NULL;

		if (target != NULL)
			resolver_keep_srv(&q->answer, target, i->Data.SRV.wPort,
			    i->Data.SRV.wPriority, i->Data.SRV.wWeight);
		free(target);
	}
	DnsRecordListFree((PDNS_RECORD)found, DnsFreeRecordList);
}

static void
keep_records(struct question *q, const DNS_RECORDW *i)
{
	struct sockaddr_storage to;
	uint8_t address[16];

	for (; i != NULL; i = i->pNext) {
		memset(address, 0, sizeof(address));
		if (i->wType == DNS_TYPE_A) {
			address[10] = address[11] = 0xff;
			memcpy(address + 12, &i->Data.A.IpAddress, 4);
		} else if (i->wType == DNS_TYPE_AAAA) {
			memcpy(address, &i->Data.AAAA.Ip6Address, 16);
		} else {
			continue;
		}
		resolver_keep_address(&q->answer, (struct sockaddr *)&to,
		    (size_t)address_give(&to, address, q->port));
	}
}

/* From a name server that was named; otherwise as every program of this machine finds it. */
static void
ask_server(struct question *q)
{
	static const WORD types[] = { DNS_TYPE_AAAA, DNS_TYPE_A };
	DNS_RECORDW *found;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		note(&q->answer, query(q, types[i], &found));
		keep_records(q, found);
		DnsRecordListFree((PDNS_RECORD)found, DnsFreeRecordList);
	}
}

static void
ask_system(struct question *q)
{
	ADDRINFOW hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *all = NULL, *i;
	wchar_t *name = wide_from(q->name), port[8];
	int rc = EAI_NONAME;

	_snwprintf(port, sizeof(port) / sizeof(*port), L"%u", q->port);
	if (name != NULL)
		rc = GetAddrInfoW(name, port, &hints, &all);
	for (i = rc == 0 ? all : NULL; i != NULL; i = i->ai_next)
		resolver_keep_address(&q->answer, i->ai_addr, i->ai_addrlen);
	if (all != NULL)
		FreeAddrInfoW(all);
	note(&q->answer, rc == 0 ? 0 : rc == EAI_NONAME ? DNS_ERROR_RCODE_NAME_ERROR : 1);
	free(name);
}

static DWORD WINAPI
ask(LPVOID arg)
{
	struct question *q = arg;
	HMODULE library = q->library;

	q->answer.hosts = q->hosts;
	q->answer.addresses = q->addresses;
	if (q->port == 0)
		ask_srv(q);
	else if (q->has_server)
		ask_server(q);
	else
		ask_system(q);
	InterlockedExchange(&q->done, 1);
	wake_tell(&q->wake);
	let_go(q);
	FreeLibraryAndExitThread(library, 0);
	return 0;
}

static struct question *
new_question(const struct resolver *r, const char *name, uint16_t port)
{
	struct question *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	snprintf(q->name, sizeof(q->name), "%s", name);
	q->port = port;
	q->server = r->server;
	q->has_server = r->has_server;
	q->holders = 1;
	if (wake_open(&q->wake))
		return q;
	free(q);
	return NULL;
}

static bool
start(struct question *q)
{
	HANDLE thread;

	if (!GetModuleHandleExW(
		GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (const wchar_t *)(void *)ask, &q->library))
		return false;
	q->holders = 2;
	if ((thread = CreateThread(NULL, 0, ask, q, 0, NULL)) != NULL) {
		CloseHandle(thread);
		return true;
	}
	q->holders = 1;
	FreeLibrary(q->library);
	return false;
}

static void
begin(struct resolver *r, const char *name, uint16_t port, struct resolver_answer *answer)
{
	if (r->question != NULL)
		let_go(r->question);
	r->answer = answer;
	r->question = new_question(r, name, port);
	if (r->question != NULL && start(r->question))
		return;
	if (r->question != NULL)
		let_go(r->question);
	r->question = NULL;
	answer->none = false;
	answer->why = "no memory for a question";
	answer->done = true;
}

void
resolver_srv(struct resolver *r, const char *name, struct resolver_answer *answer)
{
	begin(r, name, 0, answer);
}

void
resolver_addresses(
    struct resolver *r, const char *name, uint16_t port, struct resolver_answer *answer)
{
	begin(r, name, port, answer);
}

void
resolver_step(struct resolver *r)
{
	struct resolver_answer *to = r->answer;
	struct question *q = r->question;

	if (q == NULL || InterlockedCompareExchange(&q->done, 1, 1) == 0)
		return;
	to->none = q->answer.none;
	to->why = q->answer.why;
	to->count = q->answer.count;
	if (q->port == 0)
		memcpy(to->hosts, q->hosts, to->count * sizeof(q->hosts[0]));
	else
		memcpy(to->addresses, q->addresses, to->count * sizeof(q->addresses[0]));
	to->done = true;
	let_go(q);
	r->question = NULL;
}

void
resolver_give_up(struct resolver *r)
{
	if (r->question == NULL)
		return;
	let_go(r->question);
	r->question = NULL;
	r->answer->none = false;
	r->answer->why = "no answer in time";
	r->answer->done = true;
}

void
resolver_wait(const struct resolver *r, struct wait *w, int64_t deadline)
{
	wait_until(w, deadline);
	if (r->question != NULL)
		wait_fd(w, r->question->wake.heard, POLLIN);
}
