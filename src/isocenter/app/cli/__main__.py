"""`python -m isocenter.app.cli`: the command line where the program `isocenter` is not on the path."""

from __future__ import annotations

from isocenter.app.cli import main

if __name__ == "__main__":
    main()
