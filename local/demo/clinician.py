"""Scripted clinicians: look at each proposal through the review API and decide, as people would with `review`.

One of sixteen is rejected and one of sixteen left for somebody else, chosen by the intent, so that a run ends with
every kind of row in the ledger.
"""

from __future__ import annotations

import contextlib

from local.target import Problem, Target

USER, COLLEAGUE = "dr.rivera", "dr.chen"


class Clinician:
    """`work` decides what is waiting now."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def work(self) -> None:
        for one in self._target.review(USER, "GET", "/proposals?state=PROPOSED")["proposals"]:
            if not leaves(one["intent"]):
                with contextlib.suppress(Problem):  # what is refused for good has left the list when we look again
                    self._decide(one["intent"])

    def _decide(self, intent: str) -> None:
        seen = self._target.review(USER, "GET", f"/proposals/{intent}")
        body = {"payload_hash": seen["payload_hash"], "flags": seen["flags"]}
        if intent.startswith("f"):
            body["reason"] = "already discussed with the patient; not for this chart"
            self._target.review(USER, "POST", f"/proposals/{intent}/rejection", body)
        else:
            for user in (USER, COLLEAGUE)[: seen["approvers"]]:
                self._target.review(user, "POST", f"/proposals/{intent}/approval", body)


def leaves(intent: str) -> bool:
    return intent.startswith("e")
