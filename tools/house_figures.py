#!/usr/bin/env python3
"""Measures the house: lines of files and functions, includes and comments, room by room.

    house_figures.py           prints the figures as Markdown
    house_figures.py --write   puts them into docs/explain/house.md, between its two marks

C++ functions are found by the house format: what clang-format wrote opens a body with `{` at the end of a line and
closes it with `}` at the indentation of its first line. A function is counted from its first line to its brace.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "explain" / "house.md"
MARKS = ("<!-- figures -->\n", "<!-- end of figures -->\n")

LONG_FILE = 300
LONG_FUNCTION = 60
SHORT_FUNCTION = 35

CPP_SUFFIXES = (".cpp", ".hpp", ".h")
INCLUDE = re.compile(r"^\s*#\s*include\b")
NOT_A_FUNCTION = re.compile(r"^\s*(?:namespace|struct|class|enum|union|static_assert|#|HWY_\w+\()")
# A body of a class or a namespace within a class: what stands in it is looked at in turn.
TYPE = re.compile(r"^\s*(?:template\s*<.*>\s*)?(?:struct|class|union)\b")
FUNCTION_NAME = re.compile(r"((?:operator\s*[^\s(]+)|[~\w:]+)\s*\(")


class Function(NamedTuple):
    file: str
    line: int
    name: str
    lines: int


class SourceFile(NamedTuple):
    name: str
    room: str
    lines: int
    includes: int
    comments: int
    functions: list[Function]


def room_of(name: str) -> str:
    """The room of a file: `src/ops/nn/relu.cpp` is of ops, every test of tests, anything else of its first folder."""
    folder, *rest = Path(name).parts
    if name.endswith("_test.cpp") or folder == "tests":
        return "tests"
    return rest[0] if folder == "src" else folder


def closing_line(lines: list[str], opened: int, indent: str) -> int:
    """The line that closes what the line `opened` opened, counted from 0."""
    for at in range(opened + 1, len(lines)):
        if lines[at].startswith(indent + "}"):
            return at
    return opened


def cpp_functions(name: str, lines: list[str], begin: int, end: int, indent: str = "") -> Iterator[Function]:
    """Functions whose first line stands at this indentation, and those of the classes between."""
    head, at = begin, begin
    while at < end:
        line = lines[at]
        if not line.strip() or line.lstrip().startswith(("//", "#", "}", "template")) or line.endswith((";", ":")):
            head, at = at + 1, at + 1
            continue
        if re.match(rf"{indent}\S", line) and re.match(rf"{indent}\S", lines[head]) is None:
            head = at
        first = lines[head]
        text = " ".join(part.strip() for part in lines[head : at + 1])
        opens = line.endswith("{")
        one_line = line.endswith("}") and "{" in line and at == head
        if not opens and not one_line:
            at += 1
            continue
        closed = closing_line(lines, at, indent) if opens else at
        if opens and TYPE.match(first):
            yield from cpp_functions(name, lines, at + 1, closed, indent + "  ")
        elif opens and re.match(r"\s*(?:namespace|extern \"C\" \{)", first):
            closed = at  # a namespace does not indent: go on inside
        elif is_function(text) and (found := FUNCTION_NAME.search(text)):
            yield Function(name, head + 1, found[1], closed - head + 1)
        head = at = closed + 1


def is_function(text: str) -> bool:
    if NOT_A_FUNCTION.match(text) or "(" not in text:
        return False
    return "=" not in text[: text.index("(")] or "operator" in text[: text.index("(")]


def python_functions(name: str, text: str) -> Iterator[Function]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Function(name, node.lineno, node.name, (node.end_lineno or node.lineno) - node.lineno + 1)


def measured(name: str, text: str) -> SourceFile:
    lines = text.splitlines()
    comments = sum(line.lstrip().startswith(("//", "#!" if name.endswith(CPP_SUFFIXES) else "#")) for line in lines)
    if name.endswith(".py"):
        functions = list(python_functions(name, text))
        includes = sum(line.startswith(("import ", "from ")) for line in lines)
    else:
        functions = list(cpp_functions(name, lines, 0, len(lines)))
        includes = sum(bool(INCLUDE.match(line)) for line in lines)
    return SourceFile(name, room_of(name), len(lines), includes, comments, functions)


def source_files() -> list[SourceFile]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [name for name in listing.splitlines() if name.endswith((*CPP_SUFFIXES, ".py")) and (ROOT / name).is_file()]
    return [measured(name, (ROOT / name).read_text(encoding="utf-8")) for name in sorted(names)]


def row(title: str, files: list[SourceFile]) -> str:
    functions = [function.lines for file in files for function in file.functions]
    short = sum(lines < SHORT_FUNCTION for lines in functions) / max(1, len(functions))
    cells = [
        title,
        str(len(files)),
        str(sum(file.lines for file in files)),
        f"{median(file.lines for file in files):.0f} / {max(file.lines for file in files)}",
        f"{median(functions or [0]):.0f} / {max(functions, default=0)}",
        f"{100 * short:.0f} %",
        f"{median(file.includes for file in files):.0f} / {max(file.includes for file in files)}",
        f"{100 * sum(file.comments for file in files) / sum(file.lines for file in files):.0f} %",
    ]
    return "| " + " | ".join(cells) + " |"


def table(files: list[SourceFile], group: Callable[[SourceFile], str]) -> list[str]:
    groups: dict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        groups[group(file)].append(file)
    return [
        f"| room | files | lines | file, median / max | function, median / max | below {SHORT_FUNCTION} "
        "| includes, median / max | comments |",
        "| --- " * 8 + "|",
        *(row(title, groups[title]) for title in sorted(groups)),
        row("**all**", files),
    ]


def listing(title: str, rows: Iterable[tuple[int, str]]) -> list[str]:
    ordered = sorted(rows, key=lambda found: (-found[0], found[1]))
    return [f"{title}: {len(ordered)}.", "", *(f"- {lines}: `{what}`" for lines, what in ordered)]


def figures(files: list[SourceFile]) -> str:
    long_functions = [
        (function.lines, f"{function.name}` in `{function.file}")
        for file in files
        for function in file.functions
        if function.lines > LONG_FUNCTION
    ]
    parts = [
        *table(files, lambda file: file.room),
        "",
        *listing(
            f"Files of more than {LONG_FILE} lines",
            ((file.lines, file.name) for file in files if file.lines > LONG_FILE),
        ),
        "",
        *listing(f"Functions of more than {LONG_FUNCTION} lines", long_functions),
    ]
    return "\n".join(parts) + "\n"


def main() -> int:
    text = figures(source_files())
    if "--write" not in sys.argv:
        print(text, end="")
        return 0
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    PAGE.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
