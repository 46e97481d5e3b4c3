"""Writing a table of results: whole, or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from tenantrank.cli.inputs import InputError

_SUFFIXES = (".parquet", ".arrow", ".ipc", ".jsonl")


def write_results(results: pa.Table, path: Path) -> None:
    """Write results by suffix, through a temporary file beside it that takes its place at the end."""
    if path.suffix not in _SUFFIXES:
        raise InputError(f"{path}: results are written as one of {', '.join(_SUFFIXES)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            os.close(handle)
            _write(results, Path(temporary), path.suffix)
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None


def _write(results: pa.Table, path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pq.write_table(results, path, compression="zstd")
    elif suffix == ".jsonl":
        with path.open("w", encoding="utf-8") as lines:
            for batch in results.to_batches(max_chunksize=4096):
                lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())
    else:
        with pyarrow.ipc.new_file(path, results.schema) as writer:
            writer.write_table(results)
