"""Verbs that work on the books: tokens, migrate, apply, export, render; and how every kind of error ends."""

from __future__ import annotations

import sqlite3
import stat
import tomllib
from contextlib import closing

import pytest

from controller import __version__, cli
from controller.errors import LeadLostError, LedgerError, SettingsError, SetupError, StaleSetupError
from tests.web.house import SECRET, SETUP

pytestmark = pytest.mark.web


@pytest.fixture
def setup_file(tmp_path):
    path = tmp_path / "setup.toml"
    path.write_text(SETUP, encoding="utf-8")
    return path


# -- tokens ----------------------------------------------------------------------------------------------------------


def test_a_token_is_made_shown_once_listed_and_revoked(run):
    made = run("token", "create", "wallboard", "--role", "read")
    assert made.code == 0
    token = made.out.strip()
    assert token.startswith("td_")
    assert "wallboard" in made.err
    listed = run("token", "list").out
    assert token not in listed
    assert listed.splitlines()[1].split()[:3] == ["1", "wallboard", "read"]
    assert run("token", "revoke", "wallboard").code == 0
    again = run("token", "revoke", "wallboard")
    assert (again.code, again.err.count("\n")) == (1, 1)


@pytest.mark.parametrize("words", [("x", "--role", "king"), ("x",), ("", "--role", "read"), ("x", "--role", "agent")])
def test_a_token_that_makes_no_sense_is_wrong_usage(run, words):
    told = run("token", "create", *words)
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 1)


# -- apply and export ------------------------------------------------------------------------------------------------


def test_a_setup_is_applied_to_the_books_and_told_back_as_it_was_written(run, setup_file):
    told = run("apply", setup_file, "--yes")
    assert told.code == 0
    assert "+ queue sales" in told.out
    assert "version 1 is on the books" in told.out
    assert run("export").out == SETUP
    assert "nothing changes" in run("apply", setup_file, "--yes").out


def test_a_dry_run_changes_nothing(run, setup_file):
    told = run("apply", setup_file, "--dry-run")
    assert told.code == 0
    assert "+ hotline +842473001001" in told.out
    assert run("export").out.strip() == ""


def test_what_a_person_wrote_beside_the_setup_is_kept_too(run, setup_file):
    run("apply", setup_file, "--yes")
    setup_file.write_text(f"# asked for by the sales team\n{SETUP}", encoding="utf-8")
    assert "only comments and layout change" in run("apply", setup_file, "--dry-run").out
    assert run("export").out == SETUP
    told = run("apply", setup_file, "--yes")
    assert (told.code, told.out.splitlines()[-1][:9]) == (0, "version 2")
    assert run("export").out == f"# asked for by the sales team\n{SETUP}"


def test_only_what_changes_is_told(run, setup_file):
    run("apply", setup_file, "--yes")
    setup_file.write_text(SETUP.replace("max_wait = 60", "max_wait = 90").replace(SECRET, "other"), encoding="utf-8")
    told = run("apply", setup_file, "--yes").out.splitlines()
    assert told[:-1] == [
        "~ queue sales: max_wait 60 -> 90",
        "~ agent an: phone.password (secret) -> (secret)",
        "~ agent binh: phone.password (secret) -> (secret)",
    ]
    assert told[-1].startswith("version 2")


def test_without_a_person_there_must_be_a_yes(run, setup_file):
    told = run("apply", setup_file)
    assert told.code == 2
    assert "--yes" in told.err
    assert run("export").out.strip() == ""


def test_every_mistake_has_its_line_with_file_line_and_key(run, setup_file):
    text = SETUP.replace("max_wait = 60", "max_wait = -1").replace('strategy = "linear"', 'strategy = "lineer"')
    setup_file.write_text(text, encoding="utf-8")
    told = run("apply", setup_file, "--yes")
    assert (told.code, told.out) == (2, "")
    lines = told.err.splitlines()
    assert len(lines) == 2
    for line, key in zip(lines, ("strategy", "max_wait"), strict=True):
        number = next(n for n, row in enumerate(text.splitlines(), 1) if row.startswith(key))
        assert line.startswith(f"tongdai: {setup_file}:{number}: queue[0].{key}: ")


@pytest.mark.parametrize("content", [None, b"[[", b"\xff"])
def test_a_file_that_cannot_be_read_is_one_line(run, tmp_path, content):
    path = tmp_path / "broken.toml"
    if content is not None:
        path.write_bytes(content)
    told = run("apply", path, "--yes")
    assert (told.code, told.err.count("\n")) == (2, 1)
    assert str(path) in told.err


def test_a_running_daemon_is_told_and_has_it_when_the_command_returns(run, environ, served, setup_file):
    environ.setenv("TONGDAI_HTTP__BIND", served.url.removeprefix("http://"))
    environ.setenv("TONGDAI_TOKEN", served.token)
    setup_file.write_text(SETUP.replace("max_wait = 60", "max_wait = 75"), encoding="utf-8")
    told = run("apply", setup_file, "--yes")
    assert told.code == 0
    assert "is in force" in told.out
    assert tomllib.loads(run("export").out)["queue"][0]["max_wait"] == 75
    setup_file.write_text(SETUP, encoding="utf-8")
    assert "~ queue sales: max_wait 75 -> 60" in run("apply", setup_file, "--yes").out


