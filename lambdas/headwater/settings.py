"""The environment, read once, frozen. The only place that reads it (house rule 4); `infra/function.py` writes it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Names of the deployed resources. Empty where a Lambda does not use one."""

    mappings: Path
    region: str
    archive_bucket: str
    audit_bucket: str
    messages_table: str
    persons_table: str
    proposals_table: str
    fhir_endpoint: str
    write_queue_url: str
    send_queue_url: str
    ehr_secret_prefix: str
    salt_secret: str = ""
    empi: str = ""  # a folder of mappings/empis; empty for the built-in match
    empi_secret_prefix: str = "headwater/empis/"
    notices_topic: str = ""
    keys_prefix: str = "/headwater/keys/"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        env = os.environ if environment is None else environment
        return cls(
            mappings=Path(env.get("HEADWATER_MAPPINGS", "/opt/mappings")),
            region=env.get("AWS_REGION", "us-east-1"),
            archive_bucket=env.get("HEADWATER_ARCHIVE_BUCKET", ""),
            audit_bucket=env.get("HEADWATER_AUDIT_BUCKET", ""),
            messages_table=env.get("HEADWATER_MESSAGES_TABLE", ""),
            persons_table=env.get("HEADWATER_PERSONS_TABLE", ""),
            proposals_table=env.get("HEADWATER_PROPOSALS_TABLE", ""),
            fhir_endpoint=env.get("HEADWATER_FHIR_ENDPOINT", ""),
            write_queue_url=env.get("HEADWATER_WRITE_QUEUE_URL", ""),
            send_queue_url=env.get("HEADWATER_SEND_QUEUE_URL", ""),
            ehr_secret_prefix=env.get("HEADWATER_EHR_SECRET_PREFIX", "headwater/ehrs/"),
            salt_secret=env.get("HEADWATER_SALT_SECRET", ""),
            empi=env.get("HEADWATER_EMPI", ""),
            empi_secret_prefix=env.get("HEADWATER_EMPI_SECRET_PREFIX", "headwater/empis/"),
            notices_topic=env.get("HEADWATER_NOTICES_TOPIC", ""),
            keys_prefix=env.get("HEADWATER_KEYS_PREFIX", "/headwater/keys/"),
        )
