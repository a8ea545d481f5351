"""The guides: every command that they show does what they say, and their tables are the program's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import skerry

from tests.e2e import documents, programs, servers

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


def test_the_server_starts_as_its_page_says_and_the_client_of_the_page_is_answered(tmp_path: Path) -> None:
    page = (DOCS / "server.md").read_text()
    (command,) = re.findall(r"^```sh\nskerry (serve .*)\n```$", page, re.MULTILINE)
    (client,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    models = tmp_path / "models" / "digits" / "1"
    models.mkdir(parents=True)
    shutil.copy(servers.MODEL, models / "model.onnx")
    words = [
        str(programs.CLI),
        *command.replace("127.0.0.1:8000", "127.0.0.1:0").replace(":8001", ":0").split(),
        "--json",
    ]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            address = json.loads(server.stdout.readline())["http"]
            program = client.replace("127.0.0.1:8000", address)
            done = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
            )
        finally:
            server.terminate()
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"-?\d+\.\d+", done.stdout)) == 10  # one score for each digit


def test_the_service_of_the_server_page_uses_options_that_there_are() -> None:
    (unit,) = re.findall(r"^ExecStart=/usr/bin/skerry serve (.*)$", (DOCS / "server.md").read_text(), re.MULTILINE)
    known = programs.ok("serve", "--help").out
    options = re.findall(r"--[\w-]+", unit)
    assert options
    assert all(option in known for option in options)


def test_the_reference_leaves_nothing_out(tmp_path: Path) -> None:
    script = programs.REPOSITORY / "tools" / "reference.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, timeout=120)
    pages = tmp_path / "reference"
    text = (pages / "python-skerry.md").read_text()
    assert [name for name in skerry.__all__ if f"`{name}`" not in text] == []
    for table in ("operators.md", "gates.md"):
        rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", (pages / table).read_text(), re.MULTILINE)
        assert len(rows) >= 45
        assert [name for name, cells in rows if not re.search("[a-zA-Z(]", cells)] == []
    gates = (pages / "gates.md").read_text()
    for row in re.findall(r"^SKERRY_(?:GATE|MODE_OP)\((\w+)", gate_tables(), re.MULTILINE):
        assert f"| `{row}` |" in gates
    headers = (pages / "cpp.md").read_text()
    for header in (programs.REPOSITORY / "include" / "skerry").glob("*.h*"):
        assert re.search(
            rf"^\| \[`<skerry/{re.escape(header.name)}>`\]\([\w.-]+\) \| \w[^|]+ \|$", headers, re.MULTILINE
        )
    for verb in programs.VERBS:
        assert f"## `skerry {verb}`" in (pages / "cli.md").read_text()
    assert "section" in (pages / "format.md").read_text()


def gate_tables() -> str:
    folder = programs.REPOSITORY / "include" / "skerry"
    return (folder / "gates.def").read_text() + (folder / "modes.def").read_text()
