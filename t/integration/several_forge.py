"""Audit files of several hosts of one customer, the way a dishonest one would make them, or the way honest ones are: cases of
dishonest_forge.py, each with what kmsissue audit verify must say of all files together."""

import hashlib
import os

from audit_forge import (AFTER, BEFORE, DAY, HOST, HOST2, Key, NAMES, NOW, OTHER, PRODUCT, PUBLISHER, act, audit_file, batches, certificate,
                         decision, hash_of, note, rotation)
from kms_wire import commitments, host_id_of, u

HOST3 = Key("host 3")
FOREVER = (0, 2**64 - 1)
HOUR = 3600


def name_of(text):
    return commitments(NAMES._replace(name=text))[0]


class Host:
    """A host with a chain that grows; file() is an export of a part of it."""

    def __init__(self, key, capacity=0, when=NOW, certificates=None, **fields):
        self.key = key
        self.certificates = certificates or [certificate(host=key, capacity=capacity, **fields)]
        self.contents = []
        self.batch(when, note(16, key.public, b"kmsd 1.0", host_id_of(key.public), when=when),
                   *[note(18, c, b"", digest=hashlib.sha256(c).digest(), when=when) for c in self.certificates])

    def batch(self, when, *entries):
        self.contents.append((when, list(entries)))
        return self

    def acts(self, clients, when=NOW, **fields):
        return self.batch(when, *[act(when=when, client=n, **fields) for n in clients])

    def copy(self):
        other = Host.__new__(Host)
        other.key, other.certificates, other.contents = self.key, self.certificates, list(self.contents)
        return other

    def parts(self):
        return batches(self.contents, host=self.key)

    def restored(self, number, when, cause=1):
        parts = self.parts()
        blob = u(8, number) + u(8, self.contents[number - 1][0]) + u(1, cause)
        return self.batch(when, note(29, blob, b"", host_id_of(self.key.public), hashlib.sha256(parts[number - 1][4:112]).digest(), when=when))

    def file(self, first=1, last=None, period=FOREVER, documents=None):
        parts = self.parts()[first - 1:last]
        if documents is None:
            documents = [(1, c) for c in self.certificates]
        return audit_file(parts=parts, first=first, documents=documents, period=period, host=host_id_of(self.key.public))


def case(c, row, name, files, found=(), **also):
    """Of several files, each given as octets."""
    paths = [c.put(f"{name}-{n}.kmsaudit", octets) for n, octets in enumerate(files)]
    how = {k: also.pop(k) for k in ("exit", "status", "args", "pack") if k in also}
    c.case(row, name, files[0], found, **how)
    c.made[-1].update(files=paths, also=also)


def honest(c):
    a, b = Host(HOST, capacity=10).acts(range(1, 5)), Host(HOST2, capacity=10).acts(range(5, 8))
    case(c, "-", "several-honest", [a.file(), b.file()], clients=7, clients_by_host=7, clients_at_several_hosts=0, leases=7, worst="none",
         host_count=2, chain_count=2, file_count=2)
    moved = Host(HOST2, capacity=10).acts([1, 2], NOW + DAY, sequence=2)
    case(c, "-", "several-moved", [a.file(), moved.file()], clients=4, clients_by_host=6, clients_at_several_hosts=2, leases=6)
    repeat = Host(HOST2).acts([1], NOW + 5)
    case(c, "-", "several-repeated-at-another-host", [a.file(), repeat.file()], clients=4, clients_at_several_hosts=1, worst="none")
    case(c, "-", "several-three-hosts", [a.file(), b.file(), Host(HOST3).acts([9]).file()], clients=8, host_count=3)


