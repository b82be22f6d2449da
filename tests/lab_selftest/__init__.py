"""Proofs of the laboratory, without the product."""
