"""Which groups of a switch together are one group with any number of members?

A message has room for some 900 buckets (OpenFlow 1.4 section 7.1), and changing a group means sending all of them. So
the members of a large group are spread over chunks, groups of their own, and the group itself, the root, hands to each:

    members  1..64    the root holds the buckets
    members  65..     root ──▶ chunk 1, chunk 2, ... one more for every 64 members

Linear hashing (W. Litwin, "Linear hashing: a new tool for file and table addressing", VLDB 1980) says which member is
in which chunk. One member more or less changes one chunk; one chunk more or less splits or joins one chunk. And where
everything lies depends on who is a member alone, not on who came when, so that an incremental state equals a full one.
"""

from collections.abc import Iterator

from flows.contribution import BucketKey
from flows.flow import Bucket, Group, ToGroup

MEMBERS_PER_CHUNK = 64
"""On average; with linear hashing no chunk has much more than twice as many."""
CHUNK_SHIFT = 24
"""Chunk n of group g has the id g | n << 24; segment keys have 24 bits, and bit 31 is the layout's (`pipeline`)."""
MAX_CHUNKS = 63
BUCKETS_PER_GROUP = 400
"""More than this in one chunk, and the members are dealt out evenly: a message has room for 511 buckets of 128 octets
(the largest: a local port), so 63 chunks hold 32,193 members, some 200 fewer than a host has numbers for ports."""
_MIX = 0x9E3779B97F4A7C15
_BITS64 = (1 << 64) - 1


class Roster:
    """The members of one group, and the groups that realise it."""

    def __init__(self, group_id: int) -> None:
        self._group_id = group_id
        self._slots: list[dict[BucketKey, Bucket]] = [{}]
        self._count = 0
        self._dirty = {0}
        """Slots whose group is not what it was at the last `rebuild`."""
        self._is_dealt = False
        self._built: dict[int, Group] = {}

    def __len__(self) -> int:
        """How many members there are."""
        return self._count

    @property
    def groups(self) -> dict[int, Group]:
        """The groups by id, as of the last `rebuild`; not to be changed."""
        return self._built

    def put(self, key: BucketKey, bucket: Bucket | None) -> None:
        """Let a member have this bucket, or be none."""
        number = self._slot(key)
        slot = self._slots[number]
        if slot.get(key) == bucket:
            return
        self._dirty.add(number)
        if bucket is None:
            del slot[key]
            self._count -= 1
        else:
            self._count += key not in slot
            slot[key] = bucket
        wanted = min(MAX_CHUNKS, max(1, -(-self._count // MEMBERS_PER_CHUNK)))
        while len(self._slots) < wanted:
            self._split()
        while len(self._slots) > wanted:
            self._join()

    def rebuild(self) -> tuple[list[Group], list[int]]:
        """Bring the groups up to date; return those that are new or different, and the ids of those that are gone."""
        if not self._dirty:
            return [], []
        is_dealt = max(map(len, self._slots)) > BUCKETS_PER_GROUP
        if is_dealt or self._is_dealt:
            every = range(len(self._slots))
            wanted = {group.id: group for group in (self._dealt() if is_dealt else self._hashed(every))}
            gone = [number for number in self._built if number not in wanted]
        else:
            wanted = {group.id: group for group in self._hashed(self._dirty)}
            unused = (self._id(slot + 1) for slot in self._dirty if slot >= len(self._slots) or len(self._slots) == 1)
            gone = [number for number in unused if number in self._built]
        changed = [group for group in wanted.values() if self._built.get(group.id) != group]
        self._built.update(wanted)
        for number in gone:
            del self._built[number]
        self._dirty.clear()
        self._is_dealt = is_dealt
        return changed, gone

    # where a member lies ----------------------------------------------------------------------------------------------

    def _slot(self, key: BucketKey) -> int:
        count, mixed = len(self._slots), _mixed(key)
        wide = 1 << count.bit_length() - 1
        number = mixed & (wide << 1) - 1
        return number if number < count else mixed & wide - 1

    def _split(self) -> None:
        """Add a slot; half of the members of one other are now in it."""
        new = len(self._slots)
        old = new - (1 << new.bit_length() - 1)
        members = self._slots[old]
        self._slots.append({})
        self._slots[old] = {}
        for key, bucket in members.items():
            self._slots[self._slot(key)][key] = bucket
        self._dirty |= {old, new}

    def _join(self) -> None:
        """Take the last slot away; its members go back to where they were split off."""
        members = self._slots.pop()
        gone = len(self._slots)
        into = gone - (1 << gone.bit_length() - 1)
        self._slots[into].update(members)
        self._dirty |= {into, gone}

    # which groups that makes ------------------------------------------------------------------------------------------

    def _id(self, chunk: int) -> int:
        return self._group_id | chunk << CHUNK_SHIFT

    def _hashed(self, slots: range | set[int]) -> Iterator[Group]:
        """Yield the groups of some slots, and the root when there are more or fewer slots than it says."""
        count = len(self._slots)
        if count == 1:
            yield Group(id=self._group_id, buckets=_ordered(self._slots[0]))
            return
        for slot in slots:
            if slot < count:
                yield Group(id=self._id(slot + 1), buckets=_ordered(self._slots[slot]))
        if self._id(count) not in self._built or self._id(count + 1) in self._built or self._is_dealt:
            yield self._root(count)

    def _dealt(self) -> Iterator[Group]:
        """Yield the groups when the members are dealt out evenly, whatever their hashes are."""
        buckets = _ordered({key: bucket for slot in self._slots for key, bucket in slot.items()})
        size = max(BUCKETS_PER_GROUP, -(-len(buckets) // MAX_CHUNKS))
        starts = range(0, len(buckets), size)
        for chunk, at in enumerate(starts, start=1):
            yield Group(id=self._id(chunk), buckets=buckets[at : at + size])
        yield self._root(len(starts))

    def _root(self, chunks: int) -> Group:
        return Group(
            id=self._group_id,
            buckets=tuple(Bucket(actions=(ToGroup(self._id(chunk)),)) for chunk in range(1, chunks + 1)),
        )


def _ordered(members: dict[BucketKey, Bucket]) -> tuple[Bucket, ...]:
    return tuple(members[key] for key in sorted(members))


def _mixed(key: BucketKey) -> int:
    """Return 64 bits each of which depends on every bit of a key (splitmix64; S. Vigna, public domain)."""
    mixed = (key.kind << 32 ^ key.key ^ key.key >> 64) + _MIX & _BITS64
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _BITS64
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _BITS64
    return mixed ^ mixed >> 31
