"""Two datasets of one generator side by side in a bucket, each below a prefix of its own."""

import pytest
from click.testing import CliRunner

from vbvrdatafactory import aws
from vbvrdatafactory.cli.main import cli
from vbvrdatafactory.s3.listing import sizes

pytestmark = [pytest.mark.aws, pytest.mark.prefect]


def keys_below(factory, folder: str) -> list[str]:
    return [key for key, _ in sizes(factory.store, folder)]


def test_train_and_test_of_one_generator(factory, tmp_path) -> None:
    """Each has its own samples and records, of its own seed; commands that name the dataset find them."""
    name = factory.add_generator("T-split")
    reports = {
        split: factory.generate(
            name, dataset=f"split-{split}", prefix=f"{split}/v2", seed=seed, output_format=form
        )
        for split, seed, form in (("train", 1, "files"), ("test", 2, "tar"))
    }
    assert [(report.complete, report.total.right) for report in reports.values()] == [(True, 8)] * 2
    assert (
        keys_below(factory, f"questions/{name}") == keys_below(factory, f"_datafactory/receipts/{name}") == []
    )
    assert len(keys_below(factory, f"train/v2/questions/{name}")) == 8 * 5
    assert len(keys_below(factory, "test/v2/questions")) == 2
    assert len(keys_below(factory, f"test/v2/_datafactory/receipts/{name}")) == 2
    assert reports["train"].place().endswith("/train/v2/questions/")
    env = {"DATAFACTORY_ENV_FILE": str(factory.env_file)}

    def run(*args: object) -> str:
        done = CliRunner().invoke(cli, ["--env-file", str(factory.env_file), *map(str, args)], env=env)
        assert done.exit_code == 0, done.output
        return done.output

    assert "8 are right" in run("verify", "split-train", "--deep")
    assert "Read 8 samples; 0 differ" in run("verify", "split-test", "--deep")
    run("download", tmp_path, "--dataset", "split-train")
    assert len([*tmp_path.rglob("first_frame.png")]) == 8
    assert len(run("runs", "split-test").splitlines()) >= 1


def test_failures_below_a_prefix_are_explained(factory) -> None:
    """Why a generator made nothing is read where its records lie."""
    name = factory.add_generator("T-split-broken", crash="no such shape")
    report = factory.generate(name, dataset="split-broken", prefix="broken", max_rounds=2)
    assert "ValueError: no such shape" in report.failures[0].detail
    assert keys_below(factory, f"broken/_datafactory/failures/{name}")
    assert not keys_below(factory, f"_datafactory/failures/{name}")


def test_other_samples_in_one_place_are_refused(factory) -> None:
    """With the names of both datasets, before anything is sent; a prefix is the way out."""
    name = factory.add_generator("T-rivals")
    factory.generate(name, dataset="first-rival", seed=1)
    with pytest.raises(Exception, match="'first-rival' \\(seed 1\\) and 'second-rival' \\(seed 2\\)"):
        factory.generate(name, dataset="second-rival", seed=2)
    assert factory.generate(name, dataset="second-rival", seed=2, prefix="second").complete


def test_odd_keys_below_a_prefix_are_counted(factory) -> None:
    """Keys that are no paths are listed another way, and that knows the prefix too."""
    name = factory.add_generator("T-odd")
    factory.generate(name, dataset="odd", prefix="odd")
    s3 = aws.s3(factory.config)
    s3.put_object(Bucket=factory.config.output_bucket, Key=f"odd/questions/{name}//x", Body=b"x")
    report = factory.generate(name, dataset="odd", prefix="odd")
    assert (report.complete, report.unrecognised) == (True, 1)
    s3.delete_object(Bucket=factory.config.output_bucket, Key=f"odd/questions/{name}//x")
