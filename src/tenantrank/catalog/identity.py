"""The catalog's id: sha256 of its content in a form that no file format, encoding or library version touches.

The bytes hashed, in order (integers little-endian, lengths in bytes):

1. ``tenantrank-catalog/1`` and a line feed; the number of offers as u64; the length of the declarations as u64, then
   the declarations (see `canonical_declarations`).
2. For each column in ascending order of its name's UTF-8 bytes: u32 length of the name, the name, one byte for the kind
   (``s`` string, ``b`` bool, ``i`` int64, ``d`` double, ``t`` date, ``l`` list of strings), the known mask (bit *k* of
   byte *k // 8*, lowest first, is 1 where row *k* has a value; ⌈n/8⌉ bytes), then the values in row order:
   a bool is one bit in a mask like the one above; an int64 is 8 bytes; a double is its 8 IEEE bytes; a date is days
   since 1970-01-01 as i32; strings are all lengths as u32, then all UTF-8 bytes; lists are all item counts as u32, then
   the lengths of all items as u32, then all their bytes. A null has the value 0, or length 0.

A documented column that is null throughout is left out, so an id does not change when the documented schema grows.
Build date, sources, provenance and the date of judging are not content: the same offers fetched on another day have
the same id.
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tenantrank.catalog.metadata import FORMAT, Metadata, canonical_declarations
from tenantrank.catalog.schema import BY_NAME, Kind, kind_of_type

_TAGS: dict[Kind, bytes] = {"string": b"s", "bool": b"b", "int64": b"i", "double": b"d", "date32": b"t", "list": b"l"}
_FIXED_WIDTH: dict[Kind, str] = {"int64": "<i8", "double": "<f8", "date32": "<i4"}


class _Hash(Protocol):
    def update(self, data: Any, /) -> None: ...


def content_id(table: pa.Table, metadata: Metadata) -> str:
    """Work out the id of a canonical table.

    Parameters
    ----------
    table
        as `canonical_table` gives it
    metadata
        of which declared fields and tier order count

    Returns
    -------
    str
        64 lower-case hex digits
    """
    digest = hashlib.sha256(FORMAT.encode() + b"\n" + table.num_rows.to_bytes(8, "little"))
    declared = canonical_declarations(metadata)
    digest.update(len(declared).to_bytes(8, "little") + declared)
    for name in sorted(table.column_names, key=str.encode):
        column = table.column(name)
        if name in BY_NAME and column.null_count == len(column) and not BY_NAME[name].required:
            continue
        _update(digest, name, column)
    return digest.hexdigest()


def _update(digest: _Hash, name: str, column: pa.ChunkedArray) -> None:
    kind = kind_of_type(column.type)
    assert kind is not None, "a canonical table holds no other type"
    encoded = name.encode()
    digest.update(len(encoded).to_bytes(4, "little") + encoded + _TAGS[kind])
    array = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    digest.update(_mask(array.is_valid()))
    if kind == "string":
        _strings(digest, array.dictionary_decode() if pa.types.is_dictionary(array.type) else array)
    elif kind == "list":
        digest.update(pc.fill_null(pc.list_value_length(array), 0).to_numpy().astype("<u4").tobytes())
        _strings(digest, pc.list_flatten(array))
    elif kind == "bool":
        digest.update(_mask(pc.fill_null(array, False)))
    else:
        integers = array.cast(pa.int32()) if kind == "date32" else array
        digest.update(pc.fill_null(integers, 0).to_numpy().astype(_FIXED_WIDTH[kind], copy=False).tobytes())


def _mask(array: pa.Array) -> bytes:
    bits: npt.NDArray[np.bool_] = array.to_numpy(zero_copy_only=False).astype(bool, copy=False)
    return np.packbits(bits, bitorder="little").tobytes()


def _strings(digest: _Hash, array: pa.Array) -> None:
    filled = pc.fill_null(array, "")
    digest.update(pc.binary_length(filled).to_numpy().astype("<u4").tobytes())
    # Joined as one list of all strings: the only copy made is the content itself.
    offsets = np.frombuffer(filled.buffers()[1], dtype=np.int32)[filled.offset : filled.offset + len(filled) + 1]
    if len(filled) and filled.buffers()[2] is not None:
        digest.update(memoryview(filled.buffers()[2])[int(offsets[0]) : int(offsets[-1])])
