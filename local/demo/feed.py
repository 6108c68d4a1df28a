"""The messages of the demonstration: HL7 v2 from three EHRs about the same invented people, as each EHR writes them.

The dialects differ where real ones do: who assigns a number, where the SSN stands, local lab codes, line ends, with or
without zone. A handful are bad on purpose. The same seed gives the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from local.demo.people import Chart, charts, humans

# LOINC → UCUM unit, reference range, and what a laboratory would measure: figures of everyday medicine, no source's.
_TESTS = {
    "2345-7": ("mg/dL", "70-99", 62, 260), "2160-0": ("mg/dL", "0.6-1.2", 0.5, 3.4), "3094-0": ("mg/dL", "7-20", 6, 60),
    "2951-2": ("mmol/L", "135-145", 126, 152), "2823-3": ("mmol/L", "3.5-5.1", 2.9, 6.1),
    "2075-0": ("mmol/L", "98-107", 92, 113), "718-7": ("g/dL", "12.0-16.0", 7.2, 17.5),
    "6690-2": ("10*3/uL", "4.5-11.0", 1.9, 22), "777-3": ("10*3/uL", "150-400", 60, 610),
    "4548-4": ("%", "4.0-5.6", 4.6, 11.8), "1742-6": ("U/L", "7-56", 9, 210), "1920-8": ("U/L", "10-40", 11, 190),
    "2093-3": ("mg/dL", "<200", 118, 302), "1975-2": ("mg/dL", "0.1-1.2", 0.2, 4.0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dialect:
    """How an EHR writes HL7 v2. `authority` assigns its MRNs (CX-4), `visits` its visit numbers (CX-4 of PV1-19)."""

    ehr: str
    application: str
    facility: str
    authority: str
    visits: str
    zone: str
    line_end: str
    ssn_in_pid3: bool


DIALECTS = (
    Dialect("epic", "EPICADT", "RIVERBEND", "EPI", "CSN", "", "\r", ssn_in_pid3=False),
    Dialect("oracle-millennium", "MILLENNIUM", "LAKESIDE", "MRN", "FIN", "-0600", "\r", ssn_in_pid3=True),
    Dialect("athenahealth", "ATHENANET", "HILLSIDE", "ATHENA", "ATHENA", "", "\r\n", ssn_in_pid3=False),
)


@dataclass(frozen=True, slots=True)
class Sending:
    """One message as a producer would send it (docs/producers.md). `group` is the FIFO lane, `expect` its end."""

    ehr: str
    group: str
    body: bytes
    control_id: str
    expect: str = "stored"


@dataclass(frozen=True, slots=True)
class Demo:
    """Messages in the order of sending, and the charts they are about."""

    sendings: tuple[Sending, ...]
    charts: tuple[Chart, ...]


def make(mappings: Path, *, people: int = 60, seed: int = 7) -> Demo:
    """About five messages a person, interleaved as the days go by, and the bad ones among them."""
    known = [
        chart
        for number, human in enumerate(humans(people, seed))
        for chart in charts(human, number, [dialect.ehr for dialect in DIALECTS], seed)
    ]
    scribes = {dialect.ehr: Scribe(dialect, lab_codes(mappings, dialect.ehr), seed) for dialect in DIALECTS}
    dated = [item for chart in known for item in scribes[chart.ehr].course(chart)]
    dated.sort(key=lambda item: item[0])
    sendings = [sending for _, sending in dated]
    for place, bad in enumerate(_bad(sendings)):
        sendings.insert((place + 1) * len(sendings) // 9, bad)
    return Demo(tuple(sendings), tuple(known))


def from_files(files: Iterable[Path], ehr: str) -> Demo:
    """Somebody's own messages, one a file, all of one sender; nothing is known of what they should become."""
    read = ((file.name, file.read_bytes()) for file in files)
    return Demo(tuple(Sending(ehr, ehr, body, name[:128], "") for name, body in read), ())


