"""The issuer of reviewers' tokens on the laptop, in the place of a Cognito user pool.

Signs access tokens (RS256, RFC 7519) with the claims of Cognito's. Its key and its users' secrets are made once per
data folder and stay in it, readable by the owner only.
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
"""

from __future__ import annotations

import json
import secrets
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

LIFETIME = 1800  # seconds, as the app client of infra/review_api.py gives
CLOCK_SKEW = 60

# Who there is, and in which groups of infra/reviewers.py.
USERS = {
    "dr.rivera": ("clinician",),
    "dr.chen": ("clinician",),
    "r.okafor": ("clinician", "registration"),
    "s.novak": ("steward",),
}


class TokenRefused(Exception):
    """The token does not hold; the message says why, for the log, never for the caller."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Issues and verifies. `issuer` is its URL, `client_id` the app client's id that tokens are for."""

    issuer: str
    client_id: str
    key: rsa.RSAPrivateKey
    passwords: dict[str, str]

    @classmethod
    def open(cls, folder: Path, *, issuer: str, client_id: str) -> Issuer:
        """With the key and the users' secrets of a data folder, made at the first time."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(issuer, client_id, _key(folder / "issuer.pem"), passwords(folder))

    def token(self, user: str, password: str) -> str:
        """An access token for a user who proves to be it. Raises TokenRefused."""
        known = self.passwords.get(user)
        if known is None or not secrets.compare_digest(known, password):
            raise TokenRefused("unknown user or wrong secret")
        now = int(time.time())
        claims = {
            "sub": user,
            "username": user,
            "cognito:groups": list(USERS[user]),
            "iss": self.issuer,
            "client_id": self.client_id,
            "token_use": "access",
            "auth_time": now,
            "iat": now,
            "exp": now + LIFETIME,
            "jti": str(uuid.uuid4()),
        }
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.key_id})

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a good token, as an API Gateway JWT authorizer checks it. Raises TokenRefused.

        https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
        """
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self.key.public_key(),
                algorithms=["RS256"],
                issuer=self.issuer,
                leeway=CLOCK_SKEW,
                options={"require": ["exp", "iat", "iss"], "verify_aud": False},
            )
        except jwt.InvalidTokenError as error:
            raise TokenRefused(type(error).__name__) from error
        audience = claims.get("aud", claims.get("client_id"))  # Cognito's access tokens have no `aud`
        if self.client_id not in (audience if isinstance(audience, list) else [audience]):
            raise TokenRefused("for another client")
        return claims

    @property
    def key_id(self) -> str:
        return f"local-{self.key.public_key().public_numbers().n % 0xFFFFFFFF:08x}"

    def jwks(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set (RFC 7517)."""
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": self.key_id, "use": "sig", "alg": "RS256"}]}


def passwords(folder: Path) -> dict[str, str]:
    """The users' secrets by name, made once per data folder."""
    file = folder / "users.json"
    known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    if set(USERS) - set(known):
        known = {user: known.get(user) or secrets.token_urlsafe(18) for user in USERS}
        _write_private(file, json.dumps(known, indent=1).encode())
    return known


def _key(file: Path) -> rsa.RSAPrivateKey:
    if not file.exists():
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write_private(file, pem)
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{file} holds another kind of key")
    return key


def _write_private(file: Path, content: bytes) -> None:
    scratch = file.with_suffix(".new")
    scratch.touch(mode=0o600)
    scratch.write_bytes(content)
    scratch.rename(file)
