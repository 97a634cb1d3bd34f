/*
 * retain.h - the journal does not grow for ever: whole segments that are older than is kept are
 * dropped, once a base in the chain restates what their batches still say.
 *
 * A base is entries of the chain itself (libkms/core/entry_base.h), signed and synced in batches as
 * all others are. It is written in small steps while clients go on (base_load.c says why that is
 * exact). The order of writes, and what a crash between two of them leaves:
 *
 *	1 HEAD, KEPT
 *		An unfinished base, which has no effect. The chain says how far it is, and the next
 *		run goes on (base_state.h).
 *	2 hashes of the batches that go, into journal/dropped; synced
 *		Bytes that nobody reads yet. They are written again.
 *	3 RELAYED, CLIENT, SUMS, USAGE
 *		As 1.
 *	4 END
 *		A whole base, in a journal that is complete: either may be read.
 *	5 the index contains END, and is synced
 *		The same. Before, an index would not know that segments may be absent.
 *	6 each segment is removed, the oldest first; the directory is synced after each
 *		A shorter journal, which begins with any of those segments. Its readers begin with
 *		the HEAD of the first base in it, which is behind all that goes. The rest is removed
 *		by the next run.
 *	7 places of the dropped batches leave the index
 *		Places of segments that are not there: they are not found, as dropped ones are.
 *
 * So at any moment either the old beginning of the journal is readable, or a later one with a whole
 * base behind it, and the hash of the last batch before it in journal/dropped.
 *
 * The bound. Let b be the bytes of a base and r what the journal grows in a day. A base is begun
 * when segments of RETAIN_GAIN * b may go. So of what a base lets go, at most 1 / RETAIN_GAIN are
 * older bases, and the journal has at most
 * keep * r * RETAIN_GAIN / (RETAIN_GAIN - 1) + (RETAIN_GAIN + 1) * b + 3 segments; beside it are 16
 * bytes for each batch that ever was.
 */
#ifndef KMSDB_RETAIN_H
#define KMSDB_RETAIN_H

#include "kmsdb/ledger.h"

#define RETAIN_GAIN 4

struct retain;
void retain_free(struct retain *r);

#endif
