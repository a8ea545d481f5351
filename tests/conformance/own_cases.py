"""Node cases in the form of ONNX's own, for operators that ONNX has none for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A model of one node, and inputs for it: data_sets[0][0]."""

    name: str
    model: onnx.ModelProto
    data_sets: list[tuple[list[Array], list[Array]]] = field(default_factory=list)


def case(operator: str, inputs: list[Array], outputs: list[int], domain: str = "ai.onnx.ml", **attributes: Any) -> Case:
    takes, gives = [f"i{i}" for i in range(len(inputs))], [f"o{i}" for i in range(len(outputs))]
    graph = helper.make_graph(
        [helper.make_node(operator, takes, gives, domain=domain, **attributes)],
        operator,
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in zip(takes, inputs, strict=True)
        ],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in zip(gives, outputs, strict=True)],
    )
    opsets = [helper.make_opsetid("", 22), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return Case(f"own {operator}", model, [(inputs, [])])


def cases() -> dict[str, list[Case]]:
    """By row of ops.def."""
    floats = np.arange(12, dtype=np.float32).reshape(4, 3) / 8
    whole = np.arange(12, dtype=np.int64).reshape(4, 3) % 5
    f32, i64 = int(TensorProto.FLOAT), int(TensorProto.INT64)
    pairs: dict[str, Any] = {
        "coefficients": [0.5, -1.0, 2.0, 0.25, 1.0, -0.5, 0.125, 3.0, -2.0, 1.5],
        "support_vectors": [0.25 * i - 1.5 for i in range(15)],
        "vectors_per_class": [2, 1, 2],
        "rho": [0.5, -0.25, 1.0],
        "kernel_type": "RBF",
        "kernel_params": [0.5, 0.0, 2.0],
    }
    image = np.arange(2 * 3 * 5 * 4, dtype=np.float32).reshape(2, 3, 5, 4)
    rois = np.array([[0, 0, 0, 3, 2], [1, 1, 1, 9, 9]], np.float32)
    all_cases = [
        case("Scaler", [floats], [f32], offset=[0.5, 1.0, 2.0], scale=[2.0, 1.0, 0.5]),
        case("Normalizer", [floats], [f32], norm="L2"),
        case("Imputer", [whole], [i64], imputed_value_int64s=[9], replaced_value_int64=2),
        case("OneHotEncoder", [whole], [f32], cats_int64s=[0, 2, 4], zeros=1),
        case("LinearRegressor", [floats], [f32], coefficients=[1.0, 2.0, 3.0], intercepts=[0.5]),
        case(
            "LinearClassifier", [floats], [i64, f32], coefficients=[0.5 * i for i in range(9)],
            intercepts=[0.0, 1.0, 2.0], classlabels_ints=[1, 2, 3],
        ),
        case("SVMRegressor", [floats], [f32], coefficients=[1.0, -2.0], n_supports=2, rho=[0.5], kernel_type="POLY",
             kernel_params=[0.5, 1.0, 2.0], support_vectors=[0.0, 1.0, 2.0, 3.0, 2.0, 1.0]),
        case("SVMClassifier", [floats], [i64, f32], classlabels_ints=[1, 2, 3], **pairs),
        case("SVMClassifier", [floats], [i64, f32], classlabels_ints=[1, 2, 3], prob_a=[-1.0, -0.5, -2.0],
             prob_b=[0.0, 0.5, 0.25], **pairs),
        case("FeatureVectorizer", [floats, floats[:, :2]], [f32], inputdimensions=[2, 4]),
        case("FeatureVectorizer", [whole[:1], whole[1]], [f32]),
        case("GlobalLpPool", [image], [f32], domain="", p=3),
        case("MaxRoiPool", [image, rois], [f32], domain="", pooled_shape=[2, 3], spatial_scale=0.5),
    ]  # fmt: skip
    grouped: dict[str, list[Case]] = {}
    for each in all_cases:
        grouped.setdefault(each.model.graph.node[0].op_type.lower(), []).append(each)
    return grouped
