"""What Asterisk's other files may not say: open doors, weak or shared passwords, modules that run programs.

Looks at the files by name, as they are rendered or as they stand in /etc/asterisk. Asterisk's HTTP and our AGI have no
business outside loopback: the one carries a password in the clear, the other asks for none.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from controller.lab.lint import Finding

PASSWORD_CHARS_MIN: Final = 20
DISTINCT_MIN: Final = 10
"""A password of 20 characters that are all alike is none."""

RISKY_MODULES: Final = re.compile(
    r"(app_system|app_originate|app_mixmonitor|app_externalivr|func_shell|func_curl|func_odbc|func_env|res_config_\w+"
    r"|cdr_\w*(sql|odbc)\w*|cel_\w*(sql|odbc)\w*|res_phoneprov|res_pjsip_endpoint_identifier_anonymous)\.so"
)


@dataclass(slots=True)
class Block:
    """One section as it is written; a key that stands twice has two values."""

    name: str
    line: int
    bases: tuple[str, ...] = ()
    values: dict[str, list[str]] = field(default_factory=dict)

    def get(self, key: str, default: str = "") -> str:
        """The last value of a key."""
        return self.values.get(key, [default])[-1]


def read(text: str) -> list[Block]:
    """Read a configuration file; sections of one name stay apart."""
    blocks: list[Block] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.split(r"(?<!\\);", raw, maxsplit=1)[0].strip()
        head = re.fullmatch(r"\[([^\]]+)\](?:\(([^)]*)\))?", line)
        key, equals, value = line.partition("=")
        if head is not None:
            bases = tuple(part.strip() for part in (head[2] or "").split(",") if part.strip())
            blocks.append(Block(head[1], number, bases))
        elif equals and blocks:
            blocks[-1].values.setdefault(key.strip(), []).append(value.removeprefix(">").strip())
    return blocks


def lint_config(files: Mapping[str, str], extensions: Collection[str] = ()) -> dict[str, list[Finding]]:
    """Every finding by file; `extensions` are those of the agents. Only files with findings are named."""
    found = {}
    for name, text in files.items():
        blocks = read(text)
        rules = [rule for part, rule in RULES if part in name.removeprefix("tongdai-")]
        findings = sorted(finding for rule in rules for finding in rule(blocks, extensions))
        if findings:
            found[name] = findings
    return found


def asterisk(blocks: list[Block], _extensions: Collection[str]) -> Iterator[Finding]:
    """The dangerous functions stay off for whoever comes by ARI."""
    options = [block for block in blocks if block.name == "options"]
    if not options or options[-1].get("live_dangerously") != "no":
        yield Finding(options[-1].line if options else 1, "dangerous", "live_dangerously=no is not said")


def manager(blocks: list[Block], _extensions: Collection[str]) -> Iterator[Finding]:
    """There is no manager user: whoever may originate there may run programs."""
    for block in blocks:
        if block.name == "general" and block.get("enabled", "no") != "no":
            yield Finding(block.line, "manager", "the manager interface is on")
        if block.name != "general" and block.values:
            yield Finding(block.line, "manager", f"a manager user: {block.name}")


def http(blocks: list[Block], _extensions: Collection[str]) -> Iterator[Finding]:
    """Asterisk's HTTP server listens on loopback and serves no pages of its own."""
    for block in blocks:
        for key in ("bindaddr", "tlsbindaddr"):
            if key in block.values and not is_loopback(block.get(key)):
                yield Finding(block.line, "loopback", f"{key}={block.get(key)} can be reached from outside")
        if block.name == "general" and block.get("enabled") == "yes" and "bindaddr" not in block.values:
            yield Finding(block.line, "loopback", "without bindaddr Asterisk chooses, and it may choose every address")
        for key, default in (("enable_static", "no"), ("enable_status", "yes")):
            if block.name == "general" and block.get(key, default) != "no":
                yield Finding(block.line, "pages", f"{key} is not off")


