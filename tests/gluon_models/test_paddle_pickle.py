import pickle
from collections import OrderedDict

import numpy as np
import pytest

from gluon_models.errors import ModelError
from gluon_models.paddle_pickle import read_pdparams

WEIGHTS = {"fc1.weights": np.arange(6, dtype=np.float32).reshape(2, 3), "fc1.bias": np.ones(3, np.float32)}


@pytest.fixture
def write(tmp_path):
    def write(content, **options):
        path = tmp_path / "net.pdparams"
        path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, **options))
        return path

    return write


def assert_read(path):
    weights = read_pdparams(path)
    assert set(weights) == set(WEIGHTS)
    for name, values in weights.items():
        np.testing.assert_array_equal(values, WEIGHTS[name])


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_static_graph_file(write, protocol):
    """fluid.save of Paddle 1.x: a dict of arrays."""
    assert_read(write(WEIGHTS, protocol=protocol))


def test_state_dict_file(write):
    """paddle.save of Paddle 2.x: a dict of arrays, and one of Paddle's own names."""
    names = {name: f"linear_0.{name}" for name in WEIGHTS}
    assert_read(write({**WEIGHTS, "StructuredToParameterName@@": names}, protocol=2))


def test_state_dict_file_with_tensors_as_pairs(write):
    """paddle.save since 2.1 reduces a tensor to `tuple((name, array))`."""

    class Tensor:
        def __init__(self, array):
            self.array = array

        def __reduce__(self):
            return tuple, (("linear_0.w_0", self.array),)

    assert_read(write({name: Tensor(values) for name, values in WEIGHTS.items()}, protocol=4))


def test_file_of_python_2(write):
    """Names and array bytes are Python 2 strings there, and builtins are called __builtin__."""
    array = WEIGHTS["fc1.bias"]
    state = b"(I1\n(I3\ntcnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n" + (
        b"S'" + "".join(f"\\x{byte:02x}" for byte in array.tobytes()).encode() + b"'\ntb"
    )
    content = b"(dS'fc1.bias'\ncnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR" + state + b"s."
    np.testing.assert_array_equal(read_pdparams(write(content))["fc1.bias"], array)


def test_file_of_numpy_2(write):
    content = pickle.dumps(WEIGHTS, protocol=2).replace(b"numpy.core.multiarray", b"numpy._core.multiarray")
    assert b"numpy._core.multiarray" in content
    assert_read(write(content))


def test_float64_becomes_float32(write):
    assert read_pdparams(write({"a": np.ones(2)}))["a"].dtype == np.float32


class Evil:
    def __reduce__(self):
        return print, ("pwned",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"fc1.bias": Evil()}, "builtins.print"),
        (OrderedDict(WEIGHTS), "collections.OrderedDict"),
        (b"cos\nsystem\n(S'echo pwned'\ntR.", "os.system"),
        (b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval"),
        (b"c_codecs\ndecode\n(S'1'\ntR.", "_codecs.decode"),
        (b"not a pickle", "cannot be read"),
        (b"", "cannot be read"),
        ([WEIGHTS], "holds a list"),
        ({"fc1.bias": 3}, "fc1.bias is no array of floats"),
        ({"fc1.bias": np.array(["a"])}, "fc1.bias is no array of floats"),
        ({"fc1.bias": np.array([None])}, "fc1.bias is no array of floats"),
    ],
)
def test_anything_else_is_refused_in_one_line(write, content, reason, capfd):
    path = write(content)
    with pytest.raises(ModelError, match=reason) as refusal:
        read_pdparams(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "pwned" not in capfd.readouterr().out


class Made:
    """Pickles as a call of `np.ndarray`."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        return np.ndarray, self.arguments


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (Made((2**50,), "f4", b"abcd", 0, (0,)), "claims 4503599627370496 bytes, more than the whole file"),
        (Made((2**30,), "f4"), "claims 4294967296 bytes, more than the whole file"),
        (Made((2**55,), "f4"), "cannot be read"),
    ],
)
def test_an_array_larger_than_its_file_is_refused(write, array, reason):
    """One number can stand for any shape by strides of 0; as float32 it would take all memory."""
    with pytest.raises(ModelError, match=reason):
        read_pdparams(write({"fc1.bias": array}))


def test_a_name_that_is_no_text_is_shown_as_it_is(write):
    assert "\\xff\\xfe" in read_pdparams(write({b"\xff\xfe": np.ones(2, np.float32)}, protocol=4))


def test_missing_file_is_one_line(tmp_path):
    with pytest.raises(ModelError, match="No such file"):
        read_pdparams(tmp_path / "none.pdparams")
