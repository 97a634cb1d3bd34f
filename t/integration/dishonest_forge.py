#!/usr/bin/env python3
"""A table of audit files that a customer could make: the way a dishonest one would, or the way accidents do, with what kmsissue audit
verify must say of each. The keys of publisher and host are this program's own, so that a host can sign whatever is wanted.

    dishonest_forge.py DIRECTORY    writes the files, and prints one JSON object a line: the publisher's key, then a line for each case"""

import base64
import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "independent"))
import several_forge
from audit_forge import (AFTER, ASIDE, BEFORE, DAY, FAR, HOST, HOST2, NAMES, NOW, OTHER, PRODUCT, PUBLISHER, START, act, audit_file,
                         batches, certificate, decision, hash_of, note, rotation, stamp)
from several_forge import PACK
from kms_wire import (Bundle, commitments, host_id_of, leaf_hash, merkle_path, u, write_aside, write_bundle, write_lease_file)

FOREVER = (0, 2**64 - 1)
CERT = certificate()


# What a host writes -----------------------------------------------------------------------------

def entered(octets, kind=18, when=NOW):
    """The journal's own entry of a document."""
    return note(kind, octets, b"", when=when, digest=hashlib.sha256(octets).digest() if kind == 18 else bytes(32))


def policy(text, when=NOW, publisher=PUBLISHER):
    return note(19, b"", b"forged 1.0", publisher.id + bytes(8), hashlib.sha256(text.encode()).digest(), when=when)


def restored(number, digest, time, cause=1, when=NOW):
    return note(29, u(8, number) + u(8, time) + u(1, cause), b"", host_id_of(HOST.public), digest, when=when)


def witness(part, when=NOW, digest=None, signature=None):
    """A client knows the header of that batch."""
    header = part[4:112]
    return note(28, header + (signature or part[112:176]), b"", b"\1" * 16, digest or hashlib.sha256(header).digest(), when=when)


def clock(before, now):
    return note(30, u(8, before) + u(8, before - now), b"", host_id_of(HOST.public), when=now)


def start(when=NOW):
    return note(16, HOST.public, b"kmsd 1.0", host_id_of(HOST.public), when=when)


def begin(when=NOW, *more):
    return (when, [start(when), entered(CERT, when=when), *more])


def acts(first, last, when=NOW, **changes):
    """A batch with a lease for each of these clients."""
    return (when, [act(when=when, client=n, **changes) for n in range(first, last + 1)])


def file_of(contents=None, parts=None, first=1, period=FOREVER, documents=None, **rest):
    return audit_file(contents=contents, parts=parts, first=first, period=period, documents=documents or [(1, CERT)], **rest)


def header_hash(part):
    return hashlib.sha256(part[4:112]).digest()


def on_top(parts, *contents):
    """The same chain, gone on from there."""
    number = len(parts) + 1
    return parts + batches(contents, first=number, before=header_hash(parts[-1]))


def lease_of(part, contents, index=0, cert=CERT):
    """The file that kmsclient export-lease would write for that entry."""
    entries = [i if isinstance(i, bytes) else i[0] for i in contents[1]]
    hashes = [leaf_hash(e) for e in entries]
    bundle = Bundle(entries[index], part[4:112], part[112:176], index, merkle_path(hashes, index), b"")
    return write_lease_file(cert, write_bundle(bundle))


def minisig(text, key=PUBLISHER):
    signature = key.sign(hashlib.blake2b(text.encode()).digest())
    comment = "forged"
    return (f"untrusted comment: x\n{base64.b64encode(b'ED' + key.id + signature).decode()}\ntrusted comment: {comment}\n"
            f"{base64.b64encode(key.sign(signature + comment.encode())).decode()}\n")


# The cases --------------------------------------------------------------------------------------

class Cases:
    def __init__(self, directory):
        self.directory, self.made = directory, []

    def put(self, name, octets):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as f:
            f.write(octets if isinstance(octets, bytes) else octets.encode())
        return path

    def case(self, row, name, octets, found=(), exit=None, args=(), leases=(), pack=None, status=None, **also):
        """found: "grade kind batch count", in the order of kmsissue; also: other members of its answer."""
        path = self.put(name + ".kmsaudit", octets)
        args = list(args)
        for n, lease in enumerate(leases):
            args += ["--lease", self.put(f"{name}-{n}.lease", lease)]
        if pack:
            args += ["--policy", self.put(name + ".kmspolicy", pack)]
            self.put(name + ".kmspolicy.minisig", minisig(pack))
        if exit is None:
            exit = 3 if any(f.startswith(("contradiction", "unexplained")) for f in found) else 0
        self.made.append({"row": row, "name": name, "file": path, "args": args, "exit": exit, "found": list(found),
                          "status": status or ("KMS_OK" if exit != 1 else None), "also": also})


