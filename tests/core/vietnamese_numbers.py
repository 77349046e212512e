"""The Vietnamese plan once more, written down from the published lists and not from the program: a second opinion."""

from __future__ import annotations

MOBILE = {
    "viettel": "086 096 097 098 031 032 033 034 035 036 037 038 039",
    "vinaphone": "088 091 094 081 082 083 084 085",
    "mobifone": "089 090 093 070 076 077 078 079 030 051",
    "vietnamobile": "092 052 056 058",
    "gmobile": "059 0993 0994 0995 0996 0997",
    "itel": "087 0998 0999",
    "wintel": "055",
}
"""Ten digits in all, the prefix included."""

NOBODYS = "050 053 054 057 071 072 073 074 075 080 095 0990 0991 0992"
"""Mobile in form, and given to nobody."""

RENUMBERED = """
0120 070, 0121 079, 0122 077, 0126 076, 0128 078,
0123 083, 0124 084, 0125 085, 0127 081, 0129 082,
0162 032, 0163 033, 0164 034, 0165 035, 0166 036, 0167 037, 0168 038, 0169 039,
0186 056, 0188 058,
0199 059
"""
"""Eleven digits before September 2018, ten since; the last seven stayed."""

AREAS = """
024 028
0203 0204 0205 0206 0207 0208 0209 0210 0211 0212 0213 0214 0215 0216 0218 0219 0220 0221 0222 0225 0226 0227 0228 0229
0232 0233 0234 0235 0236 0237 0238 0239 0251 0252 0254 0255 0256 0257 0258 0259 0260 0261 0262 0263 0269
0270 0271 0272 0273 0274 0275 0276 0277 0290 0291 0292 0293 0294 0296 0297 0299
"""
"""Eleven digits in all, the area code included."""


def carrier_by_prefix() -> dict[str, str]:
    """Every mobile prefix with its operator."""
    return {prefix: carrier for carrier, prefixes in MOBILE.items() for prefix in prefixes.split()}


def renumbered() -> dict[str, str]:
    """Old prefix to new."""
    return dict(pair.split() for pair in RENUMBERED.replace("\n", "").split(",") if pair.strip())
