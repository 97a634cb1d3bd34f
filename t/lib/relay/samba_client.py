#!/usr/bin/python3
"""Samba's own DCE/RPC client (librpc, driven from Python), once straight to standin_host.py and once through the relay
before it: in little-endian and big-endian, NDR and NDR64. The payload is arbitrary.

    samba_client.py --relay PORT --server PORT --mode FILE --log FILE CASE...

Runs the cases (functions case_*) and prints one JSON object: { case: null or what was wrong }.
"""
import argparse
import gc
import json
import os
import struct
import sys
import time
import traceback

import samba
from samba.dcerpc.base import ClientConnection
from samba.param import LoadParm

KMS = ('51c82175-844e-4750-b0d8-ec255555bc06', 1)
EPM = ('e1af8308-5d1f-11c9-91a4-08002b14a0fa', 3)
NDR64 = '33057171babe37498319b5dbef9ccc36'
PATIENCE = 30       # seconds, far over the relay's own time-outs
SIZES = (0, 1, 60, 2500, 5812, 5813, 20000)

opt = None


def want(condition, what):
    if not condition:
        raise AssertionError(what)


def mode(text):
    with open(opt.mode + '.new', 'w') as f:
        f.write(text)
    os.rename(opt.mode + '.new', opt.mode)


def log():
    try:
        with open(opt.log) as f:
            return f.read().splitlines()
    except FileNotFoundError:
        return []


def payload(n):
    return struct.pack('<HH', 0, 6) + bytes(i * 7 & 0xff for i in range(n))


def expected(stub):
    return stub[::-1] * 2


def lp():
    loaded = LoadParm()
    loaded.set('netbios name', 'client')
    return loaded


def connect(port, options='', interface=KMS, **more):
    return ClientConnection('ncacn_ip_tcp:127.0.0.1[%d%s]' % (port, ',' + options if options else ''), interface,
                            lp_ctx=lp(), **more)


def pdus(before):
    """What the host saw since then: (kind, big, octets), when the connection has ended there."""
    end = time.monotonic() + PATIENCE
    while 'closed' not in log()[before:]:
        want(time.monotonic() < end, 'the host saw no end of the connection')
        time.sleep(0.02)
    return [(l.split()[0], l.split()[5] == '1', l.split()[-1]) for l in log()[before:] if ' flags ' in l]


def session(port, options, work):
    before = len(log())
    c = connect(port, options)
    answers = work(c)
    del c
    gc.collect()
    return pdus(before), answers


def calls(c):
    answers = []
    for n in SIZES:
        answers.append(c.request(0, payload(n)))
        want(answers[-1] == expected(payload(n)), 'the answer to %d octets' % n)
    return answers


def both(options, work=calls):
    """The same through the relay as straight to the host; returns what the host saw."""
    straight, relayed = session(opt.server, options, work), session(opt.relay, options, work)
    want([p[0] for p in straight[0]] == [p[0] for p in relayed[0]], 'as many PDUs, of the same kinds')
    for i, (a, b) in enumerate(zip(straight[0], relayed[0])):
        want(a == b, 'PDU %d reached the host with other octets: %s, not %s' % (i, b[2], a[2]))
    want(straight[1] == relayed[1], 'the same answers')
    want(relayed[0][0][0] == 'bind', 'a bind first')
    return relayed[0]


def case_little_endian():
    want(not any(big for _, big, _ in both('')), 'in little-endian')


def case_big_endian():
    want(all(big for _, big, _ in both('bigendian')), 'in big-endian')


def case_ndr64():
    want(NDR64 in both('ndr64')[0][2], 'NDR64 was offered')


def case_ndr64_big_endian():
    bind = both('bigendian,ndr64')[0]
    want(bind[1] and '71710533beba49378319b5dbef9ccc36' in bind[2], 'NDR64 was offered, in big-endian')


def case_feature_negotiation():
    """Samba offers it in every bind, as a context of its own."""
    for options, uuid in (('', '2c1cb76c12984045'), ('bigendian', '6cb71c2c98124540')):
        bind = both(options)[0]
        want(uuid + '0300000000000000' in bind[2], 'offered')


def case_association_group():
    for options, group in (('assoc_group_id=0x1234', '34120000'), ('bigendian,assoc_group_id=0x1234', '00001234')):
        want(both(options)[0][2][40:48] == group, 'the group was asked for')


def case_object():
    """A request that names an object has its UUID before the payload."""
    for options in ('', 'bigendian,'):
        seen = both(options + 'object=11111111-2222-3333-4444-555555555555')
        want(all(int(octets[6:8], 16) & 0x80 for kind, _, octets in seen if kind == 'request'), 'with an object')


def case_second_context():
    """A second presentation context on the same connection: alter_context."""
    def work(c):
        d = ClientConnection('', KMS, lp_ctx=lp(), basis_connection=c)
        answers = [d.request(0, payload(90)), c.request(0, payload(91))]
        want(answers == [expected(payload(n)) for n in (90, 91)], 'the answers')
        return answers
    for options in ('', 'bigendian'):
        want([kind for kind, _, _ in both(options, work)] == ['bind', 'alter', 'request', 'request'],
             'alter_context was used')


def case_other_options():
    for options in ('print', 'padcheck', 'validate', 'print,padcheck,validate,bigendian', 'connect', 'sign', 'seal'):
        both(options, lambda c: [c.request(0, payload(60))])


def case_fragmented_response():
    mode('fragments')
    for options in ('', 'bigendian'):
        both(options)


def case_smaller_fragments():
    """The host's bind_ack says how large a fragment of the client may be."""
    mode('largest 4280')
    for options in ('', 'bigendian'):
        seen = both(options)
        want(max(len(octets) // 2 for _, _, octets in seen) <= 4280, 'no fragment is larger')


def fails(what, word):
    before = len(log())
    try:
        what()
    except samba.NTSTATUSError as e:
        want(word in str(e), 'the reason, not: %s' % e)
        return log()[before:]
    raise AssertionError('that was not refused')


def case_wrong_interface():
    for options in ('', 'bigendian'):
        want(fails(lambda: connect(opt.relay, options, EPM), 'syntax is not supported') == [],
             'nothing reached the host')


def case_wrong_operation():
    for options in ('', 'bigendian'):
        before = len(log())
        c = connect(opt.relay, options)
        fails(lambda: c.request(1, payload(60)), 'out of range')
        want(c.request(0, payload(61)) == expected(payload(61)), 'the connection goes on')
        del c
        gc.collect()
        want([kind for kind, _, _ in pdus(before)] == ['bind', 'request'], 'operation 1 did not reach the host')


def case_host_fault():
    mode('fault 1c00001b')
    for options in ('', 'bigendian'):
        c = connect(opt.relay, options)
        fails(lambda: c.request(0, payload(60)), '')


def main():
    global opt
    p = argparse.ArgumentParser()
    p.add_argument('--relay', type=int, required=True)
    p.add_argument('--server', type=int, required=True)
    p.add_argument('--mode', required=True)
    p.add_argument('--log', required=True)
    p.add_argument('cases', nargs='+')
    opt = p.parse_args()
    # Samba's print option writes to standard output
    out = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    result = {}
    for case in opt.cases:
        mode('normal')
        try:
            globals()['case_' + case]()
            result[case] = None
        except Exception as e:
            result[case] = '%s: %s' % (type(e).__name__, e)
            traceback.print_exc()
    print(json.dumps(result), file=out, flush=True)
    return 0

if __name__ == '__main__':
    sys.exit(main())