def honest(c):
    """What no honest host is blamed for."""
    whole = [begin(), acts(1, 4), (NOW + 60, [decision(34), decision(37, value=NOW, through=0)])]
    c.case("-", "honest", file_of(whole), clients=4, worst="none", beginning="batch 1")
    c.case("-", "honest-next-day", file_of([begin(), acts(1, 4), acts(1, 5, NOW + DAY)]), clients=5)
    c.case("-", "honest-clock-a-minute-back", file_of([begin(), acts(1, 2, NOW + 60), acts(3, 4, NOW)]), ["note time-back 3 1"], clients=4)
    c.case("-", "honest-confirmed-four-hours-ago", file_of([begin(NOW + FAR), acts(1, 2, NOW + FAR)]), clients=2)
    two = [(1, CERT), (1, certificate(serial=2, issued=NOW + DAY))]
    c.case("-", "honest-part-without-the-later-certificate", file_of([begin(), acts(1, 2)], documents=two, period=(0, NOW)),
           ["note document-alone 0 1"], args=["--to", stamp(NOW)], clients=2)


def clock_set_back(c):
    """A1: one step of the clock made a batch from before the period, which stood for proof of a complete start."""
    early = NOW - 40 * DAY
    contents = [begin(), acts(1, 40), (early, [start(early)]), acts(41, 44, NOW + 60)]
    parts = batches(contents)
    cut = file_of(parts=parts[2:], first=3, period=(NOW - DAY, 2**64 - 1))
    c.case("A1", "clock-back", file_of(contents), ["unexplained time-back 3 1"], clients=44)
    c.case("A1", "clock-back-cut", cut, args=["--from", stamp(NOW - DAY)], exit=1, status="KMS_E_NOT_PROVED", clients=4,
           beginning="not proved")
    c.case("A1", "clock-back-cut-and-joined", cut, args=["--from", stamp(NOW - DAY), "--last", "2:" + hash_of(parts[1])], clients=4,
           beginning="known batch")
    told = [begin(), acts(1, 40), (early, [clock(NOW, early), start(early)]), acts(41, 44, NOW + 60)]
    c.case("A1", "clock-back-said", file_of(told), ["note time-back 3 1", "note clock 3 1"], clients=44)
    lied = [begin(), acts(1, 40), (early, [clock(NOW + 5, early)]), acts(41, 44, NOW + 60)]
    c.case("A1", "clock-back-said-wrongly", file_of(lied), ["unexplained clock-other 3 1", "note time-back 3 1", "note clock 3 1"])
    late = NOW + 400 * DAY
    ahead = [begin(), acts(1, 4), (late, [start(late)])]
    c.case("A1", "clock-ahead-at-the-end", file_of(ahead), args=["--to", stamp(NOW + DAY)], clients=4, goes_beyond_period=True)
    c.case("A1", "clock-ahead-and-on", file_of([*ahead, acts(5, 9, NOW + 120)]), ["unexplained time-back 4 1"], clients=9)


