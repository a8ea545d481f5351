"""The built programs as real processes: started, signalled, watched from outside."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("SKERRY_BUILD_DIR", REPOSITORY / "build" / "release"))
CLI = BUILD / "apps" / "cli" / "skerry"
DEVICE = BUILD / "apps" / "run" / "skerry-run"
CIRCUITS = REPOSITORY / "tests" / "data" / "circuits"
MODELS = REPOSITORY / "tests" / "data" / "models"
BELL = CIRCUITS / "bell_2.qasm"
# An identifier of the table cannot hold the hyphen of a verb of two words.
VERBS = [
    row.replace("_", "-")
    for row in re.findall(r"^SKERRY_VERB\((\w+)\)", (REPOSITORY / "apps/cli/verbs.def").read_text(), re.MULTILINE)
]

Word = str | Path


def environment(extra: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """This process's environment without Skerry's own variables, plus `extra`; None takes a variable away."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SKERRY_")}
    for name, value in (extra or {}).items():
        if value is None:
            variables.pop(name, None)
        else:
            variables[name] = value
    return variables


@dataclass(frozen=True)
class Finished:
    """What a process left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one object on stdout; anything before or after it fails the test."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        assert self.out.count("\n") == 1
        return value


def run(
    *words: Word,
    program: Path = CLI,
    text: str | bytes = "",
    extra: Mapping[str, str | None] | None = None,
    folder: Path | None = None,
    seconds: float = 60.0,
) -> Finished:
    """Runs to the end. text: standard input."""
    done = subprocess.run(
        [str(word) for word in (program, *words)],
        input=text if isinstance(text, bytes) else text.encode(),
        capture_output=True,
        env=environment(extra),
        cwd=folder,
        timeout=seconds,
        check=False,
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


def ok(*words: Word, **how: Any) -> Finished:
    """run, and the process must succeed."""
    finished = run(*words, **how)
    assert finished.code == 0, finished.err
    return finished


def start(*words: Word, program: Path = CLI) -> subprocess.Popen[str]:
    """Runs on while the test goes on."""
    return subprocess.Popen(
        [str(word) for word in (program, *words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def interrupt(process: subprocess.Popen[str], after: float) -> tuple[Finished, float]:
    """Ctrl-C after some seconds: what the process said, and seconds it took to end."""
    time.sleep(after)
    assert process.poll() is None, "it ended before it could be interrupted"
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    return Finished(process.returncode, out, err), time.monotonic() - begin


def peak_bytes(*words: Word, program: Path = CLI) -> int:
    """Highest resident memory of a process that prints to stdout, as the kernel told it just before its end.

    The pipe it writes to is full, so that it waits inside its last write while its status file is read. The maximum
    that wait4 gives is no use: it is inherited from this Python.
    """
    source, sink = os.pipe()
    capacity = fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, 4096)
    os.write(sink, b"x" * capacity)
    child = subprocess.Popen(
        [str(word) for word in (program, *words)], stdout=sink, stderr=subprocess.DEVNULL, env=environment()
    )
    os.close(sink)
    peak = 0
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            # Linux on x86-64 and AArch64 number write() 1 and 64; the first argument is the descriptor.
            call = Path(f"/proc/{child.pid}/syscall").read_text().split()
            if call[:2] in (["1", "0x1"], ["64", "0x1"]):
                fields = Path(f"/proc/{child.pid}/status").read_text().splitlines()
                peak = next(int(line.split()[1]) * 1024 for line in fields if line.startswith("VmHWM:"))
                break
            time.sleep(0.005)
    finally:
        while os.read(source, 1 << 16):
            pass
        os.close(source)
        child.wait(timeout=20)
    return peak


def write_circuit(path: Path, qubits: int, layers: int) -> Path:
    """Rotations on all wires and a chain of cx, again and again: work that no pass takes away."""
    lines = ["OPENQASM 2.0;", 'include "qelib1.inc";', f"qreg q[{qubits}];", f"creg c[{qubits}];"]
    for layer in range(layers):
        lines += [f"ry({0.1 * (layer + wire + 1):.3f}) q[{wire}];" for wire in range(qubits)]
        lines += [f"cx q[{wire}],q[{wire + 1}];" for wire in range(qubits - 1)]
    path.write_text("\n".join([*lines, "measure q -> c;"]) + "\n")
    return path
