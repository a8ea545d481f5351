"""Runs clang-tidy over the sources of a build folder, in parallel, skipping what has not changed since it last passed.

    tools/tidy.py [BUILD [SOURCE…]]    all sources without any named

A source is unchanged when its text, the text of every header of ours that it reaches, the checks and the compiler's
arguments are what they were. What passed is remembered in the build folder.
"""

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TIDY = "clang-tidy-16"
GCC_ONLY = ("-Winvalid-pch", "-fpch-preprocess", "-Wno-restrict", "-Wno-stringop-overflow", "-Wno-subobject-linkage")
# Checks that all shall run are joined by&, which clang takes for a slip.
CLANG_ONLY = ("-Wno-bitwise-instead-of-logical",)
INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*[<"]([^">]+)[">]', re.MULTILINE)


@cache
def reached(path: Path) -> frozenset[Path]:
    """The headers of ours that `path` includes directly."""
    places = (path.parent, ROOT / "src", ROOT / "include", ROOT)
    found: set[Path] = set()
    for name in INCLUDE.findall(path.read_bytes()):
        found.update(place / name.decode() for place in places if (place / name.decode()).is_file())
    return frozenset(found)


@cache
def content(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def closure(path: Path) -> set[Path]:
    seen = {path}
    waiting = [path]
    while waiting:
        for header in reached(waiting.pop()):
            if header not in seen:
                seen.add(header)
                waiting.append(header)
    return seen


def compiler_arguments(command: str) -> list[str]:
    """The compiler and what it is told, without the launcher before it and without precompiled headers."""
    words = shlex.split(command)
    first = next(
        (i for i, word in enumerate(words) if re.search(r"(?:\+\+|cc|clang)(?:-\d+)?$", word) and "ccache" not in word),
        0,
    )
    words = words[first:]
    # clang cannot read what g++ precompiled
    for i, word in enumerate(words):
        if word.endswith("cmake_pch.hxx"):
            words = words[: i - 1] + words[i + 1 :]
            break
    return [w for w in words if w not in GCC_ONLY and not w.startswith("--param=")]


def alone(entry: dict[str, str]) -> list[dict[str, str]]:
    """The entry, or where it compiles several files at once, one for each as if it were compiled alone."""
    source = Path(entry["file"])
    if not source.name.startswith("unity_"):
        return [entry]
    output = re.search(r" -o (\S+)/Unity/", entry["command"])
    assert output is not None
    entries = []
    for line in source.read_text().splitlines():
        if match := re.fullmatch(r'#include "(.+)"', line.strip()):
            file = match[1]
            inside = Path(file).relative_to(ROOT / output[1].partition("/CMakeFiles/")[0])
            command = re.sub(r" -o \S+", f" -o {output[1]}/{inside}.o", entry["command"]).replace(str(source), file)
            entries.append({**entry, "file": file, "command": command})
    return entries


def own_commands(build: Path) -> list[dict[str, object]]:
    commands = json.loads((build / "compile_commands.json").read_text())
    entries: list[dict[str, object]] = []
    for entry in (one for command in commands for one in alone(command)):
        file = Path(entry["file"])
        if file.is_relative_to(ROOT) and not file.is_relative_to(ROOT / "build") and ".venv" not in file.parts:
            arguments = compiler_arguments(entry["command"])
            entries.append({"directory": entry["directory"], "file": str(file), "arguments": arguments})
    return entries


def fingerprint(entry: dict[str, object]) -> str:
    file = Path(str(entry["file"]))
    digest = hashlib.sha256(json.dumps(entry, sort_keys=True).encode())
    for path in [ROOT / ".clang-tidy", *sorted(closure(file))]:
        digest.update(content(path))
    return digest.hexdigest()


def lint(database: Path, file: str) -> tuple[str, str]:
    more = (f"--extra-arg={argument}" for argument in CLANG_ONLY)
    run = subprocess.run(
        [TIDY, "--quiet", *more, "-p", str(database), file], capture_output=True, text=True, check=False
    )
    return file, "" if run.returncode == 0 else run.stdout + run.stderr


def main(build_folder: str = "build/release", *sources: str) -> int:
    build = ROOT / build_folder
    chosen = {str(Path(source).resolve()) for source in sources}
    work = build / "tidy"
    work.mkdir(exist_ok=True)
    stamps_path = work / "passed.json"
    passed = json.loads(stamps_path.read_text()) if stamps_path.is_file() else {}

    entries = own_commands(build)
    (work / "compile_commands.json").write_text(json.dumps(entries))
    wanted = {str(entry["file"]): fingerprint(entry) for entry in entries}
    if unknown := sorted(chosen - wanted.keys()):
        print(f"clang-tidy: {build_folder} compiles no {', '.join(unknown)}", file=sys.stderr)
        return 2
    looked_at = chosen or wanted.keys()
    changed = sorted(file for file in looked_at if passed.get(file) != wanted[file])

    failures = 0
    with ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
        for file, complaints in pool.map(lambda file: lint(work, file), changed):
            if complaints:
                failures += 1
                print(complaints)
            else:
                passed[file] = wanted[file]
                stamps_path.write_text(json.dumps({name: passed[name] for name in wanted if name in passed}))
    print(f"clang-tidy: {len(changed)} of {len(looked_at)} files looked at, {failures} with findings")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
