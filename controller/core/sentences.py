"""Every sentence about what is wrong with a setup, a table of numbers or a file of them: English, then Vietnamese.

Names of keys and words of the setup file stay as they are written there, in both languages. Both have the same parts
in braces (`tests/core/test_saying.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SENTENCES: Final[Mapping[str, tuple[str, str]]] = {
    # where, and what
    "at": ("{where}: {what}", "{where}: {what}"),
    "at_line": ("{file}:{line}: {what}", "{file}:{line}: {what}"),
    # what a value is
    "kind_flag": ("true or false", "true hoặc false"),
    "kind_integer": ("a whole number", "số nguyên"),
    "kind_fraction": ("a fraction", "số thập phân"),
    "kind_text": ("text", "văn bản"),
    "kind_list": ("a list", "danh sách"),
    "kind_table": ("a table", "bảng"),
    "kind_nothing": ("nothing", "giá trị rỗng"),
    "kind_moment": ("a date or time", "ngày hoặc giờ"),
    "this": ("this", "giá trị này"),
    # what texts may consist of
    "wants_name": ("letters a-z, digits and . _ - (at most 64)", "chữ cái a-z, chữ số và . _ - (tối đa 64 ký tự)"),
    "wants_file": (
        "a sound file without its ending: letters a-z, digits and . _ - /",
        "tên tệp âm thanh không có đuôi: chữ cái a-z, chữ số và . _ - /",
    ),
    "wants_path": (
        "the path of a file, from the root: /etc/tongdai/carriers.toml",
        "đường dẫn tệp tính từ gốc: /etc/tongdai/carriers.toml",
    ),
    "wants_extension": ("2 to 6 digits", "từ 2 đến 6 chữ số"),
    "wants_dial_code": (
        "a dial code: * or # and up to 4 digits, or up to 4 digits not beginning with 0 or 1",
        "mã quay số: * hoặc # và tối đa 4 chữ số, hoặc tối đa 4 chữ số không bắt đầu bằng 0 hay 1",
    ),
    "wants_host": ("an address and port such as 192.0.2.7:5060", "địa chỉ và cổng như 192.0.2.7:5060"),
    "wants_digits": ("digits only", "chỉ gồm chữ số"),
    "wants_word": ("small letters and _", "chữ thường và _"),
    "wants_secret": (
        "printable ASCII without spaces, quotes, ; \\ < > [ ] and ` (at most 128)",
        "ký tự ASCII in được, không có dấu cách, dấu nháy, ; \\ < > [ ] và ` (tối đa 128 ký tự)",
    ),
    "wants_contact": (
        "a SIP address such as sip:an@192.0.2.7:5060",
        "địa chỉ SIP như sip:an@192.0.2.7:5060",
    ),
    "wants_phone_number": ("a phone number", "số điện thoại"),
    "wants_words": ("plain words", "từ ngữ thông thường"),
    "wants_plain_path": ("an absolute path of plain characters", "đường dẫn tuyệt đối gồm ký tự thông thường"),
    "wants_language": ("a language of two letters", "mã ngôn ngữ gồm hai chữ cái"),
    "wants_text": ("at most {most} printable characters", "tối đa {most} ký tự in được"),
    # the shape of any key
    "missing": ("is missing", "bị thiếu"),
    "must_be": ("must be {wanted}, not {kind}", "phải là {wanted}, không phải {kind}"),
    "not_allowed": ("{value} is not allowed here: {wanted}", "{value} không được phép ở đây: cần {wanted}"),
    "none_of": ("{value} is none of {allowed}{near}", "{value} không thuộc {allowed}{near}"),
    "out_of_range": ("{value} is out of range: {low} to {high}", "{value} nằm ngoài khoảng: từ {low} đến {high}"),
    "twice": ("'{value}' is in the list twice", "'{value}' có hai lần trong danh sách"),
    "stands_already": ("'{value}' stands in {place} already", "'{value}' đã có ở {place}"),
    "no_such_key": ("there is no such key here{near}", "ở đây không có khóa này{near}"),
    "did_you_mean": (" (did you mean '{word}'?)", " (có phải ý bạn là '{word}'?)"),
    "only_true": ("can only be true", "chỉ có thể là true"),
    # numbers, trunks and carriers
    "no_country": (
        "{value} is no country of two capital letters (ISO 3166), such as VN",
        "{value} không phải mã nước gồm hai chữ hoa (ISO 3166), chẳng hạn VN",
    ),
    "no_timezone": (
        "{value} is no time zone (IANA), such as Asia/Ho_Chi_Minh",
        "{value} không phải múi giờ (IANA), chẳng hạn Asia/Ho_Chi_Minh",
    ),
    "host_or_endpoint": (
        "either host or endpoint says where the trunk leads ({more})",
        "hoặc host hoặc endpoint cho biết trunk dẫn đến đâu ({more})",
    ),
    "not_both": ("not both", "không được có cả hai"),
    "none_is_there": ("none is there", "không có cái nào"),
    "account_missing": (
        'is missing: with caller_id_in = "pai" it is what stands in From',
        'bị thiếu: với caller_id_in = "pai", đây là phần nằm trong From',
    ),
    "account_only_pai": (
        'has a meaning only with caller_id_in = "pai"',
        'chỉ có nghĩa khi caller_id_in = "pai"',
    ),
    "no_phone_prefix": ("{value} is no prefix of phone numbers", "{value} không phải đầu số điện thoại"),
    "no_host": (
        "{value} is no {wanted}; a carrier is known by its address, not by a name",
        "{value} không phải {wanted}; nhà mạng được nhận biết qua địa chỉ, không qua tên",
    ),
    "no_carrier": ("no carrier is named {value}{near}", "không có nhà mạng nào tên {value}{near}"),
    "carrier_in_no_table": (
        "{value} is in no table of carriers, so it holds no prefixes",
        "{value} không có trong bảng nhà mạng nào nên không giữ đầu số nào",
    ),
    "no_prefix": ("{value} is no prefix", "{value} không phải đầu số"),
    "no_phone_number": ("{value} is no phone number", "{value} không phải số điện thoại"),
    "no_subscriber": (
        "{value} is no phone number of a subscriber",
        "{value} không phải số điện thoại của thuê bao",
    ),
    "no_own_number": (
        "{value} is no number of {country}: write E.164 (+84…) or a short code",
        "{value} không phải số của {country}: hãy viết dạng E.164 (+84…) hoặc đầu số ngắn",
    ),
    "must_name_one": ("must name at least one of {allowed}", "phải nêu ít nhất một trong {allowed}"),
    "no_moment": (
        "must be a date or time such as 2027-01-31 or 2027-01-31T18:00:00+07:00",
        "phải là ngày hoặc giờ như 2027-01-31 hoặc 2027-01-31T18:00:00+07:00",
    ),
    "all_or_countries": ('"all" or a list of countries', '"all" hoặc danh sách mã nước'),
    "all_or_kinds": ('"all" or a list of kinds', '"all" hoặc danh sách loại số'),
    "all_or_groups": ('"all" or a list of groups', '"all" hoặc danh sách nhóm'),
    "fallback_forms": (
        'must be "announce", "ring" or {{ phone = … }}',
        'phải là "announce", "ring" hoặc {{ phone = … }}',
    ),
    "own_carriers": (
        "the setup has carriers of its own, so it can name no file of them",
        "cấu hình đã có bảng nhà mạng riêng nên không thể nêu tệp nhà mạng",
    ),
    "means_already": ("'{alias}' already means {place}", "'{alias}' đã chỉ {place}"),
    "must_name_source": ("must name where the table comes from", "phải nêu nguồn của bảng"),
    "no_carriers": ("the table names no carrier", "bảng không nêu nhà mạng nào"),
    "no_version": (
        "must be the date of the table, such as 2026-11-22",
        "phải là ngày của bảng, chẳng hạn 2026-11-22",
    ),
    "with_zero": (
        "'{prefix}' must be written as it is dialled at home, with the 0 in front",
        "'{prefix}' phải viết như khi quay trong nước, có số 0 ở đầu",
    ),
    # people, waiting and ways
    "no_telephone_key": (
        "{value} is no key of a telephone: 0 to 9, * or #",
        "{value} không phải phím điện thoại: 0 đến 9, * hoặc #",
    ),
    "no_way_out": (
        "is missing, and so callers have no way out ({keys})",
        "bị thiếu nên người gọi không có lối ra ({keys})",
    ),
    "no_way_out_closed": (
        "is missing, and so callers have no way out when the hours are over",
        "bị thiếu nên người gọi không có lối ra khi hết giờ làm việc",
    ),
    "phone_missing": (
        "is missing: {{ user = …, password = … }}, {{ contact = … }} or {{ endpoint = … }}",
        "bị thiếu: {{ user = …, password = … }}, {{ contact = … }} hoặc {{ endpoint = … }}",
    ),
    "phone_one_of": (
        "either registers (user and password), or has a contact, or is an endpoint that exists",
        "hoặc đăng ký (user và password), hoặc có contact, hoặc là endpoint có sẵn",
    ),
    "password_without_user": (
        "belongs to a phone that registers with a user",
        "chỉ dành cho máy đăng ký bằng user",
    ),
    "open_missing": (
        'is missing: {{ mon = ["08:00-12:00", "13:30-17:30"], … }}',
        'bị thiếu: {{ mon = ["08:00-12:00", "13:30-17:30"], … }}',
    ),
    "no_frame": (
        "{value} is no time of day such as 08:00-12:00 (or 22:00-06:00)",
        "{value} không phải khung giờ như 08:00-12:00 (hoặc 22:00-06:00)",
    ),
    "frames_overlap": (
        "begins before the frame in front of it has ended",
        "bắt đầu trước khi khung giờ đứng trước kết thúc",
    ),
    "no_date": ("{value} is no date such as 2027-01-01", "{value} không phải ngày như 2027-01-01"),
    "no_url": ("{value} is no http or https address", "{value} không phải địa chỉ http hoặc https"),
    "url_with_user": (
        "may not carry a user or a password; notices are signed with `secret`",
        "không được chứa tên người dùng hay mật khẩu; thông báo được ký bằng `secret`",
    ),
    "no_receiver": ("{host} is no address of a receiver", "{host} không phải địa chỉ của bên nhận"),
    "way_forms": (
        '"hangup", {{ queue = … }}, {{ menu = … }}, {{ phone = … }}, {{ voicemail = true }} or {play}',
        '"hangup", {{ queue = … }}, {{ menu = … }}, {{ phone = … }}, {{ voicemail = true }} hoặc {play}',
    ),
    "way_forms_or_repeat": ('{forms} or "repeat"', '{forms} hoặc "repeat"'),
    "no_way": ("{value} is no way to go: {forms}{near}", "{value} không phải một lối đi: {forms}{near}"),
    "one_place": ("must name one place to go: {forms}", "phải nêu một nơi để đi tới: {forms}"),
    "second_announcement": ("may not play a second announcement", "không được phát thêm lời thoại thứ hai"),
    # sense: what is said fits together
    "nobody_named": ("no {what} is named '{name}'{near}", "không có {what} nào tên '{name}'{near}"),
    "a_schedule": ("schedule", "schedule"),
    "a_trunk": ("trunk", "trunk"),
    "a_queue": ("queue", "queue"),
    "a_menu": ("menu", "menu"),
    "a_group": ("group", "group"),
    "a_hotline": ("hotline", "hotline"),
    "a_hotline_or_adaptive": ("hotline or adaptive number", "hotline hay số thích ứng"),
    "leads_nowhere": (
        "is missing: a hotline leads to a queue or a menu",
        "bị thiếu: một hotline phải dẫn đến queue hoặc menu",
    ),
    "leads_twice": (
        "either queue or menu says where callers go, not both",
        "hoặc queue hoặc menu cho biết người gọi đi đâu, không phải cả hai",
    ),
    "trunk_missing": (
        'is missing: only a hotline of kind = "virtual" has none',
        'bị thiếu: chỉ hotline có kind = "virtual" mới không cần',
    ),
    "virtual_trunk": ("a virtual hotline has no trunk", "hotline ảo không có trunk"),
    "virtual_outbound": (
        "has no effect: a virtual hotline never calls out",
        "không có tác dụng: hotline ảo không bao giờ gọi ra",
    ),
    "virtual_fallback": (
        "a virtual hotline never calls out, so it cannot call a phone",
        "hotline ảo không bao giờ gọi ra nên không thể gọi đến điện thoại",
    ),
    "digits_only_name": (
        "a name of digits only would be taken for a phone number",
        "tên chỉ gồm chữ số sẽ bị hiểu là số điện thoại",
    ),
    "is_virtual": ("is virtual", "là số ảo"),
    "has_outbound_false": ("has outbound = false", "có outbound = false"),
    "will_not_leave": (
        "hotline {number} {why}, so no call will leave by it",
        "hotline {number} {why} nên không cuộc gọi nào đi ra được qua đó",
    ),
    "no_agent_serves": ("no agent serves this queue", "không có nhân viên nào phục vụ hàng đợi này"),
    "is_emergency": ("{number} is an emergency number", "{number} là số khẩn cấp"),
    "is_hotline": ("{number} is a hotline", "{number} là một hotline"),
    "is_extension": (
        "'{name}' is an extension, and no SIP account may be named like one",
        "'{name}' là số máy lẻ, và không tài khoản SIP nào được mang tên như vậy",
    ),
    "begins_dial_code": (
        "'{code}' begins the dial code '{longer}' of {place}",
        "'{code}' là phần đầu của mã quay số '{longer}' ở {place}",
    ),
    "begins_abroad": (
        "'{code}' begins numbers that are written {abroad}…",
        "'{code}' là phần đầu của những số được viết {abroad}…",
    ),
    "begins_feature": (
        "'{code}' begins {longer}, which has a meaning of its own",
        "'{code}' là phần đầu của {longer}, vốn đã có nghĩa riêng",
    ),
    "way_by_virtual": (
        "hotline {number} is virtual and never calls out",
        "hotline {number} là số ảo và không bao giờ gọi ra",
    ),
    "way_cannot_leave": (
        "hotline {number} has outbound = false, so this call cannot leave",
        "hotline {number} có outbound = false nên cuộc gọi này không thể đi ra",
    ),
    "round_for_ever": (
        "callers would go round for ever: {way}",
        "người gọi sẽ đi vòng mãi: {way}",
    ),
    "unreached": ("no hotline leads to {table} {name}", "không hotline nào dẫn đến {table} {name}"),
    "dead_end": (
        "{owner} {name} may send its callers to a phone number, and this hotline may not call out",
        "{owner} {name} có thể chuyển người gọi đến một số điện thoại, mà hotline này không được gọi ra",
    ),
    "blocked_is_over": (
        "is over: this number is no longer blocked",
        "đã hết hạn: số này không còn bị chặn",
    ),
    # files
    "cannot_be_read": ("{file}: cannot be read: {why}", "{file}: không đọc được: {why}"),
    "is_no_file": ("is no file", "không phải tệp"),
    "no_carrier_file": (
        "{file}: is longer than {most} bytes, which is no table of carriers",
        "{file}: dài hơn {most} byte, không thể là bảng nhà mạng",
    ),
    "other_country": (
        "{file}: is a table of {country}, the setup is in {own}",
        "{file}: là bảng của {country}, còn cấu hình ở {own}",
    ),
    "not_utf8": ("is not UTF-8", "không phải UTF-8"),
    "setup_too_long": (
        "is longer than {most} characters; import long lists from CSV instead",
        "dài hơn {most} ký tự; hãy nhập danh sách dài từ tệp CSV",
    ),
    "key_too_deep": ("a key of more than {most} parts", "khóa có hơn {most} phần"),
    "nested_too_deeply": ("is nested too deeply", "lồng nhau quá sâu"),
    "no_toml": ("this is no TOML: {what} ({place})", "đây không phải TOML: {what} ({place})"),
    "column": ("column {n}", "cột {n}"),
    "end_of_file": ("at the end of the file", "ở cuối tệp"),
    "no_json_object": (
        "the setup must be a JSON object with the tables of the setup file",
        "cấu hình phải là một đối tượng JSON gồm các bảng của tệp cấu hình",
    ),
    "stale": (
        "the setup is at version {current}, not {seen}: read it again and repeat the change",
        "cấu hình đang ở phiên bản {current}, không phải {seen}: hãy đọc lại rồi sửa lại",
    ),
    # settings of the process
    "wants_brackets": (
        "wants an IPv6 address in brackets: [::1]:8090",
        "cần địa chỉ IPv6 trong ngoặc vuông: [::1]:8090",
    ),
    "wants_host_port": ("wants host:port, as in 127.0.0.1:8090", "cần máy:cổng, như 127.0.0.1:8090"),
    "wants_host_name": (
        "wants an address or a host name before the port",
        "cần một địa chỉ hoặc tên máy trước cổng",
    ),
    "wants_any_text": ("wants a text", "cần văn bản"),
    "wants_flag": ("wants true or false", "cần true hoặc false"),
    "wants_count": (
        "wants a whole number from {lowest} to {highest}",
        "cần số nguyên từ {lowest} đến {highest}",
    ),
    "wants_one_of": ("wants one of {words}", "cần một trong {words}"),
    "wants_hosts": ("wants a list of host names", "cần danh sách tên máy"),
    "wants_no_port": ("wants host names without port", "cần tên máy không kèm cổng"),
    "wants_ari_url": (
        "wants http://host:port, user and password stand in keys of their own",
        "cần http://máy:cổng, tên và mật khẩu nằm ở khóa riêng",
    ),
    "wants_lookup_url": (
        "wants http://host:port/path/{{number}}, and a token in a key of its own",
        "cần http://máy:cổng/đường-dẫn/{{number}}, còn token nằm ở khóa riêng",
    ),
    "wants_app": (
        "wants letters, digits, - and _ (at most 64)",
        "cần chữ cái, chữ số, - và _ (tối đa 64 ký tự)",
    ),
    "wants_instance": (
        "wants letters, digits and . : _ - (at most 253)",
        "cần chữ cái, chữ số và . : _ - (tối đa 253 ký tự)",
    ),
    "wants_database": (
        "wants sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/NAME",
        "cần sqlite+aiosqlite:///TỆP hoặc postgresql+asyncpg://NGƯỜI_DÙNG:MẬT_KHẨU@MÁY/TÊN",
    ),
    "wants_zone": ("wants a name of the DNS, such as e164.arpa", "cần một tên DNS, chẳng hạn e164.arpa"),
    "wants_field": ("wants a name, parts with dots between", "cần một tên, các phần cách nhau bằng dấu chấm"),
    "wants_section": ("{place}: {key}: wants to stand in a [section]", "{place}: {key}: phải nằm trong một [mục]"),
    "lookup_url_missing": (
        "[lookup] url: is missing, and kind is http",
        "[lookup] url: bị thiếu, trong khi kind là http",
    ),
    "unknown_section": ("{place}: unknown section{hint}", "{place}: không có mục này{hint}"),
    "unknown_key": ("{place}: unknown key{hint}", "{place}: không có khóa này{hint}"),
    "hint_near": (", did you mean {name}?", ", có phải ý bạn là {name}?"),
    "hint_all": (" (there are {names})", " (chỉ có {names})"),
    "not_loopback": (
        "{place}: is not a loopback address; say [{section}] allow_remote = true if it is meant",
        "{place}: không phải địa chỉ loopback; hãy đặt [{section}] allow_remote = true nếu đúng là muốn vậy",
    ),
    # what the web framework finds wrong with a request, by its own names
    "missing_field": ("Field required", "bắt buộc phải có"),
    "extra_forbidden": ("Extra inputs are not permitted", "không được có thêm khóa này"),
    "string_too_long": (
        "String should have at most {max_length} characters",
        "văn bản được dài tối đa {max_length} ký tự",
    ),
    "string_too_short": (
        "String should have at least {min_length} character",
        "văn bản phải dài ít nhất {min_length} ký tự",
    ),
    "literal_error": ("Input should be {expected}", "phải là {expected}"),
    "string_type": ("Input should be a valid string", "phải là văn bản"),
    "int_type": ("Input should be a valid integer", "phải là số nguyên"),
    "int_parsing": (
        "Input should be a valid integer, unable to parse string as an integer",
        "phải là số nguyên, không đọc được văn bản này như số nguyên",
    ),
    "greater_than_equal": ("Input should be greater than or equal to {ge}", "phải lớn hơn hoặc bằng {ge}"),
    "less_than_equal": ("Input should be less than or equal to {le}", "phải nhỏ hơn hoặc bằng {le}"),
    # answers to what somebody asked for
    "see_log": ("this could not be done: see the log", "không thực hiện được: hãy xem nhật ký"),
    "no_live_call": ("no live call has the id {call}", "không có cuộc gọi nào đang diễn ra mang mã {call}"),
    "no_agent_named": ("no agent is named {agent}", "không có nhân viên nào tên {agent}"),
    "call_there": ("there is a call {call} already", "đã có cuộc gọi {call}"),
    "may_not_be_called": ("{number} may not be called: {reason}", "không được gọi {number}: {reason}"),
    "is_in_a_call": ("{agent} is in a call", "{agent} đang có cuộc gọi"),
    "has_no_phone": (
        "{agent} has no phone that can be reached now",
        "{agent} hiện không có điện thoại nào liên lạc được",
    ),
    "status_one_of": (
        "status is one of {allowed}, not {status}",
        "trạng thái là một trong {allowed}, không phải {status}",
    ),
    "not_in_wrap_up": ("{agent} is not in wrap-up", "{agent} không trong thời gian xử lý sau cuộc gọi"),
    "extend_more": ("extend by at least 1 second, not {seconds}", "hãy gia hạn ít nhất 1 giây, không phải {seconds}"),
    "wrap_up_longest": (
        "wrap-up lasts {longest} seconds at most in all",
        "thời gian xử lý sau cuộc gọi dài nhất tổng cộng {longest} giây",
    ),
    "consulted_first": (
        "a phone is consulted: complete or cancel that first",
        "đang hỏi ý kiến một máy: hãy hoàn tất hoặc hủy việc đó trước",
    ),
    "consulted_already": ("a phone is consulted already", "đã đang hỏi ý kiến một máy"),
    "nobody_consulted": ("no phone is consulted", "không có máy nào đang được hỏi ý kiến"),
    "action_one_of": (
        "action is one of {allowed}, not {action}",
        "thao tác là một trong {allowed}, không phải {action}",
    ),
    "cannot_be_called": ("{number} cannot be called: {reason}", "không gọi được {number}: {reason}"),
    "only_talking": (
        "only a caller who talks to an agent can be transferred",
        "chỉ chuyển được người gọi đang nói chuyện với nhân viên",
    ),
    # problem documents
    "setup_refused": ("the setup was refused", "cấu hình bị từ chối"),
    "setup_mistakes": (
        "the setup has {n} mistakes, nothing was changed",
        "cấu hình có {n} lỗi, chưa thay đổi gì",
    ),
    "setup_unreadable": ("the setup cannot be read", "không đọc được cấu hình"),
    "key_twice": ("the key {key} is given twice", "khóa {key} được nêu hai lần"),
    "is_no_number": ("{word} is no number", "{word} không phải số"),
    "must_be_object": ("must be an object", "phải là một đối tượng"),
    "must_be_integer": ("must be a whole number", "phải là số nguyên"),
    "no_database": ("the database does not answer, try again", "cơ sở dữ liệu không trả lời, hãy thử lại"),
    "no_asterisk": ("Asterisk does not answer, try again", "Asterisk không trả lời, hãy thử lại"),
    "took_too_long": (
        "this took too long and was given up, try again",
        "việc này quá lâu nên đã dừng, hãy thử lại",
    ),
    "our_fault": (
        "something went wrong on our side; the log has it under this instance",
        "có lỗi ở phía chúng tôi; nhật ký ghi lại dưới tên này",
    ),
    "not_understood": (
        "the request was not understood, nothing was done",
        "không hiểu được yêu cầu, chưa làm gì cả",
    ),
    "not_json": ("cannot be read as JSON in UTF-8", "không đọc được như JSON bằng UTF-8"),
    "too_many_requests": ("too many requests at once, try again", "quá nhiều yêu cầu cùng lúc, hãy thử lại"),
    "role_may_not": ("a token of role {role} may not do this", "token có vai trò {role} không được làm việc này"),
    "wrong_host": (
        "this service is not known under that name (setting http.hosts)",
        "dịch vụ này không mang tên đó (thiết lập http.hosts)",
    ),
    "nothing_here": ("there is nothing here", "ở đây không có gì"),
    "not_done_here": ("this is not done here", "ở đây không làm việc này"),
    "query_unreadable": ("the query string cannot be read", "không đọc được chuỗi truy vấn"),
    "not_known_here": ("is not known here", "không được biết ở đây"),
    "given_twice": ("is given twice", "được nêu hai lần"),
    "other_site": ("a page of another site may not do this", "trang của website khác không được làm việc này"),
    "wants_media": ("wants {media} in UTF-8", "cần {media} bằng UTF-8"),
    "media_or": ("{one} or {other}", "{one} hoặc {other}"),
    "not_compressed": ("wants a body that is not compressed", "cần nội dung không nén"),
    "body_too_large": ("more than {most} bytes are not taken", "không nhận quá {most} byte"),
    "body_cut": ("the body never came to its end", "nội dung không được gửi đến hết"),
    "token_not_known": ("the token is not known, or it was revoked", "token không tồn tại hoặc đã bị thu hồi"),
    "too_many_tokens": ("too many wrong tokens from here", "quá nhiều token sai từ nơi này"),
    "token_wanted": (
        "one token is wanted: Authorization: Bearer TOKEN",
        "cần một token: Authorization: Bearer TOKEN",
    ),
    "token_form": (
        "the Authorization header wants the form: Bearer TOKEN",
        "tiêu đề Authorization cần có dạng: Bearer TOKEN",
    ),
    "call_ended_already": ("call {call} has ended already", "cuộc gọi {call} đã kết thúc"),
    "no_call": ("no call is named {name}", "không có cuộc gọi nào tên {name}"),
    "carrier_of_none": (
        "is no carrier of the table, nor of a trunk",
        "không phải nhà mạng trong bảng, cũng không phải của trunk nào",
    ),
    "carrier_not_known": ("the carrier is not known here", "nhà mạng này không được biết ở đây"),
    "nobody_named_carrier": (
        "nobody named the carrier of this number",
        "chưa ai gán nhà mạng cho số này",
    ),
    "this_no_subscriber": ("this is no number of a subscriber", "đây không phải số của thuê bao"),
    "this_no_phone_number": ("this is no phone number", "đây không phải số điện thoại"),
    "is_no_phone_number": ("is no phone number", "không phải số điện thoại"),
    "version_wanted": (
        "say which version the change began from: If-Match, with the ETag that GET told",
        "hãy nêu phiên bản đã sửa từ đó: If-Match, với ETag mà GET đã cho",
    ),
    "version_form": (
        "must be a version, as GET told it, or *",
        "phải là phiên bản như GET đã cho, hoặc *",
    ),
    "told_as": ("this is told as {one} or {other}", "nội dung này có dạng {one} hoặc {other}"),
    "cursor_not_ours": ("the cursor is not one of ours", "con trỏ này không phải của chúng tôi"),
    "not_ours": ("is not one of ours", "không phải của chúng tôi"),
    "not_now": ("this cannot be done now", "hiện không thể làm việc này"),
    "no_more_viewers": ("no more viewers are taken now", "hiện không nhận thêm người xem"),
    "no_agent_here": ("there is no agent of this name", "không có nhân viên nào tên như vậy"),
    "own_calls_only": (
        "an agent's token explains that agent's calls only",
        "token của nhân viên chỉ giải thích cuộc gọi của chính nhân viên đó",
    ),
    "name_one": (
        "name a hotline, an adaptive number or an agent",
        "hãy nêu một hotline, số thích ứng hoặc nhân viên",
    ),
    "hotline_not_said": (
        "it is not said which hotline would carry the call",
        "chưa nêu hotline nào sẽ mang cuộc gọi",
    ),
    "standby_alone": ("this is a standby, and nobody leads yet", "đây là bản dự phòng, và chưa bản nào điều hành"),
    "standby_of": ("this is the standby of {leader}", "đây là bản dự phòng của {leader}"),
    # lists of numbers
    "and_more": ("... and {n} more", "... và {n} lỗi nữa"),
    "number_none": ("number: {value} is no phone number", "number: {value} không phải số điện thoại"),
    "carrier_unknown": ("carrier: {value} is not in the setup", "carrier: {value} không có trong cấu hình"),
    "carrier_empty": ("carrier: is empty", "carrier: để trống"),
    "scope_unknown": ("scopes: {value} is none of {allowed}", "scopes: {value} không thuộc {allowed}"),
    "prefix_unclear": ("prefix: {value} is neither yes nor no", "prefix: {value} không phải yes hay no"),
    "until_none": (
        "until: {value} is no date (2026-12-31 or 2026-12-31T18:00+07:00)",
        "until: {value} không phải ngày (2026-12-31 hoặc 2026-12-31T18:00+07:00)",
    ),
    "columns_differ": (
        "has {found} columns, the first line names {named}",
        "có {found} cột, dòng đầu nêu {named} cột",
    ),
    "columns_wanted": (
        "wants a first line with the columns {columns}",
        "cần dòng đầu có các cột {columns}",
    ),
    "line_too_long": ("is longer than {most} bytes", "dài hơn {most} byte"),
    "unreadable": ("{file}: cannot be read ({why})", "{file}: không đọc được ({why})"),
    "file_empty": ("the file is empty", "tệp trống"),
    "too_many_carriers": ("more than {most} carriers in one table", "hơn {most} nhà mạng trong một bảng"),
    "too_many_lists": (
        "there are {most} lists of ported numbers already: import one again without its rows",
        "đã có {most} danh sách số chuyển mạng: hãy nhập lại một danh sách không có dòng nào",
    ),
    "rows_lost": (
        "{n} ported numbers of before could not be read from the books and are gone: import these lists again: {lists}",
        "không đọc được {n} số chuyển mạng cũ từ sổ, đã mất: hãy nhập lại các danh sách sau: {lists}",
    ),
    "all_lost": (
        "the ported numbers of before could not be read from the books and are gone: import every other list again",
        "không đọc được các số chuyển mạng cũ từ sổ, đã mất: hãy nhập lại mọi danh sách khác",
    ),
}
