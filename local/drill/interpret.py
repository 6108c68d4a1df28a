"""Scenarios that are prose: a plan made of their faults and of the words of their stimulus, and checks made of what can
be recognised in their pass criterion. What is not recognised is kept, and reported as such: it was not checked.

Faults are never guessed at. A scenario that our own files tell in steps is played by those steps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from local.drill.injections import HERE
from local.drill.scenario import Scenario, Step
from local.ehrs.faults import KNOWN

MOST = 40  # what a number in the stimulus is cut to: a thousand items show nothing that forty do not

# Which fault makes sense when: before anything is proposed, or between approval and sending; others in between.
_FIRST = {"chart_contains", "masked_element", "redacted_record", "default_effective_now", "payload_subject_swap",
          "default_unit_when_missing", "tenant_confusion", "token_ttl", "jti_replay_check"}  # fmt: skip
_AFTER_APPROVAL = {"kill_process", "audit_unavailable", "clock_advance", "duplicate_delivery", "restore_ledger",
                   "dlq_redrive", "empi_unlink", "patient_merge_redirect", "version_bump",
                   "concurrent_clinician_edit"}  # fmt: skip
_FACTS = (
    (r"medicat|\bdrug|prescri|lisinopril", "medication"),
    (r"allerg", "allergy"),
    (r"condition|problem|diagnos", "condition"),
    (r"\bscore|predict|\brisk\b", "score"),
    (r"note\b|document|narrative", "note"),
    (r"address|demograph|telecom|primary[- ]care", "address"),
    (r"\blab\b|laborator|glucose", "lab"),
)
_LACKING: tuple[tuple[str, Mapping[str, None]], ...] = (
    (r"(?:without|no|missing|omit\w*) (?:a |the |its )?unit|unit (?:is )?(?:missing|omitted|left out)",
     {"valueQuantity.unit": None, "valueQuantity.code": None, "valueQuantity.system": None}),
    (r"(?:without|no|missing) (?:an? |the |its )?(?:effective|time)", {"effectiveDateTime": None}),
    (r"(?:without|no|missing) (?:a |the |its )?value", {"valueQuantity": None}),
)  # fmt: skip
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10, "twelve": 12, "twenty": 20}
_THINGS = "proposal|item|write|fact|entr|resource|observation|vital"
_MODEL = {"name": "Deterioration index", "version": "3.1", "developer": "Riverbend Analytics", "basis": "vital signs",
          "intended_use": "for a clinician's look", "validation": "AUROC 0.81", "limits": "adults"}  # fmt: skip


def interpreted(scenario: Scenario, ours: Mapping[str, Scenario]) -> Scenario:
    """The scenario with steps and checks; its own where it has them."""
    known = ours.get(scenario.id)
    if scenario.do:
        return scenario
    if known and _names(known) == _names(scenario):
        return replace(scenario, do=known.do, check=known.check, inject=known.inject)
    count, cut = _count(scenario.stimulus)
    checks, strange = _checks(scenario, count)
    return replace(scenario, do=tuple(_plan(scenario, count)), check=tuple(checks), not_understood=(*cut, *strange))


def _names(scenario: Scenario) -> list[str]:
    return sorted(str(fault.get("fault")) for fault in scenario.inject)


# -------------------------------------------------------------------------------------------------------------- steps


def _plan(scenario: Scenario, count: int) -> Iterator[Step]:
    said = scenario.stimulus.lower()
    names = set(_names(scenario))
    now: Step = {"inject": {}}
    if "latency" in names:
        for site, number in (("target", 72), ("other", 6)):
            yield {"steady": {"site": site, "count": number, "minutes": 6}}
        yield from (now, {"run": {"minutes": 30}})
        return
    if "event_flood" in names:
        yield from (now, {"run": {"minutes": 10}}, {"approve": {"site": "*"}}, {"run": {"days": 2}})
        return
    if names & _FIRST:
        yield now
    if "twin" in said:
        yield {"twin": {}}
    yield from _proposals(said, names, count)
    if not names & (_FIRST | _AFTER_APPROVAL):
        yield now
    if names & {"reviewers_absent"} or re.search(r"nobody|no reviewer|wait(s|ing)? for review", said):
        yield {"pass_time": {"hours": 3}}
        return
    yield from _decision(said, names)
    if names & _AFTER_APPROVAL and not names & _FIRST:
        yield now
    yield from _afterwards(said)


def _proposals(said: str, names: set[str], count: int) -> Iterator[Step]:
    fact = next((fact for pattern, fact in _FACTS if re.search(pattern, said) and "twin" not in said), "vital")
    if "tenant_confusion" in names:
        yield from ({"propose": {"person": 1}}, {"propose": {"person": 2}})
        return
    updating = names & {"version_bump", "concurrent_clinician_edit", "null_missing_fields"}
    if fact != "address" and (updating or re.search(r"\bupdat|overwrit|\bamend|\bput\b", said)):
        change = {"clinicalStatus.coding.0.code": "resolved"}
        yield {"chart_has": {"fact": "condition"}}
        yield {"propose": {"fact": "condition", "updates": "chart", "set": change}}
        return
    more: dict[str, Any] = {"or_else": "vital"}
    if fact == "score":
        more |= {"intent": "deterioration-risk", "model": _MODEL}
    if fact == "address":
        more |= {"updates": "patient"}
    hops = re.search(r"(\d+)\s*hops?|hop count (?:of )?(\d+)", said)
    if hops or "second hop" in said:
        more["hops"] = int((hops and (hops[1] or hops[2])) or 2)
    if lacking := next((gone for pattern, gone in _LACKING if re.search(pattern, said)), None):
        more["set"] = lacking
    yield {"propose": {"fact": fact, "count": count, "people_count": max(1, count // 10), **more}}
    if re.search(r"(?:plan|propos|request|submit)\w*.*(?:\btwice\b|re-?run|\bagain\b)", said) and not names:
        yield {"propose_again": {}}


def _decision(said: str, names: set[str]) -> Iterator[Step]:
    if "concurrent_decision" in names or re.search(r"two reviewers|same second", said):
        if "concurrent_decision" not in names:
            yield {"decide_at_once": {}}
    elif re.search(r"\breject", said) and "approv" not in said:
        yield {"reject": {}}
    else:
        yield {"approve": {}}


def _afterwards(said: str) -> Iterator[Step]:
    if re.search(r"kill switch|safety officer|stops? .*writes", said):
        yield from ({"pace": {"seconds": 0.5}}, {"run": {"seconds": 10}}, {"switch": {}})
    yield {"run": {"days": 4}}
    if re.search(r"compensat|withdraw|undo|entered.in.error|retract|take[sn]? back", said):
        yield from ({"withdraw": {}}, {"approve": {"who": "dr.chen s.park"}}, {"run": {"days": 4}})
    if re.search(r"redeliver|redriv|delivered again", said):
        yield from ({"mark": {}}, {"redeliver": {}}, {"run": {"days": 1}})


def _count(stimulus: str) -> tuple[int, tuple[str, ...]]:
    """How many facts, and what was cut of them."""
    said = stimulus.lower()
    found = re.search(rf"\b(\d[\d,]*|{'|'.join(_NUMBERS)})(?:[- ]\w+){{0,2}}[- ](?:{_THINGS})", said)
    if not found:
        return (6 if re.search(r"burst|\bload\b|\bbatch|storm|several|many", said) else 1), ()
    wanted = _NUMBERS.get(found[1]) or int(found[1].replace(",", ""))
    return min(wanted, MOST), (f"{wanted} in the stimulus, {MOST} were played",) if wanted > MOST else ()


# ------------------------------------------------------------------------------------------------------------- checks


def _checks(scenario: Scenario, count: int) -> tuple[list[Step], list[str]]:
    checks: list[Step] = []
    strange = [f"fault {name}" for name in _names(scenario) if name not in HERE and name not in KNOWN]
    criterion = re.sub(r"\([^)]*\)", "", scenario.pass_criterion)
    for clause in re.split(r"[;,]\s+(?![^{]*})|\.\s+", criterion):
        if not clause.strip():
            continue
        found = list(_of_clause(clause.strip().lower(), count))
        checks += [one for one in found if one]
        if not found:
            strange.append(f"criterion: {clause.strip()}")
    return checks or [{"invariants_only": True}], strange


def _of_clause(said: str, count: int) -> Iterator[Step]:
    """The checks of one clause; an empty one where a standing invariant says it already."""
    for pattern, make in _CLAUSES:
        match = re.search(pattern, said)
        if match:
            yield from make(match, count)
            return


def _number(text: str, count: int) -> int:
    """A number; one that was cut stands for what was played."""
    wanted = int(text.replace(",", ""))
    return count if wanted > MOST else wanted


def _states(match: re.Match[str], _: int) -> Iterator[Step]:
    names = "|".join(re.findall(r"[A-Z_]{5,}", match[0].upper()))
    known = [name for name in names.split("|") if name in _STATES]
    if known:
        yield {"states": {"|".join(known): {"min": 1}}}


_STATES = ("FILED", "ALREADY_PRESENT", "REJECTED", "FAILED", "EXPIRED", "SUPERSEDED", "COMPENSATED", "NEEDS_HUMAN")
Clause = Callable[["re.Match[str]", int], Iterator[Step]]


def _always(*steps: Step) -> Clause:
    return lambda _match, _count: iter(steps)


_INVARIANT = _always({})
_CLAUSES: tuple[tuple[str, Clause], ...] = (
    (r"second posts? not (?:earlier|before)", _always({"second_post_after_s": "max_commit_window"})),
    (r"chart rows.*==\s*approved|rows.*approved intents", lambda _, n: iter([{"rows": n}])),
    (r"(?:chart )?rows?\b[^=<>]*==?\s*([\d,]+)", lambda m, n: iter([{"rows": _number(m[1], n)}])),
    (r"(?:at most|<=)\s*(\d+) (?:chart )?rows?", lambda m, _: iter([{"rows": {"max": int(m[1])}}])),
    (r"queue items ==\s*([\d,]+)", lambda m, n: iter([{"ledger_rows": _number(m[1], n)}])),
    (r"posts?\b[^=<>]*==?\s*(\d+)", lambda m, _: iter([{"posts": int(m[1])}])),
    (r"posts?\b[^=<>]*<=\s*(\d+)", lambda m, _: iter([{"posts": {"max": int(m[1])}}])),
    (r"retries\s*==\s*0|no retr", _always({"posts_per_intent": {"max": 1}})),
    (r"filed values", _always({"rows": {"max": 2}})),
    (r"all\s+[\d,]+ filed once|each filed once", lambda _, n: iter([{"states": {"FILED": n}}, {"rows": n}])),
    (r"inside the closed window", _always({"in_closed_window": 0})),
    (r"filed before read-?back|filed without a readable", _INVARIANT),
    (
        r"\b(filed|failed|rejected|expired|needs_human|compensated|superseded|already_present)\s*==\s*(\d+)",
        lambda m, _: iter([{"states": {m[1].upper(): int(m[2])}}]),
    ),
    (r"operationoutcome text|ehr's (?:own )?(?:text|words|code)", _always({"ehr_words_kept": True})),
    (r"auto-decision", _always({"never": ["ALREADY_PRESENT"]})),
    (r"^as ccd", _INVARIANT),
    (r"cross-tenant", _always({"writes_at": {"other": 0}})),
    (r"swapped|about the (?:right|same) patient", _always({"rows_about_the_right": True})),
    (r"already filed|after (?:the )?redrive", _always({"posts_since_mark": 0})),
    (r"during the outage", _always({"posts_while_down": 0})),
    (
        r"later than (\d+) s after the switch",
        lambda m, _: iter([{"posts_after_switch_s": {"after": int(m[1]), "max": 0}}]),
    ),
    (
        r"(?:0|no|zero) (?:new )?(?:writes?|posts?)(?:$| after| to | with| on )|nothing is (?:written|sent)",
        _always({"posts": 0}),
    ),
    (r"(?:0|no) new proposals?", _always({"new_proposals": 0})),
    (r"(?:0|no) updates?|0 patient updates", _always({"demographics_guarded": True})),
    (r"version the reviewer did not see|hash chain|chain verifies|at most one row|no phi", _INVARIANT),
    (r"exactly one decision|writes follow it", _always({"one_decision": True})),
    (
        r"interrupti\w+ notifications?\s*==?\s*0|no interrupt|no (?:high-priority|interruptive)",
        _always({"interruptions": 0}),
    ),
    (r"notifications?.*budget|budget.*notifications?", _INVARIANT),
    (r"writes/min.*budget|within budget|<= budget", _always({"writes_per_min": {"max": 240}})),
    (r"no lost|nothing (?:is )?lost|none lost", _always({"distinct_kept": True})),
    (r"no alarm for b", _always({"no_alarm_for": ["other"]})),
    (r"alarm (?:time|within|fires)", _always({"alarm_within_s": 300})),
    (r"measured p99|whole seconds", _always({"p99_as_injected": 0.1})),
    (r"p99 of the other", _INVARIANT),
    (r"difference report|differences? (?:are|is) report", _always({"reported_differences": True})),
    (r"incident", _INVARIANT),
    (
        r"entry (?:still )?in the chart|entry is in|clinician's .* (?:survive|kept|there)|fields? .*kept|not nulled",
        _always({"edits_survive": True}),
    ),
    (r"write was refused", _INVARIANT),
    (r"compensat", _always({"states": {"COMPENSATED|NEEDS_HUMAN|FAILED": {"min": 1}}})),
    (r"distinct approvers|two approvers|four[- ]eyes", _always({"approvers_before_write": 2})),
    (r"directive", _always({"directives_in_chart": 0})),
    (r"source attributes|preliminary", _always({"scores_labelled": True})),
    (r"payload sent == payload shown|same hash", _always({"sent_as_shown": True})),
    (r"forbidden tags?", _always({"forbidden_in_chart": 0})),
    (r"approve api answers an error|cannot be approved", _always({"api": {"approval": {"200": 0}}})),
    (r"loop counter|hop", _INVARIANT),
    (r"audit shows|audit", _INVARIANT),
    (r"escalation|reminder", _always({"reminded": {"min": 1}})),
    (
        r"expir\w+ recorded|reason expired|expired ones",
        _always({"states": {"EXPIRED|REFUSED|REJECTED|SUPERSEDED": {"min": 1}}}),
    ),
    (r"excluded from batch|held", _INVARIANT),
    (r"state (?:in|is|==|becomes)?\s*\{?[a-z_, ]+\}?.*|intent (?:is|becomes|ends).*|ends? (?:in|as) .*", _states),
    (r"\btasks?\b|steward|alert|event in the .* queue|mapping", _always({"tasks": {"min": 1}})),
    (r"others unaffected|unaffected", _INVARIANT),
    (r"on list|match evidence|without an explicit add", _always({"seen_before_signed": True})),
)
