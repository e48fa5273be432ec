"""Small archives of the form that `scripts/vendor_viewer.py` makes, so that tests need no npm."""

from __future__ import annotations

import zipfile
from pathlib import Path

INDEX = (
    '<html><head><script nonce="{{nonce}}">window.PUBLIC_URL="{{base}}"</script>'
    '<script src="{{base}}app-config.js"></script></head><body></body></html>'
)
SCRIPT = b"console.log('a viewer');\n" * 200
PICTURE = bytes(range(256))
MAIN_SCRIPT = "app.bundle.0f6159c501addfe9.js"


def make_viewer_archive(folder: Path) -> Path:
    """Write an archive with a page, a hashed script, a style sheet without hash, and a picture that is stored."""
    path = folder / "viewer.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("index.html", INDEX)
        archive.writestr(MAIN_SCRIPT, SCRIPT)
        archive.writestr("app.bundle.css", b"body{}" * 50)
        archive.writestr("37fa160cc3a47cfd.wasm", b"\0asm" * 50)
        archive.writestr("assets/icon.png", PICTURE, compress_type=zipfile.ZIP_STORED)
    return path
