"""The CDK app: composes the stacks. `make synth` runs it by the CDK CLI; the tests and the local stack call `compose`.

Data goes first, for everything else names it; outbound comes before inbound, for ingest sends to its write queue.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from infra.assets import assets
from infra.data import DataStack
from infra.deployment import Deployment, cdk_app
from infra.inbound import InboundStack
from infra.outbound import OutboundStack
from infra.watch import WatchStack

if TYPE_CHECKING:
    from aws_cdk import App


def compose(context: Mapping[str, Any] | None = None, *, outdir: str | None = None, bundle: bool = True) -> App:
    """The app with its four stacks. `context` adds to cdk.json's.

    Without `bundle` the same templates name assets that are not built: seconds rather than a minute, and no network;
    good for tests and the local stack, not for `cdk deploy`.
    """
    app = cdk_app(context or {}, outdir=outdir, deployable=bundle)
    deployment = Deployment.from_context(app.node)
    made_of = assets(bundle=bundle)
    data = DataStack(app, deployment.name("data"), deployment=deployment)
    outbound = OutboundStack(app, deployment.name("outbound"), deployment=deployment, assets=made_of, data=data)
    InboundStack(
        app,
        deployment.name("inbound"),
        deployment=deployment,
        assets=made_of,
        data=data,
        write_queue=outbound.write.messages,
    )
    WatchStack(app, deployment.name("watch"), deployment=deployment, data=data)
    return app


if __name__ == "__main__":
    compose(
        outdir=os.environ.get("CDK_OUTDIR", "cdk.out"),  # set by the CLI
        bundle=os.environ.get("HEADWATER_BUNDLE", "true") != "false",
    ).synth()
