"""The template engine's speed, as ratios to python-liquid rendering Microsoft's Patient template in the same run.

    PYTHONPATH=.:lambdas python bench/engine.py CHECKOUT [--rounds 20]

CHECKOUT is a checkout of microsoft/FHIR-Converter, outside this repository. The ruler is python-liquid on
`Resource/Patient` and its partials, rewritten only as far as python-liquid needs it to parse (commas between arguments,
`elsif`, `evaluate` as a capture), with the same input: as nested dicts, made beforehand, which is the stricter ruler;
and as drops over the message's text, which is what its authors need for a feed. Figures are CPU milliseconds, the
least of interleaved rounds: of ten calls in a row, as a batch of a queue has them, and of one call after all the
others, whose code and data have left the processor's caches.

Each call has a message of its own, as a feed has them: another patient, visit, order and day at the same hospital,
whose wards, staff and codes come again. Of those our own mappings remember much, of patients they cannot
(docs/decisions/0003-template-compiler.md).
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

os.environ["TZ"] = "UTC"
time.tzset()

import liquid  # noqa: E402
import orjson  # noqa: E402

from headwater.ehrs import Ehr  # noqa: E402
from headwater.ehrs.engines import engine_for  # noqa: E402
from headwater.ehrs.profile import Feed, PatientIdentity  # noqa: E402
from headwater.errors import Quarantine  # noqa: E402
from headwater.fhir.assemble import Lifting, merge  # noqa: E402
from headwater.formats import read  # noqa: E402
from headwater.inbound.convert import convert  # noqa: E402
from headwater.model import Envelope  # noqa: E402
from headwater.templates.microsoft import hl7v2  # noqa: E402
from headwater.templates.microsoft.converter import Converter  # noqa: E402
from headwater.templates.microsoft.filters import FILTERS  # noqa: E402
from headwater.templates.microsoft.runtime import MicrosoftState  # noqa: E402

MESSAGES = (
    ("ADT01-23", "ADT_A01"),
    ("ADT-A01-01", "ADT_A01"),
    ("LAB-ORU-1", "ORU_R01"),
    ("ORU-R01-01", "ORU_R01"),
    ("VXU", "VXU_V04"),
    ("VXU-V04-01", "VXU_V04"),
)
MAPPINGS = Path(__file__).parents[1] / "mappings"
EXAMPLES = ("adt-a01-inpatient", "oru-r01-blood-count", "vxu-v04-infant")
PLAIN = Ehr("Any", "plain", PatientIdentity(identifier_system=""), feed=Feed(time_zone="UTC"), name="bench")
RULER = "python-liquid: Patient, of nested dicts (the ruler)"
MICROSOFTS, OURS = "Microsoft's templates", "our mappings"
Input = TypeVar("Input")
WARMING, IN_A_ROW = 3, 10  # calls
# What is a message's own, by places in a split line: its number; the numbers, names and addresses of its patient, their
# family and those who pay; the visit's and the orders' numbers. The digits of telephones (TELECOM) are, too.
OWN = {
    "MSH": (9,),
    "PID": (3, 4, 5, 6, 9, 11, 18, 19, 20),
    "NK1": (2, 4, 12, 30, 32, 33),
    "PV1": (19,),
    "GT1": (2, 3, 5, 12),
    "IN1": (16, 19, 36, 44, 49),
    "IN2": (2, 6),
    "ORC": (2, 3),
    "OBR": (2, 3),
}
TELECOM = {"PID": (13, 14), "NK1": (5, 6, 7, 31, 40, 41), "GT1": (6, 7, 18), "IN2": (63,)}
NAME, NUMBER = re.compile(r"(?:^|~)[^A-Za-z0-9~]*[A-Za-z0-9]+"), re.compile(r"(?:^|~)[^~]*?\d{4,}")
DAY = re.compile(
    r"(?<=[|^~&])(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|1\d|2[0-8])(?=(?:\d{4}){0,2}(?:\d\d)?(?:\.\d+)?(?:[+-]\d{4})?[|^~&\s])"
)
TAG = re.compile(r"\{%(-?)\s*(include|evaluate)\s(.*?)(-?)%\}", re.DOTALL)
EVALUATE = re.compile(r"(\w+)\s+using\s+('[^']*')(.*)", re.DOTALL)
INCLUDE = re.compile(r"('[^']*')(.*)", re.DOTALL)
ARGUMENT = re.compile(r"(\w+)\s*:\s*('[^']*'|\"[^\"]*\"|[^\s,]+)")


def rewritten(source: str) -> str:
    """A Microsoft template as python-liquid can parse it."""

    def tag(match: re.Match[str]) -> str:
        found = (EVALUATE if match[2] == "evaluate" else INCLUDE).search(match[3])
        if found is None:
            return match.group()
        *targets, name, rest = found.groups()
        arguments = "".join(f", {key}: {value}" for key, value in ARGUMENT.findall(rest))
        include = f"{{% include {name}{arguments} %}}"
        return f"{{% capture {targets[0]} %}}{include}{{% endcapture %}}" if targets else include

    return TAG.sub(tag, source.replace("elseif", "elsif"))


def plain(value: Any) -> Any:
    """A segment, field or component as the nested dicts that python-liquid looks into fastest."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not isinstance(value, hl7v2.Drop):
        return value
    kinds = value.kind.encoding.kinds
    if value.kind is kinds["segment"]:
        return {number: plain(each) for number, each in enumerate(value["fields"])}
    if value.kind is kinds["separators"]:
        return {1: value.raw, "Value": value.raw}
    if value.kind is kinds["component"]:
        return {**dict(enumerate(value["subcomponents"])), "Value": value["value"]}
    members = {number: plain(each) for number, each in enumerate(value["components"])}
    return {**members, "Value": value["value"], "Repeats": plain(value["repeats"])}


