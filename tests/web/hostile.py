"""What people put where a name or a number belongs: fuzz list Z4, two hundred and more."""

from __future__ import annotations

_CONTROLS = [f"An{chr(code)}Binh" for code in (*range(32), 127, *range(128, 160))]
_MARKUP = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "'-alert(1)-'", "<!--",
    "</textarea>", "&lt;b&gt;", "<b>An</b>", "javascript:alert(1)", "{{7*7}}", "${7*7}", "<%= 7*7 %>", "#{7*7}",
    "</script><script>alert(1)</script>", "<iframe src=//evil.example>", "<a href='x'>x</a>", "]]>", "<![CDATA[x]]>",
    "<math><mtext></mtext></math>", "<style>*{display:none}</style>", "data:text/html,<b>x</b>", "<base href=//x>",
]  # fmt: skip
_DIALPLAN = [
    "500&PJSIP/itsp/1900", "&PJSIP/x/1900", "${SHELL(id)}", "${ENV(PATH)}", "$[1+1]", "a,b", "a|b", "a;b", "1900!",
    "Local/900@tongdai-outbound", "${EXTEN}", "PJSIP/x", "${FILE(/etc/passwd)}", "SIP/1&SIP/2", "agi_extension: 900",
    "${DB(a/b)}", "${CURL(http://x)}", "sip:evil@example.org", "tel:+84900", "$((1+1))", "`id`", "$(id)", "../../etc",
    "hangup\r\nchannel: x", "x@y", "*40", "#1", "0900;phone-context=evil", "%26PJSIP/x", "9,r,Dial(PJSIP/x)",
]  # fmt: skip
_LINES = [
    "a\r\nSet-Cookie: x=1", "a\ndata: {}", "a\n\nevent: reset\ndata: {}", "a\rid: 99", "%0d%0aX: y", "\u2028", "\u2029",
    "a\u2028b", "\x85", "\x0b\x0c", "id: 5\nevent: CallEnded", ": comment", "retry: 1", "a\u0000b",
]  # fmt: skip
_SQL = [
    "' OR 1=1 --", "'; DROP TABLE calls; --", '" OR ""="', "1); DELETE FROM tokens; --",
    "' UNION SELECT hash FROM tokens", "%", "_", "\\", "\\'", "''", "NULL",
    "0x41", "1e309", "' || hash || '", "admin'--", "') OR ('a'='a",
]  # fmt: skip
_SHEETS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "=cmd|'/c calc'!A1", "\t=1+1", '=HYPERLINK("//x")', "=IMPORTXML(1,2)"]
_UNICODE = [
    "\u202eevil", "\u2066x\u2069", "\u200b", "\u200e\u200f", "\ufeff", "Nguyễn Văn Ẩn", "nguye\u0302\u0303n", "😀",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\U000e0041", "ＡＮ", "٠٩١٢", "０９１２３４５６７８", "𝟘𝟡𝟙", "ﷺ",
    "Z\u0337\u031ba\u0334", "\ufdd0", "\U0010ffff", "ß", "İ", "\u0338" * 60, "a" + "\u0301" * 50, "\u202e" * 3,
    "﹢84912345678", "＋84912345678", "𝒜𝓃", "\u3164", "\u00ad",
]  # fmt: skip
_NUMBERS = [
    "", " ", "anonymous", "unknown", "restricted", "+", "++84", "84+", "0", "00", "000000000000000000000000000000000",
    "+84 912 345 678", "(091) 234-5678", "1" * 33, "1" * 64, "-1", "1.5", "1e10", "0x1F", "NaN", "Infinity", "null",
    "true", "[]", "{}", "+84912345678;ext=5", "0912345678,,1", "*#06#", "##002#", "+84912345678 OR 1=1",
]  # fmt: skip
_LONG = ["x" * 10_000, "9" * 10_000, "<" * 5_000, "\u0000" * 100, "é" * 3_000, "%" * 2_000, "\\" * 1_000]
_PATHS = ["..", "../x", "/etc/passwd", "%2e%2e%2f", "C:\\x", "//evil.example/x", "\\\\evil\\x", "a/../../b", ".", "~"]

NAMES = [*_CONTROLS, *_MARKUP, *_DIALPLAN, *_LINES, *_SQL, *_SHEETS, *_UNICODE, *_NUMBERS, *_LONG, *_PATHS]
assert len(set(NAMES)) >= 200
