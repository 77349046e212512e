"""What requests made up from the contract are asked of, and what each answer must keep."""

from __future__ import annotations

from schemathesis import checks

from controller.web.auth import ACCESS

ANSWER_WITHIN_S = 30.0
OPERATIONS = [
    (method, path)
    for path, methods in ACCESS.items()
    for method in methods
    # The contract does not describe itself, and the stream of events has no end: tests of its own follow it.
    if path not in {"/openapi.json", "/api/v1/events"}
]
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.allow_header_conformance,
]
