"""Templates written where a test needs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headwater.templates import Engine, Limits
from headwater.templates.microsoft import bundle
from headwater.templates.microsoft.converter import Converter

Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write templates: `put(A="…", **{"part/B": "…"})`; gives their folder."""

    def write(folder: str = "templates", **sources: str) -> Path:
        for name, source in sources.items():
            path = tmp_path / folder / f"{name}.liquid"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        return tmp_path / folder

    return write


@pytest.fixture
def text(put: Put) -> Callable[..., str]:
    """Render one house template as text: `text("{{ a }}", a=1)`."""

    def render(source: str, parts: dict[str, str] | None = None, limits: Limits | None = None, **data: Any) -> str:
        folder = put(root=source, **(parts or {}))
        return Engine([folder], limits=limits or Limits()).render("root", data)

    return render


@pytest.fixture
def build(put: Put) -> Callable[..., Any]:
    """Build one house template's JSON value."""

    def value(source: str, parts: dict[str, str] | None = None, **data: Any) -> Any:
        return Engine([put(root=source, **(parts or {}))]).build("root", data)

    return value


@pytest.fixture
def microsoft(put: Put) -> Callable[..., str]:
    """Render one Microsoft template as text."""

    def render(source: str, parts: dict[str, str] | None = None, codes: Any = None, **data: Any) -> str:
        engine = Engine([put(root=source, **(parts or {}))], dialect="microsoft")
        engine.codes = codes or {}
        return engine.render("root", {name.lower(): value for name, value in data.items()})

    return render


@pytest.fixture
def microsoft_json(put: Put) -> Callable[..., Any]:
    """One Microsoft template's JSON object, post-processed: by objects, and the same by text."""

    def value(source: str, parts: dict[str, str] | None = None, **data: Any) -> Any:
        engine = Engine([put(root=source, **(parts or {}))], dialect="microsoft")
        built = bundle.merged(engine.build("root", data))
        assert built == bundle.parse(engine.write("root", data, "value"), "root")
        return built

    return value


@pytest.fixture
def hl7(put: Put) -> Callable[..., Any]:
    """Convert an HL7 v2 message with one Microsoft root template."""

    def convert(source: str, message: str, parts: dict[str, str] | None = None) -> Any:
        return Converter([put(root=source, **(parts or {}))], "Hl7v2").convert(message, "root")

    return convert
