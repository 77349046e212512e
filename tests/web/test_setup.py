"""The setup over the API: read, checked, changed by one of two who save at once, and every mistake told."""

from __future__ import annotations

import asyncio
import tomllib

import pytest

from controller.web.auth import TOML_MEDIA
from tests.web.house import HOTLINE, SECRET, SETUP

pytestmark = pytest.mark.web

PATH = "/api/v1/setup"
TOML = {"Content-Type": "application/toml"}
LONGER = SETUP.replace("max_wait = 60", "max_wait = 90")
SECRETS = SETUP.replace(SECRET, "another-password")


async def put(house, text, **heads):
    async with house.client() as client:
        return await client.put(PATH, content=text, headers=TOML | {key.replace("_", "-"): heads[key] for key in heads})


async def test_the_setup_is_told_as_it_was_written_or_as_json(house):
    async with house.client() as client:
        toml = await client.get(PATH, headers={"Accept": "application/toml"})
        json = await client.get(PATH)
    assert toml.text == SETUP
    assert toml.headers["content-type"].startswith("application/toml")
    assert json.headers["etag"] == toml.headers["etag"] == '"1"'
    document = json.json()
    assert document.pop("version") == 1
    assert document == tomllib.loads(SETUP)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/toml, application/json;q=0.5", "application/toml"),
        ("application/json, application/toml;q=0.5", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("text/html", None),
        ("application/json;q=0", None),
    ],
)
async def test_the_form_is_the_one_asked_for(house, accept, media):
    async with house.client() as client:
        answer = await client.get(PATH, headers={"Accept": accept})
    if media is None:
        assert answer.status_code == 406
    else:
        assert answer.headers["content-type"].startswith(media)


async def test_a_change_is_in_force_when_the_answer_comes(house):
    answer = await put(house, LONGER, If_Match='"1"')
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert answer.json() == {"version": 2, "changes": ["~ queue sales: max_wait 60 -> 90"]}
    assert house.engine.world.setup.queue["sales"].max_wait == 90
    assert house.engine.world.setup.version == 2
    row = (await house.audit())[0]
    assert (row.who, row.action, row.old, row.new) == ("admin/admin", "setup.put", "1", "2")


@pytest.mark.parametrize("seen", ['"1"', "1", 'W/"1"', "*"])
async def test_every_spelling_of_the_version_is_understood(house, seen):
    assert (await put(house, LONGER, If_Match=seen)).status_code == 200


async def test_of_two_who_save_at_once_one_wins_and_the_other_is_told(house):
    texts = [SETUP.replace("max_wait = 60", f"max_wait = {70 + n}") for n in range(5)]
    answers = await asyncio.gather(*(put(house, text, If_Match='"1"') for text in texts))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    won = next(n for n, answer in enumerate(answers) if answer.status_code == 200)
    assert house.engine.world.setup.queue["sales"].max_wait == 70 + won
    for answer in answers:
        if answer.status_code == 409:
            assert (answer.json()["seen"], answer.json()["version"]) == (1, 2)
    async with house.client() as client:
        assert (await client.get(PATH, headers={"Accept": "application/toml"})).text == texts[won]


async def test_without_a_version_nothing_is_changed(house):
    assert (await put(house, LONGER)).status_code == 428
    assert (await put(house, LONGER, If_Match="newest")).status_code == 422
    assert house.engine.world.setup.version == 1


async def test_what_get_told_as_json_may_be_changed_and_put_back(house):
    document = (await house.get(PATH)).json()
    document["queue"][0]["max_wait"] = 90
    answer = await house.send("PUT", PATH, document)
    assert (answer.status_code, answer.json()["changes"]) == (200, ["~ queue sales: max_wait 60 -> 90"])
    stale = await house.send("PUT", PATH, document)
    assert (stale.status_code, stale.json()["version"]) == (409, 2)
    again = (await house.get(PATH)).json()
    assert again == document | {"version": 2}


async def test_a_document_may_be_wrapped_with_its_version(house):
    document = (await house.get(PATH)).json()
    version = document.pop("version")
    document["queue"][0]["max_wait"] = 91
    answer = await house.send("PUT", PATH, {"version": version, "setup": document})
    assert answer.status_code == 200
    assert house.engine.world.setup.queue["sales"].max_wait == 91


MISTAKES = f"""
[[trunk]]
name = "viettel-1"
host = "127.0.0.11:5070"

[[hotline]]
number = "{HOTLINE}"
trunk = "nobody"
queue = "sales"
wrap_up = -1

[[queue]]
name = "sales"
groups = [{{ name = "sales" }}]
ring_time = 1
strategy = "lineer"
overflow = "hangup"
colour = "red"

[[group]]
name = "sales"
"""


