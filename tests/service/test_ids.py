"""Identifiers."""

from service.ids import new_id


def test_ids_are_ordered_and_distinct() -> None:
    ids = [new_id("job") for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert [i[:14] for i in ids] == sorted(i[:14] for i in ids)
    assert {len(i) for i in ids} == {30}
