"""The chart for a person to look at: what is filed for whom, and how often each write was sent."""

from __future__ import annotations

import json
from collections import Counter
from html import escape
from typing import Any

from headwater.model import Resource
from local.ehrs.chart import Chart, iso

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c2733 }
.notice { background: #fff4d6; border-left: 4px solid #c98a00; padding: .6rem 1rem }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 2rem }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #d9e0e6; vertical-align: top }
th { font-weight: 600; color: #52616e } td.twice { color: #b00020; font-weight: 700 }
textarea { width: 100%; min-height: 8rem; font: 13px/1.4 ui-monospace, monospace }
summary { cursor: pointer; color: #1f5fa8 }
button { font: inherit; padding: .15rem .7rem } output { color: #b00020 }
"""


# What a clinician does at the EHR's own screen goes through the back door, as in tests.
_SCRIPT = """
async function post(path, wish, said) {
  const answer = await fetch(path, { method: "POST", body: JSON.stringify(wish) });
  if (answer.ok) location.reload(); else said.textContent = (await answer.json()).error;
}
document.addEventListener("submit", event => {
  event.preventDefault();
  const form = event.target, said = form.querySelector("output");
  try {
    const text = form.elements.text ? JSON.parse(form.elements.text.value) : {};
    const wish = { edit: () => ({ reference: form.dataset.row, set: text }), rows: () => text,
      held: () => ({ number: +form.dataset.row, accept: event.submitter.value === "accept" }) }[form.dataset.way]();
    post("/_sim/" + form.dataset.way, wish, said);
  } catch (error) { said.textContent = error.message; }
});
"""


def chart_json(ehr: str, chart: Chart, *, now: float) -> dict[str, Any]:
    """Rows with `posted`, how often their very bytes arrived, and `copies`, how many rows came of these bytes."""
    arrivals = chart.arrivals()
    posted = Counter(one["payload_hash"] for one in arrivals if one["request"].startswith("POST"))
    rows = chart.rows()
    copies = Counter(row.payload_hash for row in rows if row.payload_hash)
    return {
        "ehr": ehr,
        "rows": [
            {
                "reference": row.reference,
                "version": row.version,
                "committed_at": iso(row.committed_at),
                "searchable": row.found_from <= now,
                "payload_hash": row.payload_hash,
                "posted": posted[row.payload_hash] if row.payload_hash else 0,
                "copies": copies[row.payload_hash] if row.payload_hash else 1,
                "resource": {key: value for key, value in row.resource.items() if key != "_record"},
            }
            for row in rows
        ],
        "held": chart.held(),
        "arrivals": arrivals,
    }


def chart_html(title: str, chart: dict[str, Any]) -> str:
    patients = [row for row in chart["rows"] if row["resource"]["resourceType"] == "Patient"]
    others = [row for row in chart["rows"] if row["resource"]["resourceType"] != "Patient"]
    parts = [_patient(patient, others) for patient in patients]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Chart · {escape(title)}</title>"
        f"<meta name=viewport content='width=device-width'><style>{_STYLE}</style>"
        f"<h1>Chart: simulated {escape(title)}</h1>"
        "<p class=notice>This is a simulation made from public documents, for tests on synthetic data. It is not the "
        "product, and it is not affiliated with, endorsed or checked by any vendor.</p>"
        f"<p>{len(patients)} patients, {len(others)} other rows, {len(chart['arrivals'])} writes arrived. "
        f"<a href='/_sim/chart'>As JSON</a></p>{_held(chart.get('held', []))}{''.join(parts)}{_new()}"
        f"<script type=module>{_SCRIPT}</script></html>"
    )


def _patient(patient: dict[str, Any], others: list[dict[str, Any]]) -> str:
    mine = [row for row in others if _subject(row["resource"]) == patient["reference"]]
    rows = "".join(map(_row, mine))
    heads = "".join(f"<th>{head}</th>" for head in ("Row", "What", "Value", "When", "Status", "Posted", "Rows", ""))
    table = f"<table><tr>{heads}</tr>{rows}</table>" if mine else "<p>Nothing filed.</p>"
    return f"<h2>{escape(_name(patient['resource']))} <small>{escape(patient['reference'])}</small></h2>{table}"


def _row(row: dict[str, Any]) -> str:
    resource = row["resource"]
    said = (row["reference"], _what(resource), _value(resource), resource.get("effectiveDateTime", ""))
    cells = "".join(f"<td>{escape(str(one))}</td>" for one in (*said, resource.get("status", "")))
    counts = "".join(f"<td class={'twice' if n > 1 else 'once'}>{n}</td>" for n in (row["posted"], row["copies"]))
    return f"<tr>{cells}{counts}<td>{_edit(row)}</tr>"


def _edit(row: dict[str, Any]) -> str:
    """A form that changes the row as a clinician in the EHR would."""
    shown = {key: value for key, value in row["resource"].items() if key not in ("resourceType", "id", "meta")}
    return (
        f"<details><summary>edit</summary><form data-way=edit data-row='{escape(row['reference'])}'>"
        f"<textarea name=text aria-label='elements as JSON'>{escape(json.dumps(shown, indent=1))}</textarea>"
        "<button>Save as a clinician</button> <output></output></form></details>"
    )


def _held(held: list[dict[str, Any]]) -> str:
    """What was answered with 202 and waits for the EHR's own reviewer."""
    if not held:
        return ""
    items = "".join(
        f"<li><form data-way=held data-row={one['number']}>{escape(one['resource']['resourceType'])} "
        f"{escape(_what(one['resource']))} {escape(_value(one['resource']))} <small>{escape(one['at'])}</small> "
        "<button value=accept>File it</button> <button value=discard>Discard it</button> <output></output></form>"
        for one in held
    )
    return f"<h2>Waiting for the EHR's own reviewer</h2><ul>{items}</ul>"


def _new() -> str:
    return (
        "<h2>Enter something</h2><details><summary>a FHIR resource, as a clinician in the EHR</summary>"
        "<form data-way=rows><textarea name=text aria-label='a FHIR resource as JSON'></textarea>"
        "<button>File it</button> <output></output></form></details>"
    )


def _subject(resource: Resource) -> str:
    subject: Resource = resource.get("subject") or resource.get("patient") or {}
    return str(subject.get("reference", ""))


def _name(patient: Resource) -> str:
    name = _first(patient.get("name"))
    return f"{name.get('family', '?')}, {' '.join(name.get('given', []))} · {patient.get('birthDate', '?')}"


def _what(resource: Resource) -> str:
    code = resource.get("code") or resource.get("medicationCodeableConcept") or resource.get("type") or {}
    coding = _first(code.get("coding"))
    return f"{code.get('text') or coding.get('display') or ''} ({coding.get('code', 'no code')})".strip()


def _value(resource: Resource) -> str:
    quantity, concept = resource.get("valueQuantity"), resource.get("valueCodeableConcept")
    if quantity:
        return f"{quantity.get('comparator', '')}{quantity.get('value', '')} {quantity.get('unit', '')}"
    if concept:
        return str(concept.get("text") or _first(concept.get("coding")).get("display", ""))
    return str(resource.get("valueString", ""))


def _first(items: list[Resource] | None) -> Resource:
    return items[0] if items else {}
