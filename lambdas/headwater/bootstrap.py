"""settings → App: the one place that picks an adapter for each port. Built on the first call of a sandbox, then kept.

Imports of what only some Lambdas use stand inside the functions that use it: a cold start pays for its own way alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from headwater.adapters import clients
from headwater.ehrs import Ehr, load
from headwater.ehrs.engines import engine_for
from headwater.model import Delivery, Proposal
from headwater.settings import Settings

if TYPE_CHECKING:
    from headwater.inbound.backfill import Backfill
    from headwater.inbound.follow import Follow
    from headwater.inbound.relink import Relink
    from headwater.outbound.policy import WritePolicy
    from headwater.outbound.propose import Propose
    from headwater.outbound.remind import Remind
    from headwater.outbound.review_api import ReviewApi
    from headwater.outbound.send import Send
    from headwater.outbound.terms import Terms
    from headwater.persons.policy import MatchingPolicy
    from headwater.pipeline import Ingest
    from headwater.ports import (
        Archive,
        AuditLog,
        Brakes,
        Clock,
        EhrApis,
        Empi,
        FhirStore,
        Inbox,
        Moves,
        Notices,
        PersonIndex,
        Proposals,
        Queue,
        Watch,
        WorkList,
    )
    from headwater.templates.engine import Engine


@cache
def app() -> App:
    """The App of this environment; one a sandbox."""
    return App(Settings.from_environment())


def now() -> datetime:
    return datetime.now(UTC)


class App:
    """Everything wired, each part made when it is first used. The drill moves its `clock`."""

    def __init__(self, settings: Settings, clock: Clock = now) -> None:
        self.settings = settings
        self.clock = clock

    # ----------------------------------------------------------------------------------------- what handlers call

    def batch(self, event: dict[str, Any], context: Any, handle: Callable[[Delivery], object]) -> Mapping[str, Any]:
        """Run an SQS batch; gives Lambda's partial batch response."""
        from headwater.adapters.sqs_batch import process

        return process(event, context, handle, sqs=clients.sqs(), watch=self.watch)

    def ingest(self, delivery: Delivery) -> None:
        self._ingest(delivery)

    def backfill(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """One batch of a Distributed Map; gives the batch with what is left of it."""
        return self._backfill(event, context.get_remaining_time_in_millis)

    def propose(self, delivery: Delivery) -> Proposal:
        return self._propose(delivery.body)

    def send(self, delivery: Delivery) -> Proposal:
        return self._send(delivery.body, receives=delivery.receives)

    def remind(self) -> None:
        self._remind()

    def follow(self) -> int:
        return self._follow()

    def review_api(self, event: dict[str, Any]) -> dict[str, Any]:
        return self._review_api(event)

    def published_keys(self, event: dict[str, Any]) -> dict[str, Any]:
        from headwater.adapters.ehr.published_keys import PublishedKeys

        return PublishedKeys(clients.ssm(), self.settings.keys_prefix)(event)

    # --------------------------------------------------------------------------------------------------- the steps

    @cached_property
    def _ingest(self) -> Ingest:
        return self._ingest_telling(self._queue(self.settings.write_queue_url))

    @cached_property
    def _backfill(self) -> Backfill:
        from headwater.adapters.aws_errors import described
        from headwater.inbound.backfill import Backfill

        take = self._ingest_telling(None).outcomes
        return Backfill(take=take, ehrs=self.ehrs, describe=described, watch=self.watch)

    def _ingest_telling(self, write_queue: Queue | None) -> Ingest:
        from headwater.pipeline import Ingest

        return Ingest(
            ehrs=self.ehrs,
            engine_for=self.engine_for,
            policy=self.policy,
            archive=self.archive,
            inbox=self.inbox,
            persons=self.persons,
            fhir=self.fhir,
            write_queue=write_queue,
            watch=self.watch,
            clock=self.clock,
            empi=self.empi,
            work_list=self.work_list,
        )

    @cached_property
    def _propose(self) -> Propose:
        from headwater.outbound.propose import Propose

        return Propose(
            ehrs=self.ehrs,
            engine_for=self.engine_for,
            apis=self.apis,
            index=self.persons,
            policy=self.policy,
            rules=self.rules,
            terms=self.terms,
            proposals=self.proposals,
            brakes=self.brakes,
            audit=self.audit,
            notices=self.notices,
            watch=self.watch,
            clock=self.clock,
        )

    @cached_property
    def relink(self) -> Relink:
        """For the steward's commands."""
        from headwater.inbound.relink import Relink
        from headwater.persons.links import Links

        return Relink(links=Links(index=self.persons, policy=self.policy), fhir=self.fhir)

    @cached_property
    def _follow(self) -> Follow:
        from headwater.inbound.follow import Follow

        return Follow(index=self.persons, moves=self.moves, fhir=self.fhir, watch=self.watch, clock=self.clock)

    @cached_property
    def _review_api(self) -> ReviewApi:
        from headwater.outbound.review import Review
        from headwater.outbound.review_api import ReviewApi

        return ReviewApi(
            Review(
                ehrs=self.ehrs,
                apis=self.apis,
                policy=self.policy,
                proposals=self.proposals,
                audit=self.audit,
                index=self.persons,
                rules=self.rules,
                write_queue=self._queue(self.settings.write_queue_url),
                send_queue=self.send_queue,
                notices=self.notices,
                watch=self.watch,
                clock=self.clock,
            )
        )

    @cached_property
    def _remind(self) -> Remind:
        from headwater.outbound.remind import Remind

        return Remind(
            proposals=self.proposals,
            brakes=self.brakes,
            audit=self.audit,
            notices=self.notices,
            send_queue=self.send_queue,
            rules=self.rules,
            watch=self.watch,
            clock=self.clock,
        )

    @cached_property
    def _send(self) -> Send:
        from headwater.outbound.send import Send

        return Send(
            ehrs=self.ehrs,
            apis=self.apis,
            index=self.persons,
            policy=self.policy,
            rules=self.rules,
            proposals=self.proposals,
            brakes=self.brakes,
            audit=self.audit,
            notices=self.notices,
            watch=self.watch,
            clock=self.clock,
        )

    # --------------------------------------------------------------------------------------------------- the ports

    @cached_property
    def ehrs(self) -> Mapping[str, Ehr]:
        return load(self.settings.mappings)

    @cached_property
    def policy(self) -> MatchingPolicy:
        from headwater.persons.policy import load_policy

        return load_policy(self.settings.mappings, salt=self._salt())

    @cached_property
    def rules(self) -> WritePolicy:
        from headwater.outbound.policy import load_write_policy

        return load_write_policy(self.settings.mappings)

    @cached_property
    def terms(self) -> Terms:
        from headwater.outbound.terms import Terms

        return Terms(self.settings.mappings)

    def _salt(self) -> str:
        """What keys the blocking hashes; only who files persons (ingest, the stewards' commands) is given it."""
        if not self.settings.salt_secret:
            return ""
        found = clients.secretsmanager().get_secret_value(SecretId=self.settings.salt_secret)
        return str(found["SecretString"])

    @cached_property
    def archive(self) -> Archive:
        from headwater.adapters.archive.s3 import S3Archive

        return S3Archive(clients.s3(), self.settings.archive_bucket)

    @cached_property
    def inbox(self) -> Inbox:
        from headwater.adapters.inbox.dynamodb import DynamoDbInbox

        return DynamoDbInbox(clients.dynamodb(), self.settings.messages_table)

    @cached_property
    def work_list(self) -> WorkList:
        from headwater.adapters.work_list.dynamodb import DynamoDbWorkList

        return DynamoDbWorkList(clients.dynamodb(), self.settings.messages_table)

    @cached_property
    def fhir(self) -> FhirStore:
        from headwater.adapters.fhir_store.healthlake import HealthLakeFhirStore

        return HealthLakeFhirStore(self.settings.fhir_endpoint, clients.credentials(), self.settings.region)

    @cached_property
    def persons(self) -> PersonIndex:
        from headwater.adapters.person_index.dynamodb import DynamoDbPersonIndex

        return DynamoDbPersonIndex(clients.dynamodb(), self.settings.persons_table)

    @cached_property
    def moves(self) -> Moves:
        from headwater.adapters.person_index.moves import DynamoDbMoves

        return DynamoDbMoves(clients.dynamodb(), self.settings.persons_table)

    @cached_property
    def empi(self) -> Empi | None:
        """The EMPI outside, where the deployment names one."""
        if not self.settings.empi:
            return None
        from headwater.adapters.empi import connect
        from headwater.adapters.empi.profile import Access, EmpiProfile
        from headwater.templates.engine import Engine

        secret = f"{self.settings.empi_secret_prefix}{self.settings.empi}"
        told = clients.secretsmanager().get_secret_value(SecretId=secret)["SecretString"]
        profile = EmpiProfile.read(self.settings.mappings, self.settings.empi)
        templates = Engine([self.settings.mappings / "empis" / self.settings.empi])
        return connect(profile, Access.read(told, place=secret), build=templates.build)

    @cached_property
    def proposals(self) -> Proposals:
        from headwater.adapters.proposals.dynamodb import DynamoDbProposals

        return DynamoDbProposals(clients.dynamodb(), self.settings.proposals_table)

    @cached_property
    def brakes(self) -> Brakes:
        from headwater.adapters.brakes.dynamodb import DynamoDbBrakes

        return DynamoDbBrakes(clients.dynamodb(), self.settings.proposals_table)

    @cached_property
    def notices(self) -> Notices:
        from headwater.adapters.notices.sns import SnsNotices

        return SnsNotices(clients.sns(), self.settings.notices_topic)

    @cached_property
    def audit(self) -> AuditLog:
        from headwater.adapters.audit.s3 import S3AuditLog

        return S3AuditLog(clients.s3(), self.settings.audit_bucket)

    @cached_property
    def apis(self) -> EhrApis:
        from headwater.adapters.ehr.apis import SecretApis

        def build_for(ehr: Ehr) -> Callable[[str, Mapping[str, object]], Any]:
            # The engine is made when a row must be read by a template, which most EHRs never need.
            return lambda template, variables: self.engine_for(ehr).build(template, variables)

        prefix = self.settings.ehr_secret_prefix
        return SecretApis(self.ehrs, clients.secretsmanager(), prefix, build_for=build_for, watch=self.watch)

    @cached_property
    def watch(self) -> Watch:
        from headwater.adapters.watch.powertools import PowertoolsWatch

        return PowertoolsWatch()

    @cached_property
    def send_queue(self) -> Queue:
        return self._queue(self.settings.send_queue_url)

    def _queue(self, url: str) -> Queue:
        from headwater.adapters.queue.sqs import SqsQueue

        return SqsQueue(clients.sqs(), url)

    @cached_property
    def engine_for(self) -> Callable[[Ehr], Engine]:
        """An EHR's templates: its own folders first, then those it is like, then base."""
        return engine_for(self.settings.mappings)
