"""The PJSIP objects of a setup: one endpoint a trunk and one a phone.

Names outside depend on: a phone that registers is endpoint, AOR and auth of its `user`; a phone with a fixed contact
is an endpoint of the agent's name; a trunk is an endpoint of the trunk's name. No endpoint is named by extension.
Phones that register are known by their user name and digest, everybody else by source address and nothing weaker: so
whoever borrows a phone's name from a carrier's address is asked for the password, and nobody is anonymous.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from controller.core.alphabets import HOST
from controller.core.setup import AgentSetup, Setup, Trunk
from controller.lab.conftext import CONTACT, LANGUAGE, NAME, SECRET, ConfError, Section, host_of

PHONE_BASE, TRUNK_BASE = "tongdai-phone", "tongdai-trunk"
CODECS = "ulaw,alaw"
SIP_PORT = 5060


@dataclass(frozen=True, slots=True)
class SipOptions:
    """How endpoints reach the world. `qualify_*_s` 0: no OPTIONS are sent, an endpoint counts as there until it fails.

    `transport` names the transport to use (empty: Asterisk chooses); `media_address` is where RTP is bound and said to
    be (empty: Asterisk chooses); `nat` answers phones where their packets come from, not where they say they are.
    """

    qualify_phones_s: int = 0
    qualify_trunks_s: int = 0
    transport: str = ""
    media_address: str = ""
    nat: bool = True


def pjsip(setup: Setup, options: SipOptions) -> str:
    """Write every endpoint of the setup; ConfError when two want one name or a value is hostile."""
    trunks = [row for row in setup.trunks if row.host]
    phones = [row for row in setup.agents if row.phone.user or row.phone.contact]
    _unique([row.endpoint for row in trunks] + [row.endpoint for row in phones])
    hosts = [host_of(row.host, f"trunk {row.name}") for row in trunks]
    sections = [_base(PHONE_BASE, options), _base(TRUNK_BASE, options)]
    _phone_manners(sections[0], options)
    _trunk_manners(sections[1])
    for trunk, host in zip(trunks, hosts, strict=True):
        sections += _trunk(trunk, host, options)
    alone = _addresses_of_one(phones, hosts)
    for agent in phones:
        if agent.phone.user:
            sections += _registering(agent, setup, options)
        else:
            sections += _contact(agent, setup, options, alone)
    return "\n".join(str(section) for section in sections)


def _unique(names: list[str]) -> None:
    """Refuse two endpoints of one name: Asterisk would quietly keep one of them."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfError(f"two PJSIP endpoints would be named {twice[0]}")


def _base(name: str, options: SipOptions) -> Section:
    """What phones and trunks have in common. Nobody sends our calls elsewhere: transfer, redirect, media."""
    section = Section(name, "!").set("type", "endpoint").set("disallow", "all").set("allow", CODECS)
    section.set("direct_media", "no").set("dtmf_mode", "auto_info").set("allow_transfer", "no")
    section.set("allow_subscribe", "no").set("send_connected_line", "no").set("trust_connected_line", "no")
    section.set("redirect_method", "user").set("user_eq_phone", "no").set("100rel", "no").set("ice_support", "no")
    if options.transport:
        section.set("transport", options.transport, NAME)
    if options.media_address:
        address = host_of(options.media_address, "media_address")
        section.set("media_address", address).set("bind_rtp_to_media_address", "yes")
    return section


def _phone_manners(section: Section, options: SipOptions) -> None:
    """A phone says nothing about itself that counts, and is in use from its first call on."""
    section.set("context", "tongdai-outbound").set("trust_id_inbound", "no").set("device_state_busy_at", "1")
    nat = "yes" if options.nat else "no"
    section.set("rewrite_contact", nat).set("rtp_symmetric", nat).set("force_rport", "yes")


def _trunk_manners(section: Section) -> None:
    """A carrier may tell who calls (P-Asserted-Identity), and is told who calls."""
    section.set("context", "tongdai-inbound").set("identify_by", "ip")
    section.set("trust_id_inbound", "yes").set("trust_id_outbound", "yes").set("send_pai", "yes")
    section.set("rewrite_contact", "no").set("rtp_symmetric", "no").set("force_rport", "yes")


