#!/usr/bin/env python3
"""Audit files at the edges of FINDINGS in kms.audit(5), and of WITNESSES and COUNTING in kms.journal(5): where the pages say something that
the table of dishonest_forge.py does not ask.

    finding_forge.py DIRECTORY    writes NAME.kmsaudit for each and what goes with it, and prints the publisher's key, then "NAME ARGUMENTS" """

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from audit_forge import (AFTER, BEFORE, DAY, FAR, HOST, HOST2, NAMES, NOW, OTHER, PRODUCT, PUBLISHER, STRANGER, act, batches, certificate,
                         decision, hash_of, note, rotation, stamp)
from dishonest_forge import (CERT, FOREVER, PACK, acts, begin, clock, entered, file_of, foreign_lease, header_hash, lease_of, minisig, on_top,
                             policy, restored, start, witness)
from kms_wire import commitments, u

BEFORE_ALL = (NOW + 1, 2**64 - 1)    # period of a file that begins later than batch 1


def part(parts, first):
    """The file from that batch on, and --last for the one before."""
    return file_of(parts=parts[first - 1:], first=first, period=BEFORE_ALL), f"--last {first - 1}:{hash_of(parts[first - 2])}"


def witness_cases():
    base = batches([begin(), acts(1, 3), acts(4, 5, NOW + 60)])
    others = [on_top(base[:1], acts(1, 10 + n, NOW + 5))[1] for n in range(20)]
    later = [on_top(base, (NOW + n, [act()]), (NOW + n, [act()]), (NOW + n, [act()]))[5] for n in range(20)]
    yield "forty-of-two-grades", file_of(parts=on_top(base, (NOW + 60, [witness(o) for o in others + later]))), ""
    yield "sixteen", file_of(parts=on_top(base, (NOW + 60, [witness(o) for o in others[:16]]))), ""
    yield "seventeen", file_of(parts=on_top(base, (NOW + 60, [witness(o) for o in others[:16]]), (NOW + 60, [witness(others[16])]))), ""
    other = others[0]
    for name, when in ("before", NOW + 4), ("same", NOW + 5), ("after", NOW + 6):
        parts = on_top(base[:1], (NOW, [start(when), act()]), (NOW + 60, [witness(other)]))
        yield f"start-{name}", file_of(parts=parts), ""
    parts = on_top(base[:1], (NOW, [act()]), (NOW + 60, [witness(other), start(NOW + 60)]))
    yield "start-above-the-number", file_of(parts=parts), ""
    parts = on_top(base[:1], (NOW, [witness(other), start(NOW + 60)]))
    yield "start-behind-in-its-batch", file_of(parts=parts), ""
    parts = on_top(base[:1], (NOW, [note(16, HOST2.public, b"kmsd 1.0", bytes(16), when=NOW + 60), act()]), (NOW + 60, [witness(other)]))
    yield "start-of-another", file_of(parts=parts), ""
    twin = on_top(base[:2], acts(9, 9, NOW + 70))[2]
    whole = on_top(base, acts(6, 6, NOW + 65), (NOW + 80, [witness(twin)]))
    yield "right-before-the-file", *part(whole, 4)
    early = on_top(base[:2], acts(9, 9, NOW + 65))[2]
    yield "right-before-the-file-same-time", *part(on_top(base, acts(6, 6, NOW + 65), (NOW + 80, [witness(early)])), 4)
    yield "that-the-batch-before-is", *part(on_top(base, acts(6, 6, NOW + 65), (NOW + 80, [witness(base[2])])), 4)
    yield "far-before-the-file", *part(on_top(base, acts(6, 6, NOW + 65), (NOW + 80, [witness(other)])), 4)
    fork = on_top(base[:3], acts(6, 9, NOW + 65))
    yield "first-of-the-file", *part(on_top(base, acts(6, 6, NOW + 65), (NOW + 80, [witness(fork[3])])), 4)
    late = on_top(base[:3], acts(6, 9, NOW + 66))
    yield "first-of-the-file-later", *part(on_top(base, acts(6, 6, NOW + 65), (NOW + 80, [witness(late[3])])), 4)
    yield "batch-1", file_of(parts=on_top(base, (NOW + 60, [witness(batches([begin(NOW - 1)])[0])]))), ""
    yield "of-itself-to-come", file_of(parts=on_top(base, (NOW + 60, [witness(later[0], digest=bytes(32))]))), ""
    yield "header-malformed", file_of(parts=on_top(base, (NOW + 60, [note(28, bytes(172), b"")]))), ""


