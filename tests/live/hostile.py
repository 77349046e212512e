"""Names callers give themselves to break something: control characters, dial strings, markup, marks that turn text."""

from __future__ import annotations

_PIECES = (
    "&PJSIP/x/1900",
    "${SHELL(id)}",
    "$[1+1]",
    "${EVAL(${CALLERID(num)})}",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE calls; --",
    "=1+1",
    "@SUM(A1)",
    "a,b|c;d",
    "%0d%0aX-Evil: 1",
    "\\r\\nagi_extension: 900",
    "\\",
    '"',
    '\\"',
    "\x01\x02\x1b[31m",
    "\x7f\x85\x9b",
    "\u202eevil\u202c",
    "\u200b\u2028\u2029",
    "e\u0301" * 40,
    "😀" * 40,
    "Tổng Đài",
    "x" * 64,
    "x" * 65,
    "y" * 3000,
    " ",
    "-",
    "../../etc/passwd",
    "{{7*7}}",
    "%n%n%s%x",
    "null",
    "0900000001",
    "anonymous",
    "+++ATH0",
)

NAMES: tuple[str, ...] = (*_PIECES, *(f"An {piece} Binh" for piece in _PIECES))
"""Each alone, and in the middle of a name."""
