"""formats/ccda: one document whatever its prefixes and bytes, narratives by their place, and nothing that harms."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import HeadwaterError, Quarantine
from headwater.formats.ccda import parse
from headwater.formats.ccda.parse import DEPTH
from tests.formats.synthetic_ccda import ccd

DOCUMENT = '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{}</ClinicalDocument>'

V3, SDTC = "urn:hl7-org:v3", "urn:hl7-org:sdtc"


def read(inside: str) -> dict[str, Any]:
    return parse(DOCUMENT.format(inside).encode())


def refused(body: bytes) -> tuple[str, str]:
    with pytest.raises(Quarantine) as error:
        parse(body)
    return error.value.code, error.value.place


def test_attributes_children_and_text_are_one_dict_and_repeated_children_a_list() -> None:
    document = read('<name use="L"><given>Ana</given><given>Maria</given><family>Rivera</family></name>')
    assert document == {"name": {"use": "L", "given": [{"_": "Ana"}, {"_": "Maria"}], "family": {"_": "Rivera"}}}


def test_line_breaks_of_a_pretty_printer_are_no_text() -> None:
    assert read("<title>\n  Summary\n  of care </title>")["title"] == {"_": "Summary of care"}


def test_text_around_children_is_kept() -> None:
    assert read("<name>Dr. <family>Rivera</family> MD</name>")["name"] == {"_": "Dr. MD", "family": {"_": "Rivera"}}


@pytest.mark.parametrize(
    "document",
    [
        f'<ClinicalDocument xmlns="{V3}" xmlns:sdtc="{SDTC}"><sdtc:raceCode code="x"/></ClinicalDocument>',
        f'<n1:ClinicalDocument xmlns:n1="{V3}" xmlns:a="{SDTC}"><a:raceCode code="x"/></n1:ClinicalDocument>',
        f'<c:ClinicalDocument xmlns:c="{V3}"><raceCode xmlns="{SDTC}" code="x"/></c:ClinicalDocument>',
    ],
)
def test_prefixes_do_not_matter_only_namespaces(document: str) -> None:
    assert parse(document.encode()) == {"sdtc_raceCode": {"code": "x"}}


def test_a_type_loses_the_prefix_it_was_written_with() -> None:
    document = read('<value xmlns:v3="urn:hl7-org:v3" xsi:type="v3:PQ" value="1"/>')
    assert document["value"] == {"xsi_type": "PQ", "value": "1"}


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252", "iso-8859-1", "utf-16"])
def test_bytes_are_decoded_as_declared(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>' + DOCUMENT.format("<title>Peña – José</title>")
    if encoding == "iso-8859-1":
        text = text.replace("–", "-")
    assert parse(text.encode(encoding))["title"]["_"] in ("Peña – José", "Peña - José")


def test_a_narrative_is_its_text_and_its_place_in_the_bytes() -> None:
    inside = (
        "<section><text>\n<table><tr><td>Peñicillin</td><td>hives</td></tr></table></text><title>A</title></section>"
    )
    body = DOCUMENT.format(inside).encode()
    section = parse(body)["section"]
    assert section["text"]["_"] == "Peñicillin hives"
    assert section["title"] == {"_": "A"}
    raw = body[section["text"]["from"] : section["text"]["to"]]
    assert raw.decode() == "<text>\n<table><tr><td>Peñicillin</td><td>hives</td></tr></table>"


def test_an_entry_that_refers_to_the_narrative_has_its_text() -> None:
    inside = (
        '<section><text><list><item ID="a1">Penicillin <content ID="r1">hives</content></item></list></text>'
        '<entry><code><originalText><reference value="#a1"/></originalText></code>'
        '<text><reference value="#r1"/></text><other><reference value="#nowhere"/></other></entry></section>'
    )
    entry = read(inside)["section"]["entry"]
    assert entry["code"]["originalText"]["_"] == "Penicillin hives"
    assert entry["text"]["_"] == "hives"
    assert "_" not in entry["other"]


def test_a_text_outside_of_a_section_is_an_element_like_any_other() -> None:
    assert read("<observation><text>seen</text></observation>")["observation"] == {"text": {"_": "seen"}}


LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>' + DOCUMENT.format("&b;").encode()
SECRET = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + DOCUMENT.format("&a;").encode()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "convert.not_xml"),
        (b"MSH|^~\\&|", "convert.not_xml"),
        (b"<ClinicalDocument xmlns='urn:hl7-org:v3'><a></ClinicalDocument>", "convert.not_xml"),
        (b"<ClinicalDocument xmlns='urn:hl7-org:v3'>&unknown;</ClinicalDocument>", "convert.not_xml"),
        (b"<html/>", "convert.not_cda"),
        (b"<x:ClinicalDocument xmlns:x='urn:other'/>", "convert.not_cda"),
        (LAUGHS, "convert.doctype"),
        (SECRET, "convert.doctype"),
        (b"<!DOCTYPE ClinicalDocument><ClinicalDocument xmlns='urn:hl7-org:v3'/>", "convert.doctype"),
        (b"<?xml version='1.0' encoding='utf-7'?><ClinicalDocument/>", "convert.charset"),
        (b"<?xml version='1.0' encoding='no-such'?><ClinicalDocument/>", "convert.charset"),
    ],
)
def test_what_is_no_document_is_refused(body: bytes, code: str) -> None:
    assert refused(body)[0] == code


@pytest.mark.parametrize("inside", ["{}", "<section><text>{}</text></section>"])
def test_deep_nesting_is_refused(inside: str) -> None:
    deep = inside.format("<a>" * (DEPTH + 1) + "</a>" * (DEPTH + 1))
    assert refused(DOCUMENT.format(deep).encode())[0] == "convert.too_deep"


def test_too_many_attributes_are_refused_and_many_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[parse.__module__], "MOST", 200)
    attributes = " ".join(f'a{n}="1"' for n in range(150))
    assert len(read(f"<x {attributes}/>")["x"]) == 150
    assert refused(DOCUMENT.format(f"<x {attributes}/><y {attributes}/>").encode())[0] == "convert.too_large"


def test_parts_of_parts_of_a_narrative_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[parse.__module__], "LARGEST", 50_000)
    nested = "".join(f'<content ID="i{n}">' for n in range(100)) + "x" * 5000 + "</content>" * 100
    entries = "".join(f'<entry><reference value="#i{n}"/></entry>' for n in range(100))
    body = DOCUMENT.format(f"<section><text>{nested}</text>{entries}</section>").encode()
    assert len(body) < 50_000
    assert refused(body)[0] == "convert.too_large"


def test_errors_hold_no_data() -> None:
    body = DOCUMENT.format("<name>SECRETNAME</nome>").encode()
    with pytest.raises(Quarantine) as error:
        parse(body)
    assert "SECRETNAME" not in str(error.value)
    assert error.value.place.startswith("line 1, column")


def test_a_large_document_is_read_whole() -> None:
    sections = parse(ccd(60))["component"]["structuredBody"]["component"]
    assert len(sections["section"]["entry"]) == 60
    assert sections["section"]["entry"][7]["organizer"]["component"]["observation"]["text"]["_"] == "Hemoglobin"


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=300) | st.text(max_size=200).map(lambda text: DOCUMENT.format(text).encode("utf-8", "replace"))
)
def test_whatever_the_bytes_are_nothing_but_our_own_errors(body: bytes) -> None:
    with contextlib.suppress(HeadwaterError):
        assert isinstance(parse(body), dict)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 3000), st.binary(min_size=1, max_size=6))
def test_a_document_with_any_bytes_put_in_gives_nothing_but_our_own_errors(place: int, bytes_: bytes) -> None:
    body = ccd(1)
    place %= len(body)
    with contextlib.suppress(HeadwaterError):
        assert isinstance(parse(body[:place] + bytes_ + body[place + len(bytes_) :]), dict)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(
        ["hex", "base64", "rot13", "idna", "punycode", "utf-32", "cp037", "unicode_escape", "undefined", "zlib"]
    )
)
def test_a_declared_encoding_runs_no_codec_that_is_no_character_set(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>{DOCUMENT.format("")}'
    code = ""
    try:
        parse(text.encode())
    except HeadwaterError as error:
        code = error.code
    assert code in ("", "convert.charset", "convert.not_xml")
