"""How a requested dataset differs from the one that the bucket describes under its name."""

from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.plan import DatasetSpec
from vbvrdatafactory.planning.spec_changes import SpecChange
from vbvrdatafactory.s3.specs import compare_spec


def spec_changes(services: Services, spec: DatasetSpec) -> list[SpecChange]:
    """The differences, those that make it another dataset first; empty where there are none or no such dataset."""
    return compare_spec(services.bucket, spec)
