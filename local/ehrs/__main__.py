"""`python -m local.ehrs --ehr NAME --port 9101 --data DIR`: one simulated EHR, until it is stopped.

When it listens, it prints one line of JSON: its address, and the file (`DIR/NAME.connection.json`) that holds the
connection secret of the client `headwater-local`, ready for Secrets Manager.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
from pathlib import Path

from headwater.ehrs import load
from local.ehrs.client import connect
from local.ehrs.server import SimulatedEhr


def main() -> int:
    options = _options()
    ehrs = load(options.mappings)
    if options.ehr not in ehrs:
        print(f"unknown EHR; known: {', '.join(ehrs)}", file=sys.stderr)
        return 2
    simulated = SimulatedEhr(ehrs[options.ehr], data=options.data, port=options.port)
    if options.seed:
        simulated.back_door.file(_resources(options.seed))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    file = options.data / f"{options.ehr}.connection.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(connect(simulated, options.data)), encoding="utf-8")
    print(json.dumps({"ehr": options.ehr, "url": simulated.url, "connection": str(file)}), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        simulated.serve()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.ehrs", description="A simulated EHR, for tests.")
    parser.add_argument("--ehr", required=True, help="a folder under mappings/ehrs")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--data", type=Path, required=True, help="where its chart and its client's key lie")
    parser.add_argument("--mappings", type=Path, default=Path(__file__).parents[2] / "mappings")
    parser.add_argument("--seed", type=Path, help="FHIR resources: a Bundle, a JSON list, or NDJSON")
    return parser.parse_args()


def _resources(path: Path) -> object:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ndjson":
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return json.loads(text)


if __name__ == "__main__":
    sys.exit(main())
