"""The outbound decision: every rule by a case, and by property that nothing forbidden ever gets through."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.carrier_file import shipped
from controller.core import callerid, quota, reach, trunks
from controller.core.model import AgentUse, HotlineState, TrunkState, Use
from controller.core.numbers import comparable, is_blocked, normalise
from controller.core.setup import (
    NUMBER_KINDS,
    SAFE_KINDS,
    Adaptive,
    AgentSetup,
    Blocked,
    Defaults,
    Hotline,
    Limits,
    Ported,
    Reach,
    Setup,
    TableSource,
    Trunk,
)
from controller.core.trunks import ATTEMPTS_MAX, Decision, Question, decide, find_hotline

pytestmark = pytest.mark.pure

NOW_MS = 1_800_000_000_000
DAY = "2027-01-15"
VN = shipped("VN")
CARRIERS = VN.carriers
VIETTEL, VIETTEL_2, MOBI, VINA = "+842473001001", "+842473001002", "+84901001001", "+84911001001"
VIRTUAL = "+842473009999"
DOWN = TrunkState("", failures=3, cooling_until_ms=NOW_MS + 1000)


def line(number: str, trunk: str, **keys: Any) -> Hotline:
    return Hotline(number, trunk=trunk, carrier=trunk.partition("-")[0], outbound=True, **keys)


SETUP = Setup(
    carriers=CARRIERS,
    carriers_from=VN.source,
    trunks=(
        Trunk("viettel-1", "viettel", endpoint="viettel-1", max_channels=2, max_cps=2),
        Trunk("viettel-2", "viettel", endpoint="vt2"),
        Trunk("mobifone-1", "mobifone", endpoint="mobifone-1"),
        Trunk("vinaphone-1", "vinaphone", endpoint="vinaphone-1"),
    ),
    hotlines=(
        line(VIETTEL, "viettel-1"),
        line(MOBI, "mobifone-1", record_outbound=True),
        line(VINA, "vinaphone-1", outbound_groups=("support",)),
        Hotline(VIRTUAL, kind="virtual", carrier="viettel"),
    ),
    adaptives=(Adaptive("auto", MOBI), Adaptive("any"), Adaptive("closed", outbound=False)),
    agents=(
        AgentSetup("an", ("sales",), outbound_with="auto"),
        AgentSetup("binh", ("sales", "support"), outbound_with="any"),
        AgentSetup("chi"),
    ),
    blocked=(Blocked("+84967000999", ("outbound",)), Blocked("+84967000998", ("ivr",))),
    ported=(Ported("+84912345679", "viettel"),),
)


OPEN = replace(SETUP, defaults=Defaults(reach=Reach(countries=None, kinds=NUMBER_KINDS)))
"""Nothing is closed."""


def ask(dialled: str = "0967123456", agent: str = "an", setup: Setup = SETUP, **keys: Any) -> Decision:
    states = keys.pop("trunks", {})
    rest: dict[str, Any] = {"via": "", "ported": "", "ported_source": "", "hotlines": {}, "salt": "c1"} | keys
    return decide(Question(setup=setup, agent=agent, dialled=dialled, trunks=states, now_ms=NOW_MS, **rest))


def ways(decision: Decision) -> list[tuple[str, str]]:
    return [(attempt.trunk, attempt.caller_id) for attempt in decision.attempts]


@pytest.mark.parametrize(
    ("dialled", "carrier", "source", "first"),
    [
        ("0967123456", "viettel", "prefix", VIETTEL),
        ("01201234567", "mobifone", "prefix", MOBI),
        ("0912345679", "viettel", "ported", VIETTEL),
        ("02439361234", "", "unknown", MOBI),
        ("0501234567", "", "unknown", MOBI),
        ("18001234", "", "unknown", MOBI),
        ("046123", "", "unknown", MOBI),
    ],
)
def test_the_hotline_on_the_callees_network_or_the_fallback(
    dialled: str, carrier: str, source: str, first: str
) -> None:
    decision = ask(dialled)
    assert (decision.allowed, decision.carrier, decision.carrier_source) == (True, carrier, source)
    assert (decision.hotline, decision.via, decision.attempts[0].caller_id) == (first, "auto", first)


@pytest.mark.parametrize(
    ("dialled", "number"),
    [
        ("+84967123456", "0967123456"),
        ("+841900561234", "1900561234"),
        ("198", "198"),
        ("+14155552671", "0014155552671"),
    ],
)
def test_the_number_is_sent_as_the_carrier_expects_it(dialled: str, number: str) -> None:
    assert {attempt.number for attempt in ask(dialled, setup=OPEN).attempts} == {number}


def test_the_steps_say_how_the_operator_is_known() -> None:
    assert ask().steps[1] == f"operator viettel, known by prefix of the shipped table {VN.source.version}"
    assert ask("0912345679").steps[1] == "operator viettel, known by ported"
    own = Setup(**{**vars_of(SETUP), "carriers": CARRIERS[:2], "carriers_from": TableSource("setup")})
    assert ask(setup=own).steps[1] == "operator viettel, known by prefix"
    file = Setup(**{**vars_of(SETUP), "carriers_from": TableSource("/etc/carriers.toml", "2027-01-31")})
    assert ask(setup=file).steps[1] == "operator viettel, known by prefix of the table /etc/carriers.toml 2027-01-31"
    assert ask("02439361234").steps[1] == "operator unknown"


@pytest.mark.parametrize("via", ["auto", VIETTEL])
def test_a_colleague_s_extension_leaves_by_no_trunk(via: str) -> None:
    """The dialplan rings extensions itself; asked beforehand, or by click to call, they must not go out as numbers."""
    binh = replace(SETUP.agent["binh"], extension="101", endpoint="binh")
    setup = replace(SETUP, agents=(*(row for row in SETUP.agents if row.name != "binh"), binh))
    decision = ask("101", via=via, setup=setup)
    assert (decision.allowed, decision.reason, decision.attempts) == (False, "not_understood", ())
    assert decision.steps[-1].startswith("101 is the extension of binh")


def test_the_steps_tell_the_area_and_the_extension_that_nobody_dials() -> None:
    decision = ask("024 3936 1234 ext 101")
    reads = "reads as +842439361234 (landline), in Hà Nội; the extension 101 is kept apart"
    assert decision.steps[0] == f"dialled '024 3936 1234 ext 101' {reads}"
    assert {attempt.number for attempt in decision.attempts} == {"02439361234"}


def test_a_look_up_from_outside_beats_the_prefix() -> None:
    decision = ask("0967123456", ported="MobiFone", ported_source="lookup")
    assert (decision.carrier, decision.carrier_source, decision.hotline) == ("mobifone", "lookup", MOBI)


def test_an_mvno_is_on_its_hosts_network() -> None:
    decision = ask("0871234567", agent="binh")
    assert (decision.carrier, decision.hotline) == ("itel", VINA)


def test_the_order_of_attempts() -> None:
    decision = ask()
    assert ways(decision) == [("viettel-1", VIETTEL), ("viettel-2", VIETTEL), ("mobifone-1", MOBI)]
    assert [attempt.endpoint for attempt in decision.attempts] == ["viettel-1", "vt2", "mobifone-1"]
    assert [attempt.why for attempt in decision.attempts] == [
        "on the network of viettel, least recently used",
        "another trunk of viettel",
        "the designated fallback",
    ]


def test_the_least_recently_used_of_equals_goes_first() -> None:
    trunk = Trunk("viettel-3", "viettel", endpoint="viettel-3")
    setup = Setup(
        **{
            **vars_of(SETUP),
            "trunks": (*SETUP.trunks, trunk),
            "hotlines": (*SETUP.hotlines, line(VIETTEL_2, "viettel-3")),
        }
    )
    used = {VIETTEL: HotlineState(VIETTEL, NOW_MS - 10_000)}
    decision = ask(setup=setup, hotlines=used)
    assert ways(decision)[:2] == [("viettel-3", VIETTEL_2), ("viettel-1", VIETTEL)]
    assert any("never used" in step for step in decision.steps)
    assert any("last used 10 s ago" in step for step in decision.steps)
    assert ask(setup=setup).hotline == VIETTEL, "never used at all: the order of the setup"


def vars_of(setup: Setup) -> dict[str, Any]:
    return {name: getattr(setup, name) for name in Setup.__dataclass_fields__}


def test_the_cheaper_of_equals_goes_first_and_so_do_cheaper_spares() -> None:
    costs = {"viettel-1": 3, "viettel-2": 2, "viettel-3": 1, "viettel-4": 1}
    own = tuple(Trunk(name, "viettel", endpoint=name, cost=cost) for name, cost in costs.items())
    lines = (line(VIETTEL, "viettel-1"), line(VIETTEL_2, "viettel-2"))
    setup = Setup(**{**vars_of(SETUP), "trunks": own, "hotlines": lines, "adaptives": (Adaptive("auto"),)})
    both = [("viettel-2", VIETTEL_2), ("viettel-1", VIETTEL)]
    assert ways(ask(setup=setup)) == [*both, ("viettel-3", VIETTEL_2)], "neither was ever used"
    assert ways(ask(setup=setup, via=VIETTEL)) == [
        ("viettel-1", VIETTEL),
        ("viettel-3", VIETTEL),
        ("viettel-4", VIETTEL),
    ]
    used = {VIETTEL_2: HotlineState(VIETTEL_2, NOW_MS - 10_000)}
    assert ways(ask(setup=setup, hotlines=used))[:2] == [*reversed(both)], "the last use comes before the cost"
    alike = {number: HotlineState(number, NOW_MS - 10_000) for number in (VIETTEL, VIETTEL_2)}
    assert ways(ask(setup=setup, hotlines=alike))[:2] == both


def test_a_hotline_whose_trunk_is_full_leaves_by_the_carriers_other_trunk() -> None:
    decision = ask(trunks={"viettel-1": TrunkState("viettel-1", live=("a", "b"))})
    assert ways(decision) == [("viettel-2", VIETTEL), ("mobifone-1", MOBI)]
    assert any("has all its 2 channels in use" in step for step in decision.steps)


@pytest.mark.parametrize(
    "state",
    [
        TrunkState("", live=("a", "b")),
        TrunkState("", starts_ms=(NOW_MS - 999, NOW_MS - 1)),
        DOWN,
    ],
)
def test_a_network_without_a_usable_trunk_leaves_it_to_the_fallback(state: TrunkState) -> None:
    decision = ask(trunks={"viettel-1": state, "viettel-2": DOWN})
    assert ways(decision) == [("mobifone-1", MOBI)]


def test_a_fallback_that_is_not_usable_gives_way_to_chance() -> None:
    chosen = {ask("02439361234", trunks={"mobifone-1": DOWN}, salt=f"c{n}").hotline for n in range(20)}
    assert chosen == {VIETTEL}, "an may not use the hotline of support"
    chosen = {ask("02439361234", agent="binh", trunks={"mobifone-1": DOWN}, salt=f"c{n}").hotline for n in range(20)}
    assert chosen == {VIETTEL, VINA}


def test_without_a_fallback_chance_decides_evenly_and_the_same_way_for_the_same_call() -> None:
    chosen = [ask("02439361234", agent="binh", salt=f"1795000000.{n}").hotline for n in range(3000)]
    for number in (VIETTEL, MOBI, VINA):
        assert 900 < chosen.count(number) < 1100
    assert ask("02439361234", agent="binh", salt="x") == ask("02439361234", agent="binh", salt="x")


def test_service_numbers_are_no_caller_ids_by_themselves() -> None:
    setup = Setup(
        trunks=SETUP.trunks,
        hotlines=(line("19001001", "viettel-1"), line("18001001", "mobifone-1")),
        adaptives=(Adaptive("any"), Adaptive("auto", "19001001")),
        agents=SETUP.agents,
        carriers=CARRIERS,
    )
    assert (ask(agent="binh", setup=setup).allowed, ask(agent="binh", setup=setup).reason) == (False, "not_permitted")
    assert ask(setup=setup).hotline == "19001001", "named as the fallback by a person"


@pytest.mark.parametrize("via", [VIETTEL, "02473001001", "84 247 300 1001"])
def test_an_explicit_hotline_carries_it_whoever_the_callee_is(via: str) -> None:
    decision = ask("0901234567", via=via)
    assert ways(decision) == [("viettel-1", VIETTEL), ("viettel-2", VIETTEL)]
    assert (decision.via, decision.hotline) == (VIETTEL, VIETTEL)
    assert {attempt.trunk for attempt in decision.attempts} <= {"viettel-1", "viettel-2"}, "no other carrier's trunk"


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ({"agent": "nobody"}, "not_agent"),
        ({"dialled": "*99"}, "not_understood"),
        ({"dialled": "500&PJSIP/x"}, "not_understood"),
        ({"dialled": "0967000999"}, "blocked"),
        ({"dialled": "+84 967.000.999", "via": VIETTEL}, "blocked"),
        ({"dialled": "0967000999", "agent": "", "via": VIETTEL}, "blocked"),
        ({"via": "+84247300"}, "no_hotline"),
        ({"via": "automatic"}, "no_hotline"),
        ({"agent": ""}, "no_hotline"),
        ({"via": VIRTUAL}, "virtual"),
        ({"via": VIRTUAL, "agent": ""}, "virtual"),
        ({"via": VINA}, "not_permitted"),
        ({"via": "closed"}, "not_permitted"),
        ({"agent": "chi"}, "not_permitted"),
        ({"via": MOBI, "trunks": {"mobifone-1": DOWN}}, "no_trunk"),
        (
            {"trunks": {f"{name}-1": DOWN for name in ("viettel", "mobifone", "vinaphone")} | {"viettel-2": DOWN}},
            "no_trunk",
        ),
    ],
)
def test_refusals_have_a_word_and_leave_by_no_trunk(question: dict[str, Any], reason: str) -> None:
    decision = ask(**question)
    assert (decision.allowed, decision.reason, decision.attempts, decision.hotline) == (False, reason, (), "")
    assert decision.steps


def test_a_number_blocked_elsewhere_may_be_called() -> None:
    assert ask("0967000998").allowed


def test_an_adaptive_number_with_only_virtual_hotlines_has_none() -> None:
    setup = Setup(hotlines=(Hotline(VIRTUAL, kind="virtual"),), adaptives=(Adaptive("any"),), agents=SETUP.agents)
    assert ask(agent="binh", setup=setup).reason == "no_hotline"


def test_calls_the_controller_makes_itself_belong_to_no_group() -> None:
    decision = ask("0901234567", agent="", via=VINA)
    assert ways(decision) == [("vinaphone-1", VINA)]


def test_a_hotline_that_may_not_call_out_carries_no_forward_either() -> None:
    setup = Setup(trunks=SETUP.trunks, hotlines=(Hotline(VIETTEL, trunk="viettel-1"),))
    assert ask(agent="", via=VIETTEL, setup=setup).reason == "not_permitted"


@pytest.mark.parametrize(
    ("via", "record"),
    [(MOBI, True), (VIETTEL, False), ("auto", False), ("taped", True)],
)
def test_an_adaptive_numbers_switch_wins_over_the_hotlines(via: str, record: bool) -> None:
    adaptives = (*SETUP.adaptives, Adaptive("taped", VIETTEL, record_outbound=True))
    setup = Setup(**{**vars_of(SETUP), "adaptives": adaptives})
    decision = ask("0901234567", via=via, setup=setup)
    assert decision.allowed
    assert decision.record is record


def test_emergency_numbers_pass_every_permission_and_cap() -> None:
    full = {trunk.name: DOWN for trunk in SETUP.trunks}
    decision = ask("113", agent="chi", trunks=full)
    assert (decision.allowed, decision.to) == (True, "113")
    assert ways(decision) == [("viettel-1", VIETTEL), ("mobifone-1", MOBI), ("vinaphone-1", VINA)]
    assert not ask("113", setup=Setup(hotlines=(Hotline(VIRTUAL, kind="virtual"),)), agent="").attempts
    down = {trunk.name: DOWN for trunk in SETUP.trunks[:-1]}
    assert ask("113", agent="chi", trunks=down).attempts[0].trunk == SETUP.trunks[-1].name
    other = Setup(**{**vars_of(SETUP), "defaults": Defaults(emergency=())})
    assert ask("113", agent="chi", setup=other).reason == "not_permitted"


def test_an_emergency_number_may_have_two_digits() -> None:
    """Found: 15 and 18, which a setup may name and the dialplan dials, were no numbers to the core."""
    french = Setup(**{**vars_of(SETUP), "defaults": Defaults("FR", emergency=("15", "112"))})
    decision = ask("15", agent="chi", setup=french)
    assert [attempt.number for attempt in decision.attempts] == ["15"] * 3
    assert ask("17", agent="chi", setup=french).reason == "not_understood"


def test_the_steps_of_a_big_setup_stay_readable() -> None:
    hotlines = tuple(line(f"+8424{73_000_000 + n}", "viettel-1") for n in range(500))
    setup = Setup(**{**vars_of(SETUP), "hotlines": hotlines})
    decision = ask(setup=setup)
    assert decision.allowed
    assert len(decision.steps) < 80
    assert decision.steps[-3].startswith("attempt 1")
    assert decision.steps[-1] == "499 more hotlines on this network are behind these and were not needed"
    closed = tuple(replace(row, outbound=False) for row in hotlines)
    refused = ask(setup=replace(setup, hotlines=closed))
    assert len(refused.steps) < 40
    assert "more were looked at than are written here" in refused.steps


def test_hotlines_are_found_however_they_are_written() -> None:
    assert find_hotline(SETUP, "0247 300 1001") is SETUP.hotlines[0]
    assert find_hotline(SETUP, "auto") is None


# -- nothing forbidden gets through, whatever the setup and the meters ----------------------------------------------

TRUNK_NAMES = ("t1", "t2", "t3", "gone")
GROUPS = ("g1", "g2")
NUMBERS = (VIETTEL, VIETTEL_2, MOBI, VINA, VIRTUAL, "19001001")
CALLEES = (
    "0967123456",
    "0967000999",
    "+84967000999",
    "0901234567",
    "0912345679",
    "02439361234",
    "19005555",
    "+14155552671",
    "0088216123456",
    "x",
    "198",
)
NAMES = ("viettel", "mobifone", "itel", "vinaphone", "")
GROUP_LISTS = st.lists(st.sampled_from(GROUPS), unique=True, max_size=2).map(tuple)

TRUNKS = st.tuples(
    *(
        st.builds(
            Trunk,
            name=st.just(name),
            carrier=st.sampled_from(NAMES),
            endpoint=st.just(f"ep-{name}"),
            max_channels=st.integers(0, 2),
            max_cps=st.integers(0, 2),
            enabled=st.booleans(),
            cost=st.integers(0, 2),
            excluded_prefixes=st.sampled_from([(), (), ("+8496",), ("+1", "19")]),
            excluded_kinds=st.sampled_from([(), (), ("mobile",), ("unknown", "premium")]),
            caller_id=st.sampled_from(["e164", "national", "plain"]),
            privacy=st.booleans(),
        )
        for name in TRUNK_NAMES[:3]
    )
)
LIMITS = st.just(Limits()) | st.builds(
    Limits,
    calls_at_once=st.integers(0, 2),
    calls_per_minute=st.integers(0, 2),
    calls_per_day=st.integers(0, 3),
    minutes_per_day=st.integers(0, 2),
)
USES = st.just(Use()) | st.builds(
    Use,
    live=st.lists(st.sampled_from("abc"), unique=True, max_size=2).map(tuple),
    starts_ms=st.lists(st.integers(NOW_MS - 90_000, NOW_MS), max_size=3).map(tuple),
    day=st.sampled_from([DAY, "2020-01-01"]),
    calls=st.integers(0, 4),
    talked_ms=st.integers(0, 200_000),
)
REACHES = st.builds(
    Reach,
    countries=st.sampled_from([(), ("US",), None]),
    kinds=st.sampled_from([SAFE_KINDS, NUMBER_KINDS, ("landline",)]),
)
HOTLINES = st.lists(
    st.builds(
        Hotline,
        number=st.sampled_from(NUMBERS),
        kind=st.sampled_from(["carrier", "carrier", "virtual"]),
        trunk=st.sampled_from((*TRUNK_NAMES, "")),
        carrier=st.sampled_from(NAMES),
        outbound=st.booleans(),
        outbound_groups=st.none() | GROUP_LISTS,
        record_outbound=st.booleans(),
        limits=LIMITS,
    ),
    unique_by=lambda row: row.number,
    max_size=6,
).map(tuple)
ADAPTIVES = st.tuples(
    st.builds(
        Adaptive,
        name=st.just("auto"),
        fallback=st.sampled_from((*NUMBERS, "")),
        outbound=st.booleans(),
        record_outbound=st.booleans(),
    )
)
AGENTS = st.tuples(
    st.builds(
        AgentSetup,
        name=st.just("an"),
        groups=GROUP_LISTS,
        outbound_with=st.sampled_from(("auto", "", *NUMBERS)),
        limits=LIMITS,
        reach=st.none() | REACHES,
    )
)
BLOCKED = st.lists(
    st.builds(
        Blocked,
        number=st.sampled_from(["+84967000999", "+8496", "19", "+84"]),
        scopes=st.sampled_from([("outbound",), ("ivr",), ("ivr", "queue", "outbound")]),
        prefix=st.booleans(),
        until_ms=st.none() | st.sampled_from([NOW_MS, NOW_MS + 1]),
    ),
    max_size=2,
).map(tuple)
SETUPS = st.builds(
    Setup,
    trunks=TRUNKS,
    carriers=st.just(CARRIERS),
    hotlines=HOTLINES,
    adaptives=ADAPTIVES,
    agents=AGENTS,
    blocked=BLOCKED,
)
STATES = st.dictionaries(
    st.sampled_from(TRUNK_NAMES),
    st.builds(
        TrunkState,
        name=st.just("t"),
        live=st.lists(st.sampled_from("abc"), unique=True, max_size=3).map(tuple),
        starts_ms=st.lists(st.integers(NOW_MS - 1500, NOW_MS), max_size=3).map(lambda rows: tuple(sorted(rows))),
        failures=st.integers(0, 5),
        cooling_until_ms=st.none() | st.integers(NOW_MS - 1000, NOW_MS + 1000),
        reachable=st.sampled_from([True, True, False]),
    ),
)
HOTLINE_STATES = st.builds(HotlineState, st.just("h"), st.integers(0, NOW_MS), USES)
QUESTIONS = st.builds(
    Question,
    setup=SETUPS,
    agent=st.sampled_from(["an", "", "nobody"]),
    dialled=st.sampled_from(CALLEES),
    via=st.sampled_from(("auto", "", "nothing", *NUMBERS)),
    ported=st.sampled_from(["", "viettel", "somebody"]),
    ported_source=st.sampled_from(["", "lookup"]),
    trunks=STATES,
    hotlines=st.dictionaries(
        st.sampled_from(NUMBERS), st.builds(HotlineState, st.just("h"), st.integers(0, NOW_MS), USES)
    ),
    now_ms=st.just(NOW_MS),
    salt=st.text(max_size=5),
    day=st.just(DAY),
    agent_uses=st.dictionaries(st.just("an"), st.builds(AgentUse, st.just("an"), USES)),
)
EXAMPLES = 10_000 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 400


@settings(max_examples=EXAMPLES, deadline=None)
@given(QUESTIONS)
def test_nothing_forbidden_gets_through(question: Question) -> None:
    setup = question.setup
    decision = decide(question)
    assert decide(question) == decision, "asking changes nothing"
    assert decision.allowed == bool(decision.attempts) == (decision.reason == "")
    assert len(decision.attempts) <= ATTEMPTS_MAX
    names = [attempt.trunk for attempt in decision.attempts]
    assert len(names) == len(set(names)), "a trunk that failed is not asked again"
    if decision.allowed:
        assert not is_blocked(setup, question.dialled, "outbound", NOW_MS)
        assert question.agent in {"an", ""}
        may = (setup.agent["an"].reach if question.agent else None) or setup.defaults.reach
        assert reach.refusal(may, normalise(question.dialled), "VN") == ("", ""), "closed numbers stay closed"
        if question.agent:
            used = question.agent_uses.get("an", AgentUse("an")).use
            assert quota.room(used, setup.agent["an"].limits, NOW_MS, DAY) == ""
    for attempt in decision.attempts:
        hotline, trunk = setup.hotline[attempt.hotline], setup.trunk[attempt.trunk]
        assert hotline.kind == "carrier", "a virtual number never calls out"
        assert hotline.outbound
        assert attempt.caller_id == callerid.shown(hotline.number, trunk, "VN"), "always a number of ours"
        used = question.hotlines.get(hotline.number, HotlineState("")).use
        assert quota.room(used, hotline.limits, NOW_MS, DAY) == ""
        number = normalise(question.dialled)
        assert reach.kind_and_country(number, "VN")[0] not in trunk.excluded_kinds
        assert not comparable(number, "VN").startswith(trunk.excluded_prefixes or ("no",))
        assert trunks.unusable(question.trunks.get(trunk.name) or TrunkState(trunk.name), trunk, NOW_MS) == ""
        own = setup.trunk.get(hotline.trunk)
        assert own
        assert trunk == own or (trunk.carrier and trunk.carrier == own.carrier), "a number the trunk may send"
        if question.agent:
            allowed = hotline.outbound_groups
            assert allowed is None or set(allowed) & set(setup.agent["an"].groups)


@settings(max_examples=500, deadline=None)
@given(QUESTIONS)
def test_who_may_call_is_not_refused(question: Question) -> None:
    """The other half: a refusal for want of a way out means that there was none, looked for the long way round."""
    setup, decision = question.setup, decide(question)
    if decision.allowed or decision.reason in {"not_agent", "not_understood", "blocked"}:
        return
    if decision.reason in {"country", "number_kind"} or decision.steps[-1].startswith("an has "):
        return
    number = normalise(question.dialled)
    via = question.via or (setup.agent["an"].outbound_with if question.agent else "")
    asked = [setup.hotline[via]] if via in setup.hotline else []
    if via == "auto" and setup.adaptive["auto"].outbound:
        fallback = setup.adaptive["auto"].fallback
        asked = [row for row in setup.hotlines if row.number.startswith("+") or row.number == fallback]
    for hotline in asked:
        groups = set(setup.agent["an"].groups) if question.agent else set(GROUPS)
        permitted = hotline.outbound_groups is None or not question.agent or groups & set(hotline.outbound_groups)
        trunk = setup.trunk.get(hotline.trunk)
        state = question.trunks.get(hotline.trunk) or TrunkState(hotline.trunk)
        free = trunk is not None and not trunks.unusable(state, trunk, NOW_MS)
        used = question.hotlines.get(hotline.number, HotlineState("")).use
        free = free and not quota.room(used, hotline.limits, NOW_MS, DAY)
        if trunk is not None and (
            reach.kind_and_country(number, "VN")[0] in trunk.excluded_kinds
            or comparable(number, "VN").startswith(trunk.excluded_prefixes or ("no",))
        ):
            free = False
        assert not (hotline.kind == "carrier" and hotline.outbound and permitted and free)
