"""What the command line says, in English and Vietnamese; the locale of the terminal chooses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from controller.core.saying import Language

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "error": ("tongdai: {0}", "tongdai: lỗi: {0}"),
    "warning": ("tongdai: warning: {0}", "tongdai: cảnh báo: {0}"),
    "unexpected": (
        "tongdai: unexpected {0}: {1} (TONGDAI_LOG__LEVEL=debug shows where)",
        "tongdai: lỗi không mong đợi {0}: {1} (TONGDAI_LOG__LEVEL=debug cho biết chỗ)",
    ),
    "usage": ("tongdai: {0} (see {1} --help)", "tongdai: {0} (xem {1} --help)"),
    "away": (
        "no daemon answers at {0}: {1}",
        "không có tiến trình nào trả lời tại {0}: {1}",
    ),
    "no_token": (
        "a token is wanted: --token, TONGDAI_TOKEN or --lab DIR (tongdai token create makes one)",
        "cần một token: --token, TONGDAI_TOKEN hoặc --lab THƯ_MỤC (tạo bằng tongdai token create)",
    ),
    "no_lab": ("{0}: no lab is up there", "{0}: không có lab nào đang chạy ở đó"),
    "no_file": ("{0}: cannot be read ({1})", "{0}: không đọc được ({1})"),
    "setup_fine": ("{0}: no mistake", "{0}: không có lỗi"),
    "no_change": ("nothing changes", "không có thay đổi"),
    "text_change": ("only comments and layout change", "chỉ thay đổi chú thích và cách trình bày"),
    "dry_run": ("{0} changes, nothing was applied", "{0} thay đổi, chưa áp dụng"),
    "ask_apply": ("apply?", "áp dụng?"),
    "no_terminal": (
        "nobody is here to say yes: repeat with --yes",
        "không có ai để xác nhận: thêm --yes",
    ),
    "not_applied": ("nothing was applied", "chưa áp dụng gì"),
    "applied_daemon": ("version {0} is in force", "phiên bản {0} đã có hiệu lực"),
    "applied_books": (
        "version {0} is on the books; a running daemon takes it within two seconds",
        "phiên bản {0} đã ghi sổ; tiến trình đang chạy sẽ nhận trong hai giây",
    ),
    "ported": ("ported", "chuyển mạng"),
    "blocked": ("blocked", "bị chặn"),
    "imported": ("{0} {1} numbers imported", "đã nhập {0} số {1}"),
    "looked_over": (
        "{0}: {1} {2} numbers, {3} lines passed over; nothing was imported",
        "{0}: {1} số {2}, bỏ qua {3} dòng; chưa nhập gì",
    ),
    "imported_but": (
        "{0} {1} numbers imported, {2} lines passed over",
        "đã nhập {0} số {1}, bỏ qua {2} dòng",
    ),
    "carriers_from": ("carriers: {0}, version {1}", "bảng nhà mạng: {0}, phiên bản {1}"),
    "ported_held": (
        "{0} ported numbers in {1} lists, {2} of {3} blocks in memory",
        "{0} số chuyển mạng trong {1} danh sách, {2}/{3} khối trong bộ nhớ",
    ),
    "by_hand": ("{0} numbers named by hand", "{0} số được gán tay"),
    "lookup_off": ("no look-up service", "không có dịch vụ tra cứu"),
    "lookup_is": ("look-up service {0}, {1} answers remembered", "dịch vụ tra cứu {0}, nhớ {1} câu trả lời"),
    "importing": ("importing: {0} %", "đang nhập: {0} %"),
    "nothing_to_apply": (
        "name a setup FILE, --ported FILE or --blocked FILE",
        "hãy nêu TỆP cấu hình, --ported TỆP hoặc --blocked TỆP",
    ),
    "exported": ("version {0} written to {1}", "đã ghi phiên bản {0} vào {1}"),
    "rendered": ("{0} files written to {1}", "đã ghi {0} tệp vào {1}"),
    "none": ("none", "không có"),
    "calling": (
        "{0}'s phone rings; then {1} is dialled (tongdai story {2})",
        "điện thoại của {0} đang đổ chuông, sau đó sẽ gọi {1} (tongdai story {2})",
    ),
    "yes": ("yes", "có"),
    "no": ("no", "không"),
    "allowed": ("{0} may be called", "có thể gọi {0}"),
    "refused": ("{0} may not be called: {1}", "không thể gọi {0}: {1}"),
    "carrier": ("operator {0}, known by {1}", "nhà mạng {0}, biết qua {1}"),
    "attempt": (
        "{0}. by trunk {1}, showing {2} (hotline {3}): {4}",
        "{0}. qua trunk {1}, hiện số {2} (hotline {3}): {4}",
    ),
    "token_made": (
        "token {0} for {1}; it is shown this once:",
        "token {0} cho {1}; chỉ hiện một lần này:",
    ),
    "token_revoked": ("token {0} is revoked", "đã thu hồi token {0}"),
    "token_unknown": ("no token {0} is valid", "không có token {0} còn hiệu lực"),
    "migrated": ("the database is at revision {0}", "cơ sở dữ liệu ở phiên bản {0}"),
    "story_of": ("story of call {0}", "diễn biến cuộc gọi {0}"),
    "because": ("because of {0}", "do {0}"),
    "replayed": ("{0} lines, {1} calls", "{0} dòng, {1} cuộc gọi"),
    "replay_same": (
        "{0} events replayed: every fact as before",
        "đã chạy lại {0} sự kiện: mọi kết quả như cũ",
    ),
    "replay_differs": (
        "{0} events replayed: {1} calls went another way",
        "đã chạy lại {0} sự kiện: {1} cuộc gọi đi khác",
    ),
}
"""Every sentence by name: English, then Vietnamese."""


def language(environ: Mapping[str, str] | None = None) -> Language:
    """`vi` when the terminal speaks Vietnamese, else `en`."""
    env = os.environ if environ is None else environ
    spoken = env.get("LC_ALL") or env.get("LC_MESSAGES") or env.get("LANG") or ""
    return "vi" if spoken.lower().startswith("vi") else "en"


def words(name: str, *parts: object) -> str:
    """Say a sentence in the language of the terminal."""
    english, vietnamese = WORDS[name]
    return (vietnamese if language() == "vi" else english).format(*parts)
