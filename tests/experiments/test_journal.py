import random

import pytest

from experiments.journal import Journal


@pytest.fixture
def own(tmp_path):
    return Journal(tmp_path)


def test_curves_are_values_by_step(own):
    assert own.curves() == {}
    for name, value, step in [("loss", 3.0, 0), ("gap", 0.5, 0), ("loss", 2.0, 4), ("loss", 2.5, 4), ("loss", 1.0, 2)]:
        own.metric(name, value, step)
    own.close()
    curves = own.curves()
    assert curves == {"loss": {0: 3.0, 4: 2.5, 2: 1.0}, "gap": {0: 0.5}}
    assert list(curves["loss"]) == [0, 4, 2]  # as they were logged


def test_ends_of_the_output_are_those_of_the_whole(own):
    """Whatever bytes its characters take."""
    assert own.output_ends(2, 3) == ("", "", 0)
    chance = random.Random(0)
    for alphabet in ("a", "aé", "é█", "a█😀", "😀"):
        for length in [*range(12), 19, 20, 21, 50]:
            text = "".join(chance.choices(alphabet, k=length))
            (own.folder / "output.txt").write_text(text)
            first, last, size = own.output_ends(2, 3)
            assert size == len(text.encode())
            assert (first, last) == ((text[:2], text[-3:]) if length > 5 else (text[:2], text[2:]))


@pytest.mark.parametrize("name", ["scores.csv", "a_b", "UPPER-1.txt", "n" * 100])
def test_a_files_name_is_an_artifacts(own, name):
    assert own.artifact(name) == own.folder / "artifacts" / name


def test_whatever_its_name_an_artifact_lies_in_the_folder_and_alone(own):
    names = ["a/b", "a_b", "a\\b", "..", ".", "", "../a", "../../a", "/a", ".a", "a\nb", "a b", "é", "n" * 300]
    (own.folder / "file").touch()
    for name in names:
        own.keep(own.folder / "file", name)
    kept = sorted((own.folder / "artifacts").iterdir())
    assert kept == sorted(own.artifact(name) for name in names)
    assert len(kept) == len(names)
    assert sorted(own.folder.iterdir()) == [own.folder / "artifacts", own.folder / "file"]
    assert own.artifact("plots/loss.png").name.endswith("_plots_loss.png")