def _trunk(trunk: Trunk, host: str, options: SipOptions) -> list[Section]:
    """One carrier: reached at `host`, known by its address from any port."""
    name = trunk.endpoint
    endpoint = Section(name, TRUNK_BASE).set("aors", name, NAME)
    if trunk.caller_id_in == "from":
        endpoint.set("send_pai", "no")
    if trunk.caller_id_in == "pai":
        endpoint.set("from_user", trunk.account, NAME)
    aor = Section(name).set("type", "aor").set("contact", f"sip:{trunk.host}", CONTACT)
    qualify_s = options.qualify_trunks_s if trunk.qualify is None else trunk.qualify
    aor.set("qualify_frequency", str(qualify_s))
    return [endpoint, aor, Section(name).set("type", "identify").set("endpoint", name, NAME).set("match", host)]


def _registering(agent: AgentSetup, setup: Setup, options: SipOptions) -> list[Section]:
    """A phone that registers with digest MD5; a new registration replaces the old one."""
    name = agent.phone.user
    endpoint = _phone(name, agent, setup).set("identify_by", "username").set("auth", name, NAME)
    aor = Section(name).set("type", "aor").set("max_contacts", "1").set("remove_existing", "yes")
    aor.set("minimum_expiration", "30").set("qualify_frequency", str(options.qualify_phones_s))
    auth = Section(name).set("type", "auth").set("auth_type", "userpass")
    auth.set("username", name, NAME).set("password", agent.phone.password, SECRET)
    return [endpoint, aor, auth]


def _contact(agent: AgentSetup, setup: Setup, options: SipOptions, alone: dict[str, str]) -> list[Section]:
    """A phone at a fixed contact. It may dial out only when nobody else is where it is, for that is all it shows."""
    name = agent.endpoint
    aor = Section(name).set("type", "aor").set("contact", agent.phone.contact, CONTACT)
    aor.set("qualify_frequency", str(options.qualify_phones_s))
    sections = [_phone(name, agent, setup).set("identify_by", "ip"), aor]
    if name in alone:
        identify = Section(name).set("type", "identify").set("endpoint", name, NAME)
        sections.append(identify.set("match", alone[name], HOST))
    return sections


def _phone(name: str, agent: AgentSetup, setup: Setup) -> Section:
    """The endpoint of a phone. Its caller id is ours, so that what the phone writes in From is not looked at."""
    section = Section(name, PHONE_BASE).set("aors", name, NAME)
    section.keys.append(("callerid", f"{_name(agent.name)} <{_name(agent.extension or name)}>"))
    return section.set("language", setup.defaults.language, LANGUAGE)


def _name(text: str) -> str:
    if NAME.pattern.fullmatch(text) is None:
        raise ConfError(f"an agent's name or extension is not fit for a caller id: it wants {NAME.words}")
    return text


def _addresses_of_one(phones: list[AgentSetup], trunk_hosts: list[str]) -> dict[str, str]:
    """What tells contact phones apart, by endpoint: the source address; where several have one, address and port.

    None is told apart from a trunk at the same address, which is known from any port.
    """
    fixed = {row.endpoint: _address(row.phone.contact) for row in phones if not row.phone.user}
    count = Counter([address for address in fixed.values() if address] + trunk_hosts)
    found = {name: address for name, address in fixed.items() if address and count[address] == 1}
    shared = {
        row.endpoint: _with_port(fixed[row.endpoint], row.phone.contact)
        for row in phones
        if count[fixed.get(row.endpoint, "")] > 1 and fixed[row.endpoint] not in trunk_hosts
    }
    places = Counter(shared.values())
    return found | {name: place for name, place in shared.items() if places[place] == 1}


def _with_port(address: str, contact: str) -> str:
    port = contact.rpartition("@")[2].rpartition(":")[2]
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{port if port.isdigit() else SIP_PORT}"


def _address(contact: str) -> str:
    """The IP address of a contact; empty when it is a name."""
    try:
        return host_of(contact, "contact")
    except ConfError:
        return ""