def copied_back(c):
    """A2: after an audit up to batch 3, the ledger is copied back to it, and 48 clients are forgotten; A6: both go on."""
    audited = batches([begin(), acts(1, 3), acts(4, 6, NOW + 60)])
    last = ["--last", "3:" + hash_of(audited[2])]
    lost_acts = acts(7, 54, NOW + 120)
    lost = on_top(audited, lost_acts, acts(7, 7, NOW + 180, sequence=2))
    on = acts(60, 60, NOW + 240)
    back = on_top(audited, on)
    lease = lease_of(lost[3], lost_acts, 9)
    c.case("A2", "copied-back", file_of(parts=back), args=last, clients=7)
    c.case("A2", "copied-back-lease", file_of(parts=back), ["contradiction lease 0 1"], args=last, leases=[lease])
    newest = lease_of(lost[4], acts(7, 7, NOW + 180, sequence=2))
    c.case("A2", "copied-back-lease-after-the-end", file_of(parts=back), ["unexplained lease 0 1"], args=last, leases=[newest])
    c.case("A2", "copied-back-two-leases", file_of(parts=back), ["contradiction lease 0 1", "unexplained lease 0 1"], args=last,
           leases=[newest, lease])
    seen = on_top(back, (NOW + 300, [witness(lost[3], NOW + 300)]))
    c.case("A2", "copied-back-witness", file_of(parts=seen), ["contradiction witness 5 1"], args=last)
    early = on_top(audited, (NOW + 300, [witness(lost[4], NOW + 300)]))
    c.case("A2", "copied-back-witness-after-the-end", file_of(parts=early), ["unexplained witness 4 1"], args=last)
    c.case("A2", "copied-back-witness-reached", file_of(parts=on_top(early, acts(60, 60, NOW + 360))), ["contradiction witness 4 1"], args=last)
    said = on_top(audited, (NOW + 240, [restored(3, header_hash(audited[2]), NOW + 60, when=NOW + 240), start(NOW + 240)]), on,
                  (NOW + 300, [witness(lost[3], NOW + 300), witness(lost[4], NOW + 300)]))
    c.case("A2", "restored", file_of(parts=said), ["note restored 4 1", "note witness 6 1", "note witness 6 1"], args=last)
    c.case("A2", "restored-lease", file_of(parts=said), ["note restored 4 1", "note witness 6 1", "note witness 6 1", "note lease 0 1"],
           args=last, leases=[lease])
    again = (NOW + 960, [restored(3, header_hash(audited[2]), NOW + 60, when=NOW + 960), start(NOW + 960)])
    twice = on_top(audited, (NOW + 240, [restored(3, header_hash(audited[2]), NOW + 60, when=NOW + 240), start(NOW + 240)]), again)
    c.case("A2", "restored-said-twice", file_of(parts=twice), ["note restored 4 1", "note restored 5 1"], args=last)
    c.case("A2", "restored-said-twice-in-two-files", file_of(parts=twice[4:], first=5, period=(NOW + 961, 2**64 - 1)), ["note restored 5 1"],
           args=["--last", "4:" + hash_of(twice[3])])
    forked = on_top(twice[:4], acts(99, 99, NOW + 700))
    c.case("A2", "restored-said-twice-explains-no-more", file_of(parts=on_top(twice, (NOW + 1000, [witness(forked[4], NOW + 1000)]))),
           ["unexplained witness 6 1", "note restored 4 1", "note restored 5 1"], args=last)
    later = on_top(lost, acts(99, 99, NOW + 900))
    c.case("A2", "restored-and-signed-later", file_of(parts=on_top(said, (NOW + 960, [witness(later[5], NOW + 960)]))),
           ["contradiction witness 7 1", "note restored 4 1", "note witness 6 1", "note witness 6 1"], args=last)
    ahead = NOW + 365 * DAY
    said_ahead = (ahead, [restored(3, header_hash(audited[2]), NOW + 60, when=ahead), start(ahead)])
    twin = on_top(audited, acts(7, 54, NOW + 1000))
    both = on_top(audited, said_ahead, (NOW + 240, [clock(ahead, NOW + 240)]), (NOW + 1100, [witness(twin[3], NOW + 1100)]))
    c.case("A6", "restored-with-the-clock-ahead", file_of(parts=both),
           ["unexplained witness 6 1", "note time-back 5 1", "note clock 5 1", "note restored 4 1"], args=last)
    c.case("A6", "restored-with-the-clock-ahead-lease", file_of(parts=both[:5]),
           ["unexplained lease 0 1", "note time-back 5 1", "note clock 5 1", "note restored 4 1"], args=last,
           leases=[lease_of(twin[3], acts(7, 54, NOW + 1000))])
    meanwhile = on_top(batches([begin(NOW + 100)]), acts(80, 81, NOW + 120))
    other = on_top(batches([begin(NOW + 1)]), acts(80, 81, NOW + 50))
    parts = on_top(audited, (NOW + 240, [restored(3, header_hash(audited[2]), NOW + 60, when=NOW + 240), start(NOW + 240)]),
                   (NOW + 300, [witness(meanwhile[1], NOW + 300)]))
    c.case("-", "begun-anew-and-then-restored", file_of(parts=parts), ["unexplained witness 5 1", "note restored 4 1"], args=last)
    c.case("A6", "both-at-work-before-a-restore", file_of(parts=on_top(parts, (NOW + 360, [witness(other[1], NOW + 360)]))),
           ["contradiction witness 6 1", "unexplained witness 5 1", "note restored 4 1"], args=last)
    step = (NOW + 240, [restored(3, header_hash(audited[2]), NOW + 60, when=NOW + 240), start(NOW + 240)])
    late = on_top(audited, acts(7, 54, NOW + 240))
    c.case("-", "restored-and-the-clock-a-minute-back", file_of(parts=on_top(audited, step, (NOW + 180, [witness(late[3], NOW + 180)]))),
           ["note time-back 5 1", "note restored 4 1", "note witness 5 1"], args=last)
    wide = on_top(audited, on, (NOW + 300, [restored(1, header_hash(audited[0]), NOW, when=NOW + 300)]),
                  (NOW + 360, [witness(lost[3], NOW + 360)]))
    c.case("A2", "restored-to-elsewhere", file_of(parts=wide), ["contradiction restored 5 1", "contradiction witness 6 1"], args=last)
    wrong = on_top(audited, (NOW + 240, [restored(3, b"\7" * 32, NOW + 60, when=NOW + 240)]))
    c.case("A2", "restored-to-another-hash", file_of(parts=wrong), ["contradiction restored 4 1"], args=last)
    c.case("A2", "audited-batch-replaced", file_of(parts=on_top(batches([begin(), acts(1, 3), acts(4, 5, NOW + 60)]), on)), args=last, exit=1,
           status="KMS_E_CHAIN")
    c.case("A6", "first-copy", file_of(parts=lost), clients=54)
    c.case("A6", "second-copy", file_of(parts=back), clients=7)
    c.case("A6", "first-copy-lease-of-the-second", file_of(parts=lost), ["contradiction lease 0 1"], leases=[lease_of(back[3], on)])
    c.case("A6", "lease-in-the-chain", file_of(parts=lost), leases=[lease, newest])
    c.case("A6", "lease-of-another-host", file_of(parts=lost), leases=[foreign_lease()])
    joined = file_of(parts=lost[3:], first=4, period=(NOW + 121, 2**64 - 1))
    c.case("A6", "lease-before-the-file", joined, args=last, leases=[lease_of(audited[1], acts(1, 3))], beginning="known batch")
    c.case("A6", "lease-of-the-batch-before-the-file", joined, args=last, leases=[lease_of(audited[2], acts(4, 6, NOW + 60))])
    twin = on_top(audited[:2], acts(9, 9, NOW + 61))
    c.case("A6", "lease-of-another-batch-before-the-file", joined, ["unexplained lease 0 1"], args=last,
           leases=[lease_of(twin[2], acts(9, 9, NOW + 61))])
    runs(c, audited, last, lost, lease)


