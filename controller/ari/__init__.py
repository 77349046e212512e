"""The door to Asterisk: what it tells becomes events, what the engine wants becomes requests."""
