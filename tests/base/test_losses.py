"""What is lost is counted by reason, shown, and stops a study that does not accept it."""

import pytest

from medpeft.base.errors import UserError
from medpeft.base.losses import REASONS, Losses, summary


@pytest.fixture
def losses() -> Losses:
    found = Losses()
    found.add("unlisted", "c.png")
    found.add("unreadable", "b.png", "a.png")
    found.add("unreadable", "a.png")
    return found


def test_a_name_counts_once_for_a_reason(losses):
    assert losses.table().values.tolist() == [["unreadable", 2, "b.png"], ["unlisted", 1, "c.png"]]
    assert summary({"unlisted": 1, "unreadable": 2000}) == (
        "unreadable files: 2,000; images that the table does not list: 1"
    )
    assert losses.lines()[0] == "unreadable files: 2: 'b.png', 'a.png'"


def test_an_unknown_reason_is_a_defect(losses):
    with pytest.raises(KeyError):
        losses.add("lost", "d.png")


def test_losses_of_several_archives_are_joined(losses):
    other = Losses()
    other.add("unreadable", "a.png", "z.png")
    other.update(losses)
    assert other.names("unreadable") == ["a.png", "z.png", "b.png"]
    assert other.names("unlisted") == ["c.png"]
    assert losses.names("unreadable") == ["b.png", "a.png"]


def test_what_stops_is_named_with_counts_examples_remedy_and_what_to_write(losses):
    losses.add("ungrouped", *"vwxyz")
    with pytest.raises(UserError) as caught:
        losses.refuse("chest", "chest", {"ungrouped": 4})
    assert str(caught.value) == (
        "chest has unreadable files: 2, such as 'b.png', 'a.png' (put sound copies in their place); images whose group "
        "is not known, each its own: 5, such as 'v', 'w', 'x' (correct `group` or the table); if that is as it should "
        "be, write `accept: {chest: {ungrouped: 5, unreadable: 2}}` in the study"
    )


def test_what_is_accepted_and_what_stops_nothing_pass(losses):
    losses.refuse("chest", "chest", {"unreadable": 2})
    with pytest.raises(UserError, match=r"accept: {chest: {unreadable: 2}}"):
        losses.refuse("chest", "chest", {"unreadable": 1})
    losses.add("others", *map(str, range(1000)))
    losses.refuse("chest", "chest", {"unreadable": 3})


def test_a_sentence_about_a_fault_ends_with_what_stops(losses):
    assert losses.aside().startswith(" (there are also unreadable files: 2, such as 'b.png'")
    assert "unlisted" not in losses.aside()
    assert Losses().aside() == ""


def test_a_study_can_accept_each_reason_that_stops(root):
    import yaml

    schema = yaml.safe_load((root / "schemas" / "study.schema.yaml").read_text())
    accepted = schema["properties"]["accept"]["additionalProperties"]["properties"]
    assert set(accepted) == {name for name, reason in REASONS.items() if reason.remedy}
