#!/usr/bin/env python3
"""Fetch the console's three files of others by their lock: htmx, its event stream, and Tabler's style sheet.

They are taken as published, compressed once, and never committed. Without them the console works in plain dress.
Run it as `python -m scripts.vendor_console` in the project's folder.

Ends with 0 when they are up to date, 1 when they could not be had, 3 when npm is missing.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import tomllib
from pathlib import Path

from scripts.vendor_viewer import (
    EXIT_FAILED,
    EXIT_NPM_MISSING,
    LOCK,
    ROOT,
    NpmMissing,
    Package,
    VendorError,
    cache_folder,
    fetch,
    unpack,
    write_durably,
)

TARGET = ROOT / "src" / "isocenter" / "web" / "vendored"
LABEL_NAME = "VENDORED.txt"
TAKEN = {
    "htmx": {"dist/htmx.min.js": "htmx.js", "dist/ext/hx-sse.min.js": "htmx-sse.js"},
    "tabler": {"dist/css/tabler.min.css": "tabler.css"},
}
"""What is taken of each package of the lock, and how it is called here."""
TABLER_LICENCE = """MIT License

Copyright (c) 2018-2026 The Tabler Authors

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
"""The package has no file of its own for it; its package.json says MIT."""


def vendor(target: Path, *, force: bool) -> str:
    """Fetch what is not current; return one line on what was done."""
    lock = tomllib.loads(LOCK.read_text())["console"]
    packages = {key: Package(**lock[key]) for key in TAKEN}
    label = "".join(f"{one.name} {one.version} {one.integrity}\n" for one in packages.values())
    named = target / LABEL_NAME
    if not force and named.is_file() and named.read_text().startswith(label):
        return "console: htmx and Tabler are up to date"
    target.mkdir(parents=True, exist_ok=True)
    licences = [label]
    for key, package in packages.items():
        wanted = TAKEN[key]
        members = unpack(fetch(package, cache_folder()), ({"LICENSE"} | wanted.keys()).__contains__)
        missing = sorted(wanted.keys() - members.keys())
        if missing:
            raise VendorError(f"{package.name} {package.version} has no {missing[0]}: {LOCK.name} names another layout")
        licence = members["LICENSE"].decode() if "LICENSE" in members else TABLER_LICENCE
        licences.append(f"{package.name} {package.version}\n\n{licence}")
        for path, name in wanted.items():
            write_durably(target / f"{name}.gz", gzip.compress(members[path], 9, mtime=0))
    write_durably(named, "\n".join(licences).encode())
    return f"console: {', '.join(f'{one.name} {one.version}' for one in packages.values())}"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Fetch the console's files of others as vendor.lock says.")
    parser.add_argument("--target", type=Path, default=TARGET, help="folder of the files (default: in the package)")
    parser.add_argument("--force", action="store_true", help="fetch them even if they are up to date")
    arguments = parser.parse_args()
    try:
        print(vendor(arguments.target, force=arguments.force))
    except NpmMissing as error:
        print(f"console: {error}", file=sys.stderr)
        return EXIT_NPM_MISSING
    except (VendorError, OSError) as error:
        print(f"console: {error}", file=sys.stderr)
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
