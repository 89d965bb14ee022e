"""YAML that is none, or another one than its author believes: the whole text of what is said."""

from pathlib import Path

import pytest

from streams.policy import examine
from streams.policy_files import document_of

RULE = "rules:\n  - name: a\n    kind: health\n    severity: 1\n"


def said(text: str) -> list[str]:
    return [str(each) for each in document_of("a.yaml", text, {}).problems]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rules:\n\t- name: a\n", "2: is no YAML: has a tab where only spaces may stand"),
        (
            "rules:\n  - name: a\n\tkind: b\n",
            "3: is no YAML: has a tab where only spaces may stand",
        ),
        (f"{RULE}    owner: @ops\n", "5: is no YAML: no text begins with @: put it in quotes"),
        (f"{RULE}    summary: %d\n", "5: is no YAML: no text begins with %: put it in quotes"),
        (
            f"{RULE}    summary: Down: now\n",
            "5: is no YAML: a text with a colon and a space in it is put in quotes",
        ),
        (
            f"{RULE}    summary: {{{{ service }}}} fails\n",
            "5: is no YAML: a text that begins with {{ is put in quotes",
        ),
        (
            f"{RULE}    summary: {{{{ service }}}}\n",
            "5: is no YAML: has a map or a list for a name; a text that begins with {{ is put in quotes",
        ),
        (
            f"{RULE}    summary: 'a' fails\n",
            (
                "5: is no YAML: a text goes on after its closing quote: "
                "put all of it in quotes of the other sort"
            ),
        ),
        (
            f"{RULE}    service: *\n",
            "5: is no YAML: a text that begins with * is put in quotes",
        ),
        (
            f"{RULE}    service: *shop\n",
            "5: is no YAML: *shop stands for nothing; a text that begins with * is put in quotes",
        ),
        (
            f"{RULE}    service: & shop\n",
            "5: is no YAML: a text that begins with & is put in quotes",
        ),
        (
            f'{RULE}    summary: "\\d+ fail"\n',
            "5: is no YAML: \\d means nothing in double quotes: put the text in single ones",
        ),
        (f"{RULE}    owner: 'ops\n", "5: is no YAML: a quote that begins here is never closed"),
        (
            "channels:\n  pager: {kind: pagerduty, routing_key: ${KEY}}\n",
            '2: is no YAML: between { and }, or [ and ], a text with ${…} is put in quotes: "${NAME}"',
        ),
        ("rules:\n  - {name: a,\n", "3: is no YAML: a [ or { before it is never closed"),
        ("rules:\n  - {name: a\n", "2: is no YAML: a { is never closed"),
        ("rules:\n  - {name: a, groups: [b\n", "2: is no YAML: a [ is never closed"),
        (
            "rules: [{name: a kind: b}]\n",
            "1: is no YAML: a comma is missing, or a { before it is never closed",
        ),
        (
            "rules: [\n  - x",
            "2: is no YAML: between [ and ] entries have commas, and no - before them",
        ),
        (
            "rules:\n  - name: a\n   kind: b\n",
            "3: is no YAML: is not indented like what it belongs to",
        ),
        (
            "rules:\n  - name: a\n  kind: b\n",
            "3: is no YAML: is not indented like what it belongs to",
        ),
        (
            "rules:\n  - name: a\n      kind: b\n",
            "3: is no YAML: is not indented like what it belongs to",
        ),
        (
            "rules:\n  - name\n    kind: b\n",
            "3: is no YAML: is not indented like what it belongs to",
        ),
        ("rules:\n  x\nkind\n", "4: is no YAML: a colon and a space must follow a name"),
        (
            "rules: []\n---\nroutes: []\n",
            "2: is no YAML: --- begins a second document: put it into a file of its own",
        ),
        (
            "rules: !env KEY\n",
            "1: is no YAML: there are no tags such as !env; values of the environment are written ${NAME}",
        ),
        (
            "rules: !!python/name:os.system\n",
            (
                "1: is no YAML: there are no tags such as !!python/name:os.system; "
                "values of the environment are written ${NAME}"
            ),
        ),
        (
            "rules:\n\N{NO-BREAK SPACE} - name: a: b\n",
            "2: is no YAML: has a no-break space (U+00A0): write a plain one",
        ),
        ("rules: []\n\x07", "2: is no YAML: the character U+0007 cannot stand there: remove it"),
        ("rules: &a [*a]\n", "1: is no YAML: an alias contains itself"),
    ],
)
def test_what_is_no_yaml_is_said_with_what_would_be(text: str, told: str) -> None:
    """The library's words are those of its grammar, which nobody who writes a rule knows."""
    assert said(text) == [f"a.yaml:{told}"]


