"""What every other part of fastmlp rests on: checks, threads, optional packages, whole files."""
