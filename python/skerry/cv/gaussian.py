"""Gaussian states, and the sums over matchings behind their photon statistics."""

from typing import Any

import numpy as np

from skerry import _core
from skerry._core import GaussianState

__all__ = ["GaussianState", "hafnian", "loop_hafnian", "torontonian"]


def _dense(matrix: Any) -> Any:
    array = np.asarray(matrix)
    kind = np.complex128 if np.iscomplexobj(array) else np.float64
    return np.ascontiguousarray(array, dtype=kind)


def hafnian(matrix: Any) -> complex | float:
    """Sum over perfect matchings of a symmetric matrix.

    >>> import numpy as np
    >>> from skerry.cv import hafnian
    >>> hafnian(np.ones((6, 6)))
    15.0
    """
    array = _dense(matrix)
    return _core.hafnian_complex(array) if np.iscomplexobj(array) else _core.hafnian_real(array)


def loop_hafnian(matrix: Any, loops: Any = None) -> complex | float:
    """Sum over matchings with loops; their weights are the diagonal unless given.

    >>> import numpy as np
    >>> from skerry.cv import loop_hafnian
    >>> loop_hafnian(np.ones((4, 4)))
    10.0
    """
    array = _dense(matrix)
    weights = np.diagonal(array) if loops is None else np.asarray(loops)
    if np.iscomplexobj(array) or np.iscomplexobj(weights):
        return _core.hafnian_complex(array.astype(np.complex128), weights.astype(np.complex128))
    return _core.hafnian_real(array, np.ascontiguousarray(weights, dtype=np.float64))


def torontonian(matrix: Any) -> float:
    """Alternating sum over click patterns of a Hermitian 2m x 2m matrix O.

    >>> import numpy as np
    >>> from skerry.cv import torontonian
    >>> round(torontonian(0.5 * np.eye(2)), 12)
    1.0
    """
    return _core.torontonian(np.ascontiguousarray(matrix, dtype=np.complex128))
