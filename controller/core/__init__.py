"""The study: every decision, no I/O.

One door: `step(world, event, now_ms) -> Step`. Nothing in this package reads a clock, a file, a socket or chance,
and nothing in it logs; it knows the standard library and `phonenumbers`.
"""
