"""The local AWS as a process of its own, for tests of what it keeps and what runs on it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws.clients import client

ROOT = Path(__file__).resolve().parents[2]


class Server:
    """A running local AWS that can be killed and started again on the same data."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local.aws.moto_server", "--data", str(self.data), "--healthlake-url", "http://hl"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.endpoint = self.process.stdout.readline().split()[1]

    def kill(self) -> None:
        """SIGKILL, as the drill does it."""
        self.process.kill()
        self.process.wait()

    def client(self, service: str) -> Any:
        return client(service, self.endpoint)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own, to be killed."""
    made = Server(tmp_path / "aws")
    yield made
    made.kill()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for a whole module, because it takes seconds to start; names must be the test's own."""
    made = Server(tmp_path_factory.mktemp("aws"))
    yield made
    made.kill()
