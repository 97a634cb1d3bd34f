#!/usr/bin/python3
"""Sends a host what kms-protocol(7) calls bad input, each on its own connection, and some input
that is unusual but good.  `bad_input.py HOST PORT PUBLISHER-LINE PRODUCT` prints one line a case,
`name: answer, stays|closed`; whether the connection stays is found out with a HELLO on it."""

import os
import socket
import sys
import time
import uuid

sys.dont_write_bytecode = True
import kms_wire as k  # noqa: E402

HOST, PORT, LINE, PRODUCT = sys.argv[1:]
PUBLISHER = k.publisher_key(LINE)
GOOD_HELLO = k.frame(k.HELLO, PUBLISHER.key_id)
SECRET = os.urandom(32)
PUBLIC = k.public_key(SECRET)
SMALL_ORDER = bytes(32)
TLV = k.tlv(999, b"from the future")


def connect():
    s = socket.create_connection((HOST, int(PORT)), 10)
    s.settimeout(20)
    return s


def take(s, n):
    """n octets, or fewer when the host closes."""
    octets = b""
    try:
        while len(octets) < n:
            more = s.recv(n - len(octets))
            if not more:
                break
            octets += more
    except ConnectionResetError:
        pass
    return octets


def answer(s):
    """A whole frame of the host; None when it closed without one."""
    header = take(s, k.HEADER)
    if not header:
        return None
    return header + take(s, k.read_frame_header(header)[1])


with connect() as link:
    link.sendall(GOOD_HELLO)
    RAW, STATEMENT = k.read_hello_reply(answer(link)[k.HEADER:])[1:3]
EXCHANGE = k.verify_exchange(STATEMENT, k.verify_certificate(RAW, PUBLISHER).signing, time.time())
TO_CLIENT, TO_HOST = k.session_keys(k.x25519(SECRET, EXCHANGE.key), PUBLIC, EXCHANGE.key)
HOST_ID = EXCHANGE.host_id
REQUEST_ID = os.urandom(16)
TEXT = k.request_text(k.RELEASE, 0, False, 0, REQUEST_ID, int(time.time()), 1,
                      uuid.UUID(PRODUCT).bytes, k.salt_of(SECRET), "bad-input.example")


def sealed(text=TEXT, host_id=HOST_ID, public=PUBLIC, exchange_id=EXCHANGE.key_id):
    return k.seal_request(text, host_id, exchange_id, public, os.urandom(24), TO_HOST)


def changed(octets, at, value):
    return octets[:at] + value + octets[at + len(value):]


def described(octets):
    if octets is None:
        return "none"
    kind, payload = octets[5], octets[k.HEADER:]
    if kind == k.HELLO_REPLY:
        k.verify_certificate(k.read_hello_reply(payload)[1], PUBLISHER)
        return "HELLO_REPLY"
    if kind == k.ERROR:
        return "ERROR " + k.STATUS[k.read_error(payload).status]
    reply = k.read_reply(k.open_reply(octets, TO_CLIENT), k.RELEASE)
    echoed = {REQUEST_ID: "", bytes(16): " without id"}[reply.request_id]
    return "REPLY " + k.STATUS[reply.status] + echoed


def stays(s):
    try:
        s.sendall(GOOD_HELLO)
        octets = answer(s)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return octets is not None and octets[5] == k.HELLO_REPLY


