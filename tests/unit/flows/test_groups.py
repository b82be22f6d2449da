"""`Roster`: any number of members in groups that each fit a message, and one member's change costs the same in all."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.contribution import BucketKey
from flows.flow import Bucket, Group, Output, ToGroup
from flows.groups import BUCKETS_PER_GROUP, CHUNK_SHIFT, MAX_CHUNKS, MEMBERS_PER_CHUNK, Roster, _mixed
from flows.pipeline import GROUP_RANGE, broadcast_group, unknown_group

GROUP = 5 | 1 << 31
MESSAGE, FRONT, LARGEST_BUCKET = 65_535, 16, 128
"""Octets of a message, of a group modification in front of its buckets, of a bucket that delivers to a local port: 16
in front, four register loads of 24, a resubmit of 16 (nicira-ext.h; one that sends to a tunnel has 64)."""
MOST_MEMBERS = MAX_CHUNKS * ((MESSAGE - FRONT) // LARGEST_BUCKET)
keys = st.builds(BucketKey, st.integers(0, 1), st.integers(0, 400))
acts = st.lists(st.tuples(keys, st.sampled_from([None, 1, 2])), max_size=150)


def a_bucket(ofport: int) -> Bucket:
    return Bucket(actions=(Output(ofport),))


def a_roster(members: dict[BucketKey, Bucket]) -> Roster:
    roster = Roster(GROUP)
    for key, bucket in sorted(members.items()):
        roster.put(key, bucket)
    roster.rebuild()
    return roster


def copies(groups: dict[int, Group], group_id: int = GROUP) -> list[Bucket]:
    """Return the buckets a frame meets that is handed to a group."""
    found: list[Bucket] = []
    for bucket in groups[group_id].buckets:
        action = bucket.actions[0]
        found += copies(groups, action.group_id) if isinstance(action, ToGroup) else [bucket]
    return found


def check(roster: Roster, members: dict[BucketKey, Bucket]) -> None:
    """Every member gets one copy, and no group is too large or outside the group's own ids."""
    groups = roster.groups
    assert sorted(copies(groups), key=repr) == sorted(members.values(), key=repr)
    assert len(roster) == len(members)
    for number, group in groups.items():
        assert number == group.id
        assert number & ~(MAX_CHUNKS << CHUNK_SHIFT) == GROUP
        assert FRONT + LARGEST_BUCKET * len(group.buckets) <= MESSAGE
    used = {bucket.actions[0].group_id for bucket in groups[GROUP].buckets if isinstance(bucket.actions[0], ToGroup)}
    assert used == groups.keys() - {GROUP}


@given(st.lists(acts, max_size=6))
@settings(max_examples=60)
def test_any_history_gives_the_groups_of_its_members_alone(history: list[list[tuple[BucketKey, int | None]]]) -> None:
    roster, members, installed = Roster(GROUP), dict[BucketKey, Bucket](), dict[int, Group]()
    for step in history:
        for key, ofport in step:
            roster.put(key, None if ofport is None else a_bucket(ofport))
            members.pop(key, None)
            if ofport is not None:
                members[key] = a_bucket(ofport)
        changed, gone = roster.rebuild()
        assert all(installed.get(group.id) != group for group in changed)
        installed.update({group.id: group for group in changed})
        for number in gone:
            del installed[number]
        assert installed == roster.groups == a_roster(members).groups
        check(roster, members)


def test_few_members_need_one_group_and_none_are_an_empty_one() -> None:
    assert a_roster({}).groups == {GROUP: Group(id=GROUP, buckets=())}
    members = {BucketKey(0, n): a_bucket(n) for n in range(MEMBERS_PER_CHUNK)}
    assert a_roster(members).groups == {GROUP: Group(id=GROUP, buckets=tuple(members.values()))}


@pytest.mark.parametrize("size", [65, 1_000, MAX_CHUNKS * MEMBERS_PER_CHUNK])
def test_one_member_more_or_less_changes_some_hundred_buckets_whatever_the_size(size: int) -> None:
    rng = random.Random(size)
    members = {BucketKey(0, rng.getrandbits(32)): a_bucket(n) for n in range(size)}
    roster = a_roster(members)
    costs = []
    for n in range(200):
        key = BucketKey(0, rng.getrandbits(32))
        for bucket in (a_bucket(n), None):
            roster.put(key, bucket)
            changed, gone = roster.rebuild()
            # The root changes only with the number of chunks, every 64 members; at the border it does each time.
            assert len(changed) + len(gone) <= 3
            costs.append(sum(len(group.buckets) for group in changed if group.id != GROUP))
    assert max(costs) <= 4 * MEMBERS_PER_CHUNK
    assert sum(costs) / len(costs) <= 2 * MEMBERS_PER_CHUNK
    check(roster, members)


def test_every_number_of_members_is_reached_and_left_again() -> None:
    roster, members = Roster(GROUP), dict[BucketKey, Bucket]()
    everybody = [(BucketKey(n % 2, n * 7919), a_bucket(n)) for n in range(700)]
    for key, bucket in everybody:
        roster.put(key, bucket)
        members[key] = bucket
        roster.rebuild()
        check(roster, members)
    for key, _ in everybody:
        roster.put(key, None)
        del members[key]
        roster.rebuild()
        check(roster, members)
    assert len(roster.groups) == 1


def test_members_that_all_belong_into_one_chunk_are_dealt_out_evenly_for_as_long_as_they_are_too_many() -> None:
    """A message must not grow too large because hashes happen to be bad."""
    alike = [key for key in (BucketKey(0, n) for n in range(64_000)) if not _mixed(key) & MAX_CHUNKS]
    members = {key: a_bucket(key.key) for key in alike[: BUCKETS_PER_GROUP + 1]}
    roster = a_roster(members)
    check(roster, members)
    assert max(len(group.buckets) for group in roster.groups.values()) == BUCKETS_PER_GROUP
    roster.put(alike[0], None)
    del members[alike[0]]
    roster.rebuild()
    check(roster, members)
    assert roster.groups == a_roster(members).groups
    roster.put(alike[0], a_bucket(1))
    members[alike[0]] = a_bucket(1)
    roster.rebuild()
    assert roster.groups == a_roster(members).groups


def test_thirty_thousand_ports_of_one_host_still_fit() -> None:
    members = {BucketKey(0, n): a_bucket(n) for n in range(MOST_MEMBERS)}
    assert MOST_MEMBERS > 30_000
    check(a_roster(members), members)


def test_the_chunks_of_a_segment_s_two_groups_are_all_different() -> None:
    """Bit 30 tells the group of those who take unknown unicast from the broadcast group."""
    segment, numbers = 0xFFFFFF, set[int]()
    for group_id in (broadcast_group(segment), unknown_group(segment)):
        roster = Roster(group_id)
        for n in range(2 * MAX_CHUNKS * MEMBERS_PER_CHUNK):
            roster.put(BucketKey(0, n), a_bucket(n))
        roster.rebuild()
        assert len(roster.groups) == MAX_CHUNKS + 1
        assert all(number >> 31 == GROUP_RANGE >> 31 for number in roster.groups)
        assert not numbers & roster.groups.keys()
        numbers |= roster.groups.keys()