def parts_of_one(c):
    a = Host(HOST).acts([1, 2]).acts([3], NOW + DAY).acts([4], NOW + 2 * DAY)
    later = (NOW + 3 * DAY, 2**64 - 1)
    first, last, whole = a.file(last=2, period=(0, NOW + 1)), a.file(first=3, period=later), a.file()
    one = dict(clients=4, leases=4, host_count=1, chain_count=1, worst="none")
    case(c, "-", "several-parts", [first, last], **one, file_count=2)
    case(c, "-", "several-parts-in-another-order", [last, first], **one)
    case(c, "-", "several-twice", [whole, whole], **one)
    case(c, "-", "several-overlap", [a.file(last=3, period=(0, NOW + DAY)), a.file(first=2, period=later)], **one)
    case(c, "-", "several-overlap-and-within", [whole, a.file(first=2, last=3, period=(NOW + 1, NOW + DAY))], **one)
    case(c, "-", "several-gap", [a.file(last=2, period=(0, NOW + 1)), a.file(first=4, period=later)], exit=1, status="KMS_E_MISSING")
    case(c, "-", "several-no-beginning", [Host(HOST2).acts([9]).file(), a.file(first=3, period=later)], exit=1, status="KMS_E_NOT_PROVED",
         clients=3)
    two = [certificate(), certificate(serial=2, issued=NOW)]
    b = Host(HOST, certificates=two).acts([1]).acts([2], NOW + DAY)
    case(c, "-", "several-parts-other-documents",
         [b.file(last=2, period=(0, NOW + 1), documents=[(1, two[0])]), b.file(first=3, period=later)], ["note document-alone 0 1"][:0],
         clients=2, chain_count=1)
    case(c, "-", "several-parts-head", [first, a.file(first=3, period=(NOW + DAY, 2**64 - 1))], ["unexplained head-period 0 1"])
    bad = bytearray(last)
    bad[-1] ^= 1
    case(c, "-", "several-one-is-damaged", [first, bytes(bad)], exit=1, status="KMS_E_FORMAT")


def forks(c):
    """A2, A6: the ledger is copied, and both go on: the customer sends files of both, perhaps to different people."""
    a = Host(HOST).acts([1, 2], NOW + 30)
    one, other = a.copy().acts([3], NOW + HOUR).acts([4], NOW + 2 * HOUR), a.copy().acts([5], NOW + 3 * HOUR)
    case(c, "A6", "fork", [one.file(), other.file()], ["contradiction fork 3 1"], clients=5, host_count=1, chain_count=2)
    case(c, "A6", "fork-of-a-part", [one.file(), other.file(first=2, period=(NOW + HOUR, 2**64 - 1))],
         ["contradiction fork 3 1"], clients=5)
    case(c, "A6", "fork-before-the-part", [one.file(), other.copy().acts([6], NOW + 4 * HOUR).file(first=4, period=(NOW + 5 * HOUR, 2**64 - 1))],
         ["unexplained fork 3 1"], exit=1, status="KMS_E_NOT_PROVED")
    started = a.copy().batch(NOW + 4 * HOUR, note(16, HOST.public, b"kmsd 1.0", host_id_of(HOST.public), when=NOW + 4 * HOUR))
    case(c, "A6", "fork-at-a-start", [one.file(), started.acts([5], NOW + 5 * HOUR).file()], ["unexplained fork 3 1"], clients=5)
    twins = a.copy().batch(NOW + 2 * HOUR, note(16, HOST.public, b"kmsd 1.0", host_id_of(HOST.public), when=NOW + 2 * HOUR))
    twins.acts([5], NOW + 5 * HOUR).acts([6], NOW + 6 * HOUR)
    both = one.copy().acts([7], NOW + 5 * HOUR).acts([7], NOW + 6 * HOUR, sequence=2).acts([8], NOW + 7 * HOUR)
    case(c, "A6", "fork-both-at-work-after-a-start", [twins.file(), both.file()], ["contradiction fork 3 1"])
    said = a.copy().restored(2, NOW + 4 * HOUR).acts([5], NOW + 5 * HOUR)
    case(c, "A6", "fork-restored", [one.file(), said.file()], ["note fork 3 1", "note restored 3 1"], clients=5)
    case(c, "A6", "fork-restored-in-another-order", [said.file(), one.file()], ["note fork 3 1", "note restored 3 1"], clients=5)
    late = a.copy().acts([3], NOW + HOUR).acts([4], NOW + 9 * HOUR)
    case(c, "A6", "fork-restored-and-signed-later", [late.file(), said.file()], ["contradiction fork 3 1", "note restored 3 1"])
    anew = Host(HOST).acts([7], NOW + 60)
    case(c, "A6", "fork-from-the-beginning", [one.file(), anew.file()], ["contradiction fork 2 1"], clients=5)


