#!/usr/bin/python3
"""What somebody who recorded the network can do with what he finds on a host later.

    recorded.py keys STATE_DIRECTORY           the exchange keys in keys/exchange.key, by host.key, which must be plain
    recorded.py session FRAME SECRET           the session keys of a REQUEST, by the exchange secret
    recorded.py reply FRAME SECRET REPLY       what the host answered
    recorded.py open STEP FRAME PUBLIC FILE ...  tries all there is in the files: each 32 octets, at offsets that STEP divides,
                                               as exchange secret, as shared secret and as session key

Frames and secrets are hexadecimal, except that FRAME of open is a file. The output is one JSON object.
The layouts are those of kmsd/activate/identity_file.h and exchange_file.h; all else is kms_wire.py's.
"""

import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "independent"))
import kms_wire as k  # noqa: E402

SEALED_AT, PAIR = 56, 192


def read(path):
    with open(path, "rb") as f:
        return f.read()


def host_seed(state):
    octets = read(state + "/keys/host.key")
    assert octets[:8] == b"KMSHOSTK" and len(octets) == 88, "no plain host.key"
    return octets[24:56]


def keys(state):
    """Newest first. sealed: where the file has the secret, which opens with host.key alone."""
    octets = read(state + "/keys/exchange.key")
    at_rest = hashlib.blake2b(b"KMS exchange at rest v1", key=host_seed(state), digest_size=32).digest()
    assert octets[:8] == b"KMSHOSTX", "no exchange.key"
    text = k.unseal(octets[SEALED_AT:-32], octets[:32], octets[32:56], at_rest)
    found = []
    for i in range(octets[9]):
        secret, r = text[i * PAIR:i * PAIR + 32], k.Reader(text[i * PAIR + 32:(i + 1) * PAIR])
        r.raw(8 + 16)
        found.append({"id": r.raw(8).hex(), "public": r.raw(32).hex(), "made": r.num(8),
                      "until": r.num(8), "ends": r.num(8), "secret": secret.hex(),
                      "sealed": octets[SEALED_AT + i * PAIR:SEALED_AT + i * PAIR + 32].hex()})
        assert k.public_key(secret).hex() == found[-1]["public"]
    return {"keys": found, "text": text.hex()}


class Request:
    def __init__(self, octets):
        r = k.Reader(octets[k.HEADER:])
        self.host_id, self.key_id, self.client = r.raw(16), r.raw(8), r.raw(32)
        self.clear, self.nonce, self.sealed = octets[:k.HEADER + 56], r.raw(24), r.rest()

    def session(self, secret):
        q = k.x25519(secret, self.client)
        return (q, *k.session_keys(q, self.client, k.public_key(secret)))

    def opens(self, to_host):
        try:
            k.unseal(self.sealed, self.clear, self.nonce, to_host)
            return True
        except k.KmsError:
            return False

    def tries(self, octets, public):
        """How these 32 octets open it. public: the host's exchange key, from a HELLO_REPLY."""
        if self.opens(octets):
            return "session key"
        if self.opens(k.session_keys(octets, self.client, public)[1]):
            return "shared secret"
        try:
            q = k.x25519(octets, self.client)
        except k.KmsError:
            return None
        return "exchange secret" if self.opens(k.session_keys(q, self.client, public)[1]) else None


def session(frame, secret):
    q, to_client, to_host = Request(bytes.fromhex(frame)).session(bytes.fromhex(secret))
    return {"shared": q.hex(), "to_client": to_client.hex(), "to_host": to_host.hex()}


def reply(frame, secret, answer):
    octets = bytes.fromhex(answer)
    if octets[5] == k.ERROR:
        return {"status": k.STATUS[k.read_error(octets[k.HEADER:]).status], "error": True}
    to_client = Request(bytes.fromhex(frame)).session(bytes.fromhex(secret))[1]
    r = k.read_reply(k.open_reply(octets, to_client), 1)
    return {"status": k.STATUS[r.status], "error": False, "lease": hashlib.sha256(r.bundle or b"").hexdigest()}


def windows(octets, step):
    """Random octets are 30 different ones of 32, and never as few as 18."""
    for at in range(0, len(octets) - 31, step):
        if octets[at + 31] | octets[at + 30] | octets[at] | octets[at + 1]:
            piece = octets[at:at + 32]
            if len(set(piece)) >= 18:
                yield at, piece


def open_with(step, frame, public, *files):
    request, tried = Request(read(frame)), set()
    for path in files:
        for at, piece in windows(read(path), int(step)):
            if piece in tried:
                continue
            tried.add(piece)
            how = request.tries(piece, bytes.fromhex(public))
            if how:
                return {"opened": how, "file": path, "offset": at, "tried": len(tried)}
    return {"opened": None, "tried": len(tried)}


COMMANDS = {"keys": keys, "session": session, "reply": reply, "open": open_with}

if __name__ == "__main__":
    print(json.dumps(COMMANDS[sys.argv[1]](*sys.argv[2:])))
