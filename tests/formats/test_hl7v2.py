"""formats/hl7v2: what is read, what is tolerated, what is refused and with which place."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Quarantine
from headwater.formats.hl7v2 import Message, Segment, parse, split_batch, times
from headwater.formats.hl7v2.parts import Part, Parts, part, repetitions, whole_text

EASTERN = ZoneInfo("America/New_York")
HEADER = "MSH|^~\\&|LAB|NORTH|HUB|EAST|20250711083000||ORU^R01^ORU_R01|C-1|P|2.5.1"


def read(*segments: str, header: str = HEADER, end: str = "\r") -> Message:
    return parse(end.join((header, *segments)).encode(), EASTERN)


def field(message: Message, segment: str, number: int) -> Part:
    found = message.lookup(segment)
    assert isinstance(found, Segment)
    value = found.part(number)
    assert value is not None
    return value


def text_of(escaped: str) -> str:
    return whole_text(field(read(f"OBX|1|TX|N||{escaped}"), "OBX", 5))


def test_numbers_count_as_in_the_standard() -> None:
    message = read("PID|1||A1^^^MAIN&2.16.840.1.113883.19.5&ISO^MR~B2^^^OLD^MR||Rivera^Ana^Maria")
    identifiers = field(message, "PID", 3)
    assert str(identifiers) == "A1"
    assert [str(one) for one in repetitions(identifiers)] == ["A1", "B2"]
    authority = part(identifiers, 4)
    assert isinstance(authority, Parts)
    assert [authority.lookup(number) for number in (1, "2", 3, 4)] == ["MAIN", "2.16.840.1.113883.19.5", "ISO", None]
    assert field(message, "MSH", 1) == "|"
    assert field(message, "MSH", 2) == "^~\\&"
    assert part(field(message, "MSH", 9), 2) == "R01"


def test_numbers_that_nothing_has_are_nothing() -> None:
    message = read(f"PID|1||A1^^^MAIN&x{'|' * 40}end")
    segment, identifier = message.lookup("PID"), field(message, "PID", 3)
    assert isinstance(segment, Segment)
    assert isinstance(identifier, Parts)
    found = [segment.lookup(number) for number in (0, 42, 43, "43", 44, 99, 100, "x")]
    assert found == [None, None, "end", "end", None, None, None, None]
    assert [identifier.lookup(number) for number in (0, 5, 31, 32, 99, 100)] == [None] * 6
    assert [identifier.part(number) for number in (1, 31, 32, 99)] == ["A1", None, None, None]


def test_the_header_names_type_trigger_structure_and_id() -> None:
    message = read()
    assert (message.type, message.trigger, message.structure, message.control_id) == ("ORU", "R01", "ORU_R01", "C-1")


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r\n", "\n\n"])
def test_any_line_end_ends_a_segment(end: str) -> None:
    assert [segment.id for segment in read("PID|1", "PV1|1", end=end)] == ["MSH", "PID", "PV1"]


@pytest.mark.parametrize("raw", ["", '""', "^^", "~", " ", "&", "^~&^"])
def test_what_is_empty_reads_as_nothing(raw: str) -> None:
    segment = read(f"PID|1|{raw}|x").lookup("PID")
    assert isinstance(segment, Segment)
    assert segment.part(2) is None


def test_a_header_without_delimiters_is_refused_with_its_place() -> None:
    with pytest.raises(Quarantine) as refused:
        parse(b"MSH||LAB|NORTH", EASTERN)
    assert (refused.value.code, refused.value.place) == ("convert.not_hl7", "MSH-2")


def test_a_group_of_segments_prints_as_nothing() -> None:
    assert [str(group) for group in read("OBR|1", "OBX|1").groups("OBR")] == [""]


def test_an_explicit_null_is_told_apart_from_silence() -> None:
    message = read('PID|1||A1||""||""')
    assert message.nulls() == ("PID-5", "PID-7")


def test_a_null_component_is_no_text() -> None:
    name = field(read('PID|1||A1||Doe^Jane^""'), "PID", 5)
    assert part(name, 3) is None
    assert part(name, 2) == "Jane"


def test_empty_repetitions_are_left_out() -> None:
    assert [str(one) for one in repetitions(field(read("PID|~a~~b~"), "PID", 1))] == ["a", "b"]


def test_own_delimiters_are_used() -> None:
    message = parse(b"MSH$%*!@$LAB$N$H$E$20250711$$ADT%A01$7$P$2.3\rPID$1$$A1%%%M@1.2@ISO$$D!T!oe%J", EASTERN)
    assert part(field(message, "PID", 5), 1) == "D@oe"
    assert part(part(field(message, "PID", 3), 4), 2) == "1.2"


@pytest.mark.parametrize(
    ("escaped", "meant"),
    [
        ("a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f", "a|b^c&d~e\\f"),
        ("one\\.br\\two\\.sp2\\three", "one\ntwo\n\nthree"),
        ("one\\.sp500000000\\two", "one\\.sp500000000\\two"),
        ("\\H\\bold\\N\\\\.in+4\\ plain", "bold plain"),
        ("\\X414243\\\\X0D0A\\D", "ABC\nD"),
        ("C:\\temp\\file.txt", "C:\\temp\\file.txt"),
        ("one \\Zab\\ \\C2842\\ \\Munknown\\ two", "one \\Zab\\ \\C2842\\ \\Munknown\\ two"),
        ("open \\X4", "open \\X4"),
        ("5 mg & up", "5 mg & up"),
        ("10^9/L", "10^9/L"),
        ("first~second", "first\nsecond"),
        ("\\X00\\gone", "gone"),
    ],
)
def test_escape_sequences(escaped: str, meant: str) -> None:
    assert text_of(escaped) == meant


def test_a_line_break_inside_a_text_stays_in_its_field() -> None:
    message = read("OBX|1|TX|N||first line\nsecond | line|u", "NTE|1||x")
    assert whole_text(field(message, "OBX", 5)) == "first line\nsecond"
    assert [segment.id for segment in message] == ["MSH", "OBX", "NTE"]


@pytest.mark.parametrize(
    ("declared", "codec", "guessed"),
    [
        ("8859/1", "latin-1", False),
        ("8859/15", "iso8859_15", False),
        ("UNICODE UTF-8", "utf-8", False),
        ("", "utf-8", False),
        ("", "cp1252", True),
        ("ASCII", "cp1252", True),
        ("UNICODE UTF-8", "cp1252", True),
        ("UNICODE UTF-8~ISO IR87", "utf-8", False),
        ("", "utf-8-sig", False),
        ("UNICODE UTF-16", "utf-16", False),
        ("", "utf-16-le", False),
        ("", "utf-16-be", False),
    ],
)
def test_character_sets(declared: str, codec: str, guessed: bool) -> None:
    body = f"{HEADER}||||||{declared}\rPID|1||A1||Müller^Zoë".encode(codec)
    message = parse(body, EASTERN)
    assert part(field(message, "PID", 5), 1) == "Müller"
    assert message.charset_guessed is guessed


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        (b"", "convert.not_hl7", "MSH"),
        (b"\r\n\r\n", "convert.not_hl7", "MSH"),
        (b"<html>", "convert.not_hl7", "MSH"),
        (b"MSH", "convert.truncated", "MSH-2"),
        (b"MSH|^", "convert.truncated", "MSH-9"),
        (b"MSH|^^^^|a", "convert.not_hl7", "MSH-2"),
        (b"MSH|^~\\&|LAB|NORTH", "convert.truncated", "MSH-9"),
        (b"MSH|^~\\&|LAB||||||||P|2.5\rPID|1", "convert.not_hl7", "MSH-9"),
        (HEADER.encode() + b"\rPID|1||A1\rOB", "convert.truncated", "line 3"),
        (b"\x0b" + HEADER.encode() + b"\rPID|1", "convert.truncated", "MLLP"),
        (HEADER.encode() + b"||||||KLINGON\rPID|1||A1||M\xfcller", "convert.charset", "MSH-18"),
        (HEADER.encode() + b"\rPID|1||A1||M\x81\xfcller", "convert.charset", "MSH-18"),
        (HEADER.encode() + b"\r" + HEADER.encode(), "convert.not_hl7", "MSH"),
    ],
)
def test_what_is_not_a_message_is_refused_with_its_place(body: bytes, code: str, place: str) -> None:
    with pytest.raises(Quarantine) as refused:
        parse(body, EASTERN)
    assert (refused.value.code, refused.value.place) == (code, place)


def test_zone_less_times_take_the_ehrs_zone_in_summer_and_winter() -> None:
    assert read().sent_at == datetime(2025, 7, 11, 12, 30, tzinfo=UTC)
    winter = read("EVN|R01|20250111083000")
    assert winter.event_time == datetime(2025, 1, 11, 13, 30, tzinfo=UTC)


def test_a_zone_in_the_header_is_the_messages_own() -> None:
    message = read("EVN|R01|20250111083000", header=HEADER.replace("083000", "083000-0800"))
    assert message.event_time == datetime(2025, 1, 11, 16, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("dtm", "date", "date_time", "instant"),
    [
        ("2025", "2025", "2025", None),
        ("202507", "2025-07", "2025-07", None),
        ("20250711", "2025-07-11", "2025-07-11", None),
        ("2025071108", "2025-07-11", "2025-07-11", None),
        ("202507110830", "2025-07-11", "2025-07-11T08:30:00-04:00", "2025-07-11T08:30:00-04:00"),
        ("20250111083015", "2025-01-11", "2025-01-11T08:30:15-05:00", "2025-01-11T08:30:15-05:00"),
        ("20250711083015.1234", "2025-07-11", "2025-07-11T08:30:15.1234-04:00", "2025-07-11T08:30:15.1234-04:00"),
        ("20250711083015+0530", "2025-07-11", "2025-07-11T08:30:15+05:30", "2025-07-11T08:30:15+05:30"),
        ("20250711083015+0000", "2025-07-11", "2025-07-11T08:30:15Z", "2025-07-11T08:30:15Z"),
        ("2025-07-11T08:30:15Z", "2025-07-11", "2025-07-11T08:30:15Z", "2025-07-11T08:30:15Z"),
        ("19700000", "1970", "1970", None),
    ],
)
def test_times_keep_their_precision(dtm: str, date: str, date_time: str, instant: str | None) -> None:
    moment = times.read(dtm)
    assert moment is not None
    assert (moment.date(), moment.date_time(EASTERN), moment.instant(EASTERN)) == (date, date_time, instant)


TIMES = st.builds(
    "{:%Y%m%d%H%M%S}{}{}".format,
    st.datetimes(datetime(1850, 1, 1), datetime(2100, 1, 1)),
    st.sampled_from(["", ".1", ".123456", ".1234567"]),
    st.sampled_from(["", "Z", "+0000", "-0500", "+0530", "+9900"]),
)


@settings(max_examples=300, deadline=None)
@given(
    st.text("0123456789+-.TZ ", max_size=24)
    | TIMES
    | st.builds(lambda text, end: text[:end], TIMES, st.integers(1, 18))
)
def test_what_is_usual_is_read_as_everything_is(text: str) -> None:
    moment = times.read(text)
    assert moment == times._parsed(text.strip())
    assert times.date(text) == (moment and moment.date())
    assert times.date_time(text, EASTERN) == (moment and moment.date_time(EASTERN))


@pytest.mark.parametrize("filler", ["", "00000000", "20241340", "UNKNOWN", "20250230", "2025071124", "123", "99/99/99"])
def test_fillers_are_no_times(filler: str) -> None:
    assert times.read(filler) is None


@pytest.mark.parametrize("name", ["Mu\x07\x00ller", "M\x1f\x08\u00fcller"])
def test_what_fhir_allows_in_no_string_is_left_out(name: str) -> None:
    assert whole_text(field(read(f"PID|1||A1||{name}"), "PID", 5)) in ("Muller", "M\u00fcller")


def test_times_of_day() -> None:
    assert times.read_time("0830") == "08:30:00"
    assert times.read_time("083015.25-0500") == "08:30:15.25"
    assert times.read_time("2460") is None


def test_what_no_template_read_is_named_once() -> None:
    message = read("OBX|1|NM|718-7||13.2|g/dL", "OBX|2|NM|4544-3||39|%")
    for segment in message.all("OBX"):
        for number in (1, 2, 3):
            segment.part(number)
    unread = message.unread()
    assert [place for place in unread if place.startswith("OBX")] == ["OBX-5", "OBX-6"]
    assert "MSH-9" not in unread
    assert "MSH-3" in unread


def test_what_says_nothing_is_not_unread() -> None:
    unread = read('ZZZ|^^|""| |&|~|\\H\\|a| b|^c|&d|~e|\\T\\').unread()
    assert [place for place in unread if place.startswith("ZZZ")] == [f"ZZZ-{number}" for number in range(7, 13)]


def test_groups_begin_with_or_without_their_orc() -> None:
    message = read("PID|1", "ORC|RE", "OBR|1", "OBX|1", "NTE|1", "OBX|2", "OBR|2", "OBX|1", "SPM|1", "ORC|RE", "OBR|3")
    groups = message.groups("ORC", "OBR")
    assert [[segment.id for segment in group] for group in groups] == [
        ["ORC", "OBR", "OBX", "NTE", "OBX"],
        ["OBR", "OBX", "SPM"],
        ["ORC", "OBR"],
    ]
    assert [len(result.all("NTE")) for result in groups[0].groups("OBX")] == [1, 0]
    assert [segment.id for segment in groups[1].tail("SPM")] == ["SPM"]
    assert [segment.id for segment in groups[0].head("OBX")] == ["ORC", "OBR"]


def one(number: int) -> bytes:
    return HEADER.replace("C-1", f"C-{number}").encode() + b"\rPID|1||A1\r"


@pytest.mark.parametrize(
    "body",
    [
        one(1) + one(2),
        b"FHS|^~\\&|A\rBHS|^~\\&|B\r" + one(1) + one(2) + b"BTS|2\rFTS|1\r",
        b"BHS|^~\\&|B\r" + one(1) + one(2) + b"BTS\r",
        b"\xef\xbb\xbf" + one(1) + b"\n\n" + one(2),
        b"\x0b" + one(1) + b"\x1c\r\x0b" + one(2) + b"\x1c\r",
        b"BHS|^~\\&|B\r" + one(1) + b"BTS|1\rBHS|^~\\&|B\r" + one(2) + b"BTS|1\r",
    ],
)
def test_batches_come_apart(body: bytes) -> None:
    messages = split_batch(body)
    assert [parse(message, EASTERN).control_id for message in messages] == ["C-1", "C-2"]


def test_a_single_message_is_its_own_bytes() -> None:
    assert split_batch(one(1)) == [one(1)]


def test_a_message_about_several_patients_is_one_about_each_of_them() -> None:
    head = HEADER.replace("ORU^R01", "ADT^A17").encode() + b"\rEVN||20250711\r"
    groups = [b"PID|1||A1\rPV1|1|I|4W\r", b"PID|2||B2\rPV1|1|I|5E\r"]
    assert split_batch(head + b"".join(groups)) == [head + group for group in groups]
    assert split_batch(b"BHS|^~\\&|B\r" + head + b"".join(groups) + b"BTS|1\r") == [head + group for group in groups]


def test_an_order_with_earlier_results_stays_one_message() -> None:
    order = HEADER.replace("ORU^R01", "OML^O21").encode() + b"\rPID|1||A1\rORC|NW\rPID|1||A1\rORC|PR\r"
    assert split_batch(order) == [order]


def test_a_batch_with_a_message_missing_is_refused() -> None:
    with pytest.raises(Quarantine) as refused:
        split_batch(b"BHS|^~\\&|B\r" + one(1) + b"BTS|2\r")
    assert (refused.value.code, refused.value.place) == ("convert.truncated", "BTS-1")


NOISE = st.one_of(
    st.binary(max_size=300),
    st.text(alphabet="MSHPIDOBXR|^~\\&\r\n\"' 0123456789.+-XE\x0b\x1cé", max_size=200).map(str.encode),
    st.text(max_size=200).map(lambda text: f"{HEADER}\r{text}".encode()),
    st.binary(max_size=200).map(lambda tail: HEADER.encode() + b"\rOBX|1|TX|" + tail),
)


@given(NOISE)
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused_but_never_crash(body: bytes) -> None:
    try:
        messages = [parse(message, EASTERN) for message in split_batch(body)]
    except Quarantine:
        return
    for message in messages:
        assert message.type
        for segment in message:
            for number in range(1, len(segment.raws)):
                value = segment.part(number)
                for one in repetitions(value):
                    assert isinstance(f"{one}{whole_text(one)}{part(one, 1)}", str)
        assert message.event_time is None or message.event_time.tzinfo
        assert message.unread() == ()


SPELLINGS = (("%Y%m%d", "%Y-%m-%d"), ("%Y%m%d%H%M", "%Y-%m-%dT%H:%M"), ("%Y%m%d%H%M%S", "%Y-%m-%dT%H:%M:%S"))


@given(st.datetimes(datetime(1000, 1, 1)), st.sampled_from(SPELLINGS), st.sampled_from(("", "-0500", "+0000", "+0545")))
def test_the_usual_spelling_says_what_iso_8601_says(moment: datetime, spelling: tuple[str, str], offset: str) -> None:
    usual, iso = (moment.strftime(pattern) + (offset if "%H" in pattern else "") for pattern in spelling)
    said = times.read(usual)
    assert said is not None
    assert said == times.read(iso)
    written = said.aware(EASTERN).isoformat()[:25]
    assert said.date() == written[:10]
    assert said.instant(EASTERN) == (None if said.known == 3 else re.sub("[+]00:00$", "Z", written))


@given(st.text(alphabet="0123456789.+-TZ: ", max_size=26))
def test_any_text_is_a_time_or_none(text: str) -> None:
    moment = times.read(text)
    assert moment is None or moment.date_time(EASTERN).startswith(moment.date())


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=80))
def test_an_escaped_text_comes_back_as_it_was(text: str) -> None:
    escapes = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
    assert text_of("".join(escapes.get(letter, letter) for letter in text) + ".") == text + "."
