"""The key pairs that we sign assertions with at an EHR: made, published, and replaced without a gap.

An EHR fetches our JWK Set (RFC 7517) from time to time, some only every twelve hours. So a new key is published first
and signs from a set moment on, while the old one stays published until the next rotation: whichever copy of the set an
EHR holds, it knows the key of every assertion. The private halves are in the connection's secret and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from headwater.adapters.ehr.connection import Connection

LEAD = timedelta(hours=24)  # an EHR may take half a day to notice; the other half is ours to take it back
_THUMBPRINT = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y")}


def rotated(secret: Mapping[str, str], algorithm: str, now: datetime, *, lead: timedelta = LEAD) -> dict[str, str]:
    """The secret with a new key to come. A key that was to come, and by now signs, becomes the old one.

    Raises ValueError while the last rotation is under way: two keys to come would leave one that nobody fetched.
    """
    known = dict(secret)
    if known.get("next_from"):
        if now < datetime.fromisoformat(known["next_from"]):
            raise ValueError(f"the last rotation is under way until {known['next_from']}")
        known |= {"kid": known.pop("next_kid"), "private_key_pem": known.pop("next_private_key_pem")}
        known.pop("next_from")
    pem = new_private_key(algorithm)
    jwk = public_jwk(pem, algorithm)
    if not known.get("private_key_pem"):  # the first one: there is nothing to overlap with
        return {**known, "kid": jwk["kid"], "private_key_pem": pem}
    starts = (now + lead).replace(microsecond=0)
    return {**known, "next_kid": jwk["kid"], "next_private_key_pem": pem, "next_from": starts.isoformat()}


def jwk_set(secret: Mapping[str, str], algorithm: str) -> dict[str, list[dict[str, str]]]:
    """What the EHR is to know: public keys only, the present one first."""
    pairs = (("kid", "private_key_pem"), ("next_kid", "next_private_key_pem"))
    return {
        "keys": [public_jwk(secret[pem], algorithm, kid=secret.get(kid, "")) for kid, pem in pairs if secret.get(pem)]
    }


def signing_key(connection: Connection, now: datetime) -> tuple[str, str]:
    """`kid` and PEM of the key that signs at this moment."""
    if connection.next_from and now >= datetime.fromisoformat(connection.next_from):
        return connection.next_kid, connection.next_private_key_pem
    return connection.kid, connection.private_key_pem


def new_private_key(algorithm: str) -> str:
    """PKCS #8 PEM: RSA of 3072 bits for RS384, P-384 for ES384 (RFC 7518 §3.3, §3.4)."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    key: Any = (
        ec.generate_private_key(ec.SECP384R1())
        if algorithm == "ES384"
        else rsa.generate_private_key(public_exponent=65537, key_size=3072)
    )
    pem: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode()


def public_jwk(private_pem: str, algorithm: str, *, kid: str = "") -> dict[str, str]:
    """The public half as a JWK; `kid` is its RFC 7638 thumbprint unless it has another name already."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from jwt.algorithms import ECAlgorithm, RSAAlgorithm
    from jwt.utils import base64url_encode

    public: Any = load_pem_private_key(private_pem.encode(), password=None).public_key()
    make = ECAlgorithm.to_jwk if algorithm == "ES384" else RSAAlgorithm.to_jwk
    jwk = {name: str(value) for name, value in json.loads(make(public)).items() if name not in ("key_ops", "alg")}
    members = {name: jwk[name] for name in _THUMBPRINT[jwk["kty"]]}
    text = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    thumbprint = base64url_encode(hashlib.sha256(text).digest()).decode()
    return {**jwk, "kid": kid or thumbprint, "use": "sig", "alg": algorithm}
