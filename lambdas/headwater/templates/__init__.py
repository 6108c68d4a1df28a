"""The Liquid engine: templates compiled to Python, in two dialects. `Engine` and `Limits` are all that others need."""

from __future__ import annotations

from headwater.templates.engine import Engine
from headwater.templates.errors import TemplateError
from headwater.templates.limits import Limits

__all__ = ["Engine", "Limits", "TemplateError"]
