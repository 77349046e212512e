"""What a commit writes, decided without a database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core import codec
from controller.core.facts import CallEnded, OddEvent
from controller.ports import Line
from controller.store.statements import INSERTS, NAMES, SQLITE, compiled, postgres_dialect, several
from controller.store.tables import calls
from controller.store.turns import batch_of, scrubbed, story_lines
from tests.store.rows import (
    T0,
    a_call,
    an_agent,
    an_end,
    answered,
    cleared,
    gone,
    lines,
    offer_ended,
    offered,
    put,
    raised,
    said,
    turn,
)

pytestmark = pytest.mark.pure


def test_nothing_owed_is_nothing_to_say() -> None:
    assert batch_of([]) == {}
    assert batch_of([turn(), turn()]) == {}


def test_the_last_change_of_a_row_counts() -> None:
    call = a_call()
    batch = batch_of([turn(changes=(*put(call), *put(an_agent()))), turn(changes=gone(call))])
    assert batch == {
        "live_put": [("agent", "an", 1, codec.dumps_live(an_agent()))],
        "live_drop": [("call", call.id)],
    }


def test_a_fact_keeps_its_number_and_makes_history() -> None:
    end = an_end()
    batch = batch_of([turn(said(4, end)), turn(said(5, OddEvent("", "Ticked", "why")))])
    assert batch["fact"] == [
        (4, T0 + 4, end.call, "CallEnded", codec.dumps(end)),
        (5, T0 + 5, "", "OddEvent", codec.dumps(OddEvent("", "Ticked", "why"))),
    ]
    (row,) = batch["call"]
    assert dict(zip(NAMES["call"], row, strict=True)) == {
        ("id" if name == "call" else name): getattr(end, name) for name in CallEnded.__slots__
    }
    assert set(NAMES["call"]) == {column.name for column in calls.columns}


def test_offers_and_alerts_are_told_by_their_facts() -> None:
    batch = batch_of(
        [
            turn(said(1, offered("l1")), said(2, offer_ended("l1", rang_ms=2))),
            turn(said(3, offered("l2")), said(4, answered()), said(5, answered(agent=""))),
            turn(said(6, raised()), said(7, cleared())),
        ]
    )
    name = "1700000000.1"
    assert batch["offer"] == [
        ("l1", name, "sales", "an", "longest-idle", T0 + 1, None, ""),
        ("l2", name, "sales", "an", "longest-idle", T0 + 3, None, ""),
    ]
    assert batch["offer_end"] == [("l1", name, "sales", "an", "", T0, T0 + 2, "no_answer")]
    assert batch["offer_answer"] == [(T0 + 4, name, "an", T0 + 4)]
    alert = f"{name}.answer_time"
    assert batch["alert"] == [(alert, "answer_time", name, "+842473001001", "sales", "", 20, T0 + 6, None)]
    assert batch["alert_clear"] == [(T0 + 7, alert)]


def test_a_batch_says_its_statements_in_order() -> None:
    batch = batch_of([turn(said(1, cleared()), said(2, raised()), said(3, answered()), said(4, offered()))])
    assert list(batch) == [name for name in NAMES if name in batch]
    assert list(batch).index("offer") < list(batch).index("offer_answer")


_TEXT = st.text(max_size=20)
_LINES = st.builds(
    Line,
    st.integers(0, 2**45),
    st.just("1.1"),
    _TEXT,
    _TEXT,
    _TEXT,
    st.dictionaries(_TEXT, _TEXT | st.integers() | st.none() | st.lists(_TEXT), max_size=3),
)


@given(st.lists(_LINES, min_size=1, max_size=5))
def test_a_story_unpacks_as_it_was(story: list[Line]) -> None:
    (row,) = batch_of([turn(stories=(("1.1", tuple(story)),))])["story"]
    assert story_lines("1.1", row[3]) == story
    again = batch_of([turn(stories=(("1.1", tuple(story)),), at_ms=T0 + 1)])["story"][0]
    assert again[1] == row[1]


def test_another_story_has_another_part() -> None:
    parts = {batch_of([turn(stories=(("1.1", lines(start=n)),))])["story"][0][1] for n in range(50)}
    assert len(parts) == 50
    assert batch_of([turn(stories=(("1.1", ()),))]) == {}


@given(st.text() | st.integers() | st.none() | st.binary(max_size=9))
def test_scrubbed_values_fit_every_database(value: object) -> None:
    ((found,),) = scrubbed({"x": [(value,)]})["x"]
    if isinstance(value, str):
        assert "\x00" not in found
        found.encode()
        if "\x00" not in value and value.isascii():
            assert found == value
    elif isinstance(value, int):
        assert -(2**63) < found < 2**63
        assert found == value or abs(value) >= 2**63
    else:
        assert found == value


@pytest.mark.parametrize("dialect", [SQLITE, postgres_dialect()], ids=["sqlite", "postgresql"])
def test_every_statement_takes_the_parameters_it_promises(dialect: object) -> None:
    sql = compiled(dialect)  # type: ignore[arg-type]
    assert set(sql) == set(NAMES)
    for name, statement in sql.items():
        marks = statement.count("?") if dialect is SQLITE else statement.count("$")
        assert marks == len(NAMES[name])


def test_an_insert_of_several_rows_is_the_same_insert() -> None:
    sql = compiled(SQLITE)
    for name in INSERTS:
        assert several(sql[name], 1) == sql[name]
        assert several(sql[name], 3).count("?") == 3 * len(NAMES[name])
        assert several(sql[name], 3).partition("VALUES")[0] == sql[name].partition("VALUES")[0]
    assert {name for name, text in sql.items() if text.startswith("INSERT")} >= INSERTS
