"""The main job in front of your eyes: two neural networks, two circuits and a hybrid, on real input.

Each is loaded, predicted, run, saved as a package and run again from it. `./dev demo` calls this file; arguments are
names of acts (digits, sentences, circuits, hybrid), all by default. Packages stay in build/demo.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT / "tools/models")]

import act_circuits  # noqa: E402  (found by the path above)
import act_digits  # noqa: E402
import act_hybrid  # noqa: E402
import act_sentences  # noqa: E402
from stage import Stage  # noqa: E402

ACTS: dict[str, Callable[[Stage], None]] = {
    "digits": act_digits.play,
    "sentences": act_sentences.play,
    "circuits": act_circuits.play,
    "hybrid": act_hybrid.play,
}


def main(wanted: list[str]) -> int:
    unknown = [name for name in wanted if name not in ACTS]
    if unknown:
        print(f"no act named {unknown[0]}; there are {', '.join(ACTS)}", file=sys.stderr)
        return 2
    began = time.perf_counter()
    stage = Stage(ROOT)
    for name in wanted or ACTS:
        ACTS[name](stage)
    stage.title(f"done in {time.perf_counter() - began:.1f} s; the packages are in {stage.folder.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
