"""The worked examples of the documentation give what it says."""

import doctest

import pytest

from tests.docs.pages import PAGES, Block, blocks_of, name_of

EXAMPLES = {page: [block for block in blocks_of(page) if block.language == "python"]
            for page in PAGES}  # fmt: skip


@pytest.mark.parametrize("page", [page for page in PAGES if EXAMPLES[page]], ids=name_of)
def test_the_examples_of_a_page_give_what_it_says(page: object) -> None:
    names: dict[str, object] = {}
    told: list[str] = []
    for block in EXAMPLES[page]:  # type: ignore[index]
        _run(block, names, told)
    assert not told, "\n".join(told)


def _run(block: Block, names: dict[str, object], told: list[str]) -> None:
    """Run a block with the names that those before it have left."""
    test = doctest.DocTestParser().get_doctest(
        block.text, names, block.place, str(block.page), block.line - 1
    )
    assert test.examples, f"{block.place}: no example"
    test.globs = names  # the parser copies them
    doctest.DocTestRunner(verbose=False).run(test, out=told.append, clear_globs=False)


def test_the_formulas_have_examples() -> None:
    assert sum(len(blocks) for blocks in EXAMPLES.values()) >= 8
