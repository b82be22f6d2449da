"""How fast is Weft, beside what Open vSwitch, SQLite or dnsmasq need without it? One module a question, one run a pair.

No figure stands alone: machines differ and this one is shared, so whatever is compared is measured in the same run.
"""
