import numpy as np
import pytest

from datasets import layout, sources
from datasets.errors import DataError
from datasets.record import Record


@pytest.fixture
def find(tmp_path, write_tfrecord):
    """The layout of videos in a TFRecord."""

    def found(videos, **options):
        spans = sources.spans(write_tfrecord(tmp_path / "a", videos), 10**6)
        return layout.find(spans, **options)

    return found


def with_frames(record, **features):
    return Record(record.id, record.labels, {**record.features, **features})


FLOW = np.ones((2, 8), np.uint8)


def test_by_default_all_that_the_videos_have(find, video):
    found = find([video("a")])
    assert found.modalities == {"rgb": (16, np.uint8), "audio": (4, np.uint8)}
    assert list(found.modalities) == ["rgb", "audio"]
    assert found.ranges == dict.fromkeys(("rgb", "audio"), (-1.9921875, 2.0078125))
    assert (found.num_classes, found.single_label) == (3862, False)


def test_google_dequantizes_the_ends_of_a_byte_so():
    low, high = layout.YOUTUBE8M_RANGE
    assert (low, high) == tuple(x * 4 / 255 + 4 / 512 - 2 for x in (0, 255))


def test_a_width_may_be_found_later_and_modalities_chosen(find, video):
    lacking = with_frames(video("a"), audio=np.empty((0, 0), np.uint8))
    assert find([lacking, video("b")]).modalities["audio"] == (4, np.uint8)
    found = find([video("a"), with_frames(video("b"), flow=FLOW)], modalities=["flow", "rgb"])
    assert list(found.modalities.items()) == [("flow", (8, np.uint8)), ("rgb", (16, np.uint8))]
    found.check(video("c"))  # audio is passed over


def test_a_modality_that_no_video_has(find, video):
    with pytest.raises(DataError, match=r"a: no video has modality adio; there are rgb, audio$"):
        find([video("a")], modalities=["rgb", "adio"])
    with pytest.raises(layout.NoVideoError, match=r"a: record 0 \(byte 0\): empty file; no video can be used"):
        find([], skip_bad=True)


@pytest.mark.parametrize("name", ["a/b", ".", "..", ".a", "-a", "_a", "", "a b"])
def test_a_name_that_cannot_be_stored(find, video, name):
    wrong = with_frames(video("a"), **{name: FLOW})
    with pytest.raises(DataError, match=r"a: record 1 \(byte \d+\): '.*' is no name for a modality"):
        find([video("b"), wrong])
    assert list(find([video("b"), wrong], skip_bad=True).modalities) == ["rgb", "audio"]
    assert list(find([wrong], modalities=["rgb"]).modalities) == ["rgb"]
    with pytest.raises(DataError, match=r"--modalities: '.*' is no name"):
        find([wrong], modalities=[name])


def test_modalities_stand_in_one_order_whatever_that_of_the_videos(find, video):
    plain = video("a")
    names = ["zebra", "flow", "audio", "depth", "rgb"]
    mixed = Record("a", plain.labels, {name: plain.features.get(name, FLOW) for name in names})
    assert list(find([mixed]).modalities) == ["rgb", "audio", "flow", "depth", "zebra"]
    assert list(find([mixed], modalities=names).modalities) == names


def test_one_broken_video_does_not_decide_even_if_it_is_the_first(find, video):
    first = video("a", rgb=15, audio=0)
    found = find([first, video("b"), video("c")])
    assert found.modalities == {"rgb": (16, np.uint8), "audio": (4, np.uint8)}
    found.check(video("b"))
    with pytest.raises(DataError, match="rgb is 15 wide, not 16 as in most videos"):
        found.check(first)


def test_a_modality_that_appears_later(find, video):
    found = find([video("a", audio=0), video("b"), with_frames(video("c"), flow=FLOW)])
    assert list(found.modalities) == ["rgb", "audio", "flow"]
    found.check(with_frames(video("d"), depth=FLOW[:0]))  # of another one it has nothing


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"value_range": (1.0, 1.0)}, "--range 1 1: not two numbers"),
        ({"value_range": (2.0, 1.0)}, "--range 2 1: not two numbers"),
        ({"value_range": (float("nan"), 1.0)}, "--range nan 1: not two numbers"),
        ({"value_range": (0.0, float("inf"))}, "--range 0 inf: not two numbers"),
        ({"num_classes": 2**31}, "--num-classes 2147483648: more than 2147483647"),
    ],
)
def test_choices_that_make_no_sense(find, video, options, reason):
    with pytest.raises(DataError, match=reason):
        find([video("a")], **options)