def runs(c, audited, last, lost, lease):
    """What a START says: what was signed before it may have been set back there, what was signed after it was not."""
    snapshot = on_top(audited, (NOW + 240, [start(NOW + 240)]), acts(60, 60, NOW + 250))
    c.case("A2", "set-back-lease", file_of(parts=snapshot), ["unexplained lease 0 1"], args=last, leases=[lease])
    told = on_top(snapshot, (NOW + 300, [witness(lost[3], NOW + 300), witness(lost[4], NOW + 300)]))
    c.case("A2", "set-back-witness", file_of(parts=told), ["unexplained witness 6 1", "unexplained witness 6 1"], args=last)
    copy = on_top(audited, (NOW + 60, [start(NOW + 60)]), acts(60, 60, NOW + 250))
    told = on_top(copy, (NOW + 300, [witness(lost[3], NOW + 300)]))
    c.case("A6", "both-at-work-witness", file_of(parts=told), ["contradiction witness 6 1"], args=last)
    late = on_top(told, (NOW + 400, [start(NOW + 400)]))
    c.case("A6", "both-at-work-and-started-again", file_of(parts=late), ["contradiction witness 6 1"], args=last)
    same = on_top(audited, (NOW + 120, [start(NOW + 120)]), acts(60, 60, NOW + 250))
    c.case("A2", "set-back-in-one-second", file_of(parts=same), ["unexplained lease 0 1"], args=last, leases=[lease])
    early = on_top(audited, (NOW + 100, [start(NOW + 100), witness(lost[4], NOW + 300)]), acts(60, 60, NOW + 310), (NOW + 320, [start(NOW + 320)]))
    c.case("A6", "recorded-before-the-start-that-would-explain-it", file_of(parts=early), ["contradiction witness 4 1"], args=last)


def foreign_lease():
    cert = certificate(host=HOST2)
    parts = batches([acts(1, 1)], host=HOST2)
    return lease_of(parts[0], acts(1, 1), cert=cert)


def odd_witnesses(c):
    """A host can record what is no witness: it blames itself."""
    base = batches([begin(), acts(1, 3)])
    other = on_top(base[:1], acts(1, 4))
    c.case("-", "witness-of-a-batch-that-is-there", file_of(parts=on_top(base, (NOW, [witness(base[1])]))), ["unexplained witness 3 1"])
    c.case("-", "witness-of-another-host", file_of(parts=on_top(base, (NOW, [witness(batches([acts(1, 1)], host=HOST2)[0])]))),
           ["contradiction witness 3 1"])
    c.case("-", "witness-with-another-hash", file_of(parts=on_top(base, (NOW, [witness(other[1], digest=b"\5" * 32)]))),
           ["contradiction witness 3 1"])
    c.case("-", "witness-without-signature", file_of(parts=on_top(base, (NOW, [witness(other[1], signature=bytes(64))]))),
           ["contradiction witness 3 1"])
    many = [witness(on_top(base[:1], acts(1, 5 + n))[1]) for n in range(40)]
    c.case("-", "witnesses-of-forty-chains", file_of(parts=on_top(base, (NOW, many))),
           ["unexplained witness 3 1"] * 15 + ["unexplained witness 3 25"])
    middle = on_top(base, (NOW, [witness(other[1])]))
    c.case("-", "witness-of-before-the-file", file_of(parts=middle[2:], first=3, period=(NOW + 1, 2**64 - 1)), ["unexplained witness 3 1"],
           args=["--last", "2:" + hash_of(base[1])])


def shared_state(c):
    """A3: one state file on ten machines."""
    names = commitments(NAMES._replace(name="other"))[0]
    place = commitments(NAMES._replace(source=bytes(10) + b"\xff\xff\xc0\0\2\2"))[2]
    c.case("A3", "clone-marks", file_of([begin(), (NOW, [act(), act(sequence=2, flags=2), act(sequence=3, flags=2), act(client=2, flags=2)])]),
           ["note clone 2 2"])
    c.case("A3", "caught-up-and-held", file_of([begin(), (NOW, [act(), act(sequence=5, flags=4)]), (NOW, [decision(36, value=NOW + 9, through=5)])]),
           ["note caught-up 2 1", "note held 3 1"])
    c.case("A3", "bound-elsewhere", file_of([begin(), (NOW, [act(), act(sequence=2, flags=0x80)])]), ["note bound-other 2 1"])
    c.case("A3", "several-names", file_of([begin(), (NOW, [act(), act(sequence=2, name=names), act(sequence=3), act(client=2)])]),
           ["note several-names 2 1"])
    c.case("A3", "several-addresses", file_of([begin(), (NOW, [act(), act(client=2)]), (NOW, [act(sequence=2, source=place), act(4, client=2, source=place)])]),
           ["note several-addresses 3 2"])


