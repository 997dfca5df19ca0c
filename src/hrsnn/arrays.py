"""Tables of a network from matrices of weights, and back.

Matrices are `W[post, pre]`, dense or of scipy.sparse, the way a layer of torch keeps its weights.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from hrsnn._checks import as_array, require
from hrsnn.tables import ADAPTATION, NeuronTable, OutputTable, SynapseTable

Matrix = Any  # dense, or of scipy.sparse
Columns = Mapping[str, Matrix]

_TAU_OUT_MS = 20.0
# What synapses are that are given as weights alone: they do not learn, and are under way for one step.
_SYNAPSES: dict[str, float] = {"a_plus": 0.0, "a_minus": 0.0, "tau_plus_ms": 20.0, "tau_minus_ms": 20.0}
_MAY_BE_ABSENT = (*ADAPTATION, "sign", "position")
_OWNER = "Network.from_arrays"


def tables(
    w_rec: Matrix, w_in: Matrix, vectors: Mapping[str, Any], *, delay_ms: Matrix | None, dt_ms: float,
    recurrent: Columns | None, inputs: Columns | None,
) -> tuple[NeuronTable, SynapseTable, SynapseTable]:  # fmt: skip
    """Neurons, recurrent and input synapses, of `Network.from_arrays`, which tells what is given and raised.

    `vectors` are the columns of the neurons; those that are None are left out, or derived.
    """
    w_rec, w_in = _matrix("w_rec", w_rec), _matrix("w_in", w_in)
    n, n_inputs = _sizes(w_rec, w_in)
    own = {"recurrent": _given("recurrent", recurrent), "inputs": _given("inputs", inputs)}
    for name, columns in own.items():
        known = set(SynapseTable.__dataclass_fields__) - {"ptr", "post", "weight"}
        for unknown in columns.keys() - known:
            require(False, _OWNER, name, f"must name columns of synapses: {', '.join(sorted(known))}", unknown)
    if delay_ms is not None:
        own["recurrent"].setdefault("delay_ms", delay_ms)
        if _is_number("delay_ms", delay_ms):
            own["inputs"].setdefault("delay_ms", delay_ms)
    between = _synapses("recurrent", w_rec, n, own["recurrent"], dt_ms)
    given = {name: value for name, value in vectors.items() if value is not None or name not in _MAY_BE_ABSENT}
    position = given.pop("position", np.zeros((n, 3)))
    given.setdefault("sign", _signs(between))
    neurons = NeuronTable(**{name: _vector(name, value, n) for name, value in given.items()}, position=position)
    _warn_of_seconds(neurons, dt_ms)
    return neurons, between, _synapses("inputs", w_in, n_inputs, own["inputs"], dt_ms)


def outputs(w_out: Matrix | None, *, tau_ms: ArrayLike | None, bias: ArrayLike | None) -> OutputTable | None:
    """Output units of `Network.from_arrays`."""
    of_units = {"tau_ms": ("tau_out_ms", tau_ms, _TAU_OUT_MS), "bias": ("bias_out", bias, 0.0)}
    if w_out is None:
        for name, value, _ in of_units.values():
            require(value is None, _OWNER, name, "must be None without w_out, whose units it is of", value)
        return None
    weight = w_out.toarray() if _is_sparse(w_out) else as_array(_OWNER, "w_out", w_out)
    rule = "must be a matrix (n_outputs, n_neurons), dense or of scipy.sparse"
    require(weight.ndim == 2, _OWNER, "w_out", rule, f"shape {weight.shape}")
    columns = {
        name: _vector(told, otherwise if value is None else value, len(weight))
        for name, (told, value, otherwise) in of_units.items()
    }
    return OutputTable(weight, **columns)


def matrices(name: str, table: SynapseTable, n_neurons: int, *, dense: bool) -> dict[str, Matrix]:
    """Every column of a table as a matrix (n_neurons, n_pre), `weight` among them.

    Sparse matrices store each synapse, dense ones hold 0 where there is none. Raises `InputError` where two synapses
    have the same ends.
    """
    return {
        column: _as_matrix(name, table, values, n_neurons, dense) for column, values in table.edge_columns().items()
    }


# -- matrices and vectors ----------------------------------------------------------------------------------------------


def _matrix(name: str, values: Matrix) -> Any:
    """In compressed columns where sparse, else an array; of real numbers, two-dimensional."""
    is_sparse = _is_sparse(values)
    array: Any = values if is_sparse else as_array(_OWNER, name, values)
    require(array.dtype.kind in "biuf", _OWNER, name, "must be real numbers", f"dtype {array.dtype}")
    rule = "must be a matrix W[post, pre], dense or of scipy.sparse"
    require(array.ndim == 2, _OWNER, name, rule, f"shape {array.shape}")
    if not is_sparse:
        return array
    matrix = sparse.csc_array(array, copy=True)  # adding up is done in place, and theirs stays as it is
    matrix.sum_duplicates()
    if array.format == "bsr":
        matrix.eliminate_zeros()  # what fills up its blocks; that of diagonals is left out by SciPy itself
    return matrix


def _is_sparse(values: Any) -> bool:
    # A function of its own: the types of SciPy's narrow to something that nothing can be done with.
    return bool(sparse.issparse(values))


def _is_number(name: str, values: Any) -> bool:
    return not _is_sparse(values) and as_array(_OWNER, name, values).ndim == 0


def _given(name: str, columns: Any) -> dict[str, Any]:
    """The columns that are given: what is None is as if it were not there."""
    rule = "must be a table of columns, name -> number or matrix"
    require(columns is None or isinstance(columns, Mapping), _OWNER, name, rule, columns)
    return {column: values for column, values in (columns or {}).items() if values is not None}


def _sizes(w_rec: Any, w_in: Any) -> tuple[int, int]:
    n = w_rec.shape[0]
    require(n >= 1 and w_rec.shape == (n, n), _OWNER, "w_rec", "must be square, W[post, pre]", f"shape {w_rec.shape}")
    is_turned = w_in.shape[0] != n and w_in.shape[1] == n
    remedy = "it is W[pre, post]: give its transpose w_in.T" if is_turned else "inputs are its columns"
    rule = f"must have a row for each of the {n} neurons of w_rec, W[post, pre]"
    require(w_in.shape[0] == n and w_in.shape[1] >= 1, _OWNER, "w_in", rule, f"shape {w_in.shape}", remedy=remedy)
    return n, int(w_in.shape[1])


def _edges(matrix: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Ends and weights of the synapses: all that a sparse matrix stores, and what is not 0 of a dense one."""
    if _is_sparse(matrix):
        stored = matrix.tocoo()
        return stored.col, stored.row, stored.data
    pre, post = np.nonzero(matrix.T)
    return pre, post, matrix[post, pre]


