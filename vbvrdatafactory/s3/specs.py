"""Reads and writes the specs of datasets in the bucket, so that later runs need only a dataset's name."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import obstore
from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError, NewerSchemaError
from vbvrdatafactory.core.names import is_safe_name, safe_name
from vbvrdatafactory.planning.plan import DatasetSpec
from vbvrdatafactory.planning.spec_changes import SpecChange, compare, refusal, rival
from vbvrdatafactory.s3.listing import sizes, top
from vbvrdatafactory.s3.records import READ_THREADS, read, read_if_valid, write

SPEC = "spec.json"


def write_spec(
    store: ObjectStore, spec: DatasetSpec, *, replace: bool = False, at: datetime | None = None
) -> list[SpecChange]:
    """Write the spec, so that later runs need only the dataset's name. The spec that it replaces is kept as a copy.

    Args:
        store: the dataset's bucket.
        spec: the requested dataset.
        replace: write it even where it redefines the dataset.
        at: the time now; default the clock's.

    Returns:
        How it differs from the spec before.

    Raises:
        Redefined: it redefines the dataset, and `replace` is not set.
        DataFactoryError: another dataset has other samples in its place, and it does not say to keep or replace them.
    """
    changes = check_spec(store, spec, replace=replace)
    key = keys.dataset_file(spec.dataset, SPEC)
    if changes:
        obstore.copy(store, key, keys.former_spec(spec.dataset, at or datetime.now(UTC)))
    write(store, key, spec)
    return changes


def check_spec(store: ObjectStore, spec: DatasetSpec, *, replace: bool) -> list[SpecChange]:
    """How `spec` differs from the one in the bucket; raises as `write_spec` does."""
    changes = compare_spec(store, spec)
    if spec.on_mismatch == "refuse" and (other := rival(spec, _current_specs(store))):
        raise DataFactoryError(
            f"datasets {other.dataset!r} (seed {other.seed}) and {spec.dataset!r} (seed {spec.seed}) would have different "
            f"samples of the same generators in one place; give {spec.dataset!r} a prefix of its own with --prefix (prefix "
            "in a flow), ask for the other dataset's seed, or run again with --on-mismatch replace or keep"
        )
    if not replace and any(change.redefines for change in changes):
        raise refusal(spec.dataset, changes)
    return changes


def compare_spec(store: ObjectStore, spec: DatasetSpec) -> list[SpecChange]:
    """How `spec` differs from the one in the bucket; a damaged one differs.

    Raises:
        NewerSchemaError: a newer version wrote it. It must not be replaced by what this version knows.
    """
    try:
        before = read(store, keys.dataset_file(spec.dataset, SPEC), DatasetSpec)
    except NewerSchemaError:
        raise
    except DataFactoryError as error:
        return [SpecChange(str(error), redefines=True)]
    return compare(before, spec) if before else []


def read_spec(store: ObjectStore, dataset: str) -> DatasetSpec:
    """The spec of a dataset.

    Raises:
        DataFactoryError: the bucket has none; the message names those it has.
    """
    try:
        safe_name(dataset)
    except ValueError as error:
        raise DataFactoryError(f"no dataset can be called {error}") from error
    spec = read(store, keys.dataset_file(dataset, SPEC), DatasetSpec)
    if spec is None:
        known = ", ".join(list_datasets(store)) or "none"
        raise DataFactoryError(f"no dataset {dataset!r} is described in the bucket; described: {known}")
    return spec


def read_all_specs(store: ObjectStore) -> list[DatasetSpec]:
    """Every spec in the bucket, current ones before replaced ones; those that can't be read are left out."""
    former = [key for dataset in list_datasets(store) for key, _ in sizes(store, keys.former_specs(dataset))]
    return [*_current_specs(store), *_read_all(store, former)]


def _current_specs(store: ObjectStore) -> list[DatasetSpec]:
    return _read_all(store, [keys.dataset_file(dataset, SPEC) for dataset in list_datasets(store)])


def _read_all(store: ObjectStore, where: Iterable[str]) -> list[DatasetSpec]:
    with ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read") as pool:
        return [spec for spec in pool.map(lambda key: read_if_valid(store, key, DatasetSpec), where) if spec]


def list_datasets(store: ObjectStore) -> list[str]:
    """Names of the datasets that have a spec in the bucket; folders whose names are not valid dataset names are left out."""
    names = (folder.removeprefix(keys.DATASETS) for folder in top(store, keys.DATASETS).folders)
    return sorted(filter(is_safe_name, names))