def outside(c):
    """A4: entries dated outside the period."""
    far = NOW + FAR + 1
    c.case("A4", "dated-ahead", file_of([begin(), (NOW, [act(when=far, client=n) for n in (1, 2, 3)])]), ["unexplained entry-far 2 3"],
           args=["--to", stamp(NOW + 60)], clients=0)
    c.case("A4", "dated-back", file_of([begin(), (NOW, [act(when=NOW - FAR - 1)]), (NOW, [act(when=NOW - 9 * DAY)])]),
           ["unexplained entry-far 2 2", "unexplained not-covered 3 1"])
    c.case("A4", "dated-four-hours", file_of([begin(), (NOW, [act(when=NOW + FAR), act(when=NOW - FAR, client=2)])]), clients=2)


def begun_anew(c):
    """A5: the ledger is deleted."""
    late = NOW + FAR + 1
    c.case("A5", "begun-anew", file_of([begin(late), acts(1, 6, late)]), ["unexplained begun-anew 1 1"], clients=6)
    missing = (late, [restored(0, bytes(32), 0, 3, late), start(late), entered(CERT, when=late)])
    c.case("A5", "begun-anew-and-said", file_of([missing, acts(1, 6, late)]), ["unexplained begun-anew 1 1", "unexplained restored 1 1"], clients=6)
    soon = (NOW, [restored(0, bytes(32), 0, 3), start(), entered(CERT)])
    c.case("A5", "begun-anew-at-the-old-time-and-said", file_of([soon, acts(1, 6, late)]), ["unexplained restored 1 1"], clients=6)
    c.case("A5", "begun-anew-first-of-two-certificates", file_of([(late, [start(late), entered(CERT, when=late), entered(certificate(serial=2, issued=late), when=late)])],
           documents=[(1, CERT), (1, certificate(serial=2, issued=late))]), ["unexplained begun-anew 1 1"])


def made_anew(c):
    """A7: with the host's key, a journal or clients can be invented. No signature tells; a lease does."""
    true_acts = acts(1, 50, NOW + 60)
    true = batches([begin(), true_acts])
    anew = batches([begin(), acts(1, 2, NOW + 60)])
    c.case("A7", "made-anew", file_of(parts=anew), clients=2)
    c.case("A7", "made-anew-known", file_of(parts=anew), args=["--last", "2:" + hash_of(true[1])], exit=1, status="KMS_E_CHAIN")
    c.case("A7", "made-anew-lease", file_of(parts=anew), ["contradiction lease 0 1"], leases=[lease_of(true[1], true_acts, 49)])
    c.case("A7", "invented-clients", file_of([begin(), acts(1, 250)]), clients=250)


