"""QIR programs of the base and the adaptive profile, as LLVM's textual IR.

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

from skerry import _core
from skerry._core import Circuit
from skerry.errors import InvalidArgument

__all__ = ["loads"]


def loads(module: object, name: str = "<qir>") -> Circuit:
    """A circuit from a module's text, or from an object whose `str()` is that text, as PyQIR's Module.

    Errors: InvalidArgument for another kind of text, and those of reading, with their places.
    """
    text = str(module)
    if "__quantum__" not in text:
        raise InvalidArgument("the text is no QIR: it calls no function of QIR's", name, "use skerry.loads")
    program = _core.loads(text.encode(), name)
    if not isinstance(program, Circuit):
        raise InvalidArgument("the text is a model, not a circuit", name)
    return program
