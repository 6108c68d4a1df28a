"""What must be true after a scenario: each word of `check` is a function that gives findings on what was played.

A number may be exact (`1`) or bounds (`{"min": 1, "max": 2}`). Charts are read as they truly are, not through an API
that the functions use too.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headwater.ehrs import values
from headwater.model import Proposal
from local.drill.alarms import alarms, samples
from local.drill.play import GROUPS, Play, ours, site_named
from local.latency import percentile

SIGNATURES = ("approved", "signed")
Number = int | float | Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement, whether it is so, and what was found."""

    says: str
    ok: bool
    found: str = ""


def examine(play: Play, check: Mapping[str, Any]) -> Iterator[Finding]:
    """The findings of one entry of `check`; a word that nobody knows is a finding that fails."""
    for name, wanted in check.items():
        if name not in CHECKS:
            yield Finding(f"check {name}", False, "this check is not known")
            continue
        yield from CHECKS[name](play, _counted(play, wanted))


def _counted(play: Play, wanted: Any) -> Any:
    """`asked` in place of a number is how many facts were asked for."""
    if wanted == "asked":
        return play.asked
    if isinstance(wanted, dict):
        return {key: _counted(play, value) for key, value in wanted.items()}
    return wanted


def fits(found: float, wanted: Number) -> bool:
    if isinstance(wanted, Mapping):
        return wanted.get("min", float("-inf")) <= found <= wanted.get("max", float("inf"))
    return found == wanted


def words(wanted: Number) -> str:
    if not isinstance(wanted, Mapping):
        return f"= {wanted}"
    return " and ".join(f"{'≥' if key == 'min' else '≤'} {value}" for key, value in wanted.items())


# ------------------------------------------------------------------------------------------------------------ charts


def _rows(play: Play, wanted: Any) -> Iterator[Finding]:
    """Rows in the target's chart that came of our requests."""
    found = len(ours(play.world))
    yield Finding(f"rows of ours in the chart {words(wanted)}", fits(found, wanted), str(found))


def _posts(play: Play, wanted: Any) -> Iterator[Finding]:
    """Writes that reached the target."""
    found = len(play.world.chart()["arrivals"])
    yield Finding(f"writes that reached the EHR {words(wanted)}", fits(found, wanted), str(found))


def _posts_per_intent(play: Play, wanted: Any) -> Iterator[Finding]:
    arrivals = Counter(one["payload_hash"] for one in play.world.chart()["arrivals"])
    worst = max(arrivals.values(), default=0)
    yield Finding(f"most writes of one intent {words(wanted)}", fits(worst, wanted), str(worst))


def _writes_at(play: Play, wanted: Mapping[str, Any]) -> Iterator[Finding]:
    """Writes that reached other sites: `{"other": 0}`."""
    for site, number in wanted.items():
        found = len(play.world.chart(site_named(play.world, site))["arrivals"])
        yield Finding(f"writes that reached {site} {words(number)}", fits(found, number), str(found))


def _second_post_after_s(play: Play, wanted: Any) -> Iterator[Finding]:
    """Seconds between the first write of an intent and its second; `max_commit_window` is the profile's."""
    least = play.world.app.ehrs[play.world.target].operation("Observation").max_commit_window_s
    least = least if wanted == "max_commit_window" else wanted
    sends: dict[str, list[float]] = {}
    for event in play.world.timeline.of("ledger"):
        if event.facts["state"] == "SENDING":
            sends.setdefault(event.intent, []).append(event.at)
    for intent, times in sends.items():
        if len(times) > 1:
            wait = times[1] - times[0]
            yield Finding(f"second write of {intent[:8]} not before {least} s", wait >= least, f"{wait:.0f} s")


def _edits_survive(play: Play, _: Any) -> Iterator[Finding]:
    """What clinicians entered in the EHR meanwhile is there at the end."""
    rows = {row["reference"]: row["resource"] for row in play.world.chart()["rows"]}
    for reference, changes in play.edits:
        now = rows.get(reference, {})
        lost = [key for key, value in changes.items() if now.get(key) != value]
        yield Finding(f"the clinician's entry in {reference} is there", not lost, f"lost: {lost}" if lost else "kept")


# ------------------------------------------------------------------------------------------------------------ ledger


