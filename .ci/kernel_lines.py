"""Which lines of Cython ran, from gcov's counts of the C files that Cython made of them:

    python .ci/kernel_lines.py build    the folder with .gcda files, in the folder of the build

A line ran if the first C statement that Cython wrote for it did in any module: engine or
operations, any instruction set and dtype.  Lines without a statement are not counted.  Of C
headers, the lines count that gcov counts.  Functions that no module has are lines that do not run.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

KERNELS = Path("fastmlp", "kernels")
PLACE = re.compile(r'\s*/\* "(?:[^"]*/)?([^"/]+\.(?:pyx|pxd|pxi))":(\d+)$')
Counts = dict[int, int]


def counts_of_c(folder: Path) -> dict[str, Counts]:
    """How often each line of each C file ran: the greatest count of all modules."""
    found: dict[str, Counts] = defaultdict(dict)
    for path in sorted(folder.rglob("*.gcda")):
        command = ["gcov", "--json-format", "--stdout", str(path)]
        report = json.loads(subprocess.check_output(command, text=True))
        for file in report["files"]:
            counts = found[file["file"]]
            for line in file["lines"]:
                number = line["line_number"]
                counts[number] = max(line["count"], counts.get(number, 0))
    return found


def blocks(c_file: Path) -> list[tuple[str, int, list[tuple[int, str]]]]:
    """The C lines after each comment that names a line of Cython."""
    found: list[tuple[str, int, list[tuple[int, str]]]] = []
    in_comment = False
    for number, text in enumerate(c_file.read_text("utf-8").splitlines(), 1):
        if place := PLACE.match(text):
            found.append((place[1], int(place[2]), []))
        in_comment = in_comment or text.lstrip().startswith("/*")
        if found and not in_comment:
            found[-1][2].append((number, text))
        in_comment = in_comment and not text.rstrip().endswith("*/")
    return found


def counts_of_cython(c: dict[str, Counts]) -> dict[str, Counts]:
    """The same of the lines of Cython and of C headers, by the name of the file."""
    found: dict[str, Counts] = defaultdict(dict)
    for file, counts in c.items():
        if Path(file).parent == KERNELS and file.endswith(".h"):
            found[Path(file).name] = counts
    for c_file in sorted(KERNELS.glob("*.c")):
        ran = c.get(str(c_file), {})
        for file, line, lines in blocks(c_file):
            if not (KERNELS / file).exists():
                continue  # Cython's own
            first = next((ran[number] for number, _ in lines if number in ran), None)
            if first is None and any(re.match(r"static .*\) \{$", text) for _, text in lines):
                first = 0  # a function that no module uses, which the compiler leaves out
            if first is not None:
                found[file][line] = max(first, found[file].get(line, 0))
    return found


def ranges(numbers: list[int], counted: list[int]) -> str:
    """Numbers as "3-5, 9": a range goes on over lines that are not counted."""
    found: list[list[int]] = []
    missing = set(numbers)
    previous = None
    for number in counted:
        if number in missing:
            if previous in missing:
                found[-1][1] = number
            else:
                found.append([number, number])
        previous = number
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in found)


def main() -> None:
    found = counts_of_cython(counts_of_c(Path(sys.argv[1])))
    print(f"{'file':<26}{'lines':>7}{'missing':>9}{'ran':>8}   missing lines")
    n_lines = n_missing = 0
    for file, counts in sorted(found.items()):
        counted = sorted(counts)
        missing = [number for number in counted if counts[number] == 0]
        n_lines, n_missing = n_lines + len(counted), n_missing + len(missing)
        if missing:
            share = 100 * (1 - len(missing) / len(counted))
            print(
                f"{file:<26}{len(counted):>7}{len(missing):>9}{share:>7.1f}%   "
                f"{ranges(missing, counted)}"
            )
    share = 100 * (1 - n_missing / max(1, n_lines))
    print(f"{'all':<26}{n_lines:>7}{n_missing:>9}{share:>7.1f}%")
    if share < 95:
        sys.exit("below 95 %")


if __name__ == "__main__":
    main()
