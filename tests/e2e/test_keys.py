"""skerry keys and what they are for: packages that are signed, trusted, tampered with."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.e2e import programs
from tests.e2e.programs import BELL


@pytest.fixture
def team(tmp_path: Path) -> Path:
    programs.ok("keys", "--make", tmp_path / "team")
    return tmp_path / "team"


def signed(team: Path) -> Path:
    package = team.with_name("signed.skerry")
    programs.ok("compile", BELL, "-o", package, "--sign", f"{team}.key")
    return package


def test_the_secret_half_is_for_its_owner_alone(team: Path) -> None:
    assert stat.S_IMODE(Path(f"{team}.key").stat().st_mode) == 0o600
    assert Path(f"{team}.pub").exists()


def test_a_key_has_one_short_name_everywhere(team: Path) -> None:
    shown = programs.ok("keys", "--show", f"{team}.pub").out.strip()
    assert programs.ok("keys", "--show", f"{team}.pub", "--json").json()["key"] == shown
    assert programs.ok("inspect", signed(team), "--json").json()["package"]["signer"] == shown


def test_an_old_key_is_never_overwritten(team: Path) -> None:
    before = Path(f"{team}.key").read_bytes()
    done = programs.run("keys", "--make", team)
    assert done.code == 3
    assert "choose another name" in done.err
    assert Path(f"{team}.key").read_bytes() == before


@pytest.mark.parametrize("program", [programs.CLI, programs.DEVICE])
def test_a_signed_package_runs_for_who_trusts_its_signer(team: Path, program: Path) -> None:
    words = ["run"] if program == programs.CLI else []
    done = programs.ok(*words, signed(team), "--trust", f"{team}.pub", "--json", program=program)
    assert set(done.json()["counts"]) == {"00", "11"}


@pytest.mark.parametrize("program", [programs.CLI, programs.DEVICE])
def test_unsigned_and_untrusted_packages_are_refused_with_exit_code_six(
    team: Path, tmp_path: Path, program: Path
) -> None:
    words = ["run"] if program == programs.CLI else []
    plain = tmp_path / "plain.skerry"
    programs.ok("compile", BELL, "-o", plain)
    programs.ok("keys", "--make", tmp_path / "other")
    for package, key in ((plain, team), (signed(team), tmp_path / "other")):
        done = programs.run(*words, package, "--trust", f"{key}.pub", "--json", program=program)
        assert done.code == 6
        error = done.json()["error"]
        assert error["code"] == "bad_signature"
        assert error["where"]
        assert error["hint"]


def test_source_text_cannot_be_signed_and_is_refused_too(team: Path) -> None:
    assert programs.run("run", BELL, "--trust", f"{team}.pub").code == 6


def test_no_byte_of_a_signed_package_can_be_changed(team: Path) -> None:
    package = signed(team)
    whole = package.read_bytes()
    changed = package.with_name("changed.skerry")
    answer = programs.ok("run", package, "--seed", "1", "--json").json()["counts"]
    for place in range(0, len(whole), 23):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        changed.write_bytes(damaged)
        done = programs.run("run", changed, "--trust", f"{team}.pub", "--seed", "1", "--json")
        # Padding between sections is the one place where a byte means nothing; there the answer stays the same.
        assert done.code in (3, 6) or done.json()["counts"] == answer
        assert done.code != 0 or set(whole[place : place + 1]) == {0}


def test_a_secret_key_that_others_can_read_is_refused(team: Path, tmp_path: Path) -> None:
    Path(f"{team}.key").chmod(0o644)
    done = programs.run("compile", BELL, "-o", tmp_path / "x.skerry", "--sign", f"{team}.key")
    assert done.code == 6
    assert "chmod 600" in done.err


def test_the_two_halves_cannot_be_mixed_up(team: Path, tmp_path: Path) -> None:
    done = programs.run("keys", "--show", f"{team}.key")
    assert done.code == 3
    assert ".pub" in done.err
    done = programs.run("compile", BELL, "-o", tmp_path / "x.skerry", "--sign", f"{team}.pub")
    assert done.code in (3, 6)
    assert not (tmp_path / "x.skerry").exists()
