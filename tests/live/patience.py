"""How patient tests are. A wait that succeeds returns at once, so only what never happens costs this time."""

PATIENCE_S = 20.0
"""How long what must happen may take before a test says that it does not."""
SLOW_S = 15.0
"""What a busy machine may add to a time that is a fact; the fact's opposite takes longer, or for ever."""
READY_S = 60.0
"""How long a daemon may take to be ready again."""
