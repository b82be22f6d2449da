"""Does Weft work on a real PostgreSQL?"""
