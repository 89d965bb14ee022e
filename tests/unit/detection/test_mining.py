"""Templates of log records: what is alike, what is not, and how many there are."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.detection import mining
from streams.detection.mining import CHILDREN, GAP, Tree, shape_of, words_of


def learnt(*bodies: str, most: int = 100) -> tuple[Tree, list[bool]]:
    tree = Tree()
    return tree, [tree.learn(words_of(body), at, most) for at, body in enumerate(bodies)]


def templates(tree: Tree) -> list[str]:
    return sorted(" ".join(each.words) for leaf in tree.leaves.values() for each in leaf)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("took 30ms, 1.5e3 bytes, -4 left", "took <*>ms, <*> bytes, <*> left"),
        ("user 6f9619ff-8b86-d011-b42d-00cf4fc964ff is gone", "user <*> is gone"),
        ("from 10.0.0.1:5432 and fe80::1 and 2001:db8:0:0:1:0:0:1", "from <*> and <*> and <*>"),
        ("at 2024-03-01T10:00:00.123Z hash deadbeef01ab of 0xFF", "at <*> hash <*> of <*>"),
        ("table 'a b' lacks \"c d\", doesn't it", "table <*> lacks <*>, doesn't it"),
        ("decade facade", "decade facade"),
        ("", ""),
    ],
)
def test_what_is_known_to_change_is_masked(body, words):
    """Otherwise each request would be something new."""
    assert words_of(body) == words.split()


def test_records_with_half_of_their_words_in_common_are_alike():
    tree, new = learnt(
        "cannot open file a.txt", "cannot open file b.txt", "cannot open socket c", "disk is full"
    )
    assert new == [True, False, False, True]
    assert templates(tree) == ["cannot open <*> <*>", "disk is full"]


def test_records_that_begin_otherwise_are_not_alike():
    """Otherwise the first failure of the payment service would hide behind those of the cache."""
    tree, new = learnt(
        "cache connection was refused by peer", "payment connection was refused by peer"
    )
    assert new == [True, True]
    assert len(templates(tree)) == 2


def test_first_words_that_are_always_others_become_a_gap():
    """Otherwise names at the beginning of records would be new for ever."""
    words = [f"{a}{b}" for a in "ghijklmnop" for b in "ghijklmnop"]
    tree, new = learnt(*(f"{word} has logged in" for word in words))
    assert new == [True] * (CHILDREN + 1) + [False] * (len(words) - CHILDREN - 1)
    assert "<*> has logged in" in templates(tree)


def test_of_too_many_the_one_not_seen_for_longest_gives_way():
    tree, new = learnt("aa x", "bb x", "aa x", "cc x", "aa x", "bb x", most=2)
    assert new == [True, True, False, True, False, True]
    assert templates(tree) == ["aa x", "bb x"]


@given(st.lists(st.text("ab1 '\"", max_size=12), max_size=60))
def test_templates_are_bounded_and_what_was_just_seen_is_known(bodies):
    """Otherwise a hostile log would eat the memory, or a record be new twice."""
    tree = Tree()
    for at, body in enumerate(bodies):
        words = words_of(body)
        tree.learn(words, at, 5)
        assert tree.covers(words)
        assert not tree.learn(words, at, 5)
        assert sum(map(len, tree.leaves.values())) == tree.count <= 5
        assert all(tree.leaves.values())


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "0x",
                    "0X",
                    "10x2",
                    "x0",
                    "1e5",
                    "-0",
                    "00:0",
                    "a0f",
                    "10.0.0.1",
                    "é2",
                    "٣",
                    "\ud800",
                ]
            ),
            st.text("0129aexX-.:/'\" é", max_size=6),
            st.text(max_size=3),
        ),
        max_size=12,
    ).map("".join)
)
def test_words_that_were_kept_for_a_text_with_other_digits_are_its_own(body):
    """Otherwise a record would be taken for another one."""
    masked = mining._CHANGING.sub(GAP, body).split()[: mining.WORDS]
    kept_for = body.translate(str.maketrans("123456789", "987654321"))
    assert words_of(kept_for) == mining._CHANGING.sub(GAP, kept_for).split()[: mining.WORDS]
    assert words_of(body) == masked
    assert shape_of(body).text == " ".join(masked)


@given(
    st.lists(
        st.lists(st.sampled_from(["g", "g", "h", "k", "1"]), min_size=2, max_size=5).map(" ".join),
        max_size=20,
    ),
    st.integers(1, 6),
)
def test_a_record_that_is_recalled_would_change_nothing_but_when_it_was_seen(bodies, most):
    """Otherwise what a log has learnt would depend on how fast it was read."""
    tree = Tree()
    for at, body in enumerate(bodies):
        for other in {*bodies[:at], body}:
            shape, before = shape_of(other), deepcopy(tree)
            recalled = tree.recall(shape)
            assert tree == before
            if recalled is None:
                continue
            recalled.seen = max(recalled.seen, at)
            assert before.learn(shape.words, at, most) is False
            assert before == tree
        tree.learn(words_of(body), at, most)
        assert tree.recall(shape_of(body)) is not None


def test_records_that_are_recalled_are_bounded(monkeypatch):
    """Otherwise a log of ever other words would eat the memory."""
    monkeypatch.setattr(mining, "RECALLED", 3)
    tree, _ = learnt("disk is full a", "disk is full b")
    for name in "cdefgh":
        assert tree.recall(shape_of(f"disk is full {name}")) is not None
        assert len(tree.recalled) <= 3