def restored_cases():
    base = batches([begin(), acts(1, 3), acts(4, 5, NOW + 60)])
    at = NOW + 100
    good = header_hash(base[2])

    def after(*entries, parts=None):
        return file_of(parts=on_top(parts or base, (at, list(entries)))), ""
    yield "time-of-another", *after(restored(3, good, 5, when=at))
    yield "twice-in-one-batch", *after(restored(3, good, NOW + 60, when=at), restored(3, good, NOW + 60, when=at))
    yield "number-0", *after(restored(0, bytes(32), 0, 3, when=at))
    yield "number-0-cause-1", *after(restored(0, bytes(32), 0, 1, when=at))
    yield "cause-3-that-fits", *after(restored(3, good, NOW + 60, 3, when=at))
    yield "number-ahead", *after(restored(9, good, NOW + 60, when=at))
    yield "itself", *after(restored(4, good, NOW + 60, when=at))
    yield "a-false-one-again", *after(restored(2, good, NOW + 60, when=at), restored(2, good, NOW + 60, when=at))
    yield "hash-false-then-true", *after(restored(3, bytes(32), NOW + 60, when=at), restored(3, good, NOW + 60, when=at))
    yield "in-batch-1", file_of([(at, [restored(0, bytes(32), 0, 3, when=at), start(at), entered(CERT, when=at)])]), ""
    yield "in-batch-1-cause-1", file_of([(NOW, [restored(0, bytes(32), 9, 1), start(), entered(CERT)])]), ""
    yield "in-batch-1-number-1", file_of([(NOW, [restored(1, bytes(32), 0, 1), start(), entered(CERT)])]), ""
    whole = on_top(base, (at, [restored(3, good, NOW + 60, when=at)]), (at, [restored(2, header_hash(base[1]), NOW, when=at)]),
                   (at, [restored(0, bytes(32), 0, 3, when=at)]))
    yield "of-part-right-before", *part(whole, 4)
    yield "of-part-before", *part(whole, 5)
    yield "of-part-number-0", *part(whole, 6)
    false = on_top(base, (at, [restored(3, bytes(32), NOW + 60, when=at)]))
    yield "of-part-right-before-false", *part(false, 4)
    lost = on_top(base, acts(6, 9, at - 5))
    for name, when in ("before", at - 6), ("same", at - 5):
        parts = on_top(base, (at, [restored(3, good, NOW + 60, when=when)]), (at, [witness(lost[3])]))
        yield f"time-{name}-the-lost", file_of(parts=parts), ""
    parts = on_top(base, (at, [witness(lost[3]), restored(3, good, NOW + 60, when=at)]))
    yield "behind-the-witness", file_of(parts=parts), ""
    parts = on_top(base, (at, [restored(3, good, NOW + 60, when=at)]), (at, [witness(on_top(base[:2], acts(8, 9, at - 5))[2])]))
    yield "number-of-the-restored-itself", file_of(parts=parts), ""
    parts = on_top(base, (at, [restored(3, bytes(32), NOW + 60, when=at)]), (at, [witness(lost[3])]))
    back = (at, [restored(3, good, NOW + 60, when=at), start(at)])
    parts = on_top(base, back)
    yield "a-witness-of-a-batch-that-is-there", file_of(parts=on_top(parts, (at, [witness(parts[3])]))), ""
    yield "true-after-a-false-one", file_of(parts=on_top(base[:2], (at, [restored(3, bytes(32), NOW, when=at)]), back, (at, [witness(lost[3])]))), ""
    parts = on_top(base, (at, [restored(3, bytes(32), NOW + 60, when=at)]), (at, [witness(lost[3])]))
    yield "false-explains-nothing", file_of(parts=parts), ""
    many = [restored(3, good, NOW + 60, when=at) for _ in range(18)]
    yield "eighteen", *after(*many)


def clock_cases():
    yield "in-batch-1", file_of([(NOW, [clock(NOW + 100, NOW), start(), entered(CERT)])]), ""
    yield "in-batch-1-of-0", file_of([(NOW, [clock(NOW, NOW).replace(u(8, NOW) + u(8, 0), bytes(16)), start(), entered(CERT)])]), ""
    whole = batches([begin(), acts(1, 3, NOW + 500), (NOW, [clock(NOW + 500, NOW)]), acts(4, 5)])
    yield "in-the-first-of-a-part", *part(whole, 3)
    yield "twice", file_of([begin(), acts(1, 3, NOW + 500), (NOW, [clock(NOW + 500, NOW), clock(NOW + 500, NOW)])]), ""
    yield "not-first", file_of([begin(), acts(1, 3, NOW + 500), (NOW, [act(client=9), clock(NOW + 500, NOW)])]), ""
    yield "nothing-went-back", file_of([begin(), acts(1, 3), (NOW, [clock(NOW, NOW)])]), ""
    yield "seconds-false", file_of([begin(), acts(1, 3), (NOW - 90, [note(30, u(8, NOW) + u(8, 7), b"", when=NOW - 90)])]), ""
    yield "two-steps", file_of([begin(), acts(1, 3, NOW - 61), acts(4, 5, NOW - 121), acts(6, 6, NOW - 182)]), ""
    yield "first-of-a-part-is-before-nothing", *part(batches([begin(), acts(1, 3, NOW + 500), acts(4, 5)]), 3)


