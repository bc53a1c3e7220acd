"""`datafactory generators list`: the catalogue."""

GENERATORS = ("G-3_maze_data-generator", "O-1_first_data-generator", "O-2_second_data-generator")


def test_list(run, place):
    """Every generator is listed with its whole name, its family and what runs it; the authors' template is marked as one."""
    (place.generators / "template" / "examples").mkdir(parents=True)
    (place.generators / "template" / "examples" / "generate.py").write_text("")
    (place.generators / "notes").mkdir()
    lines = [line.split() for line in run("generators", "list").stdout.splitlines()]
    for name in GENERATORS:
        assert [name, name[0], "worker's", "own", "ready"] in lines
    assert ["template", "template", "for", "authors"] in lines
    assert lines[-1][:2] == ["3", "generators"]


def test_wrong_path(run, bare):
    """A GENERATORS_PATH that is no folder is named in one line."""
    bare.setenv("GENERATORS_PATH", "nowhere")
    result = run("generators", "list")
    assert result.stderr == "datafactory: GENERATORS_PATH is 'nowhere', which is not a folder\n"
    assert result.exit_code == 1


def test_an_unusable_folder(run, place):
    """A copy with an odd name is told as unusable, named when `all` is asked for, and stops no other."""
    (place.generators / "O-1 (copy)" / "examples").mkdir(parents=True)
    (place.generators / "O-1 (copy)" / "examples" / "generate.py").write_text("")
    (place.generators / ".ipynb_checkpoints" / "examples").mkdir(parents=True)
    (place.generators / ".ipynb_checkpoints" / "examples" / "generate.py").write_text("")
    result = run("generators", "list")
    listed = result.stdout
    assert ["O-1", "(copy)", "unusable"] in [line.split()[:3] for line in listed.splitlines()]
    assert "note: O-1 (copy): its name may have" in result.stderr
    assert listed.endswith(f"3 generators under {place.generators}, and 1 that can't run.\n")
    assert "ipynb" not in listed
    for pattern in ("all", "O-*"):
        result = run("submit", "-g", pattern, "-n", 1, "--dry-run")
        assert "note: generator 'O-1 (copy)' is left out" in result.stderr
        assert (result.exit_code, "would send" in result.stdout) == (0, True)
    assert run("submit", "-g", GENERATORS[0], "-n", 1, "--dry-run").stderr == ""
    refused = run("submit", "-g", "O-1 (copy)", "--dry-run")
    assert (refused.exit_code, "can't be used" in refused.stderr) == (1, True)


def test_a_folder_without_a_contract(run, place):
    """A program that has its script deeper down is told, with where; a folder of notes is not."""
    (place.generators / "G-4_nested" / "code" / "examples").mkdir(parents=True)
    (place.generators / "G-4_nested" / "code" / "examples" / "generate.py").write_text("")
    (place.generators / "notes").mkdir()
    result = run("generators", "list")
    assert ["G-4_nested", "no", "contract"] in [line.split() for line in result.stdout.splitlines()]
    assert "there is one in 'code', deeper than the contract has it" in result.stderr
    assert "notes" not in result.stdout
