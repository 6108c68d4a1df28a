"""Random input, in numbers: what no test thought of. `python -m tests.fuzz --help` runs as much of it as one likes."""
