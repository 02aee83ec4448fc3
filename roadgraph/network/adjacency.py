"""Networks of detectors that come as an adjacency matrix, without any geometry."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pandas as pd
from scipy import sparse

from roadgraph.errors import DataError
from roadgraph.network.detectors import detector_network, listed_detectors

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.network.network import Network
    from roadgraph.settings import CitySettings

BINARY = (".npz", ".npy")


def read_adjacency(path: Path, city: CitySettings) -> Network:
    """Read an ``N x N`` matrix of weights into a network.

    A weight above 0 in row ``i``, column ``j`` makes a link from detector ``i`` to ``j``; the
    diagonal is left out, because every model adds its own self-loops. Names are those of
    ``city.detector_ids``, else of the header of ``city.speeds``, else ``0`` to ``N - 1``.

    Args:
        path: CSV without header; ``.npy``; ``.npz`` of one square array, or a matrix that
            ``scipy.sparse.save_npz`` wrote. Nothing in it is unpickled.
        city: ``speeds`` and ``detector_ids`` are used.

    Raises:
        DataError: a file is missing or empty, the matrix is not square, holds no numbers, or does
            not fit the detectors.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing; set city.roads and city.speeds")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    weights = _binary_matrix(path) if path.suffix in BINARY else _text_matrix(path)
    ids = listed_detectors(city)
    if ids is None:
        ids = [str(place) for place in range(weights.shape[0])]
    if weights.shape != (len(ids), len(ids)):
        named_by = city.detector_ids or city.speeds or "the matrix itself"
        raise DataError(
            f"{path}: needs shape [{len(ids)}, {len(ids)}], one row and column a "
            f"detector of {named_by} (found {list(weights.shape)})"
        )
    wrong = ~np.isfinite(weights.data) | (weights.data < 0)
    if wrong.any():
        row, column = min(zip(weights.row[wrong], weights.col[wrong], strict=True))
        raise DataError(f"{path}: row {row + 1}, column {column + 1} is no weight of 0 or more")
    return detector_network(ids, weights.row, weights.col, weights.data, str(path))


def _text_matrix(path: Path) -> sparse.coo_array:
    try:
        matrix = pd.read_csv(path, header=None).to_numpy(dtype=np.float64)
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path}: not a matrix of numbers: {error}") from error
    return sparse.coo_array(matrix)


def _binary_matrix(path: Path) -> sparse.coo_array:
    try:
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return _numbers(content, path)
            if {"format", "shape", "data"} <= set(content.files):
                file.seek(0)
                return _sparse(file, path)
            arrays = {name: content[name] for name in content.files}
    except DataError:
        raise
    # Damaged files fail anywhere in numpy, zipfile and Python's parser, which numpy's header goes
    # through; a pickle inside is a ValueError, a shape that no memory holds a MemoryError.
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as a matrix of numbers ({error}); it may be cut short or hold "
            "Python objects: save the matrix anew with scipy.sparse.save_npz or numpy.save"
        ) from error
    squares = [name for name, array in arrays.items() if _is_square(array)]
    if len(squares) != 1:
        found = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        raise DataError(
            f"{path}: needs exactly one square array (found {found or 'none'}); save the "
            "adjacency matrix alone"
        )
    return _numbers(arrays[squares[0]], path)


def _is_square(array: np.ndarray) -> bool:
    return array.ndim == 2 and array.shape[0] == array.shape[1]


def _sparse(file: BinaryIO, path: Path) -> sparse.coo_array:
    matrix = sparse.load_npz(file)
    if matrix.format in ("csr", "csc"):
        matrix.check_format(full_check=True)
    entries = sparse.coo_array(matrix)
    entries.sum_duplicates()
    return _checked(entries, path)


def _numbers(matrix: np.ndarray, path: Path) -> sparse.coo_array:
    if matrix.ndim != 2:
        raise DataError(f"{path}: a matrix has two axes (found shape {list(matrix.shape)})")
    if matrix.dtype.kind not in "biuf":
        raise DataError(f"{path}: not a matrix of numbers but of {matrix.dtype}")
    return sparse.coo_array(matrix)


def _checked(entries: sparse.coo_array, path: Path) -> sparse.coo_array:
    if entries.dtype.kind not in "biuf":
        raise DataError(f"{path}: not a matrix of numbers but of {entries.dtype}")
    return entries
