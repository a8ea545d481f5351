"""skerry train qgan: the benchmark's figures, the same bits for a seed, checkpoints, a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.e2e import programs


def train(*words: programs.Word) -> Any:
    return programs.ok("train", "qgan", "--json", *words).json()


def test_the_ring_benchmark_is_reproduced() -> None:
    history = train("--task", "ring", "--seed", "1", "--batch", "16", "--steps", "100", "--every", "100")["history"]
    assert abs(history[0]["sliced_w1"] - 0.24550) < 1e-5
    assert abs(history[-1]["sliced_w1"] - 0.2096) < 1e-3


def test_most_seeds_find_every_mode() -> None:
    last = [train("--seed", str(seed), "--steps", "300", "--every", "300")["history"][-1] for seed in range(1, 6)]
    assert sorted(row["sliced_w1"] for row in last)[2] <= 0.13
    assert sum(row["modes_hit"] == 8 for row in last) >= 4


def test_a_resumed_run_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    checkpoint, other = tmp_path / "half.txt", tmp_path / "whole.txt"
    short = ("--batch", "8", "--every", "10", "--cutoff", "5")
    train(*short, "--steps", "10", "--checkpoint", checkpoint)
    resumed = train("--every", "10", "--steps", "20", "--resume", checkpoint, "--checkpoint", checkpoint)
    whole = train(*short, "--steps", "20", "--checkpoint", other)
    assert resumed["history"][-1] == whole["history"][-1]
    assert checkpoint.read_bytes() == other.read_bytes()


def test_the_thread_count_changes_no_bit() -> None:
    runs = [train("--batch", "40", "--steps", "5", "--threads", threads) for threads in ("1", "2")]
    assert runs[0]["history"] == runs[1]["history"]


def test_a_plot_is_written(tmp_path: Path) -> None:
    plot = tmp_path / "ring.svg"
    programs.ok("train", "qgan", "--steps", "2", "--batch", "4", "--plot", plot)
    assert ElementTree.parse(plot).getroot().tag.endswith("svg")


def test_mistakes_are_told(tmp_path: Path) -> None:
    assert "take ring, two_blob or four_blob" in programs.run("train", "qgan", "--task", "square").err
    assert "take qgan" in programs.run("train", "vae").err
    broken = tmp_path / "broken.txt"
    broken.write_text("skerry-qgan 1\ntask ring\ncounts 10 1 2\n")
    done = programs.run("train", "qgan", "--resume", broken)
    assert done.code == 3
    assert "ends too early" in done.err
    broken.write_text("skerry-qgan 2\n")
    assert "reads up to 1" in programs.run("train", "qgan", "--resume", broken).err
