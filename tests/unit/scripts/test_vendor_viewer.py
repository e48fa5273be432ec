from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from scripts import vendor_viewer
from scripts.vendor_viewer import Package, VendorError

PAGE = (
    '<!doctype html><head><meta name="msapplication-TileImage" content="/assets/mstile.png">'
    '<script>window.PUBLIC_URL="/"</script><link rel="manifest" href="/manifest.json">'
    '<link rel="icon" sizes="16x16" href="/assets/favicon-16x16.png">'
    '<link rel="apple-touch-icon" sizes="57x57" href="/assets/apple-touch-icon-57x57.png">'
    '<script src="/app-config.js"></script><script>window.PUBLIC_URL="/"</script>'
    '<script defer src="/app.bundle.0f6159c501addfe9.js"></script></head><body><div id="root"></div></body>'
)
MAIN_SCRIPT = b'/******/ __webpack_require__.p = "/";\nstart();'
FILES = {
    "index.html": PAGE.encode(),
    "manifest.json": b'{"icons": [{"src": "/assets/a.png"}, {"src": "/assets/gone.png"}]}',
    "app.bundle.0f6159c501addfe9.js": MAIN_SCRIPT,
    "app.bundle.css": b"a{src:url(/x.woff2)}b{background:url(//far/y.png)}",
    "app-config.js": b"window.config = {}",
    "assets/a.png": b"picture",
}


def _tarball(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _package(tarball: bytes) -> Package:
    digest = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    return Package("some-package", "1.0.0", f"sha512-{digest}")


@pytest.mark.parametrize(
    "path",
    [
        "dist/ort/ort.wasm",
        "dist/app.bundle.js.map",
        "dist/dicom-microscopy-viewer/dataLoader.worker.min.js",
        "dist/google.js",
        "dist/sw.js",
        "dist/silent-refresh.html",
        "dist/assets/apple-touch-startup-image-320x460.png",
        "README.md",
    ],
)
def test_what_the_viewer_does_not_need_is_dropped(path: str) -> None:
    assert not vendor_viewer.is_wanted(path)


@pytest.mark.parametrize(
    "path",
    [
        "LICENSE",
        "dist/index.html",
        "dist/app.bundle.0f6159c501addfe9.js",
        "dist/5130ccb17e3f3f5b.wasm",
        "dist/assets/images/CT-Bone.png",
        "dist/assets/favicon.ico",
    ],
)
def test_what_the_viewer_needs_is_kept(path: str) -> None:
    assert vendor_viewer.is_wanted(path)


def test_scripts_find_their_siblings_below_any_path() -> None:
    script = vendor_viewer.patch(FILES)["app.bundle.0f6159c501addfe9.js"].decode()
    assert '__webpack_require__.p = "/"' not in script
    assert "window.PUBLIC_URL" in script
    assert "self.location.href" in script


def test_views_of_arrays_are_made_without_functions_from_text() -> None:
    old = b"function compileConstructor(dtype, dimension) {\n  return new Function(code)\n}"
    script = vendor_viewer.patch_member("9383.bundle.js", old).decode()
    before_the_return, _, rest = script.partition("return (data, shape, stride, offset)")
    assert "new Function" not in before_the_return
    assert "class View" in before_the_return
    assert rest


def test_a_report_without_a_concept_name_does_not_break_its_page() -> None:
    script = b"  const {\n    CodeValue\n  } = ConceptNameCodeSequence;\n"
    patched = vendor_viewer.patch(FILES | {"9068.bundle.e1d5946c370fd4ee.js": script})
    assert b"} = ConceptNameCodeSequence ?? {};" in patched["9068.bundle.e1d5946c370fd4ee.js"]


def test_style_sheets_name_their_fonts_relatively() -> None:
    assert vendor_viewer.patch(FILES)["app.bundle.css"] == b"a{src:url(x.woff2)}b{background:url(//far/y.png)}"


def test_the_page_becomes_a_template_without_the_site_root() -> None:
    page = vendor_viewer.patch(FILES)["index.html"].decode()
    assert page.count('window.PUBLIC_URL="{{base}}"') == 2
    assert page.count('<script nonce="{{nonce}}">') == 2
    assert 'href="{{base}}assets/favicon-16x16.png"' in page
    assert '="/' not in page
    assert "57x57" not in page
    assert "msapplication" not in page


def test_the_manifest_names_only_icons_that_are_there() -> None:
    manifest = json.loads(vendor_viewer.patch(FILES)["manifest.json"])
    assert manifest["icons"] == [{"src": "assets/a.png"}]


def test_the_configuration_of_the_package_is_not_shipped() -> None:
    assert "app-config.js" not in vendor_viewer.patch(FILES)


@pytest.mark.parametrize("path", ["index.html", "app.bundle.0f6159c501addfe9.js"])
def test_a_version_that_the_patches_do_not_fit_is_refused(path: str) -> None:
    with pytest.raises(VendorError, match="do not fit"):
        vendor_viewer.patch(FILES | {path: b"something else"})


def test_a_cached_package_needs_no_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    tarball = _tarball({"dist/a.js": b"1"})
    package = _package(tarball)
    (tmp_path / f"{package.digest.hex()[:40]}.tgz").write_bytes(tarball)
    assert vendor_viewer.fetch(package, tmp_path) == tarball


def test_a_package_that_does_not_match_the_lock_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho tampered > package.tgz\n")
    npm.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    cache = tmp_path / "cache"
    with pytest.raises(VendorError, match="does not match"):
        vendor_viewer.fetch(_package(b"genuine"), cache)
    assert not cache.exists()


def test_without_npm_the_script_says_so_in_one_line_and_ends_with_its_own_code(tmp_path: Path) -> None:
    script = Path(vendor_viewer.__file__)
    environment = {"PATH": "", "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(script), "--target", str(tmp_path / "viewer")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == vendor_viewer.EXIT_NPM_MISSING
    assert len(done.stderr.splitlines()) == 1
    assert "Node.js" in done.stderr
    assert not (tmp_path / "viewer").exists()


def test_the_same_files_give_the_same_archive() -> None:
    packed = vendor_viewer.pack(FILES, {"recipe": "r"})
    assert packed == vendor_viewer.pack(dict(reversed(FILES.items())), {"recipe": "r"})
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == FILES


def test_an_archive_is_current_only_for_its_own_recipe(tmp_path: Path) -> None:
    path = tmp_path / "viewer.zip"
    path.write_bytes(vendor_viewer.pack(FILES, {"recipe": "r"}))
    assert vendor_viewer.is_current(path, "r")
    assert not vendor_viewer.is_current(path, "another")
    assert not vendor_viewer.is_current(tmp_path / "none.zip", "r")
    path.write_bytes(b"torn")
    assert not vendor_viewer.is_current(path, "r")


def test_the_lock_pins_every_package_by_hash_and_names_no_host() -> None:
    text = vendor_viewer.LOCK.read_text()
    lock = tomllib.loads(text)
    packages = [Package(**lock["viewer"]), *(Package(**entry) for entry in lock["minifier"].values())]
    assert all(len(package.digest) == hashlib.sha512().digest_size for package in packages)
    assert "://" not in text