def lab_codes(mappings: Path, ehr: str) -> list[tuple[str, str, str]]:
    """(local code, local name, LOINC) of an EHR's own code maps, for the tests that the demonstration knows."""
    rows: list[tuple[str, str, str]] = []
    for file in sorted((mappings / "ehrs" / ehr / "codes").glob("*.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            rows += [
                (row["code"], row["display"], row["to_code"])
                for row in csv.DictReader(lines)
                if row["to_system"] == "http://loinc.org" and row["to_code"] in _TESTS
            ]
    return rows


class Scribe:
    """Writes the messages of one EHR."""

    def __init__(self, dialect: Dialect, labs: list[tuple[str, str, str]], seed: int) -> None:
        self._dialect = dialect
        self._labs = labs
        self._seed = seed
        self._count = 0

    def course(self, chart: Chart) -> Iterator[tuple[datetime, Sending]]:
        """A visit of a person: registered or admitted, perhaps corrected, examined once or twice, discharged."""
        chance = random.Random(f"{self._dialect.ehr} {chart.mrn} {self._seed}")
        at = datetime(2026, 11, 2, 7) + timedelta(minutes=chance.randrange(60 * 24 * 12))
        visit = f"{chance.randrange(10**7, 10**8)}"
        inpatient = chance.random() < 0.4
        yield self._sent(at, chart, self._adt(chart, "A01" if inpatient else "A04", at, visit, inpatient))
        if chance.random() < 0.35:
            at += timedelta(minutes=chance.randrange(5, 90))
            yield self._sent(at, chart, self._adt(chart, "A08", at, visit, inpatient))
        for _ in range(chance.choice([1, 1, 2])):
            at += timedelta(minutes=chance.randrange(40, 300))
            yield self._sent(at, chart, self._oru(chart, at, visit, chance))
        if inpatient or chance.random() < 0.5:
            at += timedelta(hours=chance.randrange(1, 40))
            yield self._sent(at, chart, self._adt(chart, "A03", at, visit, inpatient))

    def _sent(self, at: datetime, chart: Chart, lines: list[str]) -> tuple[datetime, Sending]:
        body = self._dialect.line_end.join(lines) + self._dialect.line_end
        # One lane a patient, by a hash: a group id is metadata that more people can read than the message.
        lane = hashlib.sha256(chart.mrn.encode()).hexdigest()[:32]
        return at, Sending(chart.ehr, f"{chart.ehr}.{lane}", body.encode(), lines[0].split("|")[9])

    def _adt(self, chart: Chart, event: str, at: datetime, visit: str, inpatient: bool) -> list[str]:
        structure = "ADT_A01" if event in ("A01", "A04", "A08") else "ADT_A03"
        return [
            self._msh(f"ADT^{event}^{structure}", at),
            f"EVN|{event}|{self._time(at)}",
            self._pid(chart),
            self._pv1(event, at, visit, inpatient),
        ]

    def _oru(self, chart: Chart, at: datetime, visit: str, chance: random.Random) -> list[str]:
        taken, order = at - timedelta(minutes=35), f"{chance.randrange(10**6, 10**7)}"
        tests = chance.sample(self._labs, k=min(len(self._labs), chance.randrange(2, 6)))
        lines = [
            self._msh("ORU^R01^ORU_R01", at),
            self._pid(chart),
            self._pv1("R01", at, visit, inpatient=False),
            f"ORC|RE|P{order}^{self._dialect.application}|F{order}^LAB",
            f"OBR|1|P{order}^{self._dialect.application}|F{order}^LAB|PANEL^Laboratory panel^L|||{self._time(taken)}"
            f"|||||||||1234567893^Osei^Abena^^^Dr^^^NPI||||||{self._time(at)}||LAB|F",
        ]
        for number, (code, name, loinc) in enumerate(tests, 1):
            unit, normal, low, high = _TESTS[loinc]
            value = round(chance.uniform(low, high), 1)
            lines.append(
                f"OBX|{number}|NM|{code}^{name}^L||{value:g}|{unit}|{normal}|{_flag(value, normal)}|||F"
                f"|||{self._time(taken)}"
            )
        return lines

    def _msh(self, kind: str, at: datetime) -> str:
        self._count += 1
        dialect = self._dialect
        control = f"{dialect.facility[:3]}{self._count:06}"
        sender = f"{dialect.application}|{dialect.facility}"
        return f"MSH|^~\\&|{sender}|HEADWATER|DEMO|{self._time(at)}||{kind}|{control}|P|2.5.1"

    def _pid(self, chart: Chart) -> str:
        human, dialect = chart.human, self._dialect
        ids = f"{chart.mrn}^^^{dialect.authority}^MR"
        if human.ssn and dialect.ssn_in_pid3:
            ids += f"~{human.ssn}^^^USSSA^SS"
        ssn = "" if dialect.ssn_in_pid3 else human.ssn
        address = f"{human.street}^^{human.city}^{human.state}^{human.postal_code}^USA^H"
        name = f"{human.family}^{human.given}^{human.middle}^^^^L"
        phone = f"^PRN^PH^^1^{human.phone[:3]}^{human.phone[4:].replace('-', '')}"
        born = human.birth_date.strftime("%Y%m%d")
        return f"PID|1||{ids}||{name}||{born}|{human.gender}|||{address}||{phone}||||||{ssn}"

    def _pv1(self, event: str, at: datetime, visit: str, inpatient: bool) -> str:
        fields = [""] * 46
        fields[1], fields[2] = "1", "I" if inpatient else "O"
        fields[3] = "3WEST^312^A" if inpatient else "CLINIC^4"
        fields[7] = "1982736450^Marchetti^Lucia^^^Dr^^^NPI"
        fields[19] = f"{visit}^^^{self._dialect.visits}"
        fields[44] = self._time(at) if event in ("A01", "A04") else ""
        fields[45] = self._time(at) if event == "A03" else ""
        return "|".join(["PV1", *fields[1:]]).rstrip("|")

    def _time(self, at: datetime) -> str:
        return at.strftime("%Y%m%d%H%M%S") + self._dialect.zone


def _flag(value: float, normal: str) -> str:
    if normal.startswith("<"):
        return "H" if value >= float(normal[1:]) else "N"
    low, high = map(float, normal.split("-"))
    return "L" if value < low else "H" if value > high else "N"


def _bad(good: list[Sending]) -> list[Sending]:
    """What goes wrong in real feeds; each is made of a good message, so that only the fault differs."""
    epic = next(one for one in good if one.ehr == "epic")
    text = epic.body.decode()
    segments = text.split("\r")
    no_mrn = "\r".join([*segments[:2], "PID|1||||Nobody^Known||19700101|F", *segments[3:]])
    return [
        Sending("epic", "epic.bad", b"GET / HTTP/1.1\r\nHost: feed\r\n\r\n", "not-hl7", "quarantined"),
        Sending("epic", "epic.bad", text[:40].encode(), "truncated", "quarantined"),
        Sending("epic", "epic.bad", text.replace("ADT^A", "ZZZ^Z", 1).encode(), "unmapped-type", "quarantined"),
        Sending("nobody-knows", "bad", epic.body + b"ZNK|1\r", "unknown-ehr", "quarantined"),
        Sending("epic", "epic.bad", no_mrn.encode(), "no-mrn", "held"),
        Sending("epic", "epic.bad", b"\x00\xff\xfe\x00binary", "binary", "quarantined"),
        # Twice the same bytes: one message.
        epic,
    ]
