#!/usr/bin/python3
"""Seeds of the relay's fuzz targets: PDUs and conversations as rpc_client.py and standin_host.py make them.

    make_seeds.py CORPUS_DIRECTORY
"""
import argparse
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rpc_client as rpc
import standin_host as standin


class Client(rpc.Client):
    def __init__(self, big=False):
        self.big, self.e = big, '>' if big else '<'


def main():
    pdus, talks = {}, {}
    for big in (False, True):
        c = Client(big)
        h = standin.Host(argparse.Namespace(big=big, mode='', log=None, port=1688))
        order = 'big' if big else 'little'
        contexts = [(0, rpc.KMS, [rpc.NDR]), (1, rpc.KMS, [rpc.NDR64]), (2, rpc.KMS, [rpc.BTFN])]
        p = {
            'bind': c.bind_pdu(contexts),
            'other': c.bind_pdu([(0, rpc.EPM, [rpc.NDR])]),
            'alter': c.bind_pdu([(7, rpc.KMS, [rpc.NDR64])], kind=rpc.ALTER, call=3),
            'request': c.request_pdu(rpc.payload()),
            'first': c.request_pdu(rpc.payload(), flags=1),
            'last': c.request_pdu(rpc.payload(), flags=2),
            'opnum': c.request_pdu(rpc.payload(), opnum=1),
            'object': c.request_pdu(bytes(16) + rpc.payload(), flags=0x83),
            'auth': c.pdu(rpc.BIND, c.bind_pdu()[16:] + bytes(16), auth=8),
        }
        p['ack'] = h.ack(standin.BIND_ACK, 1, p['bind'][16:], c.e)
        p['alter_resp'] = h.ack(standin.ALTER_RESP, 3, p['alter'][16:], c.e)
        p['response'] = h.answer(2, 0, rpc.payload(), 'normal', '')
        p['fault'] = h.answer(2, 0, b'', 'fault', '1c00001b')
        p['nak'] = h.pdu(standin.BIND_NAK, 1, struct.pack(c.e + 'HBBB', 2, 1, 5, 0))
        p['shutdown'] = h.pdu(standin.SHUTDOWN, 0, b'')
        fragment = struct.pack(c.e + 'IHBx', 0, 0, 0) + bytes(20)
        p['begin'] = h.pdu(standin.RESPONSE, 2, fragment, 1)
        p['end'] = h.pdu(standin.RESPONSE, 2, fragment, 2)
        for name, octets in p.items():
            pdus['%s-%s' % (name, order)] = octets
        talk = lambda *steps: b''.join(
            s[0].encode() + struct.pack('<H', len(p[s[1:]])) + p[s[1:]] if len(s) > 1 else s.encode() + b'\0\0'
            for s in steps)
        talks['call-' + order] = talk('cbind', 'hack', 'crequest', 'hresponse', 'crequest', 'hfault')
        talks['fragments-' + order] = talk('cbind', 'hack', 'cfirst', 'clast', 'hbegin', 'hend')
        talks['early-' + order] = talk('cbind', 'hack', 'cfirst', 'hfault', 'clast', 'crequest', 'hresponse')
        talks['alter-' + order] = talk('cbind', 'hack', 'calter', 'halter_resp', 'crequest', 'l')
        talks['refused-' + order] = talk('cother', 'cbind', 'hnak')
        talks['opnum-' + order] = talk('cbind', 'hack', 'copnum', 'hshutdown', 'crequest', 'm')
        talks['lost-' + order] = talk('cbind', 'l')
        talks['version-' + order] = talk('vbind')
    for target, files in (('fuzz_relay_pdu', pdus), ('fuzz_relay', talks)):
        os.makedirs('%s/%s' % (sys.argv[1], target), exist_ok=True)
        for name, octets in files.items():
            with open('%s/%s/%s' % (sys.argv[1], target, name), 'wb') as f:
                f.write(octets)


if __name__ == '__main__':
    main()
