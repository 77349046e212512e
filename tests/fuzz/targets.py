"""What bytes led by coverage are given to: the two parsers we own. An exception is a finding."""

from __future__ import annotations

from controller.agi.protocol import Garbage, Hangup, Header, HeaderReader, Reply, ReplyReader
from controller.ari.wire import Ears
from tests.wire.ari_checks import check


def ari(data: bytes) -> None:
    """Messages of the event stream, one a line, heard by one listener."""
    ears = Ears("tongdai", frozenset({"an"}))
    for raw in data.split(b"\n"):
        for item in ears.hear(raw):
            check(item)


def agi(data: bytes) -> None:
    """A FastAGI session; the first byte says where it is cut."""
    cut = data[0] + 1 if data else 1
    reader = HeaderReader()
    found = None
    at = 1
    while at < len(data) and found is None:
        found = reader.feed(data[at : at + cut])
        at += cut
    assert isinstance(found, Header | Garbage | None)
    if not isinstance(found, Header):
        return
    assert found.values["agi_threadid"]
    replies = ReplyReader(reader.lines)
    replies.feed(data[at:])
    while (said := replies.next()) is not None and not isinstance(said, Garbage):
        assert isinstance(said, Reply | Hangup)


TARGETS = {"Z1": ari, "Z2": agi}