def mark_cases():
    name = commitments(NAMES._replace(name="other"))[0]
    place = commitments(NAMES._replace(source=bytes(10) + b"\xff\xff\xc0\0\2\2"))[2]
    theirs = {"key_id": STRANGER.id}

    def said(*entries):
        return file_of([begin(), (NOW, list(entries))]), ""
    yield "of-another-publisher", *said(act(flags=2, **theirs), act(client=2, flags=4, **theirs), act(client=3, flags=0x80, **theirs))
    yield "names-of-another-publisher", *said(act(**theirs), act(sequence=2, name=name, source=place, **theirs))
    yield "names-of-two-publishers", *said(act(**theirs), act(sequence=2, name=name, source=place))
    yield "names-of-two-publishers-and-back", *said(act(), act(sequence=2, name=name, source=place, **theirs), act(sequence=3))
    yield "names-there-and-back", *said(act(), act(sequence=2, name=name, source=place), act(sequence=3))
    yield "name-of-a-refusal", *said(act(), act(4, sequence=2, name=name))
    yield "name-of-a-release", *said(act(), act(3, sequence=2, name=name))
    yield "name-of-two-products", *said(act(), act(sequence=2, name=name, product=OTHER))
    yield "user-of-another", *said(act(), act(sequence=2, user=b"\3" * 16))
    yield "clone-of-a-refusal", *said(act(4, flags=2))
    yield "all-flags", *said(act(flags=0x86))
    yield "clone-of-two-batches", file_of([begin(), (NOW, [act(flags=2)]), (NOW, [act(flags=2), act(client=2, flags=2)])]), ""
    held = decision(36, value=NOW + 9, through=5)
    yield "held-twice", *said(act(), held, held)
    yield "held-then-seen", *said(held, act())
    yield "held-of-a-refusal", *said(act(4), held)
    yield "held-of-another-publisher", *said(act(**theirs), held)


