# ruff: noqa: N818
# The names are rows of the table of errors, which speaks for every face of the product.
"""The one family of exceptions: a class per way to fail, each also a built-in kind where Python has a fitting one.

>>> import skerry
>>> try:
...     skerry.Circuit(2).h(5)
... except skerry.Error as error:
...     print(error.code)
out_of_range
"""

from __future__ import annotations


class Error(Exception):
    """What went wrong (`message`), at which place (`where`) and what to change (`hint`); the last two may be empty."""

    code = "internal"

    def __init__(self, message: str, where: str = "", hint: str = "") -> None:
        text = (f"{where}: " if where else "") + message + (f"; {hint}" if hint else "")
        super().__init__(text)
        self.message, self.where, self.hint = message, where, hint

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[type[Error], tuple[str, str, str]]:
        return type(self), (self.message, self.where, self.hint)


class InvalidArgument(Error, ValueError):
    """An argument or option has a value that cannot be used."""

    code = "invalid_argument"


class NotFound(Error, FileNotFoundError):
    """A named thing does not exist."""

    code = "not_found"


class IoError(Error, OSError):
    """A file could not be read or written."""

    code = "io_error"


class SyntaxError(Error, ValueError):
    """The text does not follow its grammar; `where` is file:line:column."""

    code = "syntax_error"


class SemanticError(Error, ValueError):
    """The text is well formed but means nothing."""

    code = "semantic_error"


class Unsupported(Error, NotImplementedError):
    """The input asks for something this version does not do."""

    code = "unsupported"


class LimitExceeded(Error, ValueError):
    """The input is larger than a limit that is set."""

    code = "limit_exceeded"


class TypeMismatch(Error, TypeError):
    """A dtype, shape or unit is not the one needed."""

    code = "type_mismatch"


class OutOfRange(Error, IndexError):
    """An index, wire or number is outside its range."""

    code = "out_of_range"


class Corrupt(Error, ValueError):
    """A package is damaged or was not written by this product."""

    code = "corrupt"


class VersionTooNew(Error, ValueError):
    """A file was written by a newer version."""

    code = "version_too_new"


class BudgetExceeded(Error, MemoryError):
    """The work needs more memory than its budget."""

    code = "budget_exceeded"


class DeadlineExceeded(Error, TimeoutError):
    """The work needs more time than its budget."""

    code = "deadline_exceeded"


class Cancelled(Error, RuntimeError):
    """The work was cancelled by its caller."""

    code = "cancelled"


class Unavailable(Error, ConnectionError):
    """A remote endpoint or device cannot be reached."""

    code = "unavailable"


class PermissionDenied(Error, PermissionError):
    """The request is not allowed."""

    code = "permission_denied"


class BadSignature(Error, PermissionError):
    """A signature is missing, wrong or by a key that is not trusted."""

    code = "bad_signature"


class InternalError(Error, RuntimeError):
    """A mistake of Skerry itself."""

    code = "internal"
