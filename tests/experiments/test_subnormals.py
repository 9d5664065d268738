import subprocess
import sys

import pytest

PRODUCT = """
{flush}
import mxnet as mx
small = mx.nd.array([1e-20] * 100_000)
print(float((small * small).max().asscalar()) > 0, float(mx.nd.array([1e-37]).asscalar()) > 0)
"""


@pytest.mark.parametrize(
    ("flush", "answer"),
    [("", "True True"), ("from experiments import subnormals; subnormals.flush_to_zero()", "False True")],
)
def test_mxnets_threads_take_subnormal_numbers_for_zero(flush, answer):
    """Without a warning of NumPy's, and no normal number goes with them."""
    program = PRODUCT.format(flush=flush)
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.returncode) == (answer, 0), done.stderr
