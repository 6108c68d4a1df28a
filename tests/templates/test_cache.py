"""Compiled code is kept and used again, and never when it could be wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headwater.templates import Engine, TemplateError
from headwater.templates.compiler import Compiler

Put = Callable[..., Path]


def test_cached_code_is_not_compiled_again(put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache = put(A='{"a": "{{ x | upcase }}{% include "B" %}"}', B="{{ x }}"), tmp_path / "cache"
    assert Engine([folder], cache=cache).build("A", {"x": "q"}) == {"a": "Qq"}
    monkeypatch.setattr(Compiler, "compile", None)
    assert Engine([folder], cache=cache).build("A", {"x": "r"}) == {"a": "Rr"}


def test_a_changed_template_is_compiled_anew(put: Put, tmp_path: Path) -> None:
    for source in ("one", "two"):
        assert Engine([put(A=source)], cache=tmp_path / "cache").render("A", {}) == source


def test_errors_from_cached_code_have_their_place(put: Put, tmp_path: Path) -> None:
    folder = put(A="\n  {{ 1 | divided_by: x }}")
    for _ in range(2):
        with pytest.raises(TemplateError, match=r"A\.liquid:2:5"):
            Engine([folder], cache=tmp_path / "cache").render("A", {})


def test_a_broken_or_read_only_cache_does_no_harm(put: Put, tmp_path: Path) -> None:
    folder, cache = put(A="a"), tmp_path / "cache"
    Engine([folder], cache=cache).render("A", {})
    for kept in cache.iterdir():
        kept.write_bytes(b"broken")
    assert Engine([folder], cache=cache).render("A", {}) == "a"
    (tmp_path / "file").write_text("")
    assert Engine([folder], cache=tmp_path / "file" / "below").render("A", {}) == "a"


def test_prepared_templates_are_never_compiled_when_they_run(
    put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = (
        put(A='{"a": "{% include "B" %}", {% include "C" %}}', B="b", C='"c": "{{ x }}"'),
        tmp_path / "cache",
    )
    assert Engine([folder], cache=cache).prepare([("A", "value")]) == 3
    cache.chmod(0o555)
    monkeypatch.setattr(Compiler, "compile", None)
    assert Engine([folder], cache=cache).build("A", {"x": "r"}) == {"a": "b", "c": "r"}


@pytest.mark.parametrize("dialect", ["headwater", "microsoft"])
def test_a_template_can_call_itself_and_stop(put: Put, dialect: str) -> None:
    source = "{{ n }}{% if n < 3 %}{% assign m = n | plus: 1 %}{% include 'A' n: m %}{% endif %}"
    assert Engine([put(A=source)], dialect=dialect).render("A", {"n": 1}) == "123"
