#!/usr/bin/env python3
"""A member of etcd that lies: lying_etcd.py CERTIFICATE KEY AUTHORITY MODE...

One port a mode, on loopback; prints "MODE PORT" for each, then serves until its standard input ends.
"""
import base64
import json
import os
import socket
import ssl
import sys
import threading

CLUSTER = "4242"
HOST = "00" * 15 + "99"


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def header(cluster=CLUSTER):
    return {"cluster_id": cluster, "member_id": "1", "revision": "9", "raft_term": "2"}


def kind_of(path, request):
    if path.endswith("/txn"):
        return "create" if "compare" in request else "beat"
    return "delete" if path.endswith("/deleterange") else "range"


def put():
    return {"response_put": {"header": {"revision": "9"}}}


def listed(pairs):
    return {"response_range": {"header": {"revision": "9"}, "kvs": [{"key": k, "value": v} for k, v in pairs]}}


def honest(kind, cluster=CLUSTER):
    """What an empty cluster says."""
    answer = {"header": header(cluster)}
    if kind == "create":
        answer |= {"succeeded": True, "responses": [put()]}
    elif kind == "beat":
        answer |= {"succeeded": True, "responses": [put(), listed([])]}
    elif kind == "delete":
        answer["deleted"] = "0"
    return answer


def with_pairs(kind, pairs):
    answer = {"header": header()}
    if kind == "create":
        answer["responses"] = [listed(pairs)]
    elif kind == "beat":
        answer |= {"succeeded": True, "responses": [put(), listed(pairs)]}
    elif kind == "range":
        answer["kvs"] = listed(pairs)["response_range"]["kvs"]
    return answer


def first_key(request):
    """The key that a request is about, as it came."""
    for at in (request, request.get("compare", [{}])[0]):
        if "key" in at:
            return at["key"]
    return request["success"][0]["request_put"]["key"]


def of_other_host(request):
    key = base64.b64decode(first_key(request)).decode().split("/")
    if len(key) > 3:
        key[3] = HOST
    return b64("/".join(key))


# -- answers that are JSON --


def other_cluster(state, kind, request):
    state["n"] = state.get("n", 0) + 1
    return honest(kind, str(1 + state["n"] % 2))


def replay(state, kind, request):
    return state.setdefault("first", honest(kind))


json_modes = {
    "other-cluster": other_cluster,
    "replay": replay,
    "lost-compare": lambda s, k, r: {"header": header()},
    "no-answers": lambda s, k, r: {"header": header(), "succeeded": True, "responses": []},
    "other-host": lambda s, k, r: with_pairs(k, [(of_other_host(r), b64("x"))]),
    "other-place": lambda s, k, r: with_pairs(k, [(b64(base64.b64decode(first_key(r))[:-16] + b"0" * 15 + b"7"), b64("x"))]),
    "wrong-base64": lambda s, k, r: with_pairs(k, [(first_key(r), "!!!!")]),
    "wrong-key": lambda s, k, r: with_pairs(k, [("=", b64("x"))]),
    "large-value": lambda s, k, r: with_pairs(k, [(first_key(r), b64(b"x" * 660000))]),
    "many-pairs": lambda s, k, r: with_pairs(k, [(b64("k%d" % i), b64("v")) for i in range(900)]),
    "no-cluster": lambda s, k, r: honest(k) | {"header": {"cluster_id": "0"}},
    "wrong-types": lambda s, k, r: {"header": [], "succeeded": {}, "responses": "x", "kvs": 7, "deleted": []},
}


def plain(status, body, extra=b""):
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), extra, body)


# -- answers that are bytes: yields pieces until the other end has had enough --


def forever(start, piece):
    yield start
    while True:
        yield piece


OK = b"HTTP/1.1 200 OK\r\n"
raw_modes = {
    "empty": lambda: [plain(b"200 OK", b"")],
    "not-json": lambda: [plain(b"200 OK", b"<html>" * 100)],
    "not-http": lambda: [b"SSH-2.0-OpenSSH_9.2\r\n" * 10],
    "cut-off": lambda: [OK + b"Content-Length: 1000\r\n\r\n{"],
    "large-length": lambda: [OK + b"Content-Length: 99999999999999\r\n\r\n{"],
    "endless-body": lambda: forever(OK + b"\r\n", b"[" * 65536),
    "endless-text": lambda: forever(OK + b'\r\n{"a":"', b"x" * 65536),
    "endless-chunks": lambda: forever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b" " * 4096 + b"\r\n"),
    "endless-chunk-size": lambda: forever(OK + b"Transfer-Encoding: chunked\r\n\r\n1", b"0" * 4096),
    "endless-trailers": lambda: forever(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"X: " + b"y" * 1000 + b"\r\n"),
    "endless-headers": lambda: forever(OK, b"X: " + b"y" * 1000 + b"\r\n"),
    "endless-line": lambda: forever(OK + b"X: ", b"y" * 65536),
    "endless-continue": lambda: forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "deep": lambda: [plain(b"200 OK", b"[" * 200000 + b"]" * 200000)],
    "wide": lambda: [plain(b"200 OK", b"[" + b"[]," * 200000 + b"[]]")],
    "redirect": lambda: [plain(b"307 Elsewhere", b"", b"Location: https://127.0.0.1:1/\r\n")],
    "upgrade": lambda: [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"],
    "gzip": lambda: [plain(b"200 OK", b"\x1f\x8b" + b"\0" * 1000, b"Content-Encoding: gzip\r\n")],
    "error": lambda: [plain(b"503 Unavailable", b'{"error":"etcdserver: no leader","code":14}')],
    "error-text": lambda: [plain(b"500 Error", b"\x1b[2J\n\n" * 1000)],
    "full": lambda: [plain(b"429 Full", b'{"error":"etcdserver: mvcc: database space exceeded","code":8}')],
    "close": lambda: [],
}


def read_request(c):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = c.recv(65536)
        if not piece:
            return None
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += c.recv(65536)
    return head.split()[1].decode(), json.loads(body)


def serve(c, mode, state, context):
    try:
        if mode == "plain-text":
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" * 1000)
            return
        if mode == "silent":
            c.recv(100)
            threading.Event().wait(60)
            return
        c = context.wrap_socket(c, server_side=True)
        while True:
            request = read_request(c)
            if request is None:
                return
            if mode == "hang":
                threading.Event().wait(60)
                return
            if mode == "honest":
                c.sendall(plain(b"200 OK", json.dumps(honest(kind_of(*request))).encode()))
            elif mode in json_modes:
                c.sendall(plain(b"200 OK", json.dumps(json_modes[mode](state, kind_of(*request), request[1])).encode()))
            elif mode == "drip":
                c.sendall(OK + b"Content-Length: 1000\r\n\r\n")
                while not threading.Event().wait(0.1):
                    c.sendall(b" ")
            else:
                for piece in raw_modes[mode]():
                    c.sendall(piece)
                return
    except OSError:
        pass
    finally:
        c.close()


def listen(mode, context):
    s = socket.create_server(("127.0.0.1", 0), backlog=64)
    state = {}

    def accept():
        while True:
            c, _ = s.accept()
            threading.Thread(target=serve, args=(c, mode, state, context), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print(mode, s.getsockname()[1], flush=True)


def main():
    certificate, key, authority = sys.argv[1:4]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    for mode in sys.argv[4:] or ["honest", "hang", "silent", "plain-text", "drip", *json_modes, *raw_modes]:
        listen(mode, context)
    print("all", flush=True)
    sys.stdin.read()
    os._exit(0)


main()
