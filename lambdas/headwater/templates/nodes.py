"""The syntax tree between parser and compiler: what a template says, in either dialect, before it is Python.

Expressions give a value, statements write or assign. Every node that can fail at run time knows its `at`, the offset
into the template's source; the compiler turns it into line and column.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float | Decimal | bool | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Special:
    """`empty` or `blank`: only good for comparing with."""

    name: str


@dataclass(frozen=True, slots=True)
class Path:
    """`PID.5[0].family`: a variable's name, then member names, indexes or expressions in brackets."""

    root: str
    parts: tuple[str | int | Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Range:
    first: Expression
    last: Expression


@dataclass(frozen=True, slots=True)
class Call:
    """One filter in a pipe, with the place where it is named."""

    name: str
    arguments: tuple[Expression, ...]
    named: tuple[tuple[str, Expression], ...]
    at: int


@dataclass(frozen=True, slots=True)
class Pipe:
    value: Expression
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Logic:
    """`and` / `or`. Both group to the right and none binds tighter (Liquid has no precedence)."""

    operator: str
    left: Expression
    right: Expression


Expression = Literal | Special | Path | Range | Pipe | Compare | Logic


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Output:
    value: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Assign:
    name: str
    value: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Capture:
    name: str
    body: tuple[Statement, ...]
    at: int


@dataclass(frozen=True, slots=True)
class If:
    """Conditions with their bodies, tried in order; `otherwise` when none holds."""

    branches: tuple[tuple[Expression, tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...]
    at: int
    negate_first: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    subject: Expression
    branches: tuple[tuple[tuple[Expression, ...], tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...]
    at: int


@dataclass(frozen=True, slots=True)
class For:
    name: str
    source: Expression
    body: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]
    at: int
    limit: Expression | None = None
    offset: Expression | None = None
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Break:
    at: int


@dataclass(frozen=True, slots=True)
class Continue:
    at: int


@dataclass(frozen=True, slots=True)
class Include:
    """Another template in this place. `isolated` (the `render` tag): it sees its arguments only."""

    template: Expression
    arguments: tuple[tuple[str, Expression], ...]
    at: int
    isolated: bool = False
    item: Expression | None = None
    each: bool = False
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Microsoft: render a template, trimmed, into a variable."""

    name: str
    template: Expression
    arguments: tuple[tuple[str, Expression], ...]
    at: int


@dataclass(frozen=True, slots=True)
class MergeDiff:
    """Microsoft: print `value` with the members of the body, a JSON object, put over it."""

    value: Expression
    body: tuple[Statement, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Validate:
    """Microsoft: print the body, a JSON text that must be valid against a JSON schema."""

    schema: str
    body: tuple[Statement, ...]
    at: int


Statement = (
    Text | Output | Assign | Capture | If | Case | For | Break | Continue | Include | Evaluate | MergeDiff | Validate
)


@dataclass(frozen=True, slots=True)
class Template:
    name: str
    source: str
    body: tuple[Statement, ...]
    includes: tuple[str, ...] = field(default=())
