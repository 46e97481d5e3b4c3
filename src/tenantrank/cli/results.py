"""Writing results, a table or a text: whole, or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet as pq

from tenantrank.cli.output import json_text
from tenantrank.errors import InputError

_SUFFIXES = (".parquet", ".arrow", ".ipc", ".jsonl")
TABULAR = (*_SUFFIXES, ".csv")
"""What a table without lists, but for those of a bitmask's words, can be written as."""


def check_results(path: Path, inputs: Iterable[Path | None], suffixes: tuple[str, ...] = _SUFFIXES) -> None:
    """Refuse a path that results cannot be written to, or that would replace one of the inputs; makes its folder."""
    if path.suffix.lower() not in suffixes:
        raise InputError(f"{path}: results are written as one of {', '.join(suffixes)}")
    for given in inputs:
        if given is not None and _same(given, path):
            raise InputError(f"{path}: is read as well, and would be replaced")
    if path.is_dir():
        raise InputError(f"{path}: cannot be written: it is a folder")
    if path.exists() and not path.stat().st_mode & 0o222:
        raise InputError(f"{path}: cannot be written: it is read-only")
    with _refusing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _beside(path)
        temporary.open("xb").close()
        temporary.unlink()


def write_results(results: pa.Table, path: Path) -> None:
    """Write results by suffix, through a temporary file beside it that takes its place at the end.

    NaN and infinities, which JSON lacks, are null in ``.jsonl``.
    """
    _replace(path, lambda file: _write(results, file, path.suffix.lower()))


def write_text(text: str, path: Path) -> None:
    """Write a text as UTF-8, as `write_results` does."""
    encoded = text.encode()
    _replace(path, lambda file: file.write(encoded))


def _replace(path: Path, write: Callable[[BinaryIO], object]) -> None:
    path = path.resolve()  # of a link, what it leads to
    with _refusing(path):
        temporary = _beside(path)
        try:
            with temporary.open("xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                shutil.copymode(path, temporary)
            os.replace(temporary, path)
        except BaseException:
            # What went wrong is what matters, also where the file is gone already.
            with suppress(OSError):
                temporary.unlink()
            raise


def _write(results: pa.Table, file: BinaryIO, suffix: str) -> None:
    if suffix == ".parquet":
        pq.write_table(results, file, compression="zstd")
    elif suffix == ".jsonl":
        for batch in results.to_batches(max_chunksize=4096):
            file.writelines(f"{json_text(row)}\n".encode() for row in batch.to_pylist())
    elif suffix == ".csv":
        pyarrow.csv.write_csv(_flattened(results), file)
    else:
        with pyarrow.ipc.new_file(file, results.schema) as writer:
            writer.write_table(results)


def _flattened(results: pa.Table) -> pa.Table:
    """Give a table as CSV can hold it: coded texts as they are, and the words of a bitmask as one text, in hex."""
    columns = {}
    for name in results.column_names:
        column = results[name]
        if pa.types.is_list(column.type):
            masks = [sum(word << 64 * at for at, word in enumerate(words)) for words in column.to_pylist()]
            column = pa.array([f"{mask:#x}" for mask in masks], pa.string())
        elif pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        columns[name] = column
    return pa.table(columns)


def _beside(path: Path) -> Path:
    return path.with_name(f".tenantrank-{secrets.token_hex(8)}.tmp")


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
