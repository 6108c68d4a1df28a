"""What an EHR's answer to a write means for the sender: one default table, and the rows where an EHR differs.

The table follows from who can know what: only a failure before the first byte is certain to have changed nothing, a
time-out or a 5xx says nothing about the outcome, and a 2xx is not proven until it is read back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from headwater.ehrs.conditions import values
from headwater.model import Answer, Resource


class Next(StrEnum):
    """What the sender does after an answer."""

    READ_BACK = "read_back"  # the EHR said yes: prove it
    RESEND = "resend"  # certain that nothing left: back off, send again
    VERIFY = "verify"  # unknown: look after the commit window, then resend at most once
    COMPARE = "compare"  # it says that it is there already: look, compare, never resend
    WAIT = "wait"  # not processed: hold this EHR for `wait_s`, then send again
    REVIEW = "review"  # the chart moved on: a clinician decides again
    STEWARD = "steward"  # the patient moved: a steward decides
    FAIL = "fail"  # refused for good


@dataclass(frozen=True, slots=True)
class RetryRow:
    """A line of the retry table where an EHR differs from the default; the first that fits counts.

    `status` 0 is any. `issue` is compared with OperationOutcome.issue.code and issue.details.coding.code; `text` is
    sought, case ignored, in issue.diagnostics and issue.details.text. `hold = "code"`: what has the same code would be
    answered the same, and is held until a person lets it go.
    """

    then: Next
    status: int = 0
    issue: tuple[str, ...] = ()
    text: str = ""
    wait_s: int | None = None
    hold: str = ""

    def fits(self, status: int, outcome: Resource) -> bool:
        if self.status and self.status != status:
            return False
        if self.issue and not set(self.issue) & set(issue_codes(outcome)):
            return False
        said = (*values(outcome, "issue.diagnostics"), *values(outcome, "issue.details.text"))
        return not self.text or any(self.text.lower() in str(words).lower() for words in said)


@dataclass(frozen=True, slots=True)
class Reaction:
    """`next` with the seconds to wait (None: the sender's own back-off), the EHR's issue codes, what to hold after it,
    and the EHR's own words, which may be PHI."""

    next: Next
    wait_s: int | None = None
    codes: tuple[str, ...] = ()
    hold: str = ""
    said: str = ""


DEFAULT_WAIT_S = 60
LONGEST_SAID = 1000
_DEFAULT = {
    401: Next.WAIT,  # the adapter has already tried a fresh token: our registration is broken, not the request
    408: Next.VERIFY,
    409: Next.REVIEW,
    412: Next.REVIEW,
    425: Next.WAIT,
    429: Next.WAIT,
}


def issue_codes(outcome: Resource | None) -> tuple[str, ...]:
    """The codes of an OperationOutcome: vendor codes first, since they say more than the FHIR issue type."""
    found = (*values(outcome, "issue.details.coding.code"), *values(outcome, "issue.code"))
    return tuple(dict.fromkeys(str(code) for code in found))


def _by_status(status: int, success: Sequence[int]) -> Next:
    if status in _DEFAULT:
        return _DEFAULT[status]
    if status in success or status == 202:  # 202: taken in, not filed yet; the read-back has a deadline
        return Next.READ_BACK
    if 300 <= status < 400:
        return Next.STEWARD
    return Next.FAIL if 400 <= status < 500 else Next.VERIFY


def react(answer: Answer, *, success: Sequence[int], rows: Sequence[RetryRow]) -> Reaction:
    """What an answer to a write means: the EHR's rows first, then the default table.

    A 2xx whose body is an OperationOutcome with an error is a refusal, not a success.
    """
    if not answer.sent:
        return Reaction(Next.RESEND)
    if answer.status == 0:
        return Reaction(Next.VERIFY)
    outcome = answer.body if answer.body and answer.body.get("resourceType") == "OperationOutcome" else {}
    row = next((row for row in rows if row.fits(answer.status, outcome)), None)
    then = row.then if row else _by_status(answer.status, success)
    if not row and 200 <= answer.status < 300 and {"error", "fatal"} & set(values(outcome, "issue.severity")):
        then = Next.FAIL
    wait_s = row.wait_s if row else None
    said = "; ".join(
        str(text) for text in (*values(outcome, "issue.diagnostics"), *values(outcome, "issue.details.text"))
    )
    return Reaction(
        then,
        retry_after(answer, wait_s) if then is Next.WAIT else wait_s,
        issue_codes(outcome),
        row.hold if row else "",
        said[:LONGEST_SAID],
    )


def retry_after(answer: Answer, otherwise: int | None) -> int:
    """Seconds of Retry-After (RFC 9110 §10.2.3); its HTTP-date form is not used by any known EHR."""
    said = next((value for name, value in answer.headers.items() if name.lower() == "retry-after"), "")
    return int(said) if said.isdecimal() else otherwise or DEFAULT_WAIT_S
