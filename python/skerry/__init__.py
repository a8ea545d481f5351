"""Skerry: one small runtime for neural networks, quantum circuits and hybrids of both.

load -> compile -> plan -> run, with the same nouns as in C++ and on the command line.

>>> import skerry
>>> ghz = skerry.Circuit(3).h(0).cx(0, 1).cx(1, 2).measure_all()
>>> result = skerry.run(ghz, shots=1000, seed=7)
>>> sorted(result.counts), sum(result.counts.values())
(['000', '111'], 1000)
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from skerry._core import (
    Candidate,
    Channel,
    Circuit,
    FockSimulator,
    GraphBuilder,
    GraphValue,
    Model,
    NoiseModel,
    Observable,
    Parameter,
    PassReport,
    PhotonicCircuit,
    Plan,
    Profile,
    ProfiledStep,
    RunResult,
    Session,
    State,
    StepTime,
    TensorInfo,
    make_keys,
    num_threads,
    pipeline,
    profile,
    set_num_threads,
)
from skerry._core import version as _version
from skerry.compiling import Compiled, compile
from skerry.errors import (
    BadSignature,
    BudgetExceeded,
    Cancelled,
    Corrupt,
    DeadlineExceeded,
    Error,
    InternalError,
    InvalidArgument,
    IoError,
    LimitExceeded,
    NotFound,
    OutOfRange,
    PermissionDenied,
    SemanticError,
    SyntaxError,
    TypeMismatch,
    Unavailable,
    Unsupported,
    VersionTooNew,
)
from skerry.files import load, loads, save
from skerry.running import plan, run, stream

if _TYPE_CHECKING:
    from skerry import stabilizer
    from skerry.compression import Agreement, Pruned, Quantized, compare, prune, quantize, save_onnx
    from skerry.fake_quantize import FakeQuantize, QuantizationAwareLinear
    from skerry.fine_tuning import QuantConfig, QuantizationAwareTrainer, make_quantization_aware
    from skerry.noise import load_noise
    from skerry.pruner import ModelPruner, PruningConfig
    from skerry.simulator import Simulator

__version__ = _version()

# What needs NumPy, whose import takes longer than all of this, comes at first need.
_LATER = {
    "Simulator": "simulator",
    "load_noise": "noise",
    **dict.fromkeys(("Agreement", "Pruned", "Quantized", "compare", "prune", "quantize", "save_onnx"), "compression"),
    **dict.fromkeys(("FakeQuantize", "QuantizationAwareLinear"), "fake_quantize"),
    **dict.fromkeys(("QuantConfig", "QuantizationAwareTrainer", "make_quantization_aware"), "fine_tuning"),
    **dict.fromkeys(("ModelPruner", "PruningConfig"), "pruner"),
}
_MODULES = ("compression", "fake_quantize", "fine_tuning", "noise", "pruner", "simulator", "stabilizer")


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return _import_module(f"skerry.{name}")
    if name not in _LATER:
        raise AttributeError(f"module 'skerry' has no attribute {name!r}")
    found: object = getattr(_import_module(f"skerry.{_LATER[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, *_MODULES})


__all__ = [
    "Agreement",
    "BadSignature",
    "BudgetExceeded",
    "Cancelled",
    "Candidate",
    "Channel",
    "Circuit",
    "Compiled",
    "Corrupt",
    "DeadlineExceeded",
    "Error",
    "FakeQuantize",
    "FockSimulator",
    "GraphBuilder",
    "GraphValue",
    "InternalError",
    "InvalidArgument",
    "IoError",
    "LimitExceeded",
    "Model",
    "ModelPruner",
    "NoiseModel",
    "NotFound",
    "Observable",
    "OutOfRange",
    "Parameter",
    "PassReport",
    "PermissionDenied",
    "PhotonicCircuit",
    "Plan",
    "Profile",
    "ProfiledStep",
    "Pruned",
    "PruningConfig",
    "QuantConfig",
    "QuantizationAwareLinear",
    "QuantizationAwareTrainer",
    "Quantized",
    "RunResult",
    "SemanticError",
    "Session",
    "Simulator",
    "State",
    "StepTime",
    "SyntaxError",
    "TensorInfo",
    "TypeMismatch",
    "Unavailable",
    "Unsupported",
    "VersionTooNew",
    "__version__",
    "compare",
    "compile",
    "load",
    "load_noise",
    "loads",
    "make_keys",
    "make_quantization_aware",
    "num_threads",
    "pipeline",
    "plan",
    "profile",
    "prune",
    "quantize",
    "run",
    "save",
    "save_onnx",
    "set_num_threads",
    "stabilizer",
    "stream",
]
