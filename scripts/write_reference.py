"""Write the generated pages of docs/reference anew: run it after changing a setting or a command."""

from __future__ import annotations

from pathlib import Path

from isocenter.app.reference import pages

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(FOLDER.name, name)


if __name__ == "__main__":
    main()
