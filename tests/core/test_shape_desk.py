"""Menus, queues, groups, agents, schedules and webhooks: one mistake at a time, each told in one line."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from controller.core.alphabets import CONTACT
from controller.core.setup import Phone, Sla, Webhook
from tests.core.documents import DROP, changed, problems, right

pytestmark = pytest.mark.pure

PHONE = "either registers (user and password), or has a contact, or is an endpoint that exists"
SECRET = "printable ASCII without spaces, quotes, ; \\ < > [ ] and ` (at most 128)"


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("menu.1.play", DROP, "menu[1].play: is missing"),
        ("menu.0.timeout", 0, "menu[0].timeout: 0 is out of range: 1 to 300"),
        ("menu.0.loops", 21, "menu[0].loops: 21 is out of range: 1 to 20"),
        ("menu.0.barge_in", "no", "menu[0].barge_in: must be true or false, not text"),
        ("menu.1.keys", ["1"], "menu[1].keys: must be a table, not a list"),
        ("menu.1.keys", {"12": "hangup"}, "menu[1].keys.12: '12' is no key of a telephone: 0 to 9, * or #"),
        ("menu.1.keys", {"A": "hangup"}, "menu[1].keys.A: 'A' is no key of a telephone: 0 to 9, * or #"),
        (
            "queue.0.strategy",
            "fifo",
            "queue[0].strategy: 'fifo' is none of longest-idle, round-robin, fewest-calls, linear, random, ring-all",
        ),
        ("queue.0.ring_time", 2, "queue[0].ring_time: 2 is out of range: 3 to 300"),
        ("queue.0.max_wait", 0, "queue[0].max_wait: 0 is out of range: 1 to 86400"),
        ("queue.0.max_size", 0, "queue[0].max_size: 0 is out of range: 1 to 10000"),
        ("queue.0.wrap_up", 601, "queue[0].wrap_up: 601 is out of range: 0 to 600"),
        (
            "queue.0.music",
            "a/b",
            "queue[0].music: 'a/b' is not allowed here: letters a-z, digits and . _ - (at most 64)",
        ),
        ("queue.0.sla", {"percent": 101, "seconds": 20}, "queue[0].sla.percent: 101 is out of range: 1 to 100"),
        ("queue.0.sla", {"percent": 80}, "queue[0].sla.seconds: is missing"),
        ("queue.0.sla", "80/20", "queue[0].sla: must be a table, not text"),
        ("queue.0.groups", ["sales", {"name": "support"}], "queue[0].groups[0]: must be a table, not text"),
        ("queue.0.groups", ["sales", "sales"], "queue[0].groups[1]: 'sales' is in the list twice"),
        (
            "queue.0.groups",
            [{"name": "sales"}, {"name": "sales"}],
            "queue[0].groups[1].name: 'sales' is in the list twice",
        ),
        ("queue.0.groups", [{"primary": True}], "queue[0].groups[0].name: is missing"),
        (
            "queue.0.overflow",
            DROP,
            "queue[0].overflow: is missing, and so callers have no way out (on_full, on_max_wait, on_no_agent)",
        ),
        (
            "queue.0",
            {"name": "sales", "groups": [{"name": "sales"}], "on_full": "hangup", "on_no_agent": "hangup"},
            "queue[0].overflow: is missing, and so callers have no way out (on_max_wait)",
        ),
        (
            "queue.0.hours",
            "office",
            "queue[0].closed: is missing, and so callers have no way out when the hours are over",
        ),
        ("queue.0.on_full", "repeat", None),
        ("group.0.name", "a b", None),
        ("agent.0.extension", "1", "agent[0].extension: '1' is not allowed here: 2 to 6 digits"),
        ("agent.0.extension", 101, "agent[0].extension: must be text, not a whole number"),
        ("agent.0.wrap_up", -1, "agent[0].wrap_up: -1 is out of range: 0 to 600"),
        (
            "agent.0.phone",
            DROP,
            "agent[0].phone: is missing: { user = …, password = … }, { contact = … } or { endpoint = … }",
        ),
        ("agent.0.phone", "an", "agent[0].phone: must be a table, not text"),
        ("agent.0.phone", {}, f"agent[0].phone: {PHONE}"),
        ("agent.0.phone", {"user": "an"}, "agent[0].phone.password: is missing"),
        (
            "agent.0.phone",
            {"user": "an", "password": "a b"},
            f"agent[0].phone.password: this is not allowed here: {SECRET}",
        ),
        ("agent.0.phone", {"user": "an", "password": "x", "contact": "sip:a@127.0.0.1"}, f"agent[0].phone: {PHONE}"),
        (
            "agent.0.phone",
            {"contact": "sip:a@127.0.0.1", "password": "x"},
            "agent[0].phone.password: belongs to a phone that registers with a user",
        ),
        ("agent.0.phone", {"password": "x"}, f"agent[0].phone: {PHONE}"),
        (
            "agent.0.phone",
            {"contact": "sip:a@127.0.0.1;transport=tcp"},
            f"agent[0].phone.contact: 'sip:a@127.0.0.1;transport=tcp' is not allowed here: {CONTACT.words}",
        ),
        (
            "agent.0.phone",
            {"contact": "127.0.0.1"},
            "agent[0].phone.contact: '127.0.0.1' is not allowed here: a SIP address such as sip:an@192.0.2.7:5060",
        ),
        ("schedule.0.open", DROP, 'schedule[0].open: is missing: { mon = ["08:00-12:00", "13:30-17:30"], … }'),
        ("schedule.0.open", {"monday": []}, "schedule[0].open.monday: there is no such key here (did you mean 'mon'?)"),
        ("schedule.0.open.mon", "08:00-12:00", "schedule[0].open.mon: must be a list, not text"),
        (
            "schedule.0.open.mon",
            ["8-12"],
            "schedule[0].open.mon[0]: '8-12' is no time of day such as 08:00-12:00 (or 22:00-06:00)",
        ),
        (
            "schedule.0.open.mon",
            ["08:00-24:30"],
            "schedule[0].open.mon[0]: '08:00-24:30' is no time of day such as 08:00-12:00 (or 22:00-06:00)",
        ),
        (
            "schedule.0.open.mon",
            ["08:00-08:00"],
            "schedule[0].open.mon[0]: '08:00-08:00' is no time of day such as 08:00-12:00 (or 22:00-06:00)",
        ),
        (
            "schedule.0.open.mon",
            [8],
            "schedule[0].open.mon[0]: a whole number is no time of day such as 08:00-12:00 (or 22:00-06:00)",
        ),
        (
            "schedule.0.open.mon",
            ["08:00-12:00", "11:00-13:00"],
            "schedule[0].open.mon[1]: begins before the frame in front of it has ended",
        ),
        (
            "schedule.0.open.mon",
            ["22:00-06:00", "23:00-23:30"],
            "schedule[0].open.mon[1]: begins before the frame in front of it has ended",
        ),
        (
            "schedule.0.timezone",
            "Mars",
            "schedule[0].timezone: 'Mars' is no time zone (IANA), such as Asia/Ho_Chi_Minh",
        ),
        ("schedule.0.holidays", ["tet"], "schedule[0].holidays[0]: 'tet' is no date such as 2027-01-01"),
        ("schedule.0.holidays", [5], "schedule[0].holidays[0]: a whole number is no date such as 2027-01-01"),
        ("webhook.0.url", "ftp://127.0.0.1", "webhook[0].url: 'ftp://127.0.0.1' is no http or https address"),
        ("webhook.0.url", "http://", "webhook[0].url: 'http://' is no http or https address"),
        ("webhook.0.url", "http://a b/", "webhook[0].url: 'http://a b/' is no http or https address"),
        ("webhook.0.url", "http://h:99999/", "webhook[0].url: 'http://h:99999/' is no http or https address"),
        ("webhook.0.url", "http://[::1/", "webhook[0].url: 'http://[::1/' is no http or https address"),
        (
            "webhook.0.url",
            "http://169.254.169.254/latest",
            "webhook[0].url: 169.254.169.254 is no address of a receiver",
        ),
        ("webhook.0.url", "http://[fe80::1]/", "webhook[0].url: fe80::1 is no address of a receiver"),
        (
            "webhook.0.url",
            "http://[::ffff:169.254.1.1]/",
            "webhook[0].url: ::ffff:169.254.1.1 is no address of a receiver",
        ),
        ("webhook.0.url", "http://0.0.0.0:8080/", "webhook[0].url: 0.0.0.0 is no address of a receiver"),
        (
            "webhook.0.url",
            "http://an:hunter2@127.0.0.1/",
            "webhook[0].url: may not carry a user or a password; notices are signed with `secret`",
        ),
        ("webhook.0.url", DROP, "webhook[0].url: is missing"),
        ("webhook.0", {"url": "http://[::1]:8000/"}, "webhook[0].name: is missing"),
        ("webhook.0.kinds", ["Talk Time"], "webhook[0].kinds[0]: 'Talk Time' is not allowed here: small letters and _"),
    ],
)
def test_one_mistake_is_one_line(path: str, value: Any, problem: str | None) -> None:
    found = problems(changed((path, value)))
    if problem is None:
        assert found[0].startswith(f"{path.split('.', maxsplit=1)[0]}[0].")
    else:
        assert found == [problem]


def test_keys_of_a_telephone() -> None:
    keys = dict.fromkeys("0123456789*#", "hangup")
    setup = right(changed(("menu.1.keys", keys))).setup
    assert setup
    assert [key for key, _ in setup.menu["more"].keys] == list("0123456789*#")


def test_where_no_group_is_primary_all_are() -> None:
    groups = [{"name": "sales"}, {"name": "support", "primary": False}]
    setup = right(changed(("queue.0.groups", groups))).setup
    assert setup
    assert all(group.primary for group in setup.queues[0].groups)


def test_a_short_longest_rest_shortens_the_usual_one() -> None:
    setup = right(changed(("defaults.wrap_up_max", 5))).setup
    assert setup
    assert setup.queues[0].wrap_up == 5


def test_sla() -> None:
    setup = right(changed(("queue.0.sla", {"percent": 80, "seconds": 20}))).setup
    assert setup
    assert setup.queues[0].sla == Sla(80, 20)


def test_schedules() -> None:
    row = {
        "name": "shifts",
        "timezone": "Asia/Bangkok",
        "open": {"fri": ["6:00-14:00", "14:00-22:00", "22:00-06:00"], "sun": ["00:00-24:00"]},
        "holidays": ["2027-01-01", date(2027, 4, 30)],
    }
    setup = right(changed(("schedule.1", row))).setup
    assert setup
    schedule = setup.schedules[1]
    assert schedule.frames[4] == ((360, 840), (840, 1320), (1320, 360))
    assert schedule.frames[6] == ((0, 1440),)
    assert (schedule.timezone, schedule.holidays) == ("Asia/Bangkok", ("2027-01-01", "2027-04-30"))


def test_webhooks() -> None:
    row = {"name": "w", "url": "https://alerts.example.com:8443/x?y=1", "kinds": ["talk_time"], "secret": "s3cret"}
    setup = right(changed(("webhook.0", row))).setup
    assert setup
    assert setup.webhooks == (Webhook("w", "https://alerts.example.com:8443/x?y=1", ("talk_time",), "s3cret"),)
    assert "s3cret" not in repr(setup.webhooks)


def test_passwords_are_in_no_representation() -> None:
    assert "hidden" not in repr(Phone("an", "hidden"))


def test_plain_names_of_groups_are_all_primary() -> None:
    setup = right(changed(("queue.0.groups", ["sales", "support"]))).setup
    assert setup is not None
    assert [(group.name, group.primary) for group in setup.queues[0].groups] == [("sales", True), ("support", True)]


@pytest.mark.parametrize("ending", ["", ";transport=udp", ";transport=UDP"])
def test_a_contact_may_say_the_transport_there_is(ending: str) -> None:
    setup = right(changed(("agent.0.phone", {"contact": f"sip:an@127.0.0.21:5071{ending}"}))).setup
    assert setup is not None
    assert setup.agents[0].phone.contact == "sip:an@127.0.0.21:5071"


def test_a_webhook_without_a_name_is_called_by_its_host() -> None:
    setup = right(changed(("webhook.0", {"url": "https://Alerts.example.com:8443/x"}))).setup
    assert setup is not None
    assert setup.webhooks[0].name == "alerts.example.com"
