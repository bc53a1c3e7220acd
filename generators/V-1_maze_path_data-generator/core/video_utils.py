"""H.264 video from frames that are drawn one at a time, so that memory stays flat at any length."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]

# A keyframe every half second; no B-frames, so that browsers start at time zero; the matrix swscale uses, by name.
ENCODER = {"crf": "15", "preset": "veryfast", "tune": "psnr", "g": "8", "bf": "0"}
ENCODER["x264-params"] = "colorprim=smpte170m:transfer=smpte170m:colormatrix=smpte170m"


@dataclass(frozen=True)
class Video:
    """A video yet to be encoded: `frames()` yields RGB arrays of shape (size, size, 3)."""

    frames: Callable[[], Iterable[Frame]]
    size: int
    fps: int

    def write(self, path: Path) -> None:
        with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream("libx264", rate=self.fps, options=ENCODER)
            stream.width = stream.height = self.size
            stream.pix_fmt = "yuv420p"
            stream.codec_context.thread_count = 1  # x264's bytes differ with the number of threads
            for frame in self.frames():
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
