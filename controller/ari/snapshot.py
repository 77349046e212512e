"""What Asterisk has now: five lists in, one `SnapshotTaken` out. Pure, and as patient with odd JSON as the stream is.

Nothing is replayed after a cut (docs/asterisk-facts.md, A3), so this is the only way to learn what was missed; a
thing's absence is the news. The channels of the application say which are ours, and `dialplan.app_data` of a caller
still holds the words with which the dialplan sent it to us, so that a call can be adopted even with an empty database.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from controller.ari.shape import TECHNOLOGY, Object, a_list, a_text, an_id, an_object, endpoint_of, state_of
from controller.ari.wire import INBOUND
from controller.core import ids
from controller.core.events import BridgeSeen, ChannelSeen, EndpointSeen, SnapshotTaken
from controller.core.text import clean_name, clean_number

ROLE_LEG: Final = "leg"
ROLE_OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Lists:
    """The five replies, parsed but not believed: `channels`, `bridges`, the application, `endpoints` and the info."""

    channels: object
    bridges: object
    application: object
    endpoints: object
    info: object


def read(
    lists: Lists, app: str, phones: Collection[str], asked_at_ms: int | None = None, trunks: Collection[str] = ()
) -> SnapshotTaken:
    """Make a snapshot of the replies. `phones` and `trunks` are the endpoints that concern us."""
    in_app = {an_id(name) for name in a_list(an_object(lists.application).get("channel_ids"))}
    channels = [_channel(an_object(one), app, in_app) for one in a_list(lists.channels)]
    bridges = [_bridge(an_object(one)) for one in a_list(lists.bridges)]
    endpoints = [_endpoint(an_object(one)) for one in a_list(lists.endpoints)]
    return SnapshotTaken(
        boot=_boot(an_object(lists.info)),
        channels=tuple(channel for channel in channels if channel.id),
        bridges=tuple(bridge for bridge in bridges if bridge.id),
        endpoints=tuple(seen for seen in endpoints if seen.endpoint in phones),
        asked_at_ms=asked_at_ms,
        trunks=tuple(replace(seen, channels=()) for seen in endpoints if seen.endpoint in trunks),
    )


def _channel(channel: Object, app: str, in_app: Collection[str]) -> ChannelSeen:
    name = an_id(channel.get("id"))
    caller = an_object(channel.get("caller"))
    dialled = _hotline(an_object(channel.get("dialplan")), app)
    role = ROLE_LEG if ids.parse(name) else ROLE_OTHER
    if role is ROLE_OTHER and name in in_app and dialled is not None:
        role = INBOUND
    return ChannelSeen(
        id=name,
        endpoint=endpoint_of(channel),
        state=state_of(channel),
        ours=name in in_app,
        dialled=clean_number(dialled) if role is INBOUND else "",
        caller=clean_number(caller.get("number")),
        caller_name=clean_name(caller.get("name")),
        role=role,
    )


def _hotline(dialplan: Object, app: str) -> str | None:
    """The hotline in `Stasis(app,inbound,<hotline>)`, or None when the channel came to us in no such way."""
    match a_text(dialplan.get("app_data")).split(","):
        case [name, way, dialled, *_] if dialplan.get("app_name") == "Stasis" and (name, way) == (app, INBOUND):
            return dialled
    return None


def _bridge(bridge: Object) -> BridgeSeen:
    members = [an_id(name) for name in a_list(bridge.get("channels"))]
    return BridgeSeen(an_id(bridge.get("id")), tuple(name for name in members if name))


def _endpoint(endpoint: Object) -> EndpointSeen:
    """A contact that is never asked whether it lives is `unknown` or `online`: both count as reachable."""
    name = a_text(endpoint.get("resource")) if endpoint.get("technology") == TECHNOLOGY else ""
    members = [an_id(channel) for channel in a_list(endpoint.get("channel_ids"))]
    return EndpointSeen(name, endpoint.get("state") != "offline", tuple(channel for channel in members if channel))


def _boot(info: Object) -> str:
    """A name for this life of Asterisk: another start gives another name, a reload does not."""
    system, status = an_object(info.get("system")), an_object(info.get("status"))
    return f"{a_text(system.get('entity_id'))} {a_text(status.get('startup_time'))}".strip()[:128]