GOOD_REQUEST = sealed()
TAG_ALTERED = GOOD_REQUEST[:-1] + bytes([GOOD_REQUEST[-1] ^ 1])
CASES = {
    "not the magic": b"GET / HTTP/1.0\r\n\r\n",
    "first octet 5": b"\x05" + bytes(71),
    "version 3": changed(GOOD_HELLO, 4, b"\x03"),
    "version 1": changed(GOOD_HELLO, 4, b"\x01"),
    "version 0": changed(GOOD_HELLO, 4, b"\x00"),
    "flags": changed(GOOD_HELLO, 7, b"\x01"),
    "flags, and version 3": changed(GOOD_HELLO, 4, b"\x03\x01\x00\x01"),
    "type 0": changed(GOOD_HELLO, 5, b"\x00"),
    "type REPLY": changed(GOOD_HELLO, 5, b"\x04"),
    "type 9": changed(GOOD_HELLO, 5, b"\x09"),
    # Headers alone: octets that the host leaves unread would make its close a reset.
    "payload of 1025": k.frame_header(k.REQUEST, 1025),
    "length of 4 GiB": k.frame_header(k.HELLO, 2**32 - 1),
    "HELLO empty": k.frame(k.HELLO, b""),
    "HELLO of 7 octets": k.frame(k.HELLO, bytes(7)),
    "HELLO, its tail cut short": k.frame(k.HELLO, PUBLISHER.key_id + TLV[:-1]),
    "HELLO for another publisher": k.frame(k.HELLO, b"\xff" * 8),
    "HELLO for the only publisher": k.frame(k.HELLO, bytes(8)),
    "HELLO with an unknown TLV": k.frame(k.HELLO, PUBLISHER.key_id + TLV),
    "REQUEST of 95 octets": k.frame(k.REQUEST, bytes(95)),
    "REQUEST of 96 octets": k.frame(k.REQUEST, HOST_ID + EXCHANGE.key_id + PUBLIC + bytes(40)),
    "another host id": sealed(host_id=bytes(16)),
    "another exchange key": sealed(exchange_id=bytes(8)),
    "C of small order": sealed(public=SMALL_ORDER),
    "C of another client": sealed(public=k.public_key(os.urandom(32))),
    "tag altered": TAG_ALTERED,
    "text empty": sealed(b""),
    "text of 23 octets": sealed(TEXT[:23]),
    "text of 24 octets": sealed(TEXT[:24]),
    "text of 143 octets": sealed(TEXT[:143]),
    "operation 0": sealed(changed(TEXT, 0, b"\x00")),
    "operation 4": sealed(changed(TEXT, 0, b"\x04")),
    "licence state 6": sealed(changed(TEXT, 1, b"\x06")),
    "request flag 4": sealed(changed(TEXT, 3, b"\x04")),
    "request id 0": sealed(changed(TEXT, 8, bytes(16))),
    "sequence number 0": sealed(changed(TEXT, 32, bytes(8))),
    "sequence number 2^62 + 1": sealed(changed(TEXT, 32, k.u(8, 2**62 + 1))),
    "salt 0": sealed(changed(TEXT, 56, bytes(16))),
    "reserved octet": sealed(changed(TEXT, 79, b"\x01")),
    "name with a control character": sealed(changed(TEXT, 81, b"\n")),
    "name that is not UTF-8": sealed(changed(TEXT, 81, b"\xff")),
    "name with a surrogate": sealed(changed(TEXT, 81, b"\xed\xa0\x80")),
    "name not padded with zeros": sealed(changed(TEXT, 143, b"x")),
    "text, its tail cut short": sealed(TEXT + TLV[:-1]),
    "text with an unknown TLV": sealed(TEXT + TLV),
    "text with an unknown critical TLV": sealed(TEXT + k.tlv(0x8FFF, k.u(4, 60))),
    "text with TLVs out of order": sealed(TEXT + TLV + k.tlv(998, b"")),
    "text with a TLV twice": sealed(TEXT + TLV + TLV),
    "text with a witness of batch 0": sealed(TEXT + k.tlv(1, bytes(40))),
    "text with all TLVs of this version": sealed(
        TEXT + k.tlv(1, k.u(8, 1) + bytes(32)) + k.tlv(2, bytes(172)) + k.tlv(3, bytes(16))
        + k.tlv(4, bytes(16)) + k.tlv(5, k.pad_text("ann", 64))),
    "name with U+202E": sealed(changed(TEXT, 81, b"\xe2\x80\xae")),
    "name empty": sealed(changed(TEXT, 80, bytes(64))),
    "name of 64 octets": sealed(changed(TEXT, 80, b"n" * 64)),
    "time 5 hours off": sealed(changed(TEXT, 24, k.u(8, int(time.time()) + 18000))),
    "time at its end": sealed(changed(TEXT, 24, b"\xff" * 8)),
    "unknown product": sealed(changed(TEXT, 40, b"\xff" * 16)),
}

with connect() as other:
    other.sendall(GOOD_HELLO)
    answer(other)
    with connect() as within:
        within.sendall(GOOD_HELLO[:15])
    for name, octets in CASES.items():
        with connect() as link:
            link.sendall(octets)
            print(f"{name}: {described(answer(link))}, {'stays' if stays(link) else 'closed'}")
    print("others who are connected:", "stay" if stays(other) else "are cut off")
