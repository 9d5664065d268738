import pytest

from experiments.class_names import class_names
from experiments.errors import UserError


def test_a_vocabulary_that_excel_wrote(tmp_path):
    (tmp_path / "vocabulary.csv").write_text("Index,Name\n0,Käse\n1,\n", encoding="utf-8-sig")
    assert class_names("mine", tmp_path, 2) == ["Käse", "1"]


def test_mistakes_are_one_line(tmp_path):
    with pytest.raises(UserError, match=r"none\.csv: no such file$"):
        class_names("mine", tmp_path, 2, str(tmp_path / "none.csv"))
    (tmp_path / "vocabulary.csv").write_text("Number,Name\n0,a\n")
    with pytest.raises(UserError, match="not a CSV with the columns Index and Name"):
        class_names("mine", tmp_path, 1)
