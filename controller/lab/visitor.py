"""A login for the person at the keyboard who wants to be a customer: a phone that can dial hotlines, nothing else."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from controller.core.setup import Setup
from controller.lab.conftext import NAME, SECRET, Section

USER: Final = "lab-customer"
"""No name a caller behind a trunk would show: whoever shows it is asked for the password."""
NUMBER: Final = "0280000001"
_PASSWORD_BYTES: Final = 9


def add(pjsip_conf: Path, setup: Setup) -> str:
    """Add the customer's endpoint to a lab's `pjsip.conf`; returns its password, empty when the name is taken."""
    if USER in [row.endpoint for row in setup.trunks] + [row.endpoint for row in setup.agents]:
        return ""
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    text = pjsip_conf.read_text(encoding="utf-8")
    pjsip_conf.write_text(text + "\n" + "\n".join(map(str, _sections(password))), encoding="utf-8")
    return password


def _sections(password: str) -> list[Section]:
    endpoint = Section(USER).set("type", "endpoint").set("context", "tongdai-inbound").set("identify_by", "username")
    endpoint.set("disallow", "all").set("allow", "ulaw,alaw").set("direct_media", "no").set("dtmf_mode", "auto_info")
    endpoint.set("allow_transfer", "no").set("allow_subscribe", "no").set("aors", USER, NAME).set("auth", USER, NAME)
    endpoint.keys.append(("callerid", f"Customer <{NUMBER}>"))
    aor = Section(USER).set("type", "aor").set("max_contacts", "1").set("remove_existing", "yes")
    auth = Section(USER).set("type", "auth").set("auth_type", "userpass").set("username", USER, NAME)
    return [endpoint, aor, auth.set("password", password, SECRET)]
