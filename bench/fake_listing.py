"""A loopback S3 that lists a bucket of any size which is nowhere: keys are joined from rendered pieces.

    questions/{generator}/{task}_task/{task}_{index:04d}/{five files}

A page is 200 samples, 1,000 keys. The pages of all generators are the same but for what stands before the sample's
number, so a page is one join. Where samples are lacking or torn a page has fewer keys, as S3 may send.

    python -m bench.fake_listing GENERATORS SAMPLES FAULT_EVERY      prints the port it listens on
"""

from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

from bench.fake_server import FakeService, Request, command_line, response, serve

FILES = ("final_frame.png", "first_frame.png", "ground_truth.mp4", "metadata.json", "prompt.txt")
BUCKET = "bench-bucket"
SAMPLES_PER_PAGE = 200
_ROOT = "questions/"
_XML = b"application/xml"
_HEAD = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<Name>bench-bucket</Name><Prefix>%b</Prefix><MaxKeys>1000</MaxKeys><KeyCount>%d</KeyCount>"
    b"<IsTruncated>%b</IsTruncated>%b"
)
_TAIL = b"</ListBucketResult>"
_ROW = (
    "{number}/{name}</Key><LastModified>2026-01-15T10:20:30.000Z</LastModified>"
    "<ETag>&quot;9b2cf535f27731c974343645a3985328&quot;</ETag><Size>{size}</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)


class Shape:
    """What the bucket holds: the truth that a listing of it is compared with.

    Args:
        generators: how many there are.
        samples: of each; at most 10,000, so that their order is that of their numbers.
        fault_every: of every so many generators' first page, one sample is lacking and one is torn; 0: none.
    """

    def __init__(self, generators: int, samples: int, fault_every: int = 0) -> None:
        self.names = [f"G-{number:03d}_fake_task_data-generator" for number in range(generators)]
        self.samples, self.fault_every = samples, fault_every

    @property
    def pages(self) -> int:
        """Of one generator."""
        return -(-self.samples // SAMPLES_PER_PAGE)

    def is_faulty(self, generator: int) -> bool:
        return bool(self.fault_every) and generator % self.fault_every == 0

    def missing(self, generator: int) -> set[int]:
        """Samples that are not there at all."""
        return {generator % self.samples} if self.is_faulty(generator) else set()

    def torn(self, generator: int) -> set[int]:
        """Samples whose first frame is not there."""
        return {(generator + self.samples // 2) % self.samples} if self.is_faulty(generator) else set()

    @property
    def keys(self) -> int:
        """In the whole bucket."""
        lacking = sum(len(FILES) * len(self.missing(n)) + len(self.torn(n)) for n in range(len(self.names)))
        return len(self.names) * self.samples * len(FILES) - lacking


class Listing(FakeService):
    """ListObjectsV2 of the bucket, by prefix, delimiter and continuation token."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.number_of = {name: number for number, name in enumerate(shape.names)}
        # Few pages are there at once: what is asked for at the same time is mostly another generator's same page.
        self.rows = lru_cache(maxsize=4096)(self._rows)

    def answer(self, request: Request) -> bytes:
        query = parse_qs(urlsplit(request.target.decode()).query)
        self.counts["pages"] += 1
        prefix = query.get("prefix", [""])[0]
        if query.get("delimiter"):
            return self._folders(prefix)
        first, last = self._generators(prefix)
        token = query.get("continuation-token", [f"{first}.0"])[0]
        generator, _, page = token.partition(".")
        return self._page(prefix, int(generator), int(page), last) if first < last else _empty(prefix)

    def _generators(self, prefix: str) -> tuple[int, int]:
        """The run of generators below `prefix`: all of them, or one."""
        name = prefix.removeprefix(_ROOT).partition("/")[0]
        if not name:
            return 0, len(self.shape.names)
        number = self.number_of.get(name)
        return (number, number + 1) if number is not None else (0, 0)

    def _folders(self, prefix: str) -> bytes:
        """The level below `prefix`, which is one page: generators, or what is in one."""
        wanted = prefix in ("", _ROOT)
        rows = "".join(
            f"<CommonPrefixes><Prefix>{_ROOT}{name}/</Prefix></CommonPrefixes>"
            for name in self.shape.names
            if wanted
        )
        count = len(self.shape.names) if wanted else 0
        return response(_HEAD % (prefix.encode(), count, b"false", b"") + rows.encode() + _TAIL, _XML)

    def _page(self, prefix: str, generator: int, page: int, last: int) -> bytes:
        following = (generator, page + 1) if page + 1 < self.shape.pages else (generator + 1, 0)
        more = following[0] < last
        token = b"<NextContinuationToken>%d.%d</NextContinuationToken>" % following if more else b""
        special = page if self.shape.is_faulty(generator) else None
        pieces = self.rows(page, generator if special is not None else None)
        stem = f"<Contents><Key>{_ROOT}{self.shape.names[generator]}/fake_task/fake_".encode()
        self.counts["keys"] += len(pieces) - 1
        head = _HEAD % (prefix.encode(), len(pieces) - 1, b"true" if more else b"false", token)
        return response(b"%b%b%b" % (head, stem.join(pieces), _TAIL), _XML)

    def _rows(self, page: int, faulty: int | None) -> list[bytes]:
        """What follows the stem in each row of a page; the first piece is empty, so that a join sets it before all."""
        start = page * SAMPLES_PER_PAGE
        missing = self.shape.missing(faulty) if faulty is not None else set()
        torn = self.shape.torn(faulty) if faulty is not None else set()
        return [b""] + [
            piece
            for index in range(start, min(start + SAMPLES_PER_PAGE, self.shape.samples))
            for name, piece in zip(FILES, row_pieces(index), strict=True)
            if index not in missing and not (index in torn and name == "first_frame.png")
        ]


@lru_cache(maxsize=100_000)
def row_pieces(index: int) -> tuple[bytes, ...]:
    """What follows the stem of their keys in the rows of a sample's files."""
    return tuple(_ROW.format(number=f"{index:04d}", name=name, size=900 + index).encode() for name in FILES)


def _empty(prefix: str) -> bytes:
    return response(_HEAD % (prefix.encode(), 0, b"false", b"") + _TAIL, _XML)


if __name__ == "__main__":
    parser = command_line(__doc__)
    for number in ("generators", "samples", "fault_every"):
        parser.add_argument(number, type=int)
    serve(Listing(Shape(**vars(parser.parse_args()))))