def six_fold(c):
    """A11: several hosts each count up to what was bought once."""
    def three(capacity=4, last=4, **fields):
        return [Host(key, capacity=capacity, **fields).acts(range(n * 10 + 1, n * 10 + 1 + last)) for n, key in enumerate((HOST, HOST2, HOST3))]
    beyond = ["unexplained hosts-capacity 0 1"]
    case(c, "A11", "six-fold", [h.file() for h in three()], beyond, clients=12)
    case(c, "A11", "six-fold-just-not", [h.file() for h in three(capacity=12)], clients=12)
    case(c, "A11", "six-fold-by-one", [h.file() for h in three(capacity=11)], beyond)
    case(c, "A11", "six-fold-no-limit", [h.file() for h in three(capacity=0)])
    same = [Host(key, capacity=4).acts(range(1, 5), NOW + n, sequence=n + 1) for n, key in enumerate((HOST, HOST2, HOST3))]
    case(c, "A11", "six-fold-same-clients", [h.file() for h in same], clients=4, clients_by_host=12, clients_at_several_hosts=4)
    gone = [Host(HOST, capacity=4).acts(range(1, 5)).batch(NOW + HOUR, *[act(3, when=NOW + HOUR, client=n, sequence=2) for n in range(1, 5)]),
            Host(HOST2, capacity=4).acts(range(11, 15), NOW + HOUR + 60)]
    case(c, "A11", "six-fold-released-before", [h.file() for h in gone])
    kept = [Host(HOST, capacity=4).acts(range(1, 5)),
            Host(HOST2, capacity=4).batch(NOW + 60, *[act(3, when=NOW + 60, client=n, sequence=2**62) for n in range(1, 5)])
            .acts(range(11, 15), NOW + 120)]
    case(c, "A11", "six-fold-released-at-another-host", [h.file() for h in kept], beyond)
    revoked = [Host(HOST, capacity=4).acts(range(1, 5)),
               Host(HOST2, capacity=4).batch(NOW + 60, *[decision(32, when=NOW + 60, cmid=bytes([n]) * 16, counter=2**60, through=2**62)
                                                         for n in range(1, 5)]).acts(range(11, 15), NOW + 120)]
    case(c, "A11", "six-fold-revoked-at-another-host", [h.file() for h in revoked], beyond)
    minutes = [Host(HOST, capacity=4).acts(range(1, 5), until=NOW // 60 + 10, width=1),
               Host(HOST2, capacity=4).acts(range(11, 15), NOW + 300, until=NOW // 60 + 15, width=1)]
    case(c, "A11", "six-fold-for-five-minutes", [h.file() for h in minutes], beyond)
    after = [Host(HOST, capacity=4).acts(range(1, 5), until=NOW // 60 + 10, width=1),
             Host(HOST2, capacity=4).acts(range(11, 15), NOW + 600, until=NOW // 60 + 25, width=1)]
    case(c, "A11", "six-fold-one-after-another", [h.file() for h in after])
    keys = [Host(HOST, capacity=4).acts(range(1, 5)),
            Host(HOST2, certificates=[certificate(host=HOST2, capacity=4, key=b"\x41" * 16)]).acts(range(11, 15))]
    case(c, "A11", "six-fold-two-host-keys", [h.file() for h in keys])
    case(c, "A11", "six-fold-of-the-pack", [h.file() for h in three(capacity=0)], beyond,
         pack=PACK % ("capacity = 10\n", 1, "30d"))
    case(c, "A11", "six-fold-of-the-pack-and-overdraft", [h.file() for h in three(capacity=10)],
         pack=PACK.replace("[group g]", "requires-host = 0.1.0\n[group g]") % ("capacity = 10\noverdraft = 20%\n", 1, "30d"))


def copies(c):
    """A12: one state file goes to machines at several hosts, none of which sees the others."""
    a = Host(HOST).acts([1]).acts([1], NOW + DAY, sequence=2, request_id=b"\1" * 16)
    found = ["unexplained hosts-clone 0 1"]
    twin = Host(HOST2).acts([1], NOW + DAY, sequence=2, request_id=b"\2" * 16)
    case(c, "A12", "copied-state-at-two-hosts", [a.file(), twin.file()], found, clients=1)
    behind = Host(HOST2).acts([1], NOW + DAY + 8 * HOUR, request_id=b"\2" * 16)
    once = Host(HOST).acts([1], NOW + DAY, sequence=2, request_id=b"\1" * 16)
    case(c, "A12", "copied-state-within-clocks", [once.file(), behind.file()], clients=1)
    behind = Host(HOST2).acts([1], NOW + DAY + 8 * HOUR + 1, request_id=b"\2" * 16)
    case(c, "A12", "copied-state-behind", [once.file(), behind.file()], found)
    two = Host(HOST2).acts([1, 2], NOW + DAY, sequence=2, request_id=b"\2" * 16)
    case(c, "A12", "copied-state-other-client", [Host(HOST).acts([2]).acts([1], NOW + DAY, sequence=2, request_id=b"\2" * 16).file(), two.file()],
         worst="none", clients_at_several_hosts=2)
    named = Host(HOST2).acts([1], NOW + DAY, sequence=2, request_id=b"\2" * 16, name=name_of("other"))
    case(c, "A12", "copied-state-other-name", [Host(HOST).acts([1]).file(), named.file()], ["note hosts-names 0 1"])


def strangers(c):
    a = Host(HOST).acts([1])
    other = Host(HOST2, certificates=[certificate(publisher=AFTER, host=HOST2)]).acts([2])
    case(c, "-", "several-publishers", [a.file(), other.file()], exit=1, status="KMS_E_PUBLISHER")
    customer = Host(HOST2, certificates=[certificate(host=HOST2, key=b"\x41" * 16, customer="Another")]).acts([2])
    case(c, "-", "several-customers", [a.file(), customer.file()], exit=1, status="KMS_E_ARGUMENT")
    renamed = Host(HOST2, certificates=[certificate(host=HOST2, customer="Another")]).acts([2])
    case(c, "-", "several-names-of-one-customer", [a.file(), renamed.file()], clients=2)
    case(c, "-", "several-and-last", [a.file(), renamed.file()], exit=1, status="KMS_E_ARGUMENT", args=["--last", "1:" + "0" * 64])
    case(c, "-", "several-and-host", [a.file(), renamed.file()], exit=1, status="KMS_E_ARGUMENT", args=["--host", "0" * 32])


def shares(c):
    """A13: hosts that count together name each other's batches: who leaves one out, or gives rights away that it has not, shows."""
    def share(host, first=0, when=NOW):
        return host.batch(when, note(48, u(1, first), b"acme", host_id_of(host.key.public), when=when))

    def heard(host, *others, when=NOW + HOUR):
        rows = sorted(host_id_of(other.key.public) + u(8, n or len(other.contents))
                      + (hashlib.sha256(other.parts()[(n or 0) - 1][4:112]).digest() if digest is None else digest) for other, n, digest in others)
        return host.batch(when, note(49, b"".join(rows), b"", host_id_of(host.key.public), when=when))

    def give(host, to, rights, when=NOW + HOUR, key_id=PUBLISHER.id):
        blob = key_id + u(2, 1) + host_id_of(to.key.public) + u(4, rights)
        return host.batch(when, note(50, blob, b"", host_id_of(host.key.public), when=when))

    a, b = share(Host(HOST, capacity=10).acts([1, 2]), 1), share(Host(HOST2, capacity=10).acts([3]))
    one = heard(b.copy(), (a, None, None))
    case(c, "A13", "share-honest", [give(a.copy(), b, 10).file(), one.file()], worst="none", clients=3)
    case(c, "A13", "share-batch-cut-off", [a.file(last=2), heard(b.copy(), (a, None, None), when=NOW + DAY + 1).file()],
         ["unexplained heard-missing 0 1"])
    case(c, "A13", "share-exported-earlier", [a.file(last=2), heard(b.copy(), (a, None, None), when=NOW + DAY).file()], ["note heard-missing 0 1"])
    third = Host(HOST3, capacity=10)
    case(c, "A13", "share-host-left-out", [a.file(), heard(b.copy(), (third, None, None)).file()], ["unexplained heard-missing 0 1"])
    case(c, "A13", "share-two-left-out", [heard(a.copy(), (third, None, None)).file(), heard(b.copy(), (third, None, None), (a, 9, bytes(32)), when=NOW).file()],
         ["unexplained heard-missing 0 1", "note heard-missing 0 1"])
    case(c, "A13", "share-another-batch", [a.file(), heard(b.copy(), (a, 2, bytes(32))).file()], ["unexplained heard-other 0 1"])
    case(c, "A13", "share-gave-more", [give(a.copy(), b, 11).file(), b.file()], ["unexplained rights 0 1"])
    case(c, "A13", "share-gave-more-in-two", [give(give(a.copy(), b, 6), b, 5).file(), b.file()], ["unexplained rights 0 1"])
    case(c, "A13", "share-gave-on", [give(a.copy(), b, 4).file(), give(b.copy(), a, 4).file()], worst="none")
    case(c, "A13", "share-gave-on-more", [give(a.copy(), b, 4).file(), give(b.copy(), a, 5).file()], ["unexplained rights 0 1"])
    case(c, "A13", "share-gave-for-another-publisher", [a.file(), give(b.copy(), a, 5, key_id=b"ANOTHER!").file()], worst="none")
    case(c, "A13", "share-two-first", [a.file(), share(b.copy(), 1, NOW + 1).file()], ["unexplained rights 0 1"])


PACK = """[policy]
id = forged
title = Forged
version = 1.0
issued = 2026-01-01
[group g]
[pool first]
number = 1
window = 30
%s[product 11111111-1111-1111-1111-111111111111]
name = One
group = g
pool = first
threshold = %d
validity = %s
"""

ALL = honest, parts_of_one, forks, six_fold, copies, shares, strangers
