"""What the server answers, to whom, and what a written folder has."""

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.browse.shown import FILES, MARKUP, MAZE, TAR, VIDEO, look_at, serving
from vbvrdatafactory.browse.choice import Query
from vbvrdatafactory.core.escaping import for_html
from vbvrdatafactory.driver.browse_folder import write_folder


class Client:
    """Asks the server as a browser that has signed in does."""

    def __init__(self, server) -> None:
        self.port, self.server, self.cookie = server.server_port, server, ""

    def get(self, path, **headers):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        given = {"Cookie": self.cookie} if self.cookie else {}
        link.request("GET", path, headers={**given, **{k.replace("_", "-"): v for k, v in headers.items()}})
        answer = link.getresponse()
        body = answer.read()
        link.close()
        return answer.status, body, answer.headers

    def sign_in(self):
        address = urlsplit(self.server.url)
        status, _, headers = self.get(f"{address.path}?{address.query}")
        self.cookie = (headers["Set-Cookie"] or "").split(";")[0]
        return status, f"{address.path}?{address.query}"


@pytest.fixture
def client(tmp_path) -> Iterator[Client]:
    with serving(look_at(tmp_path)) as server:
        yield Client(server)


def test_the_address_works_once(client):
    """Without the token nothing is shown; it signs in one browser, and nobody after."""
    assert client.get("/")[0] == 403
    status, address = client.sign_in()
    assert (status, client.get("/")[0]) == (303, 200)
    assert Client(client.server).get(address)[0] == 403


def test_another_origin_gets_nothing(client):
    """A page of another origin or name is refused, even with the cookie."""
    client.sign_in()
    for headers in (
        {"Origin": "http://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Host": f"evil.example:{client.port}"},
    ):
        assert client.get("/", **headers)[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        f"/sample/{MAZE}/1/..%2f..%2fetc%2fpasswd",
        f"/sample/{MAZE}/../../etc/passwd",
        "/sample/..%2f..%2f_datafactory/1/prompt.txt",
        f"/sample/{MAZE}/-1/prompt.txt",
        f"/sample/{MAZE}/11/prompt.txt",
        f"/sample/{MAZE}/1/question_metadata.json",
        "/run/..%2fspec.html",
        "//etc/passwd",
    ],
)
def test_no_path_leads_elsewhere(client, path):
    """Only the known files of the dataset's samples and its runs have an address."""
    client.sign_in()
    assert client.get(path)[0] == 404


def test_a_range_of_a_video(client):
    """A browser that seeks gets the bytes it asks for, with the headers that keep a file from being a page."""
    client.sign_in()
    status, body, headers = client.get(f"/sample/{MAZE}/1/ground_truth.mp4", Range="bytes=10-19")
    assert (status, body, headers["Content-Range"]) == (206, VIDEO[10:20], f"bytes 10-19/{len(VIDEO)}")
    assert (headers["Content-Type"], headers["X-Content-Type-Options"]) == ("video/mp4", "nosniff")
    assert "sandbox" in headers["Content-Security-Policy"]
    assert client.get(f"/sample/{MAZE}/1/ground_truth.mp4", Range="bytes=9999999-")[0] == 416


def test_a_prompt_is_text(client):
    """Markup of a prompt is escaped on the page, and its file is plain text."""
    client.sign_in()
    _, page, headers = client.get("/")
    assert for_html(MARKUP) in page.decode()
    assert MARKUP not in page.decode()
    assert "script-src 'none'" in headers["Content-Security-Policy"]
    assert client.get(f"/sample/{MAZE}/1/prompt.txt")[2]["Content-Type"] == "text/plain; charset=utf-8"


def test_samples_of_an_archive(client):
    """The files of a sample that lies in an archive are served too."""
    client.sign_in()
    assert client.get(f"/sample/{TAR}/2/ground_truth.mp4")[1] == VIDEO


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("state=foreign", [(MAZE, 3), (TAR, 0), (TAR, 1), (TAR, 2)]),
        ("state=torn", [(MAZE, 4)]),
        (f"copies=1&generator={MAZE}", [(MAZE, 9)]),
        ("digest=" + "0" * 63 + "7", [(MAZE, 7)]),
        (f"generator={MAZE}&start=1&stop=3", [(MAZE, 1), (MAZE, 2)]),
        ("state=missing", []),
    ],
)
def test_filters_of_the_page(client, asked, shown):
    """What is asked for in the address, and nothing else, is on the page."""
    client.sign_in()
    page = client.get(f"/?{asked}")[1].decode()
    pairs = [(generator, index) for generator in (MAZE, TAR) for index in range(12)]
    assert [pair for pair in pairs if f"<h3>{pair[0]} <b>{pair[1]}</b>" in page] == shown


def test_generators_that_have_none_take_no_page(tmp_path):
    """A filter finds the generators that have what it asks for, whatever page they would be on."""
    look = look_at(tmp_path)
    assert look.having(Query(state="torn")) == [MAZE]
    assert look.having(Query(state="foreign")) == [MAZE, TAR]
    assert look.having(Query(digest="0", copies=True)) == [MAZE]
    assert look.having(Query(generator=TAR)) == [TAR]


def test_failures_are_shown(client):
    """The stderr of a failed attempt and its pictures are on the page, as text."""
    client.sign_in()
    page = client.get("/")[1].decode()
    assert "Traceback: &lt;b&gt;bold&lt;/b&gt;" in page
    assert "data:image/jpeg;base64,AAAA" in page


def test_a_report_is_of_no_origin(client):
    """The page links each run's report, and no script of a report in a bucket runs."""
    client.sign_in()
    assert 'href="run/20260101T000000Z-abc.html"' in client.get("/")[1].decode()
    status, body, headers = client.get("/run/20260101T000000Z-abc.html")
    assert (status, body) == (200, b"<script>report</script>")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "sandbox" in headers["Content-Security-Policy"]


def test_a_bad_query_is_said(client):
    """What is no query is refused with the value, as text."""
    client.sign_in()
    status, body, headers = client.get("/?state=%3Cb%3E")
    assert (status, headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert b"'<b>' is no state" in body


def test_a_folder_has_all_that_its_page_names(tmp_path):
    """A written page has the chosen samples' files beside it."""
    (tmp_path / "tables").mkdir()
    assert write_folder(look_at(tmp_path / "tables"), tmp_path / "out", "b", 2, 0) == 4
    samples = sorted((tmp_path / "out" / "sample").glob("*/*"))
    assert len(samples) == 4
    assert {file.name: file.read_bytes() for file in samples[-1].iterdir()} == FILES
    page = (tmp_path / "out" / "index.html").read_text()
    assert all(f"sample/{one.parent.name}/{one.name}/prompt.txt" not in page for one in samples)
    assert all(f'src="sample/{one.parent.name}/{one.name}/ground_truth.mp4"' in page for one in samples)
    report = (tmp_path / "out" / "run" / "20260101T000000Z-abc.html").read_text()
    assert "dataset is incomplete" in report, "made anew: what lies in the bucket is not copied"
    assert "<script>" not in report
