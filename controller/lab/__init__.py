"""A whole telephone exchange in one directory: Asterisk, the daemon and phones, on loopback."""
