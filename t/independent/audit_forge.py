#!/usr/bin/env python3
"""Audit files as a host could sign them that says strange things, after kms.audit(5), kms.journal(5) and kms-protocol(7): every
signature and hash holds, and one thing in each is at the edge of what the pages allow, or beyond.

    audit_forge.py DIRECTORY    writes NAME.kmsaudit for each, and prints the publisher's key, then "NAME ARGUMENTS" for each"""

import base64
import hashlib
import os
import sys
import time

import nacl.bindings as sodium

from kms_wire import (BatchHeader, Certificate, ClientEntry, Names, commitments, host_id_of, leaf_hash, merkle_root, tlv, u,
                      write_aside, write_batch_header, write_certificate, write_client_entry)

NOW, DAY, FAR = 1800000000, 86400, 4 * 3600
PRODUCT, OTHER = b"\x11" * 16, b"\x22" * 16


class Key:
    def __init__(self, name):
        self.public, self.secret = sodium.crypto_sign_seed_keypair(hashlib.sha256(name.encode()).digest())
        self.id = hashlib.sha256(b"id " + name.encode()).digest()[:8]

    def sign(self, octets):
        return sodium.crypto_sign(octets, self.secret)[:64]

    def line(self):
        return base64.b64encode(b"Ed" + self.id + self.public).decode()


PUBLISHER, BEFORE, AFTER, STRANGER, HOST, HOST2 = (Key(n) for n in ("publisher", "before", "after", "stranger", "host", "host 2"))


def certificate(publisher=PUBLISHER, host=HOST, serial=1, products=(PRODUCT,), begins=NOW - DAY, ends=NOW + 400 * DAY, extra=b"",
                bad=False, issued=NOW, capacity=0, key=b"\x40" * 16, customer="Customer"):
    octets = write_certificate(Certificate(publisher.id, key, host.public, serial, issued, begins, ends, capacity, 1, "group",
                                           customer, sorted(products), extra, b"", b""))
    return octets + publisher.sign(octets + b"x" * bad)


def rotation(old, new, begins=NOW, until=NOW + DAY):
    octets = b"KMSROTA1" + old.id + old.public + new.id + new.public + u(8, begins) + u(8, until)
    octets += old.sign(octets)
    return octets + new.sign(octets)


NAMES = Names(b"\x77" * 16, bytes(10) + b"\xff\xff\xc0\0\2\1", "name", "user")


