"""Reads and files the certificates of generators."""

from collections import defaultdict
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.certificates import Certificate
from vbvrdatafactory.core.records import Band, BandRecord
from vbvrdatafactory.s3.listing import sizes
from vbvrdatafactory.s3.records import READ_THREADS, read_if_valid, write


def read_certificates(store: ObjectStore, generators: Collection[str]) -> dict[str, list[Certificate]]:
    """All certificates of these generators, by generator, the latest last; one that can't be read is left out."""
    filed = [key for key, _ in sizes(store, keys.CERTIFICATES) if keys.parse_certificate(key) in generators]
    found: dict[str, list[Certificate]] = defaultdict(list)
    with ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read") as pool:
        for key, certificate in zip(
            filed, pool.map(lambda key: read_if_valid(store, key, Certificate), filed), strict=True
        ):
            # What a record says it is about must be where it lies.
            if certificate and certificate.generator == keys.parse_certificate(key):
                found[certificate.generator].append(certificate)
    for certificates in found.values():
        certificates.sort(key=lambda one: one.certified_at)
    return found


def write_certificate(store: ObjectStore, certificate: Certificate) -> None:
    """File a certificate, in place of an earlier one of the same code and environment."""
    write(
        store,
        keys.certificate(certificate.generator, certificate.code, certificate.environment),
        certificate,
    )


def read_band(store: ObjectStore, generator: str, code: str) -> Band | None:
    """What is usual for samples of a generator's code; None where that is not settled."""
    record = read_if_valid(store, keys.band(generator, code), BandRecord) if code else None
    return record.band if record else None
