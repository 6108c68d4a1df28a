"""Templates and data in, text or JSON out. The convert step and the propose step both end up here.

An `Engine` is made once per set of folders and kept: it holds the compiled functions. Rendering touches no shared state
but that table, so one engine serves many threads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any, NoReturn

from headwater.errors import HeadwaterError
from headwater.templates.building.linker import Linked, Unprepared
from headwater.templates.building.position import Unbuildable
from headwater.templates.dialects import dialect as dialect_named
from headwater.templates.errors import (
    LIMIT,
    MISSING,
    RENDER,
    SYNTAX,
    FilterError,
    LimitReached,
    TemplateError,
)
from headwater.templates.lifting import AS_WRITTEN, Lifting
from headwater.templates.limits import Limits
from headwater.templates.loader import CodeCache, Folders
from headwater.templates.nodes import Template
from headwater.templates.program import TEXT, VALUE, Program

Function = Callable[[Any, dict[str, Any], list[str]], None]
_PROGRAM = "PROGRAM"
_ASKED, _NONE = "asked for once", "none"  # of a root template's fast way


class Engine:
    """Renders the templates of `folders`; of two with the same name, the one in the earlier folder.

    `dialect` is `headwater` or `microsoft`; `filters` are plain functions that come on top of the dialect's, for what
    only a format or an EHR knows, `unmapped` gives the codes they found nothing for since it was last asked; `version`
    names the mappings, for Provenance; `cache` is a folder for code objects (None: memory only). All methods raise
    `TemplateError`, a Quarantine, with the template's place.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        dialect: str = "headwater",
        filters: Mapping[str, Callable[..., Any]] | None = None,
        cache: Path | None = None,
        version: str = "",
        unmapped: Callable[[], tuple[Any, ...]] = tuple,
    ) -> None:
        self.limits = limits
        self.version = version
        self.unmapped = unmapped
        self.dialect = dialect_named(dialect).extended(filters or {})
        self.folders = Folders(folders, limits.source)
        self.cache = CodeCache(cache)
        self.codes: dict[str, dict[str, dict[str, str]]] = {}  # Microsoft's code maps, by name and code
        self.dependence: Any = None  # the Microsoft dialect's knowledge of what its templates depend on
        self._functions: dict[tuple[str, str], Function] = {}
        self._programs: dict[tuple[str, str], tuple[Program, CodeType]] = {}
        self._roots: dict[tuple[str, tuple[str, ...]], Linked | str] = {}
        self._trees: dict[str, Template] = {}
        self._schemas: dict[str, Any] = {}

    def render(self, name: str, variables: Mapping[str, Any]) -> str:
        """A template as plain text: outputs are not escaped."""
        return self.write(name, variables, TEXT)

    def build(self, name: str, variables: Mapping[str, Any], lifting: Lifting = AS_WRITTEN) -> Any:
        """A template that is JSON text with tags, as its JSON value: outputs are escaped by where they stand, spare
        commas are forgiven, empty members and items are dropped. `lifting` is told of resources on the fast way alone:
        what it was not told of it has to look for."""
        linked = self._linked(name, tuple(sorted(variables)))
        if linked is not None:
            try:
                state = self.dialect.state(self.limits, self, variables)
                state.lifting = lifting
                return self._run(lambda: linked.function(state, dict(variables)))
            except Unbuildable:
                pass
        return self.dialect.read(self.write(name, variables, VALUE), name)

    def write(self, name: str, variables: Mapping[str, Any], mode: str) -> str:
        """A template's raw text in a mode; JSON text still has its commas marked, `tidy` reads it."""
        return str(self._run(lambda: self._written(name, variables, mode)))

    def _written(self, name: str, variables: Mapping[str, Any], mode: str) -> str:
        out: list[str] = []
        state = self.dialect.state(self.limits, self, variables)
        self.function(name, mode)(state, dict(variables), out)
        return state.join(out)

    @staticmethod
    def _run(task: Callable[[], Any]) -> Any:
        """Run compiled code; whatever it raises is a Quarantine with its place."""
        try:
            return task()
        except Unbuildable:
            raise
        except HeadwaterError as error:  # also what a format's or an EHR's filters raise on purpose
            if not error.place:
                error.place = _place(error.__traceback__)
            raise
        except LimitReached as error:
            _fail(LIMIT, error, str(error))
        except (RecursionError, MemoryError) as error:
            _fail(LIMIT, error, "nested too deeply or too large")
        except FilterError as error:
            _fail(RENDER, error, str(error))
        except Exception as error:  # noqa: BLE001 - whatever the data does to a filter; its message may hold data
            _fail(RENDER, error, f"the data does not fit ({type(error).__name__})")

    # --------------------------------------------------------------------------------------------------- functions

    def function(self, name: str, mode: str) -> Function:
        """The compiled function of a template, compiled or fetched on first use."""
        found = self._functions.get((name, mode))
        if found is None:
            found = self._functions[name, mode] = self._load(name, mode)
        return found

    def _load(self, name: str, mode: str) -> Function:
        program, code = self._compiled(name, mode)
        names = self.names_for(program)
        for number, (partial, partial_mode) in enumerate(program.partials):
            names[f"P{number}"] = self._link(names, str(number), partial, partial_mode)
            names[f"N{number}"] = ""
        exec(code, names)
        function: Function = names["template"]
        return self.dialect.wrap(self, name, function) if self.dialect.wrap else function

    def names_for(self, program: Program) -> dict[str, Any]:
        """The globals of a program's code, but for its partials."""
        names = {**self.dialect.names, _PROGRAM: program}
        for number, each in enumerate(program.filters):
            names[f"F{number}"] = self.dialect.filters[each].function
        return names

    def _linked(self, name: str, names: tuple[str, ...]) -> Linked | None:
        """The fast way of a root template, if it has one. A root that no cache knows is compiled when it is asked for
        again: one message alone is cheaper by text."""
        key = name, names
        if key not in self._roots or self._roots[key] == _ASKED:
            try:
                self._roots[key] = Linked(self, name, names, prepared=key not in self._roots)
            except Unprepared:
                self._roots[key] = _ASKED
            except Unbuildable:
                self._roots[key] = _NONE
        found = self._roots[key]
        return found if isinstance(found, Linked) else None

    def _compiled(self, name: str, mode: str) -> tuple[Program, CodeType]:
        """The program of a template and its code, from the cache or compiled now."""
        if (name, mode) in self._programs:
            return self._programs[name, mode]
        source = self.folders.read(name)
        key = CodeCache.key(self.dialect.name, name, mode, source)
        found = self.cache.get(key)
        if found is None:
            program = self.program(name, mode, source)
            try:
                code = compile(program.source, f"<{name}.liquid>", "exec", dont_inherit=True, optimize=2)
            except (SyntaxError, RecursionError, MemoryError, OverflowError):
                raise TemplateError(SYNTAX, place=f"{name}.liquid", hint="blocks are nested too deeply") from None
            found = program, code
            self.cache.put(key, program, code)
        self._programs[name, mode] = found
        return found

    def summary(self, name: str) -> Any:
        """What a dialect's compiler noted about a template; None if it is missing or wrong."""
        for mode in (VALUE, TEXT):
            if (name, mode) in self._programs:
                return self._programs[name, mode][0].summary
        try:
            return self._compiled(name, TEXT)[0].summary
        except TemplateError:
            return None

    def _link(self, names: dict[str, Any], slot: str, name: str, mode: str) -> Function:
        """Stands for a partial until it is first called, then puts the partial itself into its slot `P…`, and into
        `N…` the variable without which it would write nothing."""

        def first_call(state: Any, variables: dict[str, Any], out: list[str]) -> None:
            function = names["P" + slot] = self.function(name, mode)
            names["N" + slot] = self.dialect.guard(self.summary(name)) if self.dialect.guard else ""
            function(state, variables, out)

        return first_call

    def program(self, name: str, mode: str, source: str | None = None) -> Program:
        """What a template compiles to; for lint, tests and the curious."""
        text = self.folders.read(name) if source is None else source
        template = self.dialect.parser(name, text).parse()
        return self.dialect.compiler(template, mode, self.dialect.filters).compile()

    def tree(self, name: str) -> Template:
        """A template's syntax tree, parsed once."""
        if name not in self._trees:
            self._trees[name] = self.dialect.parser(name, self.folders.read(name)).parse()
        return self._trees[name]

    def check(self, name: str, mode: str = VALUE) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Compile a template without running it: the filters it uses, and the templates it names."""
        program = self.program(name, mode)
        return program.filters, tuple(sorted({partial for partial, _ in program.partials}))

    def prepare(self, roots: Iterable[tuple[str, str]], names: Sequence[str] = ()) -> int:
        """Compile templates, each as `(name, mode)`, and all that they call by constant names, into the cache folder:
        so that a deployed function with a read-only copy of it compiles nothing. With the `names` of the variables
        that the roots are given, their fast way too. Gives how many templates there are."""
        waiting, done = list(roots), set[tuple[str, str]]()
        for name, mode in waiting if names else ():
            if mode == VALUE:
                with suppress(Unbuildable):
                    Linked(self, name, tuple(sorted(names))).prepare()
        while waiting:
            wanted = waiting.pop()
            if wanted not in done and self.folders.find(wanted[0]) is not None:
                done.add(wanted)
                waiting += self._compiled(*wanted)[0].partials
        return len(done)

    def schema(self, name: str) -> Any:
        """A JSON schema that lies among the templates."""
        if name not in self._schemas:
            text = self.folders.resource(name)
            try:
                self._schemas[name] = json.loads(text or "")
            except ValueError:
                raise TemplateError(MISSING, hint="no such JSON schema, or it cannot be read") from None
        return self._schemas[name]


def _fail(code: str, error: BaseException, hint: str) -> NoReturn:
    raise TemplateError(code, place=_place(error.__traceback__), hint=hint) from None


def _place(traceback: TracebackType | None) -> str:
    """The innermost place in a template that a traceback went through."""
    place = ""
    while traceback is not None:
        program = traceback.tb_frame.f_globals.get(_PROGRAM)
        if isinstance(program, Program):
            place = program.place(traceback.tb_lineno)
        traceback = traceback.tb_next
    return place
