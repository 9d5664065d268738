import pytest
from mxnet.gluon import HybridBlock

from gluon_models import zoo
from gluon_models.attention_cluster import AttentionCluster
from gluon_models.errors import ModelError

ARGUMENTS = AttentionCluster.examples[0]


def test_models_are_found_without_a_list():
    assert {"attention_cluster", "attention_lstm"} <= set(zoo.names())
    assert zoo.find("attention_cluster") is AttentionCluster


def test_every_model_has_examples_for_the_contract_test():
    assert all(zoo.find(name).examples for name in zoo.names())


def test_signature_is_the_models_own_arguments_and_leans_on_no_default_but_gluons_dropout():
    for name in zoo.names():
        parameters = zoo.signature(name).parameters
        assert not {"self", "prefix", "params"} & set(parameters)
        defaults = {key: value.default for key, value in parameters.items() if value.default is not value.empty}
        assert defaults == {"dropout_mode": "upscale_in_train"}


def test_create_makes_the_model():
    assert isinstance(zoo.create("attention_cluster", **ARGUMENTS), AttentionCluster)


def test_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ModelError, match="'attention_clustre'; did you mean 'attention_cluster'"):
        zoo.create("attention_clustre", **ARGUMENTS)
    with pytest.raises(ModelError, match=r"'xyzzy'; there are .*attention_cluster"):
        zoo.create("xyzzy")


def test_unknown_argument_is_refused_with_the_nearest():
    with pytest.raises(ModelError, match="no argument 'cluster_num'; did you mean 'cluster_nums'"):
        zoo.create("attention_cluster", cluster_num=3, **ARGUMENTS)


def test_missing_arguments_are_named():
    arguments = {name: value for name, value in ARGUMENTS.items() if name not in ("dropout", "shifting")}
    with pytest.raises(ModelError, match="also needs shifting, dropout"):
        zoo.create("attention_cluster", **arguments)


def test_a_name_belongs_to_one_class():
    with pytest.raises(ModelError, match="two models are called 'attention_cluster'"):
        zoo.register("attention_cluster")(type("Other", (HybridBlock,), {}))


def test_a_class_from_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "my_models").mkdir()
    (tmp_path / "my_models" / "netvlad.py").write_text(
        "from mxnet.gluon import nn\n"
        "class NetVLAD(nn.HybridSequential):\n"
        "    def __init__(self, num_classes, **kwargs):\n"
        "        super().__init__(**kwargs)\n"
        "        self.num_classes = num_classes\n"
        "dictionary = {}\n"
    )
    (tmp_path / "my_models" / "broken.py").write_text("raise RuntimeError('two\\nlines')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert zoo.create("my_models.netvlad:NetVLAD", num_classes=3).num_classes == 3
    for name, reason in [
        ("my_models.netvlad:NetVALD", "NetVALD"),
        ("my_models.netvlad:dictionary", "not a subclass"),
        ("my_models.broken:Net", "RuntimeError: two lines"),
        ("no_such_module:Net", "no_such_module"),
        (":Net", "cannot be imported"),
    ]:
        with pytest.raises(ModelError, match=reason) as refusal:
            zoo.create(name, num_classes=3)
        assert "\n" not in str(refusal.value)
    with pytest.raises(ModelError, match="no argument 'classes'; did you mean 'num_classes'"):
        zoo.create("my_models.netvlad:NetVLAD", classes=3)
