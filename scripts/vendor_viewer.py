#!/usr/bin/env python3
"""Fetch the OHIF viewer by its lock, prune, patch and minify it, and pack it as one archive.

Needs Python's standard library, and `npm` only where the packages are not in the cache yet. Nothing of the packages
is installed or run, but for the minifier. The archive is an ordinary zip: its members are sent as they lie in it
(deflated data between a gzip head and tail), so that nothing is unpacked or compressed when the server runs.

Ends with 0 when the archive is up to date, 1 when it could not be made, 3 when npm is missing.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "vendor.lock"
NOTICES = ROOT / "scripts" / "viewer_notices.txt"
TARGET = ROOT / "src" / "isocenter" / "web" / "viewer"
ARCHIVE_NAME = "ohif.zip"
THIRD_PARTY_NAME = "THIRD_PARTY.txt"

EXIT_FAILED = 1
EXIT_NPM_MISSING = 3

NPM_TIMEOUT_S = 900
"""A 50 MB package over a slow line."""
MINIFY_TIMEOUT_S = 300
MEMBER_SIZE_MAX_BYTES = 64 << 20
"""The largest member kept is 17 MB; beyond this the package is not the one that the patches were written for."""
ZIP_TIMESTAMP = (1980, 1, 1, 0, 0, 0)
"""The same for every member, so that the same lock gives the same archive."""

Files = dict[str, bytes]


class VendorError(Exception):
    """A one-line reason why there is no archive, with the remedy."""


class NpmMissing(VendorError):
    """npm is needed and is not there."""


@dataclass(frozen=True)
class Package:
    """A package of the lock."""

    name: str
    version: str
    integrity: str

    @property
    def digest(self) -> bytes:
        """Return the SHA-512 of its tarball."""
        algorithm, _, encoded = self.integrity.partition("-")
        if algorithm != "sha512":
            raise VendorError(f"{LOCK.name}: the integrity of {self.name} must be sha512")
        return base64.b64decode(encoded)


# --- fetch -----------------------------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Return the folder in which tarballs are kept between runs, by hash."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "isocenter" / "vendor"


def fetch(package: Package, cache: Path) -> bytes:
    """Return the tarball of a package, verified, from the cache or by npm."""
    kept = cache / f"{package.digest.hex()[:40]}.tgz"
    if kept.is_file():
        content = kept.read_bytes()
        if hashlib.sha512(content).digest() == package.digest:
            return content
    content = download(package)
    if hashlib.sha512(content).digest() != package.digest:
        raise VendorError(f"{package.name} {package.version} does not match {LOCK.name}: refused; nothing was changed")
    cache.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(f".{os.getpid()}.part")
    partial.write_bytes(content)
    partial.replace(kept)
    return content


def download(package: Package) -> bytes:
    """Let npm fetch a tarball; nothing of it is run."""
    npm = shutil.which("npm")
    if npm is None:
        remedy = f"install Node.js with npm and run {Path(__file__).name} again"
        raise NpmMissing(f"npm is missing, so the full viewer was not fetched: {remedy}")
    with tempfile.TemporaryDirectory(prefix="isocenter-vendor-") as folder:
        command = [npm, "pack", "--silent", "--ignore-scripts", f"{package.name}@{package.version}"]
        done = run(command, folder=Path(folder), timeout_s=NPM_TIMEOUT_S)
        tarballs = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or len(tarballs) != 1:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise VendorError(f"npm could not fetch {package.name} {package.version}: {reason}")
        return tarballs[0].read_bytes()


def run(command: list[str], *, folder: Path, timeout_s: int) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder and keep what it says."""
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise VendorError(f"{Path(command[0]).name} took longer than {timeout_s} s: try again") from error


def unpack(tarball: bytes, wanted: Callable[[str], bool]) -> Files:
    """Return the wanted members of a package by their path in it."""
    files: Files = {}
    with tarfile.open(fileobj=io.BytesIO(tarball), mode="r:gz") as archive:
        for member in archive:
            path = member.name.removeprefix("package/")
            if not member.isfile() or not wanted(path):
                continue
            if member.size > MEMBER_SIZE_MAX_BYTES:
                raise VendorError(f"{path} is larger than expected: the patches do not fit this version")
            reader = archive.extractfile(member)
            assert reader is not None, "a regular file has content"
            files[path] = reader.read()
    return files


# --- prune -----------------------------------------------------------------------------------------------------------

