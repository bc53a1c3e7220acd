"""Where things lie in a checkout. `infra` is not in the wheel, so there always is one."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
LOCAL_TEMPLATE = CHECKOUT / "infra" / "templates" / "local.json"
ONE_CLICK_TEMPLATE = CHECKOUT / "infra" / "templates" / "one-click.json"
GENERATORS = CHECKOUT / "generators"
STATE = CHECKOUT / ".datafactory"
# The packages a worker consists of.
WORKER_PACKAGES = (CHECKOUT / "vbvrdatafactory", CHECKOUT / "lambda_worker")
