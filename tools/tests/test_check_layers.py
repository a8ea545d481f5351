"""Plants violations in a small tree and looks whether check_layers names each of them."""

from pathlib import Path

import check_layers

REPOSITORY = Path(__file__).resolve().parents[2]


def plant(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_downward_includes_and_links_are_allowed(tmp_path: Path) -> None:
    plant(tmp_path, "src/plan/plan.cpp", '#include "base/memory.hpp"\n#include "plan/arena.hpp"\n#include <vector>\n')
    plant(tmp_path, "src/plan/CMakeLists.txt", "skerry_room(NAME plan LINK skerry::sim PRIVATE Threads::Threads)\n")
    assert check_layers.violations(tmp_path) == []


def test_an_upward_include_is_named_with_its_line(tmp_path: Path) -> None:
    plant(tmp_path, "src/base/memory.cpp", '#include <vector>\n#  include "plan/arena.hpp"\n')
    assert check_layers.violations(tmp_path) == ["src/base/memory.cpp:2: base (floor 0) uses plan (floor 6)"]


def test_a_room_of_the_same_floor_is_out_of_reach(tmp_path: Path) -> None:
    plant(tmp_path, "src/passes/fuse.cpp", '#include "frontend/frontend.hpp"\n')
    assert len(check_layers.violations(tmp_path)) == 1


def test_the_door_cannot_be_used_to_climb(tmp_path: Path) -> None:
    plant(tmp_path, "src/base/memory.cpp", "#include <skerry/plan.hpp>\n")
    plant(tmp_path, "include/skerry/error.hpp", '#include "skerry/session.hpp"\n')
    found = check_layers.violations(tmp_path)
    assert [line.split(":")[0] for line in found] == ["src/base/memory.cpp", "include/skerry/error.hpp"]


def test_kernels_know_views_and_not_graphs(tmp_path: Path) -> None:
    plant(tmp_path, "src/kernels/tensor/gemm.cpp", "#include <skerry/graph.hpp>\n#include <skerry/tensor.hpp>\n")
    assert check_layers.violations(tmp_path) == ["src/kernels/tensor/gemm.cpp:1: kernels may not know ir"]


def test_a_public_header_needs_a_room(tmp_path: Path) -> None:
    plant(tmp_path, "include/skerry/novel.hpp", "#pragma once\n")
    assert len(check_layers.violations(tmp_path)) == 1


def test_a_link_list_against_the_grain_is_found(tmp_path: Path) -> None:
    plant(tmp_path, "src/ir/CMakeLists.txt", "skerry_room(NAME ir\n  LINK skerry::data\n  PRIVATE skerry_engine)\n")
    assert check_layers.violations(tmp_path) == [
        "src/ir/CMakeLists.txt:1: link list: ir (floor 2) uses engine (floor 9)"
    ]


def test_an_example_sees_only_the_door(tmp_path: Path) -> None:
    plant(tmp_path, "examples/circuit.cpp", '#include <skerry/skerry.hpp>\n#include "engine/engine.hpp"\n')
    assert len(check_layers.violations(tmp_path)) == 1


def test_this_repository_has_no_violation() -> None:
    assert check_layers.violations(REPOSITORY) == []