class Seen:
    """A drop as python-liquid looks into it."""

    def __init__(self, drop: hl7v2.Drop) -> None:
        self.drop = drop

    def __getitem__(self, key: int | str) -> Any:
        found = self.drop[key.lower() if isinstance(key, str) else key]
        if isinstance(found, hl7v2.Drop):
            return Seen(found)
        return [Seen(each) for each in found] if isinstance(found, list) else found

    def __str__(self) -> str:
        return ""


class Environment(liquid.Environment):
    shorthand_indexes = True


def rulers(folder: Path, converter: Converter, text: str) -> dict[str, Callable[[], str]]:
    """python-liquid rendering the Patient template, from nested dicts and from drops."""
    sources = {}
    for path in folder.rglob("_*.liquid"):
        name = path.relative_to(folder).with_name(path.stem[1:]).as_posix()
        sources[name] = rewritten(path.read_text("utf-8-sig"))
    environment = Environment(loader=liquid.CachingDictLoader(sources, capacity=2000))
    environment.undefined = liquid.Undefined
    state = MicrosoftState(converter.engine.limits, converter.engine)
    for name, each in FILTERS.items():
        function = each.function
        if each.metered:
            environment.add_filter(name, lambda *args, f=function: f(state, *map(bare, args)))
        else:
            environment.add_filter(name, lambda *args, f=function: f(*map(bare, args)))
    template = environment.get_template("Resource/Patient")

    def found(see: Callable[[hl7v2.Drop], Any]) -> dict[str, Any]:
        segments = {each.name: each.drop for each in reversed(hl7v2.parse(text).segments)}
        return {name: see(segments[name]) for name in ("PID", "PD1") if name in segments}

    nested = found(plain)
    return {
        RULER: lambda: template.render(**nested, ID="7", type="First"),
        "python-liquid: Patient, of drops": lambda: template.render(**found(Seen), ID="7", type="First"),
    }


def of_others(text: str, count: int) -> list[str]:
    """So many messages that say the same of others on other days: what is a message's OWN has a number of its own."""
    lines = [line.split("|") for line in re.split(r"([\r\n]+)", text)]
    told = ["".join("|".join(numbered(fields, number)) for fields in lines) for number in range(count)]
    return [DAY.sub(lambda day, later=number: moved(day[0], later), text) for number, text in enumerate(told)]


def moved(day: str, later: int) -> str:
    return (date.fromisoformat(day) + timedelta(37 * later)).strftime("%Y%m%d")


def numbered(fields: list[str], number: int) -> list[str]:
    own, telecom = (places.get(fields[0], ()) for places in (OWN, TELECOM))
    return [
        (NAME if place in own else NUMBER).sub(rf"\g<0>{number}", said) if place in own or place in telecom else said
        for place, said in enumerate(fields)
    ]


def each_of(inputs: Iterable[Input], task: Callable[[Input], object]) -> Callable[[], object]:
    """The task with another input each time that it is called."""
    waiting = iter(inputs)
    return lambda: task(next(waiting))


def bare(value: Any) -> Any:
    return None if isinstance(value, liquid.Undefined) else value


def cpu(task: Callable[[], object], times: int = 1) -> float:
    """Milliseconds a call, of so many in a row."""
    start = time.process_time()
    for _ in range(times):
        task()
    return (time.process_time() - start) * 1000 / times


