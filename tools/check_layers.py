"""Fails when a room includes or links against the grain: only lower floors, and on its own floor only itself.

The floors are the design of the house. A header of include/skerry belongs to the room that implements it and counts
as a part of that room, so the door cannot be used to climb.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

FLOORS = {
    "base": 0,
    "data": 1,
    "wire": 2,
    "net": 2,
    "kernels": 2,
    "ir": 2,
    "ops": 3,
    "frontend": 4,
    "emit": 4,
    "passes": 4,
    "backend": 4,
    "sim": 5,
    "plan": 6,
    "package": 7,
    "exec": 7,
    "runtime": 8,
    "engine": 9,
    "edge": 10,
    "train": 10,
    "tune": 10,
    "verify": 10,
    "serve": 10,
    "cluster": 10,
    "observe": 10,
}

# Rooms that may not be used although they stand lower: kernels know views alone, backends know buffers, not gates.
FORBIDDEN = {("kernels", "ir"), ("backend", "ir"), ("backend", "ops")}

# Which room implements a header of include/skerry.
DOOR = {
    "error.hpp": "base",
    "memory.hpp": "base",
    "metrics.hpp": "base",
    "profiler.hpp": "base",
    "progress.hpp": "base",
    "threads.hpp": "base",
    "datum.hpp": "data",
    "dtypes.def": "data",
    "tensor.hpp": "data",
    "tensor_pool.hpp": "data",
    "circuit.hpp": "ir",
    "stabilizer_circuit.hpp": "ir",
    "expression.hpp": "ir",
    "expressions.def": "ir",
    "gates.def": "ir",
    "modes.def": "ir",
    "graph.hpp": "ir",
    "program.hpp": "ir",
    "channel.hpp": "ir",
    "checkpoint.hpp": "ir",
    "noise.hpp": "ir",
    "observable.hpp": "ir",
    "options.hpp": "ir",
    "hybrid.hpp": "ops",
    "limits.hpp": "ir",
    "target.hpp": "ir",
    "calibration.hpp": "passes",
    "compile.hpp": "passes",
    "fault_tolerance.hpp": "passes",
    "lint.hpp": "passes",
    "pruning.hpp": "passes",
    "schedule.hpp": "passes",
    "gradient.hpp": "sim",
    "photonic.hpp": "sim",
    "photonic_gates.hpp": "sim",
    "generator.hpp": "sim",
    "fidelity.hpp": "sim",
    "fock_state.hpp": "sim",
    "fine_tuning.hpp": "train",
    "training.hpp": "train",
    "gaussian.hpp": "sim",
    "state.hpp": "sim",
    "stabilizer.hpp": "sim",
    "result.hpp": "sim",
    "plan.hpp": "plan",
    "batching.hpp": "exec",
    "session.hpp": "runtime",
    "shot_stream.hpp": "runtime",
    "runtime.hpp": "runtime",
    "backend.hpp": "engine",
    "batch_math.hpp": "engine",
    "compression.hpp": "engine",
    "devices.hpp": "engine",
    "edge_engine.hpp": "engine",
    "optimization.hpp": "engine",
    "profile.hpp": "engine",
    "scheduler.hpp": "engine",
    "inference_engine.hpp": "engine",
    "skerry.h": "engine",
    "skerry.hpp": "engine",
    "edge.hpp": "edge",
    "outbox.hpp": "edge",
}

# Folders that see only the door of the house, as an embedder does.
DOOR_ONLY = ("examples",)

SOURCE_SUFFIXES = {".cpp", ".hpp", ".h", ".def", ".cu"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^">]+)[">]', re.MULTILINE)
ROOM_CALL = re.compile(r"\b(?:skerry_room|target_link_libraries)\s*\(([^)]*)\)")
LINKED_ROOM = re.compile(r"\bskerry(?:::|_)(\w+)")


def room_of_include(target: str) -> str | None:
    """Names the room that an include path enters, None when it leads outside the house."""
    first, _, rest = target.partition("/")
    if first == "skerry":
        return DOOR.get(rest, f"include/skerry/{rest} (not in the DOOR table)")
    return first if first in FLOORS else None


def complaint(room: str, used: str) -> str | None:
    """Says why `room` may not use `used`, None when it may."""
    if used == room:
        return None
    if used not in FLOORS:
        return f"{used} has no floor"
    if (room, used) in FORBIDDEN:
        return f"{room} may not know {used}"
    if FLOORS[used] >= FLOORS[room]:
        return f"{room} (floor {FLOORS[room]}) uses {used} (floor {FLOORS[used]})"
    return None


def sources(root: Path, folder: str) -> list[Path]:
    return sorted(path for path in (root / folder).rglob("*") if path.suffix in SOURCE_SUFFIXES)


def includes(path: Path) -> Iterator[tuple[int, str]]:
    text = path.read_text(encoding="utf-8")
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start(1)) + 1, match.group(1)


def check_includes(root: Path) -> Iterator[str]:
    files = [(path, path.relative_to(root / "src").parts[0]) for path in sources(root, "src")]
    files += [(path, DOOR.get(path.name, "")) for path in sources(root, "include/skerry")]
    for path, room in files:
        name = path.relative_to(root)
        if room not in FLOORS:
            yield f"{name}:1: no floor is known for this file"
            continue
        for line, target in includes(path):
            used = room_of_include(target)
            reason = complaint(room, used) if used else None
            if reason:
                yield f"{name}:{line}: {reason}"


def check_door_only(root: Path) -> Iterator[str]:
    for folder in DOOR_ONLY:
        for path in sources(root, folder):
            for line, target in includes(path):
                if target.partition("/")[0] in FLOORS:
                    yield f"{path.relative_to(root)}:{line}: {folder} may include only <skerry/...>, not {target}"


def check_links(root: Path) -> Iterator[str]:
    for path in sorted((root / "src").rglob("CMakeLists.txt")):
        room = path.relative_to(root / "src").parts[0]
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
        used = {name for call in ROOM_CALL.findall(text) for name in LINKED_ROOM.findall(call) if name in FLOORS}
        for name in sorted(used):
            reason = complaint(room, name)
            if reason:
                yield f"{path.relative_to(root)}:1: link list: {reason}"


def violations(root: Path) -> list[str]:
    return [*check_includes(root), *check_door_only(root), *check_links(root)]


def main() -> int:
    found = violations(Path(__file__).resolve().parent.parent)
    for line in found:
        print(line)
    print(len(found), "uses against the grain")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
