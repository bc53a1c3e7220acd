from prefect.utilities.callables import parameter_schema

from flows.redrive_dead_letters import redrive_dead_letters


def test_every_parameter_is_described_in_the_form() -> None:
    """The fourth flow's form says what its fields mean."""
    properties = parameter_schema(redrive_dead_letters.fn).properties
    assert set(properties) == {"generators", "dry_run"}
    assert all(field.get("description") for field in properties.values())
