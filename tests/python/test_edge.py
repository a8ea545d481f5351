"""skerry.edge: compile once, find again, run inside a budget."""

import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skerry
from dense import random_circuit
from skerry.edge import CircuitCompiler, EdgeExecutionConfig, EdgeExecutionManager, EdgeExecutor

BELL = [
    {"type": "single_qubit", "gate": "H", "qubit": 0},
    {"type": "single_qubit", "gate": "H", "qubit": 1},
    {"type": "two_qubit", "gate": "CNOT", "control": 0, "target": 1},
]


def layers(qubits: int, depth: int) -> skerry.Circuit:
    circuit = skerry.Circuit(qubits)
    for layer in range(depth):
        for qubit in range(qubits):
            circuit.ry(0.1 * (layer + qubit + 1), qubit)
        for qubit in range(qubits - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit


def test_a_config_has_defaults_and_refuses_a_wrong_field_by_its_name() -> None:
    assert EdgeExecutionConfig().max_memory_mb == 512
    with pytest.raises(skerry.InvalidArgument, match="max_memory_mb"):
        EdgeExecutionConfig(max_memory_mb=-1)
    with pytest.raises(TypeError, match="max_memry_mb"):
        EdgeExecutionConfig(max_memry_mb=1)  # type: ignore[call-arg]


@pytest.mark.parametrize("value", [-1, 1.5, "10", True, 2**64])
@pytest.mark.parametrize("name", ["shots", "seed"])
def test_a_number_that_is_not_whole_or_below_zero_is_refused_by_its_field(name: str, value: Any) -> None:
    with pytest.raises(skerry.InvalidArgument, match=f"{name} is .*whole number") as refused:
        EdgeExecutionManager().compile_and_execute(BELL, {"shots": 5, name: value})
    assert refused.value.where == name


def test_numbers_of_numpy_are_numbers() -> None:
    ask = {"shots": np.int64(5), "seed": np.uint8(1)}
    assert sum(EdgeExecutionManager().compile_and_execute(BELL, ask).counts.values()) == 5


@pytest.mark.parametrize("circuit", [None, 5, {}, {"gate": "H"}])
def test_what_is_no_circuit_is_refused_by_its_field(circuit: Any) -> None:
    with pytest.raises(skerry.InvalidArgument, match="the circuit is") as refused:
        EdgeExecutionManager().compile_and_execute(circuit)
    assert refused.value.where == "circuit"


@pytest.mark.parametrize("data", [[1], 5, "shots"])
def test_input_that_is_no_dict_is_refused_by_its_field(data: Any) -> None:
    manager = EdgeExecutionManager()
    for ask in (manager.compile_and_execute, manager.place):
        with pytest.raises(skerry.InvalidArgument, match=r"input_data is .*give a dict"):
            ask(BELL, data)


@pytest.mark.parametrize("level", [None, 3, ["low"]])
def test_a_level_that_is_no_name_is_refused_by_its_field(level: Any) -> None:
    with pytest.raises(skerry.InvalidArgument, match=r"optimization_level is .*low, medium or high"):
        EdgeExecutionManager().compile_and_execute(BELL, optimization_level=level)


def test_a_config_tells_numbers_as_they_were_given() -> None:
    with pytest.raises(skerry.InvalidArgument, match="max_cuts is 100; give a number from 0 to 16"):
        EdgeExecutionConfig(max_cuts=100)
    with pytest.raises(skerry.InvalidArgument, match=r"max_memory_mb is 1e\+300; give a number from 0 to 9.2e\+12"):
        EdgeExecutionConfig(max_memory_mb=1e300)
    for wrong in ({"max_memory_mb": True}, {"threads": True}, {"enable_caching": 1}):
        with pytest.raises(skerry.InvalidArgument, match=next(iter(wrong))):
            EdgeExecutionConfig(**wrong)


def test_compile_and_execute_gives_the_state_without_a_copy() -> None:
    manager = EdgeExecutionManager()
    result = manager.compile_and_execute(BELL)
    assert result.success
    assert result.execution_method == "edge"
    np.testing.assert_allclose(result.state, np.full(4, 0.5), atol=1e-12)
    again = manager.compile_and_execute(BELL)
    assert again.from_cache
    assert np.shares_memory(result.state, again.state)


def test_input_data_binds_parameters_by_name_in_order_and_in_batches() -> None:
    circuit = skerry.Circuit(1).ry(skerry.Parameter("theta"), 0)
    manager = EdgeExecutionManager()
    ask = {"observables": ["Z0"]}
    assert manager.compile_and_execute(circuit, {"theta": np.pi, **ask}).expectations == pytest.approx([-1])
    assert manager.compile_and_execute(circuit, {"parameters": [0.0], **ask}).expectations == pytest.approx([1])
    batch = manager.compile_and_execute(circuit, {"parameters": [[0.0], [np.pi / 2], [np.pi]], **ask})
    assert [one.expectations[0] for one in batch] == pytest.approx([1, 0, -1])
    flipped = manager.compile_and_execute(circuit, {"theta": 0.0, "initial_state": [0, 1], **ask})
    assert flipped.expectations == pytest.approx([-1])
    assert manager.get_compilation_statistics()["total_compiled_circuits"] == 1


def test_statistics_count_what_happened() -> None:
    manager = EdgeExecutionManager()
    assert manager.get_compilation_statistics()["cache_hit_rate"] == 0
    results = [manager.compile_and_execute(BELL, {"shots": 10}) for _ in range(4)]
    now = manager.get_performance_statistics()
    assert now["total_executions"] == now["edge_executions"] == 4
    assert now["average_execution_time"] == pytest.approx(np.mean([one.execution_time for one in results]))
    assert now == manager.executor.performance_stats
    compiled = manager.compiler.compiled_circuits
    statistics = manager.get_compilation_statistics()
    assert statistics["cache_hit_rate"] == 0.75
    assert statistics["average_memory_estimate"] == pytest.approx(
        np.mean([one.estimated_memory_mb for one in compiled.values()])
    )


def test_threads_share_a_manager() -> None:
    manager = EdgeExecutionManager()
    wrong: list[object] = []

    def work(seed: int) -> None:
        for _ in range(50):
            counts = manager.compile_and_execute(BELL, {"shots": 16, "seed": seed}).counts
            if sum(counts.values()) != 16:
                wrong.append(counts)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert manager.get_performance_statistics()["total_executions"] == 400


def test_unseeded_shots_differ_and_seeded_ones_are_found_again() -> None:
    circuit = skerry.Circuit(8)
    for qubit in range(8):
        circuit.h(qubit)
    manager = EdgeExecutionManager()
    free = [manager.compile_and_execute(circuit, {"shots": 200}) for _ in range(2)]
    assert free[0].counts != free[1].counts
    seeded = [manager.compile_and_execute(circuit, {"shots": 200, "seed": 3}) for _ in range(2)]
    assert seeded[0].counts == seeded[1].counts
    assert [one.from_cache for one in seeded] == [False, True]


def test_ids_are_the_same_in_another_process(tmp_path: Path) -> None:
    compiler = CircuitCompiler()
    compiled = compiler.compile_circuit(BELL, "high")
    path = tmp_path / "bell.skerry"
    compiler.save_compiled_circuit(compiled.circuit_id, path)
    script = textwrap.dedent("""
        import sys
        from skerry.edge import EdgeExecutor
        executor = EdgeExecutor()
        compiled = executor.compiler.load_compiled_circuit(sys.argv[1])
        print(compiled.circuit_id, abs(executor.execute_circuit(compiled.circuit_id).state[3]) ** 2)
    """)
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    name, probability = done.stdout.split()
    assert name == compiled.circuit_id
    assert float(probability) == pytest.approx(0.25)


def test_unknown_ids_are_key_errors() -> None:
    executor = EdgeExecutor()
    with pytest.raises(KeyError, match="nothing"):
        executor.execute_circuit("nothing")
    with pytest.raises(KeyError, match="nothing"):
        executor.compiler.save_compiled_circuit("nothing", "x.skerry")


def test_a_budget_that_is_too_small_names_need_and_limit() -> None:
    manager = EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=1))
    with pytest.raises(skerry.BudgetExceeded, match="1000000"):
        manager.compile_and_execute(layers(18, 1))
    with pytest.raises(skerry.BudgetExceeded):
        EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=0)).compile_and_execute(BELL)
    assert manager.get_performance_statistics()["total_executions"] == 0


