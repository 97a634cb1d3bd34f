#!/usr/bin/python3
"""A storm over the relay: clients and KMS hosts that misbehave at random, from a seed.

    storm.py --port P --seed N --clients N --limit N --patience SECONDS --ports FILE

Listens as two stand-in hosts and a name server, writes their three ports to FILE, waits for the file P, with the
appliance's port and process id, and lets its clients loose. What has to hold of every one of them: an answer or the end of the connection in time,
octets of its own and nobody else's, and those of a call that is answered byte for byte. Prints one JSON object: what was
seen, and "wrong", a list. Payloads are arbitrary.
"""
import argparse
import asyncio
import json
import logging
import os
import random
import re
import signal
import socket
import struct
import sys
import time

KMS = bytes.fromhex('7521c8514e845047b0d8ec255555bc06') + struct.pack('<I', 1)
EPM = bytes.fromhex('0883afe11f5dc91191a408002b14a0fa') + struct.pack('<I', 3)
NDR = bytes.fromhex('045d888aeb1cc9119fe808002b104860') + struct.pack('<I', 2)
REQUEST, RESPONSE, FAULT, BIND, BIND_ACK, BIND_NAK, ALTER, ALTER_RESP, SHUTDOWN = 0, 2, 3, 11, 12, 13, 14, 15, 17
PDU_MAX = 5840
RESET = struct.pack('ii', 1, 0)
FRONT_TURN = 0.003

seen, wrong = {}, []


def count(what):
    seen[what] = seen.get(what, 0) + 1


def pdu(kind, call, body, flags=3, length=None, auth=0):
    return struct.pack('<BBBBIHHI', 5, 0, kind, flags, 0x10, 16 + len(body) if length is None else length, auth, call) + body


def bind(call, kind=BIND, contexts=((0, KMS),), **k):
    body = struct.pack('<HHIB3x', PDU_MAX, PDU_MAX, 0, len(contexts))
    for number, syntax in contexts:
        body += struct.pack('<HBx', number, 1) + syntax + NDR
    return pdu(kind, call, body, **k)


def request(call, stub, sizes=None, context=0, opnum=0):
    """In fragments whose payloads have the sizes given."""
    parts, at = [], 0
    for n in sizes or [len(stub)]:
        parts.append(stub[at:at + n])
        at += n
    if at < len(stub):
        parts.append(stub[at:])
    return b''.join(pdu(REQUEST, call, struct.pack('<IHH', len(stub), context, opnum) + p,
                        (i == 0) | (2 if i == len(parts) - 1 else 0)) for i, p in enumerate(parts))


def reset(writer):
    writer.get_extra_info('socket').setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


async def read_pdu(reader):
    head = await reader.readexactly(16)
    if head[:4] == b'KMSD':
        # too many connections: refused before it has said which protocol it speaks
        raise ConnectionError('overload')
    length, _, call = struct.unpack_from('<HHI', head, 8)
    return head[2], head[3], call, await reader.readexactly(length - 16)


# --- hosts -----------------------------------------------------------------------------------------

BEFORE = ('close-bind', 'reset-bind', 'silent-bind', 'garbage', 'nak', 'half-ack', 'wrong-ack', 'response-first', 'huge')
BEHIND = ('ack-reset', 'ack-close', 'close-request', 'reset-request', 'silent-request', 'half-response', 'reset-response',
          'close-response', 'fault', 'early-fault', 'unasked', 'flood', 'shutdown', 'twice', 'empty-fragments')
WELL = ('normal', 'fragments', 'bytes', 'full-fragments', 'late')


def answered(stub):
    return stub[::-1] + stub


