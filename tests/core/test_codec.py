"""S15: every event, command, fact and live row is written and read back equal; what is torn is refused."""

from __future__ import annotations

import dataclasses
import json
import types
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core import codec, commands, events, facts, model
from controller.core.events import CallArrived, SetupChanged, Ticked
from controller.core.model import Agent, Call, Phase
from tests.core.setups import whole

pytestmark = pytest.mark.pure

KINDS = [
    *get_args(events.Event),
    *get_args(commands.Command),
    *get_args(facts.Fact),
    *get_args(model.Entity),
]
TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=12)
PLAIN = {str: TEXTS, int: st.integers(-(2**63), 2**63), bool: st.booleans(), float: st.floats(allow_nan=False)}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Anything a field of this type may hold."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return st.one_of([st.none() if arg is type(None) else values(arg) for arg in args])
    if origin is tuple:
        if args[-1] is Ellipsis:
            return st.lists(values(args[0]), max_size=3).map(tuple)
        return st.tuples(*map(values, args))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    return instances(hint) if dataclasses.is_dataclass(hint) else PLAIN[hint]


def instances(cls: Any) -> st.SearchStrategy[Any]:
    hints = get_type_hints(cls)
    return st.builds(
        cls, **{field.name: st.deferred(lambda h=hints[field.name]: values(h)) for field in dataclasses.fields(cls)}
    )


def test_a_live_row_leaves_out_what_stands_at_its_default() -> None:
    assert codec.dumps_live(Agent("an")) == '{"name":"an","type":"Agent"}'
    assert codec.dumps_live(Agent("an", reachable=not Agent("an").reachable)).count(":") == 3


@pytest.mark.parametrize("cls", KINDS, ids=lambda cls: cls.__name__)
def test_what_is_written_is_read_back(cls: Any) -> None:
    @settings(max_examples=25, deadline=None, database=None)
    @given(instances(cls))
    def check(value: Any) -> None:
        text = codec.dumps(value)
        assert codec.loads(text) == value
        assert codec.dumps(codec.loads(text)) == text
        short = codec.dumps_live(value)
        assert codec.loads(short) == value
        assert codec.dumps_live(codec.loads(short)) == short
        keys = list(json.loads(text))
        assert keys == sorted(keys), "equal values give equal bytes"
        assert json.loads(text)["type"] == cls.__name__

    check()


def test_there_is_no_kind_without_a_name_of_its_own() -> None:
    assert len({cls.__name__ for cls in KINDS}) == len(KINDS) > 50
    assert not any(field.name == "type" for cls in KINDS for field in dataclasses.fields(cls))


def test_a_whole_setup_goes_through() -> None:
    event = SetupChanged(whole())
    assert codec.loads(codec.dumps(event)) == event


def test_equal_values_give_equal_bytes_whatever_the_order_of_keys() -> None:
    text = codec.dumps(CallArrived("1.1", "+84", "0967", "Tâm"))
    assert text == '{"call":"1.1","caller":"0967","caller_name":"Tâm","dialled":"+84","type":"CallArrived"}'


def test_a_row_of_an_older_version_loads_with_defaults() -> None:
    assert codec.loads('{"type":"Agent","name":"an","status":"available"}') == Agent("an", "available")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "nonsense",
        '{"type":"Setup"}',
        '{"type":"Call"}',
        '{"type":"Ticked","x":1}',
        '{"type":["Ticked"]}',
        '{"type":"CallArrived","call":1,"dialled":"","caller":""}',
        '{"type":"CallArrived","call":true,"dialled":"","caller":""}',
        '{"type":"PhoneChanged","endpoint":"an","reachable":1}',
        '{"type":"Agent","name":"an","phase":"asleep"}',
        '{"type":"Agent","name":"an","phase":[]}',
        '{"type":"Agent","name":"an","foreign":"9.9"}',
        '{"type":"Agent","name":"an","foreign":[9]}',
        '{"type":"ReplyTrunks","call":"1.1","cause":"x#1","attempt":7,"refusal":"","dial_timeout_s":0}',
        '{"type":"SetupChanged","setup":{"agents":[{"name":"an","phone":{"pin":"1"}}]}}',
        '{"type":"SetupChanged","setup":{"schedules":[{"name":"x","timezone":"y","frames":[[[1]]]}]}}',
        '{"type":"Agent","name":' + "[" * 100_000,
    ],
)
def test_what_is_torn_or_foreign_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        codec.loads(text)


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, lambda x: st.lists(x) | st.dictionaries(TEXTS, x))
)
def test_no_json_raises_anything_else(data: object) -> None:
    for kind in ("Call", "Agent", "SnapshotTaken"):
        document = {**data, "type": kind} if isinstance(data, dict) else data
        try:
            codec.decode(document)
        except ValueError:
            continue


def test_what_is_read_is_frozen_and_typed() -> None:
    call = codec.loads(
        '{"type":"Call","id":"1.1","direction":"inbound","phase":"menu","hotline":"","caller":"",'
        '"caller_name":"","callee":"","arrived_at_ms":1,"tried":["an"]}'
    )
    assert isinstance(call, Call)
    assert (call.phase, call.tried) == (Phase.MENU, ("an",))
    assert codec.decode(codec.encode(Ticked())) == Ticked()
