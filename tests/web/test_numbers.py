"""Numbers and carriers over the API: what is in force, whose a number is, and naming that by hand."""

from __future__ import annotations

import pytest

from tests.web.house import HOTLINE

pytestmark = pytest.mark.web

NUMBER = "/api/v1/numbers/{}/carrier"


async def test_the_table_in_force_says_where_it_comes_from(house):
    found = (await house.get("/api/v1/carriers", "read")).json()
    names = {row["name"]: row for row in found["carriers"]}
    assert "viettel" in names
    assert found["origin"] == house.engine.world.setup.carriers_from.origin
    assert names["viettel"]["network"] == "viettel"
    assert found["ported"] == {
        "rows": 0, "made_at": None, "lists": [], "blocks": 0, "blocks_in_memory": 0, "bytes": 0, "trouble": None,
    }  # fmt: skip
    assert (found["by_hand"], found["lookup"]) == (0, None)


async def test_an_imported_list_is_in_force_as_soon_as_somebody_says_so(house, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("number,carrier\n0967000111,mobifone\n")
    await house.deps.numbers.import_ported(path, 1_700_000_000_000)
    assert (await house.get("/api/v1/numbers/0967000111")).json()["carrier_source"] == "prefix"
    told = (await house.send("POST", "/api/v1/numbers/refresh")).json()
    assert told["ported"]["rows"] == 1
    assert told["ported"]["made_at"] == "2023-11-14T22:13:20.000Z"
    assert told["ported"]["lists"] == [{"name": "list.csv", "imported_at": "2023-11-14T22:13:20.000Z", "rows": 1}]
    found = (await house.get("/api/v1/numbers/0967000111", "dial")).json()
    assert (found["carrier"], found["carrier_source"], found["e164"]) == ("mobifone", "ported", "+84967000111")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("024%203936%201234%20ext%20101", {"kind": "landline", "area": "Hà Nội", "extension": "101", "carrier": None}),
        ("19001234", {"kind": "premium", "e164": None, "dial": "19001234", "carrier_source": "unknown"}),
        ("+14155552671", {"kind": "foreign", "e164": "+14155552671", "national": None}),
        ("nobody", {"kind": "unknown", "e164": None, "dial": None}),
    ],
)
async def test_what_is_known_of_a_number(house, written, expected):
    found = (await house.get(f"/api/v1/numbers/{written}")).json()
    assert {key: found[key] for key in expected} == expected


async def test_a_carrier_named_by_hand_counts_at_once_and_is_audited(house):
    answer = await house.send("PUT", NUMBER.format("0967000111"), {"carrier": "Viettel", "note": "he told us"})
    assert answer.status_code == 200
    assert (answer.json()["carrier"], answer.json()["carrier_source"]) == ("viettel", "override")
    explained = await house.get("/api/v1/numbers/0967000111")
    assert explained.json() == answer.json()
    (row,) = (await house.get("/api/v1/numbers")).json()["items"]
    assert (row["number"], row["carrier"], row["note"], row["by"]) == (
        "+84967000111", "viettel", "he told us", "admin/admin",
    )  # fmt: skip
    entry = (await house.audit())[0]
    assert (entry.who, entry.action, entry.subject, entry.new) == (
        "admin/admin", "number.carrier", "+84967000111", "viettel",
    )  # fmt: skip
    gone = await house.send("DELETE", NUMBER.format("+84967000111"))
    assert (gone.json()["carrier"], gone.json()["carrier_source"]) == ("viettel", "prefix")
    assert (await house.send("DELETE", NUMBER.format("0967000111"))).status_code == 404
    assert (await house.audit())[0].old == "viettel"


@pytest.mark.parametrize(
    ("number", "body", "path"),
    [
        ("0967000111", {"carrier": "nobody"}, "body.carrier"),
        ("0967000111", {"carrier": ""}, "body.carrier"),
        ("0967000111", {"carrier": "viettel", "note": "x" * 201}, "body.note"),
        ("19001234", {"carrier": "viettel"}, "path.number"),
        ("nobody", {"carrier": "viettel"}, "path.number"),
    ],
)
async def test_what_cannot_be_named_is_refused_and_leaves_no_row(house, number, body, path):
    before = len(await house.audit())
    answer = await house.send("PUT", NUMBER.format(number), body)
    assert answer.status_code == 422
    assert [row["path"] for row in answer.json()["errors"]] == [path]
    assert len(await house.audit()) == before


async def test_pages_of_numbers_named_by_hand(house):
    for n in range(5):
        await house.send("PUT", NUMBER.format(f"096700011{n}"), {"carrier": "viettel"})
    first = (await house.get("/api/v1/numbers", limit=3)).json()
    rest = (await house.get("/api/v1/numbers", limit=3, cursor=first["next"])).json()
    numbers = [row["number"] for row in (*first["items"], *rest["items"])]
    assert numbers == [f"+8496700011{n}" for n in range(5)]
    assert rest["next"] is None


async def test_the_dial_path_and_the_question_beforehand_know_the_same(house):
    await house.send("PUT", NUMBER.format("0967000111"), {"carrier": "viettel"})
    number = (await house.get("/api/v1/numbers/0967000111")).json()
    assert await house.deps.look_up("0967000111") == (number["carrier"], number["carrier_source"])
    assert (await house.get("/api/v1/outbound/explain", to="0967000111", hotline=HOTLINE)).status_code == 200
