"""From a FHIR R4 Patient (R4 patient.html) to `Traits`: what one source states of a human, values as received.

Nothing is judged here; `profile` normalises, `compare` compares. Elements that are absent, or only a
data-absent-reason, leave their trait empty.
"""

from __future__ import annotations

from datetime import date

from headwater.model import Identifier, Resource, Traits

US_SSN = "http://hl7.org/fhir/sid/us-ssn"
_KINDS = "http://terminology.hl7.org/CodeSystem/v2-0203"
# The name and the address that are true now come first (R4 valueset-name-use, valueset-address-use).
_NAME_USES = ("official", "usual", "", "temp", "nickname", "anonymous", "maiden", "old")
_ADDRESS_USES = ("home", "", "temp", "work", "billing", "old")


def traits_of(patient: Resource) -> Traits:
    """The traits of one Patient. `given` are the given names of the current name in order; `family` are the family
    names of all its names, the current one first."""
    names = _by_use(patient.get("name"), _NAME_USES)
    current = names[0] if names else {}
    address = next(iter(_by_use(patient.get("address"), _ADDRESS_USES)), {})
    given, family = _texts(current.get("given")), tuple(dict.fromkeys(_family(name) for name in names if _family(name)))
    if not given and not family and current.get("text"):
        given, family = _from_text(str(current["text"]))
    return Traits(
        family=family,
        given=given,
        suffix=" ".join(_texts(current.get("suffix"))),
        birth_date=_date(patient.get("birthDate")),
        gender=str(patient.get("gender") or ""),
        phones=_telecom(patient, ("phone", "sms")),
        emails=_telecom(patient, ("email",)),
        address_lines=_texts(address.get("line")),
        city=str(address.get("city") or ""),
        state=str(address.get("state") or ""),
        postal_code=str(address.get("postalCode") or ""),
        identifiers=_identifiers(patient),
        deceased=bool(patient.get("deceasedBoolean") or patient.get("deceasedDateTime")),
        multiple_birth=bool(patient.get("multipleBirthBoolean") or patient.get("multipleBirthInteger")),
    )


def _by_use(entries: object, uses: tuple[str, ...]) -> list[Resource]:
    """The objects of a list in the order of their `use`, those of one use as they were sent."""
    known = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return sorted(known, key=lambda entry: uses.index(use) if (use := entry.get("use") or "") in uses else len(uses))


def _texts(values: object) -> tuple[str, ...]:
    # Primitive arrays may hold null where only an extension is given (R4 json.html#primitive).
    return tuple(str(value) for value in values if value) if isinstance(values, list) else ()


def _family(name: Resource) -> str:
    return str(name.get("family") or "")


def _from_text(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Given and family names of a name that has only `text`: "Family, Given Middle" or "Given Middle Family"."""
    family, comma, rest = text.partition(",")
    if comma:
        return tuple(rest.split()), (family.strip(),)
    words = text.split()
    return tuple(words[:-1]), tuple(words[-1:])


def _date(value: object) -> date | None:
    # FHIR allows 1980 and 1980-05; neither can be equal to a birth date.
    try:
        return date.fromisoformat(str(value)) if value and len(str(value)) == 10 else None
    except ValueError:
        return None


def _telecom(patient: Resource, systems: tuple[str, ...]) -> tuple[str, ...]:
    entries = _by_use(patient.get("telecom"), ("home", "mobile", "", "temp", "work"))
    return tuple(
        str(entry["value"])
        for entry in entries
        if entry.get("system") in systems and entry.get("value") and entry.get("use") != "old"
    )


def _identifiers(patient: Resource) -> tuple[Identifier, ...]:
    entries = _by_use(patient.get("identifier"), ("official", "usual", "", "secondary", "temp"))
    return tuple(
        Identifier(_system(entry), str(entry["value"]), _kind(entry))
        for entry in entries
        if entry.get("value") and entry.get("use") != "old"
    )


def _system(identifier: Resource) -> str:
    assigner = identifier.get("assigner")
    named = assigner.get("display") if isinstance(assigner, dict) else ""
    return str(identifier.get("system") or named or "")


def _kind(identifier: Resource) -> str:
    """The HL7 table 0203 code; a Social Security number is known by its system too."""
    if identifier.get("system") == US_SSN:
        return "SS"
    kind = identifier.get("type")
    codings = kind.get("coding") if isinstance(kind, dict) else None
    for coding in codings if isinstance(codings, list) else ():
        if coding.get("system") in (_KINDS, None) and coding.get("code"):
            return str(coding["code"])
    return ""
