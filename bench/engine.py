"""The template engine's speed, as ratios to python-liquid rendering Microsoft's Patient template in the same run.

    python bench/engine.py CHECKOUT [--rounds 7]

CHECKOUT is a checkout of microsoft/FHIR-Converter, outside this repository. The ruler is python-liquid on
`Resource/Patient` and its partials, rewritten only as far as python-liquid needs it to parse (commas between arguments,
`elsif`, `evaluate` as a capture), with the same input. Figures are CPU milliseconds: the least of interleaved rounds.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TZ"] = "UTC"
time.tzset()

import liquid  # noqa: E402
import orjson  # noqa: E402

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


class Environment(liquid.Environment):
    shorthand_indexes = True


def ruler(folder: Path, converter: Converter, message: hl7v2.Message) -> Callable[[], str]:
    """python-liquid rendering the Patient template."""
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
    segments = {each.name: each.drop for each in reversed(message.segments)}
    data = {name: plain(segments[name]) for name in ("PID", "PD1") if name in segments}
    return lambda: template.render(**data, ID="7", type="First")


def bare(value: Any) -> Any:
    return None if isinstance(value, liquid.Undefined) else value


def cpu(task: Callable[[], object]) -> float:
    start = time.process_time()
    task()
    return (time.process_time() - start) * 1000


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


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("checkout", type=Path)
    options.add_argument("--rounds", type=int, default=7)
    chosen = options.parse_args()
    folder = chosen.checkout / "data/Templates/Hl7v2"
    with tempfile.TemporaryDirectory() as kept:
        converter = Converter([folder], "Hl7v2", cache=Path(kept))
        samples = chosen.checkout / "data/SampleData/Hl7v2"
        texts = {name: (samples / f"{name}.hl7").open(encoding="utf-8-sig", newline="").read() for name, _ in MESSAGES}
        rich = hl7v2.parse(texts["ADT-A01-01"])
        segments = {each.name: each.drop for each in reversed(rich.segments)}
        patient = {"pid": segments["PID"], "pd1": segments.get("PD1"), "id": "7", "type": "First"}
        tasks: dict[str, Callable[[], object]] = {
            "python-liquid: Patient (the ruler)": ruler(folder, converter, rich),
            "ours: Patient": lambda: converter.engine.write("Resource/Patient", patient, "value"),
        }
        for name, root in MESSAGES:
            tasks[f"ours: {name} to JSON text"] = lambda n=name, r=root: orjson.dumps(converter.convert(texts[n], r))
        least = {name: float("inf") for name in tasks}
        for _ in range(chosen.rounds):
            for name, task in tasks.items():
                task()
                least[name] = min(least[name], cpu(task))
        base = least["python-liquid: Patient (the ruler)"]
        for name, figure in least.items():
            print(f"{name:40} {figure:8.2f} ms   {figure / base:6.3f} x ruler")
        print(f"cold, from cached code: {cold(chosen.checkout, Path(kept))}")


if __name__ == "__main__":
    main()
