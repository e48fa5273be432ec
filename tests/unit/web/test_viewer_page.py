from __future__ import annotations

import json
from typing import Any

from isocenter.web.viewer_page import ViewerSettings, render_config, render_index, viewer_policy


def _config(script: str) -> Any:
    text = script.removeprefix("window.config = ")
    return json.loads(text[: text.index("\n};") + 2])


def _script(settings: ViewerSettings | None = None, *, prefix: str = "") -> str:
    return render_config(settings or ViewerSettings(), prefix=prefix, viewer_path="/viewer")


def test_the_data_source_is_this_node() -> None:
    source = _config(_script())["dataSources"][0]["configuration"]
    assert source["qidoRoot"] == source["wadoRoot"] == "/dicom-web"
    assert source["thumbnailRendering"] == "thumbnail"
    assert source["thumbnailRequestStrategy"] == "fetch"
    assert source["bulkDataURI"] == {"enabled": True, "relativeResolution": "studies"}
    assert "pdf" not in source["singlepart"]


def test_every_address_has_the_prefix_of_the_proxy() -> None:
    script = _script(ViewerSettings(login_path="/login"), prefix="/imaging")
    config = _config(script)
    source = config["dataSources"][0]["configuration"]
    assert config["routerBasename"] == "/imaging/viewer"
    assert source["qidoRoot"] == "/imaging/dicom-web"
    assert source["wadoUriRoot"] == "/imaging/wado"
    assert 'href: "/imaging/"' in script
    assert 'href: "/imaging/light/"' in script
    assert '"/imaging/login"' in script


def test_without_a_login_page_nothing_leads_to_one() -> None:
    assert "httpErrorHandler" not in _script()


def test_the_notice_of_investigational_use_is_a_decision_of_the_site() -> None:
    def option(*, shown: bool) -> object:
        return _config(_script(ViewerSettings(shows_investigational_use_notice=shown)))["investigationalUseDialog"]

    assert option(shown=False) == {"option": "never"}
    assert option(shown=True) == {"option": "always"}


def test_a_name_cannot_break_out_of_the_script() -> None:
    name = '"; alert(1) // </script>\u2028'
    config = _config(_script(ViewerSettings(archive_name=name)))
    assert config["dataSources"][0]["configuration"]["friendlyName"] == name


def test_the_page_gets_its_place_and_its_nonce() -> None:
    page = render_index('<a href="{{base}}x" nonce="{{nonce}}">{{base}}', base="/a/viewer/", nonce="n0")
    assert page == '<a href="/a/viewer/x" nonce="n0">/a/viewer/'


def test_the_policy_allows_no_inline_script_without_the_nonce_and_no_eval() -> None:
    directives = dict(part.split(" ", 1) for part in viewer_policy("n0").split("; "))
    assert directives["script-src"].split() == ["'self'", "'nonce-n0'", "'wasm-unsafe-eval'"]
    assert directives["frame-ancestors"] == "'self'"
    assert all(source.startswith(("'", "blob:", "data:")) for value in directives.values() for source in value.split())
