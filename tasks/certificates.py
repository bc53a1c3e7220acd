"""The task that certifies generators by what their first batches left in the bucket."""

from prefect import task

from tasks.retries import RETRIED
from tasks.services import services
from vbvrdatafactory.core.certificates import Certificate
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.driver import certificates
from vbvrdatafactory.driver.run import Run
from vbvrdatafactory.planning.certifying import why_failed
from vbvrdatafactory.planning.gaps import Observation


@task(task_run_name="{run.dataset}/{step}/certify", **RETRIED)
def certify_generators(
    run: Run, generators: list[str], step: str, seen: Observation | None = None
) -> dict[str, Certificate]:
    """Certify generators, file that, and say what their certificates remark."""
    del step  # it names the task run
    here = services()
    found = certificates.certify_generators(here, run.plan, generators, seen, run.guard.since)
    for name, certificate in found.items():
        samples = run.plan.generators[name].samples
        for remark in certificate.remarks(samples) if certificate.passed else [why_failed(certificate)]:
            here.log.warning("%s: %s", for_terminal(name), for_terminal(remark))
    return found
