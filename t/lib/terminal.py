#!/usr/bin/python3
"""terminal.py COLUMNS ROWS [--resize COLUMNSxROWS] [--keys TEXT] COMMAND...: runs it at a terminal of that size, which gets the other
size when it has gone quiet for the first time, types TEXT when it has gone quiet again,
prints what the terminal got, and exits as it did."""
import fcntl
import os
import pty
import select
import struct
import sys
import termios

QUIET = 0.5  # seconds without output: it waits for a key
LONGEST = 60

columns, rows, *command = sys.argv[1:]
keys = b''
resize = None
if command[0] == '--resize':
    resize = [int(n) for n in command[1].split('x')]
    command = command[2:]
if command[0] == '--keys':
    keys = command[1].encode().decode('unicode_escape').encode()
    command = command[2:]
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', int(rows), int(columns), 0, 0))
    try:
        os.execvp(command[0], command)
    finally:
        os._exit(127)
got = b''
quiet = 0.0
while quiet < LONGEST:
    ready, _, _ = select.select([terminal], [], [], QUIET)
    if not ready:
        quiet += QUIET
        if got and resize:
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', resize[1], resize[0], 0, 0))
            resize = None
        elif got and keys:
            os.write(terminal, keys[:1])
            keys = keys[1:]
        continue
    quiet = 0.0
    try:
        piece = os.read(terminal, 65536)
    except OSError:  # Linux: the other side is closed
        break
    if not piece:
        break
    got += piece
else:
    os.kill(pid, 9)
    got += b'\n(it did not end)\n'
sys.stdout.buffer.write(got.replace(b'\r\n', b'\n'))
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128)
