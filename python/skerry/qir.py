"""QIR programs of the base and the adaptive profile, as LLVM's textual IR; bitcode through PyQIR where that is there.

`skerry.load`, `skerry.run` and the command line take files of that text as they take OpenQASM; here is what other
libraries hold in memory. Result i is bit i of the circuit, recorded numbers are outputs of a run under their labels.

>>> from skerry import qir, run
>>> bell = qir.loads('''
... define i64 @main() #0 {
...   call void @__quantum__qis__h__body(ptr null)
...   call void @__quantum__qis__cx__body(ptr null, ptr inttoptr (i64 1 to ptr))
...   call void @__quantum__qis__mz__body(ptr null, ptr null)
...   call void @__quantum__qis__mz__body(ptr inttoptr (i64 1 to ptr), ptr inttoptr (i64 1 to ptr))
...   ret i64 0
... }
... attributes #0 = { "entry_point" }
... ''')
>>> sorted(run(bell, shots=100, seed=7).counts)
['00', '11']
"""

from __future__ import annotations

import importlib

from skerry import _core
from skerry._core import Circuit
from skerry.errors import InvalidArgument, Unsupported

__all__ = ["loads"]

# How a module of bitcode begins, and one in a wrapper.
_BITCODE = (b"BC\xc0\xde", b"\xde\xc0\x17\x0b")


def _text(module: object, name: str) -> str:
    if not isinstance(module, bytes | bytearray | memoryview):
        return str(module)
    data = bytes(module)
    if not data.startswith(_BITCODE):
        return data.decode(errors="replace")
    try:
        pyqir = importlib.import_module("pyqir")
    except ImportError as error:
        hint = "install pyqir, which reads it, or give its text: llvm-dis module.bc"
        raise Unsupported("this is LLVM bitcode", name, hint) from error
    try:
        return str(pyqir.Module.from_bitcode(pyqir.Context(), data, name))
    except ValueError as error:
        raise InvalidArgument(f"the bitcode cannot be read: {error}", name) from error


def loads(module: object, name: str = "<qir>") -> Circuit:
    """A circuit from a module's text, from an object whose `str()` is that text, as PyQIR's Module, or from bytes: of
    that text, or of LLVM's bitcode, which PyQIR turns into text.

    Errors: InvalidArgument for another kind of text, Unsupported for bitcode without PyQIR, and those of reading, with
    their places.
    """
    text = _text(module, name)
    if "__quantum__" not in text:
        raise InvalidArgument("the text is no QIR: it calls no function of QIR's", name, "use skerry.loads")
    program = _core.loads(text.encode(), name)
    if not isinstance(program, Circuit):
        raise InvalidArgument("the text is a model, not a circuit", name)
    return program
