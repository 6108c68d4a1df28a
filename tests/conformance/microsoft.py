"""Runs Microsoft's own cases with its own templates, verbatim, and counts how many come out as Microsoft expects.

    python tests/conformance/microsoft.py CHECKOUT CASES.json [--format Hl7v2] [--show 5] [--smoke]

CHECKOUT is a checkout of microsoft/FHIR-Converter, CASES.json a list of `{format, input, template_dir, root_template,
expected}`. Neither is part of this repository. `--smoke` converts every other sample input and counts clear errors.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ["TZ"] = "UTC"
time.tzset()

from headwater.errors import Quarantine  # noqa: E402
from headwater.templates.microsoft.converter import Converter  # noqa: E402

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def read(path: Path) -> str:
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
        return file.read()


def normal(value: Any) -> Any:
    """Date-times as UTC instants: Microsoft's test reads both sides with date parsing on. Ints are no floats."""
    if isinstance(value, dict):
        return {name: normal(each) for name, each in value.items()}
    if isinstance(value, list):
        return [normal(each) for each in value]
    if isinstance(value, str) and 19 <= len(value) <= 40 and _MOMENT.match(value):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return value
        return moment.astimezone(UTC).isoformat() if moment.tzinfo else moment.isoformat()
    return (type(value).__name__, value) if isinstance(value, bool | int | float) else value


def comparable(case: dict[str, Any], value: Any) -> Any:
    entries = value.get("entry", []) if isinstance(value, dict) else []
    if case["format"] == "Hl7v2":
        for entry in entries:
            if entry.get("resource", {}).get("resourceType") == "Provenance":
                entry["resource"].get("text", {}).pop("div", None)
                break
    if case["format"] == "Ccda":
        entries.pop()
    if case["format"] == "FhirToHl7v2":
        fields = value.split("|")
        fields[6] = ""
        return "|".join(fields)
    return normal(value)


def difference(left: Any, right: Any, at: str = "$") -> str:
    if isinstance(left, dict) and isinstance(right, dict):
        for name in {**left, **right}:
            if name not in left or name not in right:
                return f"{at}.{name}: only {'expected' if name in left else 'made'}"
            found = difference(left[name], right[name], f"{at}.{name}")
            if found:
                return found
        return ""
    if isinstance(left, list) and isinstance(right, list):
        for number, (one, other) in enumerate(zip(left, right, strict=False)):
            found = difference(one, other, f"{at}[{number}]")
            if found:
                return found
        return "" if len(left) == len(right) else f"{at}: {len(left)} expected, {len(right)} made"
    return "" if left == right else f"{at}: {str(left)[:300]!r} expected, {str(right)[:300]!r} made"


def outcome(case: dict[str, Any], checkout: Path, converter: Converter) -> str:
    """An empty text if the case passes, else what is wrong."""
    expected = read(checkout / case["expected"])
    wanted = expected if case["format"] == "FhirToHl7v2" else json.loads(expected)
    try:
        made = converter.convert(read(checkout / case["input"]), case["root_template"])
    except Quarantine as error:
        return str(error)
    if case["format"] == "FhirToHl7v2":
        return difference(comparable(case, wanted.replace("\r\n", "\n")).strip(), comparable(case, made).strip())
    return difference(comparable(case, wanted), comparable(case, made))


def smoke(checkout: Path, cases: list[dict[str, Any]], converters: dict[tuple[str, str], Converter]) -> None:
    """Inputs without an expectation: they convert, or they end in a Quarantine, or this breaks."""
    seen = {case["input"] for case in cases}
    folders = {"Hl7v2": "Hl7v2", "Ccda": "Ccda", "Stu3ToR4": "Stu3", "Json": "Json", "FhirToHl7v2": "FHIR"}
    told: Counter[str] = Counter()
    for (format, _), converter in converters.items():
        roots = sorted({case["root_template"] for case in cases if case["format"] == format})
        for path in sorted((checkout / "data/SampleData" / folders[format]).iterdir()):
            if f"data/SampleData/{folders[format]}/{path.name}" in seen or path.is_dir():
                continue
            text = read(path)
            root = next((each for each in roots if each.replace("_", "-") in path.name), roots[0])
            if format == "Stu3ToR4":
                root = json.loads(text).get("resourceType", root)
            try:
                converter.convert(text, root)
                told[f"{format}: converted"] += 1
            except Quarantine as error:
                told[f"{format}: {error.code}"] += 1
                print("  ", path.name, root, error)
    for line, count in sorted(told.items()):
        print(f"{line}: {count}")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("checkout", type=Path)
    options.add_argument("cases", type=Path)
    options.add_argument("--format")
    options.add_argument("--show", type=int, default=3, help="failures to show per format")
    options.add_argument("--cache", type=Path, help="folder for compiled templates")
    options.add_argument("--smoke", action="store_true")
    chosen = options.parse_args()
    cases = [case for case in json.loads(read(chosen.cases))["cases"] if chosen.format in (None, case["format"])]
    converters: dict[tuple[str, str], Converter] = {}
    passed: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    for case in cases:
        key = case["format"], case["template_dir"]
        if key not in converters:
            converters[key] = Converter([chosen.checkout / case["template_dir"]], case["format"], cache=chosen.cache)
        wrong = outcome(case, chosen.checkout, converters[key])
        passed[case["format"]] += not wrong
        if wrong and shown[case["format"]] < chosen.show:
            shown[case["format"]] += 1
            print(f"{case['id']}: {wrong}")
    total = Counter(case["format"] for case in cases)
    for format, count in total.items():
        print(f"{format}: {passed[format]} of {count}")
    print(f"all: {sum(passed.values())} of {len(cases)}")
    if chosen.smoke:
        smoke(chosen.checkout, cases, converters)
    return 0 if sum(passed.values()) == len(cases) else 1


if __name__ == "__main__":
    raise SystemExit(main())