def response(call, stub, how, r):
    data = answered(stub)
    most = PDU_MAX - 24
    sizes = {'fragments': max(1, len(data) // 3), 'full-fragments': most}.get(how, most)
    parts = [data[i:i + sizes] for i in range(0, len(data), sizes)] or [b'']
    return b''.join(pdu(RESPONSE, call, struct.pack('<IHBx', len(data), 0, 0) + p,
                        (i == 0) | (2 if i == len(parts) - 1 else 0)) for i, p in enumerate(parts))


def ack(kind, call, body):
    n = body[8]
    return pdu(kind, call, struct.pack('<HHIH', PDU_MAX, PDU_MAX, 0x1234, 5) + b'1688\0' + b'\0'
               + struct.pack('<B3x', n) + (struct.pack('<HH', 0, 0) + NDR) * n)


async def converse(reader, writer, r):
    before = r.choice(BEFORE) if r.random() < opt.evil / 2 else 'normal'
    count('host ' + before)
    if before == 'huge':
        writer.write(pdu(RESPONSE, 1, bytes(8), length=65535) + bytes(65535))
        return
    stub = b''
    refused = None
    while True:
        kind, flags, call, body = await read_pdu(reader)
        how = r.choice(BEHIND) if r.random() < opt.evil else r.choice(WELL)
        if kind in (BIND, ALTER):
            a = ack(BIND_ACK if kind == BIND else ALTER_RESP, call, body)
            if before == 'close-bind':
                return
            if before == 'reset-bind':
                return reset(writer)
            if before == 'silent-bind':
                return await reader.read()
            if before == 'garbage':
                writer.write(b'HTTP/1.1 400 Bad Request\r\n\r\n')
                return
            if before == 'nak':
                writer.write(pdu(BIND_NAK, call, struct.pack('<HBBB', 2, 1, 5, 0)))
                return
            if before == 'half-ack':
                writer.write(a[:r.randrange(1, len(a))])
                return
            if before == 'wrong-ack':
                writer.write(ack(ALTER_RESP if kind == BIND else BIND_ACK, call, body))
                continue
            if before == 'response-first':
                writer.write(response(call, b'nobody', 'normal', r) + a)
                continue
            writer.write(a)
            if how == 'ack-reset':
                return reset(writer)
            if how == 'ack-close':
                return
            continue
        stub = (b'' if flags & 1 else stub) + body[8:]
        count('host ' + how)
        if how == 'early-fault' and not flags & 2 and refused != call:
            refused = call
            writer.write(pdu(FAULT, call, struct.pack('<IHBxII', 0, 0, 0, 5, 0)))
        if not flags & 2 or refused == call:
            continue
        whole = response(call, stub, how, r)
        if how == 'close-request':
            return
        if how == 'reset-request':
            return reset(writer)
        if how == 'silent-request':
            return await reader.read()
        if how == 'half-response':
            writer.write(whole[:r.randrange(1, len(whole))])
            return
        if how == 'fault':
            writer.write(pdu(FAULT, call, struct.pack('<IHBxII', 0, 0, 0, 5, 0)))
            continue
        if how == 'unasked':
            writer.write(response(call ^ 1, stub, how, r))
            continue
        if how == 'empty-fragments':
            writer.write(pdu(RESPONSE, call, struct.pack('<IHBx', 0, 0, 0), 1))
            whole = pdu(RESPONSE, call, struct.pack('<IHBx', 0, 0, 0), 0) * 500 + pdu(
                RESPONSE, call, struct.pack('<IHBx', 0, 0, 0) + answered(stub)[:PDU_MAX - 24], 2)
        if how == 'flood':
            writer.write(pdu(RESPONSE, call, struct.pack('<IHBx', 0, 0, 0) + answered(stub)[:5000], 1))
            for _ in range(50):
                writer.write(pdu(RESPONSE, call, struct.pack('<IHBx', 0, 0, 0) + answered(stub)[:5000], 0))
                await writer.drain()
            continue
        if how == 'late':
            await asyncio.sleep(r.random() * 0.3)
        if how == 'shutdown':
            whole += pdu(SHUTDOWN, 0, b'')
        if how == 'twice':
            whole += whole
        if how == 'bytes' and len(whole) < 400:
            for i in range(len(whole)):
                writer.write(whole[i:i + 1])
                await writer.drain()
                await asyncio.sleep(0)
        else:
            writer.write(whole)
        if how == 'reset-response':
            await writer.drain()
            return reset(writer)
        if how == 'close-response':
            return
        await writer.drain()


async def host(reader, writer):
    # each connection its own dice, from the seed and its number
    host.number += 1
    try:
        await converse(reader, writer, random.Random('%d host %d' % (opt.seed, host.number)))
    except (asyncio.IncompleteReadError, OSError):
        pass
    finally:
        writer.close()
host.number = 0


class Names(asyncio.DatagramProtocol):
    """a.storm.test and b.storm.test are addresses of this machine, other ones each time."""
    def connection_made(self, transport):
        self.transport = transport
        self.dice = random.Random('%d names' % opt.seed)

    def datagram_received(self, data, peer):
        end = data.index(0, 12) + 5
        kind = struct.unpack_from('>H', data, end - 4)[0]
        answers = b''
        n = self.dice.randrange(1, 4) if kind == 1 else 0
        for _ in range(n):
            answers += struct.pack('>HHHIH', 0xc00c, 1, 1, 1, 4) + bytes((127, 0, 0, self.dice.randrange(1, 5)))
        count('names')
        self.transport.sendto(data[:2] + struct.pack('>HHHHH', 0x8580, 1, n, 0, 0) + data[12:end] + answers, peer)


# --- clients ---------------------------------------------------------------------------------------

class Client:
    def __init__(self, number):
        self.number = number
        self.r = random.Random('%d client %d' % (opt.seed, number))
        self.mark = b'<%08d>' % number

    def stub(self, n=None):
        n = self.r.choice((0, 1, 60, 300, 3000)) if n is None else n
        return (struct.pack('<HH', 0, 6) + self.mark * (n // 10 + 1))

    def bad(self, what):
        wrong.append('client %d (%s): %s' % (self.number, self.kind, what))

    def own(self, octets):
        """No octet of another client: every mark is ours, the right way round or turned. (A bent one is its own.)"""
        for found in re.findall(rb'<\d{8}>|>\d{8}<', octets):
            if found not in (self.mark, self.mark[::-1]) and self.kind != 'bent':
                self.bad('octets of another: %r' % found)
                return

    async def take(self):
        """The next PDU, or None at the end."""
        kind, flags, call, body = await asyncio.wait_for(read_pdu(self.reader), opt.patience)
        self.own(body)
        return kind, flags, call, body

    async def answer(self, call, stub):
        data = b''
        while True:
            kind, flags, number, body = await self.take()
            if kind == SHUTDOWN:
                continue
            if number != call:
                self.bad('the answer of call %d to %d' % (number, call))
                return False
            if kind == FAULT:
                count('fault')
                return True
            if kind != RESPONSE:
                self.bad('PDU %d for a response' % kind)
                return False
            data += body[8:]
            if flags & 2:
                break
        if data != answered(stub) and data[:len(answered(stub)[:5816])] != answered(stub)[:5816]:
            self.bad('other octets than were sent')
        count('answered')
        return True

    async def bound(self):
        kind, _, _, _ = await self.take()
        if kind == BIND_NAK:
            count('nak')
            return False
        if kind != BIND_ACK:
            self.bad('PDU %d for a bind_ack' % kind)
        return kind == BIND_ACK

    async def rest(self):
        """Whatever comes until the end, which has to come."""
        async def to_end():
            while True:
                data = await self.reader.read(65536)
                if not data:
                    return
                self.own(data)
        await asyncio.wait_for(to_end(), opt.patience)

    # what clients do

    async def honest(self):
        self.writer.write(bind(1))
        if not await self.bound():
            return
        for call in range(2, 2 + self.r.randrange(1, 6)):
            stub = self.stub()
            self.writer.write(request(call, stub, self.r.choice((None, [1], [7, 1], [5816]))))
            await self.answer(call, stub)

    async def pipelined(self):
        calls = [(c, self.stub()) for c in range(2, 2 + self.r.randrange(1, 8))]
        self.writer.write(bind(1) + b''.join(request(*c) for c in calls))
        if self.r.random() < 0.5:
            self.writer.write_eof()
        if not await self.bound():
            return
        for call, stub in calls:
            await self.answer(call, stub)

    async def altered(self):
        stub = self.stub(60)
        self.writer.write(bind(1) + bind(2, ALTER, ((1, KMS),)) + request(3, stub, context=1) + request(4, stub)
                          + bind(5, ALTER, ((2, EPM),)) + request(6, stub, context=2) + request(7, stub))
        if not await self.bound():
            return
        await self.rest_in_part()

    async def rest_in_part(self):
        for _ in range(self.r.randrange(0, 6)):
            await self.take()
        self.writer.write_eof()
        await self.rest()

    async def brimful(self):
        """Exactly two fragments of the greatest size behind a bind, and one octet more, or less."""
        whole = request(2, self.stub(30000)[:2 * (PDU_MAX - 24)], [PDU_MAX - 24])
        self.writer.write(bind(1) + whole[:self.r.choice((-1, len(whole)))] + self.r.choice((b'', b'\x05', bind(3, ALTER))))
        await self.rest_or_part()

    async def rest_or_part(self):
        if self.r.random() < 0.5:
            self.writer.write_eof()
            await self.rest()
        else:
            await asyncio.sleep(self.r.random() * 0.2)

    async def cut(self):
        """Valid octets, cut anywhere, in pieces, ended in one of three ways."""
        octets = bind(1) + request(2, self.stub(3000), [100, 200]) + request(3, self.stub())
        octets = octets[:self.r.randrange(1, len(octets))]
        while octets:
            n = self.r.randrange(1, len(octets) + 1)
            self.writer.write(octets[:n])
            octets = octets[n:]
            await asyncio.sleep(self.r.choice((0, FRONT_TURN, 0.05)))
        how = self.r.randrange(4)
        if how == 0:
            reset(self.writer)
        elif how == 1:
            self.writer.write_eof()
            await self.rest()
        elif how == 2:
            await self.rest()

    async def bent(self):
        """Valid octets with a few of them changed."""
        octets = bytearray(bind(1) + request(2, self.stub()) + bind(3, ALTER, ((1, KMS),)) + request(4, self.stub()))
        for _ in range(self.r.randrange(1, 4)):
            octets[self.r.randrange(1, len(octets))] = self.r.randrange(256)
        self.writer.write(bytes(octets))
        self.writer.write_eof()
        await self.rest()

    async def deaf(self):
        """Asks and takes no answer."""
        self.writer.get_extra_info('socket').setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.writer.transport.pause_reading()
        self.writer.write(bind(1) + b''.join(request(c, self.stub(3000)) for c in range(2, 30)))
        await asyncio.sleep(self.r.random() * 1.5)
        if self.r.random() < 0.5:
            reset(self.writer)
        else:
            self.writer.transport.resume_reading()
            await self.rest()

    async def refused(self):
        self.writer.write(self.r.choice((
            bind(1, contexts=((0, EPM),)) + bind(2) + request(3, self.stub()),
            bind(1) + request(2, self.stub(), opnum=1) + request(3, self.stub()),
            bind(1) + request(2, self.stub(30), [3, 3], opnum=4) + request(3, self.stub()),
            bind(1, auth=8), request(1, self.stub()), b'\5\0\x0b\3' + bytes(60),
            bind(1) + request(2, self.stub(70000), [5000] * 13))))
        self.writer.write_eof()
        await self.rest()

    async def gone(self):
        """Away in the very moment of something."""
        self.writer.write(bind(1))
        if self.r.random() < 0.3:
            return reset(self.writer)
        if not await self.bound():
            return
        self.writer.write(request(2, self.stub()))
        await asyncio.sleep(self.r.random() * 0.01)
        if self.r.random() < 0.7:
            reset(self.writer)

    async def run(self):
        kinds = ('honest', 'honest', 'pipelined', 'altered', 'brimful', 'cut', 'bent', 'deaf', 'refused', 'gone')
        self.kind = self.r.choice(kinds)
        source = '127.0.1.%d' % (self.number % 7 + 1)
        try:
            self.reader, self.writer = await asyncio.open_connection(
                '127.0.0.1', opt.appliance, local_addr=(source, 0))
        except OSError as e:
            count('not connected')
            return
        count('client ' + self.kind)
        try:
            await getattr(self, self.kind)()
        except asyncio.TimeoutError:
            self.bad('nothing within %d s' % opt.patience)
        except (asyncio.IncompleteReadError, OSError):
            count('cut off')
        finally:
            self.writer.close()


async def room(source):
    """As many as the limit allows are bound at once: none of those before is still counted."""
    async def one():
        reader, writer = await asyncio.open_connection('127.0.0.1', opt.appliance, local_addr=(source, 0))
        writer.write(bind(1))
        kind = (await asyncio.wait_for(read_pdu(reader), opt.patience))
        return writer, kind[0], kind[3]
    all = await asyncio.gather(*(one() for _ in range(opt.limit)))
    for writer, _, _ in all:
        writer.close()
    return all


async def everybody():
    loop = asyncio.get_running_loop()
    servers = [await asyncio.start_server(host, '0.0.0.0', 0, backlog=1024) for _ in range(2)]
    dns, _ = await loop.create_datagram_endpoint(Names, local_addr=('127.0.0.1', 0))
    ports = [s.sockets[0].getsockname()[1] for s in servers] + [dns.get_extra_info('sockname')[1]]
    with open(opt.ports + '.new', 'w') as f:
        f.write(' '.join(map(str, ports)) + '\n')
    os.rename(opt.ports + '.new', opt.ports)
    while not os.path.exists(opt.port):
        await asyncio.sleep(0.05)
    opt.appliance, opt.pid = map(int, open(opt.port).read().split())

    limit = asyncio.Semaphore(opt.together)
    async def one(n):
        async with limit:
            await Client(n).run()
    disturb = loop.create_task(disturbance())
    await asyncio.gather(*(one(n) for n in range(opt.clients)))
    disturb.cancel()
    if opt.stopped:
        return

    opt.evil = 0
    # hosts that were set aside come back, and connections that were left end by their clocks
    end = time.monotonic() + 30
    for source in range(1, 8):
        while True:
            try:
                kinds = [k for _, k, _ in await room('127.0.1.%d' % source)]
            except (asyncio.TimeoutError, asyncio.IncompleteReadError, OSError) as e:
                kinds = [repr(e)]
            if kinds == [BIND_ACK] * opt.limit:
                break
            if time.monotonic() > end:
                wrong.append('source %d: not all are bound in the end: %s' % (source, kinds))
                break
            await asyncio.sleep(0.2)


async def disturbance():
    r = random.Random('%d signals' % opt.seed)
    while True:
        await asyncio.sleep(0.1 + r.random() * 0.5)
        try:
            os.kill(opt.pid, signal.SIGHUP)
            count('reloads')
        except ProcessLookupError:
            return


def main():
    global opt
    p = argparse.ArgumentParser()
    p.add_argument('--port', required=True, help='file with the port of the appliance')
    p.add_argument('--ports', required=True)
    p.add_argument('--seed', type=int, required=True)
    p.add_argument('--clients', type=int, default=300)
    p.add_argument('--together', type=int, default=60)
    p.add_argument('--limit', type=int, default=12)
    p.add_argument('--patience', type=int, default=15)
    p.add_argument('--stopped', action='store_true', help='the appliance ends meanwhile')
    p.add_argument('--evil', type=float, default=0.3)
    opt = p.parse_args()
    logging.disable()
    asyncio.run(everybody())
    print(json.dumps({'seen': dict(sorted(seen.items())), 'wrong': wrong[:20], 'wrongs': len(wrong)}))

if __name__ == '__main__':
    main()
