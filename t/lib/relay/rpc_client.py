#!/usr/bin/python3
"""Clients of a relay, as Windows clients are as far as DCE/RPC goes: impacket's, Samba's NDR of PDUs, and
octets laid down by hand (C706 chapter 12). The payload is arbitrary.

    rpc_client.py --port P --mode FILE --log FILE [--mode2 FILE --log2 FILE] CASE...

Runs the cases (functions case_*) one after the other against a relay before standin_host.py, and prints one JSON
object: { case: null or what was wrong }.
"""
import argparse
import json
import os
import socket
import struct
import sys
import time
import traceback
import uuid

KMS = ('51c82175-844e-4750-b0d8-ec255555bc06', '1.0')
EPM = ('e1af8308-5d1f-11c9-91a4-08002b14a0fa', '3.0')
NDR = ('8a885d04-1ceb-11c9-9fe8-08002b104860', '2.0')
NDR64 = ('71710533-beba-4937-8319-b5dbef9ccc36', '1.0')
BTFN = ('6cb71c2c-9812-4540-0300-000000000000', '1.0')
REQUEST, RESPONSE, FAULT, BIND, BIND_ACK, BIND_NAK, ALTER, ALTER_RESP, SHUTDOWN = 0, 2, 3, 11, 12, 13, 14, 15, 17
OP_RANGE, UNKNOWN_IF, COMM_FAILURE = 0x1c010002, 0x1c010003, 0x1c010001
VERSION6 = struct.pack('<HH', 0, 6)     # minor, major
PATIENCE = 30

opt = None


def want(condition, what):
    if not condition:
        raise AssertionError(what)


def mode(text, which=1):
    path = opt.mode if which == 1 else opt.mode2
    with open(path + '.new', 'w') as f:
        f.write(text)
    os.rename(path + '.new', path)


def log(which=1):
    try:
        with open(opt.log if which == 1 else opt.log2) as f:
            return f.read().splitlines()
    except OSError:
        return []


def seen(before):
    return [l for l in log()[before:] if l.split()[0] in ('bind', 'request', 'alter')]


def payload(n=60, version=VERSION6):
    return version + bytes(i * 7 & 0xff for i in range(n))


def expected(stub):
    return stub[::-1] * 2


