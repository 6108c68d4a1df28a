"""What `send` takes for a message, and how it puts it into the producers' envelope."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.cli.send import files_of
from local.feed_message import envelope

SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "mappings" / "feed-message.schema.json").read_text())


def test_a_folder_gives_its_messages_in_order_and_nothing_hidden(tmp_path: Path) -> None:
    for name in ("b.hl7", "a.hl7", "a.json", ".hidden.hl7", "sub/c.txt", ".git/d.hl7"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("MSH|")
    assert [file.relative_to(tmp_path).as_posix() for file in files_of(tmp_path)] == ["a.hl7", "b.hl7", "sub/c.txt"]


def test_a_folder_above_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "feed").mkdir()
    (tmp_path / "feed" / "a.hl7").write_text("MSH|")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert [file.name for file in files_of(Path("../feed"))] == ["a.hl7"]


@given(body=st.binary(min_size=1, max_size=200))
def test_any_bytes_fit_the_envelope_and_come_back(body: bytes) -> None:
    message = envelope(body, "epic", "application/hl7-v2", message_id="M1")
    jsonschema.validate({"QueueUrl": "q", "MessageGroupId": "g", **message}, SCHEMA)
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    text = message["MessageBody"]
    encoded = attributes.get("content-transfer-encoding") == "base64"
    assert (base64.b64decode(text) if encoded else text.encode()) == body
    assert message["MessageDeduplicationId"] == hashlib.sha256(body).hexdigest()
