"""Everything Asterisk reads from us, by one name: for an Asterisk that runs already, and for a private one.

`tongdai render asterisk` and the daemon use `write_asterisk` and `write_generated`; `tongdai lab` and the live tests
use `write_lab_config`. The texts themselves are made in the modules named `render_*`.
"""

from __future__ import annotations

from controller.lab.conftext import ConfError
from controller.lab.render_files import (
    RenderOptions,
    kept_options,
    modules_to_reload,
    render_asterisk,
    write_asterisk,
    write_generated,
)
from controller.lab.render_lab import SIP_T1_MS, LabPlaces, LabPorts, write_lab_config
from controller.lab.render_pjsip import SipOptions

__all__ = [
    "SIP_T1_MS",
    "ConfError",
    "LabPlaces",
    "LabPorts",
    "RenderOptions",
    "SipOptions",
    "kept_options",
    "modules_to_reload",
    "render_asterisk",
    "write_asterisk",
    "write_generated",
    "write_lab_config",
]
