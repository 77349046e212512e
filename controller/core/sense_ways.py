"""Where calls are sent: every way leads somewhere, none round in a circle, and what nobody reaches is told."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from controller.core.saying import say
from controller.core.sense import Draft, exists
from controller.core.setup import Hotline, Setup, WayKind
from controller.core.shape import Place, Report
from controller.core.shape_way import Use

Node = tuple[str, str]
"""A menu or a queue: `("queue", "sales")`."""


def check(draft: Draft, report: Report) -> None:
    """Report ways to nowhere and circles; warn of what nobody reaches and of calls that could not leave."""
    for use in draft.uses:
        _target(draft.setup, use, report)
    _circles(draft.uses, report)
    _unreached(draft, report)
    _dead_ends(draft, report)


def _inner(use: Use) -> Place:
    """Where the target of a way stands: behind `then` when an announcement comes first."""
    return (*use.place, "then") if use.way.play else use.place


def _target(setup: Setup, use: Use, report: Report) -> None:
    way, place = use.way, _inner(use)
    if way.kind is WayKind.QUEUE:
        exists(report, (*place, "queue"), say("a_queue"), way.target, setup.queue)
    elif way.kind is WayKind.MENU:
        exists(report, (*place, "menu"), say("a_menu"), way.target, setup.menu)
    elif way.kind is WayKind.PHONE:
        exists(report, (*place, "hotline"), say("a_hotline"), way.hotline, setup.hotline)
        hotline = setup.hotline.get(way.hotline or (use.name if use.owner == "hotline" else ""))
        if hotline and hotline.kind == "virtual":
            report.add((*place, "phone"), say("way_by_virtual", number=hotline.number))
        elif hotline and not hotline.outbound:
            report.warn((*place, "phone"), say("way_cannot_leave", number=hotline.number))


def _circles(uses: tuple[Use, ...], report: Report) -> None:
    """Refuse ways on which a call goes round although nobody does anything; a key back to the first menu is fine."""
    edges: dict[Node, dict[Node, list[Use]]] = {}
    for use in uses:
        if use.automatic and use.owner != "hotline" and use.way.kind in {WayKind.QUEUE, WayKind.MENU}:
            targets = edges.setdefault((use.owner, use.name), {})
            targets.setdefault((use.way.kind.value, use.way.target), []).append(use)
    while circle := _circle(edges):
        last, first = circle[-1], circle[0]
        way = " → ".join(f"{kind} {name}" for kind, name in (*circle, first))
        for use in edges[last].pop(first):
            report.add(use.place, say("round_for_ever", way=way))


def _circle(edges: dict[Node, dict[Node, list[Use]]]) -> list[Node]:
    """Find one circle, each node leading to the next and the last to the first."""
    try:
        TopologicalSorter({node: list(targets) for node, targets in edges.items()}).prepare()
    except CycleError as error:
        found: list[Node] = error.args[1]
        return found[:0:-1]
    return []


def _unreached(draft: Draft, report: Report) -> None:
    """Warn of menus and queues no caller comes to."""
    doors = [node for hotline in draft.setup.hotlines for node in _entries(hotline)]
    seen = _reached(draft.uses, doors)
    menus = [row.name for row in draft.setup.menus]
    for table, names in (("menu", menus), ("queue", [row.name for row in draft.setup.queues])):
        for place, name in draft.placed(table, names):
            if name and (table, name) not in seen:
                report.warn(place, say("unreached", table=table, name=name))


def _dead_ends(draft: Draft, report: Report) -> None:
    """Warn of hotlines whose callers may be sent to a phone number by a hotline that may not call out."""
    forwards = [use for use in draft.uses if use.way.kind is WayKind.PHONE and not use.way.hotline]
    if not forwards:
        return
    seen_from: dict[tuple[Node, ...], dict[Node, None]] = {}
    for place, hotline in draft.placed("hotline", draft.setup.hotlines):
        if hotline.outbound:
            continue
        doors = _entries(hotline)
        seen = seen_from.setdefault(doors, {}) or _reached(draft.uses, list(doors))
        seen_from[doors] = seen
        for use in forwards:
            if (use.owner, use.name) in seen:
                report.warn(place, say("dead_end", owner=use.owner, name=use.name))


def _entries(hotline: Hotline) -> tuple[Node, ...]:
    """Where callers of a hotline go first."""
    pairs = (("queue", hotline.queue), ("menu", hotline.menu), (hotline.closed.kind.value, hotline.closed.target))
    return tuple(pair for pair in pairs if pair[1])


def _reached(uses: tuple[Use, ...], doors: list[Node]) -> dict[Node, None]:
    """Every menu and queue a call may come to that enters by one of these doors."""
    targets: dict[Node, list[Node]] = {}
    for use in uses:
        targets.setdefault((use.owner, use.name), []).append((use.way.kind.value, use.way.target))
    seen = dict.fromkeys(doors)
    todo = list(seen)
    while todo:
        for node in targets.get(todo.pop(), ()):
            if node not in seen:
                seen[node] = None
                todo.append(node)
    return seen
