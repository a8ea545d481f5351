"""The sampler and the estimator; the oracle is Qiskit's own quantum_info, its primitives, or a closed form."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import ClassicalRegister, Parameter, QuantumRegister
from qiskit.circuit.library import real_amplitudes
from qiskit.primitives import PrimitiveResult, PubResult, StatevectorEstimator
from qiskit.primitives.containers import BitArray
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.providers import JobStatus
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit.transpiler import generate_preset_pass_manager
from skerry.qiskit import SkerryBackend, SkerryError, SkerryEstimator, SkerrySampler

# The sampler


def ansatz(reps: int) -> QuantumCircuit:
    return transpile(real_amplitudes(2, reps=reps), SkerryBackend(), optimization_level=0)


def assert_sampled(bits: BitArray, circuit: QuantumCircuit, rows: NDArray[Any]) -> None:
    """Every count within five standard deviations of what the exact state says."""
    for index in np.ndindex(bits.shape):
        chances = Statevector(circuit.assign_parameters(rows[index])).probabilities()
        shots, counts = bits.num_shots, bits.get_int_counts(index)
        for outcome, chance in enumerate(chances):
            assert abs(counts.get(outcome, 0) - shots * chance) <= 5 * np.sqrt(shots * chance * (1 - chance)) + 1e-6


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3)])
def test_the_sampler_broadcasts_values(shape: tuple[int, ...]) -> None:
    circuit = ansatz(2)
    measured = circuit.copy()
    measured.measure_all()
    rows = np.random.default_rng(1).uniform(0, 6, (*shape, 6))
    result = SkerrySampler(seed=4).run([(measured, rows)], shots=5000).result()
    assert isinstance(result, PrimitiveResult)
    assert isinstance(result[0], PubResult)
    assert result[0].data.meas.shape == shape
    assert_sampled(result[0].data.meas, circuit, rows)


def test_the_sampler_takes_values_in_every_form() -> None:
    theta = Parameter("x")
    circuit = QuantumCircuit(1, 1)
    circuit.ry(theta, 0)
    circuit.measure(0, 0)
    for form in ({"x": np.pi}, {theta: np.pi}, {"x": np.array(np.pi)}, {theta: [np.pi]}, [np.pi], np.array([np.pi])):
        assert SkerrySampler().run([(circuit, form)], shots=50).result()[0].data.c.get_int_counts() == {1: 50}


def test_same_seed_same_samples_however_the_pubs_are_cut() -> None:
    circuit = ansatz(2)
    circuit.measure_all()
    rows = np.linspace(0, 1, 30).reshape(5, 6)
    sampler = SkerrySampler(seed=9)
    whole = sampler.run([(circuit, rows)], shots=100).result()[0].data.meas
    again = sampler.run([(circuit, rows)], shots=100).result()[0].data.meas
    cut = sampler.run([(circuit, row) for row in rows], shots=100).result()
    assert whole == again
    assert [whole[i].get_int_counts() for i in range(5)] == [one.data.meas.get_int_counts() for one in cut]
    generator = SkerrySampler(seed=np.random.default_rng(2))
    assert isinstance(generator.seed, np.random.Generator)
    assert (
        generator.run([(circuit, rows)]).result()[0].data.meas != generator.run([(circuit, rows)]).result()[0].data.meas
    )


def test_shots_come_from_the_pub_the_call_or_the_sampler() -> None:
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    sampler = SkerrySampler(default_shots=77)
    job = sampler.run([bell, (bell, None, 5), SamplerPub(bell, shots=6)])
    assert [pub.data.meas.num_shots for pub in job.result()] == [77, 5, 6]
    assert [pub.metadata["shots"] for pub in job.result()] == [77, 5, 6]
    assert job.status() == JobStatus.DONE
    assert sampler.run([bell], shots=8).result()[0].data.meas.num_shots == 8
    assert SkerrySampler().run([bell]).result()[0].data.meas.num_shots == SkerrySampler().default_shots == 1024


def test_the_sampler_refuses_wrong_pubs() -> None:
    plain = QuantumCircuit(1)
    plain.measure_all()
    free = ansatz(1)
    free.measure_all()
    sampler = SkerrySampler()
    for pub in [(plain, [1e2]), free, (free, []), (free, None), (free, [1e2]), (free, [1e2] * 100), (plain, None, -1)]:
        with pytest.raises(ValueError):  # Qiskit's own checks
            sampler.run([pub])
    for shots in (-1, 0):
        with pytest.raises(ValueError, match="shots"):
            sampler.run([plain], shots=shots)
    with pytest.raises(ValueError, match="An invalid Sampler pub-like was given"):
        sampler.run(plain)
    with pytest.raises(SkerryError, match="nonsense"):
        SkerrySampler(options={"nonsense": 1})


def test_every_register_has_its_own_bits() -> None:
    a, b, c = ClassicalRegister(1, "a"), ClassicalRegister(70, "b"), ClassicalRegister(3, "c")
    circuit = QuantumCircuit(QuantumRegister(3), a, b, c, ClassicalRegister(bits=[c[2], a[0]], name="d"))
    circuit.x([0, 2])
    circuit.measure([0, 1, 2, 2], [0, 2, 70, 73])
    data = SkerrySampler().run([circuit], shots=10).result()[0].data
    assert len(data) == 4
    assert data.a.get_int_counts() == {1: 10}
    assert data.b.get_int_counts() == {1 << 69: 10}
    assert data.c.get_int_counts() == {4: 10}
    assert data.d.get_int_counts() == {3: 10}


def test_a_register_without_bits_has_shots_without_bytes() -> None:
    circuit = QuantumCircuit(QuantumRegister(1), ClassicalRegister(0, "none"), ClassicalRegister(1, "one"))
    circuit.x(0)
    circuit.measure(0, 0)
    data = SkerrySampler().run([circuit], shots=7).result()[0].data
    assert data.none.array.shape == (7, 0) and data.none.num_bits == 0
    assert data.one.get_counts() == {"1": 7}


def test_registers_that_share_bits_and_conditions_on_them() -> None:
    inner = QuantumCircuit(
        QuantumRegister(3, "q"), first := ClassicalRegister(1, "a"), second := ClassicalRegister(1, "b")
    )
    inner.ry(np.pi / 4, 2)
    inner.cx(2, 1)
    inner.h(0)
    inner.measure([0, 1], [0, 1])
    with inner.if_test((second, 1)):
        inner.x(2)  # qubit 2 is back at 0
    with inner.if_test((first, 1)):
        inner.x(2)
    circuit = QuantumCircuit(5, 5)
    circuit.compose(inner, [0, 2, 3], [2, 4], inplace=True)
    circuit.measure(3, 0)
    shots, one = 20_000, np.sin(np.pi / 8) ** 2
    data = SkerrySampler(seed=3).run([circuit], shots=shots).result()[0].data
    # Qiskit gives the registers new names: they are told by their bits.
    bits_of = {register.name: [circuit.find_bit(bit).index for bit in register] for register in circuit.cregs}
    by_bits = {tuple(bits): data[name].get_int_counts() for name, bits in bits_of.items()}
    whole, a, b = by_bits[0, 1, 2, 3, 4], by_bits[(2,)], by_bits[(4,)]
    # Bit 0 is bit 2 again; bits 2 and 4 are those of the inner registers.
    expected = {0: (1 - one) / 2, 5: (1 - one) / 2, 16: one / 2, 21: one / 2}
    assert whole.keys() == expected.keys()
    for outcome, chance in expected.items():
        assert whole[outcome] / shots == pytest.approx(chance, abs=5 * np.sqrt(chance / shots))
    assert a[1] == whole[5] + whole[21] and b[1] == whole[16] + whole[21]


def test_what_is_not_measured_is_zero() -> None:
    circuit = QuantumCircuit(5, 4)
    assert SkerrySampler().run([circuit], shots=9).result()[0].data.c.get_int_counts() == {0: 9}
    with pytest.warns(UserWarning, match="no classical register"):
        assert len(SkerrySampler().run([QuantumCircuit(2)]).result()[0].data) == 0


# The estimator

HAMILTONIANS = [SparsePauliOp(["II", "IZ", "XI"], [1, 2, 3]), SparsePauliOp("IZ"), SparsePauliOp(["ZI", "ZY"], [1, -1])]


def test_expectations_are_those_of_the_state_over_every_broadcast() -> None:
    circuit = ansatz(2)
    rows = np.random.default_rng(3).uniform(0, 6, (4, 1, 6))
    pub = (circuit, [HAMILTONIANS], rows)
    found = SkerryEstimator().run([pub]).result()[0]
    expected = StatevectorEstimator().run([pub]).result()[0]
    assert found.data.evs.shape == (4, 3)
    np.testing.assert_allclose(found.data.evs, expected.data.evs, atol=1e-10)
    np.testing.assert_array_equal(found.data.stds, 0)


def test_the_estimator_takes_explicit_pubs_and_iterators() -> None:
    circuit = ansatz(2)
    rows = [[0, 1, 1, 2, 3, 5], [1, 2, 3, 4, 5, 6]]
    pub = EstimatorPub(
        circuit,
        ObservablesArray.coerce([HAMILTONIANS[0], HAMILTONIANS[2]]),
        BindingsArray.coerce({tuple(circuit.parameters): rows}),
    )
    found = SkerryEstimator().run(iter([pub, pub])).result()
    expected = [
        Statevector(circuit.assign_parameters(row)).expectation_value(op).real
        for row, op in zip(rows, [HAMILTONIANS[0], HAMILTONIANS[2]], strict=True)
    ]
    for one in found:
        np.testing.assert_allclose(one.data.evs, expected, atol=1e-10)


def test_qubits_are_counted_from_the_right_of_a_label() -> None:
    circuit = QuantumCircuit(2)
    circuit.x(0)
    found = SkerryEstimator().run([(circuit, ["IZ", "ZI", "II", "I1", "I0", "+1", "rI"])]).result()[0].data.evs
    np.testing.assert_allclose(found, [-1, 1, 1, 1, 0, 0.5, 0.5], atol=1e-12)


def test_precision_is_the_width_of_the_noise() -> None:
    circuit = QuantumCircuit(1)
    pub = (circuit, "Z", np.zeros((2000, 0)))
    options = {"default_precision": 0.02, "run_options": {"seed_simulator": 15}}
    estimator = SkerryEstimator(options=options)
    first = estimator.run([pub]).result()[0]
    assert first.metadata["target_precision"] == 0.02
    assert abs(first.data.evs.mean() - 1) <= 5 * 0.02 / np.sqrt(2000)
    # The standard deviation of 2000 numbers is known to 1/sqrt(4000) of itself.
    assert abs(first.data.evs.std() / 0.02 - 1) <= 5 / np.sqrt(4000)
    np.testing.assert_array_equal(estimator.run([pub]).result()[0].data.evs, first.data.evs)
    wide = estimator.run([pub, (*pub, 0.5)], precision=0.1).result()
    assert [one.metadata["target_precision"] for one in wide] == [0.1, 0.5]
    assert wide[1].data.evs.std() > 3 * wide[0].data.evs.std()


def test_the_estimator_refuses_wrong_pubs() -> None:
    one, two = QuantumCircuit(1), QuantumCircuit(2)
    z, zz = SparsePauliOp("Z"), SparsePauliOp("ZZ")
    estimator = SkerryEstimator()
    for pub in [(one, zz), (one, z, [[1e4]]), (two, zz, [[1, 2]]), (one, [z, zz]), (one, 1j * z), (one, z, None, -1)]:
        with pytest.raises(ValueError):  # Qiskit's own checks
            estimator.run([pub])
    with pytest.raises(ValueError, match="precision"):
        estimator.run([(one, z)], precision=-1)
    with pytest.raises(ValueError, match="An invalid Estimator pub-like was given"):
        estimator.run((one, z))


def test_measuring_midway_gives_the_mean_over_the_outcomes() -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.ry(0.8, 0)
    circuit.measure(0, 0)
    with circuit.if_test((0, True)):
        circuit.ry(0.5, 1)
    evs = SkerryEstimator().run([(circuit, ["IZ", "ZI", "IX"])]).result()[0].data.evs
    one = np.sin(0.4) ** 2
    np.testing.assert_allclose(evs, [1 - 2 * one, 1 - one + one * np.cos(0.5), 0], atol=1e-12)


def test_layouts_and_metadata_are_kept() -> None:
    circuit = real_amplitudes(2, reps=1)
    circuit.metadata = {"a": 1}
    wide = transpile(circuit, GenericBackendV2(5, seed=1), initial_layout=[3, 1], optimization_level=0)
    values = [0.1, 0.2, 0.3, 0.4]
    op = HAMILTONIANS[0]
    estimator = SkerryEstimator.from_backend(SkerryBackend(precision="single"), default_precision=0.0)
    assert estimator.options.backend_options["precision"] == "single"
    result = estimator.run([(circuit, op, values), (wide, op.apply_layout(wide.layout), values)]).result()
    assert result[0].data.evs == pytest.approx(result[1].data.evs, abs=1e-5)
    assert result[0].metadata["circuit_metadata"] == {"a": 1}
    assert isinstance(result[0].metadata["simulator_metadata"], dict)
    assert result.metadata == {"version": 2}


def test_an_observable_on_the_passes_of_a_preset_manager() -> None:
    manager = generate_preset_pass_manager(optimization_level=1, backend=SkerryBackend())
    done = manager.run(real_amplitudes(2, reps=1))
    found = SkerryEstimator().run([(done, HAMILTONIANS[0].apply_layout(done.layout), [0.0] * 4)]).result()[0].data.evs
    assert found == pytest.approx(3.0)


def test_options_may_change_between_runs_under_the_names_of_aer() -> None:
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    sampler = SkerrySampler(options={"backend_options": {"method": "matrix_product_state"}})
    assert sampler.seed is None
    sampler.options.seed_simulator = 5
    first, again = (sampler.run([bell]).result()[0] for _ in range(2))
    assert sampler.seed == 5
    assert first.data.meas == again.data.meas
    assert first.metadata["simulator_metadata"]["method"] == "mps"
    sampler.options.backend_options["method"] = "automatic"
    assert sampler.run([bell]).result()[0].metadata["simulator_metadata"]["method"] != "mps"
    sampler.options.backend_options["methd"] = "statevector"
    with pytest.raises(SkerryError, match="'methd' is not known"):
        sampler.run([bell]).result()


def test_pubs_come_from_an_iterator_with_shots_of_their_own() -> None:
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    result = SkerrySampler(seed=1).run(iter([(bell, None, 100), (bell, None, 102)])).result()
    assert [one.data.meas.num_shots for one in result] == [100, 102]
    assert all(set(one.data.meas.get_int_counts()) == {0, 3} for one in result)
