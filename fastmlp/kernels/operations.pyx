"""Each kernel alone, on plain arrays: what steps.py calls, and the tests."""
