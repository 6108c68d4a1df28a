"""The drill's report for a clinical safety committee: one HTML file that needs nothing else, to be read on paper too.

First what failed, then each scenario: the hazard, what was broken, what was done, the chart before and after, what had
to be true, and the audit rows that show it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

from local.drill.checks import Finding
from local.drill.invariants import TITLES
from local.drill.running import Outcome

_STYLE = Path(__file__).parent / "report.css"


def html(outcomes: Sequence[Outcome], *, seconds: float, seed: int) -> str:
    """The whole report."""
    red = [one for one in outcomes if not one.green]
    critical = [one for one in red if one.scenario.severity == "critical"]
    verdict = "fail" if red else "pass"
    said = f"{len(critical)} critical failures: the drill has failed" if critical else (
        f"{len(red)} runs failed" if red else "every scenario passed, and no invariant was broken")  # fmt: skip
    parts = [
        f"<h1>Chart-corruption drill</h1><p class=soft>{datetime.now(UTC):%d %B %Y, %H:%M} UTC · seed {seed} · "
        f"{len(outcomes)} runs in {seconds:.0f} s</p>",
        "<p class=notice>All people, charts and EHRs here are invented. The EHRs are simulations made from public "
        "documents; they are not the products, and not affiliated with, endorsed or checked by any vendor.</p>",
        f"<div class=sum>{_tile(verdict.upper(), said, verdict)}"
        f"{_tile(str(len({o.scenario.id for o in outcomes})), 'scenarios')}"
        f"{_tile(str(len(outcomes)), 'runs, on ' + str(len({o.ehr for o in outcomes})) + ' EHRs')}"
        f"{_tile(str(len(red)), 'failed', 'fail' if red else '')}"
        f"{_tile(str(sum(o.partly for o in outcomes)), 'checked in part')}</div>",
        "<h2>What was asked</h2><p>Each scenario breaks one thing on purpose between a clinician's approval and the "
        "chart, and lets the system run. Then its own criterion is checked, and ten rules that must always hold:</p>"
        f"<ul>{''.join(f'<li><b>{name}</b> {escape(text)}</li>' for name, text in TITLES.items())}</ul>",
        f"<h2>All runs</h2>{_overview(outcomes)}",
        "<h2>Scenario by scenario</h2>",
        *(_article(number, outcome) for number, outcome in enumerate(sorted(outcomes, key=lambda one: one.green), 1)),
    ]
    title = "Chart-corruption drill"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{title}</title><style>{_STYLE.read_text(encoding='utf-8')}</style><main>{''.join(parts)}</main></html>"
    )


def _tile(big: str, small: str, mood: str = "") -> str:
    return f"<div class='{mood}'><b>{escape(big)}</b>{escape(small)}</div>"


def _mood(outcome: Outcome) -> str:
    return "fail" if not outcome.green else "part" if outcome.partly else "pass"


def _badge(outcome: Outcome) -> str:
    words = {"fail": "✗ failed", "part": "◐ checked in part", "pass": "✓ passed"}
    return f"<span class='badge {_mood(outcome)}'>{words[_mood(outcome)]}</span>"


def _overview(outcomes: Iterable[Outcome]) -> str:
    rows = "".join(
        f"<tr><td><a href='#{_anchor(one)}'>{escape(one.scenario.id)}</a><td>{escape(one.scenario.title)}"
        f"<td>{escape(one.ehr)}<td>{escape(one.scenario.hazard)}<td>{escape(one.scenario.severity)}"
        f"<td>{_badge(one)}</tr>"
        for one in outcomes
    )
    return f"<table><tr><th>Id<th>Scenario<th>EHR<th>Hazard<th>Severity<th>Result</tr>{rows}</table>"


def _anchor(outcome: Outcome) -> str:
    return escape(f"{outcome.scenario.id}-{outcome.ehr}-{outcome.seed}")


def _article(number: int, outcome: Outcome) -> str:
    scenario = outcome.scenario
    prefix = f"{number}"
    return (
        f"<article id='{_anchor(outcome)}' class={_mood(outcome)}><header><h3>{escape(scenario.id)} · "
        f"{escape(scenario.title)}</h3>{_badge(outcome)}</header>"
        f"<p class=soft>{escape(outcome.ehr)} · hazard: {escape(scenario.hazard)} · {escape(scenario.severity)} · "
        f"{_lasted(outcome.passed_s)} of the drill's time</p>"
        f"<h4>What was injected</h4>{_faults(scenario.inject)}"
        f"<h4>What happened</h4><p>{escape(_sentence(scenario.stimulus))}</p>"
        f"<h4>What had to be true</h4><p>{escape(_sentence(scenario.pass_criterion))}"
        + (f" <span class=soft>Control: {escape(scenario.control)}.</span>" if scenario.control else "")
        + f"</p>{_findings(outcome)}{_strange(outcome)}"
        f"<h4>The chart, before and after</h4><div class=charts><div>{_chart(outcome.before)}</div>"
        f"<div>{_chart(outcome.after)}</div></div>"
        f"{_ledger(prefix, outcome)}{_audit(prefix, outcome)}</article>"
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) or not text else ".")


def _lasted(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{timedelta(seconds=round(seconds)).days} days" \
        if seconds > 172_800 else f"{seconds / 3600:.0f} h"  # fmt: skip


def _faults(inject: Sequence[Mapping[str, Any]]) -> str:
    if not inject:
        return "<p>Nothing: the request itself is the hazard.</p>"
    items = []
    for fault in inject:
        more = ", ".join(f"{key} {value}" for key, value in fault.items() if key != "fault")
        items.append(
            f"<li><b>{escape(str(fault.get('fault')).replace('_', ' '))}</b> <span class=soft>{escape(more)}</span>"
        )
    return f"<ul>{''.join(items)}</ul>"


def _findings(outcome: Outcome) -> str:
    broken = [one for one in outcome.invariants if not one.ok]
    held = len(outcome.invariants) - len(broken)
    mark = "<td class=pass>✓" if not broken else "<td>"
    summary = f"<tr>{mark}<td>{held} of the ten rules held<td></tr>" if outcome.invariants else ""
    return f"<table>{''.join(map(_finding, (*outcome.findings, *broken)))}{summary}</table>"


def _finding(finding: Finding) -> str:
    mark = "<td class=pass>✓" if finding.ok else "<td class=fail>✗"
    return f"<tr>{mark}<td>{escape(finding.says)}<td class=mono>{escape(finding.found)}</tr>"


def _strange(outcome: Outcome) -> str:
    said = [f"<li class=part><b>Not understood, and so not checked:</b> {escape(word)}" for word in outcome.unknown]
    said += [f"<li class=soft>{escape(note)}" for note in outcome.notes]
    crash = f"<pre class='mono fail'>{escape(outcome.crash)}</pre>" if outcome.crash else ""
    return (f"<ul>{''.join(said)}</ul>" if said else "") + crash


def _chart(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "<p class=soft>Nothing filed.</p>"
    shown = "".join(
        f"<tr><td class=mono>{escape(row['reference'])} v{row['version']}<td>{escape(_says(row['resource']))}"
        f"<td>{'ours' if row['payload_hash'] else 'the EHR’s'}</tr>"
        for row in rows[:12]
    )
    more = f"<tr><td><td class=soft>… and {len(rows) - 12} more<td></tr>" if len(rows) > 12 else ""
    return f"<table><tr><th>Row<th>Says<th>Whose</tr>{shown}{more}</table>"


def _says(resource: Mapping[str, Any]) -> str:
    concept = resource.get("code") or resource.get("medicationCodeableConcept") or resource.get("type") or {}
    coding = (concept.get("coding") or [{}])[0]
    name = concept.get("text") or coding.get("display") or coding.get("code", "")
    quantity = resource.get("valueQuantity", {})
    value = f"{quantity.get('value', '')} {quantity.get('unit', '')}".strip()
    status = resource.get("status") or (resource.get("clinicalStatus", {}).get("coding") or [{}])[0].get("code", "")
    return ", ".join(part for part in (name, value, resource.get("effectiveDateTime", ""), status) if part)


def _ledger(prefix: str, outcome: Outcome) -> str:
    if not outcome.ledger:
        return ""
    rows = "".join(
        f"<tr><td class=mono><a href='#{prefix}-{row['intent'][:12]}'>{escape(row['intent'][:12])}</a>"
        f"<td>{escape(row['ehr'])}<td>{escape(row['state'])}<td class=mono>{escape(row['reason'])}"
        f"<td>{escape(row['decided_by'])}<td>{row['attempts']}<td class=mono>{escape(row['filed_ref'])}"
        f"<td class=mono>{escape(', '.join(row['differences']))}</tr>"
        for row in outcome.ledger[:15]
    )
    more = f"<p class=soft>… and {len(outcome.ledger) - 15} more intents.</p>" if len(outcome.ledger) > 15 else ""
    heads = "<tr><th>Intent<th>EHR<th>Ended as<th>Because<th>Signed by<th>Sent<th>Row<th>Lost on the way</tr>"
    return f"<h4>What became of each intent</h4><table>{heads}{rows}</table>{more}"


def _audit(prefix: str, outcome: Outcome) -> str:
    shown = {row["intent"] for row in outcome.ledger[:15]}
    entries = [entry for entry in outcome.audit if entry["intent"] in shown][:120]
    if not entries:
        return ""
    seen: set[str] = set()
    rows = []
    for entry in entries:
        first = entry["intent"] not in seen
        seen.add(entry["intent"])
        anchor = f" id='{prefix}-{entry['intent'][:12]}'" if first else ""
        facts = {key: entry[key] for key in ("reason", "code", "attempt", "filed", "flags") if entry.get(key)}
        said = escape(json.dumps(facts)) if facts else ""
        rows.append(
            f"<tr{anchor}><td>+{entry['at']:.0f} s<td class=mono>{escape(entry['intent'][:12])}"
            f"<td>{escape(str(entry.get('event')))}<td>{escape(str(entry.get('who', '')))}<td class=mono>{said}</tr>"
        )
    table = f"<table><tr><th>When<th>Intent<th>Event<th>Who<th>Facts</tr>{''.join(rows)}</table>"
    return f"<details><summary>Audit: {len(outcome.audit)} entries, {len(entries)} shown</summary>{table}</details>"
