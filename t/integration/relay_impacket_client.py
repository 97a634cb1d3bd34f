#!/usr/bin/python3
"""impacket's client, once straight to relay_impacket_server.py and once through the relay before it.

    relay_impacket_client.py --relay PORT --server PORT --pid PID --log FILE CASE...

Runs the cases (functions case_*) in their order and prints one JSON object: { case: null or what was wrong }.
"""
import argparse
import json
import os
import signal
import socket
import struct
import time
import traceback

from impacket.dcerpc.v5.rpcrt import DCERPCException
from impacket.dcerpc.v5.transport import DCERPCTransportFactory
from impacket.uuid import uuidtup_to_bin

KMS = uuidtup_to_bin(('51c82175-844e-4750-b0d8-ec255555bc06', '1.0'))
KMS2 = uuidtup_to_bin(('51c82175-844e-4750-b0d8-ec255555bc06', '2.0'))
EPM = uuidtup_to_bin(('e1af8308-5d1f-11c9-91a4-08002b14a0fa', '3.0'))
PATIENCE = 30       # far over the relay's own time-outs

opt = None


def want(condition, what):
    if not condition:
        raise AssertionError(what)


def stub(length, times=1):
    return struct.pack('<HHB', 0, 6, times) + bytes(i * 7 & 0xff for i in range(length - 5))


class Connection:
    """impacket's client, and the octets that it sent and received."""

    def __init__(self, port):
        self.sent, self.received = b'', b''
        transport = DCERPCTransportFactory('ncacn_ip_tcp:127.0.0.1[%d]' % port)
        transport.set_connect_timeout(PATIENCE)
        self.dce = transport.get_dce_rpc()
        self.dce.connect()
        self.sock = transport.get_socket()
        transport.send, transport.recv = self.send, self.recv

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data, forceWriteAndx=0, forceRecv=0):
        self.sent += data
        self.sock.sendall(data)

    def recv(self, forceRecv=0, count=0):
        # TCPTransport.recv goes round for ever when the connection ends; and takes half a bind_ack for one
        if count:
            return self.exactly(count)
        head = self.exactly(16)
        return head + self.exactly(struct.unpack_from('<H', head, 8)[0] - 16)

    def exactly(self, count):
        data = b''
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                raise ConnectionError('closed')
            data += piece
        self.received += data
        return data

    def call(self, request, operation=0):
        self.dce.call(operation, request)
        return self.dce.recv()


def log():
    with open(opt.log) as f:
        return f.read().splitlines()


def octets(lines, direction):
    return b''.join(bytes.fromhex(l.split()[1]) for l in lines if l.split()[0] == direction)


def fragments(stream, kind):
    """How many PDUs of a kind."""
    n = 0
    while stream:
        n += stream[2] == kind
        stream = stream[struct.unpack_from('<H', stream, 8)[0]:]
    return n


def session(port, requests, fragment):
    before = len(log())
    with Connection(port) as c:
        c.dce.bind(KMS)
        if fragment:
            c.dce.set_max_fragment_size(fragment)
        answers = [c.call(r) for r in requests]
    new = log()[before:]
    want(octets(new, 'in') == c.sent, 'the server received what the client sent')
    want(octets(new, 'out') == c.received, 'the client received what the server sent')
    return c.sent, c.received, answers


def both(requests, fragment=0):
    straight, relayed = (session(p, requests, fragment) for p in (opt.server, opt.relay))
    for what, a, b in zip(('sent', 'received', 'answers'), straight, relayed):
        want(a == b, 'the same as straight to the server: ' + what)
    return relayed


def case_one_request():
    request = stub(260)
    want(both([request])[2] == [request[::-1]], 'the answer')


def case_several_requests():
    requests = [stub(n) for n in (5, 6, 7, 8, 100, 1000, 4000)] * 3
    want(both(requests)[2] == [r[::-1] for r in requests], 'the answers')


def case_fragmented_request():
    for fragment, length in ((64, 500), (1, 40), (4000, 30000)):
        sent, _, answers = both([stub(length)] * 2, fragment)
        want(fragments(sent, 0) == 2 * -(-length // fragment), 'it went in fragments of %d' % fragment)
        want(all(answers), 'answered')


def case_fragmented_response():
    for request in (stub(200, 40), stub(240, 250)):     # 8000 and 60000 octets
        _, received, answers = both([request, stub(20), request])
        want(answers == [request[::-1] * request[4], stub(20)[::-1], request[::-1] * request[4]], 'the answers')
        want(fragments(received, 2) >= 5, 'they came in fragments')


def case_fragmented_both_ways():
    # the server makes its answer of the request's last fragment
    sent, received, _ = both([stub(2160) + stub(240, 100)], 240)
    want(fragments(sent, 0) > 9 and fragments(received, 2) > 5, 'in fragments')


def refused(interface):
    with Connection(opt.relay) as c:
        try:
            c.dce.bind(interface)
        except DCERPCException as e:
            return str(e)
    raise AssertionError('bound to another interface')


def case_wrong_interface():
    # not straight to the server: DCERPCServer fails when no context is accepted, and closes
    for interface in (EPM, KMS2):
        before = len(log())
        want('abstract_syntax_not_supported' in refused(interface), 'the reason')
        # the server takes connections in their order: had it been given that one, it would be in the log by now
        sent = session(opt.relay, [stub(50)], 0)[0]
        new = log()[before:]
        want(new.count('connect') == 1 and octets(new, 'in') == sent, 'the server saw nothing of it')


def case_wrong_operation():
    for port in (opt.server, opt.relay):
        before = len(log())
        with Connection(port) as c:
            c.dce.bind(KMS)
            for operation in (1, 7, 65535):
                try:
                    c.call(stub(50), operation)
                except DCERPCException as e:
                    fault = str(e)
                else:
                    raise AssertionError('operation %d was answered' % operation)
                want(port == opt.server or 'nca_s_op_rng_error' in fault, 'the fault, not: ' + fault)
            want(c.call(stub(60)) == stub(60)[::-1], 'operation 0 is still served')
        requests = fragments(octets(log()[before:], 'in'), 0)
        want(requests == (4 if port == opt.server else 1), 'the server saw %d requests' % requests)


def wait_refused(port):
    """A killed process may lose its connections before its listening socket."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            socket.create_connection(('127.0.0.1', port), PATIENCE).close()
        except ConnectionRefusedError:
            return
        except ConnectionError:
            pass
        time.sleep(0.02)
    raise AssertionError('the server still listens')


def case_server_killed():
    """The last: the server is gone after it."""
    with Connection(opt.relay) as c:
        c.dce.bind(KMS)
        want(c.call(stub(60)) == stub(60)[::-1], 'an answer')
        os.kill(opt.pid, signal.SIGKILL)
        try:
            c.call(stub(70))
        except socket.timeout:
            raise AssertionError('neither a fault nor the end')
        except (DCERPCException, ConnectionError):
            pass
        else:
            raise AssertionError('answered without a server')
    wait_refused(opt.server)
    with Connection(opt.relay) as c:
        try:
            c.dce.bind(KMS)
        except DCERPCException:
            pass
        else:
            raise AssertionError('bound without a server')


def main():
    global opt
    parser = argparse.ArgumentParser()
    for name in ('relay', 'server', 'pid'):
        parser.add_argument('--' + name, type=int, required=True)
    parser.add_argument('--log', required=True)
    parser.add_argument('cases', nargs='+')
    opt = parser.parse_args()
    result = {}
    for name in opt.cases:
        try:
            globals()['case_' + name]()
            result[name] = None
        except Exception:
            result[name] = traceback.format_exc()
    print(json.dumps(result))


main()
