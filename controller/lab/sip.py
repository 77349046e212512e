"""SIP in as few words as a test phone needs: messages, digest answers, offers (RFC 3261, RFC 2617, RFC 4566).

Only what Asterisk sends to a phone on loopback is understood. This is no SIP stack for the outside world.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, replace

Headers = tuple[tuple[str, str], ...]
TRYING, OK, REFUSED, TERMINATED = 100, 200, 300, 487
"""The statuses a phone decides on: below 200 the other side is at it, from 300 on it will not (RFC 3261, 21)."""
_DIGEST = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')
_MEDIA = re.compile(r"^m=audio (\d+) ", re.MULTILINE)
_HOST = re.compile(r"^c=IN IP4 (\S+)", re.MULTILINE)
_EVENTS = re.compile(r"^a=rtpmap:(\d+) telephone-event/8000", re.MULTILINE | re.IGNORECASE)
_TAG = re.compile(r";\s*tag=([^;\s>]+)")
_URI = re.compile(r"<([^>]+)>")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
EVENT_PAYLOAD = 101


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response; header names keep their spelling and are found without regard to case."""

    start: str
    headers: Headers
    body: str = ""

    @property
    def status(self) -> int:
        """The status of a response, 0 for a request."""
        return int(self.start.split(" ", 2)[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """The method of a request, or of the request a response belongs to."""
        return self.get("CSeq").split(" ")[-1] if self.status else self.start.split(" ", 1)[0]

    @property
    def target(self) -> str:
        """The request's URI."""
        return self.start.split(" ", 2)[1]

    @property
    def transaction(self) -> str:
        """The transaction this message belongs to: a CANCEL has the branch of its INVITE, yet is one of its own."""
        found = re.search(r"branch=([^;,\s]+)", self.get("Via"))
        return f"{found[1] if found else ''} {self.method}"

    def get(self, name: str) -> str:
        """The first header of that name, empty when there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def all(self, name: str) -> list[str]:
        """Every header of that name, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def encode(self) -> bytes:
        """The message as it goes over the wire."""
        body = self.body.encode()
        lines = [self.start, *(f"{key}: {value}" for key, value in self.headers), f"Content-Length: {len(body)}"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def parse(data: bytes) -> Message | None:
    """Read one datagram; None for keep-alives and for what is no SIP."""
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
    if "SIP/2.0" not in lines[0]:
        return None
    pairs = (line.partition(":") for line in lines[1:] if ":" in line)
    headers = tuple((key.strip(), value.strip()) for key, _, value in pairs if key.strip().lower() != "content-length")
    return Message(lines[0], headers, body)


def tag_of(header: str) -> str:
    """The tag of a From or To, empty when it has none."""
    found = _TAG.search(header)
    return found[1] if found else ""


def uri_of(header: str) -> str:
    """The URI inside the angle brackets of a From, To or Contact."""
    found = _URI.search(_QUOTED.sub("", header))
    return found[1] if found else header.partition(";")[0].strip()


def user_of(header: str) -> str:
    """The user part of a From, To, Contact or plain URI: usually a phone number."""
    uri = uri_of(header)
    return uri.removeprefix("sip:").partition("@")[0] if "@" in uri else ""


def new_branch() -> str:
    """A branch no other transaction has (RFC 3261, 8.1.1.7)."""
    return "z9hG4bK" + secrets.token_hex(8)


def reply(
    request: Message, status: int, reason: str, *, tag: str = "", contact: str = "", body: str = "", more: Headers = ()
) -> Message:
    """The response to a request; `tag` completes its To when it has none, `more` are further headers."""
    to = request.get("To")
    if tag and not tag_of(to):
        to = f"{to};tag={tag}"
    headers = [("Via", via) for via in request.all("Via")]
    headers += [("Record-Route", route) for route in request.all("Record-Route")]
    headers += [("From", request.get("From")), ("To", to), ("Call-ID", request.get("Call-ID"))]
    headers += [("CSeq", request.get("CSeq"))]
    headers += [("Contact", contact)] if contact else []
    headers += [("Content-Type", "application/sdp")] if body else []
    return Message(f"SIP/2.0 {status} {reason}", (*headers, *more), body)


def with_credentials(request: Message, challenge: Message, user: str, password: str) -> Message:
    """The same request again, with an answer to a 401 or 407 (digest, MD5, `qop=auth` where it is offered)."""
    asked = challenge.get("WWW-Authenticate") or challenge.get("Proxy-Authenticate")
    name = "Authorization" if challenge.get("WWW-Authenticate") else "Proxy-Authorization"
    fields = {key.lower(): quoted or plain for key, quoted, plain in _DIGEST.findall(asked)}
    realm, nonce = fields.get("realm", ""), fields.get("nonce", "")
    uri, cnonce, count = request.target, secrets.token_hex(8), "00000001"
    ha1, ha2 = _md5(f"{user}:{realm}:{password}"), _md5(f"{request.method}:{uri}")
    value = f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", algorithm=MD5'
    if "auth" in fields.get("qop", "").split(","):
        response = _md5(f"{ha1}:{nonce}:{count}:{cnonce}:auth:{ha2}")
        value += f', qop=auth, nc={count}, cnonce="{cnonce}", response="{response}"'
    else:
        value += f', response="{_md5(f"{ha1}:{nonce}:{ha2}")}"'
    if fields.get("opaque"):
        value += f', opaque="{fields["opaque"]}"'
    number, method = request.get("CSeq").split(" ")
    headers = [pair for pair in request.headers if pair[0] not in {"CSeq", "Via", name}]
    via = re.sub(r"branch=[^;,\s]+", f"branch={new_branch()}", request.get("Via"))
    fresh = [("Via", via), ("CSeq", f"{int(number) + 1} {method}"), (name, value)]
    return replace(request, headers=(*fresh, *headers))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


PCMU = (0, "PCMU/8000")
G729 = (18, "G729/8000")
"""Payload type and name (RFC 3551): what everybody speaks, and what our endpoints do not."""


def quoted(name: str) -> str:
    """A display name as a quoted string (RFC 3261, 25.1)."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" '


def offer(host: str, port: int, codec: tuple[int, str] = PCMU, way: str = "sendrecv") -> str:
    """An SDP offer or answer: one codec and telephone events at `host:port`; `way` `sendonly` holds (RFC 3264, 8.4)."""
    lines = [
        "v=0",
        f"o=- 1 1 IN IP4 {host}",
        "s=-",
        f"c=IN IP4 {host}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {codec[0]} {EVENT_PAYLOAD}",
    ]
    lines += [
        f"a=rtpmap:{codec[0]} {codec[1]}",
        f"a=rtpmap:{EVENT_PAYLOAD} telephone-event/8000",
        f"a=fmtp:{EVENT_PAYLOAD} 0-16",
    ]
    return "\r\n".join([*lines, "a=ptime:20", f"a={way}", ""])


def media_of(body: str) -> tuple[tuple[str, int], int] | None:
    """Where the other side wants its audio, and its payload type for keys; None when the body offers no audio."""
    port, host, events = _MEDIA.search(body), _HOST.search(body), _EVENTS.search(body)
    if port is None or host is None:
        return None
    return (host[1], int(port[1])), int(events[1]) if events else EVENT_PAYLOAD
