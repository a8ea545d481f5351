"""Libraries that stand in front of libc in a process that a test starts: disks that fail, and a clock that jumps."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

# A page that both sides map: what write() and fsync() below a folder meet from now on, an errno of each, and seconds
# that the clock of the day is ahead. A write that fails may have taken half of its bytes before.
SOURCE = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
struct faults { long write_errno, sync_errno, half, ahead, met; };
static volatile struct faults* faults;
static const char* folder;
__attribute__((constructor)) static void open_page(void) {
  const char* path = getenv("FAULTS_PAGE");
  const int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  void* place = file < 0 ? MAP_FAILED : mmap(0, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  folder = getenv("FAULTS_FOLDER");
  if (place != MAP_FAILED) faults = place;
}
static int is_below(int file) {
  char link[64], path[PATH_MAX];
  if (!faults || !folder) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  return size > 0 && strncmp(path, folder, strlen(folder)) == 0;
}
static int fails(int file, long code) {
  if (!code || !is_below(file)) return 0;
  __atomic_add_fetch(&faults->met, 1, __ATOMIC_SEQ_CST);
  errno = (int)code;
  return 1;
}
ssize_t write(int file, const void* data, size_t size) {
  if (faults && faults->write_errno && is_below(file)) {
    if (faults->half && size > 1) {
      faults->half = 0;
      return syscall(SYS_write, file, data, size / 2);
    }
    if (fails(file, faults->write_errno)) return -1;
  }
  return syscall(SYS_write, file, data, size);
}
ssize_t writev(int file, const struct iovec* parts, int count) {
  if (faults && fails(file, faults->write_errno)) return -1;
  return syscall(SYS_writev, file, parts, count);
}
ssize_t pwrite64(int file, const void* data, size_t size, off_t at) {
  if (faults && fails(file, faults->write_errno)) return -1;
  return syscall(SYS_pwrite64, file, data, size, at);
}
int fsync(int file) { return faults && fails(file, faults->sync_errno) ? -1 : (int)syscall(SYS_fsync, file); }
int fdatasync(int file) { return faults && fails(file, faults->sync_errno) ? -1 : (int)syscall(SYS_fdatasync, file); }
int clock_gettime(clockid_t clock, struct timespec* now) {
  const int failed = (int)syscall(SYS_clock_gettime, clock, now);
  if (!failed && faults && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += faults->ahead;
  return failed;
}
int gettimeofday(struct timeval* now, void* zone) {
  struct timespec precise;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &precise)) return -1;
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}
time_t time(time_t* told) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (told) *told = now.tv_sec;
  return now.tv_sec;
}
"""


@dataclass
class Faults:
    """What the processes meet that were started with `environment`, changed at any time."""

    page: Path
    environment: dict[str, str]

    def set(self, write: int = 0, sync: int = 0, half: bool = False, ahead: int = 0) -> None:
        """write, sync: an errno, 0 for none. half: the next write takes half. ahead: seconds of the day's clock."""
        with self.page.open("r+b") as file:
            file.write(struct.pack("4q", write, sync, int(half), ahead))

    def met(self) -> int:
        """How often something was made to fail."""
        return int(struct.unpack("5q", self.page.read_bytes())[4])


def faults(folder: Path, below: Path) -> Faults:
    """Builds the library in a folder; disks fail for files below `below`."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    (folder / "faults.c").write_text(SOURCE)
    words = [compiler, "-shared", "-fPIC", "-O1", "-o", "faults.so", "faults.c"]
    subprocess.run(words, cwd=folder, check=True)
    page = folder / "faults.page"
    page.write_bytes(struct.pack("5q", 0, 0, 0, 0, 0))
    return Faults(
        page, {"LD_PRELOAD": str(folder / "faults.so"), "FAULTS_PAGE": str(page), "FAULTS_FOLDER": str(below)}
    )
