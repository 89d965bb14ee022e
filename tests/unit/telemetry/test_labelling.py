"""Names and labels of other systems, made to fit ours."""

from schemas import limits
from streams.telemetry.labelling import clean_name, fitting, label_name


def test_what_no_label_may_be_called_becomes_an_underscore():
    assert label_name("http.request_method/x-1") == "http.request_method/x-1"
    assert label_name("exampleSDID@32473.iut") == "exampleSDID_32473.iut"
    assert label_name("2xx") == "_2xx"
    assert label_name("") == "_"
    assert label_name("été") == "_t_"
    assert len(label_name("9" * 200)) == limits.LABEL_NAME_LENGTH


def test_a_service_has_a_name_that_can_be_printed():
    assert clean_name(" shop\n") == "shop"
    assert clean_name("a\x00b") == "a b"
    assert clean_name("\x00") == ""
    assert len(clean_name("s" * 500)) == limits.NAME_LENGTH


def test_values_are_cut_and_the_first_of_two_names_stays():
    assert fitting([("a b", "1"), ("a_b", "2")], [("a_b", "3"), ("c", "x" * 300)]) == {
        "a_b": "1",
        "c": "x" * limits.LABEL_VALUE_LENGTH,
    }


def test_the_same_labels_in_any_order_give_the_same_series():
    """Otherwise a producer that does not sort its labels would begin a series with each message."""
    many = [(f"l{number:02}", "v") for number in range(40)]
    kept = fitting(many, [("host", "a")])
    assert kept == fitting(reversed(many), [("host", "a")])
    assert list(kept) == [f"l{number:02}" for number in range(limits.LABEL_COUNT)]


def test_the_first_group_finds_room_first():
    """Otherwise a resource's version would push out what tells two series apart."""
    own = [(f"l{number:02}", "v") for number in range(31)]
    kept = fitting(own, [("host", "a"), ("az", "b")])
    assert len(kept) == limits.LABEL_COUNT
    assert kept["az"] == "b"
    assert "host" not in kept
