"""headwater ehrs keys show, rotate: the keys that we sign with at an EHR, and when which of them does."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from headwater.adapters.ehr.keys import jwk_set, rotated
from headwater.ehrs import Api, Auth
from local.cli.options import add_target, target_of
from local.target import Target


def add(actions: Any) -> None:
    group: argparse.ArgumentParser = actions.add_parser("keys", help="the keys that we sign with at an EHR")
    verbs = group.add_subparsers(metavar="ACTION", required=True)
    showing = verbs.add_parser("show", help="which key signs, which is to come, and the JWK Set that is published")
    rotating = verbs.add_parser("rotate", help="make a new key, publish it beside the present one, sign with it later")
    rotating.add_argument(
        "--lead", type=float, default=24.0, metavar="HOURS", help="until the new key signs (%(default)s)"
    )
    for action, function in ((showing, show), (rotating, rotate)):
        action.add_argument("ehr", metavar="EHR", help="a folder in mappings/ehrs")
        add_target(action)
        action.set_defaults(run=function)


def show(options: argparse.Namespace) -> int:
    target = target_of(options)
    api, secret = _api(target, options.ehr), _secret(target, options.ehr)
    print(f"{options.ehr} signs {api.algorithm} with {secret.get('kid', '(no key)')}")
    if secret.get("next_from"):
        print(f"from {secret['next_from']} on with {secret['next_kid']}")
    print(json.dumps(jwk_set(secret, api.algorithm), indent=2))
    return 0


def rotate(options: argparse.Namespace) -> int:
    """Published first, then known to the sender: no assertion is ever signed by a key that cannot be fetched."""
    target = target_of(options)
    api = _api(target, options.ehr)
    if api.auth is not Auth.PRIVATE_KEY_JWT:
        print(f"headwater: {options.ehr} knows us by a client secret, not by a key", file=sys.stderr)
        return 2
    try:
        new = rotated(
            _secret(target, options.ehr), api.algorithm, datetime.now(UTC), lead=timedelta(hours=options.lead)
        )
    except ValueError as why:
        print(f"headwater: {why}", file=sys.stderr)
        return 1
    keys = json.dumps(jwk_set(new, api.algorithm))
    name = f"{target.app.settings.keys_prefix}{options.ehr}"
    target.client("ssm").put_parameter(Name=name, Value=keys, Type="String", Overwrite=True)
    target.client("secretsmanager").put_secret_value(SecretId=_name(target, options.ehr), SecretString=json.dumps(new))
    if new.get("next_from"):
        print(f"{new['next_kid']} is published and signs from {new['next_from']} on; {new['kid']} until then")
    else:
        print(f"{new['kid']} is published and signs")
    return 0


def _api(target: Target, ehr: str) -> Api:
    known = target.app.ehrs.get(ehr)
    if known is None or known.api is None:
        print(f"headwater: {ehr} has no [api]", file=sys.stderr)
        sys.exit(2)
    return known.api


def _name(target: Target, ehr: str) -> str:
    return f"{target.app.settings.ehr_secret_prefix}{ehr}"


def _secret(target: Target, ehr: str) -> dict[str, str]:
    secrets, name = target.client("secretsmanager"), _name(target, ehr)
    try:
        found: dict[str, str] = json.loads(secrets.get_secret_value(SecretId=name)["SecretString"])
    except secrets.exceptions.ResourceNotFoundException:
        print(f"headwater: there is no secret {name}: make it first (docs/ehrs.md)", file=sys.stderr)
        sys.exit(2)
    return found