DROPPED = re.compile(
    r"""
      \.map$                                 # source maps
    | ^ort/                                  # a neural network runtime, which would fetch weights from a public host
    | ^dicom-microscopy-viewer/              # whole slide mode
    | ^customizations/                       # only read where the configuration names a prefix for them
    | ^(google|sw|oidc-client\.min|es6-shim\.min|polyfill\.min)\.js$
    | ^silent-refresh\.html$                 # loads a script from a foreign host
    | ^(_headers|_redirects|serve\.json)$
    | ^assets/(?!images/|favicon|apple-touch-icon-180x180|android-chrome-(192x192|512x512))
    """,
    re.VERBOSE,
)
"""Paths below `dist/` that are not shipped; what goes with them is one-click segmentation and whole slide mode."""


def is_wanted(path: str) -> bool:
    """Tell whether a member of the viewer's package is shipped."""
    return path == "LICENSE" or (path.startswith("dist/") and DROPPED.search(path.removeprefix("dist/")) is None)


# --- patch -----------------------------------------------------------------------------------------------------------

PUBLIC_PATH = b'__webpack_require__.p = "/";'
PUBLIC_PATH_PATCHED = (
    b'__webpack_require__.p = (typeof window !== "undefined" && window.PUBLIC_URL)'
    b' || new URL("./", self.location.href).href;'
)
REPAIRS = (
    (b"  } = ConceptNameCodeSequence;", b"  } = ConceptNameCodeSequence ?? {};"),
    (b"    } = MeasurementUnitsCodeSequence;", b"    } = MeasurementUnitsCodeSequence ?? {};"),
)
"""A report may leave these out (PS3.3 C.17.3.2, type 1C); without the repair one such report blanks the whole page."""
VIEWS_HEAD = b"function compileConstructor(dtype, dimension) {"
VIEWS = (
    VIEWS_HEAD
    + b"""
  var places = CACHED_CONSTRUCTORS[dtype], isGeneric = dtype === "generic";
  function at(view, steps) {
    var place = view.offset;
    for (var i = 0; i < dimension; ++i) place += view.stride[i] * steps[i];
    return place;
  }
  function isStep(step) { return typeof step === "number" && step >= 0; }
  class View {
    constructor(data, shape, stride, offset) {
      this.data = data;
      this.shape = Array.from(shape || []);
      this.stride = Array.from(stride || []);
      this.offset = offset | 0;
    }
    get size() { return dimension < 0 ? 0 : this.shape.reduce((size, length) => size * length, 1); }
    get order() { return dimension < 1 ? [] : order.call(this); }
    index(...steps) { return dimension < 0 ? -1 : at(this, steps); }
    get(...steps) {
      if (dimension < 0) return undefined;
      return isGeneric ? this.data.get(at(this, steps)) : this.data[at(this, steps)];
    }
    set(...steps) {
      if (dimension < 0) return undefined;
      var value = steps[dimension], place = at(this, steps);
      return isGeneric ? this.data.set(place, value) : this.data[place] = value;
    }
    valueOf() { return dimension === 0 ? this.get() : this; }
    hi(...ends) {
      var shape = this.shape.map((length, i) => isStep(ends[i]) ? ends[i] | 0 : length);
      return new View(this.data, shape, this.stride, this.offset);
    }
    lo(...starts) {
      var offset = this.offset;
      var shape = this.shape.map((length, i) => {
        if (!isStep(starts[i])) return length;
        offset += this.stride[i] * (starts[i] | 0);
        return length - (starts[i] | 0);
      });
      return new View(this.data, shape, this.stride, offset);
    }
    step(...steps) {
      var offset = this.offset, shape = this.shape.slice(), stride = this.stride.slice();
      for (var i = 0; i < dimension; ++i) {
        if (typeof steps[i] !== "number") continue;
        var by = steps[i] | 0;
        if (by < 0) offset += stride[i] * (shape[i] - 1);
        shape[i] = Math.ceil(shape[i] / Math.abs(by));
        stride[i] *= by;
      }
      return new View(this.data, shape, stride, offset);
    }
    transpose(...axes) {
      var from = this.shape.map((_, i) => axes[i] === undefined ? i : axes[i] | 0);
      return new View(this.data, from.map(i => this.shape[i]), from.map(i => this.stride[i]), this.offset);
    }
    pick(...steps) {
      if (dimension < 0) return null;
      if (dimension === 0) return places[0](this.data);
      var offset = this.offset, shape = [], stride = [];
      for (var i = 0; i < dimension; ++i) {
        if (isStep(steps[i])) offset = (offset + this.stride[i] * steps[i]) | 0;
        else { shape.push(this.shape[i]); stride.push(this.stride[i]); }
      }
      return places[shape.length + 1](this.data, shape, stride, offset);
    }
  }
  View.prototype.dtype = dtype;
  View.prototype.dimension = dimension;
  return (data, shape, stride, offset) => new View(data, shape, stride, offset);
"""
)
"""Views of arrays (the library ndarray) without functions made from text, which the page's policy forbids: without
this no segmentation can be opened. What follows of the old function is behind a return, and the minifier drops it."""
SERVICE_WORKER_STUB = b"// There is no service worker: the page asks for this file, and nothing is to be done.\n"
KEPT_ICONS = ("favicon.ico", "favicon-16x16.png", "favicon-32x32.png", "apple-touch-icon-180x180.png")
LOADING = """<div id="root"><style>
body{margin:0;background:#000;color:#9ab;font:15px system-ui,sans-serif}
#opening{position:fixed;inset:0;display:grid;place-items:center}</style><p id="opening">Opening the viewer…</p></div>"""


