"""What Qiskit's callers catch."""

from __future__ import annotations

from qiskit.exceptions import QiskitError

from skerry.errors import Error


class SkerryError(QiskitError):
    """A refusal of Skerry, as Qiskit's kind of error; `cause` is the one of ours, with its code, place and hint."""

    def __init__(self, cause: Error) -> None:
        super().__init__(str(cause))
        self.cause = cause
