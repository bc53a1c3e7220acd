import io
import os
from pathlib import Path
from zipfile import ZipFile

import pytest

from infra import bundle, paths
from vbvrdatafactory.core.errors import DataFactoryError


def test_the_same_sources_give_the_same_bytes(stub: Path) -> None:
    """Touching a file changes nothing; what is stored under the digest is what was stored before."""
    before = bundle.build([stub])
    os.utime(stub / "handler.py", (0, 0))
    (stub / "handler.py").chmod(0o600)
    assert bundle.build([stub]) == before
    assert before.key == f"worker/{before.digest}.zip"


def test_other_sources_give_another_digest(stub: Path) -> None:
    """A changed line, or a moved file, is another worker."""
    first = bundle.build([stub])
    (stub / "handler.py").rename(stub / "entry.py")
    second = bundle.build([stub])
    (stub / "entry.py").write_text("pass")
    assert len({first.digest, second.digest, bundle.build([stub]).digest}) == 3


def test_only_sources_are_packed(stub: Path) -> None:
    """Bytecode, Dockerfiles and the like stay out."""
    (stub / "Dockerfile").touch()
    (stub / "__pycache__").mkdir()
    (stub / "__pycache__" / "handler.cpython-311.pyc").touch()
    with ZipFile(io.BytesIO(bundle.build([stub]).content)) as archive:
        assert archive.namelist() == ["lambda_worker/__init__.py", "lambda_worker/handler.py"]


def test_odd_files_are_passed_over(stub: Path) -> None:
    """An editor's lock, a folder called x.py or a FIFO among the sources changes nothing of the bundle."""
    before = bundle.build([stub])
    (stub / ".#handler.py").symlink_to("someone@host.1:2")
    (stub / "x.py").mkdir()
    os.mkfifo(stub / "pipe.py")
    (stub / os.fsdecode(b"caf\xe9.py")).touch()
    assert bundle.build([stub]) == before


def test_the_real_worker() -> None:
    """The worker's zip file holds the library and the handler the template names."""
    with ZipFile(io.BytesIO(bundle.build(paths.WORKER_PACKAGES).content)) as archive:
        assert {"lambda_worker/handler.py", "vbvrdatafactory/core/config.py"} <= set(archive.namelist())


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    """A worker without sources is refused by name."""
    with pytest.raises(DataFactoryError, match="nothing-here"):
        bundle.build([tmp_path / "nothing-here"])
