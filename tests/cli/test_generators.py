"""`datafactory generators list`: the catalogue."""

GENERATORS = ("G-3_maze_data-generator", "O-1_first_data-generator", "O-2_second_data-generator")


def test_list(run, place):
    """Every generator is listed with its whole name and path, the authors' template marked as one."""
    (place.generators / "template" / "examples").mkdir(parents=True)
    (place.generators / "template" / "examples" / "generate.py").write_text("")
    (place.generators / "notes").mkdir()
    lines = [line.split() for line in run("generators", "list").stdout.splitlines()]
    for name in GENERATORS:
        assert [name, "generator", str(place.generators / name)] in lines
    assert ["template", "template", "for", "authors", str(place.generators / "template")] in lines
    assert lines[-1][:2] == ["3", "generators"]


def test_wrong_path(run, bare):
    """A GENERATORS_PATH that is no folder is named in one line."""
    bare.setenv("GENERATORS_PATH", "nowhere")
    result = run("generators", "list")
    assert result.stderr == "datafactory: GENERATORS_PATH is 'nowhere', which is not a folder\n"
    assert result.exit_code == 1
