"""The promises of edge execution, row by row of docs/mission.md: configuration, manager, compiler (E1 to E3)."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skerry
from skerry.edge import CircuitCompiler, EdgeExecutionConfig, EdgeExecutionManager, EdgeExecutor

from tests.e2e import edge_programs, programs, servers
from tests.e2e.edge_programs import BELL, SIXTEEN_QUBITS_MB, clustered, ghz, tangled


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.serving(tmp_path_factory.mktemp("endpoint")) as server:
        yield f"http://{server.host}:{server.port}"


def test_e1_1_a_config_is_all_keyword_all_defaulted_and_refused_by_field() -> None:
    assert EdgeExecutionConfig().max_memory_mb == 512
    cases: tuple[dict[str, Any], ...] = (
        {"max_memory_mb": -1},
        {"max_execution_time": float("nan")},
        {"cloud_endpoint": "ftp://x"},
    )
    for wrong in cases:
        with pytest.raises(skerry.InvalidArgument, match=next(iter(wrong))):
            EdgeExecutionConfig(**wrong)
    with pytest.raises(skerry.InvalidArgument, match="enable_caching"):
        EdgeExecutionConfig(enable_caching="yes")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="max_memry_mb"):
        EdgeExecutionConfig(max_memry_mb=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        EdgeExecutionConfig(512.0)  # type: ignore[call-arg]


def test_e1_2_memory_is_bounded_before_it_is_taken() -> None:
    out = edge_programs.peak_of("""
        manager = EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=512))
        circuit = edge_programs.tangled(30, 3)
        before = reset()
        try:
            manager.compile_and_execute(circuit, {"shots": 10})
        except skerry.BudgetExceeded as error:
            print("refused", peak() - before)
    """)
    word, rise = out.split()
    assert word == "refused"
    assert int(rise) < 512_000_000


def test_e1_3_no_memory_means_the_endpoint_or_a_clear_error(endpoint: str) -> None:
    with EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=0.0, cloud_endpoint=endpoint)) as manager:
        assert manager.compile_and_execute(BELL).execution_method == "cloud"
    with pytest.raises(skerry.BudgetExceeded, match=r"max_memory_mb is 0.*no cloud_endpoint"):
        EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=0.0)).compile_and_execute(BELL)


ENDLESS = "OPENQASM 3.0; include 'stdgates.inc'; qubit q; bit c; while (!c) { reset q; c = measure q; }"


@pytest.mark.large
def test_e1_4_time_is_bounded_by_prediction_and_by_a_stop() -> None:
    manager = EdgeExecutionManager(EdgeExecutionConfig(max_execution_time=0.2, max_cuts=0, max_memory_mb=4096))
    for circuit in (tangled(24, 60), ENDLESS.replace("'", '"')):
        manager.compiler.compile_circuit(circuit)
        start = time.perf_counter()
        with pytest.raises(TimeoutError, match=r"max_execution_time|0\.2"):
            manager.compile_and_execute(circuit, {"shots": 1})
        assert time.perf_counter() - start < 0.4


def test_e1_5_compressed_packages_are_smaller_and_load_the_same(tmp_path: Path) -> None:
    loaded, sizes = {}, {}
    for on in (False, True):
        compiler = CircuitCompiler(EdgeExecutionConfig(enable_compression=on))
        compiled = compiler.compile_circuit(tangled(10, 5))
        compiler.save_compiled_circuit(compiled.circuit_id, tmp_path / f"{on}")
        sizes[on] = (tmp_path / f"{on}").stat().st_size
        loaded[on] = CircuitCompiler().load_compiled_circuit(tmp_path / f"{on}").circuit
    assert sizes[True] < sizes[False]
    assert loaded[True] == loaded[False]


def test_e1_6_an_identical_compile_is_a_hit_and_fast() -> None:
    compiler = CircuitCompiler()
    circuit = tangled(16, 60)
    times = []
    for _ in range(2):
        start = time.process_time()
        compiler.compile_circuit(circuit)
        times.append(time.process_time() - start)
    assert compiler.get_compilation_statistics()["cache_hit_rate"] == 0.5
    assert times[1] < times[0] / 5
    off = CircuitCompiler(EdgeExecutionConfig(enable_caching=False))
    for _ in range(3):
        off.compile_circuit(BELL)
    assert off.get_compilation_statistics()["cache_hit_rate"] == 0


def test_e1_7_the_cache_is_bounded_in_bytes() -> None:
    compiler = CircuitCompiler(EdgeExecutionConfig(cache_size_mb=0.02))
    ids = [compiler.compile_circuit(tangled(6, layers)).circuit_id for layers in range(1, 40)]
    assert compiler.compilation_cache.bytes <= 20_000
    assert ids[-1] in compiler.compilation_cache
    assert ids[0] not in compiler.compilation_cache or ids[1] not in compiler.compilation_cache


def test_e1_8_the_endpoint_is_asked_only_when_that_is_allowed(endpoint: str) -> None:
    circuit = tangled(17, 3)
    for allowed in (True, False):
        config = EdgeExecutionConfig(max_memory_mb=0.5, fallback_to_cloud=allowed, cloud_endpoint=endpoint)
        with EdgeExecutionManager(config) as manager:
            if allowed:
                assert manager.compile_and_execute(circuit, {"shots": 8}).execution_method == "cloud"
            else:
                with pytest.raises(skerry.BudgetExceeded, match="fallback_to_cloud is off"):
                    manager.compile_and_execute(circuit, {"shots": 8})


def test_e1_9_the_endpoint_gives_what_a_local_run_gives(endpoint: str) -> None:
    circuit = tangled(12, 4)
    here = skerry.Simulator().run(circuit)
    with EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=0.0, cloud_endpoint=endpoint)) as manager:
        np.testing.assert_allclose(manager.compile_and_execute(circuit).state, np.asarray(here), atol=1e-12)
        ask = {"shots": 300, "seed": 5, "observables": ["Z0 X3 - 0.5*Y2"]}
        far = manager.compile_and_execute(circuit, ask)
        near = EdgeExecutionManager().compile_and_execute(circuit, ask)
        assert far.counts == near.counts
        assert far.expectations == pytest.approx(near.expectations, abs=1e-12)


def test_e2_2_compile_and_execute_does_it_in_one_call() -> None:
    result = EdgeExecutionManager().compile_and_execute(BELL)
    assert result.success and result.execution_method == "edge"
    np.testing.assert_allclose(result.state, np.full(4, 0.5), atol=1e-12)


def test_e2_3_input_data_binds_starts_and_batches() -> None:
    manager = EdgeExecutionManager()
    circuit = skerry.Circuit(1).ry(skerry.Parameter("theta"), 0)
    ask = {"observables": ["Z0"]}
    assert manager.compile_and_execute(circuit, {"theta": 0.4, **ask}).expectations == pytest.approx([np.cos(0.4)])
    begun = manager.compile_and_execute(circuit, {"theta": 0.4, "initial_state": [0, 1], **ask})
    assert begun.expectations == pytest.approx([-np.cos(0.4)])
    batch = manager.compile_and_execute(circuit, {"parameters": [[0.0], [0.4]], **ask})
    assert [one.expectations[0] for one in batch] == pytest.approx([1, np.cos(0.4)])


def test_e2_4_to_e2_7_compilation_statistics_are_live() -> None:
    manager = EdgeExecutionManager()
    assert manager.get_compilation_statistics()["cache_hit_rate"] == 0
    for circuit in (BELL, ghz(3), BELL):
        manager.compiler.compile_circuit(circuit)
    assert manager.get_compilation_statistics()["total_compiled_circuits"] == 2
    manager = EdgeExecutionManager()
    for _ in range(4):
        manager.compiler.compile_circuit(BELL)
    statistics = manager.get_compilation_statistics()
    assert statistics["cache_hit_rate"] == 0.75
    compiled = manager.compiler.compiled_circuits.values()
    assert statistics["average_memory_estimate"] == pytest.approx(
        np.mean([one.estimated_memory_mb for one in compiled])
    )


def test_e2_8_cleanup_gives_back_and_is_final(endpoint: str) -> None:
    def held() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=endpoint)).compile_and_execute(BELL)
    before = held()
    manager = EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=endpoint))
    manager.compile_and_execute(ghz(3))
    assert held()[1] > before[1]
    manager.cleanup()
    manager.cleanup()
    assert held() == before
    with pytest.raises(skerry.InvalidArgument, match="cleaned up"):
        manager.compile_and_execute(BELL)


def test_e2_9_the_parts_of_a_manager_are_those_in_use() -> None:
    manager = EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=7))
    manager.compile_and_execute(BELL)
    assert manager.executor.get_performance_statistics()["total_executions"] == 1
    assert len(manager.compiler.compiled_circuits) == 1
    assert manager.config is manager.executor.config is manager.compiler.config


def test_e3_1_a_circuit_may_be_a_list_of_dicts() -> None:
    gates: list[dict[str, Any]] = [
        {"gate": "H", "qubit": 0}, {"gate": "X", "qubit": 1}, {"gate": "Y", "qubit": 2}, {"gate": "S", "qubit": 0},
        {"gate": "T", "qubit": 1}, {"gate": "RX", "qubit": 0, "params": [0.3]},
        {"gate": "RY", "qubit": 1, "angle": 0.4},
        {"gate": "RZ", "qubit": 2, "theta": 0.5}, {"gate": "CZ", "control": 0, "target": 2},
        {"gate": "CNOT", "control": 0, "target": 1}, {"gate": "CCX", "controls": [0, 1], "target": 2},
        {"gate": "U", "qubit": 0, "params": [0.1, 0.2, 0.3]},
        {"gate": "CP", "control": 1, "target": 2, "params": [0.7]},
        {"gate": "RZZ", "qubits": [0, 2], "params": [0.9]},
    ]  # fmt: skip
    compiled = CircuitCompiler().compile_circuit(gates, "low")
    state = EdgeExecutor().execute(compiled).state
    names = {"cnot": ("x", 1), "ccx": ("x", 2), "cz": ("z", 1), "cp": ("p", 1)}
    rows = []
    for gate in gates:
        name, count = names.get(str(gate["gate"]).lower(), (str(gate["gate"]).lower(), 0))
        wires = gate.get("qubits") or [
            *(gate.get("controls") or ([gate["control"]] if count else [])),
            gate["target"] if count else gate["qubit"],
        ]
        params = gate.get("params") or [gate[key] for key in ("angle", "theta") if key in gate]
        rows.append({"gate": name, "controls": wires[:count], "qubits": wires[count:], "params": params})
    np.testing.assert_allclose(state, edge_programs.replayed(rows, 3), atol=1e-12)
    with pytest.raises(skerry.Error, match=r"0.*HH|HH.*0"):
        CircuitCompiler().compile_circuit([{"gate": "HH", "qubit": 0}])


def test_e3_2_a_compiler_stands_alone() -> None:
    compiled = CircuitCompiler(EdgeExecutionConfig()).compile_circuit(BELL)
    assert compiled.num_qubits == 2 and compiled.level == "medium"


def test_e3_3_levels_keep_the_meaning_and_never_add_gates() -> None:
    circuit = tangled(6, 17)
    expected = None
    sizes = []
    for level in ("low", "medium", "high"):
        compiled = CircuitCompiler().compile_circuit(circuit, level)
        sizes.append(len(compiled.compiled_gates))
        state = edge_programs.replayed(compiled.compiled_gates, 6)
        expected = state if expected is None else expected
        assert abs(np.vdot(state, expected)) == pytest.approx(1, abs=1e-10)
    assert sizes == sorted(sizes, reverse=True)


def test_e3_5_medium_cancels_inverses() -> None:
    circuit = [{"gate": "H", "qubit": 0}, {"gate": "H", "qubit": 0}, {"gate": "X", "qubit": 0}]
    compiled = CircuitCompiler().compile_circuit(circuit, "medium")
    assert [row["gate"] for row in compiled.compiled_gates] == ["x"]


def test_e3_7_an_unknown_level_is_refused_with_the_list() -> None:
    with pytest.raises(skerry.InvalidArgument, match=r"low.*medium.*high"):
        CircuitCompiler().compile_circuit(BELL, "max")


def test_e3_8_what_undoes_itself_or_comes_after_the_last_measurement_is_gone() -> None:
    undone = skerry.Circuit(2).cx(0, 1).cx(0, 1).t(0).tdg(0).rz(0.3, 1).rz(-0.3, 1)
    assert CircuitCompiler().compile_circuit(undone, "medium").compiled_gates == []
    late = skerry.Circuit(1, 1).h(0).measure(0, 0).x(0).ry(0.4, 0)
    assert skerry.compile(late, outcomes_only=True).program.gate_counts == {"h": 1, "measure": 1}


def test_e3_9_a_wide_circuit_with_little_entanglement_fits() -> None:
    manager = EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=128))
    result = manager.compile_and_execute(ghz(40), {"observables": ["Z39", "Z0 Z39"]})
    assert result.execution_method == "edge"
    assert result.expectations == pytest.approx([0, 1], abs=1e-12)
    assert result.memory_used < 128


def test_e3_10_a_higher_level_never_makes_the_run_slower() -> None:
    circuit = skerry.Circuit(20)
    for qubit in range(20):
        circuit.ry(0.3 + 0.1 * qubit, qubit)
    for target in reversed(range(20)):
        circuit.h(target)
        for control in range(target):
            circuit.cp(np.pi / 2 ** (target - control), control, target)
    z = skerry.Observable.parse("Z0 Z19", 20)
    low, medium, high = (
        skerry.plan(skerry.compile(circuit, level).program, observables=[z]).seconds
        for level in ("low", "medium", "high")
    )
    assert high <= medium <= 1.05 * low


@pytest.mark.large
def test_e3_11_limits_change_the_plan_and_not_the_answer() -> None:
    circuit, ask = clustered(24), {"observables": ["Z3 Z15", "X0 Y23"]}
    results = {
        megabytes: EdgeExecutionManager(EdgeExecutionConfig(max_memory_mb=megabytes)).compile_and_execute(circuit, ask)
        for megabytes in (128, 1000)
    }
    assert [one.execution_method for one in results.values()] == ["hybrid", "edge"]
    assert results[128].expectations == pytest.approx(results[1000].expectations, abs=1e-10)
    assert all(one.memory_used <= megabytes for megabytes, one in results.items())


def test_e3_12_ids_are_of_the_content() -> None:
    code = "from skerry.edge import *; print(CircuitCompiler().compile_circuit([{'gate': 'H', 'qubit': 0}]).circuit_id)"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert CircuitCompiler().compile_circuit([{"gate": "H", "qubit": 0}]).circuit_id == there
    assert CircuitCompiler().compile_circuit([{"gate": "X", "qubit": 0}]).circuit_id != there


@pytest.mark.large
def test_e3_13_the_memory_estimate_is_the_peak() -> None:
    out = edge_programs.peak_of("""
        executor = EdgeExecutor(EdgeExecutionConfig(max_memory_mb=1000, enable_caching=False))
        executor.execute(executor.compiler.compile_circuit(edge_programs.tangled(18, 1)))
        for qubits in (4, 6, 8, 10, 12, 14, 16, 18, 20, 21, 22, 23):
            compiled = executor.compiler.compile_circuit(edge_programs.tangled(qubits, 1))
            before = reset()
            executor.execute(compiled)
            print(compiled.estimated_memory_mb, (peak() - before) / 1e6)
    """)
    rows = [[float(word) for word in line.split()] for line in out.splitlines()]
    assert len(rows) == 12
    for estimate, measured in rows:
        assert abs(estimate - measured) < 0.1 * estimate + 4, rows


ESTIMATES = """
import json
from skerry.edge import CircuitCompiler, EdgeExecutionConfig
from tests.e2e.edge_programs import tangled
compiler = CircuitCompiler(EdgeExecutionConfig())
estimates = [compiler.compile_circuit(tangled(n, 1)).estimated_execution_time for n in (4, 8, 12, 16, 18, 20, 22)]
print(json.dumps(estimates))
"""


def test_e3_14_the_time_estimate_follows_what_was_measured_on_this_machine(tmp_path: Path) -> None:
    # That the measured rates predict seconds is shown by `./dev bench predict`; here, that nothing else does.
    cache = {"SKERRY_CACHE_DIR": str(tmp_path)}
    assert programs.run("doctor", "--rates", extra=cache).code == 0

    def estimates() -> list[float]:
        done = programs.run("-c", ESTIMATES, program=Path(sys.executable), extra=cache, folder=programs.REPOSITORY)
        assert done.code == 0, done.err
        found: list[float] = json.loads(done.out)
        return found

    first = estimates()
    assert all(a < b for a, b in itertools.pairwise(first)), first
    (rates,) = tmp_path.glob("rates-*.txt")
    header, *rows = rates.read_text().splitlines()
    slower = [f"{name} {float(value) * 10}" for name, value in (row.split() for row in rows)]
    rates.write_text("\n".join([header, *slower]) + "\n")
    np.testing.assert_allclose(estimates(), 10 * np.asarray(first), rtol=1e-9)


def test_e3_15_the_compiled_gates_are_those_that_run() -> None:
    manager = EdgeExecutionManager()
    compiled = manager.compiler.compile_circuit(clustered(6), "high")
    state = manager.executor.execute(compiled).state
    np.testing.assert_allclose(edge_programs.replayed(compiled.compiled_gates, 6), state, atol=1e-12)


def test_e3_16_an_id_gives_the_circuit_or_a_key_error() -> None:
    compiler = CircuitCompiler()
    compiled = compiler.compile_circuit(BELL)
    assert compiler.get_compiled_circuit(compiled.circuit_id).circuit == compiled.circuit
    with pytest.raises(KeyError, match="no-such-id"):
        compiler.get_compiled_circuit("no-such-id")


def test_e3_17_a_kill_while_saving_leaves_an_old_file_or_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "circuit.skerry"
    compiler = CircuitCompiler()
    old = compiler.compile_circuit(BELL)
    compiler.save_compiled_circuit(old.circuit_id, path)
    script = f"""if True:
        import sys; sys.path.insert(0, {str(programs.REPOSITORY)!r})
        from skerry.edge import *
        from tests.e2e import edge_programs
        compiler = CircuitCompiler(EdgeExecutionConfig(enable_compression=False))
        new = compiler.compile_circuit(edge_programs.tangled(12, 40))
        print(new.circuit_id, flush=True)
        while True: compiler.save_compiled_circuit(new.circuit_id, {str(path)!r})
    """
    for wait in (0.0, 0.003, 0.011):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        new = process.stdout.readline().strip()
        time.sleep(wait)
        process.kill()
        process.wait()
        process.stdout.close()
        assert CircuitCompiler().load_compiled_circuit(path).circuit_id in (old.circuit_id, new)


def test_e3_18_a_damaged_file_is_a_clean_error(tmp_path: Path) -> None:
    path = tmp_path / "circuit.skerry"
    compiler = CircuitCompiler()
    compiler.save_compiled_circuit(compiler.compile_circuit(tangled(6, 3)).circuit_id, path)
    whole = path.read_bytes()
    for i in range(200):
        at = i * len(whole) // 200
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << i % 8)]) + whole[at + 1 :])
        try:
            loaded = compiler.load_compiled_circuit(path)
        except skerry.Error:
            continue
        assert loaded.circuit == compiler.compile_circuit(tangled(6, 3)).circuit  # the flip hit padding


def test_e3_19_and_e3_20_what_is_kept_can_be_seen_and_forgotten() -> None:
    compiler = CircuitCompiler()
    ids = {compiler.compile_circuit(circuit).circuit_id for circuit in (BELL, ghz(4))}
    assert set(compiler.compiled_circuits) == ids == set(compiler.compilation_cache)
    compiler.compilation_cache.clear()
    assert len(compiler.compilation_cache) == 0
    before = compiler.get_compilation_statistics()["cache_hit_rate"]
    compiler.compile_circuit(BELL)
    assert compiler.get_compilation_statistics()["cache_hit_rate"] <= before


def test_e3_21_a_package_runs_where_there_is_only_the_small_runtime(tmp_path: Path) -> None:
    compiler = CircuitCompiler()
    path = tmp_path / "bell.skerry"
    compiler.save_compiled_circuit(compiler.compile_circuit(ghz(3), "high").circuit_id, path)
    done = programs.run(path, "--shots", "100", "--seed", "1", "--json", program=programs.DEVICE, extra={"PATH": ""})
    assert done.code == 0, done.err
    assert set(json.loads(done.out)["counts"]) == {"000", "111"}


assert SIXTEEN_QUBITS_MB > 2**16 * 16 / 1e6
