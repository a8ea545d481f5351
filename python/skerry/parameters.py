"""How parameter values may be given: in order, by name, or as a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skerry._core import RunOptions
from skerry.errors import InvalidArgument

if TYPE_CHECKING:
    from numpy.typing import NDArray

Parameters = Mapping[str, float] | Sequence[float] | None
ParameterBatch = Sequence[Sequence[float]]


def spread(options: RunOptions, params: Parameters | ParameterBatch | NDArray[Any]) -> list[RunOptions] | None:
    """Writes one set of values into `options` and gives None; for a batch, gives options of their own for each row."""
    if params is None:
        return None
    if isinstance(params, Mapping):
        options.named_parameters = {name: float(value) for name, value in params.items()}
        return None
    import numpy as np  # here, because it takes longer than all the rest of `import skerry`

    values = np.asarray(params, dtype=np.float64)
    if values.ndim == 1:
        options.parameters = values.tolist()
        return None
    if values.ndim != 2:
        raise InvalidArgument(f"parameters have {values.ndim} dimensions", "params", "give [P], or [batch, P]")
    batch = []
    for row in values.tolist():
        one = options.copy()
        one.parameters = row
        batch.append(one)
    return batch
