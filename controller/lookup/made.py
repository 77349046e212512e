"""The look-up service the settings describe, put together."""

from __future__ import annotations

from collections.abc import Callable

from controller.lookup.enum import EnumSource
from controller.lookup.http import HttpSource
from controller.lookup.service import Limits, LookupService, Source
from controller.settings import Lookup


def service_of(settings: Lookup, count: Callable[[str], None]) -> LookupService | None:
    """Build the service; None when there is none."""
    source: Source
    match settings.kind:
        case "http":
            source = HttpSource(settings.url, settings.field or "carrier", settings.token)
        case "enum":
            source = EnumSource(settings.server.host, settings.server.port, settings.zone, settings.field or "rn")
        case _:
            return None
    limits = Limits(settings.timeout_ms, settings.cache_s, settings.cache_max, settings.failures, settings.retry_s)
    return LookupService(source, limits, count)
