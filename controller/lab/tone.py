"""Sound for test phones: a G.711 µ-law tone to speak with, and a measure of how loud one tone is in what was heard.

Every phone of a lab speaks on its own frequency, so a recording or a received stream tells *who* is audible in it,
not only that something is (ITU-T G.711; Goertzel's algorithm for one bin of a Fourier transform).
"""

from __future__ import annotations

import math
import struct
import wave
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

RATE_HZ = 8000
FRAME_SAMPLES = 160
FRAME_S = FRAME_SAMPLES / RATE_HZ
_AMPLITUDE = 8000
_BIAS = 0x84
_CLIP = 32635


def ulaw(sample: int) -> int:
    """Encode one 16-bit sample."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), _CLIP) + _BIAS
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return ~(sign | (exponent << 4) | mantissa) & 0xFF


def _linear(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + _BIAS) << ((code >> 4) & 0x07)
    return _BIAS - magnitude if code & 0x80 else magnitude - _BIAS


_LINEAR = tuple(_linear(code) for code in range(256))


@lru_cache(maxsize=32)
def tone_frames(hz: int) -> tuple[bytes, ...]:
    """One second of a tone as 50 frames of 20 ms; a whole number of hertz makes it loop without a click."""
    codes = bytes(ulaw(int(_AMPLITUDE * math.sin(2 * math.pi * hz * n / RATE_HZ))) for n in range(RATE_HZ))
    return tuple(codes[n : n + FRAME_SAMPLES] for n in range(0, RATE_HZ, FRAME_SAMPLES))


def write_tone(path: Path, hz: int, seconds: int = 1) -> Path:
    """Write a raw µ-law file of the tone, as SIPp streams it."""
    path.write_bytes(b"".join(tone_frames(hz)) * seconds)
    return path


def decode(codes: bytes) -> list[int]:
    """Decode µ-law bytes to 16-bit samples."""
    return [_LINEAR[code] for code in codes]


def power_at(samples: Sequence[int], hz: int, rate_hz: int = RATE_HZ) -> float:
    """Return the amplitude (0 to 32,767) of one frequency in these samples; 0.0 when there are none."""
    if not samples:
        return 0.0
    coefficient = 2 * math.cos(2 * math.pi * hz / rate_hz)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    power = last * last + before * before - coefficient * last * before
    return 2 * math.sqrt(max(power, 0.0)) / len(samples)


def read_wav(path: Path) -> tuple[list[int], int]:
    """Read a 16-bit mono recording: its samples and its rate in hertz."""
    with wave.open(str(path), "rb") as wav:
        raw = wav.readframes(wav.getnframes())
        return list(struct.unpack(f"<{len(raw) // 2}h", raw)), wav.getframerate()
