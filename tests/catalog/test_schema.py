"""The documented columns: complete, typed, and told in the manual as they are."""

import math
from pathlib import Path

import pyarrow as pa
import pytest

from tenantrank.catalog.schema import COLUMNS, arrow_schema, kind_of_type
from tenantrank.policy.signature import BUILTIN_FIELDS, STATE_FIELDS

MANUAL = Path(__file__).parents[2] / "docs" / "catalog.md"


def test_arrow_schema__has_every_column_in_order_and_refuses_nulls_in_keys():
    schema = arrow_schema()
    assert schema.names == [column.name for column in COLUMNS]
    assert [field.name for field in schema if not field.nullable] == ["offer_id", "provider_id", "model_family"]
    assert len(set(schema.names)) == len(schema.names)


def test_columns__share_defaults_with_the_languages_own_fields():
    columns = {column.name: column for column in COLUMNS}
    offered = [field for field in BUILTIN_FIELDS if field.name not in STATE_FIELDS | {"quality"}]
    assert {field.name for field in offered if field.sort == "Num"} <= set(columns)
    assert all(columns[field.name].default == field.default for field in offered if field.sort == "Num")
    assert all(columns[field.name].kind == "bool" for field in offered if field.sort == "Bool")


def test_columns__default_to_the_worst_price_retention_and_delay():
    worst_is_most = [c.name for c in COLUMNS if c.name.startswith("price_") and c.kind == "double"]
    worst_is_most += ["retention_days", "latency_ms", "residency_uplift_eu", "residency_uplift_us"]
    defaults = {column.name: column.default for column in COLUMNS}
    assert len(worst_is_most) > 10
    assert all(defaults[name] == math.inf for name in worst_is_most)


def test_manual__tells_kind_unit_and_null_of_every_column():
    rows = {
        cells[1].strip("` "): [cell.strip() for cell in cells[2:7]]
        for line in MANUAL.read_text(encoding="utf-8").splitlines()
        if len(cells := line.split("|")) == 8 and cells[1].startswith(" `")
    }
    for column in COLUMNS:
        default = f"{column.default:g}" if column.kind in ("int64", "double") else ""
        assert rows[column.name] == [column.kind, column.unit, column.description, column.null, default]


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        (pa.large_string(), "string"),
        (pa.dictionary(pa.int8(), pa.large_string()), "string"),
        (pa.dictionary(pa.int8(), pa.int64()), None),
        (pa.uint16(), "int64"),
        (pa.float32(), "double"),
        (pa.date64(), "date32"),
        (pa.large_list(pa.large_string()), "list"),
        (pa.list_(pa.int8()), None),
        (pa.map_(pa.string(), pa.string()), None),
        (pa.timestamp("s"), None),
    ],
)
def test_kind_of_type__reads_every_width_of_a_kind_and_nothing_else(dtype, kind):
    assert kind_of_type(dtype) == kind