def act(kind=1, when=NOW, client=1, **changes):
    """A LEASE, SEEN, RELEASE or REFUSAL that is well formed but for the changes."""
    name, user, source = commitments(NAMES)
    counts = kind in (1, 2)
    e = ClientEntry(kind, 0, {2: 1, 4: 10}.get(kind, 0), when, bytes([client]) * 16, PRODUCT, b"\x55" * 16, 1,
                    when + 30 * DAY if kind == 1 else 0, when + 7 * DAY if kind == 1 else 0, 1, 1, PUBLISHER.id, 1, 0,
                    (when // DAY + 31) * 1440 if counts else 0, 1440 if counts else 0, 3 if kind == 3 else 1, 0, 0,
                    name, user, source, b"")
    return write_client_entry(e._replace(**changes))


def decision(kind, when=NOW, status=None, cmid=b"\1" * 16, counter=1, through=1, value=0, other=bytes(16), seat=bytes(28),
             reason=b"why", extra=b"", flags=0):
    status = {35: 29, 36: 11}.get(kind, 0) if status is None else status
    return (u(1, 2) + u(1, kind) + u(2, flags) + u(4, status) + u(8, when) + cmid + u(8, counter) + u(8, through) + u(8, value)
            + other + seat + u(1, len(reason)) + reason + extra)


def note(kind, blob=b"", text=b"text", subject=b"\x88" * 16, digest=bytes(32), extra=b"", status=0, flags=0, when=NOW):
    return (u(1, 2) + u(1, kind) + u(2, flags) + u(4, status) + u(8, when) + subject + digest + u(2, len(text)) + text
            + u(2, len(blob)) + blob + extra)


START = note(16, HOST.public, b"kmsd 1.0", host_id_of(HOST.public))


def changed(octets, at, value):
    return octets[:at] + value + octets[at + len(value):]


def batches(contents, first=1, host=HOST, before=None, named=None, steps=None):
    """contents: [(time, [(entry, aside)])]"""
    before = bytes(32) if first == 1 else before or b"\x99" * 32
    made = []
    for i, (when, items) in enumerate(contents):
        number = steps[i] if steps else first + i
        items = [i if isinstance(i, tuple) else (i, b"") for i in items]
        header = write_batch_header(BatchHeader(named or host_id_of(host.public), number, before, len(items),
                                                merkle_root([leaf_hash(e) for e, _ in items]), when))
        octets = b"".join(u(2, len(e)) + e + u(1, len(a)) + a for e, a in items)
        made.append(u(4, len(octets)) + header + host.sign(header) + octets)
        before = hashlib.sha256(header).digest()
    return made


def audit_file(*entries, documents=None, parts=None, contents=None, flags=0, first=1, last=None, period=(0, 2**63), host=None,
               version=2, **rest):
    documents = [(1, certificate())] if documents is None else documents
    if parts is None:
        parts = batches(contents or [(NOW, [START]), (NOW, list(entries) or [act()])], first=first, **rest)
    last = first + len(parts) - 1 if last is None else last
    return (b"KMSAUDIT" + u(2, version) + u(2, flags) + (host or host_id_of(HOST.public)) + u(8, first) + u(8, last)
            + u(8, period[0]) + u(8, period[1]) + u(2, len(documents))
            + b"".join(u(1, kind) + u(2, len(d)) + d for kind, d in documents) + b"".join(parts))


def hash_of(part):
    return hashlib.sha256(part[4:112]).hexdigest()


def stamp(when):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


ASIDE = write_aside(NAMES)
CERT = certificate()
UNKNOWN, CRITICAL = tlv(9, b"later"), tlv(0x8009, b"later")


def share_notes():
    """Kinds 48 to 52: what each may have, and what only just not."""
    def heard(*rows):
        return b"".join(bytes([host]) * 16 + u(8, number) + bytes(32) for host, number in rows)

    pool, to = b"PUBLISHR" + u(2, 1), b"\7" * 16
    for name, text in (("least", b"a"), ("most", b"a-0" + b"z" * 29), ("long", b"a" * 33), ("none", b""), ("dash", b"-a"), ("upper", b"aB")):
        yield f"note-48-{name}", note(48, b"\1", text=text)
    for octet in (0, 2):
        yield f"note-48-octet-{octet}", note(48, u(1, octet), text=b"acme")
        yield f"note-51-octet-{octet}", note(51, u(1, octet), text=b"")
    yield "note-48-blob", note(48, b"\1\1", text=b"acme")
    yield "note-48-digest", note(48, b"\1", text=b"acme", digest=b"\1" * 32)
    for n in (0, 1, 64, 65):
        yield f"note-49-{n}", note(49, heard(*((host, 1) for host in range(1, n + 1))), text=b"", subject=b"\xff" * 16)
    yield "note-49-half", note(49, heard((1, 1))[:-1], text=b"")
    yield "note-49-batch-0", note(49, heard((1, 0)), text=b"")
    yield "note-49-twice", note(49, heard((1, 1), (1, 2)), text=b"")
    yield "note-49-descending", note(49, heard((2, 1), (1, 1)), text=b"")
    yield "note-49-itself", note(49, heard((7, 1)), text=b"", subject=to)
    yield "note-49-text", note(49, heard((1, 1)))
    for name, blob in (("plain", pool + to + u(4, 1)), ("none", pool + to + u(4, 0)), ("most", pool + to + b"\xff" * 4), ("long", pool + to + u(5, 1))):
        yield f"note-50-{name}", note(50, blob, text=b"")
    yield "note-50-itself", note(50, pool + to + u(4, 1), text=b"", subject=to)
    for n in (100, 101):
        yield f"note-51-reason-{n}", note(51, b"\1", text=b"r" * n)
    yield "note-51-reason-of-the-end", note(51, b"\0", text=b"r")
    for name, rights, until in (("plain", 1, NOW + 1), ("none", 0, NOW + 1), ("over", 1, NOW)):
        yield f"note-52-{name}", note(52, pool + u(4, rights) + u(8, until), text=b"")
    yield "note-52-text", note(52, pool + u(4, 1) + u(8, NOW + 1))


def entry_cases():
    yield "plain", act()
    yield "seen", act(2)
    yield "release", act(3)
    yield "refusal", act(4)
    yield "unknown-tlv", act(tail=UNKNOWN)
    yield "binding", act(tail=tlv(1, b"\1" * 16))
    yield "binding-short", act(tail=tlv(1, b"\1" * 15))
    yield "critical-tlv", act(tail=CRITICAL)
    yield "tlv-cut", act(tail=UNKNOWN[:-1])
    yield "tlv-twice", act(tail=UNKNOWN + UNKNOWN)
    yield "tail-256", act(tail=tlv(9, bytes(252)))
    yield "tail-257", act(tail=tlv(9, bytes(253)))
    yield "all-flags", act(flags=0xff)
    yield "flag-0x0100", act(flags=0x100)
    yield "refusal-right-echo", act(4, flags=4)
    yield "release-borrowed", act(3, flags=8)
    yield "refusal-of-status-1", act(4, status=1)
    yield "refusal-of-unknown-status", act(4, status=999)
    yield "sequence-0", act(sequence=0)
    yield "sequence-2-62", act(sequence=2**62)
    yield "sequence-more", act(sequence=2**62 + 1)
    yield "expires-at-once", act(expires=NOW, renew_after=NOW)
    yield "renew-after-expires", act(renew_after=NOW + 31 * DAY)
    yield "seen-with-lease", act(2, expires=NOW - 1)
    yield "seen-renew", act(2, renew_after=5)
    yield "width-0", act(width=0)
    yield "width-1441", act(width=1441, until=1441 * 30000)
    yield "until-0", act(until=0)
    yield "until-now", act(until=NOW // 60, width=1)
    yield "until-next", act(until=NOW // 60 + 1, width=1)
    yield "until-no-multiple", act(until=NOW // 60 + 1441)
    yield "operation-0", act(operation=0)
    yield "operation-4", act(operation=4)
    yield "release-kind-other-operation", act(3, operation=1)
    yield "licence-6", act(licence=6)
    yield "no-name", act(name=bytes(16))
    yield "no-user", act(user=bytes(16))
    yield "no-source", act(source=bytes(16))
    yield "cmid-0", act(cmid=bytes(16))
    yield "class-7", act(group=7)
    yield "version-1", b"\1" + act()[1:]
    yield "version-3", b"\3" + act()[1:]
    yield "short", act()[:-1]
    yield "empty", b""
    yield "only-version", b"\2"
    for kind in (0, 5, 15, 20, 21, 23, 31, 39, 41, 42, 43, 44, 47, 53, 255):
        yield f"kind-{kind}", note(kind)
    blobs = {16: 32, 17: 0, 18: 300, 19: 0, 22: 0, 24: 39, 25: 232, 26: 4, 27: 28, 28: 172, 29: 17, 30: 16}
    for kind, length in blobs.items():
        yield f"note-{kind}", note(kind, bytes(length - 1) + b"\1" if length else b"")
        yield f"note-{kind}-blob-longer", note(kind, bytes(length + 1))
    for n in (0, 1, 400, 401):
        yield f"note-40-{n}", note(40, u(4, 60) + b"".join(b"PUBLISHR" + u(2, i) + u(2, 10) + u(4, 1) for i in range(n)))
    yield "note-40-half", note(40, u(4, 60) + bytes(11) + b"\1" + u(2, 0) + u(4, 1) + b"PUBL")
    yield "note-40-status-0", note(40, u(4, 60) + b"PUBLISHR" + u(2, 1) + u(2, 0) + u(4, 1))
    yield "note-40-refusals-0", note(40, u(4, 60) + b"PUBLISHR" + u(2, 1) + u(2, 10) + u(4, 0))
    yield "note-40-twice", note(40, u(4, 60) + 2 * (b"PUBLISHR" + u(2, 1) + u(2, 10) + u(4, 1)))
    yield "note-40-descending", note(40, u(4, 60) + b"PUBLISHR" + u(2, 2) + u(2, 10) + u(4, 1) + b"PUBLISHR" + u(2, 1) + u(2, 10) + u(4, 1))
    yield from share_notes()
    yield "note-18-certificate", note(18, CERT)
    yield "note-18-none", note(18)
    yield "note-18-1", note(18, b"x")
    yield "note-18-3338", note(18, bytes(3338))
    yield "note-18-3339", note(18, bytes(3339))
    for cause in (0, 3, 4):
        yield f"note-29-cause-{cause}", note(29, u(8, 1) + u(8, 1) + u(1, cause))
    yield "note-24-outcome-0", note(24, bytes(39))
    yield "note-subject-0", note(18, b"x", subject=bytes(16))
    yield "note-no-text", note(19, text=b"")
    yield "note-text-not-utf8", note(17, text=b"\xff\n")
    yield "note-text-long", note(17, text=bytes(8000))
    yield "note-8192", note(17, text=b"x" * (8192 - 68))
    yield "note-8193", note(17, text=b"x" * (8193 - 68))
    yield "note-unknown-tlv", note(17, extra=UNKNOWN)
    yield "note-tail-257", note(17, extra=tlv(9, bytes(253)))
    yield "note-critical-tlv", note(17, extra=CRITICAL)
    yield "note-status", note(17, status=1)
    yield "note-flag", note(17, flags=1)
    yield "note-cut", note(17)[:-1]
    yield "note-27-text", note(27, bytes(28), text=b"text")
    yield "note-24-outcome-9", note(24, b"\x09" + bytes(38))
    good = {32: {}, 33: {}, 34: {}, 35: {"other": b"\2" * 16}, 36: {"value": NOW + 9}, 37: {"value": NOW, "through": 0},
            38: {"value": NOW, "cmid": bytes(16), "reason": b"", "through": 7}}
    for kind, fields in good.items():
        def with_(kind=kind, fields=fields, **more):
            return decision(kind, **{**fields, **more})
        yield f"decision-{kind}", with_()
        yield f"decision-{kind}-status", with_(status=5)
        yield f"decision-{kind}-flag", with_(flags=1)
        yield f"decision-{kind}-counter-0", with_(counter=0)
        yield f"decision-{kind}-through-0", with_(through=0)
        yield f"decision-{kind}-through-1", with_(through=1)
        yield f"decision-{kind}-through-8", with_(through=8)
        yield f"decision-{kind}-through-high", with_(through=2**62 + 1)
        yield f"decision-{kind}-value-1", with_(value=1)
        yield f"decision-{kind}-value-0", with_(value=0)
        yield f"decision-{kind}-value-later", with_(value=NOW + 10)
        yield f"decision-{kind}-cmid-0", with_(cmid=bytes(16))
        yield f"decision-{kind}-cmid", with_(cmid=b"\3" * 16)
        yield f"decision-{kind}-other", with_(other=b"\3" * 16)
        yield f"decision-{kind}-other-0", with_(other=bytes(16))
        yield f"decision-{kind}-other-itself", with_(other=b"\1" * 16)
        yield f"decision-{kind}-seat", with_(seat=PRODUCT + PUBLISHER.id + u(2, 1) + u(2, 0))
        yield f"decision-{kind}-reason", with_(reason=b"r" * 100)
        yield f"decision-{kind}-reason-empty", with_(reason=b"")
        yield f"decision-{kind}-reason-101", with_(reason=b"r" * 101)
        yield f"decision-{kind}-reason-control", with_(reason=b"a\nb")
        yield f"decision-{kind}-reason-latin1", with_(reason=b"\xe4")
        yield f"decision-{kind}-reason-hidden", with_(reason="a\u202eb".encode())
        yield f"decision-{kind}-reason-c1", with_(reason="a\u0085b".encode())
        yield f"decision-{kind}-tlv", with_(extra=UNKNOWN)
        yield f"decision-{kind}-tail-256", with_(extra=tlv(9, bytes(252)))
        yield f"decision-{kind}-tail-257", with_(extra=tlv(9, bytes(253)))
        yield f"decision-{kind}-424", with_(reason=b"", extra=tlv(9, bytes(424 - 101 - 4)))
        yield f"decision-{kind}-425", with_(reason=b"", extra=tlv(9, bytes(425 - 101 - 4)))
        yield f"decision-{kind}-critical", with_(extra=CRITICAL)


def aside_cases():
    """Files with names."""
    yield "names", [(act(), ASIDE)]
    yield "names-none-of-two", [act(), act(client=2)]
    yield "names-one-of-two", [(act(), ASIDE), act(client=2)]
    yield "names-erased", [(act(), bytes(len(ASIDE)))]
    yield "names-erased-short", [(act(), bytes(1))]
    yield "names-erased-only-form", [(act(), b"\0" + ASIDE[1:])]
    yield "names-form-2", [(act(), b"\2" + ASIDE[1:])]
    yield "names-cut", [(act(), ASIDE[:-1])]
    yield "names-longer", [(act(), ASIDE + b"x")]
    yield "names-control", [(act(), ASIDE.replace(b"name", b"na\ne"))]
    yield "names-other", [(act(), ASIDE.replace(b"name", b"nome"))]
    yield "names-other-user", [(act(), ASIDE.replace(b"user", b"oser"))]
    yield "names-other-twice", [(act(client=n), ASIDE.replace(b"name", b"nome")) for n in (1, 2)]
    yield "names-without-user", [(act(user=bytes(16)), write_aside(NAMES._replace(user="")))]
    yield "names-user-not-told", [(act(user=bytes(16)), ASIDE)]
    yield "names-164", [(act(), ASIDE + bytes(164 - len(ASIDE)))]
    yield "names-164-zeros", [(act(), bytes(164))]
    yield "names-163-zeros", [(act(), bytes(163))]
    yield "names-beside-start", [(START, ASIDE)]
    yield "names-beside-start-zeros", [(START, bytes(50))]
    yield "names-beside-revoke", [(decision(32), ASIDE)]
    yield "names-only-revoke", [decision(32)]
    for kind in (2, 3, 4):
        yield f"names-only-kind-{kind}", [act(kind)]
    yield "names-only-of-the-relay", [act(), (note(24, bytes(39)), bytes(50))]
    yield "names-only-relayed", [note(24, bytes(39))]
    yield "names-only-relayed-name", [note(27, bytes(28))]
    name, _, source = commitments(NAMES._replace(user=""))
    relayed = write_aside(NAMES._replace(name="", user=""))
    named = write_aside(NAMES._replace(user=""))
    yield "names-relayed", [(note(24, bytes(39), subject=source), relayed)]
    yield "names-relayed-with-name", [(note(24, bytes(39), subject=source), named)]
    yield "names-relayed-with-user", [(note(24, bytes(39), subject=source), write_aside(NAMES._replace(name="")))]
    yield "names-relayed-other", [(note(24, bytes(39)), relayed)]
    yield "names-relayed-name", [(note(27, bytes(28), subject=source, digest=name + bytes(16), text=b""), named)]
    yield "names-relayed-name-with-user", [(note(27, bytes(28), subject=source, digest=name + bytes(16), text=b""), ASIDE)]
    yield "names-relayed-name-without", [(note(27, bytes(28), subject=source, digest=name + bytes(16), text=b""), relayed)]
    yield "names-relayed-name-digest", [(note(27, bytes(28), subject=source, digest=name + b"\1" * 16, text=b""), named)]
    yield "names-relayed-name-other", [(note(27, bytes(28), subject=source, text=b""), named)]


def certificates(*keywords):
    return [(1, certificate(**k)) for k in keywords]


def document_cases():
    one, two = rotation(BEFORE, PUBLISHER), rotation(PUBLISHER, AFTER, NOW + 1, NOW + DAY)
    mine = {"publisher": PUBLISHER}
    yield "no-certificate", []
    yield "64-certificates", certificates(*({"serial": n} for n in range(64)))
    yield "65-certificates", certificates(*({"serial": n} for n in range(65)))
    yield "two-certificates", certificates({"serial": 1}, {"serial": 2})
    yield "two-of-one-serial", certificates({"serial": 1}, {"serial": 1})
    yield "descending-serials", certificates({"serial": 2}, {"serial": 1})
    yield "two-hosts", certificates({}, {"serial": 2, "host": HOST2})
    yield "of-a-stranger", certificates({"publisher": STRANGER})
    yield "bad-signature", certificates({"bad": True})
    yield "second-of-a-stranger", certificates({}, {"serial": 2, "publisher": STRANGER})
    yield "certificate-critical", certificates({"extra": CRITICAL})
    yield "certificate-tlv", certificates({"extra": UNKNOWN})
    yield "certificate-magic-3", [(1, changed(CERT, 6, b"T3"))]
    yield "certificate-longer", [(1, CERT + b"x")]
    yield "certificate-cut", [(1, CERT[:-1])]
    yield "certificate-no-magic", [(1, b"X" + CERT[1:])]
    yield "certificate-dates-crossed", certificates({"begins": NOW, "ends": NOW - 1})
    yield "certificate-of-length-0", [(1, b"")]
    yield "unknown-kind", [(1, CERT), (3, b"x")]
    yield "kind-0", [(1, CERT), (0, b"")]
    yield "rotated-before", certificates(mine) + [(2, one)]
    yield "rotated-after", certificates(mine) + [(2, two)]
    yield "rotated-twice", certificates(mine) + [(2, one), (2, two)]
    yield "rotations-exchanged", certificates(mine) + [(2, two), (2, one)]
    yield "rotation-first", [(2, one)] + certificates(mine)
    yield "rotation-again", certificates(mine) + [(2, one), (2, one)]
    yield "rotation-elsewhere", certificates(mine) + [(2, rotation(STRANGER, AFTER))]
    yield "rotation-reaching-back", certificates({"publisher": AFTER}) + [(2, rotation(PUBLISHER, AFTER))]
    yield "old-key-signed", certificates({"publisher": BEFORE}) + [(2, one)]
    yield "serials-of-two-keys", certificates({"publisher": BEFORE}, {"serial": 2}) + [(2, one)]
    yield "rotation-altered", certificates(mine) + [(2, changed(one, 100, b"\1"))]
    yield "rotation-short", certificates(mine) + [(2, one[:-1])]
    yield "rotation-long", certificates(mine) + [(2, one + b"x")]
    yield "rotation-magic-2", certificates(mine) + [(2, changed(one, 7, b"2"))]
    yield "rotation-back-and-forth", certificates(mine) + [(2, rotation(BEFORE, PUBLISHER)), (2, rotation(PUBLISHER, BEFORE))]
    yield "rotation-from-falls", certificates(mine) + [(2, one), (2, rotation(PUBLISHER, AFTER, NOW - 1))]
    yield "rotation-until-first", certificates(mine) + [(2, rotation(BEFORE, PUBLISHER, NOW, NOW - 1))]
    yield "rotation-of-our-id", certificates(mine) + [(2, rotation(BEFORE, impostor(PUBLISHER)))]
    yield "rotation-another-of-one-key", certificates(mine) + [(2, two), (2, rotation(PUBLISHER, STRANGER, NOW + 1))]
    yield "rotation-another-to-one-key", certificates(mine) + [(2, one), (2, rotation(STRANGER, PUBLISHER))]
    yield "rotation-other-dates", certificates(mine) + [(2, two), (2, rotation(PUBLISHER, AFTER, NOW + 2, NOW + DAY))]
    yield "rotation-of-a-link-missing", certificates(mine) + [(2, two), (2, rotation(STRANGER, Key("nobody"), NOW + 2))]
    chain = [PUBLISHER] + [Key(f"key {n}") for n in range(33)]
    links = [(2, rotation(a, b)) for a, b in zip(chain, chain[1:])]
    yield "32-rotations", certificates(mine) + links[:32]
    yield "33-rotations", certificates(mine) + links[:33]
    yield "32-rotations-one-twice", certificates(mine) + links[:31] + links[:1]
    yield "33-rotations-one-twice", certificates(mine) + links[:32] + links[:1]
    yield "1000-documents", certificates(*({"serial": n} for n in range(1000)))
    yield "1001-documents", certificates(*({"serial": n} for n in range(1001)))


def impostor(key):
    other = Key("impostor")
    other.id = key.id
    return other


def count_cases():
    """Whole files with arguments: what is counted, head, period and last."""
    def at(*times):
        return [(t, [act(when=t, client=n)]) for n, t in enumerate(times, 1)]
    both = certificates({"products": (PRODUCT, OTHER)})
    yield "one-client-two-products", "", audit_file(act(), act(product=OTHER), act(client=2), documents=both)
    yield "one-client-twice", "", audit_file(act(), act(sequence=2))
    yield "not-covered-product", "", audit_file(act(product=OTHER), act(client=2))
    yield "not-covered-early", "", audit_file(act(), documents=certificates({"begins": NOW + 1}))
    yield "certificate-of-long-ago", "", audit_file(act(), documents=certificates({"begins": 5, "ends": 9}))
    yield "covered-first-second", "", audit_file(act(), documents=certificates({"begins": NOW}))
    yield "not-covered-late", "", audit_file(act(), documents=certificates({"ends": NOW - 1}))
    yield "expires-with-certificate", "", audit_file(act(), documents=certificates({"ends": NOW + 30 * DAY}))
    yield "expires-after-certificate", "", audit_file(act(), documents=certificates({"ends": NOW + 30 * DAY - 1}))
    yield "covered-by-the-second", "", audit_file(act(), documents=certificates({"ends": NOW - 1}, {"serial": 2}))
    yield "lease-of-another-publisher", "", audit_file(act(key_id=STRANGER.id), act(client=2))
    rotated = certificates({"publisher": BEFORE}) + [(2, rotation(BEFORE, PUBLISHER))]
    yield "lease-of-the-other-key", "", audit_file(act(key_id=BEFORE.id), act(client=2), documents=rotated)
    yield "lease-that-does-not-count", "", audit_file(act(until=0), act(client=2))
    yield "seen-not-counted", "", audit_file(act(2), act(3, client=2), act(4, client=3))
    yield "released-yet-counted", "", audit_file(act(), act(3, sequence=2))
    yield "revoked-yet-counted", "", audit_file(act(), decision(32), decision(37, value=NOW, through=0))
    yield "period", f"--from {stamp(NOW)} --to {stamp(NOW + 10)}", audit_file(contents=at(NOW - 1, NOW, NOW + 10, NOW + 11))
    yield "period-by-the-entry", f"--from {stamp(NOW)} --to {stamp(NOW)}", audit_file(contents=[(NOW, [act(when=NOW - 1)]), (NOW + 1, [act(client=2)])])
    yield "period-in-its-last-second", f"--to {stamp(NOW)}", audit_file(contents=at(NOW))
    yield "period-one-second-more", f"--to {stamp(NOW)}", audit_file(contents=at(NOW, NOW + 1))
    yield "period-four-hours-more", f"--to {stamp(NOW)}", audit_file(contents=at(NOW, NOW + FAR))
    yield "period-beyond-four-hours", f"--to {stamp(NOW)}", audit_file(contents=at(NOW, NOW + FAR + 1))
    yield "time-falls-back", f"--to {stamp(NOW)}", audit_file(contents=at(NOW, NOW + DAY, NOW))
    yield "far-4-hours", "", audit_file(act(when=NOW - FAR), act(when=NOW + FAR, client=2))
    yield "far-later", "", audit_file(act(when=NOW + FAR + 1))
    yield "far-earlier", "", audit_file(act(when=NOW - FAR - 1), act(when=NOW - FAR - 1, client=2))
    yield "far-100-times", "", audit_file(*[act(when=1, client=n) for n in range(100)])
    yield "far-101-times", "", audit_file(*[act(when=1, client=n) for n in range(101)])
    yield "far-and-head", "", audit_file(act(when=1), host=b"\1" * 16)
    yield "far-101-times-and-head", "", audit_file(*[act(when=1, client=n) for n in range(101)], host=b"\1" * 16)
    yield "far-note", "", audit_file(note(17, when=1))
    middle = dict(contents=at(NOW, NOW + 5), first=7, period=(NOW + 1, NOW + 9))
    yield "middle", "", audit_file(**middle)
    yield "middle-before", f"--from {stamp(NOW + 1)}", audit_file(**middle)
    yield "middle-same-second", f"--from {stamp(NOW)}", audit_file(**middle)
    yield "middle-after", f"--from {stamp(NOW - 1)}", audit_file(**middle)
    yield "middle-far-in-batch", f"--from {stamp(NOW)}", audit_file(contents=[(NOW - 1, [act(when=NOW + 100)]), (NOW, [act(client=2)])], first=7, period=(NOW, NOW))
    yield "middle-head-same-second", f"--from {stamp(NOW + 1)}", audit_file(**{**middle, "period": (NOW, NOW + 9)})
    yield "middle-head-far-before", f"--from {stamp(NOW + 1)}", audit_file(**{**middle, "period": (0, NOW + 9)})
    yield "middle-last-joins", f"--last 6:{'99' * 32}", audit_file(**middle)
    yield "middle-last-joins-from", f"--from {stamp(NOW + 1)} --last 6:{'99' * 32}", audit_file(**middle)
    yield "middle-last-differs", f"--from {stamp(NOW + 1)} --last 6:{'98' * 32}", audit_file(**middle)
    yield "middle-last-too-early", f"--from {stamp(NOW + 1)} --last 5:{'99' * 32}", audit_file(**middle)
    yield "middle-last-not-reached", f"--from {stamp(NOW + 1)} --last 9:{'99' * 32}", audit_file(**middle)
    yield "head-period-later-than-file", "", audit_file(period=(NOW + DAY, NOW + 2 * DAY))
    yield "head-period-crossed", "", audit_file(period=(9, 8))
    yield "head-period-one-second", "", audit_file(period=(9, 9))
    yield "head-last-batch", "", audit_file(last=3)
    yield "head-first-batch", "", audit_file(parts=batches(at(NOW)), first=2)
    yield "head-host", "", audit_file(host=b"\1" * 16)
    yield "head-all-wrong", "", audit_file(host=b"\1" * 16, last=9, period=(9, 8), flags=1)
    yield "host", f"--host {host_id_of(HOST.public).hex()}", audit_file()
    yield "host-other", f"--host {host_id_of(HOST2.public).hex()}", audit_file()
    yield "batch-of-another-host-named", "", audit_file(named=host_id_of(HOST2.public))
    yield "batch-signed-by-another", "", audit_file(host=host_id_of(HOST.public), parts=batches(at(NOW), host=HOST2, named=host_id_of(HOST.public)))
    yield "batch-numbers-skip", "", audit_file(contents=at(NOW, NOW), steps=[1, 3], last=3)
    yield "batch-numbers-repeat", "", audit_file(contents=at(NOW, NOW), steps=[5, 5], first=5)
    yield "batch-of-1024", "", audit_file(contents=[(NOW, [START] * 1024)])
    yield "batch-of-1025", "", audit_file(contents=[(NOW, [START] * 1025)])
    yield "batch-with-no-items", "", audit_file(parts=[changed(batches(at(NOW))[0], 68, bytes(4))])
    yield "no-batch", "", audit_file(parts=[])
    yield "only-head", "", audit_file()[:62]
    yield "head-cut", "", audit_file()[:40]
    yield "magic-alone", "", b"KMSAUDIT"
    yield "magic-seven", "", b"KMSAUDI"
    yield "magic-of-version-1", "", b"KMSAUDI1"
    for last in b"02349AU\0":
        yield f"magic-{last:02x}", "", changed(audit_file(), 7, bytes([last]))
    yield "magic-of-version-2", "", changed(audit_file(), 7, b"2")
    yield "magic-X", "", changed(audit_file(), 7, b"X")
    yield "version-0", "", audit_file(version=0)
    yield "version-3", "", audit_file(version=3)
    yield "head-flag-2", "", audit_file(flags=2)
    yield "aside-without-flag", "", audit_file((act(), ASIDE))
    yield "aside-of-zeros-without-flag", "", audit_file((act(), bytes(5)))
    whole = batches(at(NOW))[0]
    yield "items-length-more", "", audit_file(parts=[u(4, len(whole) - 176 + 1) + whole[4:] + b"x"])
    yield "items-length-less", "", audit_file(parts=[u(4, len(whole) - 176 - 1) + whole[4:-1]])
    yield "items-length-huge", "", audit_file(parts=[u(4, 2**32 - 1) + whole[4:]])
    yield "items-length-655361", "", audit_file(parts=[u(4, 655361) + whole[4:] + bytes(655361)])


def cases():
    for name, entry in entry_cases():
        yield "entry-" + name, "", audit_file(entry)
    for name, items in aside_cases():
        yield name, "", audit_file(*items, flags=1)
    for name, documents in document_cases():
        yield "documents-" + name, "", audit_file(documents=documents)
    yield from count_cases()


def main():
    print(PUBLISHER.line())
    for name, arguments, octets in cases():
        with open(os.path.join(sys.argv[1], name + ".kmsaudit"), "wb") as f:
            f.write(octets)
        print(name, arguments)


if __name__ == "__main__":
    main()
