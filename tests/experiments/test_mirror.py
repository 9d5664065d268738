import tracemalloc
from pathlib import Path

import pytest

from experiments import journal, mirror, runstore
from experiments.mirror import OUTPUT_HEAD, OUTPUT_TAIL, Mirror
from experiments.store_keeper import SECANTUSD

needs_secantus = pytest.mark.skipif(not SECANTUSD.exists(), reason="no .venv-store: run `make setup`")


@needs_secantus
def test_an_artifact_that_is_added_again_is_there_as_it_was_last(make_run, runs_dir, tmp_path):
    own = make_run(runs_dir)
    with runstore.open_store(None, runs_dir) as store, store.client() as client:
        database = client[store.database]
        for text, metadata in [("first", {"epoch": 1}), ("second", {"epoch": 1}), ("second", {"epoch": 2})]:
            (tmp_path / "a").write_text(text)
            facts = {"md5": own.keep(tmp_path / "a", "plots/a"), "metadata": metadata, "content_type": "text/plain"}
            own.write("state", {**own.read("state"), "artifacts": {"plots/a": facts}})
            Mirror(own, database).update()
            Mirror(own, database).update()  # by the next process, changes nothing
            (artifact,) = database["runs"].find_one({"_id": 1})["artifacts"]
            file = database["fs.files"].find_one({"_id": artifact["file_id"]})
            assert artifact["name"] == "plots/a"
            assert (file["metadata"], file["contentType"], file["length"]) == (metadata, "text/plain", len(text))
        assert database["fs.files"].count_documents({}) == 3


@needs_secantus
def test_of_a_long_output_the_ends_alone_are_read_and_stored(make_run, runs_dir):
    own = make_run(runs_dir, status=journal.RUNNING, stop_time=None)
    with (own.folder / "output.txt").open("w") as file:
        for number in range(64):
            file.write(f"{number:4}" * (1 << 18))  # 1 MB
    with runstore.open_store(None, runs_dir) as store, store.client() as client:
        copy = Mirror(own, client[store.database])
        before = bytes_read()
        copy.update()
        assert bytes_read() - before < 6e6
        head, note, tail = client[store.database]["runs"].find_one()["captured_out"].split("\n\n")
    assert (head, tail) == ("   0" * (OUTPUT_HEAD // 4), "  63" * (OUTPUT_TAIL // 4))
    left_out = (64 << 20) - OUTPUT_HEAD - OUTPUT_TAIL
    assert note == f"... {left_out:,} bytes are left out here; the whole is in {own.folder}/output.txt ..."


@needs_secantus
def test_many_values_are_copied_a_group_at_a_time(make_run, runs_dir, monkeypatch):
    own = make_run(runs_dir)
    for step in range(40_000):
        own.metric("loss", step / 2, step)
    found = []
    with runstore.open_store(None, runs_dir) as store, store.client() as client:
        for at_once in (100_000, 1000):
            monkeypatch.setattr(mirror, "READ_POINTS", at_once)
            tracemalloc.start()
            Mirror(own, client[store.database]).update()
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            found.append((most, client[store.database]["metrics"].find_one({"name": "loss"})))
    (whole, expected), (grouped, curve) = found
    assert curve == expected
    assert curve["steps"] == list(range(40_000))
    assert grouped < 0.6 * whole


def bytes_read() -> int:
    """By this process so far, wherever from."""
    counts = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counts["rchar"])
