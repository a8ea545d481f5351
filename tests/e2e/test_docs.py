"""The guides: every command that they show does what they say, and their tables are the program's."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e import documents, programs

DOCS = programs.REPOSITORY / "docs"


@pytest.mark.parametrize("page", documents.pages(), ids=lambda page: page.name)
def test_every_command_prints_what_the_page_shows(page: Path) -> None:
    for step, printed in documents.outcomes(page):
        assert documents.matches(step.shown, printed), f"$ {step.command}\n{printed}\ninstead of\n{step.shown}"


def test_a_changed_output_is_noticed() -> None:
    assert documents.matches("took ... ms\n...\nend\n", "took 1.5 ms\nx\ny\nend\n")
    assert not documents.matches("11 505\n", "11 506\n")
    assert not documents.matches("", "something\n")


def test_the_page_of_errors_has_every_row_of_the_table() -> None:
    rows = re.findall(
        r'^SKERRY_ERROR\((\w+), "([^"]+)", (\d+), (\d+), (\d+), "(\w+)"\)',
        (programs.REPOSITORY / "src" / "base" / "errors.def").read_text(),
        re.MULTILINE,
    )
    assert len(rows) > 10
    page = (DOCS / "errors.md").read_text()
    for code, sentence, exit_code, http, grpc, exception in rows:
        assert f"| `{code}` | {sentence} | {exit_code} | {http} | {grpc} | `{exception}` |" in page


def test_every_page_is_in_the_navigation_and_every_link_leads_somewhere() -> None:
    navigation = (programs.REPOSITORY / "mkdocs.yml").read_text()
    for page in DOCS.glob("*.md"):
        assert page.name in navigation
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            if target.startswith("reference/"):
                continue  # made with the site, which refuses links that lead nowhere
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_verb_and_setting_has_its_place_in_the_reference() -> None:
    page = (DOCS / "cli.md").read_text()
    for verb in ("run", "compile", "plan", "inspect", "bench", "doctor", "config", "keys", "completion"):
        assert f"$ skerry {verb} --help" in page
    for setting in programs.ok("config", "--json").json()["settings"]:
        assert f"`{setting}`" in page


def test_the_reference_of_http_is_what_the_server_says_of_its_routes(tmp_path: Path) -> None:
    table = (programs.REPOSITORY / "src" / "serve" / "routes.cpp").read_text()
    routes = re.findall(r'Route\{"(\w+)", "([^"]+)", Role::(\w+)', table)
    assert len(routes) > 30
    script = programs.REPOSITORY / "tools" / "reference.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, timeout=120)
    page = (tmp_path / "reference" / "http.md").read_text()
    for method, path, role in routes:
        who = "anybody" if role == "nobody" else f"role {role}"
        assert re.search(rf"^\| `{method} {re.escape(path)}` \| [^|]+ \| {who} \|$", page, re.MULTILINE), path
