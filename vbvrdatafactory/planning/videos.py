"""What the videos of a generator are: rate, size and length, by its ledger."""

from pydantic import BaseModel, ConfigDict, Field


class Videos(BaseModel):
    """Samples of one generator whose videos have one rate and size."""

    model_config = ConfigDict(frozen=True)

    fps: float
    width: int = Field(description="Pixels")
    height: int = Field(description="Pixels")
    least_frames: int
    most_frames: int
    samples: int
