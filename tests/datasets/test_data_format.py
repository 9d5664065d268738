"""The example of docs/data_format.md runs as it stands there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_example_runs(tmp_path):
    text = (ROOT / "docs" / "data_format.md").read_text()
    blocks = re.findall(r"```(python|sh)\n(.*?)```", text, re.DOTALL)
    assert [language for language, _ in blocks] == ["python", "sh", "python"]
    said = []
    for language, block in blocks:
        if language == "sh":
            command = ["sh", "-e", "-c", block.replace("python", shlex.quote(sys.executable))]
        else:
            command = [sys.executable, "-c", block]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        said.append(done.stdout)
    assert "data/mine: 20 videos in 1 file of split train\n" in said[1]
    assert "data/mine: 5 videos in 1 file of split validate\n" in said[1]
    assert said[1].count(": ok, ") == 2
    assert "flow" in said[1]
    assert said[2].startswith("(8, 10, 64) uint8 [")
    assert len(said[2].splitlines()) == 3