def test_a_token_that_may_not_is_refused_in_one_line(run, environ, served, setup_file):
    environ.setenv("TONGDAI_HTTP__BIND", served.url.removeprefix("http://"))
    told = run("apply", setup_file, "--yes", "--token", served.tokens["read"])
    warning, refusal = told.err.splitlines()
    assert warning.startswith(f"tongdai: warning: {setup_file}:")
    assert (told.code, refusal) == (2, "tongdai: a token of role read may not do this")


def test_an_export_is_for_its_owner_alone(run, setup_file, tmp_path):
    run("apply", setup_file, "--yes")
    out = tmp_path / "out.toml"
    assert run("export", "--out", out).code == 0
    assert out.read_text(encoding="utf-8") == SETUP
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_tables_of_numbers_come_from_csv(run, setup_file, tmp_path):
    run("apply", setup_file, "--yes")
    ported = tmp_path / "ported.csv"
    ported.write_text("number,carrier\n0912345679,viettel\n0912345680,viettel\n")
    assert run("apply", "--ported", ported).out == "2 ported numbers imported\n"
    blocked = tmp_path / "blocked.csv"
    blocked.write_text("number,scopes\n0900000001,ivr queue\n")
    assert run("apply", "--blocked", blocked).out == "1 blocked numbers imported\n"
    ported.write_text("number,carrier\n0912345679,nobody\nxx,viettel\n")
    told = run("apply", "--ported", ported)
    assert (told.code, told.err.count("\n")) == (2, 2)
    assert "ported.csv:2: carrier" in told.err


def test_a_dry_run_looks_over_lists_and_imports_none(run, setup_file, tmp_path):
    ported, blocked = tmp_path / "ported.csv", tmp_path / "blocked.csv"
    ported.write_text("number,carrier\n0912345679,viettel\n")
    blocked.write_text("number\n0900000001\n")
    told = run("apply", setup_file, "--ported", ported, "--blocked", blocked, "--dry-run")
    assert told.code == 0
    assert "ported.csv: 1 ported numbers, 0 lines passed over; nothing was imported" in told.out
    assert "blocked.csv: 1 blocked numbers, 0 lines passed over; nothing was imported" in told.out
    assert run("apply", "--ported", tmp_path / "none.csv", "--dry-run").code == 2
    ported.write_text("number,carrier\n0912345679,nobody\nxx,viettel\n")
    told = run("apply", setup_file, "--ported", ported, "--dry-run")
    assert (told.code, told.err.count("ported.csv:")) == (2, 2)
    ported.write_text("number,carrier\n0912345679,viettel\nxx,viettel\n")
    assert "1 ported numbers, 1 lines" in run("apply", "--ported", ported, "--dry-run", "--skip-bad").out


def test_a_blocked_number_is_free_again_at_local_time(run, setup_file, tmp_path):
    blocked = tmp_path / "blocked.csv"
    blocked.write_text("number,until\n0900000001,2097-01-31\n")
    run("apply", setup_file, "--blocked", blocked, "--yes")
    with closing(sqlite3.connect(tmp_path / "books.db")) as books:
        # Midnight in Ho Chi Minh City, as the same words in the setup file would have it.
        assert books.execute("SELECT until_ms FROM blocked").fetchall() == [(4_010_403_600_000,)]


def test_apply_wants_something_to_apply(run):
    assert (run("apply").code, run("apply").err.count("\n")) == (2, 1)


# -- files for Asterisk ----------------------------------------------------------------------------------------------


def test_files_for_asterisk_are_written(run, setup_file, tmp_path):
    out = tmp_path / "asterisk"
    told = run("render", "asterisk", "--out", out, "--setup", setup_file)
    assert told.code == 0
    written = sorted(path.name for path in out.iterdir())
    assert any("pjsip" in name for name in written)
    assert any("extensions" in name for name in written)
    text = "".join(path.read_text(encoding="utf-8") for path in out.iterdir() if path.is_file())
    assert "[viettel-1]" in text
    run("apply", setup_file, "--yes")
    again = run("render", "asterisk", "--out", tmp_path / "again")
    assert again.code == 0


# -- how it ends -----------------------------------------------------------------------------------------------------


def test_migrate_makes_the_books(run, tmp_path):
    told = run("migrate")
    assert told.code == 0
    assert "revision" in told.out
    assert (tmp_path / "books.db").exists()
    assert run("migrate").code == 0


def test_books_that_cannot_be_had_are_one_line(run, environ, tmp_path):
    environ.setenv("TONGDAI_DATABASE__URL", f"sqlite+aiosqlite:///{tmp_path}/no/such/folder/books.db")
    told = run("migrate")
    assert (told.code, told.err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    "words",
    [("dance",), ("story",), ("calls", "--limit", "x"), ("calls", "--colour"), ("token",), ("render",), ("pick",)],
)
def test_wrong_usage_is_one_line_and_names_the_help(run, words):
    told = run(*words)
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 1)
    assert told.err.startswith("tongdai: ")
    assert "--help)" in told.err


