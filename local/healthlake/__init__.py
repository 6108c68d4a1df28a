"""A stand-in for AWS HealthLake's FHIR data plane: the same paths, signatures, conditions, limits and refusals, as far
as they are known, over SQLite. It exists so that the adapter that is deployed is the one that runs on a laptop.

    python -m local.healthlake --port 4570 --data .local/healthlake
"""
