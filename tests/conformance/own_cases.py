"""Node cases in the form of ONNX's own, for operators that ONNX has none for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

Array = npt.NDArray[Any]
MICROSOFT = "com.microsoft"


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
    opsets = [helper.make_opsetid("", 22), helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid(MICROSOFT, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return Case(f"own {operator}", model, [(inputs, [])])


def quantised_cases() -> list[Case]:
    """Scales and zero points as vectors of one element, so that they have an axis to be changed."""
    image: Array = (np.arange(2 * 3 * 5 * 4) % 251).astype(np.uint8).reshape(2, 3, 5, 4)
    matrix: Array = (np.arange(20) * 7 % 256).astype(np.uint8).reshape(4, 5)
    scale: Array = np.array([0.02], np.float32)
    zero: Array = np.array([128], np.uint8)
    of_x: list[Array] = [scale, zero]
    of_y: list[Array] = [scale * 2, zero]
    u8, f32 = int(TensorProto.UINT8), int(TensorProto.FLOAT)

    def quantised(operator: str, inputs: list[Array], result: int = u8, **attributes: Any) -> Case:
        return case(operator, inputs, [result], domain=MICROSOFT, **attributes)

    return [
        quantised("QLinearAdd", [image, *of_x, image, *of_x, *of_y]),
        quantised("QLinearAdd", [matrix, *of_x, matrix[:1], *of_x, *of_y]),
        quantised("QLinearMul", [image, *of_x, image, *of_x, *of_y]),
        quantised("QLinearSigmoid", [image, *of_x, *of_y]),
        quantised("QLinearLeakyRelu", [image, *of_x, *of_y], alpha=0.1),
        quantised("QLinearSoftmax", [matrix, *of_x, *of_y], axis=-1, opset=13),
        quantised("QLinearConcat", [*of_y, matrix, *of_x, matrix, *of_x], axis=1),
        quantised("QLinearGlobalAveragePool", [image, *of_x, *of_y]),
        quantised("QLinearAveragePool", [image, *of_x, *of_y], kernel_shape=[3, 2], pads=[1, 0, 1, 0]),
        quantised("QGemm", [matrix, *of_x, matrix.T.copy(), *of_x, np.arange(4, dtype=np.int32), *of_y]),
        quantised("QGemm", [matrix, *of_x, matrix.T.copy(), *of_x], f32),
        quantised("MatMulIntegerToFloat", [matrix, matrix.T.copy(), scale, scale, zero, zero], f32),
        quantised(
            "MatMulIntegerToFloat",
            [matrix, matrix.T.copy(), scale, np.full(4, 0.02, np.float32), zero, np.full(4, 9, np.uint8),
             np.zeros(4, np.float32)],
            f32,
        ),
    ]  # fmt: skip


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
    all_cases += quantised_cases()
    grouped: dict[str, list[Case]] = {}
    for each in all_cases:
        grouped.setdefault(each.model.graph.node[0].op_type.lower(), []).append(each)
    return grouped
