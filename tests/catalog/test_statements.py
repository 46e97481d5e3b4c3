"""What an entry withdraws together with what it sets."""

from datetime import date

import pyarrow as pa

from tenantrank.catalog import Catalog
from tenantrank.catalog.overlay_file import Attestation
from tenantrank.catalog.statements import Statement

TODAY = date(2026, 11, 23)
GONE = {"valid_until": "2026-10-01"}
RECORDS = [
    {"id": "one", "provider_id": "azure", "model_family": "m", "geo": ["eu"], "regions": ["eu-north-1"]},
    {"id": "two", "provider_id": "azure", "model_family": "m", "geo": ["us"]},
    {"id": "three", "provider_id": "mistral", "model_family": "m"},
]


def entry(match, values, **more):
    return {"match": match, "set": values, "contract": "MSA", "verified_at": "2026-09-01"} | more


def laid(*attestations, records=RECORDS):
    return Catalog.from_records(records).with_overlay({"attestations": list(attestations)}, TODAY)


def test_statement__gives_a_value_as_an_array():
    read = Attestation.model_validate(entry({"lab": "x"}, {"retention_days": 0, "geo": ["eu"]}))
    statement = Statement("attestations[0]", read, "overlay:MSA", None, {"retention_days": "int64", "geo": "list"})
    assert statement.value("retention_days").equals(pa.array([0], pa.int64()))
    assert statement.value("geo").to_pylist() == [["eu"]]


def test_companions__of_one_half_of_a_place_withdraw_the_other():
    after = laid(entry({"offer_id": "one"}, {"geo": ["uk"]}))
    assert (after.lists("geo")[0], after.lists("regions")[0]) == (["uk"], None)
    assert "overlay:MSA: unknown, for only geo is attested" in after.provenance["source"].to_pylist()
    both = laid(entry({"offer_id": "one"}, {"geo": ["uk"]}), entry({"provider_id": "azure"}, {"regions": ["x"]}))
    assert (both.lists("geo")[0], both.lists("regions")[0]) == (["uk"], ["x"])
    assert (both.lists("geo")[1], both.lists("regions")[1]) == (None, ["x"])


def test_companions__of_training_at_a_gateway_withdraw_its_zero_retention():
    gateway = {"zdr": "default", "trains_on_data": "upstream_dependent"}
    records = [RECORDS[0] | gateway, RECORDS[1] | gateway, RECORDS[2] | {"zdr": "default"}]
    match = {"offer_id": ["one", "three"]}
    for values, days in (
        ({"trains_on_data": "no"}, GONE),
        ({"trains_on_data": "no"}, {}),
        ({"trains_on_data": None}, {}),
    ):
        assert laid(entry(match, values, **days), records=records).flags("zdr_default").tolist() == [-1, -1, 1]
    told = laid(entry(match, {"trains_on_data": "no", "zdr": "default"}), records=records)
    assert told.flags("zdr_default").tolist() == [1, -1, 1]