def ari(blocks: list[Block], _extensions: Collection[str]) -> Iterator[Finding]:
    """One user with a password nobody chose; no page of another origin may ask."""
    users = [block for block in blocks if block.get("type") == "user"]
    for block in users[1:]:
        yield Finding(block.line, "ari-user", f"a second ARI user: {block.name}")
    for block in users:
        if not strong(block.get("password")):
            yield Finding(block.line, "password", f"the password of ARI user {block.name} can be guessed")
    for block in blocks:
        if "*" in block.get("allowed_origins"):
            yield Finding(block.line, "origin", "every web page of the world may ask ARI")


def pjsip(blocks: list[Block], extensions: Collection[str]) -> Iterator[Finding]:
    """Endpoints are not named by what can be dialled, are known by something, and reach what is theirs."""
    templates = {block.name: block for block in blocks if "!" in block.bases}
    for block in blocks:
        if "!" in block.bases or _value(block, "type", templates) != "endpoint":
            continue
        if block.name in extensions:
            yield Finding(block.line, "extension", f"endpoint {block.name} is named by an extension")
        if block.name == "anonymous":
            yield Finding(block.line, "anonymous", "an endpoint for whoever comes")
        methods = _value(block, "identify_by", templates) or "username,ip"
        if "username" in methods and not _value(block, "auth", templates):
            yield Finding(block.line, "open", f"whoever says to be {block.name} is believed")
        if _value(block, "allow_transfer", templates) != "no":
            yield Finding(block.line, "transfer", f"{block.name} may send our calls elsewhere (allow_transfer)")
        if _value(block, "context", templates).endswith("outbound") and methods == "ip" and _is_trunk(block, templates):
            yield Finding(block.line, "toll", f"trunk {block.name} reaches the context of agents")


def _is_trunk(block: Block, templates: Mapping[str, Block]) -> bool:
    return _value(block, "trust_id_inbound", templates) == "yes"


def _value(block: Block, key: str, templates: Mapping[str, Block]) -> str:
    """A value of a section or of the template it inherits from."""
    if key in block.values:
        return block.get(key)
    bases = [templates[name] for name in block.bases if name in templates]
    return next((base.get(key) for base in bases if key in base.values), "")


def modules(blocks: list[Block], _extensions: Collection[str]) -> Iterator[Finding]:
    """Nothing is loaded that was not asked for, and nothing that runs programs or writes into a database."""
    for block in blocks:
        if block.get("autoload", "yes") != "no":
            yield Finding(block.line, "module", "autoload: modules nobody asked for")
        for name in block.values.get("load", ()):
            if RISKY_MODULES.fullmatch(name):
                yield Finding(block.line, "module", f"{name} is not needed and not harmless")


def extensions_conf(blocks: list[Block], _extensions: Collection[str]) -> Iterator[Finding]:
    """The dial path asks a controller on this machine."""
    for block in blocks:
        for name in ("TD_AGI", "TD_AGI_2"):
            if block.name != "globals" or name not in block.values:
                continue
            host = block.get(name).removeprefix("agi://").rpartition(":")[0]
            if not is_loopback(host):
                yield Finding(block.line, "loopback", f"{name} leaves this machine: AGI asks nobody for a password")


def is_loopback(host: str) -> bool:
    """Whether an address as it stands in a file is this machine's own."""
    text = host.removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return text == "localhost"


def strong(password: str) -> bool:
    """Whether a password is long and of many characters: made at install, not chosen."""
    return len(password) >= PASSWORD_CHARS_MIN and len(set(password)) >= DISTINCT_MIN


RULES: Final[tuple[tuple[str, Callable[[list[Block], Collection[str]], Iterator[Finding]]], ...]] = (
    ("asterisk.conf", asterisk),
    ("manager.conf", manager),
    ("http.conf", http),
    ("ari.conf", ari),
    ("pjsip.conf", pjsip),
    ("modules.conf", modules),
    ("extensions.conf", extensions_conf),
)
