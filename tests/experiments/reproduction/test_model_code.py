from experiments import ROOT
from experiments.reproduction import model_code


def kept(make_run, runs_dir, sources):
    own = make_run(runs_dir)
    own.write("run", {**own.read("run"), "sources": [[name, own.keep(path)] for name, path in sources.items()]})
    return own


def test_a_models_files_are_its_own_and_what_they_import():
    cluster, lstm = model_code.sources("attention_cluster"), model_code.sources("attention_lstm")
    assert {"gluon_models/attention.py", "gluon_models/attention_cluster.py", "gluon_models/dropout.py"} <= set(cluster)
    assert "gluon_models/attention_lstm.py" in set(lstm) - set(cluster)
    assert "gluon_models/paddle.py" not in cluster


def test_comments_are_no_change_and_code_is(make_run, tmp_path):
    names = [*model_code.sources("attention_cluster"), "gluon_models/losses.py", "gluon_models/torch_defaults.py"]
    sources = {name: ROOT / name for name in names}
    given = ("attention_cluster", "torch_defaults")
    assert model_code.changed(kept(make_run, tmp_path / "runs", sources), *given) == []
    name = "gluon_models/attention.py"
    text = (ROOT / name).read_text()
    for change, same in (
        (text.replace('"""', '"""Another word. ', 1) + "\n# and a comment\n", True),
        (text.replace("EPSILON = 1e-12", "EPSILON = 1e-6"), False),
        ("", False),
        ("def broken(", False),
    ):
        (tmp_path / "attention.py").write_text(change)
        own = kept(make_run, tmp_path / "runs", {**sources, name: tmp_path / "attention.py"})
        assert model_code.changed(own, *given) == ([] if same else [name])
    del sources[name], sources["gluon_models/torch_defaults.py"]
    assert model_code.changed(kept(make_run, tmp_path / "runs", sources), *given) == [
        name,
        "gluon_models/torch_defaults.py",
    ]