def patch(files: Files) -> Files:
    """Return the files with the site root taken out of them, so that they work below any path."""
    patched = {path: patch_member(path, content) for path, content in files.items()}
    if all(patched[path] == files[path] for path in files if path.startswith("app.bundle.") and path.endswith(".js")):
        raise VendorError("the public path was not found in the main bundle: the patches do not fit this version")
    patched["init-service-worker.js"] = SERVICE_WORKER_STUB
    patched["index.html"] = patch_index(files["index.html"].decode()).encode()
    patched["manifest.json"] = patch_manifest(files["manifest.json"], kept=frozenset(patched)).encode()
    patched.pop("app-config.js", None)
    return patched


def patch_member(path: str, content: bytes) -> bytes:
    """Return a member that finds its siblings beside the page, or beside itself in a worker or style sheet."""
    if path.endswith(".js"):
        for found, replacement in ((PUBLIC_PATH, PUBLIC_PATH_PATCHED), (VIEWS_HEAD, VIEWS), *REPAIRS):
            content = content.replace(found, replacement)
        return content
    return re.sub(rb"url\(/(?!/)", b"url(", content) if path.endswith(".css") else content


def patch_index(page: str) -> str:
    """Return the page with `{{base}}` for its own path and `{{nonce}}` in each inline script."""

    def keep_link(tag: re.Match[str]) -> str:
        link = tag.group(0)
        about_icons = "icon" in link or "startup-image" in link or "yandex" in link
        return link if not about_icons or any(icon in link for icon in KEPT_ICONS) else ""

    page = re.sub(r"<link [^>]*>", keep_link, page)
    page = re.sub(r'<meta name="msapplication-[^>]*>', "", page)
    page = re.sub(r'\b(href|src|content)="/(?!/)', r'\1="{{base}}', page)
    page, urls = re.subn(r'window\.PUBLIC_URL="/"', 'window.PUBLIC_URL="{{base}}"', page)
    page, scripts = re.subn(r"<script>", '<script nonce="{{nonce}}">', page)
    page, roots = re.subn(r'<div id="root"></div>', lambda _: LOADING, page)
    if (urls, scripts, roots) != (2, 2, 1) or 'src="{{base}}app-config.js"' not in page:
        raise VendorError("index.html is not as expected: the patches do not fit this version")
    return page


def patch_manifest(content: bytes, *, kept: frozenset[str]) -> str:
    """Return the web manifest with relative paths, naming only icons that are shipped."""
    manifest = json.loads(content)
    icons = [{**icon, "src": icon["src"].removeprefix("/")} for icon in manifest["icons"]]
    manifest["icons"] = [icon for icon in icons if icon["src"] in kept]
    manifest["start_url"] = "./"
    return json.dumps(manifest)


# --- minify ----------------------------------------------------------------------------------------------------------


