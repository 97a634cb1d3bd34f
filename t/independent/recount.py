#!/usr/bin/env python3
"""How many clients each pool counts, from the segments of a journal alone, after kms.journal(5).
No index, no policy and none of kmsd's code: the page must be enough.

    recount.py STATE-DIRECTORY [MINUTE]    prints: publisher pool count"""

import glob
import os
import sys
import time
from collections import Counter

LEASE, SEEN, RELEASE, REFUSAL = 1, 2, 3, 4
REVOKE, UNREVOKE, FORGET, RECLAIM, HOLD, ERASE, EXPIRE = range(32, 39)


def num(octets, at, n):
    return int.from_bytes(octets[at:at + n], "big")


def records(directory):
    for name in sorted(glob.glob(os.path.join(directory, "kmsdb/journal/*.seg"))):
        with open(name, "rb") as f:
            segment = f.read()
        assert segment[:8] == b"KMSJSEG1" and num(segment, 8, 4) == 2, name
        at = 512
        while segment[at:at + 8] == b"KMSJBAT1":
            length, n = num(segment, at + 8, 4), num(segment, at + 12, 4)
            yield segment[at + 16:at + 124], segment[at + 204:at + 204 + n]
            at += length


def entries(directory):
    """(host id, batch number, leaf, entry)"""
    for header, items in records(directory):
        leaf = at = 0
        while at < len(items):
            e = num(items, at, 2)
            entry = items[at + 2:at + 2 + e]
            at += 2 + e
            at += 1 + items[at]
            yield header[8:24], num(header, 24, 8), leaf, entry
            leaf += 1
        assert leaf == num(header, 64, 4)


def acts_and_registers(directory):
    acts, revoked = {}, {}
    for host, batch, leaf, e in entries(directory):
        assert e[0] == 2, "version of an entry"
        kind, cmid = e[1], e[16:32]
        if kind in (LEASE, SEEN, RELEASE):
            until = num(e, 108, 4) if kind != RELEASE else 0
            act = (num(e, 64, 8), 0, host, batch, leaf)
            seat = (e[96:104], num(e, 104, 2), until)
        elif kind in (REVOKE, UNREVOKE, FORGET, RECLAIM):
            act, seat = (num(e, 40, 8), 1, host, batch, leaf), None
        else:
            assert kind in (REFUSAL, HOLD, ERASE, EXPIRE) or 16 <= kind <= 30, kind
            continue
        if cmid not in acts or act > acts[cmid][0]:
            acts[cmid] = (act, seat)
        order = (num(e, 32, 8), host)
        if kind in (REVOKE, UNREVOKE) and (cmid not in revoked or order > revoked[cmid][0]):
            revoked[cmid] = (order, kind == REVOKE)
    return acts, revoked


def recount(directory, minute):
    acts, revoked = acts_and_registers(directory)
    counts = Counter()
    for cmid, (_, seat) in acts.items():
        if seat and seat[2] > minute and not revoked.get(cmid, (None, False))[1]:
            counts[seat[:2]] += 1
    return counts


def main():
    minute = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time()) // 60
    for (publisher, pool), count in sorted(recount(sys.argv[1], minute).items()):
        print(publisher.hex(), pool, count)


if __name__ == "__main__":
    main()
