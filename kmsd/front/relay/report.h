/*
 * report.h - what became of an exchange, told to kmsd-activate for the ledger.
 */
#ifndef KMSD_FRONT_RELAY_REPORT_H
#define KMSD_FRONT_RELAY_REPORT_H

#include <stdint.h>

#include "kmsd/front/relay/exchange.h"
#include "kmsd/ipc/ipc.h"

struct connection;

/* latency: microseconds. Beyond IPC_RELAYED_RATE a second nothing is sent, and it is counted. */
void relay_report(struct connection *s, const struct exchange_call *call,
    const struct ipc_upstream *host, uint32_t latency);

#endif