def capacity_cases():
    def said(*contents, capacity=2, certificates=None, **rest):
        documents = [(1, c) for c in certificates or [certificate(capacity=capacity, products=(PRODUCT, OTHER))]]
        first = (NOW, [start(), *[entered(c) for _, c in documents]])
        return file_of([first, *contents], documents=documents, **rest), ""
    yield "two-pools", *said((NOW, [act(client=n, pool=n % 2) for n in range(1, 6)]))
    yield "two-products", *said((NOW, [act(client=n, product=(PRODUCT, OTHER)[n % 2]) for n in range(1, 6)]))
    yield "of-another-publisher", *said((NOW, [act(client=n, key_id=STRANGER.id) for n in range(1, 6)]))
    yield "beside-another-publisher", *said((NOW, [act(client=n, key_id=STRANGER.id) for n in range(1, 6)] + [act(client=n) for n in range(6, 8)]))
    yield "moved-to-another-publisher", *said((NOW, [act(), act(client=2), act(key_id=STRANGER.id, sequence=2), act(client=3), act(client=4)]))
    yield "moved-to-another-pool", *said((NOW, [act(), act(client=2), act(pool=2, sequence=2), act(client=3), act(sequence=3)]))
    yield "until-0", *said((NOW, [act(client=n, until=0) for n in range(1, 6)]))
    yield "until-0-ends-the-seat", *said((NOW, [act(), act(client=2), act(until=0, sequence=2), act(client=3)]))
    yield "older-act", *said((NOW, [act(sequence=5), act(client=2), act(3, sequence=3), act(client=3)]))
    yield "older-act-of-one-out", *said((NOW, [act(3, sequence=5), act(client=2), act(client=3), act(sequence=3)]))
    yield "revoked", *said((NOW, [act(), act(client=2), decision(32), act(client=3), act(client=4)]))
    yield "revoked-and-asks", *said((NOW, [act(), act(client=2), decision(32), act(sequence=9), act(client=3)]))
    yield "revoked-of-before", *said((NOW, [act(sequence=5), act(client=2), decision(32, through=4), act(client=3), act(client=4)]))
    yield "unrevoked", *said((NOW, [act(), act(client=2), decision(32), decision(33, counter=2), act(client=3), act(sequence=2)]))
    yield "unrevoked-of-before", *said((NOW, [act(sequence=5), act(client=2), decision(32, counter=2, through=3), decision(33, through=3), act(client=3)]))
    back = [act(sequence=5), act(client=2), decision(32, through=3), act(client=3), decision(33, counter=2, through=3), act(client=4), act(sequence=6)]
    yield "unrevoked-with-its-seat", *said((NOW, back))
    yield "released", *said((NOW, [act(), act(client=2), act(3, sequence=2), act(client=3), act(sequence=3)]))
    yield "refused", *said((NOW, [act(), act(client=2), act(4, sequence=2), act(client=3)]))
    yield "forgotten-in-advance", *said((NOW, [decision(34, through=2**62), act(sequence=2**62), act(2, sequence=7, required=25)]))
    yield "forgotten-and-above", *said((NOW, [act(), decision(34), act(sequence=2)]))
    yield "unrevoked-in-advance", *said((NOW, [decision(33, through=9), act(sequence=9), act(client=2, sequence=9)]))
    yield "reclaimed-in-advance", *said((NOW, [decision(35, through=9, other=b"\3" * 16), act(sequence=9)]))
    yield "revoked-and-seen", *said((NOW, [act(), decision(32), act(2, sequence=9, required=25), act(4, sequence=10), act(3, sequence=11)]))
    yield "revoked-late-of-another-publisher", *said((NOW, [act(key_id=STRANGER.id, sequence=4), decision(32, through=3)]))
    yield "revoked-late-before-it-is-ours", *said((NOW, [act(key_id=STRANGER.id, sequence=4), decision(34, through=3), act(sequence=5), decision(34, through=4)]))
    yield "revoked-for-another-publisher", *said((NOW, [decision(32, through=9), act(key_id=STRANGER.id, sequence=4)]))
    yield "below-another-publishers", *said((NOW, [act(key_id=STRANGER.id, sequence=9), act(sequence=4)]))
    yield "below-its-own", *said((NOW, [act(sequence=9), act(sequence=9), act(sequence=4), act(client=2, sequence=4, until=0), act(client=2, sequence=3)]))
    yield "held-in-advance", *said((NOW, [decision(36, value=NOW + 9, through=9), act(sequence=4), act(4, sequence=8), act(sequence=5)]))
    waits = [decision(32, through=0), act(sequence=3), act(client=2), decision(33, counter=2, through=0), act(client=3)]
    yield "unrevoked-with-a-seat-of-meanwhile", *said((NOW, waits))
    yield "reclaimed", *said((NOW, [act(), act(client=2), decision(35, other=b"\3" * 16), act(client=3)]))
    yield "held-and-erased", *said((NOW, [act(), act(client=2), decision(36, value=NOW + 9), decision(37, value=NOW, through=0), act(client=3)]))
    soon = NOW // 60 + 2
    yield "minute-before-the-end", *said((NOW, [act(client=n, width=1, until=soon) for n in (1, 2)]), acts(3, 3, NOW + 119 - NOW % 60))
    yield "minute-of-the-end", *said((NOW, [act(client=n, width=1, until=soon) for n in (1, 2)]), acts(3, 3, NOW + 120 - NOW % 60))
    yield "back-after-the-end", *said((NOW, [act(client=n, width=1, until=soon) for n in (1, 2)]), acts(3, 4, NOW + 200), acts(1, 1, NOW + 200, sequence=2))
    yield "time-goes-back", *said(acts(1, 2, NOW + 60), acts(3, 3, NOW + 60), acts(4, 4, NOW))
    yield "seen-then-lease", *said((NOW, [act(2, client=n, required=25) for n in (1, 2, 3)] + [act(client=n, sequence=2) for n in (1, 2, 3)]))
    one, more = (certificate(serial=n, capacity=c, issued=i) for n, c, i in ((1, 2, NOW), (2, 9, NOW + FAR)))
    yield "issued-4-hours-later", *said(acts(1, 3), certificates=[one, more])
    yield "issued-later", *said(acts(1, 3), certificates=[one, certificate(serial=2, capacity=9, issued=NOW + FAR + 1)])
    yield "without-limit", *said(acts(1, 3), certificates=[one, certificate(serial=2)])
    yield "smaller-later", *said(acts(1, 3), certificates=[certificate(serial=1, capacity=9), certificate(serial=2, capacity=1)])
    yield "of-another-product", *said(acts(1, 3), certificates=[one, certificate(serial=2, capacity=9, products=(OTHER,))])
    yield "no-certificate-then", *said(acts(1, 3), certificates=[certificate(capacity=1, begins=5, ends=9)])
    yield "no-certificate-yet", *said(acts(1, 3), certificates=[certificate(capacity=1, begins=NOW + 1)])
    yield "last-second", *said(acts(1, 3), certificates=[certificate(capacity=2, ends=NOW)])
    yield "flag-above-the-capacity", *said(acts(1, 3, flags=0x10))
    small = certificate(capacity=2)
    for name, entry in ("until-0", act(client=7, count=3, until=0)), ("seen", act(2, client=7, count=3, required=25)), ("one-twice", act(client=2, count=3)):
        parts = batches([(NOW, [start(), entered(small)]), acts(1, 2), (NOW, [entry, act(client=2, count=2)])])
        yield f"in-a-part-{name}", file_of(parts=parts[2:], first=3, period=BEFORE_ALL, documents=[(1, small)]), f"--last 2:{hash_of(parts[1])}"
    parts = batches([(NOW, [start(), entered(small)]), acts(1, 2), (NOW, [decision(34, through=9), act(sequence=9), act(client=2, sequence=9)])])
    yield "in-a-part-forgotten-in-advance", file_of(parts=parts[2:], first=3, period=BEFORE_ALL, documents=[(1, small)]), f"--last 2:{hash_of(parts[1])}"
    old = certificate(publisher=BEFORE, capacity=2)
    turn = rotation(BEFORE, PUBLISHER)
    yield ("keys-of-one-chain", file_of([(NOW, [start(), entered(old), entered(turn, 25)]), acts(1, 2, key_id=BEFORE.id), acts(3, 4)],
           documents=[(1, old), (2, turn)]), "")
    yield ("keys-of-one-chain-moves", file_of([(NOW, [start(), entered(old), entered(turn, 25)]), acts(1, 2, key_id=BEFORE.id), acts(1, 2, sequence=2)],
           documents=[(1, old), (2, turn)]), "")


