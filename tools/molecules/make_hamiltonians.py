"""Writes examples/data/h2_sto3g.json and lih_sto3g.json: molecular Hamiltonians as sums of Pauli strings.

    python -m venv somewhere && somewhere/bin/pip install pyscf numpy
    somewhere/bin/python tools/molecules/make_hamiltonians.py

PySCF gives the integrals of restricted Hartree-Fock orbitals in the STO-3G basis (Hehre, Stewart & Pople 1969, J. Chem.
Phys. 51, 2657). Two electrons of opposite spin move in 2^k orbitals, any lower ones being frozen; the number of the
orbital that holds the spin-up electron is written on k qubits, that of the spin-down electron on the k next:

    H[(p, r), (q, s)] = h[p, q] 1[r, s] + 1[p, q] h[r, s] + (pq|rs) + E_core 1

so that the qubits hold exactly the singlet and triplet states with these electrons and no other sector. Each file keeps
the lowest energy that PySCF finds for the same orbitals by configuration interaction, which shares no code with this.
"""

import itertools
import json
from pathlib import Path

import numpy as np
import pyscf  # type: ignore[import-not-found]
from pyscf import ao2mo, gto, mcscf, scf

DATA = Path(__file__).resolve().parent.parent.parent / "examples/data"
PAULI = {"I": np.eye(2), "X": np.array([[0, 1], [1, 0]]), "Y": np.array([[0, -1j], [1j, 0]]), "Z": np.diag([1, -1])}


def pauli_terms(matrix: np.ndarray, qubits: int) -> list[list[object]]:
    terms: list[list[object]] = []
    for letters in itertools.product("IXYZ", repeat=qubits):
        product = np.eye(1)
        for letter in letters:
            product = np.kron(PAULI[letter], product)
        weight = np.trace(product @ matrix).real / 2**qubits
        if abs(weight) > 1e-12:
            wires = [q for q in range(qubits) if letters[q] != "I"]
            terms.append([" ".join(letters[q] for q in wires), wires, weight])
    return terms


def write(name: str, atoms: str, bits: int, frozen: int) -> None:
    molecule = gto.M(atom=atoms, basis="sto-3g", unit="Angstrom")
    field = scf.RHF(molecule).run(verbose=0, conv_tol=1e-13)
    orbitals = 1 << bits
    active = mcscf.CASCI(field, orbitals, 2)
    active.verbose = 0
    exact = active.kernel()[0]
    one, core = active.get_h1eff()
    two = ao2mo.restore(1, active.get_h2eff(), orbitals)
    assert active.ncore == frozen
    same = np.eye(orbitals)
    # The spin-up electron is the less significant half of an index.
    total = (
        np.einsum("pq,rs->rpsq", one, same)
        + np.einsum("pq,rs->rpsq", same, one)
        + np.einsum("pqrs->rpsq", two)
        + core * np.einsum("pq,rs->rpsq", same, same)
    ).reshape(orbitals**2, orbitals**2)
    document = {
        "molecule": atoms,
        "basis": "STO-3G",
        "made_by": f"tools/molecules/make_hamiltonians.py with PySCF {pyscf.__version__}",
        "qubits": 2 * bits,
        "frozen_orbitals": frozen,
        "hartree_fock_energy": field.e_tot,
        "configuration_interaction_energy": exact,
    }
    terms = pauli_terms(total, 2 * bits)
    head = json.dumps(document, indent=1).removesuffix("\n}")
    rows = ",\n  ".join(json.dumps(term) for term in terms)
    (DATA / name).write_text(f'{head},\n "terms": [\n  {rows}\n ]\n}}\n')
    print(name, len(terms), "terms;", field.e_tot, exact, np.linalg.eigvalsh(total)[0])


write("h2_sto3g.json", "H 0 0 0; H 0 0 0.735", 1, 0)
write("lih_sto3g.json", "Li 0 0 0; H 0 0 1.5949", 2, 1)
