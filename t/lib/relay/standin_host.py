#!/usr/bin/python3
"""A stand-in for a KMS host: DCE/RPC on a TCP port, and arbitrary octets for a payload.

Written from C706 chapter 12, sharing nothing with kmsd. What it does wrong is read from a file at every
connection, so that a test can change its mind:

    MODE [argument]     one line; "normal" when the file is missing

It prints its port, and with --log appends a line for each PDU that it sees.
"""
import argparse
import asyncio
import struct

NDR = bytes.fromhex('045d888aeb1cc9119fe808002b104860') + struct.pack('<I', 2)
REQUEST, RESPONSE, FAULT, BIND, BIND_ACK, BIND_NAK, ALTER, ALTER_RESP, SHUTDOWN = 0, 2, 3, 11, 12, 13, 14, 15, 17
LARGEST = 5840      # octets of a fragment
NAMES = {0: 'request', 11: 'bind', 14: 'alter'}


class Host:
    def __init__(self, options):
        self.options = options
        self.e = '>' if options.big else '<'
        self.open = 0

    def mode(self):
        try:
            with open(self.options.mode) as f:
                words = f.read().split()
        except OSError:
            words = []
        return (words + ['normal'])[0] if words else 'normal', (words[1:] + [''])[0]

    def log(self, text):
        if self.options.log:
            with open(self.options.log, 'a') as f:
                f.write(text + '\n')

    def pdu(self, kind, call, body, flags=3):
        drep = b'\x00\0\0\0' if self.options.big else b'\x10\0\0\0'
        return struct.pack('BBBB', 5, 0, kind, flags) + drep + struct.pack(
            self.e + 'HHI', 16 + len(body), 0, call) + body

    def ack(self, kind, call, body, e, most=LARGEST, rejects=False):
        count, results, at = body[8], b'', 12
        for _ in range(count):
            _, syntaxes = struct.unpack_from(e + 'HB', body, at)
            chosen = [body[at + 24 + 20 * i:at + 44 + 20 * i] for i in range(syntaxes)]
            at += 24 + 20 * syntaxes
            first = chosen[0]
            if rejects:     # by the provider: abstract syntax not supported
                results += struct.pack(self.e + 'HH', 2, 1) + bytes(20)
                continue
            # bind-time feature negotiation (MS-RPCE 3.3.1.5.3): 6CB71C2C-9812-4540-..., the features as its reason
            if first[:8] in (bytes.fromhex('2c1cb76c12984045'), bytes.fromhex('6cb71c2c98124540')):
                results += struct.pack(self.e + 'HH', 3, first[8] & 3) + bytes(20)
            else:
                results += struct.pack(self.e + 'HH', 0, 0) + first
        port = str(self.options.port).encode() + b'\0'
        address = struct.pack(self.e + 'H', len(port)) + port
        address += bytes(-len(address) % 4)
        return self.pdu(kind, call, struct.pack(self.e + 'HHI', most, most, 0x1234) + address
                        + struct.pack('B3x', count) + results)

    @staticmethod
    def payload(stub):
        """The arbitrary answer: what was asked, turned round and twice."""
        return stub[::-1] * 2

    def answer(self, call, context, stub, mode, argument):
        head = lambda n: struct.pack(self.e + 'IHBx', n, context, 0)
        data = self.payload(stub)
        if mode == 'fault':
            return self.pdu(FAULT, call, head(0) + struct.pack(self.e + 'II', int(argument, 16), 0))
        if mode == 'unasked':
            call ^= 1
        size = min(LARGEST - 24, max(1, (len(data) + 2) // 3) if mode == 'fragments' else LARGEST)
        parts = [data[i:i + size] for i in range(0, len(data), size)] or [b'']
        return b''.join(
            self.pdu(RESPONSE, call, head(len(data)) + p, (i == 0) | (2 if i == len(parts) - 1 else 0))
            for i, p in enumerate(parts))

    async def send(self, writer, octets, mode):
        if mode == 'bytes':
            for i in range(len(octets)):
                writer.write(octets[i:i + 1])
                await writer.drain()
                await asyncio.sleep(0)
        else:
            writer.write(octets)
            await writer.drain()

    async def serve(self, reader, writer):
        mode, argument = self.mode()
        self.open += 1
        self.log('connection ' + mode)
        try:
            await self.conversation(reader, writer, mode, argument)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            self.log('closed')
            writer.close()

    async def conversation(self, reader, writer, mode, argument):
        stubs = b''
        if mode == 'close':
            return
        while True:
            header = await reader.readexactly(16)
            e = '<' if header[4] & 0x10 else '>'
            length, _, call = struct.unpack_from(e + 'HHI', header, 8)
            body = await reader.readexactly(length - 16)
            kind, flags = header[2], header[3]
            self.log('%s %d flags %d big %d %s' % (NAMES.get(kind, kind), length, flags, e == '>', (header + body).hex()))
            if kind in (BIND, ALTER):
                # a bind that a host does not like: it has its own number
                if mode == 'close-call' and call == int(argument):
                    return
                if mode == 'silent-call' and call == int(argument):
                    await reader.read()
                    return
                if mode == 'silent' or (mode == 'silent-alter' and kind == ALTER):
                    await reader.read()
                    return
                if mode == 'close-bind':
                    return
                if mode == 'garbage':
                    writer.write(b'HTTP/1.1 400 Bad Request\r\n\r\n')
                    await writer.drain()
                    await reader.read()
                    return
                if mode == 'nak':
                    await self.send(writer, self.pdu(BIND_NAK, call, struct.pack(self.e + 'HBBB', 2, 1, 5, 0)), mode)
                    return
                ack = self.ack(BIND_ACK if kind == BIND else ALTER_RESP, call, body, e,
                               int(argument) if mode == 'largest' else LARGEST, mode == 'reject')
                if mode == 'half-ack':
                    await self.send(writer, ack[:int(argument)], mode)
                    return
                await self.send(writer, ack, mode)
                if mode == 'close-ack':
                    return
                if mode == 'shutdown':
                    await self.send(writer, self.pdu(SHUTDOWN, 0, b''), mode)
                continue
            context, opnum = struct.unpack_from(e + 'HH', body, 4)
            stubs = (b'' if flags & 1 else stubs) + body[8 + (16 if flags & 0x80 else 0):]
            if mode == 'close-fragment':
                return
            if mode == 'early-fault' and not flags & 2:
                await self.send(writer, self.answer(call, context, b'', 'fault', argument), mode)
                mode = 'normal'
                early = call
                continue
            if not flags & 2 or (kind == REQUEST and locals().get('early') == call):
                continue
            if mode == 'close-request':
                return
            if mode == 'silent-request':
                await reader.read()
                return
            answer = self.answer(call, context, stubs, mode, argument)
            if mode == 'half-response':
                await self.send(writer, answer[:int(argument)], mode)
                return
            if mode == 'flood':
                chunk = self.pdu(RESPONSE, call, struct.pack(self.e + 'IHBx', 0, context, 0) + bytes(5000), 0)
                writer.write(self.pdu(RESPONSE, call, struct.pack(self.e + 'IHBx', 0, context, 0) + bytes(5000), 1))
                for _ in range(200):
                    writer.write(chunk)
                    await writer.drain()
                continue
            await self.send(writer, answer, mode)
            if mode == 'close-response':
                return


async def main():
    p = argparse.ArgumentParser()
    p.add_argument('--address', default='127.0.0.1')
    p.add_argument('--port', type=int, default=0)
    p.add_argument('--mode', default='/nonexistent')
    p.add_argument('--log')
    p.add_argument('--big', action='store_true')
    p.add_argument('--port-file')
    options = p.parse_args()
    host = Host(options)
    server = await asyncio.start_server(host.serve, options.address, options.port, backlog=8192)
    options.port = server.sockets[0].getsockname()[1]
    if options.port_file:
        import os
        with open(options.port_file + '.new', 'w') as f:
            f.write('%d\n' % options.port)
        os.rename(options.port_file + '.new', options.port_file)
    await server.serve_forever()

if __name__ == '__main__':
    import resource
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main())