def test_nesting_without_end_is_no_traceback() -> None:
    assert said("rules: " + "[" * 3_000) == ["a.yaml: is no YAML: is nested too deeply"]


def test_aliases_do_not_make_a_small_file_a_large_one() -> None:
    """A few lines of them would keep a worker busy for ever."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 10)}]" for number in range(1, 9)
    ]
    assert said("\n".join(lines)) == [
        "a.yaml:1: is no YAML: its aliases repeat more than 200000 settings"
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"rules: []\n# St\xf6rung\n", "a.yaml:2: is not UTF-8 text: save the file as UTF-8"),
        ("rules: []\n".encode("utf-16"), "a.yaml:1: is UTF-16: save the file as UTF-8"),
    ],
)
def test_another_encoding_is_said_with_its_line(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    assert [str(each) for each in examine(tmp_path, {}).problems] == [told]


def test_a_byte_order_mark_and_other_line_ends_are_no_fault(tmp_path: Path) -> None:
    """Editors of Windows write both."""
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf" + RULE.replace("\n", "\r\n").encode())
    policy = examine(tmp_path, {}).policy
    assert policy is not None
    assert [rule.name for rule in policy.rules] == ["a"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        # YAML 1.1 takes these for truth, seconds, octal numbers, dates, and a sign that is none.
        *((each, each) for each in ("on", "off", "yes", "NO", "1:30", "010", "2026-02-30", "=")),
        ("2026-12-24", "2026-12-24"),
        ("true", True),
        ("False", False),
        ("12", 12),
        ("-10_000", -10_000),
        ("0x1F", 31),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("-.5e-3", -0.0005),
        ("5m", "5m"),
        ("~", None),
        ("", None),
        ("'12'", "12"),
    ],
)
def test_plain_words_are_what_they_look_like(written: str, read: object) -> None:
    """A rule called on, a country called NO and a time of 1:30 would be something else than their author wrote."""
    found = document_of("a.yaml", f"a: {written}\n", {}).meant["a"]
    assert found == read
    assert type(found) is type(read)


def test_names_are_texts_and_severities_numbers() -> None:
    """A label called on would be called True."""
    assert document_of("a.yaml", "{on: 1, no: 2, 3: 4, 1.5: 5, 010: 6}", {}).meant == {
        "on": 1,
        "no": 2,
        3: 4,
        "1.5": 5,
        "010": 6,
    }


def test_a_name_with_a_space_that_is_none_is_said() -> None:
    """What was copied from a web page looks right, and is not known."""
    assert said("rules:\n- {name: a,\N{NO-BREAK SPACE}kind: health}\n") == [
        (
            "a.yaml:2: rules[0].\N{NO-BREAK SPACE}kind: has a space that is none of YAML's, "
            "such as a no-break space: write a plain one"
        )
    ]


def test_anchors_are_merged() -> None:
    """Settings that rules have in common would have to be repeated."""
    text = "rules:\n- &a {kind: health, severity: 2}\n- {<<: *a, severity: 1}\n"
    document = document_of("a.yaml", text, {})
    assert document.problems == []
    assert document.meant["rules"][1] == {"kind": "health", "severity": 1}


def test_what_editors_leave_in_a_folder_is_not_read(tmp_path: Path) -> None:
    """A policy could not be used while somebody edits it."""
    (tmp_path / "a.yaml").write_text(RULE)
    (tmp_path / ".#a.yaml").write_text("rules: [")
    assert examine(tmp_path, {}).problems == ()