def test_a_wrong_setting_is_one_line(run, environ):
    environ.setenv("TONGDAI_HTTP__PORT", "1")
    told = run("token", "list")
    assert (told.code, told.err) == (
        2, "tongdai: TONGDAI_HTTP__PORT: unknown key (there are bind, allow_remote, hosts, viewers_max)\n",
    )  # fmt: skip


@pytest.mark.parametrize("words", [(), ("--help",), ("calls", "--help"), ("token", "--help"), ("render", "--help")])
def test_help_is_no_error(run, words):
    told = run(*words)
    assert (told.code, told.err) == (0, "")
    assert "Usage" in told.out


def test_every_verb_of_the_interface_is_there(run):
    told = run("--help").out
    for verb in ("serve", "lab", "apply", "export", "check", "render", "pick", "calls", "agents", "queues", "story"):
        assert f"\n  {verb} " in told
    for verb in ("token", "migrate", "replay"):
        assert f"\n  {verb} " in told


@pytest.mark.parametrize("before", [True, False])
def test_the_settings_file_may_stand_before_the_verb_or_behind_it(run, environ, tmp_path, before):
    environ.setenv("TONGDAI_CONFIG", "")
    environ.delenv("TONGDAI_DATABASE__URL")
    books, config = tmp_path / "elsewhere.db", tmp_path / "tongdai.toml"
    config.write_text(f'[database]\nurl = "sqlite+aiosqlite:///{books}"\n', encoding="utf-8")
    words = ("--config", config, "migrate") if before else ("migrate", "--config", config)
    assert run(*words).code == 0
    assert books.exists()


def test_the_version_is_told(run):
    assert run("--version").out == f"tongdai {__version__}\n"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (LeadLostError("another one leads"), 75, "tongdai: another one leads\n"),
        (StaleSetupError(1, 2), 1, "tongdai: the setup is at version 2, not 1: read it again and repeat the change\n"),
        (SetupError(("a.toml:1: x: y", "a.toml:2: z")), 2, "tongdai: a.toml:1: x: y\ntongdai: a.toml:2: z\n"),
        (SettingsError("no"), 2, "tongdai: no\n"),
        (LedgerError("database x: locked"), 2, "tongdai: database x: locked\n"),
        (
            RuntimeError("two\nlines"), 2,
            "tongdai: unexpected RuntimeError: two lines (TONGDAI_LOG__LEVEL=debug shows where)\n",
        ),
    ],
)  # fmt: skip
def test_every_error_has_its_line_and_its_code(environ, capsys, error, code, said):
    assert cli.report(error) == code
    assert capsys.readouterr().err == said


def test_where_it_broke_is_shown_to_whoever_asks(environ, capsys):
    environ.setenv("TONGDAI_LOG__LEVEL", "debug")
    cli.report(RuntimeError("x"))
    assert "RuntimeError: x" in capsys.readouterr().err


def test_errors_are_told_in_vietnamese_where_the_terminal_speaks_it(run, environ):
    environ.setenv("LC_ALL", "vi_VN.UTF-8")
    assert run("calls").err.startswith("tongdai: lỗi: cần một token")


def test_mistakes_of_setup_and_settings_are_told_in_vietnamese_too(run, environ, setup_file):
    environ.setenv("LC_ALL", "vi_VN.UTF-8")
    text = SETUP.replace("max_wait = 60", "max_wait = -1").replace('strategy = "linear"', 'strategy = "lineer"')
    setup_file.write_text(text, encoding="utf-8")
    strategy, wait = run("apply", setup_file, "--yes").err.splitlines()
    assert strategy.startswith(f"tongdai: lỗi: {setup_file}:")
    assert "'lineer' không thuộc " in strategy
    assert strategy.endswith("(có phải ý bạn là 'linear'?)")
    assert wait.endswith("queue[0].max_wait: -1 nằm ngoài khoảng: từ 1 đến 86400")
    environ.setenv("TONGDAI_HTTP__VIEWERS_MAX", "many")
    assert run("agents").err == "tongdai: lỗi: TONGDAI_HTTP__VIEWERS_MAX: cần số nguyên từ 1 đến 10000\n"


def test_a_daemon_answers_in_the_language_of_the_terminal(run, environ, served):
    environ.setenv("TONGDAI_HTTP__BIND", served.url.removeprefix("http://"))
    environ.setenv("TONGDAI_TOKEN", served.token)
    environ.setenv("LC_ALL", "vi_VN.UTF-8")
    assert run("story", "no-such-call").err == "tongdai: lỗi: không có cuộc gọi nào tên no-such-call\n"


def test_every_sentence_stands_in_both_languages():
    import string

    from controller.cli_words import WORDS

    for name, (english, vietnamese) in WORDS.items():
        fields = [
            sorted(part[1] for part in string.Formatter().parse(text) if part[1]) for text in (english, vietnamese)
        ]
        assert fields[0] == fields[1], name
        assert english != vietnamese
