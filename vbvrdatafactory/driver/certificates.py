"""Certifies generators: reads what their first batches left in the bucket, and files what that proves."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import NamedTuple

from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.certificates import Certificate
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.core.records import FailureRecord, MadeBy, Receipt
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.files import code_digest
from vbvrdatafactory.lockfile import read_lock
from vbvrdatafactory.planning.certifying import Proof, certify, is_due, sharpen
from vbvrdatafactory.planning.evidence import Evidence
from vbvrdatafactory.planning.gaps import Observation
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.s3.certificates import read_band, read_certificates, write_certificate
from vbvrdatafactory.s3.listing import take_evidence
from vbvrdatafactory.s3.records import READ_THREADS, read_if_valid

# Of each generator so many of its latest records are read.
_RECORDS = 4


class Identity(NamedTuple):
    """What a generator is now: digests of its code and its environment, None where this machine can't tell."""

    code: str | None
    environment: str | None


def identities(config: Config, generators: Iterable[str]) -> dict[str, Identity]:
    """What generators are now, by their folders here and their lock."""
    lock, folder = read_lock(config.generators_path), config.generators_path
    found = {}
    for name in generators:
        locked = lock.generators.get(name) if lock else None
        environment = lock.environment_of(name) if lock and locked else None
        code = code_digest(folder / name) if (folder / name).is_dir() else None
        found[name] = Identity(
            code or (locked.code if locked else None) or None, environment.digest if environment else None
        )
    return found


def valid_certificates(services: Services, plan: Plan, seen: Observation) -> dict[str, Certificate]:
    """The certificates of a plan's generators that hold for what they are now, passed or failed, by generator.

    Args:
        services: the bucket, and where the generators are.
        plan: the dataset's plan.
        seen: what is there: the worker that made the latest batch is the one of now.
    """
    filed = read_certificates(services.samples(plan.spec.prefix), plan.generators.keys())
    now = identities(services.config, filed)
    latest = max(
        (batches[-1] for batches in seen.batches.values() if batches),
        key=lambda batch: batch.made_at,
        default=None,
    )
    worker = latest.worker if latest else ""
    found = {}
    for name, certificates in filed.items():
        mine = [one for one in certificates if one.is_of(*now[name])]
        if mine and (not mine[-1].passed or not is_due(mine[-1], *now[name], worker)):
            found[name] = mine[-1]
    return found


def certify_generators(
    services: Services, plan: Plan, generators: Collection[str], seen: Observation | None, since: datetime
) -> dict[str, Certificate]:
    """Certify generators by the records of their latest batches, and file that; one without records is left out.

    Args:
        services: the bucket.
        plan: the dataset's plan.
        generators: which.
        seen: what a look showed of them; None where nobody has looked yet.
        since: when the run began, by the bucket's clock: older failures say nothing.
    """
    store = services.samples(plan.spec.prefix)
    evidence = take_evidence(store, list(generators))
    with ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read") as pool:
        made = pool.map(lambda name: _certify(store, evidence, name, seen, since), generators)
        found = {one.generator: one for one in made if one}
        for _ in pool.map(lambda one: _file(services, store, one), found.values()):
            pass
    return found


def _certify(
    store: ObjectStore, evidence: Evidence, generator: str, seen: Observation | None, since: datetime
) -> Certificate | None:
    runs = sorted(evidence.runs(generator), key=lambda run: run.at)[-_RECORDS:]
    receipts = [
        receipt
        for run in runs
        if (receipt := read_if_valid(store, keys.receipt(run.key), Receipt)) and receipt.usage
    ]
    receipts.sort(key=lambda receipt: receipt.finished_at)
    failed = [one for one in evidence.failures(generator) if one.at >= since][-_RECORDS:]
    failures = [
        record for one in failed if (record := read_if_valid(store, keys.failure(one.key), FailureRecord))
    ]
    # Of what another code, environment or worker made nothing is known of what there is now.
    everything: list[Receipt | FailureRecord] = [*receipts, *failures]
    latest = max((one for one in everything if one.made_by), key=_when, default=None)
    if latest:
        receipts = [one for one in receipts if _origin(one) == _origin(latest)]
        # Of one whose worker was lost nobody knows what it was.
        failures = [one for one in failures if _origin(one) == _origin(latest) or not one.made_by]
    return certify(generator, _proof(store, generator, receipts, failures, seen), datetime.now(UTC))


def note_failed_probes(
    services: Services, plan: Plan, certificates: Mapping[str, Certificate], since: datetime
) -> dict[str, Certificate]:
    """The certificates with probes that failed after they were made, filed where that changes them.

    Args:
        services: the bucket.
        plan: the dataset's plan.
        certificates: of generators whose probes were not all done then.
        since: when the run began, by the bucket's clock.
    """
    store, found = services.samples(plan.spec.prefix), dict(certificates)
    evidence = take_evidence(store, list(certificates))
    for name, certificate in certificates.items():
        failed = [one for one in evidence.failures(name) if one.at >= since][:_RECORDS]
        records = [read_if_valid(store, keys.failure(one.key), FailureRecord) for one in failed]
        probes = [one for one in records if one and one.message and one.message.certify]
        if len(probes) > certificate.failed:
            causes = {one.cause for one in probes}
            found[name] = certificate.model_copy(
                update={
                    "failed": len(probes),
                    "cause": causes.pop() if len(causes) == 1 else None,
                    "problem": probes[-1].detail,
                    "stderr_tail": probes[-1].stderr_tail,
                }
            )
            _file(services, store, found[name])
    return found


def _when(record: Receipt | FailureRecord) -> datetime:
    return record.finished_at if isinstance(record, Receipt) else record.failed_at


def _origin(record: Receipt | FailureRecord) -> tuple[str | None, str, str]:
    """Code, environment and worker that made it, or failed to."""
    made_by = record.made_by or MadeBy()
    return record.generator_digest, made_by.environment or "", made_by.worker or ""


def _proof(
    store: ObjectStore,
    generator: str,
    receipts: Sequence[Receipt] = (),
    failures: Sequence[FailureRecord] = (),
    seen: Observation | None = None,
) -> Proof:
    code = receipts[-1].generator_digest if receipts else None
    proof = Proof(receipts, failures, band=read_band(store, generator, code or ""))
    return _with_seen(proof, generator, seen) if seen else proof


def _with_seen(proof: Proof, generator: str, seen: Observation) -> Proof:
    batches = seen.batches.get(generator, ())
    return proof._replace(batches=batches, distinct=seen.distinct.get(generator, proof.distinct))


def sharpen_certificates(
    services: Services, plan: Plan, certificates: Mapping[str, Certificate], seen: Observation
) -> dict[str, Certificate]:
    """The certificates with what batches took since; those that changed are filed."""
    store, found = services.samples(plan.spec.prefix), {}
    for name, certificate in certificates.items():
        if not certificate.passed or name not in seen.batches:
            found[name] = certificate
            continue
        found[name] = sharpen(certificate, _with_seen(Proof(()), name, seen))
        if found[name] != certificate:
            _file(services, store, found[name])
    return found


def _file(services: Services, store: ObjectStore, certificate: Certificate) -> None:
    """File a certificate; who may not goes on without, and certifies again next time."""
    try:
        write_certificate(store, certificate)
    except BaseError as error:
        services.log.warning(
            "the certificate of %s was not filed: %s",
            for_terminal(certificate.generator),
            for_terminal(str(error)[:300]),
        )
