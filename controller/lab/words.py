"""What a lab says to the person at the terminal, in English and Vietnamese; the locale chooses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from controller.cli_words import language

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "up": ("\nThe lab is up; Ctrl-C ends it.", "\nLab đã sẵn sàng; Ctrl-C để dừng."),
    "ports_do_not_fit": (
        "--port-base {0}: its ports do not fit between {1} and {2}",
        "--port-base {0}: các cổng không nằm trong khoảng {1} đến {2}",
    ),
    "rtp_range": (
        "--rtp-range {0}: wants FIRST-LAST, as in 20000-29999",
        "--rtp-range {0}: cần dạng ĐẦU-CUỐI, ví dụ 20000-29999",
    ),
    "daemon_setting": (
        "--set {0}: wants SECTION.KEY=VALUE, as in ari.url=http://127.0.0.1:8088",
        "--set {0}: cần dạng MỤC.KHÓA=GIÁ_TRỊ, ví dụ ari.url=http://127.0.0.1:8088",
    ),
    "port_taken": (
        "port {0} is taken (another lab?): choose another --port-base",
        "cổng {0} đã được dùng (lab khác?): hãy chọn --port-base khác",
    ),
    "not_ready": ("{0} is not ready after {1:g} s:\n{2}", "{0} chưa sẵn sàng sau {1:g} giây:\n{2}"),
    "does_not_start": ("{0} does not start:\n{1}", "{0} không khởi động được:\n{1}"),
    "left_out": (
        "\nThe {0} demonstration call was left out: {1}",
        "\nBỏ qua cuộc gọi minh họa {0}: {1}",
    ),
    "no_operator": (
        "Trunk {0} has no operator here: {1}:{2} is taken by another program",
        "Trung kế {0} không có nhà mạng giả lập: {1}:{2} đã được chương trình khác dùng",
    ),
    "customer_dials": ("\nA customer dials {0} ({1}) …", "\nKhách hàng gọi {0} ({1}) …"),
    "agent_answers": ("  {0} answers; they talk for {1:g} s …", "  {0} nhấc máy; hai bên nói chuyện {1:g} giây …"),
    "agent_rests": ("  {0} rests until {1} (state {2})", "  {0} nghỉ sau cuộc gọi đến {1} (trạng thái {2})"),
    "agent_dials": ("\n{0} dials {1} through {2} …", "\n{0} gọi {1} qua {2} …"),
    "trunk_answers": (
        "  answered by trunk {0}, which shows {1} …",
        "  được trả lời qua trung kế {0}, hiện số {1} …",
    ),
    "story": ("\nStory of the {0} call (tongdai story {1}):\n", "\nDiễn biến cuộc gọi {0} (tongdai story {1}):\n"),
    "no_demo_hotline": (
        "no hotline on a loopback trunk leads straight to a queue with an agent whose phone registers",
        "không có đầu số nào qua trung kế loopback dẫn thẳng vào hàng đợi có điện thoại viên đăng ký máy",
    ),
    "no_demo_caller": (
        "no agent of the setup has a number to call out with (outbound_with)",
        "không có điện thoại viên nào có số để gọi ra (outbound_with)",
    ),
    "no_demo_number": (
        "no trunk of the setup belongs to a carrier with prefixes",
        "không có trung kế nào thuộc nhà mạng có đầu số",
    ),
    "not_answered": ("the call was not answered (SIP {0})", "cuộc gọi không được trả lời (SIP {0})"),
    "does_not_end": ("call {0} does not end", "cuộc gọi {0} không kết thúc"),
    "inbound": ("inbound", "đến"),
    "outbound": ("outbound", "đi"),
    "interface": (
        "Interface   {0}/openapi.json   (tongdai calls|agents|queues --lab {1})",
        "Giao diện   {0}/openapi.json   (tongdai calls|agents|queues --lab {1})",
    ),
    "token": ("Token       admin_token in {0}/lab.json", "Token       admin_token trong {0}/lab.json"),
    "metrics": ("Metrics     {0}/metrics", "Số đo       {0}/metrics"),
    "logs": ("Logs        {0}  {1}", "Nhật ký     {0}  {1}"),
    "softphone": ("Softphone   server {0}:{1} (UDP)", "Softphone   máy chủ {0}:{1} (UDP)"),
    "as_customer": (
        "  customer  user {0}, password {1}; dial a hotline: {2}",
        "  khách     user {0}, mật khẩu {1}; gọi một đầu số: {2}",
    ),
    "as_agent": (
        "  agent     user {0}, password {1}; *40 is available, *41 not ready",
        "  ĐT viên   user {0}, mật khẩu {1}; *40 sẵn sàng, *41 tạm nghỉ",
    ),
}
"""Every sentence by name: English, then Vietnamese."""


def words(name: str, *parts: object) -> str:
    """Say a sentence in the language of the terminal."""
    english, vietnamese = WORDS[name]
    return (vietnamese if language() == "vi" else english).format(*parts)
