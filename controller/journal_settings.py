"""How much of the journal is kept? The operator's choice."""

from controller.whole_number import WholeNumber

JOURNAL_KEEP = WholeNumber(
    name="journal_keep",
    default="1000000",  # some 100 MB: hours of the most writes a machine can take, years of a small cloud
    # Twice what a reader takes in at once (`controller.reconcile.feed`): who is merely behind must find its place.
    least=10_000,
    most=2**31 - 1,
    unit="CHANGES",
    help="the newest that the journal keeps; who has missed more reads the whole intent again, and many deletes on a "
    "switch that was filled before wait for `weft reconcile --accept`",
)
