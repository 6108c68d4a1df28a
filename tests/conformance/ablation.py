"""Switches off one rule of Microsoft's dialect after the other, and counts the tests that notice.

    python tests/conformance/ablation.py [--rule TEXT]      # about two minutes

Each ablation is a change of one line in a copy of the package; the tests of the dialect run against that copy. A rule
that no test notices is a rule nobody keeps. `tests/templates/test_ablation.py` sees to it that every change applies.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "lambdas" / "headwater" / "templates"
TESTS = ("tests/templates/test_microsoft_dialect.py", "tests/templates/test_microsoft_shapes.py")


@dataclass(frozen=True)
class Ablation:
    """`rule` does not hold once `old` is `new` in `file` (below headwater/templates)."""

    rule: str
    file: str
    old: str
    new: str


ABLATIONS = tuple(
    Ablation(*each)
    for each in (
        # scopes
        ("variables are case-insensitive", "microsoft/markup.py", "Path(parts[0].lower()", "Path(parts[0]"),
        ("arguments are undone on return", "microsoft/compiler.py", 'self.emit(f"v[{name!r}] = {source}")', "pass"),
        (
            "assign writes to the outermost scope",
            "microsoft/compiler.py",
            'f"if {name!r} in u: u[{name!r}] = _"',
            'f"if 0: pass"',
        ),
        ("an argument's name is case-insensitive", "microsoft/markup.py", "found[match[1].lower()]", "found[match[1]]"),
        # nil
        (
            "filters leave nil alone",
            "microsoft/expressions.py",
            'f"(None if ({local} := {value}) is None else',
            "f\"('' if ({local} := {value}) is None else",
        ),
        # conditions
        (
            "and / or group to the right",
            "microsoft/markup.py",
            "range(len(terms) - 2, 0, -2)",
            "range(len(terms) - 2, len(terms) - 3, -2)",
        ),
        (
            "== converts types",
            "microsoft/values.py",
            "return bool(converted(right, left.__class__) == left)",
            "return False",
        ),
        (
            "nothing compares with nil",
            "microsoft/values.py",
            "    if left is None or right is None:\n        return None",
            "    if left is None or right is None:\n        return 1",
        ),
        (
            "nil contains nothing",
            "microsoft/runtime.py",
            "isinstance(whole, list | tuple | range):\n        return any(",
            "whole is None:\n        return True\n    if isinstance(whole, list | tuple | range):\n        return any(",
        ),
        ("elseif is elsif", "microsoft/parser.py", '_ELSE = ("elsif", "elseif", "else")', '_ELSE = ("elsif", "else")'),
        (
            "a second else is never reached",
            "microsoft/parser.py",
            "elif otherwise is None:\n                otherwise = body",
            "else:\n                otherwise = body",
        ),
        (
            "every matching when counts",
            "microsoft/compiler.py",
            'self.emit(f"if equal({subject}, {self.value(value)}):")',
            'self.emit(f"if {missed} and equal({subject}, {self.value(value)}):")',
        ),
        # numbers
        (
            "decimals lose trailing zeros",
            "microsoft/values.py",
            'return text.rstrip("0").rstrip(".") if "." in text else text',
            "return text",
        ),
        ("doubles lose .0", "microsoft/values.py", 'return text.removesuffix(".0")', "return text"),
        (
            "text times a whole number repeats",
            "microsoft/filters/numbers.py",
            "if isinstance(value, str) and type(other) is int:",
            "if False:",
        ),
        (
            "text times a decimal is a number",
            "microsoft/filters/numbers.py",
            "operation(converted(value, Decimal), converted(other, Decimal))",
            "operation(value, other)",
        ),
        (
            "text plus anything joins",
            "microsoft/filters/numbers.py",
            "    if isinstance(value, str):\n        meter.charge(len(value) + len(shown(other)))",
            "    if False:\n        meter.charge(len(value) + len(shown(other)))",
        ),
        (
            "a number filter takes nil as 0",
            "microsoft/values.py",
            "        return 0.0",
            "        raise FilterError('nil')",
        ),
        (
            "whole numbers divide to whole ones",
            "microsoft/filters/numbers.py",
            "return abs(left) // abs(right) * (1 if (left < 0) is (right < 0) else -1)",
            "return left // right",
        ),
        ("round is to the even", "microsoft/filters/numbers.py", "ROUND_HALF_EVEN)", "'ROUND_HALF_UP')"),
        (
            "is_nan is true for a number",
            "microsoft/filters/numbers.py",
            "    except ValueError:\n        return False\n    return True",
            "    except ValueError:\n        return True\n    return False",
        ),
        # text
        (
            "replace takes a regular expression",
            "microsoft/filters/strings.py",
            'return patterns.replaced(meter, text, wanted, string(new) or "", count)',
            'return text.replace(wanted, string(new) or "")',
        ),
        (
            "split drops empties",
            "microsoft/filters/strings.py",
            "[each for each in text.split(mark) if each]",
            "text.split(mark)",
        ),
        (
            "an unknown filter passes its input on",
            "microsoft/expressions.py",
            "return value  # an unknown filter passes its input on",
            'return "None"',
        ),
        ("escape writes Latin-1 as references", "microsoft/filters/strings.py", "[\\u00a0-\\u00ff]|", ""),
        ("to_array makes nil nothing", "microsoft/filters/lists.py", "    if value is None:\n        return []\n", ""),
        ("concat takes nil", "microsoft/filters/lists.py", "[*(value or ()), *(other or ())]", "[*value, *other]"),
        # syntax
        ("members may begin with digits", "microsoft/markup.py", r"[\w\-]+\??", r"[A-Za-z_][\w\-]*\??"),
        (
            "arguments need no comma",
            "microsoft/markup.py",
            r'rf"(\w+)\s*:\s*({FRAGMENT})"',
            r'rf",\s*(\w+)\s*:\s*({FRAGMENT})"',
        ),
        ("-%} eats one line break or one run of blanks", "microsoft/lexer.py", r"\n|\r\n|[ \t]+", r"\s+"),
        ("{%- eats blanks only", "microsoft/lexer.py", 'text.rstrip(" \\t")', "text.rstrip()"),
        (
            "text is looped over by characters",
            "microsoft/runtime.py",
            "if kind in (list, SafeList, tuple, range, str):",
            "if kind in (list, SafeList, tuple, range):",
        ),
        (
            "objects are looped over as pairs",
            "microsoft/runtime.py",
            "return [Pair(key, each) for key, each in value.items()]",
            "return list(value)",
        ),
        # tags
        ("evaluate trims", "microsoft/runtime.py", "return text.strip() or None", "return text or None"),
        ("evaluate makes nothing nil", "microsoft/runtime.py", "return text.strip() or None", "return text.strip()"),
        (
            "mergeDiff replaces a[x] by its stem",
            "microsoft/mergediff.py",
            "next((known for known in result if known.startswith(stem)), None)",
            "stem",
        ),
        (
            "mergeDiff writes nil as empty text",
            "microsoft/mergediff.py",
            'result[name] = "" if change is None else change',
            "result[name] = change",
        ),
        ("mergeDiff of nil is empty text", "microsoft/mergediff.py", "        return '\"\"'", "        return 'null'"),
        (
            "mergeDiff reads comments",
            "microsoft/mergediff.py",
            'if token.startswith(("//", "/*")):',
            'if token.startswith("/*"):',
        ),
        (
            "validate refuses what breaks its schema",
            "microsoft/mergediff.py",
            "    if found:\n        raise FilterError(f\"the body of 'validate' breaks",
            "    if False:\n        raise FilterError(f\"the body of 'validate' breaks",
        ),
        # codes and ids
        ("get_property takes __default__", "microsoft/filters/general.py", 'known.get("__default__")', "None"),
        (
            "get_property gives an unmapped code back",
            "microsoft/filters/general.py",
            'return code if name in ("code", "display") else None',
            "return None",
        ),
        (
            "ids are Guids in .NET's byte order",
            "microsoft/filters/general.py",
            "h[3::-1]",
            "h[:4]",
        ),
        ("an id's key is trimmed", "microsoft/filters/general.py", "{text.strip()}", "{text}"),
        (
            "a blank key has no id",
            "microsoft/filters/general.py",
            "    if not text or not text.strip():\n        return None\n    if not kind",
            "    if not kind",
        ),
        # dates
        (
            "dates keep their precision",
            "microsoft/filters/dates.py",
            "precision = FRACTION if fraction else sum(each is not None for each in numbers)",
            "precision = FRACTION if fraction else max(DAY, sum(each is not None for each in numbers))",
        ),
        (
            "an offset of zero is Z",
            "microsoft/filters/dates.py",
            '"-%m-%dT%H:%M:%S", ":", "Z")',
            '"-%m-%dT%H:%M:%S", ":", "+00:00")',
        ),
        (
            "a time without zone is local",
            "microsoft/filters/dates.py",
            'moment.replace(tzinfo=UTC) if value.endswith("Z") else moment.astimezone()',
            "moment.replace(tzinfo=UTC)",
        ),
        ("fractions stay as written", "microsoft/filters/dates.py", 'self.fraction or f"{', 'f"{'),
        # HL7 v2 as templates see it
        (
            "an unknown member is an error",
            "microsoft/hl7v2.py",
            'raise FilterError(f"a {kind} has no such member (Microsoft 1302)")',
            "return None",
        ),
        ("MSH-1 and MSH-2 are the separators", "microsoft/hl7v2.py", "fields.insert(0, encoding.field)", "pass"),
        ("the escape character must be a backslash", "microsoft/hl7v2.py", 'if header[6] != "\\\\":', "if False:"),
        # C-CDA as templates see it
        ("text stands behind the children, last first", "microsoft/ccda.py", "reversed(self.texts)", "self.texts"),
        (
            "line breaks leave every string",
            "microsoft/ccda.py",
            '_add(members, "_", _BREAKS.sub("", text))',
            '_add(members, "_", text)',
        ),
        ("two comments leave a member", "microsoft/ccda.py", "elif self.comments > 1:", "elif self.comments > 9:"),
        ("<x/> is nil", "microsoft/ccda.py", 'return None if empty else ""', 'return ""'),
        ("prefixed elements are prefix_name", "microsoft/ccda.py", 'f"{prefix}_{local}"', "local"),
        # after rendering
        (
            "empties go before duplicates collide",
            "tidy.py",
            "        if value or value is None or isinstance(value, _KEPT):\n            kept[name] = value",
            "        kept[name] = value",
        ),
        (
            "null is kept",
            "tidy.py",
            "        if value or value is None or isinstance(value, _KEPT):\n            kept[name] = value",
            "        if value or isinstance(value, _KEPT):\n            kept[name] = value",
        ),
        (
            "entries about one resource merge",
            "microsoft/bundle.py",
            "            merge(kept[key], entry)",
            "            pass",
        ),
        (
            "merged lists are a union",
            "microsoft/bundle.py",
            "known.extend(_new_items(known, value))",
            "known.extend(value)",
        ),
        ("null does not overwrite", "microsoft/bundle.py", "elif value is not None or name not in whole:", "else:"),
        (
            "a missing comma is an error",
            "microsoft/bundle.py",
            "def _refuse(template: str) -> NoReturn:\n",
            "def _refuse(template: str) -> NoReturn:\n    return {}\n",
        ),
    )
)


def noticed(ablation: Ablation) -> int:
    """How many tests fail without the rule."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "headwater"
        shutil.copytree(PACKAGE.parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
        file = copy / "templates" / ablation.file
        file.write_text(file.read_text().replace(ablation.old, ablation.new))
        command = [sys.executable, "-m", "pytest", *TESTS, "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no"]
        where = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        ran = subprocess.run(command, cwd=ROOT, env=where, capture_output=True, text=True, timeout=120, check=False)
    failed = re.search(r"(\d+) (?:failed|error)", ran.stdout)
    return int(failed[1]) if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rule", default="", help="only rules with this in their name")
    options = parser.parse_args()
    kept = True
    for ablation in ABLATIONS:
        if options.rule in ablation.rule:
            failed = noticed(ablation)
            kept = kept and failed > 0
            print(f"{failed:4} red  {ablation.rule}", flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
