"""Observables: two spellings, one meaning."""

import pickle

import pytest
import skerry
from skerry import Observable


def test_text_and_sparse_list_say_the_same() -> None:
    sparse = Observable.from_sparse_list([("ZZ", [0, 1], 0.5), ("X", [2], -1.2), ("", [], 3.0)], num_qubits=3)
    assert sparse == Observable.parse("0.5*Z0 Z1 - 1.2*X2 + 3", num_qubits=3)
    assert Observable.parse(sparse.text, 3) == sparse
    assert pickle.loads(pickle.dumps(sparse)) == sparse
    assert (len(sparse), sparse.num_qubits) == (3, 3)


@pytest.mark.parametrize(
    ("terms", "error"),
    [
        ([("Q", [0], 1.0)], skerry.InvalidArgument),
        ([("ZZ", [0], 1.0)], skerry.InvalidArgument),
        ([("ZZ", [0, 0], 1.0)], skerry.InvalidArgument),
        ([("Z", [3], 1.0)], skerry.OutOfRange),
    ],
)
def test_wrong_terms_are_refused(terms, error) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error):
        Observable.from_sparse_list(terms, num_qubits=3)


def test_wrong_text_is_refused_with_its_column() -> None:
    with pytest.raises(skerry.SyntaxError) as refused:
        Observable.parse("0.5*Z0 + + X1", num_qubits=2)
    assert refused.value.where
