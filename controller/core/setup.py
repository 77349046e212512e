"""The setup in force: everything an engineer configures, as frozen values.

`controller.core.validate` builds these from the setup file and refuses what makes no sense, so the rest of the core
may trust every name in here. All durations are whole seconds unless the name says otherwise; names are unique per
table; phone numbers of ours are E.164 with `+` or a short code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

RING_TIME_MIN_S = 3
WRAP_UP_MAX_S = 600


class Strategy(StrEnum):
    """How a queue chooses among free agents of one tier; ties break by the order of the setup."""

    LONGEST_IDLE = "longest-idle"
    ROUND_ROBIN = "round-robin"
    FEWEST_CALLS = "fewest-calls"
    LINEAR = "linear"
    RANDOM = "random"
    RING_ALL = "ring-all"


class WayKind(StrEnum):
    """Where a call can be sent."""

    HANGUP = "hangup"
    QUEUE = "queue"
    MENU = "menu"
    PHONE = "phone"
    VOICEMAIL = "voicemail"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class Way:
    """A way out or onward: an optional announcement (`play`), then `kind` with its `target`.

    `target` is a queue, a menu or a phone number; `hotline` is the hotline that carries a call to a phone number
    (empty: the hotline the caller dialled). `repeat` is only allowed in menus.
    """

    kind: WayKind = WayKind.HANGUP
    target: str = ""
    hotline: str = ""
    play: str = ""


NUMBER_KINDS = ("mobile", "landline", "toll_free", "premium", "service", "voip", "short", "satellite", "unknown")
"""Sorts of numbers an agent may be allowed to call; `controller.core.reach` says which one a number is."""
SAFE_KINDS = tuple(kind for kind in NUMBER_KINDS if kind not in ("premium", "satellite"))
"""What may be called unless the setup says otherwise: neither premium numbers nor satellites."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an agent or a hotline may use of calling out; 0 is no cap. A day is a local day of the setup.

    `calls_at_once` of an agent are the agent's own call and those of callers the agent sent on to outside phones.
    `calls_per_callee` (the same number on one day) is looked at for hotlines only.
    """

    calls_at_once: int = 0
    calls_per_minute: int = 0
    calls_per_day: int = 0
    minutes_per_day: int = 0
    calls_per_callee: int = 0


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom somebody may call, and when.

    `countries` are those besides the own one (None: all of them), `kinds` words of `NUMBER_KINDS`, `hours` a schedule
    (empty: at any time), `longest_call` seconds of talk (0: no end).
    """

    countries: tuple[str, ...] | None = ()
    kinds: tuple[str, ...] = SAFE_KINDS
    hours: str = ""
    longest_call: int = 0


AGENT_LIMITS = Limits(calls_at_once=10, calls_per_minute=10, calls_per_day=200, minutes_per_day=480)
"""What an agent may use unless the setup says otherwise: more than a person dials, less than a thief wants."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where a row does not say.

    Country (ISO 3166, for numbers written nationally), time zone (IANA), language of prompts (`vi`, `en`), longest
    wrap-up (s), numbers of emergency services, and the file of the table of carriers (empty: the shipped one).

    `agent_limits`, `hotline_limits` and `reach` hold where a row does not say; `reach` also for calls of nobody, such
    as a menu that leads to a phone.
    """

    country: str = "VN"
    timezone: str = "Asia/Ho_Chi_Minh"
    language: str = "vi"
    wrap_up_max: int = WRAP_UP_MAX_S
    emergency: tuple[str, ...] = ("112", "113", "114", "115")
    carriers: str = ""
    agent_limits: Limits = AGENT_LIMITS
    hotline_limits: Limits = Limits()
    reach: Reach = Reach()


@dataclass(frozen=True, slots=True)
class Carrier:
    """An operator and the national prefixes it holds. Carriers with the same `on_net` group count as one network."""

    name: str
    aliases: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    on_net: str = ""

    @property
    def group(self) -> str:
        """The network this operator's numbers are on."""
        return self.on_net or self.name


