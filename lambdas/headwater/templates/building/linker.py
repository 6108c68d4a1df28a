"""Specs to functions: compiled when first called, found again in the cache, each linked to those it calls.

A unit's index says which templates it was made of, by hash, and under which key the code of each spec is kept. Code is
kept by what it says, so root templates share what they call in the same way, and a cold start parses nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import import_module
from types import CodeType
from typing import TYPE_CHECKING, Any

from headwater.templates.building.position import Unbuildable
from headwater.templates.errors import TemplateError
from headwater.templates.loader import CodeCache
from headwater.templates.program import Program

if TYPE_CHECKING:
    from headwater.templates.building.unit import Unit
    from headwater.templates.engine import Engine

Function = Callable[..., Any]


class Unprepared(Unbuildable):
    """No cache knows this root template."""


class Linked:
    """One root template and all it calls, for variables of certain names. Raises Unbuildable, now or when it runs;
    Unprepared if `prepared` is wanted and the root must be compiled first."""

    def __init__(self, engine: Engine, root: str, names: tuple[str, ...], *, prepared: bool = False) -> None:
        self._engine = engine
        self._root = root
        self._names = names
        self._unit: Unit | None = None
        self._functions: dict[str, Function] = {}
        self._keys = self._index(prepared)
        self.function = self._function(next(iter(self._keys)))

    def prepare(self) -> int:
        """Compile everything into the cache; gives how many functions there are."""
        for id in self._keys:
            self._compiled(id)
        return len(self._keys)

    # --------------------------------------------------------------------------------------------------- the index

    def _index(self, prepared: bool) -> dict[str, str]:
        """Where the code of each spec is kept, the root's first."""
        engine = self._engine
        key = CodeCache.key("built", engine.dialect.name, self._root, *self._names, engine.folders.read(self._root))
        found = engine.cache.load(key)
        if found is None or any(self._hash(name) != known for name, known in found[0].items()):
            if prepared:
                raise Unprepared("not compiled yet")
            found = self._made()
            engine.cache.save(key, found)
        if not found[1]:
            raise Unbuildable(found[2])
        return dict(found[1])

    def _made(self) -> tuple[dict[str, str], dict[str, str], str]:
        """The templates by hash, the specs' keys, and why there are none."""
        trees: dict[str, Any] = {}
        try:
            unit = self._analysed(trees)
        except (Unbuildable, TemplateError) as error:  # which of them is wrong, the slow way says when it is called
            return {name: self._hash(name) for name in trees}, {}, str(error)
        specs = {id: spec.program for id, spec in unit.specs.items() if spec.program is not None}
        ids = [unit.root.id, *(id for id in specs if id != unit.root.id)]
        return {name: self._hash(name) for name in trees}, {id: self._key(specs[id]) for id in ids}, ""

    def _analysed(self, trees: dict[str, Any]) -> Unit:
        from headwater.templates.building.unit import Unit  # only where no cache has it

        def parse(name: str) -> Any:
            if name not in trees:
                try:
                    trees[name] = self._engine.tree(name)
                except TemplateError:
                    trees[name] = None
            return trees[name]

        dialect = self._engine.dialect
        build = import_module(dialect.builder).building(dialect.filters)
        unit = self._unit = Unit(self._names, parse, build, rebinds=dialect.rebinds)
        spec = unit.begin(self._root)
        if spec.program is None:
            raise Unbuildable("a root template that makes nothing")
        return unit

    def _hash(self, name: str) -> str:
        try:
            return hashlib.sha256(self._engine.folders.read(name).encode("utf-8", "surrogatepass")).hexdigest()
        except TemplateError:
            return ""

    def _key(self, program: Program) -> str:
        linked = [f"{name}|{mode}" for name, mode in program.partials]
        return CodeCache.key("spec", program.name, program.source, *program.filters, "", *linked, program.places.hex())

    # ------------------------------------------------------------------------------------------------------ linking

    def _function(self, id: str) -> Function:
        found = self._functions.get(id)
        if found is None:
            found = self._functions[id] = self._load(id)
        return found

    def _load(self, id: str) -> Function:
        program, code = self._compiled(id)
        names = self._engine.names_for(program)
        for number, (partial, _) in enumerate(program.partials):
            names[f"P{number}"] = self._link(names, f"P{number}", partial)
        exec(code, names)
        function: Function = names["template"]
        return function

    def _link(self, names: dict[str, Any], slot: str, id: str) -> Function:
        """Stands for a function until it is first called, then puts it into its slot."""

        def first_call(*arguments: Any) -> Any:
            function = names[slot] = self._function(id)
            return function(*arguments)

        return first_call

    def _compiled(self, id: str) -> tuple[Program, CodeType]:
        found = self._engine.cache.get(self._keys[id])
        if found is None:
            unit = self._unit or self._analysed({})
            program = unit.specs[id].program
            if program is None:
                raise Unbuildable("a function that is not there")
            try:
                code = compile(program.source, f"<{program.name}.liquid>", "exec", dont_inherit=True, optimize=2)
            except (SyntaxError, RecursionError, MemoryError, OverflowError):
                raise Unbuildable("blocks are nested too deeply") from None
            found = program, code
            self._engine.cache.put(self._keys[id], program, code)
        return found
