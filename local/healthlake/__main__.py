"""`python -m local.healthlake --port 4570 --data .local/healthlake`"""

from __future__ import annotations

import argparse
from pathlib import Path

from local.healthlake.server import Manners, serve


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m local.healthlake", description="HealthLake on a laptop")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; it is printed")
    parser.add_argument("--data", type=Path, required=True, help="folder of the database; survives kill -9")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="wait before each answer")
    parser.add_argument("--search-lag-ms", type=float, default=2000.0, help="until a write is found by search")
    options = parser.parse_args(arguments)
    manners = Manners(latency=options.latency_ms / 1000, search_lag=options.search_lag_ms / 1000)
    server = serve(options.data, port=options.port, manners=manners)
    print(f"HealthLake stand-in: http://localhost:{server.server_port}/datastore/<id>/r4/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.stand_in.versions.close()


if __name__ == "__main__":
    main()
