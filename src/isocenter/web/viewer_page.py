"""What the viewer's page is told: its place, a nonce, a policy, and the configuration of OHIF.

Everything here is text from values; the routes are in `viewer.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape

_LINK_STYLE = "color: '#fff', fontWeight: 600, padding: '0 12px'"


@dataclass(frozen=True, slots=True)
class ViewerSettings:
    """What a site decides about the viewer. Paths are those of this node, without a proxy's prefix."""

    dicomweb_path: str = "/dicom-web"
    wado_uri_path: str = "/wado"
    studies_path: str = "/"
    """Where the link in the viewer's corner leads back to."""
    light_path: str = "/light"
    """Where the light viewer shows a study, whatever OHIF does not draw and whatever the browser lacks."""
    login_path: str | None = None
    """Where a 401 leads to, with `?next=`; without it the viewer says that it was refused."""
    archive_name: str = "Local archive"
    shows_investigational_use_notice: bool = False
    """OHIF asks every reader to confirm that it is for investigational use."""


def viewer_policy(nonce: str) -> str:
    """Return the Content-Security-Policy under which the viewer works: image, MPR, workers, wasm, PDF."""
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "media-src 'self' blob:",
            "worker-src 'self' blob:",
            "font-src 'self' data:",
            "connect-src 'self' blob: data:",
            "frame-src 'self' blob:",
            "object-src 'self' blob:",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'self'",
        )
    )


def render_index(template: str, *, base: str, nonce: str) -> str:
    """Return the viewer's page for the path that it lies at (`base` ends with a slash)."""
    return template.replace("{{base}}", escape(base)).replace("{{nonce}}", escape(nonce))


def render_config(settings: ViewerSettings, *, prefix: str, viewer_path: str) -> str:
    """Return `app-config.js` of OHIF: data as JSON, and the few functions that it cannot hold."""
    config = {
        "name": "isocenter",
        "routerBasename": prefix + viewer_path,
        "extensions": [],
        "modes": [],
        "showStudyList": False,
        "customizationService": [{"ohif.tours": {"$set": []}}],
        "investigationalUseDialog": {"option": "always" if settings.shows_investigational_use_notice else "never"},
        "maxNumberOfWebWorkers": 2,
        "showWarningMessageForCrossOrigin": False,
        "strictZSpacingForVolumeViewport": True,
        "groupEnabledModesFirst": True,
        "maxNumRequests": {"interaction": 100, "thumbnail": 5, "prefetch": 25},
        "studyPrefetcher": {"enabled": True, "displaySetsCount": 2, "maxNumPrefetchRequests": 10, "order": "closest"},
        "defaultDataSourceName": "dicomweb",
        "dataSources": [_data_source(settings, prefix=prefix)],
    }
    studies, light = json.dumps(prefix + settings.studies_path), json.dumps(f"{prefix}{settings.light_path}/")
    lines = [
        f"window.config = {json.dumps(config, indent=1)};",
        "window.config.useCPURendering = !document.createElement('canvas').getContext('webgl2');",
        "window.config.whiteLabeling = { createLogoComponentFn: React => React.createElement('span', {}, "
        f"React.createElement('a', {{ href: {studies}, style: {{ {_LINK_STYLE} }} }}, '\\u2039 Studies'), "
        f"React.createElement('a', {{ href: {light} + encodeURIComponent((new URLSearchParams(location.search)"
        f".get('StudyInstanceUIDs') ?? '').split(',')[0]), style: {{ {_LINK_STYLE} }} }}, 'Light viewer')) }};",
    ]
    if settings.login_path is not None:
        login = json.dumps(prefix + settings.login_path)
        lines.append(
            "window.config.httpErrorHandler = error => { if (error.status === 401) location.href = "
            f"{login} + '?next=' + encodeURIComponent(location.pathname + location.search); }};"
        )
    return "\n".join(lines) + "\n"


def _data_source(settings: ViewerSettings, *, prefix: str) -> dict[str, object]:
    dicomweb_root = prefix + settings.dicomweb_path
    return {
        "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
        "sourceName": "dicomweb",
        "configuration": {
            "friendlyName": settings.archive_name,
            "name": "local",
            "qidoRoot": dicomweb_root,
            "wadoRoot": dicomweb_root,
            "wadoUriRoot": prefix + settings.wado_uri_path,
            "imageRendering": "wadors",
            "thumbnailRendering": "thumbnail",
            "thumbnailRequestStrategy": "fetch",
            "qidoSupportsIncludeField": True,
            "supportsFuzzyMatching": True,
            "supportsWildcard": True,
            "supportsReject": False,
            "enableStudyLazyLoad": True,
            "staticWado": False,
            "queryLimit": 1001,
            "singlepart": "bulkdata,video",
            "bulkDataURI": {"enabled": True, "relativeResolution": "studies"},
            "omitQuotationForMultipartRequest": True,
            "dicomUploadEnabled": False,
        },
    }
