"""The reference pages of the documentation, made from what they describe; a hook of MkDocs (mkdocs.yml).

    reference.py FOLDER     writes the pages into a folder

Python from the package's files and the extension's stub, C++ from the public headers, the command line from its own
help, HTTP from what the server says of itself, operators and gates from their tables and records, the file format from
the page beside its code. Needs the release build.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python" / "skerry"
STUB = ROOT / "build" / "release" / "python" / "skerry" / "_core.pyi"
CLI = ROOT / "build" / "release" / "apps" / "cli" / "skerry"
Definition = ast.ClassDef | ast.FunctionDef


def rows(table: str) -> list[str]:
    """First entries of a table's rows."""
    return re.findall(r"^SKERRY_\w+\((\w+)", (ROOT / table).read_text(), re.MULTILINE)


# ---------------------------------------------------------------- Python


# Files whose names `skerry` itself exports.
_PARTS = ("__init__", "compiling", "files", "parameters", "running")


def modules() -> dict[str, Path]:
    """Public modules and the files that say what is in them."""
    found = {"skerry": PACKAGE / "__init__.py"}
    for path in sorted(PACKAGE.glob("*.py")):
        if path.stem not in _PARTS:
            found[f"skerry.{path.stem}"] = path
    for path in sorted(PACKAGE.glob("*/__init__.py")):
        found[f"skerry.{path.parent.name}"] = path
    return found