def platform_key() -> str:
    """Return how the minifier's packages name this machine."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
    return f"{sys.platform}-{machine.get(platform.machine().lower(), 'unknown')}"


def minify(files: Files, minifier: bytes) -> tuple[Files, str]:
    """Return the files with scripts and style sheets minified, and the legal comments that stood in them."""
    with tempfile.TemporaryDirectory(prefix="isocenter-vendor-") as folder:
        source, target, program = Path(folder, "in"), Path(folder, "out"), Path(folder, "esbuild")
        source.mkdir()
        names = [path for path in files if path.endswith((".js", ".css")) and "/" not in path]
        for name in names:
            (source / name).write_bytes(files[name])
        program.write_bytes(unpack(minifier, lambda path: path == "bin/esbuild")["bin/esbuild"])
        program.chmod(0o700)
        command = [str(program), "--minify", "--target=es2022", "--legal-comments=external", "--log-level=error"]
        command += [f"--outdir={target}", *sorted(names)]
        done = run(command, folder=source, timeout_s=MINIFY_TIMEOUT_S)
        if done.returncode != 0:
            raise VendorError(f"minifying failed: {(done.stderr.strip().splitlines() or ['no reason given'])[0]}")
        minified = {name: (target / name).read_bytes() for name in names}
        comments = [comment.read_text() for comment in sorted(target.glob("*.LEGAL.txt"))]
    return {**files, **minified}, "\n".join(dict.fromkeys("\n".join(comments).split("\n\n")))


# --- pack ------------------------------------------------------------------------------------------------------------


def recipe_digest() -> str:
    """Return a digest of everything that decides what the archive holds."""
    recipe = hashlib.sha256()
    for part in (LOCK, NOTICES, Path(__file__)):
        recipe.update(part.read_bytes())
    return recipe.hexdigest()


def is_current(archive: Path, digest: str) -> bool:
    """Tell whether an archive was made by this recipe."""
    try:
        with zipfile.ZipFile(archive) as packed:
            return bool(json.loads(packed.comment or b"{}").get("recipe") == digest)
    except (OSError, zipfile.BadZipFile, ValueError):
        return False


def pack(files: Files, label: dict[str, str]) -> bytes:
    """Return one zip: deflated where that makes a member smaller, stored where not."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.comment = json.dumps(label).encode()
        for path in sorted(files):
            stored = path.endswith((".png", ".woff2", ".ico"))
            member = zipfile.ZipInfo(path, ZIP_TIMESTAMP)
            member.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(member, files[path], compresslevel=None if stored else 9)
    return buffer.getvalue()


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file in one step."""
    partial = path.with_suffix(f"{path.suffix}.{os.getpid()}.part")
    partial.write_bytes(content)
    partial.replace(path)


def vendor(target: Path, *, force: bool) -> str:
    """Make the archive if it is not current; return one line on what was done."""
    digest = recipe_digest()
    archive = target / ARCHIVE_NAME
    if not force and is_current(archive, digest) and (target / THIRD_PARTY_NAME).is_file():
        return f"viewer: {archive.name} is up to date"
    started = time.monotonic()
    lock = tomllib.loads(LOCK.read_text())
    viewer = Package(**lock["viewer"])
    minifier = lock["minifier"].get(platform_key())
    members = unpack(fetch(viewer, cache_folder()), is_wanted)
    licence = members.pop("LICENSE").decode()
    files = patch({path.removeprefix("dist/"): content for path, content in members.items()})
    comments = ""
    if minifier is not None:
        files, comments = minify(files, fetch(Package(**minifier), cache_folder()))
    third_party = f"{viewer.name} {viewer.version}\n\n{licence}\n\n{NOTICES.read_text()}\n{comments}".encode()
    files[THIRD_PARTY_NAME] = third_party
    packed = pack(files, {"name": viewer.name, "version": viewer.version, "recipe": digest})
    target.mkdir(parents=True, exist_ok=True)
    write_durably(target / THIRD_PARTY_NAME, third_party)
    write_durably(archive, packed)
    size = sum(map(len, files.values())) / 1e6
    how = "minified" if minifier is not None else f"not minified, there is no minifier for {platform_key()}"
    return (
        f"viewer: {viewer.name} {viewer.version}, {len(files)} files of {size:.1f} MB ({how}), "
        f"packed to {len(packed) / 1e6:.1f} MB in {time.monotonic() - started:.0f} s"
    )


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Fetch and pack the OHIF viewer as vendor.lock says.")
    parser.add_argument("--target", type=Path, default=TARGET, help="folder of the archive (default: in the package)")
    parser.add_argument("--force", action="store_true", help="make the archive even if it is up to date")
    arguments = parser.parse_args()
    try:
        print(vendor(arguments.target, force=arguments.force))
    except NpmMissing as error:
        print(f"viewer: {error}", file=sys.stderr)
        return EXIT_NPM_MISSING
    except (VendorError, OSError) as error:
        print(f"viewer: {error}", file=sys.stderr)
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
