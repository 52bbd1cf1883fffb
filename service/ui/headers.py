"""Headers of every page: nothing from elsewhere, in no frame, nothing kept, and no right that a page does not use.

No answer of a face ever carries an `Access-Control-*` header: no other origin may read one.
"""

from collections.abc import Mapping

from flask import Flask, Response, g

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
_UNUSED = (
    "accelerometer", "display-capture", "geolocation", "gyroscope", "hid", "magnetometer",
    "microphone", "midi", "payment", "serial", "usb",
)  # fmt: skip


def page_headers(*, camera: bool = False, form_targets: tuple[str, ...] = ()) -> Mapping[str, str]:
    """The headers of one page; with `camera` of the page that scans: its reader runs in a worker made from a blob.

    On all other pages no script, ours included, can turn text into markup or code (Trusted Types).

    `form_targets`: other origins where a form of this page leads by a redirect (a sign-in elsewhere).
    """
    policy = dict(_POLICY)
    if camera:
        policy["worker-src"] = "'self' blob:"
    else:
        policy |= {"require-trusted-types-for": "'script'", "trusted-types": "'none'"}
    if form_targets:
        policy["form-action"] = " ".join(("'self'", *form_targets))
    rights = [f"camera=({'self' if camera else ''})", *(f"{name}=()" for name in _UNUSED)]
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Permissions-Policy": ", ".join(rights),
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        # Not no-referrer: then browsers send `Origin: null` with our own forms (Fetch, 3.2).
        "Referrer-Policy": "same-origin",
    }


def allow_camera() -> None:
    """In a view: this page may use the camera."""
    g.camera = True


def allow_form_target(origin: str) -> None:
    """In a view: a form of this page may end at `origin`, which MUST come from our own configuration."""
    g.form_targets = (*g.get("form_targets", ()), origin)


def install(app: Flask) -> None:
    """Put the headers on every answer of `app`."""

    @app.after_request
    def guard_page(response: Response) -> Response:
        headers = page_headers(camera=g.get("camera", False), form_targets=g.get("form_targets", ()))
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response
