"""S10: what facts may say about one call, and in which order; after the end nothing, and one end for each call."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.core import facts
from controller.core.facts import Fact


@dataclass
class Story:
    direction: str
    queued: bool = False
    answered: bool = False
    transferred: bool = False
    consulting: str = ""
    out: set[str] = field(default_factory=set)
    offered: set[str] = field(default_factory=set)
    alerts: set[str] = field(default_factory=set)
    raised: set[str] = field(default_factory=set)


class Stories:
    """Reads facts as they are said; `breaches` are sentences."""

    def __init__(self) -> None:
        self.live: dict[str, Story] = {}
        self.ended: dict[str, facts.CallEnded] = {}
        self.breaches: list[str] = []

    def read(self, said: tuple[Fact, ...]) -> None:
        for fact in said:
            self._read(fact)

    def _read(self, fact: Fact) -> None:
        match fact:
            case facts.CallStarted():
                self._must(fact, fact.call not in self.live and fact.call not in self.ended, "it began before")
                self.live[fact.call] = Story(fact.direction)
            case facts.AgentChanged() | facts.SetupApplied() | facts.Reconciled() | facts.OddEvent():
                pass
            case facts.TrunkChanged() | facts.FraudSuspected():
                pass
            case facts.AlertRaised(kind="fraud") | facts.AlertCleared(kind="fraud"):
                pass
            case _ if fact.call not in self.live:
                self._must(fact, False, "it is not known or has ended")
            case _:
                self._about(fact, self.live[fact.call])

    def _about(self, fact: Fact, story: Story) -> None:
        match fact:
            case facts.MenuEntered() | facts.MenuChosen() | facts.CallRouted():
                self._must(fact, story.direction == "inbound" and not story.answered, "out of place")
                self._must(fact, not story.out, "offers are out")
            case facts.CallQueued():
                self._must(fact, story.direction == "inbound" and not story.answered and not story.out, "out of place")
                story.queued = True
            case facts.CallOffered():
                self._must(fact, story.queued and not story.answered, "out of place")
                self._must(fact, fact.leg not in story.offered, "that leg was offered before")
                story.out.add(fact.leg)
                story.offered.add(fact.leg)
            case facts.OfferEnded():
                self._must(fact, fact.leg in story.out, "no such offer is out")
                story.out.discard(fact.leg)
            case facts.CallAnswered():
                self._must(fact, not story.answered, "it was answered before")
                self._must(fact, len(story.out) <= 1, f"offers are out: {story.out}")
                story.answered = True
                story.out.clear()
            case facts.CallTransferred() | facts.TransferAnswered():
                self._transferred(fact, story)
            case facts.ConsultStarted() | facts.ConsultAnswered() | facts.ConsultEnded():
                self._consulted(fact, story)
            case facts.AlertRaised() | facts.AlertCleared():
                self._alert(fact, story)
            case facts.CallEnded():
                self._must(fact, not story.out and not story.alerts, f"left open: {story.out} {story.alerts}")
                self._must(fact, not story.consulting, "a phone is still consulted")
                self._must(
                    fact, story.answered == (fact.answered_at_ms is not None) or fact.direction == "outbound", ""
                )
                self.ended[fact.call] = fact
                del self.live[fact.call]

    def _transferred(self, fact: facts.CallTransferred | facts.TransferAnswered, story: Story) -> None:
        before = isinstance(fact, facts.CallTransferred)
        self._must(fact, story.answered and story.transferred is not before, "out of place")
        story.transferred = True

    def _consulted(self, fact: Fact, story: Story) -> None:
        before = {facts.ConsultStarted: "", facts.ConsultAnswered: "rings", facts.ConsultEnded: story.consulting or "-"}
        after = {facts.ConsultStarted: "rings", facts.ConsultAnswered: "talks", facts.ConsultEnded: ""}
        self._must(fact, story.answered and not story.transferred, "out of place")
        self._must(fact, story.consulting == before[type(fact)], f"while it {story.consulting}")
        story.consulting = after[type(fact)]

    def _alert(self, fact: facts.AlertRaised | facts.AlertCleared, story: Story) -> None:
        if isinstance(fact, facts.AlertRaised):
            self._must(fact, fact.alert not in story.raised, "it was raised before")
            story.raised.add(fact.alert)
            story.alerts.add(fact.alert)
        else:
            self._must(fact, fact.alert in story.alerts, "it is not open")
            story.alerts.discard(fact.alert)

    def _must(self, fact: Fact, true: bool, why: str) -> None:
        if not true:
            self.breaches.append(f"S10 {fact}: {why}")
