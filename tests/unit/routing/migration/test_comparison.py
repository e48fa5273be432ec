"""What is wrong at the target, by sets and by digests."""

from __future__ import annotations

from isocenter.routing.migration.comparison import Comparison, Finding, InstanceDigest, compare_digests, compare_sets


def test_sets_tell_what_is_missing_and_what_is_extra() -> None:
    assert compare_sets(["1", "2"], ["2", "3"]) == {"1": Finding.MISSING, "3": Finding.EXTRA}
    assert compare_sets(["1"], ["1"]) == {}


def test_digests_of_one_family_are_the_same_or_different() -> None:
    sent = InstanceDigest("native-le", "aa")
    assert compare_digests(sent, InstanceDigest("native-le", "aa")) is Comparison.SAME
    assert compare_digests(sent, InstanceDigest("native-le", "bb")) is Comparison.DIFFERENT


def test_bytes_of_another_transfer_syntax_prove_nothing() -> None:
    other = InstanceDigest("1.2.840.10008.1.2.4.90", "aa")
    assert compare_digests(InstanceDigest("native-le", "aa"), other) is Comparison.NOT_COMPARABLE
