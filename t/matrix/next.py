#!/usr/bin/python3
"""What a later version might write: the present formats, each with one change.

    next.py files DIR PRODUCT             writes files; prints the publisher's key line
    next.py ask PORT LINE PRODUCT CHANGE  asks a running host; prints its answer
    next.py serve CHANGE PRODUCT          is a host: prints its port, answers until its input ends

The octets are made with t/independent/kms_wire.py, which was written from the pages alone."""

import contextlib
import base64
import hashlib
import os
import socket
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../independent"))
import kms_wire as k  # noqa: E402
import nacl.bindings as sodium  # noqa: E402

NOW = int(time.time())
DAY = 86400
COUNTERS = ("entry-counters", "entry-counters-plain", "entry-counters-critical")
PLAIN, CRITICAL = k.tlv(0x7fff, b"later"), k.tlv(0xffff, b"later")


class Scene:
    """A publisher and a host of its, made from a seed."""

    def __init__(self, seed, product):
        part = [hashlib.sha256(seed + bytes([n])).digest() for n in range(4)]
        self.publisher_pk, self.publisher_sk = sodium.crypto_sign_seed_keypair(part[0])
        self.seed = part[1]
        self.host_pk, self.host_sk = sodium.crypto_sign_seed_keypair(part[1])
        self.exchange_secret = part[2]
        self.exchange_pk = k.public_key(part[2])
        self.key_id = part[3][:8]
        self.product = product
        self.host_id = k.host_id_of(self.host_pk)
        self.line = base64.b64encode(b"Ed" + self.key_id + self.publisher_pk).decode()

    def by_publisher(self, octets):
        return octets + sodium.crypto_sign(octets, self.publisher_sk)[:64]

    def by_host(self, octets):
        return octets + sodium.crypto_sign(octets, self.host_sk)[:64]

    def certificate(self, change=""):
        tail = {"cert-plain": PLAIN, "cert-critical": CRITICAL}.get(change, b"")
        octets = k.write_certificate(k.Certificate(
            self.key_id, bytes(range(0x20, 0x30)), self.host_pk, 7, NOW, NOW - DAY,
            NOW + 3650 * DAY, 1000, 1, "standard", "Later & Co", [self.product], tail, b"", b""))
        if change == "cert-magic":
            octets = b"KMSCERT3" + octets[8:]
        return self.by_publisher(octets)

    def statement(self, change=""):
        octets = k.write_exchange(k.Exchange(
            self.host_id, k.exchange_id_of(self.exchange_pk), self.exchange_pk, NOW - 60,
            NOW + 7 * DAY, NOW + 8 * DAY, 2, 2))
        if change == "statement-magic":
            octets = b"KMSXKEY2" + octets[8:]
        return self.by_host(octets)

    def entry(self, change="", cmid=bytes(range(16, 32)), request_id=bytes(range(1, 17)),
              sequence=1, names=None):
        names = names or k.Names(bytes(range(1, 17)), bytes(10) + b"\xff\xff\xc0\0\2\1",
                                 "later.example", "")
        minute = NOW // 60
        e = k.ClientEntry(1, 0, 0, NOW, cmid, self.product, request_id, sequence, NOW + 30 * DAY,
                          NOW + 7 * DAY, 1, 1, self.key_id, 1, 0,
                          (minute // 1440 + 31) * 1440, 1440, 1, 1, 0, *k.commitments(names), b"")
        octets = bytearray(k.write_client_entry(e))
        octets += {"entry-plain": PLAIN, "entry-critical": CRITICAL}.get(change, b"")
        if change == "entry-flag":
            octets[2] |= 0x80
        elif change == "entry-version":
            octets[0] = 3
        elif change == "entry-kind":
            octets[1] = 127
        return bytes(octets), k.write_aside(names)

    def counters(self, change):
        """How often this host refused: kind 40, which older readers do not know."""
        blob = k.u(4, 60) + self.key_id + k.u(2, 1) + k.u(2, 10) + k.u(4, 7)
        tail = {"entry-counters-plain": PLAIN, "entry-counters-critical": CRITICAL}.get(change, b"")
        return (b"\2\x28" + bytes(6) + k.u(8, NOW) + self.host_id + bytes(32) + k.u(2, 0)
                + k.u(2, len(blob)) + blob + tail)

    def start(self):
        text = b"kmsd 99.0"
        return (b"\2\x10" + bytes(6) + k.u(8, NOW) + self.host_id + bytes(32) + k.u(2, len(text))
                + text + k.u(2, 32) + self.host_pk)

    def certificate_entry(self, certificate):
        return (b"\2\x12" + bytes(6) + k.u(8, NOW) + bytes(range(0x20, 0x30))
                + hashlib.sha256(certificate).digest() + k.u(2, 0)
                + k.u(2, len(certificate)) + certificate)

    def batch(self, entries, number=1, before=bytes(32)):
        leaves = [k.leaf_hash(e) for e in entries]
        header = k.write_batch_header(k.BatchHeader(
            self.host_id, number, before, len(entries), k.merkle_root(leaves), NOW))
        return header, self.by_host(header)[108:]

    def bundle(self, change="", **of):
        entry, aside = self.entry(change, **of)
        header, signature = self.batch([self.start(), entry])
        leaves = [k.leaf_hash(e) for e in (self.start(), entry)]
        return k.write_bundle(k.Bundle(entry, header, signature, 1, k.merkle_path(leaves, 1),
                                       aside))

    def items(self, change):
        """Those of a journal's first batch, and its header and signature."""
        certificate = self.certificate()
        entry, aside = self.entry(change)
        entries = [(self.start(), b""), (self.certificate_entry(certificate), b""),
                   (entry, aside)]
        if change.startswith("entry-counters"):
            entries[2] = (self.counters(change), b"")
        header, signature = self.batch([e for e, _ in entries])
        return header, signature, entries

    def audit(self, change):
        header, signature, entries = self.items(change)
        certificate = self.certificate()
        version = k.u(2, 3 if change == "file-version" else 2)
        flags = k.u(2, 0x8000 if change == "file-flag" else 0)
        kind = k.u(1, 9 if change == "document" else 1)
        octets = b"".join(k.u(2, len(e)) + e + b"\0" for e, _ in entries)
        return (b"KMSAUDIT" + version + flags + self.host_id + k.u(8, 1) + k.u(8, 1) + k.u(8, 0)
                + k.u(8, 2**64 - 1) + k.u(2, 1) + kind + k.u(2, len(certificate)) + certificate
                + k.u(4, len(octets)) + header + signature + octets)

    def segment(self, change):
        header, signature, entries = self.items(change)
        schema = 3 if change == "file-version" else 2
        head = b"KMSJSEG1" + k.u(4, schema) + k.u(4, 512) + k.u(8, 1) + bytes(32)
        head += hashlib.sha256(head).digest()[:16]
        head = (head + b"99.0").ljust(512, b"\0")
        items = b"".join(k.u(2, len(e)) + e + k.u(1, len(a)) + a for e, a in entries)
        length = (204 + len(items) + 12 + 511) // 512 * 512
        record = b"KMSJBAT1" + k.u(4, length) + k.u(4, len(items)) + header + signature
        record += hashlib.sha256(record).digest()[:16]
        record = (record + items).ljust(length - 12, b"\0") + k.u(4, length) + b"KMSJEND\xa5"
        return head + record

    def host_key(self, version=2):
        octets = b"KMSHOSTK" + bytes([version, 0]) + bytes(6) + k.u(8, NOW) + self.seed
        return octets + hashlib.sha256(octets).digest()

    def minisign(self, octets):
        """Text of a .minisig beside a file."""
        signature = sodium.crypto_sign(hashlib.blake2b(octets).digest(), self.publisher_sk)[:64]
        comment = b"later"
        both = sodium.crypto_sign(signature + comment, self.publisher_sk)[:64]
        return (b"untrusted comment: later\n"
                + base64.b64encode(b"ED" + self.key_id + signature)
                + b"\ntrusted comment: " + comment + b"\n" + base64.b64encode(both) + b"\n")


PACK = """[policy]
id = later
title = Later
version = 1.0
issued = 2026-01-01
{policy}[group standard]
[pool all]
number = 1
{pool}[product {product}]
name = Later
group = standard
pool = all
threshold = 1
{more}"""
HOST_KEY = """[host-key]
id = 20212223-2425-2627-2829-2a2b2c2d2e2f
publisher = {publisher}
customer = Later & Co
group = standard
issued = 2026-01-01T00:00:00Z
not-before = 2026-01-01T00:00:00Z
not-after = 2090-12-31T23:59:59Z
capacity = 10
hosts = 3
confirmations = 3
{more}"""


def put(directory, name, octets, mode=0o644):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(octets)
    os.chmod(path, mode)


def files(directory, scene):
    for change in ("same", "entry-plain", "entry-critical", "entry-flag", "entry-version",
                   "entry-kind", "cert-plain", "cert-critical", "cert-magic"):
        put(directory, "lease-" + change,
            k.write_lease_file(scene.certificate(change), scene.bundle(change)))
    put(directory, "lease-magic", b"KMSLEAS4" + k.write_lease_file(
        scene.certificate(), scene.bundle())[8:])
    pair = [b"".join(scene.batch([scene.start()], 2, bytes([n]) * 32)) for n in (1, 2)]
    for change in ("same", "cert-plain", "cert-critical", "cert-magic"):
        put(directory, "evidence-" + change,
            k.write_evidence_file(scene.certificate(change), *pair))
    put(directory, "evidence-magic", b"KMSEVID2" + k.write_evidence_file(
        scene.certificate(), *pair)[8:])
    for change in ("same", "entry-plain", "entry-critical", "entry-flag", "entry-version",
                   "entry-kind", *COUNTERS, "file-version", "file-flag", "document"):
        put(directory, "audit-" + change, scene.audit(change), 0o600)
    for change in ("same", "entry-plain", "entry-critical", "entry-flag", "entry-version",
                   "entry-kind", *COUNTERS, "file-version"):
        put(directory, f"journal-{change}/keys/host.key", scene.host_key(), 0o600)
        put(directory, f"journal-{change}/kmsdb/journal/00000000000000000001.seg",
            scene.segment(change), 0o600)
    put(directory, "journal-key-version/keys/host.key", scene.host_key(3), 0o600)
    uuid = scene.product.hex()
    uuid = "-".join((uuid[:8], uuid[8:12], uuid[12:16], uuid[16:20], uuid[20:]))
    texts = {
        "pack-same": PACK.format(policy="", pool="", more="", product=uuid),
        "pack-key": PACK.format(policy="", pool="surge = 10%\n", more="", product=uuid),
        "pack-section": PACK.format(policy="", pool="", more="[later]\nx = y\n", product=uuid),
        "pack-requires-host": PACK.format(
            policy="requires-host = 99.0\n", pool="surge = 10%\n", more="", product=uuid),
        "pack-bind": PACK.format(
            policy="requires-host = 0.1\n", pool="", more="bind = machine\n", product=uuid),
        "pack-floating": PACK.format(
            policy="requires-host = 0.1\n", pool="window = 12h\n",
            more="validity = 6h\nrenewal-interval = 2h\n", product=uuid),
        "pack-seats": PACK.format(
            policy="requires-host = 0.1\n", pool="stateless = refuse\nborrow = 14d\n"
            "borrow-seats = 3\noverdraft = 10%\nwhen-full = longest-unseen 8h\n", more="", product=uuid),
        "pack-overdraft-alone": PACK.format(
            policy="", pool="overdraft = 10%\n", more="", product=uuid),
        "pack-floating-alone": PACK.format(
            policy="", pool="window = 12h\n",
            more="validity = 6h\nrenewal-interval = 2h\n", product=uuid),
        "pack-bind-alone": PACK.format(policy="", pool="", more="bind = machine\n", product=uuid),
        "hostkey-same": HOST_KEY.format(more="", publisher=scene.key_id.hex()),
        "hostkey-key": HOST_KEY.format(more="later = yes\n", publisher=scene.key_id.hex()),
    }
    for name, text in texts.items():
        put(directory, name, text.encode())
        put(directory, name + ".minisig", scene.minisign(text.encode()))
    secret = hashlib.sha256(b"client").digest()
    host = k.write_host(scene.host_id, NOW, pair[0], wanted=True)
    hosts = {"hosts": [host], "host-flag": [host[:24] + b"\4" + host[25:]],
             "evidence": [k.write_host(scene.host_id, NOW, pair[0], pair=pair)]}
    for change in ("same", "version", "key-version", *hosts):
        key = k.write_client_key(secret, 1, 0, bytes(16), bytes(16), 0)
        # The latest time seen is ahead, so that a look at the file does not write it.
        state = k.write_client_state(k.public_key(secret), (NOW + 3600, NOW, 0, 0), (0,) * 6, "", b"",
                                     b"", b"", hosts.get(change, ()))
        if change == "version":
            state = k.with_sum(state[:8] + k.u(2, 4) + state[10:-32])
        if change == "key-version":
            key = k.with_sum(key[:8] + k.u(2, 3) + key[10:-32])
        put(directory, "state-" + change, state)
        put(directory, f"state-{change}.key", key, 0o600)
    print(scene.line)


def take(s, n):
    octets = b""
    while len(octets) < n:
        more = s.recv(n - len(octets))
        if not more:
            return octets
        octets += more
    return octets


def frame_of(s):
    """A whole frame, None at the end."""
    header = take(s, 12)
    if len(header) < 12:
        return None
    return header + take(s, struct.unpack(">I", header[8:])[0])


def ask(port, line, product, change):
    publisher = k.publisher_key(line)
    hello = k.frame(k.HELLO, publisher.key_id)
    with socket.create_connection(("127.0.0.1", port), 20) as s:
        changed = {"frame-version-1": hello[:4] + b"\1" + hello[5:],
                   "frame-version-3": hello[:4] + b"\3" + hello[5:],
                   "hello-plain": k.frame(k.HELLO, publisher.key_id + PLAIN),
                   "hello-critical": k.frame(k.HELLO, publisher.key_id + CRITICAL)}.get(change)
        s.sendall(changed or hello)
        answer = frame_of(s)
        if changed:
            print("ERROR " + k.STATUS[struct.unpack(">I", answer[12:16])[0]]
                  if answer[5] == k.ERROR else "HELLO_REPLY", f"version {answer[4]}")
            return
        _, certificate, statement, _ = k.read_hello_reply(answer[12:])
        c = k.verify_certificate(certificate, publisher)
        x = k.verify_exchange(statement, c.signing)
        secret = os.urandom(32)
        public = k.public_key(secret)
        to_client, to_host = k.session_keys(k.x25519(secret, x.key), public, x.key)
        text = bytearray(k.request_text(1, 0, False, 0, os.urandom(16), NOW, 1, product,
                                        k.salt_of(secret), "later"))
        text += {"request-plain": PLAIN, "request-critical": CRITICAL,
                 "request-witness": k.tlv(1, k.u(8, 9) + bytes(32)),
                 "request-header": k.tlv(1, k.u(8, 9) + bytes(32)) + k.tlv(2, bytes(172)),
                 "request-after": k.tlv(7, bytes(16)),
                 "request-borrow": k.tlv(0x8006, k.u(4, 60)),
                 "request-user": k.tlv(5, k.pad_text("ann", 64))}.get(change, b"")
        if change == "request-flag":
            text[3] |= 4
        elif change == "request-stateless":
            text[3] |= 2
        elif change == "request-operation":
            text[0] = 4
        elif change == "request-state":
            text[1] = 6
        s.sendall(k.seal_request(bytes(text), x.host_id, x.key_id, public, os.urandom(24),
                                 to_host))
        reply = k.read_reply(k.open_reply(frame_of(s), to_client), 1)
        print("REPLY " + k.STATUS[reply.status])


def offered(text):
    """To a host of before clients without state and loans: one flag, and no critical TLV."""
    at = 144
    while at < len(text):
        kind, length = struct.unpack(">HH", text[at:at + 4])
        if kind & 0x8000:
            return False
        at += 4 + length
    return text[2:4] in (b"\0\0", b"\0\1")


def answer(scene, change, s):
    while True:
        f = frame_of(s)
        if f is None:
            return
        if f[5] == k.HELLO:
            certificate = scene.certificate(change)
            tail = {"hello-reply-plain": PLAIN, "hello-reply-critical": CRITICAL}.get(change, b"")
            out = k.frame(k.HELLO_REPLY, k.u(8, NOW) + scene.statement(change)
                          + k.u(2, len(certificate)) + certificate + tail)
            s.sendall(out[:4] + b"\3" + out[5:] if change == "frame-version" else out)
            continue
        public = f[12 + 24:12 + 56]
        keys = k.session_keys(k.x25519(scene.exchange_secret, public), public, scene.exchange_pk)
        text = k.unseal(f[12 + 80:], f[:12] + f[12:12 + 56], f[12 + 56:12 + 80], keys[1])
        request_id, sequence = text[8:24], int.from_bytes(text[32:40], "big")
        names = k.Names(text[56:72], bytes(10) + b"\xff\xff\x7f\0\0\1",
                        text[80:144].rstrip(b"\0").decode(), "")
        bundle = scene.bundle(change, cmid=k.cmid_of(public), request_id=request_id,
                              sequence=sequence, names=names)
        status = 200 if change == "reply-status" else 0
        if change == "older-host" and not offered(text):
            status = k.NUMBER["KMS_E_NOT_OFFERED"]
        if status:
            bundle = b""
        flags = 1 if change == "reply-flag" else 0
        tail = {"reply-plain": PLAIN, "reply-critical": CRITICAL,
                "reply-show": k.tlv(4, k.u(8, 1))}.get(change, b"")
        out = (k.u(4, status) + k.u(4, flags) + request_id + k.u(8, NOW) + k.u(4, 1) + k.u(4, 1)
               + k.u(4, 120) + k.u(4, 10080) + k.u(4, len(bundle)) + bundle + tail)
        s.sendall(k.seal_reply(out, os.urandom(24), keys[0]))


def serve(scene, change):
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def accept():
        while True:
            s = listener.accept()[0]
            with s, contextlib.suppress(ConnectionResetError): # a client that refuses a reply may leave without reading it whole
                answer(scene, change, s)

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


def main(argv):
    if argv[0] == "files":
        files(argv[1], Scene(b"files", bytes.fromhex(argv[2].replace("-", ""))))
    elif argv[0] == "ask":
        ask(int(argv[1]), argv[2], bytes.fromhex(argv[3].replace("-", "")), argv[4])
    else:
        serve(Scene(b"files", bytes.fromhex(argv[2].replace("-", ""))), argv[1])


main(sys.argv[1:])