def beyond(c):
    """A8: leases below the threshold, over the capacity, longer than the validity."""
    pack = PACK % ("", 3, "30d")
    inside = act(count=3, required=3, expires=NOW + 30 * DAY)
    c.case("A8", "below-the-threshold", file_of([begin(), (NOW, [act(count=1, required=25), act(client=2, count=24, required=25)])]),
           ["contradiction threshold 2 2"])
    c.case("A8", "at-the-threshold", file_of([begin(), (NOW, [act(count=25, required=25)])]))
    small = certificate(capacity=3)
    whole = [(NOW, [start(), entered(small)]), acts(1, 5)]
    c.case("A8", "over-the-capacity", file_of(whole, documents=[(1, small)]), ["unexplained capacity 2 2"])
    c.case("A8", "over-the-capacity-only-renewed", file_of([(NOW, [start(), entered(small)]), acts(1, 3), acts(1, 3, sequence=2)], documents=[(1, small)]))
    left = [(NOW, [start(), entered(small)]), acts(1, 3), (NOW, [act(3, client=1, sequence=2)]), (NOW, [decision(34, cmid=b"\2" * 16)]), acts(4, 5)]
    c.case("A8", "capacity-after-release-and-forget", file_of(left, documents=[(1, small)]))
    ended = [(NOW, [start(), entered(small)]), acts(1, 3), acts(4, 6, NOW + 32 * DAY)]
    c.case("A8", "capacity-after-the-window", file_of(ended, documents=[(1, small)]))
    c.case("A8", "capacity-seen", file_of([(NOW, [start(), entered(small)]), (NOW, [act(2, client=n, required=25) for n in range(1, 6)])],
           documents=[(1, small)]), ["unexplained capacity 2 2"])
    bigger = certificate(serial=2, capacity=9, issued=NOW + 3 * DAY)
    bought = [(NOW, [start(), entered(small), entered(bigger)]), acts(1, 5), acts(6, 9, NOW + 3 * DAY)]
    c.case("A8", "over-the-capacity-before-more-was-bought", file_of(bought, documents=[(1, small), (1, bigger)]), ["unexplained capacity 2 2"])
    part = batches([begin(), acts(1, 2), (NOW, [act(client=7, count=4), act(client=8, count=3)])])
    c.case("A8", "over-the-capacity-in-a-part", file_of(parts=part[2:], first=3, period=(NOW + 1, 2**64 - 1), documents=[(1, small)]),
           ["unexplained capacity 3 1"], args=["--last", "2:" + hash_of(part[1])])
    uncounted(c, small)
    under = [begin(NOW, policy(pack)), (NOW, [inside, act(client=2, count=3, required=3, expires=NOW + 30 * DAY + 1)])]
    c.case("A8", "longer-than-the-validity", file_of(under), ["unexplained pack-validity 2 1"], pack=pack)
    c.case("A8", "longer-than-the-validity-without-the-pack", file_of(under))
    below = [begin(NOW, policy(pack)), (NOW, [inside, act(client=2, count=2, required=2), act(client=4, count=2, required=3)])]
    c.case("A8", "below-the-threshold-of-the-pack", file_of(below), ["contradiction threshold 2 1", "unexplained pack-threshold 2 2"], pack=pack)
    full = dict(count=3, required=3)
    pools = [begin(NOW, policy(pack)), (NOW, [inside, act(client=5, pool=7, **full), act(2, client=6, pool=8)])]
    c.case("A8", "other-pools-than-the-pack", file_of(pools), ["unexplained pack-pool 2 2"], pack=pack)
    c.case("A8", "other-pools-without-the-pack", file_of(pools))
    c.case("A8", "other-pools-given-back", file_of([begin(NOW, policy(pack)), (NOW, [inside, act(3, client=5, pool=7), act(4, client=6, pool=8)])]),
           pack=pack)
    c.case("A8", "other-pools-of-another-product", file_of([begin(NOW, policy(pack)), (NOW, [act(2, client=5, pool=7, product=OTHER)])]), pack=pack)
    c.case("A8", "another-pack-in-force", file_of([begin(NOW, policy(pack + " ")), under[1]]), pack=pack)
    c.case("A8", "pack-not-yet-in-force", file_of([begin(), under[1], (NOW, [policy(pack)])]), pack=pack)
    c.case("A8", "pack-replaced", file_of([begin(NOW, policy(pack)), (NOW, [policy(pack + " ")]), under[1]]), pack=pack)
    c.case("A8", "pack-of-another-publisher", file_of([begin(NOW, policy(pack, publisher=AFTER)), under[1]]), pack=pack)
    tight = PACK % ("capacity = 2\n", 1, "30d")
    c.case("A8", "over-the-capacity-of-the-pool", file_of([begin(NOW, policy(tight)), acts(1, 4)]), ["unexplained capacity 2 2"], pack=tight)
    seats(c)
    c.case("A8", "not-covered-product", file_of([begin(), (NOW, [act(product=OTHER)])]), ["unexplained not-covered 2 1"], leases_not_covered=1)
    short = certificate(ends=NOW + 30 * DAY - 1)
    c.case("A8", "ends-after-its-certificate", file_of([(NOW, [start(), entered(short)]), acts(1, 2)], documents=[(1, short)]),
           ["unexplained not-covered 2 2"], leases_not_covered=2)
    slots = [(NOW, [act(cmid=b"many" + u(12, 1000 * n + i), width=1, until=NOW // 60 + 5000 + 1000 * n + i) for i in range(1000)])
             for n in range(9)]
    c.case("A8", "seats-that-cannot-be-counted", file_of([(NOW, [start(), entered(small)]), *slots], documents=[(1, small)]),
           ["unexplained capacity 2 8189", "unexplained recount 10 808"])


def seats(c):
    """Beyond the capacity within the overdraft, leases that were borrowed, seats that were taken back."""
    pack = PACK % ("capacity = 3\noverdraft = 34%\nborrow = 60d\n", 1, "30d")
    pack = pack.replace("issued = 2026-01-01\n", "issued = 2026-01-01\nrequires-host = 0.1\n")

    def case(name, *entries, found=(), pack=pack):
        c.case("A8", name, file_of([begin(NOW, policy(pack)), (NOW, list(entries))]), list(found), pack=pack)
    leases = [act(client=n, expires=NOW + 30 * DAY) for n in range(1, 4)]
    over = [act(client=n, flags=0x10, expires=NOW + 30 * DAY) for n in range(4, 7)]
    case("within-the-overdraft", *leases, *over[:2], found=["note overdraft 2 2"])
    case("beyond-the-overdraft", *leases, *over, found=["unexplained capacity 2 1", "note overdraft 2 2"])
    case("overdraft-without-its-mark", *leases, act(client=4, expires=NOW + 30 * DAY), found=["unexplained capacity 2 1"])
    case("overdraft-that-the-pack-has-not", *leases, *over[:1], found=["unexplained capacity 2 1"], pack=pack.replace("overdraft = 34%\n", ""))
    case("overdraft-renewed", *leases, *over[:1], act(client=4, sequence=2, flags=0x10, expires=NOW + 30 * DAY), found=["note overdraft 2 1"])
    case("borrowed", act(flags=8, expires=NOW + 60 * DAY))
    case("borrowed-for-too-long", act(flags=8, expires=NOW + 60 * DAY + 1), found=["unexplained pack-validity 2 1"])
    case("long-and-not-borrowed", act(expires=NOW + 60 * DAY), found=["unexplained pack-validity 2 1"])
    case("borrowed-where-nothing-is-lent", act(flags=8, expires=NOW + 60 * DAY), found=["unexplained pack-validity 2 1"],
         pack=pack.replace("borrow = 60d\n", ""))

    def taken(other=4, **more):
        return decision(35, status=29, other=bytes([other]) * 16, through=1,
                        seat=PRODUCT + PUBLISHER.id + u(2, 1) + u(2, 0), **more)
    won = act(client=4, expires=NOW + 30 * DAY)
    case("taken-back", *leases, taken(), won)
    case("taken-back-for-nobody", *leases, taken(), found=["unexplained reclaim 2 1"])
    case("taken-back-for-another", *leases, taken(5), won, found=["unexplained reclaim 2 1"])
    case("taken-back-after-the-lease", *leases, won, taken(), found=["unexplained capacity 2 1", "unexplained reclaim 2 1"])
    case("taken-back-twice", *leases, taken(), taken(cmid=b"\2" * 16, counter=2), won, found=["unexplained reclaim 2 1"])
    case("taken-back-for-a-refusal", *leases, taken(), act(4, client=4, status=10), found=["unexplained reclaim 2 1"])


def uncounted(c, small):
    """Entries that make the count low, before the leases are given that it should have."""
    def case(name, *entries, found, exit=None):
        c.case("A8", name, file_of([(NOW, [start(), entered(small)]), (NOW, list(entries))], documents=[(1, small)]), found, exit)
    leases = [act(client=n) for n in range(1, 6)]
    for name, kind in ("revoked", 32), ("unrevoked", 33), ("forgotten", 34):
        case(f"{name}-before-its-first-lease", *[decision(kind, cmid=bytes([n]) * 16, through=2**62) for n in range(1, 6)], *leases,
             found=["unexplained uncounted 2 5"])
    case("revoked-and-served", *leases[:3], decision(32), act(sequence=2), act(client=4), found=["unexplained uncounted 2 1"])
    case("released-of-a-higher-number", act(3, sequence=2**61), *leases[:4], found=["unexplained uncounted 2 1"])
    case("revoked-while-others-come", *leases[:3], decision(32, through=0), act(client=4), decision(33, counter=2, through=0),
         found=["unexplained uncounted 2 2"])
    case("forgotten-and-back", *leases[:3], decision(34), act(sequence=2), found=[])
    case("revoked-and-back", *leases[:3], decision(32), decision(33, counter=2), act(sequence=2), found=[])
    case("too-few-and-then-enough", act(2, sequence=4, required=25), act(sequence=4), found=[])


def cut_off(c):
    """A9: the end is cut off."""
    true_acts = acts(4, 6, NOW + 60)
    parts = batches([begin(), acts(1, 3), true_acts])
    short = file_of(parts=parts[:2])
    c.case("A9", "cut-off", short, clients=3)
    c.case("A9", "cut-off-known", short, args=["--last", "3:" + hash_of(parts[2])], exit=1, status="KMS_E_MISSING")
    c.case("A9", "cut-off-lease", short, ["unexplained lease 0 1"], leases=[lease_of(parts[2], true_acts)])


def documents(c):
    """Repeated, exchanged and missing documents."""
    one, two = rotation(BEFORE, PUBLISHER), rotation(PUBLISHER, AFTER, NOW + 1, NOW + DAY)
    second = certificate(serial=2)
    full = (NOW, [start(), entered(CERT), entered(one, 25), entered(two, 25)])
    c.case("-", "documents", file_of([full, acts(1, 2)], documents=[(1, CERT), (2, one), (2, two)]), clients=2)
    c.case("-", "documents-exchanged", file_of([full, acts(1, 2)], documents=[(1, CERT), (2, two), (2, one)]), ["unexplained document-order 0 2"])
    c.case("-", "documents-repeated", file_of([full, acts(1, 2)], documents=[(1, CERT), (2, one), (2, two), (2, two)]),
           ["unexplained document-repeated 0 1"])
    c.case("-", "certificate-repeated", file_of([full, acts(1, 2)], documents=[(1, CERT), (1, CERT), (2, one), (2, two)]), exit=1,
           status="KMS_E_FORMAT")
    c.case("-", "rotation-left-out", file_of([full, acts(1, 2)], documents=[(1, CERT), (2, one)]), ["unexplained entry-alone 1 1"])
    c.case("-", "certificate-left-out", file_of([begin(NOW, entered(second)), acts(1, 2)]), ["unexplained entry-alone 1 1"])
    c.case("-", "certificate-of-nobody", file_of([begin(NOW, entered(certificate(serial=3, bad=True)))]), ["unexplained entry-alone 1 1"])
    c.case("-", "certificate-of-another-publisher", file_of([begin(NOW, entered(certificate(publisher=AFTER)))]))
    c.case("-", "certificate-put-in", file_of([begin(), acts(1, 2)], documents=[(1, CERT), (1, second)]), ["unexplained document-alone 0 1"])
    c.case("-", "rotation-put-in", file_of([begin(), acts(1, 2)], documents=[(1, CERT), (2, one)]), ["unexplained document-alone 0 1"])
    parts = batches([begin(), acts(1, 2), acts(3, 3)])
    c.case("-", "documents-of-a-part", file_of(parts=parts[2:], first=3, period=(NOW + 1, 2**64 - 1)), args=["--last", "2:" + hash_of(parts[1])])


def base(part, rest=b"", digest=bytes(32), when=NOW):
    return note(41, u(1, part) + u(1, 1) + rest, b"", host_id_of(HOST.public), digest, when=when)


def base_head(through, before, time, when=NOW):
    return base(1, u(8, through) + before + u(8, time) + bytes(48), when=when)


def base_end(through, when=NOW):
    return base(7, u(8, through) + u(4, when // DAY), b"\x77" * 32, when=when)


def base_kept(entry, batch, when=NOW):
    return base(2, u(8, batch) + u(4, 0) + u(8, batch) + u(4, 0) + entry, when=when)


def dropped(c):
    """A10: the host drops old batches, and with them what convicts it."""
    before, later = b"\x99" * 32, NOW + 60
    part = dict(first=11, period=(later, 2**64 - 1))

    def shorter(name, found, days=400, extra=0, through=10, hash=before, kept=(), more=(), **also):
        first, said = part["first"], base_head(through, hash, NOW - days * DAY + extra)
        contents = [begin(), (NOW, [said, *kept]), (NOW, [base_end(through)]), *more, acts(1, 4, later)]
        c.case("A10", name, file_of(parts=batches(contents, first=first, before=before), **part), found, clients=4, **also)

    refused = dict(exit=1, status="KMS_E_NOT_PROVED", beginning="not proved")
    shorter("dropped-after-400-days", ["note dropped 12 1"], beginning="base")
    shorter("dropped-a-second-early", ["unexplained dropped 12 1"], extra=1, **refused)
    shorter("dropped-early-as-the-pack-says", ["note dropped 12 1"], days=2, pack=PACK.replace("[group g]", "requires-host = 0.1\naudit-keep = 2d\n[group g]") % ("", 1, "30d"), beginning="base")
    shorter("dropped-another-batch", ["contradiction dropped 12 1"], hash=b"\x98" * 32, **refused)
    shorter("dropped-less-than-is-missing", ["note dropped 12 1"], through=9, **refused)
    shorter("dropped-with-a-clock-ahead", ["unexplained time-back 14 1", "unexplained dropped 12 1"],
            more=[(NOW - 2 * DAY, [start(NOW - 2 * DAY)])], **refused)
    stranger = witness(batches([acts(1, 1)], first=7)[0])
    shorter("dropped-with-a-witness", ["unexplained dropped 12 1", "note dropped 12 1"], kept=[base_kept(stranger, 8)], beginning="base")
    shorter("dropped-with-a-witness-that-nobody-signed", ["note dropped 12 1"], beginning="base",
            kept=[base_kept(witness(batches([acts(1, 1)], first=7, host=HOST2)[0]), 8)])


def head(c):
    """What the head says and the file does not bear out."""
    contents = [begin(), acts(1, 2)]
    c.case("-", "head-host", file_of(contents, host=b"\1" * 16), ["unexplained head-host 0 1"])
    c.case("-", "head-batches", file_of(contents, last=9), ["unexplained head-batches 0 1"])
    c.case("-", "head-names", file_of(contents, flags=1), ["unexplained head-names 0 1"])
    c.case("-", "head-period", file_of(contents, period=(9, 8)), ["unexplained head-period 0 1"])
    other = write_aside(NAMES._replace(name="nome"))
    c.case("-", "names-exchanged", file_of([begin(), (NOW, [(act(), other), (act(client=2), ASIDE)])], flags=1), ["unexplained names-differ 2 1"])


def main():
    c = Cases(sys.argv[1])
    for make in (honest, clock_set_back, copied_back, odd_witnesses, shared_state, outside, begun_anew, made_anew, beyond, cut_off, documents, dropped, head,
                 *several_forge.ALL):
        make(c)
    print(json.dumps({"key": PUBLISHER.line()}))
    for case in c.made:
        print(json.dumps(case))


if __name__ == "__main__":
    main()
