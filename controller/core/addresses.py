"""Where a webhook may lead: anywhere an administrator says, except to what no receiver of alerts can be.

Link-local addresses are the neighbours of this machine and, in every cloud, the service that hands out its
credentials; multicast and the unspecified address are nobody. Loopback and private networks are where receivers stand.
"""

from __future__ import annotations

import ipaddress


def may_be_posted_to(host: str) -> bool:
    """Whether an address may be posted to; a name may, and what it resolves to is asked again."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return True
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    found = mapped or address
    return not (found.is_link_local or found.is_multicast or found.is_unspecified)
