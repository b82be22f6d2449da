"""Do the fake switch and Open vSwitch behave alike under everything Weft does with them?"""
