import pandas as pd

from roadgraph.markdown import markdown


def test_markdown_has_a_head_a_rule_and_a_line_a_row() -> None:
    text = markdown(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    assert text == "| a | b |\n| --- | --- |\n| 1 | x |\n| 2 | y |\n"
