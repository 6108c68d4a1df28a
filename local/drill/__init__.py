"""The chart-corruption drill: what can go wrong between an approval and a chart, made to happen, one scenario a file.

Simulated EHRs over real HTTP, a real (local) AWS, the functions' own code; only the time is made up, so that nine days
pass in a moment. After each scenario ten standing invariants are checked. `docs/drill.md` tells how to write one.
"""
