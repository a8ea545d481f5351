"""Matrix elements at a cutoff of 64 against closed sums in 90 decimal digits."""

from decimal import Decimal, getcontext
from math import comb, factorial

import numpy as np
import pytest
from skerry import FockSimulator, PhotonicCircuit

getcontext().prec = 90
CUTOFF = 64
TOLERANCE = {"double": 5e-14, "single": 5e-6}


def columns(circuit: PhotonicCircuit, basis: list[int], precision: str) -> np.ndarray:
    simulator = FockSimulator(circuit, [CUTOFF] * circuit.modes, precision)
    kets = np.zeros((len(basis), CUTOFF**circuit.modes), complex)
    kets[np.arange(len(basis)), basis] = 1
    return np.asarray(simulator.forward(kets=kets, outputs=["kets"])["kets"]).real.T


def displaced(m: int, n: int, r: Decimal) -> float:
    """<m|D(r)|n> = exp(-r²/2) sqrt(m! n!) sum_j (-1)^(n-j) r^(m+n-2j) / (j! (m-j)! (n-j)!)."""
    total = sum(
        (-1) ** (n - j) * r ** (m + n - 2 * j) / (factorial(j) * factorial(m - j) * factorial(n - j))
        for j in range(min(m, n) + 1)
    )
    return float(Decimal(total) * (-r * r / 2).exp() * Decimal(factorial(m) * factorial(n)).sqrt())


def squeezed(m: int, n: int, r: Decimal) -> float:
    """<m|S(r)|n> by the disentangled exponentials exp(-t a^²/2) sech^(n+1/2) exp(t a²/2)."""
    if (m + n) % 2:
        return 0.0
    e = (2 * r).exp()
    t = (e - 1) / (e + 1)
    sech = (1 - t * t).sqrt()
    total = Decimal(0)
    for j in range(m % 2, min(m, n) + 1, 2):
        up, down = (m - j) // 2, (n - j) // 2
        total += (-t / 2) ** up * (t / 2) ** down * sech**j / (factorial(up) * factorial(down) * factorial(j))
    return float(total * sech.sqrt() * Decimal(factorial(m) * factorial(n)).sqrt())


def split(m1: int, m2: int, n1: int, n2: int, c: Decimal, s: Decimal) -> float:
    """<m1, m2|BS|n1, n2> by expanding (c a1^ + s a2^)^n1 (-s a1^ + c a2^)^n2."""
    total = Decimal(0)
    for i in range(max(0, m1 - n2), min(n1, m1) + 1):
        j = m1 - i
        total += comb(n1, i) * comb(n2, j) * c**i * s ** (n1 - i) * (-s) ** j * c ** (n2 - j)
    weight = Decimal(factorial(m1) * factorial(m2)) / Decimal(factorial(n1) * factorial(n2))
    return float(total * weight.sqrt())


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("r", [1e-7, 0.01, 0.3, 0.8, 2.0, -1.3, 4.0])
def test_displacements(r: float, precision: str) -> None:
    basis = [0, 1, 5, 20, 41, 62, 63]
    actual = columns(PhotonicCircuit(1).append("displacement", [r], [0]), basis, precision)
    expected = np.array([[displaced(m, n, Decimal(r)) for n in basis] for m in range(CUTOFF)])
    assert np.abs(actual - expected).max() <= TOLERANCE[precision]


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("r", [1e-7, 0.01, 0.3, 0.8, -1.3, 2.5])
def test_squeezers(r: float, precision: str) -> None:
    basis = [0, 1, 6, 21, 40, 62, 63]
    actual = columns(PhotonicCircuit(1).append("squeezing", [r], [0]), basis, precision)
    expected = np.array([[squeezed(m, n, Decimal(r)) for n in basis] for m in range(CUTOFF)])
    assert np.abs(actual - expected).max() <= TOLERANCE[precision]


def cosine_and_sine(t: float) -> tuple[Decimal, Decimal]:
    x, term, c, s = Decimal(t), Decimal(1), Decimal(0), Decimal(0)
    for k in range(120):
        if k % 2 == 0:
            c += term if k % 4 == 0 else -term
        else:
            s += term if k % 4 == 1 else -term
        term = term * x / (k + 1)
    return c, s


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("t", [1e-7, 0.05, 0.7853981633974483, 1.5, -2.2])
def test_beam_splitters(t: float, precision: str) -> None:
    pairs = [(0, 0), (1, 0), (0, 63), (63, 63), (31, 32), (50, 9), (20, 60), (63, 40)]
    actual = columns(
        PhotonicCircuit(2).append("beam_splitter", [t, 0.0], [0, 1]), [n1 * CUTOFF + n2 for n1, n2 in pairs], precision
    )
    c, s = cosine_and_sine(t)
    for column, (n1, n2) in enumerate(pairs):
        expected = np.zeros((CUTOFF, CUTOFF))
        for m1 in range(max(0, n1 + n2 - CUTOFF + 1), min(CUTOFF, n1 + n2 + 1)):
            expected[m1, n1 + n2 - m1] = split(m1, n1 + n2 - m1, n1, n2, c, s)
        assert np.abs(actual[:, column] - expected.ravel()).max() <= TOLERANCE[precision]
