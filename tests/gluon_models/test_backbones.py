import mxnet as mx
import numpy as np
import pytest
from gluoncv import model_zoo

from gluon_models import backbones
from gluon_models.errors import ModelError

pytestmark = pytest.mark.long


def pictures(size, count=2):
    return mx.nd.array(np.random.default_rng(0).integers(0, 256, (count, size, size, 3)), dtype="uint8")


@pytest.fixture
def own_file(tmp_path):
    """Parameters of a ResNet-18 with 7 classes, and the network."""
    mx.random.seed(3)
    net = model_zoo.get_model("resnet18_v1", classes=7)
    net.initialize(mx.init.Xavier())
    net(mx.nd.zeros((1, 3, 64, 64)))
    path = tmp_path / "own.params"
    net.save_parameters(str(path))
    return path, net


def test_random_weights_are_said_aloud_and_the_same_each_time(capsys):
    first = backbones.load("mobilenet0.25", pretrained=False)
    assert "RANDOM" in capsys.readouterr().out
    second = backbones.load("mobilenet0.25", pretrained=False)
    assert (first.size, first.dim) == (224, 256)
    assert first.digest == second.digest
    features = first(pictures(224)).asnumpy()
    assert features.shape == (2, 256)
    assert features.dtype == np.float32
    assert features.std() > 1e-3
    assert np.abs(features[0] - features[1]).max() > 1e-4
    assert np.array_equal(features, second(pictures(224)).asnumpy())


def test_inception_gives_pool3():
    size = backbones._size("inceptionv3")
    _, dim = backbones._without_classifier(backbones._network("inceptionv3"), "inceptionv3", size)
    assert (size, dim) == (299, 2048)


def test_a_file_of_ones_own_gives_what_its_classifier_takes_in(own_file):
    path, net = own_file
    backbone = backbones.load("resnet18_v1", weights=path, size=64)
    shown = pictures(64)
    mean, std = (mx.nd.array(values).reshape((1, 3, 1, 1)) for values in backbones.IMAGENET)
    scores = net((shown.transpose((0, 3, 1, 2)).astype("float32") / 255 - mean) / std)
    assert np.allclose(net.output(backbone(shown)).asnumpy(), scores.asnumpy(), atol=1e-4)


@pytest.mark.parametrize("name", ["mobilenetv3_small", "squeezenet1.0", "cifar_resnet20_v1"])
def test_a_classifier_of_any_kind_is_left_out(name):
    """Theirs are a convolution, a convolution over a map, and a dense layer for small pictures."""
    backbone = backbones.load(name, pretrained=False)
    assert backbone(pictures(backbone.size, 1)).shape == (1, backbone.dim)
    assert backbone.dim == {"mobilenetv3_small": 1280, "squeezenet1.0": 512, "cifar_resnet20_v1": 64}[name]


def test_weights_that_cannot_be_fetched_are_asked_for_by_name(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MXNET_GLUON_REPO", "http://127.0.0.1:9/")  # where nobody answers
    with pytest.raises(
        ModelError, match=r"put GluonCV's mobilenet0\.25-\w{8}\.params into .*models, or give"
    ) as raised:
        backbones.load("mobilenet0.25", model_dir=tmp_path / "models")
    assert "\n" not in str(raised.value)
    assert capsys.readouterr().out == ""
    assert list((tmp_path / "models").iterdir()) == []


def test_a_damaged_file_of_gluoncv_is_named(tmp_path):
    from gluoncv.model_zoo.model_store import short_hash

    path = tmp_path / f"mobilenet0.25-{short_hash('mobilenet0.25')}.params"
    path.write_bytes(b"half of it")
    with pytest.raises(ModelError, match=r"its SHA-1 sum is another\); remove it"):
        backbones.load("mobilenet0.25", model_dir=tmp_path)
    assert path.exists()


def test_files_that_do_not_fit_are_refused_in_one_line(own_file, tmp_path):
    path, _ = own_file
    damaged = tmp_path / "damaged.params"
    damaged.write_bytes(path.read_bytes()[:1000])
    for name, file, reason in [
        ("mobilenet0.25", path, "another network"),
        ("resnet18_v1", damaged, "not a file of Gluon parameters"),
        ("resnet18_v1", tmp_path / "none.params", "no such file"),
    ]:
        with pytest.raises(ModelError, match=reason) as raised:
            backbones.load(name, weights=file)
        assert "\n" not in str(raised.value)


def test_values_that_are_not_finite_are_refused(own_file, tmp_path):
    path, _ = own_file
    values = mx.nd.load(str(path))
    values["features.0.weight"][0] = np.nan
    mx.nd.save(str(tmp_path / "nan.params"), values)
    with pytest.raises(ModelError, match=r"features\.0\.weight has values that are not finite"):
        backbones.load("resnet18_v1", weights=tmp_path / "nan.params")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"name": "mobilnet0.25"}, r"did you mean 'mobilenet0\.25'\?"),
        ({"name": "yolo3_darknet53_coco"}, "unknown backbone"),
        ({"name": "resnet18_v1b_kinetics400"}, "unknown backbone"),
        ({"name": "se_resnet18_v1"}, "GluonCV has no weights for it"),
        ({"name": "resnet50_v1b_gn"}, "MXNet cannot trace it"),
        ({"name": "resnext101e_64x4d"}, "GluonCV cannot build it"),
        ({"name": "alexnet", "pretrained": False, "size": 20}, "takes no pictures of 20 x 20"),
        ({"name": "alexnet", "pretrained": False, "weights": "x"}, "leave one out"),
    ],
)
def test_what_is_asked_for_wrongly(arguments, reason, capsys):
    with pytest.raises(ModelError, match=reason) as raised:
        backbones.load(**arguments)
    assert "\n" not in str(raised.value)
    assert capsys.readouterr().out == ""