class Client:
    """One connection, PDUs by hand."""

    def __init__(self, big=False, source=None):
        self.e = '>' if big else '<'
        self.big = big
        self.s = socket.create_connection((opt.address, opt.port), PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def syntax(self, s):
        u = uuid.UUID(s[0])
        major, minor = map(int, s[1].split('.'))
        return (u.bytes if self.big else u.bytes_le) + struct.pack(self.e + 'I', minor << 16 | major)

    def pdu(self, kind, body, call=1, flags=3, minor=0, auth=0, drep=None, length=None):
        drep = drep or (b'\0\0\0\0' if self.big else b'\x10\0\0\0')
        return struct.pack('BBBB', 5, minor, kind, flags) + drep + struct.pack(
            self.e + 'HHI', 16 + len(body) if length is None else length, auth, call) + body

    def bind_pdu(self, contexts=None, kind=BIND, call=1, **k):
        contexts = contexts or [(0, KMS, [NDR])]
        body = struct.pack(self.e + 'HHI', 5840, 5840, 0) + struct.pack('B3x', len(contexts))
        for number, abstract, transfer in contexts:
            body += struct.pack(self.e + 'HBx', number, len(transfer)) + self.syntax(abstract)
            body += b''.join(self.syntax(t) for t in transfer)
        return self.pdu(kind, body, call, **k)

    def request_pdu(self, stub, call=2, context=0, opnum=0, flags=3, **k):
        return self.pdu(REQUEST, struct.pack(self.e + 'IHH', len(stub), context, opnum) + stub, call, flags, **k)

    def send(self, octets):
        self.s.sendall(octets)

    def exactly(self, n):
        octets = b''
        while len(octets) < n:
            more = self.s.recv(n - len(octets))
            if not more:
                raise EOFError('closed after %d of %d octets' % (len(octets), n))
            octets += more
        return octets

    def recv(self):
        head = self.exactly(16)
        want(head[0] == 5, 'an RPC PDU')
        e = '<' if head[4] & 0x10 else '>'
        length, auth, call = struct.unpack_from(e + 'HHI', head, 8)
        return {'type': head[2], 'flags': head[3], 'call': call, 'e': e, 'body': self.exactly(length - 16),
                'octets': None}

    def closed(self):
        try:
            return self.s.recv(1) == b''
        except ConnectionError:
            return True

    def results(self, ack):
        body, e = ack['body'], ack['e']
        n, = struct.unpack_from(e + 'H', body, 8)
        at = (10 + n + 3) & ~3
        count = body[at]
        return [struct.unpack_from(e + 'HH', body, at + 4 + 24 * i) for i in range(count)]

    def bind(self, *a, **k):
        self.send(self.bind_pdu(*a, **k))
        ack = self.recv()
        want(ack['type'] == BIND_ACK, 'bind_ack, not %d' % ack['type'])
        return ack

    def call(self, stub, **k):
        self.send(self.request_pdu(stub, **k))
        return self.response()

    def response(self, call=None):
        data = b''
        while True:
            r = self.recv()
            if r['type'] == FAULT:
                return struct.unpack_from(r['e'] + 'I', r['body'], 8)[0]
            want(r['type'] == RESPONSE, 'response, not %d' % r['type'])
            data += r['body'][8:]
            if r['flags'] & 2:
                return data


def until_up():
    """A host that was set aside comes back by a probe: wait for that, with a bound."""
    mode('normal')
    end = time.time() + PATIENCE
    while time.time() < end:
        with Client() as c:
            c.send(c.bind_pdu())
            if c.recv()['type'] == BIND_ACK:
                return
        time.sleep(0.05)
    raise AssertionError('the host did not come back')


def timed_out(f, least, most):
    began = time.time()
    r = f()
    took = time.time() - began
    want(took <= most, 'took %.1f s, at most %.1f allowed' % (took, most))
    return r


# --- what works -------------------------------------------------------------------------------

def case_plain():
    with Client() as c:
        ack = c.bind()
        want(c.results(ack) == [(0, 0)], 'accepted')
        for n in (0, 1, 60, 2500):
            want(c.call(payload(n)) == expected(payload(n)), 'the payload of %d octets' % n)


def case_byte_for_byte():
    with Client() as c:
        bind, request = c.bind_pdu(), c.request_pdu(payload(33))
        before = len(log())
        c.send(bind)
        c.recv()
        c.send(request)
        c.response()
        seen = [l.split()[-1] for l in log()[before:] if l.startswith(('bind', 'request'))]
        want(seen[-2:] == [bind.hex(), request.hex()], 'the host saw other octets than were sent')


def case_big_endian():
    with Client(big=True) as c:
        c.bind()
        want(c.call(payload()) == expected(payload()), 'the payload')
        want('big 1' in [l for l in log() if l.startswith('request')][-1], 'the byte order reached the host')


def case_several_contexts():
    """The three contexts of a Windows client, in its order."""
    for big in (False, True):
        with Client(big=big) as c:
            bind = c.bind_pdu([(0, KMS, [NDR]), (1, KMS, [NDR64]), (2, KMS, [BTFN])])
            before = len(log())
            c.send(bind)
            want(c.results(c.recv()) == [(0, 0), (0, 0), (3, 3)], 'NDR, NDR64 and the negotiated features')
            want([l.split()[-1] for l in seen(before)] == [bind.hex()], 'the bind reached the host as it was')
            want(c.call(payload(), context=1) == expected(payload()), 'a call in the NDR64 context')
            want(c.call(payload(), context=2, call=3) == UNKNOWN_IF, 'no call in the negotiation context')
            want(c.call(payload(), context=0, call=4) == expected(payload()), 'the connection goes on')


def case_alter_context():
    with Client() as c:
        c.bind()
        c.send(c.bind_pdu([(7, KMS, [NDR64])], kind=ALTER, call=5))
        r = c.recv()
        want(r['type'] == ALTER_RESP and c.results(r) == [(0, 0)], 'alter_context_resp')
        want(c.call(payload(), context=7, call=6) == expected(payload()), 'a call in the new context')


def case_fragmented_request():
    with Client() as c:
        c.bind()
        stub = payload(300)
        for i in range(0, len(stub), 50):
            c.send(c.request_pdu(stub[i:i + 50], flags=(i == 0) | (2 if i + 50 >= len(stub) else 0)))
        want(c.response() == expected(stub), 'the payload in one piece')


def case_fragmented_response():
    mode('fragments')
    with Client() as c:
        c.bind()
        want(c.call(payload(99)) == expected(payload(99)), 'the payload of all fragments')


def case_bytes_from_client():
    with Client() as c:
        for octet in c.bind_pdu():
            c.send(bytes([octet]))
        want(c.recv()['type'] == BIND_ACK, 'bind_ack')
        for octet in c.request_pdu(payload()):
            c.send(bytes([octet]))
        want(c.response() == expected(payload()), 'the payload')


def case_bytes_from_host():
    mode('bytes')
    with Client() as c:
        c.bind()
        want(c.call(payload()) == expected(payload()), 'the payload')


def case_pipelined():
    with Client() as c:
        c.send(c.bind_pdu() + c.request_pdu(payload(10), call=2) + c.request_pdu(payload(20), call=3))
        want(c.recv()['type'] == BIND_ACK, 'bind_ack')
        want(c.response() == expected(payload(10)), 'the first')
        want(c.response() == expected(payload(20)), 'the second')


def case_half_closed():
    with Client() as c:
        c.send(c.bind_pdu() + c.request_pdu(payload(10)))
        c.s.shutdown(socket.SHUT_WR)
        want(c.recv()['type'] == BIND_ACK, 'bind_ack')
        # what was pipelined before the end is still answered
        want(c.response() == expected(payload(10)), 'the response')
        want(c.closed(), 'closed')


def case_shutdown():
    mode('shutdown')
    with Client() as c:
        c.bind()
        want(c.recv()['type'] == SHUTDOWN, 'the shutdown PDU passes')


def case_host_fault():
    mode('fault 1c00001b')
    with Client() as c:
        c.bind()
        want(c.call(payload()) == 0x1c00001b, "the host's own fault")
        want(c.call(payload(), call=3) == 0x1c00001b, 'and the connection goes on')


def case_early_fault():
    mode('early-fault 1c010014')
    with Client() as c:
        c.bind()
        c.send(c.request_pdu(payload(), flags=1))
        want(c.response() == 0x1c010014, 'a fault before the last fragment')
        c.send(c.request_pdu(payload(), flags=2))
        want(c.call(payload(5), call=3) == expected(payload(5)), 'the rest is swallowed, the next call answered')


def case_host_nak():
    mode('nak')
    with Client() as c:
        c.send(c.bind_pdu())
        r = c.recv()
        want(r['type'] == BIND_NAK and c.closed(), "the host's bind_nak, and the end")


def case_impacket():
    from impacket.dcerpc.v5 import transport
    for _ in range(3):
        dce = transport.DCERPCTransportFactory('ncacn_ip_tcp:%s[%d]' % (opt.address, opt.port)).get_dce_rpc()
        dce.connect()
        dce.bind(uuidtup(KMS))
        dce.call(0, payload(200))
        got = dce.recv()
        want(got == expected(payload(200)), "impacket's call")
        dce.disconnect()


def case_impacket_ndr64():
    from impacket.dcerpc.v5 import transport
    dce = transport.DCERPCTransportFactory('ncacn_ip_tcp:%s[%d]' % (opt.address, opt.port)).get_dce_rpc()
    dce.connect()
    dce.bind(uuidtup(KMS), transfer_syntax=NDR64)
    dce.call(0, payload(48))
    want(dce.recv() == expected(payload(48)), "impacket's call over NDR64")
    dce.disconnect()


def case_impacket_fragments():
    from impacket.dcerpc.v5 import transport
    dce = transport.DCERPCTransportFactory('ncacn_ip_tcp:%s[%d]' % (opt.address, opt.port)).get_dce_rpc()
    dce.connect()
    dce.bind(uuidtup(KMS))
    dce.set_max_fragment_size(64)
    dce.call(0, payload(500))
    want(dce.recv() == expected(payload(500)), "impacket's fragments")
    dce.disconnect()


def case_impacket_wrong_interface():
    from impacket.dcerpc.v5 import transport
    from impacket.dcerpc.v5.rpcrt import DCERPCException
    dce = transport.DCERPCTransportFactory('ncacn_ip_tcp:%s[%d]' % (opt.address, opt.port)).get_dce_rpc()
    dce.connect()
    try:
        dce.bind(uuidtup(EPM))
    except DCERPCException as e:
        want('abstract_syntax_not_supported' in str(e), 'the reason, not: %s' % e)
    else:
        raise AssertionError('bound to another interface')


def uuidtup(t):
    from impacket.uuid import uuidtup_to_bin
    return uuidtup_to_bin(t)


def samba_packet(kind, fields, call):
    """A PDU as Samba's generated NDR writes it. ndr_pack of Python writes little-endian; Samba's whole client, which
    speaks either byte order, is in samba_client.py."""
    import samba.dcerpc.dcerpc as dcerpc
    p = dcerpc.ncacn_packet()
    p.rpc_vers, p.rpc_vers_minor, p.ptype = 5, 0, kind
    p.pfc_flags, p.call_id = 3, call
    p.drep = [0x10, 0, 0, 0]
    p.auth_length = 0
    p.u = fields
    octets = bytearray(p.__ndr_pack__())
    struct.pack_into('<H', octets, 8, len(octets))
    return bytes(octets)


def samba_unpack(octets):
    import samba.dcerpc.dcerpc as dcerpc
    p = dcerpc.ncacn_packet()
    p.__ndr_unpack__(octets, allow_remaining=True)
    return p


def case_samba():
    import samba.dcerpc.dcerpc as dcerpc
    from samba.dcerpc import misc
    def syntax(s):
        r = misc.ndr_syntax_id()
        r.uuid, r.if_version = misc.GUID(s[0]), int(s[1].split('.')[0])
        return r
    b = dcerpc.bind()
    b.max_xmit_frag = b.max_recv_frag = 5840
    contexts = []
    for number, transfer in ((0, NDR), (1, NDR64)):
        c = dcerpc.ctx_list()
        c.context_id, c.abstract_syntax = number, syntax(KMS)
        c.num_transfer_syntaxes, c.transfer_syntaxes = 1, [syntax(transfer)]
        contexts.append(c)
    b.num_contexts, b.ctx_list, b.auth_info = len(contexts), contexts, b''
    with Client() as c:
        c.send(samba_packet(BIND, b, 11))
        head = c.exactly(16)
        length, = struct.unpack_from('<H', head, 8)
        ack = samba_unpack(head + c.exactly(length - 16))
        want(ack.ptype == BIND_ACK and ack.call_id == 11, "bind_ack to Samba's bind")
        want([r.result for r in ack.u.ctx_list] == [0, 0], 'both contexts')
        r = dcerpc.request()
        r.alloc_hint, r.context_id, r.opnum = 64, 1, 0
        r.stub_and_verifier = payload(60)
        c.send(samba_packet(REQUEST, r, 12))
        want(c.response() == expected(payload(60)), "the response to Samba's request")
        c.send(samba_packet(ALTER, b, 13))
        want(c.recv()['type'] == ALTER_RESP, "the answer to Samba's alter_context")


# --- what is refused here, and must not reach a host ----------------------------------------------

def case_wrong_interface():
    for big in (False, True):
        before = len(log())
        with Client(big=big) as c:
            ack = c.bind([(0, EPM, [NDR]), (1, KMS, [NDR])], call=9)
            want(ack['call'] == 9 and c.results(ack) == [(2, 1), (2, 0)], 'provider rejection, abstract syntax')
            want(seen(before) == [], 'nothing reached the host')
            c.bind(call=10)
            want(c.call(payload()) == expected(payload()), 'a second bind, to KMS, is served')


def case_wrong_interface_version():
    with Client() as c:
        ack = c.bind([(0, (KMS[0], '2.0'), [NDR])])
        want(c.results(ack) == [(2, 1)], 'rejected')


def case_wrong_interface_alter():
    with Client() as c:
        c.bind()
        c.send(c.bind_pdu([(3, EPM, [NDR])], kind=ALTER, call=5))
        r = c.recv()
        want(r['type'] == ALTER_RESP and c.results(r) == [(2, 1)], 'rejected')
        want(c.call(payload(), context=3, call=6) == UNKNOWN_IF, 'no call in it')
        want(c.call(payload(), call=7) == expected(payload()), 'the connection goes on')


def case_wrong_opnum():
    for big in (False, True):
        with Client(big=big) as c:
            c.bind()
            before = len(log())
            want(c.call(payload(), opnum=1, call=3) == OP_RANGE, 'nca_s_op_rng_error')
            want(seen(before) == [], 'nothing reached the host')
            for flags in (1, 0, 2):
                c.send(c.request_pdu(payload(8), opnum=4, call=4, flags=flags))
            want(c.response() == OP_RANGE, 'once for all fragments')
            want(c.call(payload(), call=5) == expected(payload()), 'the connection goes on')


def case_wrong_rpc_version():
    with Client() as c:
        c.send(c.bind_pdu(minor=7))
        r = c.recv()
        want(r['type'] == BIND_NAK and struct.unpack_from('<H', r['body'])[0] == 4, 'protocol version not supported')
        want(c.closed(), 'closed')


def case_auth():
    with Client() as c:
        body = c.bind_pdu()[16:] + bytes([10, 2, 0, 0, 0, 0, 0, 0]) + b'NTLMSSP\0' + bytes(32)
        c.send(c.pdu(BIND, body, auth=40))
        r = c.recv()
        want(r['type'] == BIND_NAK and struct.unpack_from('<H', r['body'])[0] == 8, 'authentication not recognised')


def case_impacket_authenticates():
    from impacket.dcerpc.v5 import transport
    from impacket.dcerpc.v5.rpcrt import RPC_C_AUTHN_LEVEL_PKT_INTEGRITY, DCERPCException
    t = transport.DCERPCTransportFactory('ncacn_ip_tcp:127.0.0.1[%d]' % opt.port)
    t.set_credentials('user', 'secret', 'EXAMPLE')
    dce = t.get_dce_rpc()
    dce.set_auth_level(RPC_C_AUTHN_LEVEL_PKT_INTEGRITY)
    dce.connect()
    before = len(log())
    try:
        dce.bind(uuidtup(KMS))
    except DCERPCException:
        want(seen(before) == [], 'nothing reached the host')
    else:
        raise AssertionError('an authenticated bind was accepted')


def bad(octets, before=b'', big=False):
    with Client(big=big) as c:
        if before is not None:
            c.bind()
        count = len(log())
        c.send(octets(c))
        want(c.closed(), 'closed, without an answer')
        want(seen(count) == [], 'nothing reached the host')


def case_malformed():
    whole = lambda c: c.bind_pdu()
    first = [
        lambda c: c.request_pdu(payload()),
        lambda c: c.pdu(RESPONSE, bytes(24)),
        lambda c: c.pdu(99, bytes(24)),
        lambda c: c.bind_pdu(kind=ALTER),
        lambda c: c.bind_pdu(flags=1),
        lambda c: c.pdu(BIND, bytes(12), length=5841),
        lambda c: c.pdu(BIND, bytes(12), length=65535),
        lambda c: c.pdu(BIND, b'', length=16),
        lambda c: c.pdu(BIND, b'', length=3),
        lambda c: c.pdu(BIND, b'', length=0),
        lambda c: c.pdu(BIND, whole(c)[16:] + b'\0'),
        lambda c: c.pdu(BIND, whole(c)[16:-1]),
        lambda c: c.pdu(BIND, whole(c)[16:24] + b'\x02\0\0\0' + whole(c)[28:]),
        lambda c: c.pdu(BIND, whole(c)[16:24] + b'\0\0\0\0'),
        lambda c: c.bind_pdu([(0, KMS, [NDR]), (0, KMS, [NDR])]),
        lambda c: c.bind_pdu([(0, KMS, [])]),
        lambda c: c.bind_pdu([(0, KMS, [NDR] * 9)]),
        lambda c: c.bind_pdu(drep=b'\x30\0\0\0'),
        lambda c: c.bind_pdu(drep=b'\x10\0\0\1'),
        lambda c: c.bind_pdu(auth=60000),
    ]
    for i, octets in enumerate(first):
        try:
            bad(octets, before=None)
        except Exception as e:
            raise AssertionError('first PDU %d: %s' % (i, e))
    bound = [
        lambda c: c.bind_pdu(),
        lambda c: c.request_pdu(payload(), flags=0),
        lambda c: c.request_pdu(payload(), flags=2),
        lambda c: c.request_pdu(payload(), auth=8),
        lambda c: c.pdu(REQUEST, bytes(7)),
        lambda c: c.pdu(REQUEST, bytes(8), flags=0x83),
        lambda c: c.pdu(FAULT, bytes(16)),
        lambda c: c.pdu(SHUTDOWN, b''),
        lambda c: b'GET / HTTP/1.0\r\n\r\n',
        lambda c: b'KMSD\1\1\0\0\0\0\0\0',
    ]
    for i, octets in enumerate(bound):
        try:
            bad(octets)
        except Exception as e:
            raise AssertionError('later PDU %d: %s' % (i, e))


def case_mixed_fragments():
    for second in (dict(call=9), dict(context=1), dict(opnum=1), dict(flags=3)):
        with Client() as c:
            c.bind([(0, KMS, [NDR]), (1, KMS, [NDR64])])
            c.send(c.request_pdu(payload(), flags=1))
            c.send(c.request_pdu(payload(), **{**dict(flags=2), **second}))
            want(c.closed(), 'closed: %s' % second)


def case_endless_request():
    with Client() as c:
        c.bind()
        try:
            c.send(c.request_pdu(bytes(5000), flags=1))
            for _ in range(100):
                c.send(c.request_pdu(bytes(5000), flags=0))
        except ConnectionError:
            return
        want(c.closed(), 'closed after 64 KiB')


def case_too_many_contexts():
    with Client() as c:
        c.send(c.bind_pdu([(i, KMS, [NDR]) for i in range(17)]))
        want(c.recv()['type'] == BIND_NAK, 'bind_nak')


# --- hosts that fail ----------------------------------------------------------------------------

def refused_at_once(reason=1):
    with Client() as c:
        c.send(c.bind_pdu(call=77))
        r = c.recv()
        want(r['type'] == BIND_NAK and r['call'] == 77, 'bind_nak, not %d' % r['type'])
        want(struct.unpack_from(r['e'] + 'H', r['body'])[0] == reason, 'the reason')
        want(c.closed(), 'closed')


def case_host_closes():
    for m in ('close', 'close-bind', 'half-ack 1', 'half-ack 16', 'half-ack 40', 'garbage'):
        mode(m)
        refused_at_once()
        until_up()


def case_host_silent():
    mode('silent')
    timed_out(refused_at_once, 0, 6)
    until_up()


def case_host_dies_in_call():
    for m in ('close-request', 'half-response 1', 'half-response 20', 'unasked'):
        mode(m)
        with Client() as c:
            c.bind()
            want(c.call(payload()) == COMM_FAILURE, 'a fault at once: ' + m)
            want(c.closed(), 'closed')
    mode('close-fragment')
    with Client() as c:
        c.bind()
        c.send(c.request_pdu(payload(), flags=1))
        want(c.response() == COMM_FAILURE, 'a fault within a request')


def case_host_dies_between():
    for m in ('close-ack', 'close-response'):
        mode(m)
        with Client() as c:
            c.bind()
            if m == 'close-response':
                want(c.call(payload()) == expected(payload()), 'the response')
            want(c.closed(), 'closed')


def case_host_late():
    mode('silent-request')
    with Client() as c:
        c.bind()
        want(timed_out(lambda: c.call(payload()), 0, 8) == COMM_FAILURE, 'a fault in time')
    mode('silent-alter')
    with Client() as c:
        c.bind()
        c.send(c.bind_pdu([(7, KMS, [NDR64])], kind=ALTER, call=5))
        want(c.recv()['type'] == FAULT, 'a fault in time')


def case_host_floods():
    mode('flood')
    with Client() as c:
        c.bind()
        c.send(c.request_pdu(payload()))
        try:
            want(isinstance(c.response(), int), 'a fault')
        except EOFError:
            pass


# --- slow clients ---------------------------------------------------------------------------------

def case_slow_sender():
    for octets in (lambda c: c.bind_pdu()[:20], lambda c: c.bind_pdu()[:3]):
        with Client() as c:
            c.send(octets(c))
            want(c.closed(), 'closed after frame_timeout')


def case_idle_client():
    with Client() as c:
        c.bind()
        want(c.closed(), 'closed after idle_timeout')
    with Client() as c:
        c.bind()
        c.send(c.request_pdu(payload(), flags=1))
        want(c.closed(), 'closed with a request half sent')


# --- two hosts --------------------------------------------------------------------------------------

def served_by(which):
    before = len(log(which))
    with Client() as c:
        c.bind()
        want(c.call(payload(9)) == expected(payload(9)), 'the payload')
    want(any(l.startswith('request') for l in log(which)[before:]), 'served by host %d' % which)


def case_priority():
    for _ in range(5):
        served_by(1)


def case_failover():
    mode('normal', 2)
    for m in ('close', 'close-bind', 'half-ack 16', 'half-ack 59', 'garbage', 'silent'):
        mode(m)
        before = len(log(2))
        with Client() as c:
            bind = c.bind_pdu(call=41)
            c.send(bind)
            want(c.recv()['type'] == BIND_ACK, 'bound by the other host: ' + m)
            want(any(l.startswith('bind') and l.endswith(bind.hex()) for l in log(2)[before:]), 'the same bind: ' + m)
            want(c.call(payload(9)) == expected(payload(9)), 'the payload: ' + m)
    # set aside now: nobody waits for it again
    before = len(log())
    served_by(2)
    want(log()[before:] == [] or log()[before:] == ['connection silent', 'closed'], 'set aside')
    mode('normal')
    end = time.time() + PATIENCE
    while True:
        try:
            served_by(1)
            break
        except AssertionError:
            if time.time() > end:
                raise
        time.sleep(0.1)


def case_odd_bind():
    """What one client sends takes the host from nobody."""
    for m, times in (('close-call 77', 12), ('silent-call 77', 2)):
        mode(m)
        for _ in range(times):
            refused_at_once()
            served_by(1)


def case_strikes():
    """A host that answers nobody what the other one answers."""
    mode('normal', 2)
    for m, times in (('close-bind', 5), ('silent', 1)):
        until_up()
        mode(m)
        for _ in range(times):
            served_by(2)
        before = len(log())
        served_by(2)
        want(not [l for l in log()[before:] if l.startswith('bind')], 'set aside: ' + m)


def case_both_down():
    mode('close-bind', 1)
    mode('close-bind', 2)
    refused_at_once()


# --- many ------------------------------------------------------------------------------------------

def case_idle_thousands():
    import resource
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients = []
    for i in range(opt.many):
        c = Client()
        c.send(c.bind_pdu())
        clients.append(c)
        if i % 100 == 99:
            for c in clients[-100:]:
                want(c.recv()['type'] == BIND_ACK, 'bound')
    want(clients[0].call(payload()) == expected(payload()), 'the first of them is served')
    served_by(1)
    for c in clients:
        want(c.call(payload(3), call=8) == expected(payload(3)), 'each of them is served')
    for c in clients:
        c.s.close()


def case_refused_source():
    with Client() as c:
        c.send(c.bind_pdu())
        want(c.closed(), 'closed')


def case_no_host():
    timed_out(refused_at_once, 0, 2)


def case_source_limit():
    with Client() as a, Client() as b:
        a.bind()
        b.bind()
        refused_at_once(reason=2)
    end = time.time() + PATIENCE
    while True:
        with Client() as c:
            c.send(c.bind_pdu())
            if c.recv()['type'] == BIND_ACK:
                return
        want(time.time() < end, 'room again when the others have gone')


def case_serve():
    """One exchange for each version given on the command line."""
    for v in opt.version:
        major, minor = map(int, v.split('.'))
        with Client() as c:
            c.bind()
            stub = struct.pack('<HH', minor, major) + bytes(40)
            if opt.ndr:
                stub = struct.pack('<II', len(stub), len(stub)) + stub
            want(c.call(stub) == expected(stub), 'the payload')


def main():
    global opt
    p = argparse.ArgumentParser()
    p.add_argument('--address', default='127.0.0.1')
    p.add_argument('--port', type=int, required=True)
    p.add_argument('--mode', default='/dev/null')
    p.add_argument('--log', default='/dev/null')
    p.add_argument('--mode2')
    p.add_argument('--log2')
    p.add_argument('--many', type=int, default=5000)
    p.add_argument('--version', nargs='*', default=['6.0'])
    p.add_argument('--ndr', action='store_true')
    p.add_argument('cases', nargs='*')
    opt = p.parse_args()
    out = {}
    for case in opt.cases:
        if opt.mode != '/dev/null':
            mode('normal')
        try:
            globals()['case_' + case]()
            out[case] = None
        except Exception as e:
            out[case] = '%s: %s' % (type(e).__name__, e)
            traceback.print_exc()
    print(json.dumps(out))
    return 0

if __name__ == '__main__':
    sys.exit(main())
