"""Many random questions: mutated ONNX models, to be refused or run, and random graphs, to be answered right.

    ./dev fuzz models [--count 1000000] [--seed 0]
    ./dev fuzz graphs [--count 100000] [--seed 0]

Each piece of the work is a process of its own, so that one that dies or hangs is a finding and the others go on.
Findings are kept under build/fuzz/findings; the exit code is 1 if there are any. The same seed asks the same questions.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build/release"
FINDINGS = ROOT / "build/fuzz/findings"
GROWN = 200  # random graphs among what is mutated
MOST_SHOWN = 20
SECONDS = 900  # that a piece may take; it takes seconds

# Of all elements that were rounded to quanta, how many may lie on another one than the reference's.
MOST_AWAY = 0.01


class Piece(NamedTuple):
    """So many questions from the first on."""

    first: int
    size: int


class Outcome(NamedTuple):
    """findings: what went wrong, a line each. rounded, away: of elements on quanta, see random_graphs.question."""

    piece: Piece
    findings: list[str]
    rounded: int = 0
    away: int = 0


def pieces(first: int, count: int, each: int) -> Iterator[Piece]:
    for begin in range(0, count, each):
        yield Piece(first + begin, min(each, count - begin))


def asked(command: list[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A process that ends by itself, or is ended."""
    try:
        return subprocess.run(command, cwd=folder or ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, -1, "", f"it did not end within {SECONDS} s")


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else "it said nothing"


# Graphs.


def graphs_of(piece: Piece) -> Outcome:
    done = asked([sys.executable, "-m", "tests.fuzz.campaign", "_graphs", str(piece.first), str(piece.size)])
    if done.returncode == 0:
        told = json.loads(done.stdout)
        return Outcome(piece, [f"seed {s}: {what}" for s, what in told["wrong"]], told["rounded"], told["away"])
    if piece.size == 1:
        return Outcome(piece, [f"seed {piece.first}: exit code {done.returncode}, {last_line(done.stderr)}"])
    halves = [graphs_of(half) for half in pieces(piece.first, piece.size, -(-piece.size // 2))]
    together = [finding for half in halves for finding in half.findings]
    return Outcome(piece, together, sum(h.rounded for h in halves), sum(h.away for h in halves))


def answer_graphs(piece: Piece) -> None:
    """What graphs_of() starts."""
    from tests.conformance.random_graphs.question import wrong_answers

    wrong, rounded, away = wrong_answers(piece.first, piece.size)
    json.dump({"wrong": list(wrong.items()), "rounded": rounded, "away": away}, sys.stdout)


# Models.


def grown_models(folder: Path, seed: int) -> None:
    """Random graphs beside the kept corpus: they have more operators, and bodies."""
    from tests.conformance.random_graphs.question import grown, model_of

    folder.mkdir(parents=True, exist_ok=True)
    for i in range(GROWN):
        (folder / f"{i}.onnx").write_bytes(model_of(grown(seed + i)).SerializeToString())


def corpus_of(seed: int) -> Path:
    """The kept models and some that are grown, in one folder."""
    folder = ROOT / f"build/fuzz/corpus/models-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    for kept in ("onnx", "model"):
        link = folder / kept
        if not link.exists():
            link.symlink_to(ROOT / "tests/fuzz/corpus" / kept)
    if not (folder / "grown").exists():
        grown_models(folder / "grown", seed)
    return folder


def models_of(program: Path, corpus: Path) -> Callable[[Piece], Outcome]:
    def ask(piece: Piece) -> Outcome:
        folder = FINDINGS / f"models/{piece.first}-{piece.size}"
        folder.mkdir(parents=True, exist_ok=True)
        done = asked([str(program), str(corpus), str(piece.size), str(piece.first)], folder)
        if done.returncode == 0:
            for name in folder.iterdir():
                name.unlink()
            folder.rmdir()
            return Outcome(piece, [])
        what = f"seed {piece.first}: exit code {done.returncode}, {last_line(done.stderr)}"
        (folder / "told.txt").write_text(done.stdout + done.stderr)
        return Outcome(piece, [f"{what}; kept in {folder}"])

    return ask


# Both.


def told(done: int, count: int, findings: int, began: float) -> str:
    rate = done / max(time.monotonic() - began, 1e-9)
    left = (count - done) / rate if rate else 0
    return f"{done} of {count}, {findings} findings, {rate:.0f} a second, {left / 60:.1f} minutes left"


def campaign(what: str, work: list[Piece], ask: Callable[[Piece], Outcome]) -> list[str]:
    """Asks all; tells the progress, and the findings as they come. Gives the findings."""
    began, done, findings, rounded, away = time.monotonic(), 0, [], 0, 0
    count = sum(piece.size for piece in work)
    on_terminal = sys.stderr.isatty()
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for outcome in pool.map(ask, work):
            done += outcome.piece.size
            rounded, away = rounded + outcome.rounded, away + outcome.away
            for finding in outcome.findings:
                findings.append(finding)
                if len(findings) <= MOST_SHOWN:
                    print(("\r\033[K" if on_terminal else "") + finding, file=sys.stderr, flush=True)
            if on_terminal:
                print("\r\033[K" + told(done, count, len(findings), began), end="", file=sys.stderr, flush=True)
    if on_terminal:
        print(file=sys.stderr)
    if away > max(2, MOST_AWAY * rounded):
        findings.append(f"{away} of {rounded} elements lie on another quantum than the reference's")
    print(f"{count} {what} in {time.monotonic() - began:.0f} s: {len(findings)} findings")
    if rounded:
        print(f"{away} of {rounded} elements that were rounded to quanta lie on another one")
    return findings


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["_graphs"]:
        answer_graphs(Piece(int(arguments[1]), int(arguments[2])))
        return 0
    parser = argparse.ArgumentParser(
        prog="./dev fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["models", "graphs"])
    parser.add_argument("--count", type=int, help="questions: 1000000 models, 100000 graphs")
    parser.add_argument("--seed", type=int, default=0, help="of the first one")
    parser.add_argument(
        "--program", type=Path, default=BUILD / "src/engine/model_fuzz_replay", help="that takes models"
    )
    options = parser.parse_args(arguments)
    if options.count is not None and options.count < 1:
        parser.error(f"--count {options.count}: give 1 or more")
    if options.seed < 0:
        parser.error(f"--seed {options.seed}: give 0 or more")
    if options.what == "graphs":
        count = options.count or 100_000
        findings = campaign("graphs", list(pieces(options.seed, count, 500)), graphs_of)
    else:
        count = options.count or 1_000_000
        work = list(pieces(options.seed, count, 5000))
        findings = campaign("models", work, models_of(options.program.resolve(), corpus_of(options.seed)))
    for finding in findings[MOST_SHOWN:]:
        print(finding, file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
