"""The settings of this process put together: defaults, the file, the environment; every value with its place."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from controller.core.saying import say
from controller.errors import SettingsError
from controller.settings import ENV_PREFIX, NOT_SETTINGS, Settings, is_loopback
from controller.settings_values import READERS


@dataclass(frozen=True, slots=True)
class _Given:
    """One value somebody set, and where."""

    place: str
    section: str
    key: str
    value: object


def load(config: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of this process; SettingsError names the place of the first thing wrong."""
    env = os.environ if environ is None else environ
    if config is None and env.get("TONGDAI_CONFIG"):
        config = Path(env["TONGDAI_CONFIG"])
    given = [*(_from_file(config) if config is not None else ()), *_from_environ(env)]
    sections: dict[str, dict[str, Any]] = {name: {} for name in READERS}
    for row in given:
        sections[row.section][row.key] = _read(row)
    base = Settings()
    settings = replace(base, **{name: replace(getattr(base, name), **keys) for name, keys in sections.items()})
    _refuse_remote(settings, given)
    if settings.lookup.kind == "http" and not settings.lookup.url:
        raise SettingsError(say("lookup_url_missing"))
    return settings


def _from_file(path: Path) -> list[_Given]:
    """List what a settings file sets."""
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(say("unreadable", file=path, why=error.strerror)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(say("at", where=path, what=error)) from None
    found = []
    for section, table in document.items():
        line = _line_of(text, section, None)
        if not isinstance(table, dict):
            raise SettingsError(say("wants_section", place=f"{path}:{line}", key=section))
        _known(f"{path}:{line}: [{section}]", section, READERS, "section")
        for key, value in table.items():
            place = f"{path}:{_line_of(text, section, key)}: [{section}] {key}"
            _known(place, key, READERS[section], "key")
            found.append(_Given(place, section, key, value))
    return found


def _from_environ(env: Mapping[str, str]) -> list[_Given]:
    """List what the environment sets."""
    found = []
    for name in sorted(env):
        if not name.startswith(ENV_PREFIX) or name in NOT_SETTINGS:
            continue
        section, _, key = name.removeprefix(ENV_PREFIX).lower().partition("__")
        _known(name, section, READERS, "section")
        _known(name, key, READERS[section], "key")
        found.append(_Given(name, section, key, env[name]))
    return found


def _known(place: str, name: str, names: Mapping[str, object], what: str) -> None:
    """Refuse a name that is not on the list, with the nearest one that is."""
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1)
    hint = say("hint_near", name=near[0]) if near else say("hint_all", names=", ".join(names))
    raise SettingsError(say("unknown_section" if what == "section" else "unknown_key", place=place, hint=hint))


def _read(row: _Given) -> Any:
    """Read one value; the message never repeats it, it may be a secret."""
    try:
        return READERS[row.section][row.key](row.value)
    except ValueError as error:
        raise SettingsError(say("at", where=row.place, what=error.args[0])) from None


def _line_of(text: str, section: str, key: str | None) -> int:
    """Find the line of a section's head, or of a key in it; 1 when it is written in a way we do not look for."""
    sought = rf"{re.escape(section)}\s*[=.]" if key is None else rf"[\"']?{re.escape(key)}[\"']?\s*="
    inside, head = key is None, 1
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            here = stripped.split("#")[0].strip("[] ") == section
            inside = here if key is not None else inside
            head = number if here else head
        elif inside and re.match(sought, stripped):
            return number
    return head


def _refuse_remote(settings: Settings, given: list[_Given]) -> None:
    """Refuse an address beyond loopback that was not asked for in so many words."""
    ari_host = urlsplit(settings.ari.url).hostname or ""
    lookup, lookup_host = settings.lookup, urlsplit(settings.lookup.url).hostname or "localhost"
    rows = (
        ("agi", "bind", settings.agi.bind.loopback, settings.agi.allow_remote),
        ("http", "bind", settings.http.bind.loopback, settings.http.allow_remote),
        ("ari", "url", is_loopback(ari_host), settings.ari.allow_remote),
        ("lookup", "url", lookup.kind != "http" or is_loopback(lookup_host), lookup.allow_remote),
        ("lookup", "server", lookup.kind != "enum" or lookup.server.loopback, lookup.allow_remote),
    )
    for section, key, loopback, allowed in rows:
        if loopback or allowed:
            continue
        places = [row.place for row in given if (row.section, row.key) == (section, key)]
        place = places[-1] if places else f"[{section}] {key}"
        raise SettingsError(say("not_loopback", place=place, section=section))