def cold(checkout: Path, cache: Path) -> str:
    """Import, and the first message from cached code, in a fresh process."""
    code = f"""
import time; start = time.process_time()
from pathlib import Path
from headwater.templates.microsoft.converter import Converter
imported = time.process_time()
converter = Converter([Path({str(checkout)!r}) / "data/Templates/Hl7v2"], "Hl7v2", cache=Path({str(cache)!r}))
text = (Path({str(checkout)!r}) / "data/SampleData/Hl7v2/ADT01-23.hl7").read_text("utf-8-sig")
begin = time.process_time(); converter.convert(text, "ADT_A01"); end = time.process_time()
print(f"import {{(imported - start) * 1000:.0f}} ms, code maps {{(begin - imported) * 1000:.0f}} ms, "
      f"first message {{(end - begin) * 1000:.0f}} ms")
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def ours(samples: Path, count: int) -> dict[str, Callable[[], object]]:
    """Our own mappings: the engine's part, text in to JSON text out, and the whole convert step with R4 validation."""
    engine, tasks = engine_for(MAPPINGS)(PLAIN), dict[str, Callable[[], object]]()

    def built(body: bytes) -> bytes:
        reading = read("application/hl7-v2", body, PLAIN.feed)
        sender = {"id": PLAIN.name, "default_authority": ""}
        lifting = Lifting()
        made = engine.build(reading.template, {**reading.variables, "ehr": sender}, lifting)
        return orjson.dumps(merge(lifting.lifted(made["resources"])))

    def converted(body: bytes) -> object:
        envelope = Envelope("bench", PLAIN.name, "application/hl7-v2", body, archive_key="bench")
        return convert(envelope, PLAIN, engine)

    paths = [MAPPINGS / "base/hl7v2/examples" / f"{name}.hl7" for name in EXAMPLES]
    paths += [samples / f"{name}.hl7" for name, _ in MESSAGES]
    for path in paths:
        text = path.open(encoding="utf-8-sig", newline="").read()
        whole, *bodies = [each.encode() for each in of_others(text, 2 * count + 1)]
        tasks[f"{OURS}: {path.stem} ({len(text)} B)"] = each_of(bodies[:count], built)
        try:
            converted(whole)
        except Quarantine as error:
            print(f"not a whole message for us: {path.stem}, {error.code}")
            continue
        tasks[f"{OURS}, convert: {path.stem}"] = each_of(bodies[count:], converted)
    return tasks


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("checkout", type=Path)
    options.add_argument("--rounds", type=int, default=20)
    chosen = options.parse_args()
    count = WARMING + chosen.rounds * (IN_A_ROW + 1)
    folder = chosen.checkout / "data/Templates/Hl7v2"
    with tempfile.TemporaryDirectory() as kept:
        converter = Converter([folder], "Hl7v2", cache=Path(kept))
        samples = chosen.checkout / "data/SampleData/Hl7v2"
        texts = {name: (samples / f"{name}.hl7").open(encoding="utf-8-sig", newline="").read() for name, _ in MESSAGES}
        tasks: dict[str, Callable[[], object]] = {**rulers(folder, converter, texts["ADT-A01-01"])}
        for name, root in MESSAGES:
            title = f"{MICROSOFTS}: {name} ({len(texts[name])} B)"
            tasks[title] = each_of(
                of_others(texts[name], count), lambda text, r=root: orjson.dumps(converter.convert(text, r))
            )
        tasks |= ours(samples, count)
        least, after_others = (dict.fromkeys(tasks, float("inf")) for _ in range(2))
        for task in tasks.values():
            for _ in range(WARMING):
                task()
        for _ in range(chosen.rounds):
            for name, task in tasks.items():
                after_others[name] = min(after_others[name], cpu(task))
                least[name] = min(least[name], cpu(task, IN_A_ROW))
        for name, figure in least.items():
            ratio = f"{figure / least[RULER]:6.2f} x ruler {1000 / figure:6.0f}/s"
            print(f"{name:58} {figure:7.2f} ms {ratio}   after others {after_others[name]:7.2f} ms")
        for name, root in MESSAGES:
            theirs, own = (
                next(title for title in tasks if title.startswith(f"{kind}: {name} (")) for kind in (MICROSOFTS, OURS)
            )
            print(
                f"{root} {name}: our mappings are {least[theirs] / least[own]:.2f} x as fast as Microsoft's, "
                f"{after_others[theirs] / after_others[own]:.2f} x after others"
            )
        print(f"cold, from cached code: {cold(chosen.checkout, Path(kept))}")


if __name__ == "__main__":
    main()
