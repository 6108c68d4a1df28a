"""Registers Headwater as a client of a simulated EHR, and gives the connection secret that goes with it.

The key pair is made once and lies in the simulation's data folder; it is good for nothing outside this machine.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from headwater.ehrs import Auth
from local.ehrs.server import SimulatedEhr

CLIENT_ID = "headwater-local"
KID = "local-1"


def connect(simulated: SimulatedEhr, data: Path) -> dict[str, str]:
    """The JSON of the secret `headwater/ehrs/<ehr>`; registering again with the same key is harmless."""
    api = simulated.ehr.api
    if api is None:
        raise ValueError(f"{simulated.ehr.name} has no [api]")
    wish = {"client_id": CLIENT_ID, "kid": KID, "scope": " ".join(api.scopes) or "system/*.cruds"}
    secret = {"base_url": simulated.base_url, "token_url": simulated.token_url, "client_id": CLIENT_ID}
    if api.rest_url:
        secret["rest_url"] = simulated.rest_url
    if api.api_key_header:
        secret["api_key"] = "local-api-key"
    if api.auth in (Auth.CLIENT_SECRET_BASIC, Auth.CLIENT_SECRET_POST):
        secret["client_secret"] = "local-secret"
        simulated.registrar.register(wish | {"client_secret": secret["client_secret"]})
        return secret
    private, public = _key_pair(data / f"{simulated.ehr.name}.pem", api.algorithm)
    simulated.registrar.register(wish | {"public_key_pem": public})
    return secret | {"kid": KID, "private_key_pem": private}


def _key_pair(path: Path, algorithm: str) -> tuple[str, str]:
    if path.is_file():
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    else:
        made = (
            ec.generate_private_key(ec.SECP384R1()) if algorithm == "ES384" else rsa.generate_private_key(65537, 3072)
        )
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(pem)
        key = made
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return path.read_text(), public.decode()
