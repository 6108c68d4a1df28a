"""The part of FHIRPath that R4's invariants use: each operator and function by what it decides."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.fhir.collections import Unsupported
from headwater.fhir.fhirpath import compile_rule

NODE: dict[str, Any] = {
    "resourceType": "Thing",
    "status": "final",
    "count": 3,
    "yes": True,
    "no": False,
    "start": "2026-01-01",
    "end": "2026-02",
    "name": ["Ann", "Bob"],
    "twice": ["x", "x"],
    "_birth": {"extension": [{"url": "x"}]},
    "valueString": "v",
    "low": {"value": 1, "unit": "mg"},
    "high": {"value": 2, "unit": "mg"},
    "other": {"value": 0, "unit": "g"},
    "coding": [{"system": "s", "code": "a"}, {"system": "s", "code": "b"}],
    "part": [{"coding": [{"system": "s", "code": "a"}]}, {"coding": [{"code": "a", "system": "s"}], "id": "1"}],
    "item": [{"linkId": "1", "item": [{"linkId": "2"}]}],
    "max": "*",
    "digits": "12",
}

TRUE = """
status.exists() | name.exists() and missing.empty()
missing.exists() or status.exists() | missing.exists().not()
missing.exists() implies missing.empty()
status.exists() implies name.exists() | birth.exists() | birth.hasValue().not()
status.hasValue() | value.exists() | value = 'v'
Thing.status = 'final' | %resource.status = 'final' | $this.count = 3
status in ('draft' | 'final') | ('a' | 'final') contains status
status != 'draft' | yes = true | no = false | yes and no.not()
yes xor no | name.count() = 2 | (name.count() + twice.count()) > 3
name.isDistinct() | twice.isDistinct().not()
start <= end | start < end | end > start | low <= high | high >= low | count >= 3 | count > 2
coding.where(code = 'a').exists() | coding.exists(code = 'b')
coding.all(system = 's') | coding.select(code).isDistinct()
coding.code.first() = 'a' | coding.tail().code = 'b'
part.where(coding.intersect(%resource.coding).exists()).count() = 2
descendants().linkId.isDistinct()
item.linkId.combine(item.item.linkId).isDistinct() | children().linkId.exists()
status.startsWith('fin') | status.contains('na') | status.matches('^[a-z]+$')
digits.toInteger() = 12 | count.toString() = '3'
iif(yes, true, false) | status.trace('x') = 'final' | 'http://unitsofmeasure.org' = %ucum
yes is Boolean | count is decimal | (count as decimal) <= 3
(yes | yes).allFalse().not() | status&digits = 'final12'
(code | coding).exists() | `status`.exists()
status.empty() or (name.count() = 2) | status.exists() and (count = 3)
"""

FALSE = """
status.empty() | missing.exists() | name.exists() and missing.exists()
status.exists() implies missing.exists()
missing.exists() or no | status = 'draft' | status in ('a' | 'b')
name = 'Ann' | yes xor yes | name.count() > 2
end < start | low > high | count = true | yes = 1
name.isDistinct().not() | twice.isDistinct() | birth.hasValue()
coding.all(code = 'a') | coding.where(code = 'z').exists() | status.matches('^x') | status.hasValue().not()
part.where(coding.intersect(%resource.coding).exists()).empty() | status.exists() and (count = 4)
"""

UNDECIDED = """
missing | missing = 'x' | missing > 3 | low > other
start < '2026' | missing and yes | missing or no | missing.not()
yes implies missing | missing.startsWith('x') | count.startsWith('x')
status.toInteger() > 3 | missing in ('a' | 'b')
"""


def _lines(text: str) -> list[str]:
    """One expression per ` | ` that is not inside brackets."""
    found, depth, current = [], 0, ""
    for character in text.replace("\n", " | "):
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            found.append(current.strip())
            current = ""
        else:
            current += character
    return [expression for expression in [*found, current.strip()] if expression]


def _decide(expression: str) -> tuple[bool, bool]:
    """Whether the expression holds, and whether its negation does; both when neither is certain."""
    choices = {"value": frozenset({"valueString", "valueInteger", "_valueString"})}
    rules = [compile_rule(text, at_resource=True, choices=choices) for text in (expression, f"({expression}).not()")]
    return rules[0](NODE), rules[1](NODE)


@pytest.mark.parametrize("expression", _lines(TRUE))
def test_it_holds(expression: str) -> None:
    assert _decide(expression) == (True, False)


@pytest.mark.parametrize("expression", _lines(FALSE))
def test_it_does_not_hold(expression: str) -> None:
    assert _decide(expression) == (False, True)


@pytest.mark.parametrize("expression", _lines(UNDECIDED))
def test_what_cannot_be_decided_is_no_fault(expression: str) -> None:
    assert _decide(expression) == (True, True)


@pytest.mark.parametrize(
    "expression",
    ["", "status.", "status.exists(", "status exists", "resolve(status)", "name[0]", "%context.id", "status is Patient",
     "status ~ 'x'", "a.ofType(Patient)", ")", "'open"],
)  # fmt: skip
def test_what_is_not_known_is_said_when_compiling(expression: str) -> None:
    with pytest.raises(Unsupported):
        compile_rule(expression, at_resource=True)


def test_the_resource_is_known_only_at_the_resource() -> None:
    with pytest.raises(Unsupported, match="%resource"):
        compile_rule("%resource.status.exists()", at_resource=False)