@pytest.mark.parametrize("verb", ["PUT", "POST"])
@pytest.mark.parametrize("media", ["application/toml", "application/json"])
async def test_every_mistake_is_told_with_its_path(house, verb, media):
    path = PATH if verb == "PUT" else f"{PATH}/check"
    async with house.client() as client:
        heads = {"If-Match": "*", "Content-Type": media}
        if media == "application/toml":
            answer = await client.request(verb, path, content=MISTAKES, headers=heads)
        else:
            answer = await client.request(verb, path, json=tomllib.loads(MISTAKES), headers=heads)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    errors = {row["path"]: row["reason"] for row in answer.json()["errors"]}
    assert {
        "hotline[0].trunk", "hotline[0].wrap_up", "queue[0].ring_time", "queue[0].strategy", "queue[0].colour",
    } <= set(errors)  # fmt: skip
    assert all(errors.values())
    assert house.engine.world.setup.version == 1


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("vi", "vi"),
        ("vi-VN,vi;q=0.9,en;q=0.8", "vi"),
        ("en-GB,en;q=0.9,vi;q=0.5", "en"),
        ("fr, vi;q=0.3", "vi"),
        ("vi;q=0", "en"),
        ("vi;q=x", "en"),
        ("", "en"),
    ],
)
async def test_mistakes_are_told_in_the_language_that_is_asked_for(house, accepted, language):
    async with house.client() as client:
        heads = {"If-Match": "*", "Content-Type": "application/toml", "Accept-Language": accepted}
        answer = await client.put(PATH, content=MISTAKES, headers=heads)
        lost = await client.get("/api/v1/calls?limit=0&state=dead", headers={"Accept-Language": accepted})
    errors = {row["path"]: row["reason"] for row in answer.json()["errors"]}
    assert answer.headers["content-language"] == language
    if language == "vi":
        assert answer.json()["detail"] == f"cấu hình có {len(errors)} lỗi, chưa thay đổi gì"
        assert errors["hotline[0].trunk"] == "không có trunk nào tên 'nobody'"
        assert {row["reason"] for row in lost.json()["errors"]} == {
            "phải lớn hơn hoặc bằng 1",
            "phải là 'live' or 'ended'",
        }
    else:
        assert answer.json()["detail"] == f"the setup has {len(errors)} mistakes, nothing was changed"
        assert errors["hotline[0].trunk"] == "no trunk is named 'nobody'"


@pytest.mark.parametrize(
    "body",
    ["{", "[]", "7", '"x"', "null", '{"queue": NaN}', '{"a": 1, "a": 2}', "[" * 100_000, '{"version": true}',
     '{"a": "\\ud800"}', '{"queue": 1e999}', '{"version": 1, "version": 2}', "\ufeff{}", '{"a": ' + "1" * 5000 + "}"],
)  # fmt: skip
async def test_a_body_that_is_no_document_is_422_and_never_more(house, body):
    async with house.client() as client:
        for method, path in (("PUT", PATH), ("POST", f"{PATH}/check")):
            heads = {"Content-Type": "application/json", "If-Match": "*"}
            answer = await client.request(method, path, content=body.encode(), headers=heads)
            assert answer.status_code == 422, (method, answer.text)
            assert answer.json()["errors"]


@pytest.mark.parametrize("body", [b"[[", b"\xff\xfe", b"a = 1\na = 2", b"x = " + b"[" * 5000, b"a = 1979-05-27"])
async def test_a_text_that_is_no_toml_is_422_and_never_more(house, body):
    assert (await put(house, body, If_Match="*")).status_code == 422


async def test_a_check_tells_what_would_change_and_changes_nothing(house):
    async with house.client("supervisor") as client:
        answer = await client.post(f"{PATH}/check", content=LONGER, headers=TOML)
    assert answer.json() == {"ok": True, "version": 1, "changes": ["~ queue sales: max_wait 60 -> 90"]}
    assert house.engine.world.setup.queue["sales"].max_wait == 60


async def test_a_changed_password_is_told_without_being_shown(house):
    answer = await put(house, SECRETS, If_Match="1")
    assert answer.status_code == 200
    assert "another-password" not in answer.text
    assert "~ agent an: phone.password (secret) -> (secret)" in answer.json()["changes"]


@pytest.mark.parametrize("media", [*TOML_MEDIA, "Text/Plain; charset=UTF-8"])
async def test_toml_is_taken_by_every_name_people_give_it(house, media):
    async with house.client() as client:
        checked = await client.post(f"{PATH}/check", content=LONGER, headers={"Content-Type": media})
        answer = await client.put(PATH, content=LONGER, headers={"Content-Type": media, "If-Match": '"1"'})
    assert checked.json()["changes"] == answer.json()["changes"] == ["~ queue sales: max_wait 60 -> 90"]
    assert house.engine.world.setup.queue["sales"].max_wait == 90


@pytest.mark.parametrize("kind", [{}, {"Content-Type": "application/x-www-form-urlencoded"}])
async def test_of_a_body_of_another_kind_is_told_which_are_taken(house, kind):
    async with house.client() as client:
        answer = await client.put(PATH, content=LONGER.encode(), headers={"If-Match": '"1"', **kind})
    assert answer.status_code == 415
    assert answer.json()["detail"].startswith("wants application/json or application/toml or text/toml")
    assert house.engine.world.setup.version == 1
