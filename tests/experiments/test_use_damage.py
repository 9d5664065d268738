"""What ``predict`` makes of damaged files and strange values: one line, or the rest without them."""

import h5py
import numpy as np
import pytest

from datasets import hdf5
from datasets.errors import DataError
from experiments import inference
from experiments.inference import videos
from experiments.inference.description import Description, Modality


def write_data(path, *names):
    empty = np.zeros(0, np.int32), np.zeros(len(names) + 1, np.int64)
    rgb, counts = {"rgb": np.zeros((len(names), 2), np.uint8)}, np.arange(len(names) + 1)
    hdf5.write(path, hdf5.Shard(rgb, {"rgb": counts}, *empty, list(names), 3, False, {"rgb": (-2.0, 2.0)}))
    return path


def net(**changes):
    own = {"modalities": [Modality("rgb", 2, -2.0, 2.0)], "num_classes": 3, "single_label": False, "seg_num": None}
    return Description(**{**own, "class_names": [], "model": {}, "origin": {}, **changes})


def predicted(source, logits=(-1.0, 2.0, 0.0), net=net(), **options):  # noqa: B008  it is frozen
    def engine(batch):
        return np.tile(np.array([logits], np.float32), (len(batch.ids), 1))

    return inference.run(inference.Request(source, **options), net, engine)


def test_a_data_file_with_damaged_offsets_is_not_predicted(tmp_path):
    path = write_data(tmp_path / "a.h5", "x", "y")
    with h5py.File(path, "r+") as file:
        file["offsets/rgb"][-1] = 9
    with pytest.raises(DataError, match=r"a\.h5: offsets/rgb: do not rise from 0 to 2"):
        predicted(path)


def test_skip_bad_goes_on_after_a_file_that_cannot_be_read(tmp_path, capsys):
    write_data(tmp_path / "b.h5", "y")
    path = write_data(tmp_path / "a.h5", "x")
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(DataError, match=r"^[^ ]*a\.h5: "):
        predicted(tmp_path)
    assert predicted(tmp_path, skip_bad=True) == 1
    told = capsys.readouterr()
    assert told.out == "y  88.1 % class 1   50.0 % class 2   26.9 % class 0\n"
    assert f"left out: {path}: record 0 (the whole file): " in told.err
    (tmp_path / "list.txt").write_text("none.h5\nb.h5\n")
    with pytest.raises(DataError, match=r"none\.h5: no such file"):
        predicted(tmp_path / "list.txt")
    assert predicted(tmp_path / "list.txt", skip_bad=True) == 1
    assert "none.h5: record 0 (the whole file): cannot be read: No such file" in capsys.readouterr().err


def test_a_list_that_names_itself(tmp_path):
    (tmp_path / "a.txt").write_text("b.txt\n")
    (tmp_path / "b.txt").write_text("a.txt\n")
    with pytest.raises(DataError, match=r"a\.txt: a list that names itself"):
        videos.look(tmp_path / "a.txt")
