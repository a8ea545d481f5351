"""Plants breaches of the house rules and looks whether each is named."""

from pathlib import Path

import house_rules


def plant(root: Path, name: str, text: str) -> str:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return name


def test_a_clean_file_passes(tmp_path: Path) -> None:
    name = plant(tmp_path, "src/base/random.cpp", "int x = 0;\n// see /proc/self/status and homework/page\n")
    assert house_rules.violations(tmp_path, [name]) == []


def test_a_long_file_is_found_and_a_long_data_file_is_not(tmp_path: Path) -> None:
    long = plant(tmp_path, "src/base/long.cpp", "//\n" * 601)
    data = plant(tmp_path, "tests/data/long.txt", "1\n" * 601)
    assert len(house_rules.violations(tmp_path, [long, data])) == 1


def test_paths_hosts_and_marks_are_found(tmp_path: Path) -> None:
    text = "/ro" + "ot/x\n" + "https://pyp" + "i.org/simple\n" + "// TO" + "DO: later\n" + 'open("/wo' + 'rk/a")\n'
    name = plant(tmp_path, "src/base/marks.cpp", text)
    assert [line.split(":")[1] for line in house_rules.violations(tmp_path, [name])] == ["1", "2", "3", "4"]


def test_a_room_needs_its_page(tmp_path: Path) -> None:
    plant(tmp_path, "src/base/CMakeLists.txt", "")
    assert len(house_rules.violations(tmp_path, [])) == 1


def test_a_row_needs_its_file_and_a_test(tmp_path: Path) -> None:
    plant(tmp_path, "src/passes/passes.def", "SKERRY_CIRCUIT_PASS(fuse)\nSKERRY_CIRCUIT_PASS(split)\n")
    assert len(house_rules.violations(tmp_path, [])) == 2
    plant(tmp_path, "src/passes/circuit/fuse.cpp", "")
    plant(tmp_path, "src/passes/circuit/split.cpp", "")
    assert all("no test" in line for line in house_rules.violations(tmp_path, []))
    plant(tmp_path, "src/passes/circuit/fuse_test.cpp", "")
    assert len(house_rules.violations(tmp_path, [])) == 1
    plant(tmp_path, "src/passes/passes_test.cpp", "")
    assert house_rules.violations(tmp_path, []) == []


def test_a_row_stands_once_and_where_it_belongs(tmp_path: Path) -> None:
    rows = "SKERRY_OP(add)\nSKERRY_OP(mul)\nSKERRY_OP(div)\nSKERRY_OP(mul)\n"
    for name in ("add", "mul", "div"):
        plant(tmp_path, f"src/ops/nn/{name}.cpp", "")
    plant(tmp_path, "tests/conformance/test_ops.py", 'TABLE = "src/ops/nn/ops.def"\n')
    plant(tmp_path, "src/ops/nn/ops.def", f"// One row an operator.\n{rows}")
    assert [line.split(":")[1] for line in house_rules.violations(tmp_path, [])] == ["5"]
    plant(tmp_path, "src/ops/nn/ops.def", f"// Sorted.\n{rows}")
    assert [line.split(":")[1] for line in house_rules.violations(tmp_path, [])] == ["4", "5"]