def exported(tree: ast.Module) -> list[str]:
    """What `__all__` lists, or every public class and function."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    return [node.name for node in tree.body if isinstance(node, Definition) and not node.name.startswith("_")]


def definitions() -> dict[str, list[Definition]]:
    """Every class and function of the package and the stub; overloads together."""
    found: dict[str, list[Definition]] = {}
    for path in [*sorted(PACKAGE.rglob("*.py")), STUB]:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, Definition):
                found.setdefault(node.name, []).append(node)
    return found


def markdown(docstring: str | None) -> str:
    """A docstring with its examples as code."""
    if not docstring:
        return ""
    lines: list[str] = []
    in_code = False
    for line in [*docstring.splitlines(), ""]:
        if line.startswith(">>>") and not in_code:
            lines += ["", "```pycon"]
            in_code = True
        elif not line.strip() and in_code:
            lines.append("```")
            in_code = False
        lines.append(line)
    return "\n".join(lines).strip() + "\n"


def signature(node: ast.FunctionDef) -> str:
    """`name(self, x: int = 0) -> float`."""
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({ast.unparse(node.args)}){result}"


def is_property(node: ast.FunctionDef) -> bool:
    return any(ast.unparse(one) == "property" for one in node.decorator_list)


def described(node: Definition, level: int) -> Iterator[str]:
    """A class with its public methods, or a function."""
    text = markdown(ast.get_docstring(node))
    if isinstance(node, ast.FunctionDef):
        if is_property(node):
            yield f"- **`{node.name}`** {' '.join(text.split())}\n"
        else:
            yield f"{'#' * level} `{node.name}`\n\n```python\n{signature(node)}\n```\n\n{text}\n"
        return
    yield f"{'#' * level} `{node.name}`\n\n{text}\n"
    methods = [one for one in node.body if isinstance(one, ast.FunctionDef) and not one.name.startswith("_")]
    yield from (part for one in methods if is_property(one) for part in described(one, level + 1))
    yield "\n"
    yield from (part for one in methods if not is_property(one) for part in described(one, level + 1))


def otherwise(module: str, item: str) -> str:
    """A public name that is neither class nor function: a module of its own page, or a value."""
    if f"{module}.{item}" in modules():
        return f"## `{item}`\n\nA module: [`{module}.{item}`](python-{module.replace('.', '-')}-{item}.md).\n"
    for path in [PACKAGE / "__init__.py", *sorted(PACKAGE.rglob("*.py"))]:
        for node in ast.parse(path.read_text()).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(getattr(target, "id", "") == item for target in targets):
                value = ast.unparse(node.value) if isinstance(node, ast.Assign | ast.AnnAssign) and node.value else ""
                shown = value if len(value) <= 80 else f"{value[:77]}..."
                return f"## `{item}`\n\n```python\n{item} = {shown}\n```\n"
    return ""


def python_pages() -> Iterator[tuple[str, str]]:
    known = definitions()
    index = "# Python\n\n| module | what |\n|---|---|\n"
    for name, path in modules().items():
        tree = ast.parse(path.read_text())
        docstring = ast.get_docstring(tree) or ""
        page = f"python-{name.replace('.', '-')}.md"
        index += f"| [`{name}`]({page}) | {docstring.splitlines()[0] if docstring else ''} |\n"
        text = f"# `{name}`\n\n{markdown(docstring)}\n"
        own = {node.name: node for node in tree.body if isinstance(node, Definition)}
        for item in sorted(exported(tree), key=str.lower):
            nodes = [own[item]] if item in own else known.get(item, [])
            text += "".join(part for node in nodes[-1:] for part in described(node, 2)) or otherwise(name, item)
        yield f"reference/{page}", text
    yield "reference/python.md", index


# ---------------------------------------------------------------- C++


def cpp_pages() -> Iterator[tuple[str, str]]:
    """The public headers with their comments, without includes."""
    index = "# C++\n\nLink `skerry::skerry` (`find_package(skerry)`), or `skerry::runtime` for packages alone.\n\n"
    index += "| header | what |\n|---|---|\n"
    for path in sorted((ROOT / "include" / "skerry").glob("*.h*")):
        lines = path.read_text().splitlines()
        opening = [line[4 - line.startswith(" *") :] for line in lines[1:8] if line.startswith(("/// ", " * "))]
        opening = [line for line in opening if not line.startswith("\\")]
        index += (
            f"| [`<skerry/{path.name}>`](cpp-{path.stem}-{path.suffix[1:]}.md) | {opening[0] if opening else ''} |\n"
        )
        code = [line for line in lines if not line.startswith(("#include <", "#pragma once", "/// \\file"))]
        body = re.sub(r"\n{3,}", "\n\n", "\n".join(code)).strip()
        yield f"reference/cpp-{path.stem}-{path.suffix[1:]}.md", f"# `<skerry/{path.name}>`\n\n```cpp\n{body}\n```\n"
    yield "reference/cpp.md", index


# ---------------------------------------------------------------- command line


def cli_page() -> str:
    text = "# Command line\n\nWhat each verb says of itself; how they are used is told in [its guide](../cli.md).\n"
    for verb in rows("apps/cli/verbs.def"):
        name = verb.replace("_", "-")
        done = subprocess.run([CLI, name, "--help"], capture_output=True, text=True, check=True)
        text += f"\n## `skerry {name}`\n\n```text\n{done.stdout.rstrip()}\n```\n"
    return text


# ---------------------------------------------------------------- HTTP


def openapi() -> dict[str, Any]:
    """What a server says of its own requests."""
    words = [str(CLI), "serve", "--json", "--http", "127.0.0.1:0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            address = json.loads(server.stdout.readline())["http"]
            with urllib.request.urlopen(f"http://{address}/openapi.json", timeout=20) as answer:
                document: dict[str, Any] = json.load(answer)
                return document
        finally:
            server.terminate()


def http_page() -> str:
    document = openapi()
    text = "# HTTP\n\nRequests of `skerry serve`, as its `/openapi.json` lists them; messages and examples are in "
    text += "[its guide](../server.md). A refusal is an object with these texts: "
    refusal = document["components"]["schemas"]["Error"]["properties"]
    text += ", ".join(f"`{name}`" for name in refusal) + ".\n\n"
    text += "| request | what | who may |\n|---|---|---|\n"
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            who = operation["description"].removeprefix("For ")
            text += table_row(f"`{method.upper()} {path}`", operation["summary"], who)
    return text


# ---------------------------------------------------------------- operators and gates


def literals(code: str) -> str:
    """Neighbouring string literals of C++ as one text."""
    return "".join(re.sub(r"\\(.)", r"\1", part) for part in re.findall(r'"((?:[^"\\]|\\.)*)"', code))


def table_row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def operators_page() -> str:
    text = "# Operators\n\nOperators of ONNX and Skerry's own; older versions are brought to the newest form.\n\n"
    text += "| operator | since opset | what |\n|---|---|---|\n"
    for folder in ("nn", "hybrid"):
        for row in rows(f"src/ops/{folder}/{'ops' if folder == 'nn' else 'hybrid_ops'}.def"):
            name, version, what = operator(row, (ROOT / "src" / "ops" / folder / f"{row}.cpp").read_text())
            text += table_row(f"`{name}`", version, what)
    return text


def operator(row: str, code: str) -> tuple[str, str, str]:
    """Name, opset and help of a record, however its file makes it."""
    begin = code.index(f"OpRecord {row}_record =") if f"OpRecord {row}_record =" in code else 0
    record = code[begin:]
    named = re.search(r'\.name = "([^"]+)"', record)
    helped = re.search(r"\.help =\s*((?:\"(?:[^\"\\]|\\.)*\"\s*)+)", record)
    since = re.search(r"\.since_opset = (\d+)", record)
    if named and helped:
        return named[1], since[1] if since else "", literals(helped[1])
    call = re.search(r'\(\s*"([^"]+)",\s*(\d+)?,?\s*((?:"(?:[^"\\]|\\.)*"\s*)+)?', record)
    return (call[1], call[2] or "", literals(call[3] or "")) if call else (row, "", "")


def gates_page() -> str:
    text = "# Gates\n\nQubit 0 is the lowest bit; angles in radians. Any gate takes any number of controls.\n\n"
    text += "| gate | qubits | angles | what | with controls | source |\n|---|---|---|---|---|---|\n"
    table = (ROOT / "include" / "skerry" / "gates.def").read_text()
    for name, qubits, angles in re.findall(r"^SKERRY_GATE\((\w+), (\d), (\d)\)", table, re.MULTILINE):
        code = (ROOT / "src" / "ops" / "qubit" / f"{name}.cpp").read_text()
        facts = {
            key: literals(value) for key, value in re.findall(r"\.(formula|source) =\s*((?:\"[^\"]*\"\s*)+)", code)
        }
        controlled = re.search(r"kControlled\[\] = \{([^}]*)\}", code)
        spellings = ", ".join(f"`{one}`" for one in re.findall(r'"(\w+)"', controlled[1])) if controlled else ""
        cells = [f"`{name}`", qubits, angles, facts.get("formula", ""), spellings, facts.get("source", "")]
        text += table_row(*cells)
    return text + modes_table()


def modes_table() -> str:
    """What photonic circuits are made of; a comment of the table tells of the rows below it."""
    text = "\n## Operations on optical modes\n\nWhere they are told at length: [photonic circuits](../photonic.md).\n\n"
    text += "| operation | modes | parameters | what |\n|---|---|---|---|\n"
    told, is_open = "", False
    for line in (ROOT / "include" / "skerry" / "modes.def").read_text().splitlines()[3:]:
        if line.startswith("//"):
            told = f"{told if is_open else ''} {line.removeprefix('// ')}".strip()
            is_open = True
        elif row := re.match(r"SKERRY_MODE_OP\((\w+), (\d), (\d)\)", line):
            what = told or photonic_help().get(row[1], "")
            text += table_row(f"`{row[1]}`", row[2], row[3], what)
            is_open = False
    return text


def photonic_help() -> dict[str, str]:
    """What the header of photonic circuits says of each gate."""
    code = (ROOT / "include" / "skerry" / "photonic.hpp").read_text()
    return {name: what.strip() for name, what in re.findall(r"^  (\w+),? +///< (.+)$", code, re.MULTILINE)}


def pages() -> dict[str, str]:
    """Every page by its path below docs/."""
    made = dict(python_pages()) | dict(cpp_pages())
    made["reference/cli.md"] = cli_page()
    made["reference/http.md"] = http_page()
    made["reference/operators.md"] = operators_page()
    made["reference/gates.md"] = gates_page()
    made["reference/format.md"] = (ROOT / "src" / "package" / "FORMAT.md").read_text()
    return made


def on_files(files: Any, config: Any) -> Any:
    """MkDocs: adds the pages to those of docs/."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def main() -> None:
    folder = Path(sys.argv[1])
    for path, text in pages().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


if __name__ == "__main__":
    main()
