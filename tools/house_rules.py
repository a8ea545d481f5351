"""Fails when a file breaks a rule of the house that no compiler checks.

Files stay below 600 lines and speak of no machine, registry or unfinished work; a room has its page; a row of a table
has the file that it announces and a test, its own or the one that loops over the table, and stands there once.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

MAX_LINES = 600

TEXT_SUFFIXES = {
    ".cpp",
    ".hpp",
    ".h",
    ".def",
    ".py",
    ".pyi",
    ".md",
    ".txt",
    ".toml",
    ".yml",
    ".cmake",
    ".fbs",
    ".json",
    "",
}
# Data is as long as it is, and quotes whatever it was made from.
DATA_FOLDERS = ("tests/data/", "tests/fuzz/corpus/", "tests/golden/", "tests/errors/")
# The licence is not ours to shorten.
UNCHECKED = {"LICENSE"}

# Each pattern is split so that this file does not contain what it looks for.
FORBIDDEN = {
    "path of one machine": re.compile(r"(?<![\w.])/(?:ro" r"ot|wo" r"rk|Us" r"ers/\w+)(?=[/\s\"'`)]|$)"),
    "host of a package registry": re.compile(
        r"pyp" r"i\.org|pythonho" r"sted\.org|deb\.deb" r"ian\.org|npm" r"js\.", re.I
    ),
    "mark of unfinished work": re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b"),
}

# A table, the macro of its rows, and the file that a row announces.
TABLES: list[tuple[str, str, Callable[[str], str]]] = [
    ("include/skerry/gates.def", "SKERRY_GATE", lambda name: f"src/ops/qubit/{name}.cpp"),
    ("src/ops/nn/ops.def", "SKERRY_OP", lambda name: f"src/ops/nn/{name}.cpp"),
    ("src/ops/hybrid/hybrid_ops.def", "SKERRY_OP", lambda name: f"src/ops/hybrid/{name}.cpp"),
    ("src/passes/passes.def", "SKERRY_CIRCUIT_PASS", lambda name: f"src/passes/circuit/{name}.cpp"),
    ("src/passes/passes.def", "SKERRY_OUTCOME_PASS", lambda name: f"src/passes/outcomes/{name}.cpp"),
    ("src/passes/passes.def", "SKERRY_GRAPH_PASS", lambda name: f"src/passes/tensor/{name}.cpp"),
    ("src/frontend/frontends.def", "SKERRY_FRONTEND", lambda name: f"src/frontend/{name}/{name}.cpp"),
    ("src/sim/methods.def", "SKERRY_METHOD", lambda name: f"src/sim/{name}/{name}.cpp"),
    ("apps/cli/verbs.def", "SKERRY_VERB", lambda name: f"apps/cli/verbs/{name}.cpp"),
]


def tracked_files(root: Path) -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in sorted(listing.stdout.splitlines()) if (root / name).is_file()]


def check_text(name: str, text: str) -> Iterator[str]:
    lines = text.splitlines()
    if len(lines) > MAX_LINES and not name.endswith((".json", "docs/mission.md", "requirements.txt")):
        yield f"{name}:{MAX_LINES + 1}: {len(lines)} lines; two files are easier to read than one of this length"
    for number, line in enumerate(lines, 1):
        for what, pattern in FORBIDDEN.items():
            if pattern.search(line):
                yield f"{name}:{number}: {what}"


def check_texts(root: Path, names: list[str]) -> Iterator[str]:
    for name in names:
        if name in UNCHECKED or name.startswith(DATA_FOLDERS) or Path(name).suffix not in TEXT_SUFFIXES:
            continue
        try:
            text = (root / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            yield f"{name}:1: not UTF-8"
            continue
        yield from check_text(name, text)


def check_rooms(root: Path) -> Iterator[str]:
    for build_file in sorted((root / "src").glob("*/CMakeLists.txt")):
        if not (build_file.parent / "README.md").is_file():
            yield f"{build_file.parent.relative_to(root)}: a room without README.md"


def conformance_reads(root: Path, table: str) -> bool:
    """True if a conformance test names the table, which it then loops over."""
    return any(table in test.read_text(encoding="utf-8") for test in (root / "tests" / "conformance").glob("*test*.py"))


def has_test(root: Path, source: Path, name: str, table: str) -> bool:
    """True for a test of the source's own name, one that loops over the table, or one beside it that names the row.

    What spans rooms is tested below tests/: a verb as a process, a row by a conformance test that reads its table or
    has the table's name, what needs the whole house by the Python test of the folder's name.
    """
    if conformance_reads(root, table):
        return True
    tests = [*source.parent.glob("*_test.cpp"), *source.parent.parent.glob("*_test.cpp")]
    looping = f"{Path(table).stem}_test"
    spanning = [
        root / "tests" / "e2e" / f"test_{name}.py",
        root / "tests" / "conformance" / f"{looping}.cpp",
        root / "tests" / "python" / f"test_{source.parent.name}.py",
    ]
    return any(test.is_file() for test in spanning) or any(
        test.stem in (f"{source.stem}_test", looping)
        or re.search(rf"\b{name}(?:_\w+)?\b", test.read_text(encoding="utf-8"))
        for test in tests
    )


def check_order(table: str, text: str) -> Iterator[str]:
    """No row twice; and where the table's first line says that it is sorted, it is."""
    is_sorted = "sorted" in text.partition("\n")[0].lower()
    last, seen = "", set()
    for number, row in enumerate(text.splitlines(), 1):
        if not row.startswith("SKERRY_"):
            continue
        if row in seen:
            yield f"{table}:{number}: {row} stands there twice"
        elif is_sorted and row < last:
            yield f"{table}:{number}: {row} belongs before {last}"
        seen.add(row)
        last = row


def check_tables(root: Path) -> Iterator[str]:
    checked: set[str] = set()
    for table, macro, file_of in TABLES:
        if not (root / table).is_file():
            continue
        text = (root / table).read_text(encoding="utf-8")
        if table not in checked:
            yield from check_order(table, text)
        checked.add(table)
        for number, line in enumerate(text.splitlines(), 1):
            match = re.match(rf"{macro}\((\w+)", line)
            if not match:
                continue
            source = root / file_of(match[1])
            if not source.is_file():
                yield f"{table}:{number}: {match[1]} has no {source.relative_to(root)}"
            elif not has_test(root, source, match[1], table):
                yield f"{table}:{number}: {match[1]} has no test: none beside it names it or loops over the table"


def violations(root: Path, names: list[str]) -> list[str]:
    return [*check_texts(root, names), *check_rooms(root), *check_tables(root)]


def main() -> int:
    root = Path(__file__).resolve().parent.parent
    found = violations(root, tracked_files(root))
    for line in found:
        print(line)
    print(len(found), "breaches of the house rules")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