def _states(play: Play, wanted: Mapping[str, Number]) -> Iterator[Finding]:
    """How many intents are in which state; `A|B` counts both; REFUSED are requests that never became one."""
    found = Counter(row.state.value for row in play.world.proposals())
    for names, number in wanted.items():
        count = sum(found[name] for name in names.split("|"))
        yield Finding(f"intents {names} {words(number)}", fits(count, number), _told(found))


def _told(states: Counter[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"


def _reasons(play: Play, wanted: list[str]) -> Iterator[Finding]:
    """Each of these codes is the reason of some row; `a|b` takes either."""
    found = sorted({row.reason.partition(" ")[0] for row in play.world.proposals() if row.reason})
    for codes in wanted:
        yield Finding(
            f"a row says {codes}", any(code in found for code in codes.split("|")), ", ".join(found) or "none"
        )


def _reason_has(play: Play, wanted: str) -> Iterator[Finding]:
    """The EHR's own code is kept with the row."""
    found = [row.reason for row in play.world.proposals() if wanted in row.reason]
    yield Finding(f"a row keeps the EHR's {wanted}", bool(found), found[0] if found else "none")


def _ehr_words_kept(play: Play, _: Any) -> Iterator[Finding]:
    """What the EHR refused keeps the EHR's own words or codes."""
    refused = [row for row in play.world.proposals() if row.state.value in ("FAILED", "NEEDS_HUMAN")]
    kept = [row.said or row.reason for row in refused]
    yield Finding("the EHR's own words are kept", bool(kept) and all(kept), "; ".join(kept)[:200] or "nothing refused")


def _never(play: Play, wanted: list[str]) -> Iterator[Finding]:
    """States that no intent ever was in."""
    found = {event.facts["state"] for event in play.world.timeline.of("ledger")}
    for state in wanted:
        yield Finding(f"no intent was ever {state}", state not in found)


def _audit(play: Play, wanted: list[str]) -> Iterator[Finding]:
    """Every intent that was sent has these events in its chain, in this order."""
    for proposal in _sent(play):
        events = [str(entry["event"]) for entry in play.world.app.audit.read(proposal.intent)]
        rest = iter(events)
        missing = [event for event in wanted if event not in rest]
        yield Finding(f"audit of {proposal.intent[:8]}: {' → '.join(wanted)}", not missing, " → ".join(events))


def _sent(play: Play) -> list[Proposal]:
    intents = {event.intent for event in play.world.timeline.of("ledger") if event.facts["state"] == "SENDING"}
    return [row for row in play.world.proposals() if row.intent in intents]


def _requests_dead(play: Play, wanted: Any) -> Iterator[Finding]:
    found = len(play.world.queues["write"].dead)
    yield Finding(f"write requests in the dead letters {words(wanted)}", fits(found, wanted), str(found))


def _new_proposals(play: Play, wanted: Any) -> Iterator[Finding]:
    """Intents that came into being after the faults were put in force, refused requests left out."""
    late = [event for event in play.world.timeline.events[play.injected_event :] if event.what == "ledger"]
    found = sum(1 for event in late if event.facts["new"] and event.facts["state"] != "REFUSED")
    yield Finding(f"new proposals since {words(wanted)}", fits(found, wanted), str(found))


def _kills(play: Play, wanted: Any) -> Iterator[Finding]:
    yield Finding(f"workers killed {words(wanted)}", fits(play.world.kills, wanted), str(play.world.kills))


def _ledger_rows(play: Play, wanted: Any) -> Iterator[Finding]:
    found = len(play.world.proposals())
    yield Finding(f"rows in the ledger {words(wanted)}", fits(found, wanted), str(found))


def _posts_since_mark(play: Play, wanted: Any) -> Iterator[Finding]:
    found = len(play.world.chart()["arrivals"]) - play.marked
    yield Finding(f"writes that reached the EHR after the mark {words(wanted)}", fits(found, wanted), str(found))


def _posts_while_down(play: Play, wanted: Any) -> Iterator[Finding]:
    """Writes while the audit could not be written."""
    end = play.world.audit_down_until
    found = sum(1 for event in play.world.timeline.of("wire") if play.injected_at <= event.at < end)
    yield Finding(f"writes during the outage {words(wanted)}", fits(found, wanted), str(found))


def _posts_in_minute_after_s(play: Play, wanted: Mapping[str, Any]) -> Iterator[Finding]:
    """Writes within the first minute after so many seconds since the faults were put in force."""
    begin = play.injected_at + float(wanted["after"])
    found = sum(1 for event in play.world.timeline.of("wire") if begin <= event.at < begin + 60)
    yield Finding(
        f"writes in the first minute after {wanted['after']} s ≤ {wanted['max']}", found <= wanted["max"], str(found)
    )


def _rows_about(play: Play, person: int) -> Iterator[Finding]:
    """All rows of ours are about one person."""
    subject = play.person(person).at(play.world.target)
    wrong = [row["reference"] for row in ours(play.world) if _subject(row["resource"]) != subject]
    yield Finding(f"all rows of ours are about person {person}", not wrong, ", ".join(wrong) or "yes")


def _rows_about_the_right(play: Play, _: Any) -> Iterator[Finding]:
    """Every row of ours is about the patient that its intent is about."""
    by_hash = {row.payload_hash: row.patient_ref for row in play.world.proposals() if row.ehr == play.world.target}
    wrong = [
        row["reference"] for row in ours(play.world) if _subject(row["resource"]) != by_hash.get(row["payload_hash"])
    ]
    yield Finding("every row of ours is about its intent's patient", not wrong, ", ".join(wrong) or "yes")


def _subject(resource: Mapping[str, Any]) -> str:
    return str((resource.get("subject") or resource.get("patient") or {}).get("reference", ""))


def _invariants_only(_play: Play, _: Any) -> Iterator[Finding]:
    """Nothing of the criterion could be read by machine: the ten invariants are what was checked."""
    yield Finding("the standing invariants", True, "no criterion of its own could be checked")


def _reported_differences(play: Play, _: Any) -> Iterator[Finding]:
    """What was lost on the way into the chart is on the row."""
    found = sorted({path for row in play.world.proposals() for path in row.differences})
    yield Finding("the read-back reports what was lost", bool(found), ", ".join(found) or "none")


def _echoes(play: Play, wanted: Any) -> Iterator[Finding]:
    found = len(play.world.echoed)
    yield Finding(f"echoes that came back {words(wanted)}", fits(found, wanted), str(found))


def _differences(play: Play, wanted: list[str]) -> Iterator[Finding]:
    """The read-back reports these paths as lost."""
    found = sorted({path for row in play.world.proposals() for path in row.differences})
    for path in wanted:
        yield Finding(
            f"the report names {path}", any(one.startswith(path) for one in found), ", ".join(found) or "none"
        )


def _one_decision(play: Play, _: Any) -> Iterator[Finding]:
    """Each proposal was decided once, and what was written follows the decision."""
    rows = {row["payload_hash"] for row in ours(play.world)}
    for proposal in play.world.proposals():
        moves = [event.facts["state"] for event in play.world.timeline.of("ledger", proposal.intent)]
        decisions = [state for state in moves if state in ("APPROVED", "REJECTED")]
        filed = proposal.payload_hash in rows
        ok = len(decisions) == 1 and filed == (decisions[0] == "APPROVED")
        yield Finding(f"{proposal.intent[:8]} was decided once", ok, f"{', '.join(decisions)}; filed: {filed}")


def _tasks(play: Play, wanted: Any) -> Iterator[Finding]:
    """What a person finds in the queue: rows that need a human, or that the EHR or a gate about identity refused."""
    found = []
    for state in ("NEEDS_HUMAN", "FAILED", "REFUSED"):
        shown = play.review("dr.rivera", "GET", "/proposals", state=state).get("proposals", [])
        found += [
            one["reason"] for one in shown if one["reason"] and (state != "REFUSED" or "identity" in one["reason"])
        ]
    yield Finding(f"tasks for a person, with a reason, {words(wanted)}", fits(len(found), wanted), "; ".join(found))


def _alert(play: Play, wanted: list[str]) -> Iterator[Finding]:
    """One of these codes is in the log, in a notice or on a row."""
    said = play.world.log.getvalue() + " ".join(row.reason for row in play.world.proposals())
    said += " ".join(str(event.facts) for event in play.world.timeline.of("notice"))
    for codes in wanted:
        yield Finding(f"somebody is told {codes}", any(code in said for code in codes.split("|")))


def _shown(play: Play, wanted: list[str]) -> Iterator[Finding]:
    """The reviewer is shown one of these words with each proposal that waits."""
    for proposal in play.waiting():
        text = json.dumps(play.review("dr.rivera", "GET", f"/proposals/{proposal.intent}")).lower()
        found = [word for word in wanted if word in text]
        yield Finding(
            f"the reviewer is shown '{' or '.join(wanted)}'", bool(found), ", ".join(found) or "nothing of it"
        )


def _posts_before_mark(play: Play, wanted: Any) -> Iterator[Finding]:
    says = f"writes that reached the EHR before the mark {words(wanted)}"
    yield Finding(says, fits(play.marked, wanted), str(play.marked))


def _shown_before(play: Play, wanted: list[str]) -> Iterator[Finding]:
    """What a reviewer was shown at the step `shown`; without anything that waits there is nothing to show."""
    waited = any(event.facts["state"] == "PROPOSED" for event in play.world.timeline.of("ledger"))
    ok = not waited or bool(set(wanted) & set(play.seen))
    yield Finding(f"the reviewer was shown '{' or '.join(wanted)}'", ok, ", ".join(play.seen) or "nothing of it")


def _signed(play: Play, intent: str) -> list[tuple[int, str, str]]:
    """(place in the chain, event, who) of an intent's audit."""
    chain = play.world.timeline.of("audit", intent)
    return [(place, str(one.facts.get("event")), str(one.facts.get("who"))) for place, one in enumerate(chain)]


def _seen_before_signed(play: Play, _: Any) -> Iterator[Finding]:
    """Whoever signed had opened the item before."""
    for proposal in _sent(play):
        chain = _signed(play, proposal.intent)
        seen = {who: place for place, event, who in reversed(chain) if event == "viewed"}
        blind = [who for place, event, who in chain if event in SIGNATURES and seen.get(who, place) >= place]
        yield Finding(f"whoever signed {proposal.intent[:8]} had seen it", not blind, ", ".join(blind) or "yes")


def _approvers_before_write(play: Play, wanted: int) -> Iterator[Finding]:
    """Different people whose signature stands in the audit before the bytes left."""
    for proposal in _sent(play):
        chain = _signed(play, proposal.intent)
        left = min((place for place, event, _ in chain if event == "sending"), default=len(chain))
        people = sorted({who for place, event, who in chain if event in SIGNATURES and place < left})
        yield Finding(f"{wanted} people signed {proposal.intent[:8]} before", len(people) >= wanted, ", ".join(people))


def _updates_committed(play: Play, wanted: Any) -> Iterator[Finding]:
    arrivals = play.world.chart()["arrivals"]
    found = sum(1 for one in arrivals if one["request"].startswith(("PUT", "PATCH")) and "committed" in one["outcome"])
    yield Finding(f"updates that the EHR took {words(wanted)}", fits(found, wanted), str(found))


def _demographics_guarded(play: Play, _: Any) -> Iterator[Finding]:
    """No Patient is updated without a signature of registration's and a notice that was delivered before."""
    arrivals = play.world.chart()["arrivals"]
    taken = [one for one in arrivals if one["request"].endswith(" Patient") and "committed" in one["outcome"]]
    audits = play.world.timeline.of("audit")
    signed = {str(event.facts.get("who")) for event in audits if event.facts.get("event") in SIGNATURES}
    registered = any("registration" in GROUPS.get(who, ()) for who in signed)
    told = bool(play.world.timeline.of("notice"))
    yield Finding(
        "no Patient was updated without registration's signature and a notice",
        not taken or (registered and told),
        f"{len(taken)} updates; signed by {', '.join(sorted(signed)) or 'nobody'}; notice: {told}",
    )


def _writes_per_min(play: Play, wanted: Any) -> Iterator[Finding]:
    """The most writes to the target within any minute."""
    times = [event.at for event in play.world.timeline.of("wire") if event.facts["ehr"] == play.world.target]
    most = max((sum(1 for one in times if begin <= one < begin + 60) for begin in times), default=0)
    yield Finding(f"most writes within a minute {words(wanted)}", fits(most, wanted), str(most))


def _distinct_kept(play: Play, _: Any) -> Iterator[Finding]:
    """Every distinct event of the flood is a row of the ledger that ended well; nothing is queued or dead."""
    world = play.world
    rows = [row for row in world.proposals() if (row.ehr, row.origin_ehr) == (world.target, world.origin)]
    flood = [row for row in rows if row.payload]
    left = [row.state.value for row in flood if row.state.value not in ("FILED", "ALREADY_PRESENT")]
    queued = sum(queue.waiting + len(queue.dead) for queue in world.queues.values())
    says = f"{len(flood)} facts; not filed: {dict(Counter(left))}; queued or dead: {queued}"
    yield Finding("no distinct event was lost", bool(flood) and not left and not queued, says)


def _to_filed_s(play: Play, wanted: Mapping[str, Any]) -> Iterator[Finding]:
    """From signature to FILED at a site, in seconds, the 99th percentile."""
    site = site_named(play.world, wanted["site"])
    mine = {row.intent for row in play.world.proposals() if row.ehr == site}
    signed: dict[str, float] = {}
    took = []
    for event in play.world.timeline.of("ledger"):
        if event.intent in mine and event.facts["state"] == "APPROVED":
            signed.setdefault(event.intent, event.at)
        if event.intent in mine and event.facts["state"] == "FILED":
            took.append(event.at - signed.get(event.intent, event.at))
    worst = percentile(took, 99) if took else float("inf")
    says = f"from signature to FILED at {wanted['site']} ≤ {wanted['p99']} s (p99)"
    yield Finding(says, worst <= wanted["p99"], f"{worst:.1f} s of {len(took)}")


def _alarm_within_s(play: Play, wanted: float) -> Iterator[Finding]:
    fired = [alarm.fired - play.injected_at for alarm in alarms(play.world) if alarm.ehr == play.world.target]
    first = min(fired, default=float("inf"))
    yield Finding(f"the alarm for this EHR within {wanted} s", first <= wanted, f"{first:.0f} s")


def _no_alarm_for(play: Play, wanted: list[str]) -> Iterator[Finding]:
    rang = {alarm.ehr for alarm in alarms(play.world)}
    for site in wanted:
        yield Finding(
            f"no alarm for {site}", site_named(play.world, site) not in rang, ", ".join(sorted(rang)) or "none"
        )


def _p99_as_injected(play: Play, within: float) -> Iterator[Finding]:
    """The 99th percentile of what the functions measured of the target, against what was injected."""
    slow = float(next((event.facts["p99_ms"] for event in play.world.timeline.of("slow")), 0.0))
    found = [
        one.milliseconds for one in samples(play.world) if one.ehr == play.world.target and one.at >= play.injected_at
    ]
    p99 = percentile(found, 99) if found else 0.0
    says = f"measured p99 within {within:.0%} of {slow:.0f} ms"
    yield Finding(says, abs(p99 - slow) <= within * slow, f"{p99:.0f} ms of {len(found)} requests")


def _in_closed_window(play: Play, wanted: Any) -> Iterator[Finding]:
    """Requests that reached the EHR while it had said 429 and its time was not over."""
    found = play.world.sites[play.world.target].faults.trespasses
    yield Finding(f"requests inside a closed window {words(wanted)}", fits(found, wanted), str(found))


def _posts_committed_per_intent(play: Play, wanted: Any) -> Iterator[Finding]:
    arrivals = Counter(one["payload_hash"] for one in play.world.chart()["arrivals"] if "committed" in one["outcome"])
    worst = max(arrivals.values(), default=0)
    yield Finding(f"most writes of one intent that the EHR took {words(wanted)}", fits(worst, wanted), str(worst))


def _interruptions(play: Play, wanted: Any) -> Iterator[Finding]:
    found = sum(1 for event in play.world.timeline.of("notice") if event.facts.get("interruptive"))
    yield Finding(f"interruptions {words(wanted)}", fits(found, wanted), str(found))


def _reminded(play: Play, wanted: Any) -> Iterator[Finding]:
    found = [event for event in play.world.timeline.of("notice") if event.at > play.injected_at]
    hours = ", ".join(f"{(event.at - play.injected_at) / 3600:.0f} h" for event in found)
    yield Finding(f"reminders {words(wanted)}", fits(len(found), wanted), hours or "none")


def _texts_of(play: Play) -> Iterator[str]:
    """What our rows say, attachments unpacked."""
    for row in ours(play.world):
        text = json.dumps(row["resource"])
        for attachment in values(row["resource"], "content.attachment.data"):
            text += base64.b64decode(str(attachment)).decode("utf-8", "replace")
        yield text


def _directives_in_chart(play: Play, wanted: Any) -> Iterator[Finding]:
    pattern = re.compile(r"start heparin|\b(give|stop|administer) [a-z]", re.IGNORECASE)
    found = sum(1 for text in _texts_of(play) if pattern.search(text))
    yield Finding(f"rows that direct {words(wanted)}", fits(found, wanted), str(found))


def _forbidden_in_chart(play: Play, wanted: Any) -> Iterator[Finding]:
    pattern = re.compile(r"<\s*(script|iframe)|[\x00-\x08]", re.IGNORECASE)
    found = sum(1 for text in _texts_of(play) if pattern.search(text))
    yield Finding(f"rows with forbidden markup {words(wanted)}", fits(found, wanted), str(found))


def _scores_labelled(play: Play, _: Any) -> Iterator[Finding]:
    """Every filed score is preliminary, or a note, and says what it rests on."""
    for row, text in zip(ours(play.world), _texts_of(play), strict=True):
        resource = row["resource"]
        modest = resource["resourceType"] == "DocumentReference" or resource.get("status") == "preliminary"
        said = "intended use" in text.lower() and "version" in text.lower()
        found = f"{resource['resourceType']} {resource.get('status')}; basis: {said}"
        yield Finding(f"{row['reference']} is preliminary or a note, with its basis", modest and said, found)


def _sent_as_shown(play: Play, _: Any) -> Iterator[Finding]:
    """The bytes that arrived are those whose hash was signed."""
    audits = play.world.timeline.of("audit")
    signed = {event.facts.get("payload") for event in audits if event.facts.get("event") == "approved"}
    for arrival in play.world.chart()["arrivals"]:
        says = f"what arrived as {arrival['reference'] or 'nothing'} was signed"
        yield Finding(says, arrival["payload_hash"] in signed)


def _posts_after_switch_s(play: Play, wanted: Mapping[str, Any]) -> Iterator[Finding]:
    begin = play.switched_at + wanted["after"]
    wires = play.world.timeline.of("wire")
    late = sum(1 for event in wires if event.facts["ehr"] == play.world.target and event.at > begin)
    says = f"writes later than {wanted['after']} s after the switch ≤ {wanted['max']}"
    yield Finding(says, late <= wanted["max"], str(late))


def _rows_at(play: Play, wanted: Mapping[str, Any]) -> Iterator[Finding]:
    for site, number in wanted.items():
        found = len(ours(play.world, site_named(play.world, site)))
        yield Finding(f"rows of ours at {site} {words(number)}", fits(found, number), str(found))


def _open_at(play: Play, wanted: Mapping[str, Any]) -> Iterator[Finding]:
    """Intents of a site that have not ended."""
    for site, number in wanted.items():
        named = site_named(play.world, site)
        found = sum(1 for row in play.world.proposals() if row.ehr == named and not row.state.final)
        yield Finding(f"intents of {site} that are still open {words(number)}", fits(found, number), str(found))


def _api(play: Play, wanted: Mapping[str, Any]) -> Iterator[Finding]:
    """Answers of the review API by call: `{"approval": {"409": 1}}`."""
    for call, statuses in wanted.items():
        found = Counter(str(status) for name, status, _ in play.answers if name.endswith(tuple(call.split("|"))))
        for status, number in statuses.items():
            count = sum(found[one] for one in status.split("|"))
            yield Finding(f"{call} answered {status} {words(number)}", fits(count, number), str(dict(found)))


_PARTS = {"_counted", "_sent", "_subject", "_told", "_texts_of", "_signed"}  # of checks, not checks
CHECKS: Mapping[str, Callable[[Play, Any], Iterator[Finding]]] = {
    name.removeprefix("_"): value
    for name, value in list(globals().items())
    if name.startswith("_") and name not in _PARTS and getattr(value, "__module__", "") == __name__
}
