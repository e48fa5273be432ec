"""Write the generated pages of the documents anew: run it after changing a setting, a command or a service."""

from __future__ import annotations

from pathlib import Path

from isocenter.app.reference import pages

FOLDER = Path(__file__).resolve().parent.parent / "docs"


def main() -> None:
    """Write every page."""
    for name, text in pages().items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main()