@pytest.mark.large
def test_a_time_limit_really_stops() -> None:
    manager = EdgeExecutionManager(EdgeExecutionConfig(max_execution_time=0.2))
    start = time.perf_counter()
    with pytest.raises(skerry.DeadlineExceeded):
        manager.compile_and_execute(layers(24, 60))
    assert time.perf_counter() - start < 5


def test_levels_keep_the_meaning_and_never_add_gates() -> None:
    circuit, expected = random_circuit(4, 60, 11)
    compiler = CircuitCompiler()
    compiled = [compiler.compile_circuit(circuit, level) for level in ("low", "medium", "high")]
    sizes = [len(one.circuit) for one in compiled]
    assert sizes == sorted(sizes, reverse=True)
    executor = EdgeExecutor(compiler=compiler)
    for one in compiled:
        result = executor.execute(one)
        assert abs(np.vdot(result.state, expected)) == pytest.approx(1, abs=1e-10)
    with pytest.raises(skerry.InvalidArgument, match="low"):
        compiler.compile_circuit(circuit, "max")


def test_compression_makes_saved_circuits_smaller(tmp_path: Path) -> None:
    sizes = {}
    for on in (False, True):
        compiler = CircuitCompiler(EdgeExecutionConfig(enable_compression=on))
        compiled = compiler.compile_circuit(layers(12, 20))
        compiler.save_compiled_circuit(compiled.circuit_id, tmp_path / f"{on}.skerry")
        sizes[on] = (tmp_path / f"{on}.skerry").stat().st_size
        assert compiler.load_compiled_circuit(tmp_path / f"{on}.skerry").circuit_id == compiled.circuit_id
    assert sizes[True] < 0.7 * sizes[False]


def test_the_cache_is_bounded_and_can_be_cleared() -> None:
    compiler = CircuitCompiler(EdgeExecutionConfig(cache_size_mb=0.02))
    ids = [compiler.compile_circuit(layers(6, depth)).circuit_id for depth in range(1, 40)]
    assert compiler.compilation_cache.bytes <= 20_000
    assert ids[-1] in compiler.compilation_cache
    assert len(compiler.compilation_cache) < len(ids)
    compiler.compilation_cache.clear()
    assert len(compiler.compilation_cache) == 0


def test_cleanup_ends_the_manager_and_says_so() -> None:
    manager = EdgeExecutionManager()
    manager.compile_and_execute(BELL)
    manager.cleanup()
    manager.cleanup()
    with pytest.raises(skerry.InvalidArgument, match="cleaned up"):
        manager.compile_and_execute(BELL)