def many(first, last, base=5000, when=NOW, step=1, **changes):
    return (when, [act(when=when, cmid=b"many" + u(12, n), width=1, until=NOW // 60 + base + step * n, **changes) for n in range(first, last)])


def recount_cases():
    eight = [many(1000 * n, 1000 * n + 1000) for n in range(8)]

    def said(*contents, capacity=100000):
        c = certificate(capacity=capacity)
        return file_of([(NOW, [start(), entered(c)]), *contents], documents=[(1, c)]), ""
    yield "8192", *said(*eight, many(8000, 8192))
    yield "8193", *said(*eight, many(8000, 8193))
    yield "8193-without-limit", *said(*eight, many(8000, 8193), capacity=0)
    yield "of-another-publisher", *said(*(many(1000 * n, 1000 * n + 1000, key_id=STRANGER.id) for n in range(9)))
    yield "of-two-pools", *said(*(many(1000 * n, 1000 * n + 1000, pool=n % 2) for n in range(9)))
    yield "one-value-again", *said(*eight, many(8000, 8192), many(9000, 9010, step=0))
    yield "of-those-who-left", *said(*eight, many(8000, 8192), (NOW, [act(3, cmid=b"many" + u(12, n), sequence=2) for n in range(5)]), many(9000, 9010))
    late = NOW + 60 * 5100
    yield "values-that-passed", *said(*eight, many(8000, 8192), many(9000, 9050, when=late))
    yield "values-that-passed-and-more", *said(*eight, many(8000, 8192), many(9000, 9150, when=late))
    c = certificate(capacity=100000)
    whole = batches([(NOW, [start(), entered(c)]), *eight, many(8000, 8200)])
    yield "of-a-part", file_of(parts=whole[1:], first=2, period=BEFORE_ALL, documents=[(1, c)]), f"--last 1:{hash_of(whole[0])}"


def pack_cases():
    pack = PACK % ("capacity = 3\n", 3, "30d")
    free = PACK % ("", 1, "30d")

    def said(text, *contents, documents=None, key=PUBLISHER, **rest):
        return file_of(list(contents), documents=documents, **rest), "", text, key
    yes = begin(NOW, policy(pack))
    yield "exactly", *said(free, begin(NOW, policy(free)), (NOW, [act(expires=NOW + 30 * DAY)]))
    yield "seen", *said(pack, yes, (NOW, [act(2, count=1, required=3), act(2, client=2, count=2, required=2)]))
    yield "another-product", *said(pack, yes, (NOW, [act(product=OTHER, expires=NOW + 60 * DAY, count=2, required=2)]))
    yield "another-product-over", *said(pack, yes, (NOW, [act(client=n, product=OTHER, count=3, required=3) for n in range(1, 5)]))
    yield "another-pool-number", *said(pack, yes, (NOW, [act(client=n, pool=2, count=3, required=3) for n in range(1, 5)]))
    yield "another-publishers-lease", *said(pack, yes, (NOW, [act(key_id=STRANGER.id, expires=NOW + 60 * DAY)]))
    parts = batches([yes, acts(1, 3, count=1)])
    yield "of-a-part-behind-its-policy", *part(parts, 2), pack, PUBLISHER
    small = certificate(capacity=3)
    first = (NOW, [start(), entered(small), policy(pack)])
    yield "lower-than-the-certificate", *said(pack, first, acts(1, 4, count=3, required=3), documents=[(1, small)])
    less = certificate(capacity=1)
    yield "higher-than-the-certificate", *said(pack, (NOW, [start(), entered(less), policy(pack)]), acts(1, 4, count=3, required=3), documents=[(1, less)])
    yield "of-the-key-before", *said(pack, begin(NOW, policy(pack, publisher=BEFORE), entered(rotation(BEFORE, PUBLISHER), 25)), acts(1, 1),
                                     documents=[(1, CERT), (2, rotation(BEFORE, PUBLISHER))])
    yield "signed-by-the-key-before", *said(pack, begin(NOW, policy(pack), entered(rotation(BEFORE, PUBLISHER), 25)), acts(1, 1),
                                            documents=[(1, CERT), (2, rotation(BEFORE, PUBLISHER))], key=BEFORE)
    yield "signed-by-a-stranger", *said(pack, yes, acts(1, 1), key=STRANGER)
    yield "in-the-same-batch", *said(pack, begin(NOW, act(client=1), policy(pack), act(client=2)))


def document_cases():
    one, two = rotation(BEFORE, PUBLISHER), rotation(PUBLISHER, AFTER, NOW + 1, NOW + DAY)
    three = rotation(AFTER, STRANGER, NOW + 2, NOW + 2 * DAY)
    second, third = certificate(serial=2), certificate(serial=3, host=HOST2)

    def said(entries, documents, **rest):
        return file_of([(NOW, [start(), *entries]), acts(1, 2)], documents=documents, **rest), ""
    all_three = [entered(CERT), *(entered(s, 25) for s in (one, two, three))]
    yield "three-in-order", *said(all_three, [(1, CERT), (2, one), (2, two), (2, three)])
    yield "three-last-first", *said(all_three, [(1, CERT), (2, three), (2, one), (2, two)])
    yield "three-repeated-and-exchanged", *said(all_three, [(1, CERT), (2, two), (2, one), (2, two), (2, three), (2, three)])
    yield "two-left-out", *said(all_three, [(1, CERT), (2, one)])
    yield "two-left-out-last-first", *said([*all_three[:2], all_three[3], all_three[2]], [(1, CERT), (2, one)])
    yield "all-left-out", *said(all_three, [(1, CERT)])
    yield "left-out-twice", *said([*all_three, entered(two, 25), entered(second), entered(second)], [(1, CERT), (2, one)])
    yield "another-for-one-key", *said([*all_three, entered(rotation(PUBLISHER, STRANGER), 25)], [(1, CERT), (2, one), (2, two), (2, three)])
    yield "entry-of-no-rotation", *said([entered(CERT), note(25, bytes(232))], [(1, CERT)])
    yield "entry-of-no-certificate", *said([entered(CERT), note(18, b"x")], [(1, CERT)])
    yield "entry-of-another-host", *said([entered(CERT), entered(third)], [(1, CERT)])
    yield "entry-of-a-later-key", *said([entered(CERT), entered(certificate(publisher=AFTER, serial=2)), entered(two, 25)], [(1, CERT)])
    yield "put-in-one-repeated", *said([entered(CERT)], [(1, CERT), (2, one), (2, one)])
    yield "put-in-two", *said([entered(CERT)], [(1, CERT), (1, second), (2, one)])
    yield "put-in-and-ended", *said([entered(CERT)], [(1, CERT), (1, second), (2, one)], period=(0, 2**64 - 2))
    parts = batches([begin(), acts(1, 2), (NOW, [entered(second), entered(one, 25)])])
    yield "left-out-of-a-part", *part(parts, 3)
    late = NOW + FAR + 1
    two_issued = [certificate(issued=late), certificate(serial=2, issued=NOW)]
    yield "begun-anew-after-the-second", file_of([(late, [start(late), *(entered(c, when=late) for c in two_issued)])],
                                                 documents=[(1, c) for c in two_issued]), ""
    only = batches([begin(late), acts(1, 2, late)])
    yield "begun-anew-is-of-batch-1", *part(only, 2)


def lease_cases():
    base = batches([begin(), acts(1, 3), acts(4, 5, NOW + 60)])
    lost_acts = acts(6, 9, NOW + 100)
    lost = on_top(base, lost_acts)
    on = on_top(base, acts(7, 7, NOW + 200))
    good = lease_of(lost[3], lost_acts)
    yield "cut", file_of(parts=on), "", good[:-1]
    yield "longer", file_of(parts=on), "", good + b"x"
    yield "no-lease", file_of(parts=on), "", b"something else"
    yield "version", file_of(parts=on), "", b"KMSLEAS9" + good[8:]
    yield "signature", file_of(parts=on), "", good.replace(lost[3][112:176], bytes(64))
    yield "stranger", file_of(parts=on), "", lease_of(lost[3], lost_acts, cert=certificate(publisher=STRANGER))
    yield "not-covered", file_of(parts=on), "", lease_of(lost[3], lost_acts, cert=certificate(products=(OTHER,)))
    yield "beyond-its-certificate", file_of(parts=on), "", lease_of(lost[3], lost_acts, cert=certificate(ends=NOW + 200))
    seen = acts(6, 9, NOW + 100, kind=2, required=25)
    yield "of-seen", file_of(parts=on), "", lease_of(on_top(base, seen)[3], seen)
    old = acts(6, 9, 1000000000)
    yield "ended-long-ago", file_of(parts=on), "", lease_of(on_top(base, old)[3], old, cert=certificate(begins=5))
    yield "twice", file_of(parts=on), "", good, good
    yield "of-all-places", *part(on, 4), good, foreign_lease(), lease_of(base[1], acts(1, 3)), lease_of(base[2], acts(4, 5, NOW + 60)), lease_of(on[3], acts(7, 7, NOW + 200))
    at = NOW + 300
    said = on_top(base, (at, [restored(3, header_hash(base[2]), NOW + 60, when=at), start(at)]))
    yield "restored-and-of-the-last-that-is-left", file_of(parts=said), "", good, lease_of(base[2], acts(4, 5, NOW + 60))
    yield "restored-of-a-part", *part(said, 4), good
    turn = rotation(PUBLISHER, AFTER)
    full = (NOW, [start(), entered(CERT), entered(turn, 25)])
    rotated = batches([full, acts(1, 3), acts(4, 5, NOW + 60)])
    mine = lease_of(on_top(rotated, lost_acts)[3], lost_acts, cert=certificate(publisher=AFTER))
    yield "of-a-later-key", file_of(parts=rotated, documents=[(1, CERT), (2, turn)]), "", mine
    yield "of-a-later-key-that-it-brings", file_of(parts=base), "", mine[:8] + u(1, 1) + turn + mine[9:]
    yield "with-a-strange-rotation", file_of(parts=on), "", good[:8] + u(1, 1) + rotation(STRANGER, AFTER) + good[9:]
    many_acts = [acts(6, 9, NOW + 100 + n) for n in range(20)]
    yield "twenty", file_of(parts=on), "", *(lease_of(on_top(base, a)[3], a) for a in many_acts)


def figure_cases():
    """Days, and who counts and holds a lease at the end of each."""
    def day(n, *entries, seconds=0):
        when = NOW + n * DAY + seconds
        return when, [e(when) for e in entries]

    def new(client, **changes):
        return lambda when: act(when=when, client=client, **changes)

    def gone(kind, **changes):
        return lambda when: decision(kind, when=when, **changes)

    def said(*contents, arguments=""):
        return file_of([begin(), *contents]), arguments
    life = (day(0, new(1), new(2)), day(1, new(3)), day(2, new(3, kind=3, sequence=2), new(4, pool=2)), day(40, new(1, sequence=2)), day(80, new(5)))
    yield "of-a-life", *said(*life)
    for name, first, last in ("within", 1, 2), ("after-some", 20, 50), ("before-all", -9, -1), ("to-come", 90, 99), ("the-end", 31, 99):
        yield f"of-a-life-{name}", *said(*life, arguments=f"--from {stamp(NOW + first * DAY)} --to {stamp(NOW + last * DAY)}")
    yield "at-the-first-second", *said((NOW - NOW % DAY + DAY, [act(when=NOW - NOW % DAY + DAY)]), (NOW + 9 * DAY, [start(NOW + 9 * DAY)]))
    yield "at-the-last-second", *said((NOW - NOW % DAY + DAY - 1, [act(when=NOW - NOW % DAY + DAY - 1)]), (NOW + 9 * DAY, [start(NOW + 9 * DAY)]))
    midnight = NOW - NOW % DAY + 2 * DAY
    for name, ends in ("before", midnight - 1), ("at", midnight), ("behind", midnight + 1):
        yield f"lease-ends-{name}-midnight", *said((NOW, [act(expires=ends, renew_after=0)]), (midnight + DAY, [start(midnight + DAY)]))
        yield f"count-ends-{name}-midnight", *said((NOW, [act(width=1, until=midnight // 60 + ends - midnight)]), (midnight + DAY, [start(midnight + DAY)]))
    yield "moved-to-another-pool", *said(day(0, new(1)), day(1, new(1, pool=2, sequence=2)), day(2, new(1, sequence=3)))
    yield "seen-in-another-pool", *said(day(0, new(1)), day(1, new(1, pool=2, sequence=2, kind=2, required=25)))
    yield "moved-to-another-publisher", *said(day(0, new(1)), day(1, new(1, key_id=STRANGER.id, sequence=2)))
    yield "seen-by-another-publisher", *said(day(0, new(1)), day(1, new(1, key_id=STRANGER.id, sequence=2, kind=2, required=25)))
    yield "released-to-another-publisher", *said(day(0, new(1)), day(1, new(1, key_id=STRANGER.id, sequence=2, kind=3)))
    yield "refused-by-another-publisher", *said(day(0, new(1)), day(1, new(1, key_id=STRANGER.id, sequence=2, kind=4)))
    yield "released-and-back", *said(day(0, new(1)), day(1, new(1, kind=3, sequence=2)), day(2, new(1, sequence=3)))
    yield "forgotten", *said(day(0, new(1)), day(1, gone(34)), day(2, new(1, sequence=2)))
    yield "revoked", *said(day(0, new(1)), day(1, gone(32)), day(2, gone(33, counter=2)), day(3, new(1, sequence=2)))
    yield "forgotten-through-more", *said(day(0, gone(34, through=9)), day(1, new(1, sequence=5)))
    yield "revoked-through-less", *said(day(0, new(1, sequence=5)), day(1, gone(32, through=3)), day(3, gone(33, counter=2, through=3)), day(4, new(2)))
    yield "revoked-and-served", *said(day(0, gone(32)), day(1, new(1, sequence=5)), day(3, gone(33, counter=2)), day(4, new(1, sequence=6)))
    yield "last-day-before-the-first", file_of([begin(NOW + 3 * DAY), (NOW, [act()])]), ""
    yield "held", *said(day(0, new(1)), day(1, gone(36, value=NOW + 9 * DAY)), day(2, new(1, kind=4, status=11, sequence=2)))
    yield "older-lease-later", *said(day(0, new(1, sequence=5)), day(1, new(1, sequence=3, pool=2)))
    yield "older-release-later", *said(day(0, new(1, sequence=5)), day(1, new(1, sequence=3, kind=3)))
    yield "of-one-number", *said(day(0, new(1)), day(1, new(1, pool=2)), day(2, new(2)))
    yield "of-one-number-and-day", *said(day(0, new(1, pool=2), new(1)))
    yield "release-of-one-number", *said(day(0, new(1)), day(1, new(1, kind=3)))
    yield "one-day-in-two-orders", *said(day(1, new(1, sequence=2), seconds=50), day(1, new(1, pool=2), seconds=20))
    yield "pool-65535", *said(day(0, new(1, pool=65535), new(2, pool=0)))
    yield "seen-first", *said(day(0, new(1, kind=2, required=25)), day(1, new(1, sequence=2)))
    yield "seen-later", *said(day(0, new(1)), day(1, new(1, sequence=2, kind=2, required=25)))
    yield "shorter-lease-later", *said(day(0, new(1)), day(1, new(1, sequence=2, expires=NOW + 3 * DAY, renew_after=0)), day(9, new(2)))
    yield "time-goes-back", *said(day(5, new(1)), day(2, new(2)), day(7, new(3)))
    yield "dated-back-in-its-batch", *said((NOW + DAY, [act(when=NOW + DAY - 3 * 3600), act(when=NOW + DAY + 3 * 3600, client=2)]))
    yield "dated-behind-the-last-batch", *said((NOW, [act(when=NOW + 16 * 3600)]))
    yield "only-refused", *said(day(0, new(1, kind=4)))
    yield "only-released", *said(day(0, new(1, kind=3)))
    yield "only-decided", *said(day(0, gone(34)))
    yield "that-never-counts", *said(day(0, new(1, until=0)))
    parts = batches([begin(), *life])
    yield "of-a-part", *part(parts, 4)


def other_cases():
    whole = [begin(), acts(1, 3), acts(4, 5, NOW + 60), acts(6, 6, NOW + 90)]
    parts = batches(whole)
    yield "known-within-the-file", file_of(parts=parts[1:], first=2, period=BEFORE_ALL), f"--last 3:{hash_of(parts[2])}"
    yield "known-within-the-whole", file_of(whole), f"--last 3:{hash_of(parts[2])}"
    yield "not-proved-with-findings", file_of(parts=parts[2:], first=3, period=(9, 8)), ""
    yield "one-batch-of-a-part", file_of(parts=parts[3:], first=4, period=(5, 9)), f"--last 3:{hash_of(parts[2])}"
    yield "two-batches-of-a-part", file_of(parts=parts[2:], first=3, period=(5, 9)), f"--last 2:{hash_of(parts[1])}"
    yield "threshold-of-another-publisher", file_of([begin(), (NOW, [act(key_id=STRANGER.id, count=1, required=5)])]), ""
    yield "threshold-of-seen", file_of([begin(), (NOW, [act(2, count=1, required=5)])]), ""
    yield "threshold-0", file_of([begin(), (NOW, [act(count=0, required=0)])]), ""
    yield "not-covered-outside-the-period", file_of([begin(), (NOW, [act(product=OTHER)])]), f"--from {stamp(NOW + 1)}"
    yield "not-covered-of-another-publisher", file_of([begin(), (NOW, [act(product=OTHER, key_id=STRANGER.id)])]), ""
    two = [certificate(ends=NOW + 10 * DAY), certificate(serial=2, begins=NOW + 5 * DAY)]
    yield ("not-covered-by-two-halves", file_of([(NOW, [start(), *map(entered, two)]), acts(1, 1), acts(2, 2, NOW + 5 * DAY)],
           documents=[(1, c) for c in two]), "")


def cases(directory):
    """(name, arguments, octets)"""
    def put(name, octets):
        path = os.path.join(directory, name)
        with open(path, "wb") as f:
            f.write(octets)
        return path
    groups = {"witness": witness_cases, "restored": restored_cases, "clock": clock_cases, "mark": mark_cases, "capacity": capacity_cases,
              "recount": recount_cases, "documents": document_cases, "figures": figure_cases, "other": other_cases}
    for group, make in groups.items():
        for name, octets, arguments in make():
            yield f"{group}-{name}", arguments, octets
    for name, octets, arguments, text, key in pack_cases():
        pack = put(f"{name}.kmspolicy", text.encode())
        put(f"{name}.kmspolicy.minisig", minisig(text, key).encode())
        yield f"pack-{name}", f"{arguments} --policy {pack}", octets
    for name, octets, arguments, *leases in lease_cases():
        files = [put(f"{name}-{n}.lease", lease) for n, lease in enumerate(leases)]
        yield f"lease-{name}", " ".join([arguments, *(f"--lease {path}" for path in files)]), octets


def main():
    print(PUBLISHER.line())
    for name, arguments, octets in cases(sys.argv[1]):
        with open(os.path.join(sys.argv[1], name + ".kmsaudit"), "wb") as f:
            f.write(octets)
        print(name, arguments)


if __name__ == "__main__":
    main()