def _synapses(name: str, matrix: Any, n_pre: int, own: Columns, dt_ms: float) -> SynapseTable:
    pre, post, weight = _edges(matrix)
    columns: dict[str, Any] = {**_SYNAPSES, "delay_ms": dt_ms, "w_max": np.abs(weight.astype(np.float64))}
    for column, values in own.items():
        columns[column] = _at(f"{name}.{column}", values, matrix.shape, pre, post)
    return SynapseTable.from_edges(pre, post, n_pre=n_pre, weight=weight, **columns)


def _at(name: str, values: Matrix, shape: tuple[int, int], pre: NDArray[Any], post: NDArray[Any]) -> Any:
    """A column from a number for all synapses or a matrix like that of the weights."""
    if _is_number(name, values):
        return values
    matrix = _matrix(name, values)
    rule = f"must be a number, or a matrix like that of the weights, {shape}"
    require(matrix.shape == shape, _OWNER, name, rule, f"shape {matrix.shape}")
    if _is_sparse(matrix):
        return np.asarray(sparse.csr_array(matrix)[post, pre]).reshape(-1) if pre.size else np.zeros(0)
    return matrix[post, pre]


def _vector(name: str, values: ArrayLike, n: int) -> NDArray[Any]:
    rule = f"must be a number or a vector of {n}"
    require(values is not None, _OWNER, name, rule, values)
    array = as_array(_OWNER, name, values)
    require(array.shape in ((), (n,)), _OWNER, name, rule, f"shape {array.shape}")
    return np.broadcast_to(array, n)


def _signs(table: SynapseTable) -> NDArray[np.int8]:
    """-1 for neurons whose every weight that is not 0 is negative; +1 for all others."""
    pre, n = table.pre(), table.n_pre
    n_positive, n_negative = (np.bincount(pre[side], minlength=n) for side in (table.weight > 0, table.weight < 0))
    return np.where((n_negative > 0) & (n_positive == 0), -1, 1).astype(np.int8)


def _warn_of_seconds(neurons: NeuronTable, dt_ms: float) -> None:
    if (neurons.tau_mem_ms < 1).all() and dt_ms >= 0.1:
        longest = float(neurons.tau_mem_ms.max())
        text = (
            f"all membrane time constants are below 1 ms (the longest is {longest:g}): times are in milliseconds; "
            "give seconds times 1000"
        )
        warnings.warn(text, RuntimeWarning, stacklevel=4)


def _as_matrix(
    name: str, table: SynapseTable, values: NDArray[Any], n_neurons: int, dense: bool
) -> NDArray[Any] | sparse.csr_array:
    pre = table.pre()
    matrix = sparse.coo_array((values, (table.post, pre)), shape=(n_neurons, table.n_pre)).tocsr()
    if matrix.nnz < values.size:
        edge, times = np.unique(pre.astype(np.int64) * n_neurons + table.post, return_counts=True)
        at = int(edge[times > 1][0])
        rule = "must have one synapse at most between two units, as a matrix has one number there"
        ends = f"several from unit {at // n_neurons} to neuron {at % n_neurons}"
        require(False, "Network.to_arrays", name, rule, ends)
    return matrix.toarray() if dense else matrix