@dataclass(frozen=True, slots=True)
class TableSource:
    """Where the carriers in force come from.

    `origin` is `shipped`, `setup` (its own rows), the path of a file, or empty when there are none. `version` is the
    date of the table, `trouble` why the file that was named is not in force.
    """

    origin: str = ""
    version: str = ""
    sources: tuple[str, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Trunk:
    """A PJSIP endpoint towards a carrier. `host` is rendered to PJSIP; else `endpoint` names one that exists.

    `max_channels`, `max_cps` and `minutes_per_day` of 0 mean no cap. `endpoint` is never empty after validation (the
    trunk's name when rendered from `host`). `cost` only compares: the lower goes first among equals.
    `excluded_prefixes` are written as `controller.core.numbers.comparable` writes numbers.

    `caller_id` is how our number is written (`e164`, `national`, `plain`), `caller_id_in` where it stands (`both`,
    `from`, `pai`: then From says `account`), `privacy` whether the callee is not to see it. `qualify` None: OPTIONS are
    sent as often as the installation says.
    """

    name: str
    carrier: str = ""
    host: str = ""
    endpoint: str = ""
    max_channels: int = 0
    max_cps: int = 0
    enabled: bool = True
    minutes_per_day: int = 0
    cost: int = 0
    excluded_prefixes: tuple[str, ...] = ()
    excluded_kinds: tuple[str, ...] = ()
    caller_id: str = "e164"
    caller_id_in: str = "both"
    privacy: bool = False
    account: str = ""
    qualify: int | None = None


@dataclass(frozen=True, slots=True)
class Fallback:
    """What the dialplan alone does for a hotline while the daemon is away: announce, ring or phone."""

    kind: str = "announce"
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Hotline:
    """A number customers know. `outbound_groups` None means every group; `*_time` None means off.

    `dial_code` are the keys that, dialled before a number, ask for this hotline.
    """

    number: str
    name: str = ""
    kind: str = "carrier"
    type: str = "local"
    country: str = ""
    trunk: str = ""
    carrier: str = ""
    outbound: bool = False
    outbound_groups: tuple[str, ...] | None = None
    record_outbound: bool = False
    queue: str = ""
    menu: str = ""
    wrap_up: int = 0
    notify_answer_time: int | None = None
    notify_talk_time: int | None = None
    widget: bool = False
    hours: str = ""
    closed: Way = Way()
    fallback: Fallback = Fallback()
    limits: Limits = Limits()
    dial_code: str = ""


@dataclass(frozen=True, slots=True)
class Adaptive:
    """A pseudo hotline, replaced at dial time by a real one on the callee's operator; no `fallback`: random."""

    name: str
    fallback: str = ""
    outbound: bool = True
    record_outbound: bool = False
    dial_code: str = ""


@dataclass(frozen=True, slots=True)
class Menu:
    """One node of an IVR tree. `keys` maps a single DTMF key to a way; `timeout` is seconds without a key."""

    name: str
    play: str = ""
    timeout: int = 5
    loops: int = 1
    barge_in: bool = True
    keys: tuple[tuple[str, Way], ...] = ()
    on_timeout: Way = Way(WayKind.REPEAT)
    on_invalid: Way = Way(WayKind.REPEAT)

    def way(self, key: str) -> Way | None:
        """The way behind a key, None when the key is not on the menu."""
        return next((way for name, way in self.keys if name == key), None)


@dataclass(frozen=True, slots=True)
class QueueGroup:
    """A group serving a queue; primary groups are asked before the others."""

    name: str
    primary: bool = True


@dataclass(frozen=True, slots=True)
class Sla:
    """Share of queued calls (percent) that should be answered within so many seconds."""

    percent: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Queue:
    """Callers waiting, in order, and who serves them.

    `pause_after`: an agent who lets so many calls in a row ring out is not ready from then on; 0 never.
    """

    name: str
    groups: tuple[QueueGroup, ...] = ()
    strategy: Strategy = Strategy.LONGEST_IDLE
    ring_time: int = 15
    pause_after: int = 0
    max_wait: int = 60
    max_size: int = 5
    wrap_up: int = 10
    record: bool = True
    music: str = "default"
    sla: Sla | None = None
    hours: str = ""
    closed: Way = Way()
    on_full: Way = Way()
    on_max_wait: Way = Way()
    on_no_agent: Way = Way()


@dataclass(frozen=True, slots=True)
class Group:
    """Agents together."""

    name: str


@dataclass(frozen=True, slots=True)
class Phone:
    """An agent's SIP phone: registers (`user`, `password`), is reached at `contact`, or is an existing `endpoint`."""

    user: str = ""
    password: str = field(default="", repr=False)
    contact: str = ""
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class AgentSetup:
    """A person with a phone. `endpoint`: the PJSIP endpoint's name; `wrap_up` None: the queue's or hotline's value.

    `reach` None: that of `Defaults`.
    """

    name: str
    groups: tuple[str, ...] = ()
    extension: str = ""
    outbound_with: str = ""
    wrap_up: int | None = None
    phone: Phone = Phone()
    endpoint: str = ""
    limits: Limits = Limits()
    reach: Reach | None = None


@dataclass(frozen=True, slots=True)
class Blocked:
    """A number, or all that begin with `number` when `prefix`, kept out of the given scopes until `until_ms`.

    `number` is written as `controller.core.numbers.comparable` writes it.
    """

    number: str
    scopes: tuple[str, ...] = ("ivr", "queue", "outbound")
    prefix: bool = False
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Ported:
    """One subscriber who changed operator, a row of the table; `override` makes it win over every other row."""

    number: str
    carrier: str
    override: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """Opening hours. `frames[weekday]` (0 is Monday) holds (from, to) in minutes of the local day.

    A frame that ends at or before its own beginning ends on the next day. `holidays` are ISO dates.
    """

    name: str
    timezone: str
    frames: tuple[tuple[tuple[int, int], ...], ...]
    holidays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where alerts of the given kinds are posted; every kind when `kinds` is empty."""

    name: str
    url: str
    kinds: tuple[str, ...] = ()
    secret: str = field(default="", repr=False)


def _grouped(rows: Iterable[Blocked]) -> dict[str, tuple[Blocked, ...]]:
    found: dict[str, list[Blocked]] = {}
    for row in rows:
        found.setdefault(row.number, []).append(row)
    return {number: tuple(same) for number, same in found.items()}


@dataclass(frozen=True)
class Setup:
    """The whole setup. Tables keep the order of the file: it is the tie-break of every choice."""

    defaults: Defaults = Defaults()
    trunks: tuple[Trunk, ...] = ()
    carriers: tuple[Carrier, ...] = ()
    hotlines: tuple[Hotline, ...] = ()
    adaptives: tuple[Adaptive, ...] = ()
    menus: tuple[Menu, ...] = ()
    queues: tuple[Queue, ...] = ()
    groups: tuple[Group, ...] = ()
    agents: tuple[AgentSetup, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    ported: tuple[Ported, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    version: int = 0
    carriers_from: TableSource = TableSource()

    @cached_property
    def trunk(self) -> dict[str, Trunk]:
        """Trunks by name."""
        return {row.name: row for row in self.trunks}

    @cached_property
    def carrier(self) -> dict[str, Carrier]:
        """Carriers by name."""
        return {row.name: row for row in self.carriers}

    @cached_property
    def hotline(self) -> dict[str, Hotline]:
        """Hotlines by number."""
        return {row.number: row for row in self.hotlines}

    @cached_property
    def adaptive(self) -> dict[str, Adaptive]:
        """Adaptive numbers by name."""
        return {row.name: row for row in self.adaptives}

    @cached_property
    def dial_codes(self) -> dict[str, str]:
        """The number of a hotline, or the name of an adaptive number, by its dial code."""
        hotlines = {row.dial_code: row.number for row in self.hotlines if row.dial_code}
        return hotlines | {row.dial_code: row.name for row in self.adaptives if row.dial_code}

    @cached_property
    def dial_code_max(self) -> int:
        """How many keys the longest dial code has."""
        return max(map(len, self.dial_codes), default=0)

    @cached_property
    def menu(self) -> dict[str, Menu]:
        """Menus by name."""
        return {row.name: row for row in self.menus}

    @cached_property
    def queue(self) -> dict[str, Queue]:
        """Queues by name."""
        return {row.name: row for row in self.queues}

    @cached_property
    def group(self) -> dict[str, Group]:
        """Groups by name."""
        return {row.name: row for row in self.groups}

    @cached_property
    def agent(self) -> dict[str, AgentSetup]:
        """Agents by name."""
        return {row.name: row for row in self.agents}

    @cached_property
    def agent_order(self) -> dict[str, int]:
        """Place of each agent in the setup: the meaning of `linear` and the tie-break of the other strategies."""
        return {row.name: n for n, row in enumerate(self.agents)}

    @cached_property
    def agent_of_endpoint(self) -> dict[str, str]:
        """Agent names by PJSIP endpoint."""
        return {row.endpoint: row.name for row in self.agents if row.endpoint}

    @cached_property
    def agent_of_extension(self) -> dict[str, str]:
        """Agent names by the extension at which the dialplan rings their phone."""
        return {row.extension: row.name for row in self.agents if row.extension and row.endpoint}

    @cached_property
    def carrier_spelling(self) -> dict[str, str]:
        """Carrier names by every way they are written (name and aliases, case folded)."""
        spelled = {alias.casefold(): row.name for row in reversed(self.carriers) for alias in row.aliases}
        return spelled | {row.name.casefold(): row.name for row in self.carriers}

    @cached_property
    def prefix_owner(self) -> dict[str, str]:
        """Carrier names by national prefix; the longest prefix of a number counts."""
        return {prefix: row.name for row in reversed(self.carriers) for prefix in row.prefixes}

    @cached_property
    def ported_row(self) -> dict[str, Ported]:
        """Ported rows by number."""
        return {row.number: row for row in self.ported}

    @cached_property
    def blocked_exact(self) -> dict[str, tuple[Blocked, ...]]:
        """Blocked rows by whole number."""
        return _grouped(row for row in self.blocked if not row.prefix)

    @cached_property
    def blocked_prefix(self) -> dict[str, tuple[Blocked, ...]]:
        """Blocked rows by prefix."""
        return _grouped(row for row in self.blocked if row.prefix)

    def network(self, carrier: str) -> str:
        """The on-net group a carrier's numbers are on; a carrier in no table is its own network."""
        row = self.carrier.get(carrier)
        return row.group if row else carrier

    @cached_property
    def hotlines_of_network(self) -> dict[str, tuple[Hotline, ...]]:
        """Hotlines by the network they are on, those with the cheaper trunk first, equals in the order of the setup."""
        found: dict[str, list[Hotline]] = {}
        for row in self.hotlines:
            if row.carrier:
                found.setdefault(self.network(row.carrier), []).append(row)
        return {network: tuple(sorted(rows, key=self._cost)) for network, rows in found.items()}

    def _cost(self, hotline: Hotline) -> int:
        trunk = self.trunk.get(hotline.trunk)
        return trunk.cost if trunk else 0

    @cached_property
    def trunks_of_carrier(self) -> dict[str, tuple[Trunk, ...]]:
        """Trunks by carrier, the cheaper first, equals in the order of the setup."""
        found: dict[str, list[Trunk]] = {}
        for row in self.trunks:
            if row.carrier:
                found.setdefault(row.carrier, []).append(row)
        return {carrier: tuple(sorted(rows, key=lambda row: row.cost)) for carrier, rows in found.items()}

    @cached_property
    def trunk_of_endpoint(self) -> dict[str, str]:
        """Trunk names by PJSIP endpoint."""
        return {row.endpoint: row.name for row in self.trunks if row.endpoint}

    @cached_property
    def schedule(self) -> dict[str, Schedule]:
        """Schedules by name."""
        return {row.name: row for row in self.schedules}

    @cached_property
    def staffed(self) -> frozenset[str]:
        """Groups with at least one agent."""
        return frozenset(group for agent in self.agents for group in agent.groups)

    @cached_property
    def tiers_of_agent(self) -> dict[str, tuple[tuple[str, int], ...]]:
        """For each agent the (queue, tier) pairs served, queues in the order of the setup, each with its best tier.

        Agents of the same groups share one tuple: a setup where thousands serve thousands of queues stays small.
        """
        served: dict[str, list[tuple[int, int]]] = {}
        for n, queue in enumerate(self.queues):
            for ref in queue.groups:
                served.setdefault(ref.name, []).append((n, 0 if ref.primary else 1))
        by_groups: dict[tuple[str, ...], tuple[tuple[str, int], ...]] = {}
        for agent in self.agents:
            if agent.groups not in by_groups:
                best: dict[int, int] = {}
                for n, tier in sorted(pair for group in agent.groups for pair in served.get(group, ())):
                    best.setdefault(n, tier)
                by_groups[agent.groups] = tuple((self.queues[n].name, tier) for n, tier in best.items())
        return {agent.name: by_groups[agent.groups] for agent in self.agents}

    @cached_property
    def agents_of_queue(self) -> dict[str, tuple[str, ...]]:
        """Every agent serving a queue, primary tier first, each tier in the order of the setup."""
        members: dict[str, list[int]] = {}
        for n, agent in enumerate(self.agents):
            for group in agent.groups:
                members.setdefault(group, []).append(n)
        by_groups: dict[tuple[QueueGroup, ...], tuple[str, ...]] = {}
        for queue in self.queues:
            if queue.groups not in by_groups:
                tiers = ((0 if ref.primary else 1, ref.name) for ref in queue.groups)
                found = sorted((tier, n) for tier, group in tiers for n in members.get(group, ()))
                by_groups[queue.groups] = tuple(dict.fromkeys(self.agents[n].name for _, n in found))
        return {queue.name: by_groups[queue.groups] for queue in self.queues}
