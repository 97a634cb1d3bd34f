#!/usr/bin/python3
"""A DCE/RPC server for a relay to stand before: impacket's own (DCERPCServer), which shares no code with the relay or
with the stand-in of t/lib/relay. It serves the KMS interface's number; what it answers is arbitrary.

    relay_impacket_server.py --port-file FILE --log FILE

The log has a line for each connection and for each piece that was received or sent: connect, in HEX, out HEX.
One connection at a time, as DCERPCServer does.
"""
import argparse
import os
import socket

from impacket.dcerpc.v5.rpcrt import PFC_FIRST_FRAG, PFC_LAST_FRAG, DCERPCServer

KMS = ('51c82175-844e-4750-b0d8-ec255555bc06', '1.0')


class Recorded:
    """The accepted socket, with a log of its octets."""

    def __init__(self, sock, log):
        self.sock, self.log, self.ended = sock, log, False

    def recv(self, size):
        # DCERPCServer.recv takes a PDU's header from one recv(), and goes round for ever on an end within a PDU.
        data = self.sock.recv(size, socket.MSG_WAITALL)
        if not data and self.ended:
            raise EOFError
        self.ended = len(data) < size
        if data:
            self.log('in ' + data.hex())
        return data

    def send(self, data):
        self.log('out ' + data.hex())
        self.sock.sendall(data)

    def close(self):
        self.sock.close()


class Listening:
    def __init__(self, sock, log):
        self.sock, self.log = sock, log

    def accept(self):
        sock, address = self.sock.accept()
        self.log('connect')
        return Recorded(sock, self.log), address

    def __getattr__(self, name):
        return getattr(self.sock, name)


class Server(DCERPCServer):
    def send(self, data):
        # DCERPCServer sets frag_len to the whole answer's and keeps it in every fragment, which no client can read:
        # not set, it is each PDU's own. And it answers with the flags of the request's last fragment, so that the
        # answer to a request in fragments has no first one.
        del data['frag_len']
        data['flags'] = PFC_FIRST_FRAG | PFC_LAST_FRAG
        super().send(data)


def answer(stub):
    """The request backwards, as many times as its octet 4 says, behind a mark that only whole requests have: of a
    request in fragments DCERPCServer hands over only the last one."""
    return stub[::-1] * (stub[4] if stub[:4] == b'\0\0\6\0' and len(stub) > 4 else 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--port-file', required=True)
    parser.add_argument('--log', required=True)
    opt = parser.parse_args()
    out = open(opt.log, 'a', buffering=1)

    server = Server()
    server.addCallbacks(KMS, 'kms', {0: answer})
    server._sock = Listening(server._sock, lambda line: out.write(line + '\n'))
    server._sock.listen(10)
    with open(opt.port_file + '.new', 'w') as f:
        f.write('%d\n' % server.getListenPort())
    os.rename(opt.port_file + '.new', opt.port_file)
    server.run()


main()
