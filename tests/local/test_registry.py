"""The registry: what `python -m local.registry` makes of public facts, and what stands in mappings/ehrs through it."""

from __future__ import annotations

import csv
import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from headwater.ehrs import Confidence, WriteSurface, load
from headwater.errors import Refuse
from local.registry.__main__ import main
from local.registry.dialects import slug
from local.registry.ehr_toml import confidence
from local.registry.standing import slips, why_not_written

MAPPINGS = Path(__file__).parents[2] / "mappings"
EHRS = load(MAPPINGS)
# Products whose every published fact was asked for.
DESCRIBED = {
    "epic", "oracle-millennium", "athenahealth", "redox", "meditech", "eclinicalworks", "canvas", "elation", "veradigm",
    "nextgen-enterprise", "nextgen-office", "drchrono", "modmed-ema-proprietary", "modmed-ema-certified", "advancedmd",
    "openemr", "us-core-9-write",
}  # fmt: skip


# ------------------------------------------------------------------------------------------------- what stands there


def test_the_registry_holds_91_dialects_and_more_that_published_an_address() -> None:
    families = {ehr.family for ehr in EHRS.values() if ehr.published}
    assert len(families) >= 91
    assert len(EHRS) >= 100


@pytest.mark.parametrize("name", sorted(DESCRIBED))
def test_a_described_product_has_facts_with_confidence_and_sources(name: str) -> None:
    said = EHRS[name].published
    assert said is not None
    assert said.sources
    assert len(said.facts) >= 8
    assert all(fact.says and isinstance(fact.confidence, Confidence) for fact in said.facts)


@pytest.mark.parametrize("name", sorted(EHRS))
def test_a_folder_is_sound(name: str) -> None:
    assert slips(MAPPINGS, name) == []


def test_whatever_has_no_write_table_is_refused_and_says_why() -> None:
    refused = {name: ehr for name, ehr in EHRS.items() if not ehr.write}
    assert len(refused) > 80
    for ehr in refused.values():
        assert why_not_written(ehr)
        with pytest.raises(Refuse) as raised:
            ehr.operation("Observation")
        assert raised.value.code == "propose.operation_unknown"


def test_nothing_is_claimed_about_writing_where_only_certification_speaks() -> None:
    for ehr in EHRS.values():
        if ehr.published and "certifies reading only" in ehr.published.why:
            assert ehr.published.write is WriteSurface.UNKNOWN
            assert ehr.published.creates + ehr.published.updates == ()


def test_no_product_is_both_in_a_folder_and_in_the_list_of_the_rest() -> None:
    with (MAPPINGS / "ehr-catalogue.csv").open(encoding="utf-8", newline="") as rows:
        rest = {(row["product"], row["developer"]) for row in csv.DictReader(rows)}
    here = {(one, ehr.published.developer) for ehr in EHRS.values() if ehr.published for one in ehr.published.products}
    assert len(rest) > 90
    assert rest & here == set()


# --------------------------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("address", "fits"),
    [
        ("https://fhir.example.com/r4", True),
        ("https://{customer-host}/{R2|R4}/{tenant}", True),
        ("https://{customer-host}:{port}/{instance}/fhir/r4", True),
        ("https://fumage-{instance}.canvas.example.com", True),
        ("https://hcswebportal.corporate.example.net:9443/api", True),
        ("http://fhir.example.com/r4", False),
        ("https://fhir.services.local/r4", False),
        ("https://fhir.services.local:8443/r4", False),
        ("https://ehr.hospital.internal", False),
        ("https://localhost/fhir", False),
        ("https://10.0.0.7/fhir", False),
        ("https://fhir.example.com.com/r4", False),
        ("https://user:secret@fhir.example.com/r4", False),
        ("https://fhir.example.com/r4?tenant=1", False),
        ("https://fhir.example.com/r4#x", False),
        ("https://fumage-{instance}-staging|-dev...", False),
        ("fhir.example.com/r4", False),
    ],
)
def test_an_address_is_https_and_public(address: str, fits: bool) -> None:
    pattern = json.loads((MAPPINGS / "ehr.schema.json").read_text())["$defs"]["address"]["pattern"]
    assert bool(re.search(pattern, address)) is fits


def test_what_was_doubtful_about_an_address_is_still_said() -> None:
    flags = {flag for ehr in EHRS.values() if ehr.published for flag in ehr.published.flags}
    assert {"plain-http-url-published", "private-hostnames-in-source", "url-looks-non-production"} <= flags
    for ehr in EHRS.values():
        if ehr.published and "no-usable-base-url" in ehr.published.flags:
            assert ehr.published.base_urls == ()


# --------------------------------------------------------------------------------------------------------- the maker


def product(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"acme--{name.lower()}",
        "product": name,
        "developer": "Acme, Inc",
        "certification": {"criterion": "170.315(g)(10)", "status": ["Active"], "snapshot": "2024-04-25"},
        "fhir": {"version": "R4 4.0.1", "basis": "required"},
        "base_url": {"patterns": ["https://fhir.acme.example.com/r4"], "tenancy": "path"},
        "service_base_url_list": ["https://acme.example.com/list"],
        "developer_docs": [],
        "auth": {"floor": "SMART", "confidence": "inferred-from-certification"},
        "write": {"fhir_create": None, "fhir_update": None, "confidence": "unknown"},
        "flags": [],
        "evidence": ["lantern:Acme.json"],
        "active": True,
        "dialect": "developer:acme-inc",
        **changes,
    }


