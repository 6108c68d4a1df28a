"""The drill's people: invented, known at every site of a scenario, and brought in as any patient is, by the feeds."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

from headwater.ehrs import Ehr
from headwater.inbound.match import person_id_of
from headwater.model import Resource
from headwater.persons.normalise import identifier
from local.demo.people import Chart, Human, humans
from local.demo.seed import patients
from local.drill.world import Person, World

FHIR = "application/fhir+json"


def admit(world: World, count: int = 1, *, at: tuple[str, ...] = ()) -> list[Person]:
    """New people whom all sites (or those in `at`) know, in their charts and in our index."""
    sites = at or tuple(world.sites)
    number = len(world.people)
    found = humans(number + count, world.seed)[number:]
    # Every fifth of the demo's people has no SSN; identity is not what most scenarios are about.
    made = [admit_human(world, replace(human, ssn=human.ssn or f"45{place % 10}-4{number % 10}-{2000 + place:04}"),
                        sites, number + place) for place, human in enumerate(found)]  # fmt: skip
    world.run(0.0)
    for person in made:
        if world.app.persons.get(person.id) is None:
            raise RuntimeError(f"a person could not be brought in: {world.troubles()}")
    return made


def admit_human(
    world: World, human: Human, sites: tuple[str, ...], number: int, *, mrn_of: int | None = None
) -> Person:
    """`mrn_of` gives them the very number of another one, who is known at other sites under `shared` numbers too."""
    shared = mrn_of is not None
    ehrs = {site: world.app.ehrs[site] for site in sites}
    same = f"10{(number if mrn_of is None else mrn_of) + 2700:06}"
    charts = [Chart(site, same if shared else f"{site[:1].upper()}{same}", human) for site in sites]
    by_site = {site: named(rows[0], ehrs[site], same) for site, rows in patients(charts, ehrs).items()}
    for site, patient in by_site.items():
        world.ask("POST", "/_sim/patients", patient, site)
        tell(world, site, [patient])
    first = by_site[sites[0]]["identifier"][0]
    value = identifier(first["value"], world.app.policy.ignore.identifiers)
    person = Person(person_id_of(f"{sites[0]}|{first['system']}|{value}"), by_site)
    world.people.append(person)
    return person


def named(patient: Resource, ehr: Ehr, number: str) -> Resource:
    """With the id that the EHR's FHIR would give it: some put something before the vendor's own number."""
    if ehr.api is None or not ehr.api.patient_prefix:
        return patient
    prefix = re.sub(r"\{([a-z_]+)\}", lambda match: ehr.site.get(match[1], ""), ehr.api.patient_prefix)
    return {**patient, "id": f"{prefix}{number}"}


def tell(world: World, site: str, resources: list[Resource]) -> None:
    """A message of a site's feed: a Bundle of its patient and what is said of them."""
    bundle = {"resourceType": "Bundle", "type": "collection", "timestamp": world.clock.now().isoformat(),
              "entry": [{"resource": resource} for resource in resources]}  # fmt: skip
    world.queues["feed"].put(json.dumps(bundle), group=site, attributes={"ehr": site, "content-type": FHIR})


def fact(world: World, kind: str, number: int, **changes: Any) -> Resource:
    """A fact of `facts.json`, another one for each number."""
    from local.drill.scenario import HERE

    resource: Resource = json.loads((HERE / "facts.json").read_text(encoding="utf-8"))[kind]
    at = world.clock.now().replace(microsecond=0) - timedelta(hours=2, minutes=number % 60, seconds=number // 60)
    if resource["resourceType"] == "Observation":
        resource["effectiveDateTime"] = at.isoformat()
        if kind != "score":
            resource["valueQuantity"]["value"] = round(resource["valueQuantity"]["value"] + number % 40 / 10, 1)
    elif resource["resourceType"] == "DocumentReference":
        resource["date"] = at.isoformat()
    for path, value in changes.items():
        put(resource, path, value)
    return resource


def taken_as(world: World, kind: str, site: str) -> str:
    """A vital sign where the site takes one, else what it takes instead; other facts are meant as they are named."""
    if kind != "vital":
        return kind
    operations = world.app.ehrs[site].write.get("Observation")
    create = operations.create if operations else None
    probe = {**fact(world, "vital", 0), "subject": {"reference": "Patient/x"}}
    return "lab" if create and create.unmet(probe) else "vital"


OF_PATIENT = ("AllergyIntolerance", "Immunization")


def about(resource: Resource, patient: str) -> Resource:
    """The fact with its patient where its type has it."""
    if resource["resourceType"] == "Patient":
        return resource
    return {**resource, "patient" if resource["resourceType"] in OF_PATIENT else "subject": {"reference": patient}}


def put(resource: Any, path: str, value: Any) -> None:
    """Set the element at `code.coding.0.display`; None takes it out, `{"repeat": "x", "times": 9}` is a long text."""
    if isinstance(value, dict) and value.keys() == {"repeat", "times"}:
        value = str(value["repeat"]) * int(value["times"])
    *way, last = path.split(".")
    for part in way:
        resource = resource[int(part)] if isinstance(resource, list) else resource.setdefault(part, {})
    if value is None:
        resource.pop(last, None)
    elif isinstance(resource, list):
        resource[int(last)] = value
    else:
        resource[last] = value
