"""skerry completion: the script works in a real bash."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e import programs


def complete(folder: Path, *words: str) -> set[str]:
    """What bash offers for the last of the words."""
    quoted = " ".join(f"'{word}'" for word in ("skerry", *words))
    script = f"""
source <("{programs.CLI}" completion bash)
COMP_WORDS=({quoted}); COMP_CWORD={len(words)}
_skerry; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, cwd=folder)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_the_first_word_is_a_verb(tmp_path: Path) -> None:
    assert complete(tmp_path, "") >= set(programs.VERBS)
    assert complete(tmp_path, "co") == {verb for verb in programs.VERBS if verb.startswith("co")}


def test_flags_of_the_verb_are_offered(tmp_path: Path) -> None:
    assert complete(tmp_path, "run", "--sh") == {"--shots", "--shape"}
    assert "--max-memory-mb" in complete(tmp_path, "plan", "--max")
    assert complete(tmp_path, "keys", "--sho") == {"--show"}
    assert complete(tmp_path, "inspect", "--js") == {"--json"}


def test_files_are_offered_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "ghz.qasm").touch()
    assert complete(tmp_path, "run", "gh") == {"ghz.qasm"}


@pytest.mark.parametrize("verb", programs.VERBS)
def test_every_flag_that_help_tells_is_offered(tmp_path: Path, verb: str) -> None:
    told = {
        word.split(",")[-1]
        for line in programs.ok(verb, "--help").out.splitlines()
        if line.startswith("  -")
        for word in line.split()[:1]
    }
    assert told <= complete(tmp_path, verb, "--")


def test_an_unknown_shell_is_refused_with_those_there_are() -> None:
    done = programs.run("completion", "fish")
    assert done.code == 2
    assert "use bash or zsh" in done.err