PROFILE = {
    "id": "globex",
    "name": 'Globex "One" FHIR',
    "developer": "Globex",
    "base": ["https://fhir.globex.example.com/{tenant} (provider)", "sandbox https://fhir-sandbox.globex.example.com"],
    "auth": {"model": "SMART", "alg": None, "confidence": "high (seen) / medium (told)"},
    "write": {
        "fhir_create": ["Observation", "ChargeItem ($create)", "Basic (Money)"],
        "fhir_update": [],
        "confidence": "high for sandbox, unknown for customers",
    },
    "batch": {"transaction": False},
    "evidence": ["docs.globex.example.com (2026)"],
}


@pytest.fixture
def made(tmp_path: Path) -> Any:
    """Runs the maker over collections in an empty folder; gives the tables that it wrote."""

    def make(*products: dict[str, Any], profiles: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
        (tmp_path / "catalogue.json").write_text(json.dumps({"products": products}))
        (tmp_path / "profiles.json").write_text(json.dumps({"profiles": profiles}))
        files = [str(tmp_path / "catalogue.json"), str(tmp_path / "profiles.json")]
        assert main([*files, "--mappings", str(tmp_path)]) == 0
        return {file.parent.name: tomllib.loads(file.read_text()) for file in tmp_path.glob("ehrs/*/ehr.toml")}

    (tmp_path / "ehrs").mkdir()
    return make


def test_a_dialect_is_one_folder_and_what_has_no_address_is_listed(made: Any, tmp_path: Path) -> None:
    tables = made(product("A"), product("B"), product("C", base_url={"patterns": None, "tenancy": "unknown"}))
    assert set(tables) == {"acme"}
    assert tables["acme"]["published"]["products"] == ["A", "B"]
    assert tables["acme"]["published"]["write"] == "unknown"
    with (tmp_path / "ehr-catalogue.csv").open(newline="") as rows:
        assert [row["product"] for row in csv.DictReader(rows)] == ["C"]
    assert "acme" in load(tmp_path)


def test_an_address_that_may_not_stand_there_leaves_its_flag(made: Any) -> None:
    bad = {"patterns": ["http://fhir.acme.example.com", "https://fhir.acme.local/r4"], "tenancy": "host"}
    said = made(product("A", base_url=bad, flags=["plain-http-url-published"]))["acme"]["published"]
    assert "base_urls" not in said
    assert said["flags"] == ["plain-http-url-published", "no-usable-base-url"]


def test_a_page_that_is_no_endpoint_is_no_address(made: Any) -> None:
    said = made(product("A", flags=["source-url-is-not-an-endpoint"]))["acme"]["published"]
    assert "base_urls" not in said


def test_a_profile_says_only_as_much_as_its_weakest_word(made: Any, tmp_path: Path) -> None:
    said = made(profiles=(PROFILE,))["globex"]["published"]
    assert (said["write"], said["confidence"]) == ("declared", "unknown")
    assert said["creates"] == ["Observation", "Basic"]
    facts = {fact["about"]: fact for fact in said["fact"]}
    assert facts["auth.model"]["confidence"] == "medium"
    assert facts["batch.transaction"] == {"about": "batch.transaction", "says": "no", "confidence": "unstated"}
    assert facts["write.fhir_create"]["says"] == "ChargeItem ($create); Basic (Money)"
    assert "auth.alg" not in facts
    assert said["base_urls"] == ["https://fhir.globex.example.com/{tenant}"]
    shutil.copytree(MAPPINGS, tmp_path, ignore=lambda *_: ["ehrs", "base"], dirs_exist_ok=True)
    assert slips(tmp_path, "globex") == []


def test_what_a_person_wrote_is_kept_and_a_second_run_changes_nothing(made: Any, tmp_path: Path) -> None:
    file = tmp_path / "ehrs/acme/ehr.toml"
    file.parent.mkdir()
    file.write_text('title = "Mine"\nfamily = "acme"\n')
    tables = made(product("A"), profiles=(PROFILE,))
    assert tables["acme"]["title"] == "Mine"
    assert tables["acme"]["published"]["products"] == ["A"]
    before = file.read_text()
    made(product("A", product="Renamed"), profiles=(PROFILE,))
    assert file.read_text() == before


def test_a_dialect_does_not_take_the_folder_of_a_profile(made: Any) -> None:
    tables = made(product("A", dialect="developer:globex-llc"), profiles=(PROFILE,))
    assert set(tables) == {"globex", "globex-a"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("high", "high"), ("high for sandbox, medium for any one customer", "medium"), ("own knowledge", "low"),
        ("inferred-from-certification", "low"), (None, "unstated"), ("high for REST; FHIR writes unknown", "unknown"),
    ],
)  # fmt: skip
def test_of_several_words_the_weakest_counts(said: str | None, expected: str) -> None:
    assert confidence(said) == expected


def test_a_dialect_s_folder_has_a_plain_name() -> None:
    assert slug("developer:acme-health-inc") == "acme-health"
    assert slug("altera (per-customer host)") == "altera"