def test_bytes_of_ones_own_stand_for_themselves(tmp_path):
    np.save(tmp_path / "a.npy", FLOW)
    (tmp_path / "t.csv").write_text("id,labels\na,41\n")
    spans = sources.spans(tmp_path / "t.csv", 10**6)
    assert layout.find(spans).ranges == {"frames": (0, 255)}
    assert layout.find(spans).num_classes == 42
    assert layout.find(spans, value_range=(-1, 1), num_classes=50).ranges == {"frames": (-1, 1)}


def test_own_data_beside_youtube8m_is_refused(tmp_path, video, write_tfrecord):
    (tmp_path / "t.csv").write_text("id,labels\n")
    spans = sources.spans(tmp_path / "t.csv", 10**6) + sources.spans(
        write_tfrecord(tmp_path / "a", [video("a")]), 10**6
    )
    with pytest.raises(DataError, match="convert them apart"):
        layout.find(spans)


def test_a_fitting_video(find, video):
    found = find([video("a")])
    found.check(video("b", frames=1, labels=(0, 3861)))
    found.check(video("c", labels=()))
    found.check(video("d", audio=0))


SEGMENTS = {
    "labels": np.array([1]),
    "start_times": np.array([5]),
    "end_times": np.array([10]),
    "scores": np.array([1], np.float32),
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": ""}, "the id '' is not"),
        ({"id": "a\0"}, "the id .* is not"),
        ({"id": "\udcff"}, "the id .* is not"),
        ({"id": "a" * 256}, "the id .* is not"),
        ({"labels": np.array([1, 3862])}, "label 3862 out of range, there are 3862 classes"),
        ({"labels": np.array([-1])}, "label -1 out of range"),
        ({"features": {}}, "no frames"),
        ({"features": {"rgb": np.empty((0, 16), np.uint8)}}, "no frames"),
        ({"features": {"rgb": np.ones((2, 15), np.uint8)}}, "rgb is 15 wide, not 16 as in most videos"),
        ({"features": {"rgb": np.ones((2, 16), np.float32)}}, "rgb has values of type float32, not uint8"),
        ({"features": {"rgb": np.ones((2, 16), np.uint8), "flow": FLOW}}, "modality flow is not among rgb, audio"),
        ({"segments": {**SEGMENTS, "labels": np.array([3862])}}, "label 3862 out of range"),
        ({"segments": {**SEGMENTS, "start_times": np.array([-1])}}, "a segment's time or score"),
        ({"segments": {**SEGMENTS, "end_times": np.array([2**31])}}, "a segment's time or score"),
        ({"segments": {**SEGMENTS, "end_times": np.array([5])}}, "a segment ends before it begins"),
        ({"segments": {**SEGMENTS, "scores": np.array([np.nan], np.float32)}}, "a segment's time or score"),
    ],
)
def test_what_does_not_fit_says_why(find, video, change, reason):
    record = video("b")
    fields = {"id": record.id, "labels": record.labels, "features": record.features, **change}
    with pytest.raises(DataError, match=reason):
        find([video("a")]).check(Record(**fields))


@pytest.mark.parametrize("labels", [(), (1, 2)])
def test_single_label_means_exactly_one(find, video, labels):
    found = find([video("a")], single_label=True)
    found.check(video("b", labels=(1,)))
    with pytest.raises(DataError, match=f"{len(labels)} labels, not one"):
        found.check(video("b", labels=labels))


def test_values_that_are_not_finite(find, video):
    found = layout.Layout({"rgb": (2, np.dtype("f4"))}, False, {}, 5, False)
    found.check(Record("a", np.array([1]), {"rgb": np.ones((1, 2), np.float32)}))
    with pytest.raises(DataError, match="not finite"):
        found.check(Record("a", np.array([1]), {"rgb": np.full((1, 2), np.inf, np.float32)}))
