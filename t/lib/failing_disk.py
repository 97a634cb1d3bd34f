#!/usr/bin/python3
"""failing_disk.py BACKING MOUNTPOINT CONTROL - a disk below a program, whose syncs fail when they are told to.

A FUSE file system that hands everything to BACKING. CONTROL is a file with two numbers: one sync of how many fails, and the
seed. "0 0", or no file: none fails. A sync that fails has done what a disk may have done: all of what was written since the
last sync of that file is there, or none of it, or a part, and nobody can tell. The program gets EIO.
It prints "mounted", and at the end how many syncs it failed.
"""
import os
import random
import sys
from errno import EIO

from fusepy import FUSE, FuseOSError, Operations, fuse_get_context


class Disk(Operations):
    def __init__(self, backing, control):
        self.backing, self.control = backing, control
        self.told, self.chance, self.random = None, 0, random.Random(0)
        self.since = {}     # path: [(offset, what was there)], since its last sync
        self.failed = self.synced = 0

    def at(self, path):
        return self.backing + path

    def init(self, path):
        print("mounted", flush=True)

    def destroy(self, path):
        print(f"failed={self.failed} synced={self.synced}", flush=True)

    def fails(self):
        try:
            with open(self.control) as f:
                told = f.read()
        except FileNotFoundError:
            told = "0 0"
        if told != self.told:
            self.told, (chance, seed) = told, told.split()
            self.chance, self.random = int(chance), random.Random(int(seed))
        return self.chance > 0 and self.random.randrange(self.chance) == 0

    # What a disk does.
    def write(self, path, data, offset, fh):
        was = os.pread(fh, len(data), offset)
        self.since.setdefault(path, []).append((offset, was))
        return os.pwrite(fh, data, offset)

    def fsync(self, path, datasync, fh):
        writes = self.since.pop(path, [])
        if not self.fails():
            self.synced += 1
            os.fdatasync(fh)
            return 0
        self.failed += 1
        for offset, was in reversed(writes[self.random.randint(0, len(writes)):]):
            os.pwrite(fh, was, offset)
        if writes and self.random.randrange(2):
            offset, was = writes[-1]
            half = len(was) // 2
            os.pwrite(fh, was[half:], offset + half)
        raise FuseOSError(EIO)

    # The rest is BACKING's.
    def getattr(self, path, fh=None):
        s = os.lstat(self.at(path))
        return {key: getattr(s, key) for key in ("st_atime", "st_ctime", "st_gid", "st_ino", "st_mode", "st_mtime", "st_nlink", "st_size",
                                                 "st_uid", "st_blocks", "st_blksize")}

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(self.at(path))]

    def statfs(self, path):
        s = os.statvfs(self.at(path))
        return {key: getattr(s, key) for key in ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_frsize",
                                                 "f_namemax")}

    # What was there is read before each write, and Python's memory is not aligned.
    def open(self, path, flags):
        return os.open(self.at(path), os.O_RDONLY if flags & os.O_ACCMODE == os.O_RDONLY else os.O_RDWR)

    def create(self, path, mode, fi=None):
        fd = os.open(self.at(path), os.O_RDWR | os.O_CREAT, mode)
        uid, gid, _ = fuse_get_context()
        os.fchown(fd, uid, gid)
        return fd

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def truncate(self, path, length, fh=None):
        os.truncate(self.at(path), length)

    def release(self, path, fh):
        os.close(fh)

    def unlink(self, path):
        self.since.pop(path, None)
        os.unlink(self.at(path))

    def rename(self, old, new):
        os.rename(self.at(old), self.at(new))
        if old in self.since:
            self.since[new] = self.since.pop(old)

    def chmod(self, path, mode):
        os.chmod(self.at(path), mode)

    def chown(self, path, uid, gid):
        os.lchown(self.at(path), uid, gid)

    def fsyncdir(self, path, datasync, fh):
        return 0


if __name__ == "__main__":
    backing, mountpoint, control = sys.argv[1:]
    FUSE(Disk(backing, control), mountpoint, foreground=True, nothreads=True, allow_other=True, default_permissions=True)
