"""What does a flavor ask for? Templates, their expressions, what becomes of them, and differences: values, no I/O."""
