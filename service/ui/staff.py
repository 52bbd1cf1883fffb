"""The door of the staff: sign-in by OpenID Connect at the organisation's own provider, and who may do what.

    door = open_staff_door(home, "desk", config.staff, url=f"{config.url}/desk", random=secrets.token_bytes)
    door.install(app)          # from now on every page asks who it is, but for those in `public`

    @app.get("/inbox")
    @needs("manager", "privacy")
    def inbox() -> str:
        officer = member().id

    GET  /sign-in            what happens next, and a link
    GET  /sign-in/go         to the provider, with a cookie that binds the answer to this browser
    GET  /sign-in/callback   back from there: who it is, and a session
    GET  /sign-in/welcome    on to the page that was asked for
    POST /sign-out

The secrets of a login are derived from its cookie, so nothing is kept of a login that nobody finishes.
"""

import functools
from collections.abc import Callable, Collection
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, flash, g, make_response, redirect, render_template, request, session, url_for

from protocol.canonical import b64u_decode, b64u_encode, is_equal
from protocol.errors import Rejected
from protocol.openid_connect import LoginSecrets
from service.app import opened_once
from service.cli_staff import CALLBACK
from service.clock import Clock, SystemClock
from service.fetch import Fetcher
from service.home import Home
from service.journal import log_event
from service.openid import OpenIdClient, Registration
from service.staff import Member, StaffConfig, decide_member
from service.staff_keys import load_staff_credentials
from service.staff_sessions import IDLE_SECONDS, TOKEN_BYTES, WARN_SECONDS, Session, Sessions
from service.ui.staff_login import LOGIN_SECONDS, Login, parse_login, secrets_of
from service.ui.staff_words import PROBLEMS as PROBLEMS
from service.ui.staff_words import ROLE_NAMES
from service.ui.view import own_path
from service.ui.words import _, language

P = ParamSpec("P")
T = TypeVar("T")

LIVE_HEADER = "X-Regie-Live"
"""Of a request that a script makes by itself: it tells nothing of a person who is still there."""
_OPEN = frozenset(
    {"healthz", "view", "assets", "static", "staff_sign_in", "staff_go", "staff_callback", "staff_welcome"}
)


def _see_other(url: str) -> Response:
    return make_response(redirect(url, 303))


class StaffDoor:
    """`home_endpoint`: the page after signing in, when none was asked for."""

    def __init__(
        self,
        room: str,
        config: StaffConfig,
        client: OpenIdClient,
        *,
        random: Callable[[int], bytes],
        clock: Clock | None = None,
        home_endpoint: str = "start",
    ) -> None:
        self.sessions = Sessions(random)
        self._room = room
        self._config = config
        self._client = client
        self._random = random
        self.clock = clock or SystemClock()
        self._home_endpoint = home_endpoint
        self._key = random(32)
        is_https = client.registration.redirect_uri.startswith("https:")
        # __Host-: neither another host of the domain nor a page by plain HTTP can have set it (RFC 6265bis).
        self.cookie = f"{'__Host-' if is_https else ''}regie-{room}-staff"
        self._is_https = is_https

    def install(self, app: Flask, public: Collection[str] = ()) -> None:
        """Guard every endpoint of `app` but those in `public`, and add the pages of the door."""
        is_open = _OPEN | frozenset(public)
        app.config["SESSION_COOKIE_SECURE"] = self._is_https
        app.before_request(lambda: None if request.endpoint in is_open else self._guard())
        app.context_processor(self._context)
        app.add_url_rule("/sign-in", "staff_sign_in", self._sign_in)
        app.add_url_rule("/sign-in/go", "staff_go", opened_once(self._go))
        app.add_url_rule(CALLBACK, "staff_callback", opened_once(self._callback))
        app.add_url_rule("/sign-in/welcome", "staff_welcome", self._welcome)
        app.add_url_rule("/sign-out", "staff_sign_out", self._sign_out, methods=["POST"])
        app.add_url_rule("/sign-in/still-here", "staff_idle", self._idle)
        app.add_url_rule("/sign-in/stay", "staff_stay", self._stay)

    # ---- every request

    def _guard(self) -> Response | None:
        """A page without a session leads to the sign-in; anything else is refused, and nothing is changed."""
        g.staff_session = self._session()
        if g.staff_session is not None:
            return None
        if request.method in ("GET", "HEAD") and LIVE_HEADER not in request.headers:
            return _see_other(url_for("staff_sign_in", back=request.script_root + request.path))
        raise Rejected("signed_out", "nobody is signed in", status=403)

    def _token(self) -> bytes | None:
        try:
            return b64u_decode(request.cookies[self.cookie], max_bytes=TOKEN_BYTES)
        except (KeyError, Rejected):
            return None

    def _session(self) -> Session | None:
        token = self._token()
        if token is None:
            return None
        return self.sessions.find(token, self.clock.now(), use=LIVE_HEADER not in request.headers)

    def _context(self) -> dict[str, object]:
        """For `ui/base.html`: `person`, who is signed in, and `session_ends`; None for nobody."""
        found: Session | None = g.get("staff_session")
        if found is None:
            return {"person": None, "session_ends": None}
        names = [ROLE_NAMES.get(role, role) for role in sorted(found.member.roles)]
        person = {
            "name": found.member.name,
            "roles": names,
            "role_ids": found.member.roles,
            "sign_out": url_for("staff_sign_out"),
        }
        return {"person": person, "session_ends": found.ends}

    # ---- coming in

    def _sign_in(self) -> Response:
        g.staff_session = self._session()
        if g.staff_session is not None:
            return _see_other(self._back(request.args.get("back", "")))
        provider = urlsplit(self._config.provider).netloc
        goal = self._back(request.args.get("back", ""))
        page = render_template("ui/staff/sign_in.html", goal=goal, provider=provider, idle=IDLE_SECONDS)
        return make_response(page)

    def _back(self, path: str) -> str:
        """`path` when it is a page of this face, else the first page."""
        mine = own_path(path)
        return mine if mine.startswith(f"{request.script_root}/") else url_for(self._home_endpoint)

    def _go(self) -> Response:
        """A link and no form: `form-action` of our policy would hold for every redirect of the provider's too."""
        login = Login(
            self._random(TOKEN_BYTES),
            self.clock.now() + LOGIN_SECONDS,
            self._back(request.args.get("back", "")),
        )
        secrets = secrets_of(login, self._key)
        url = self._client.url(secrets, acr_values=self._config.levels, ui_locales=language())
        answer = _see_other(url)
        answer.set_cookie(
            self._login_cookie(secrets.state),
            login.text(),
            max_age=LOGIN_SECONDS,
            path=f"{request.script_root}{CALLBACK}",
            secure=self._is_https,
            httponly=True,
            samesite="Lax",  # the provider's answer is a navigation from another site
        )
        return answer

    def _login_cookie(self, state: str) -> str:
        """Two logins in one browser do not disturb each other."""
        return f"regie-{self._room}-login-{state[:8]}"

    def _callback(self) -> Response:
        """1. the login began in this browser, not too long ago; 2. the provider says who it is; 3. who has a role
        here gets a session."""
        answer = {name: values[0] for name, values in request.args.lists() if len(values) == 1}
        cookie = self._login_cookie(answer.get("state", ""))
        login = parse_login(request.cookies.get(cookie, ""))  # 1
        secrets = secrets_of(login, self._key)
        is_ours = is_equal(secrets.state.encode(), answer.get("state", "").encode())
        if not is_ours or not 0 < login.expires - self.clock.now() <= LOGIN_SECONDS:
            raise Rejected("old_login", "this login is over, or began in another browser", status=403)
        member = self._identify(answer, secrets)
        self._forget()
        token = self.sessions.start(member, self.clock.now())  # 3
        log_event(self._room, "signed_in", roles=",".join(sorted(member.roles)))
        response = _see_other(url_for("staff_welcome", back=self._back(login.back)))
        response.delete_cookie(cookie, path=f"{request.script_root}{CALLBACK}")
        self._set_cookie(response, token)
        return response

    def _identify(self, answer: dict[str, str], secrets: LoginSecrets) -> Member:
        if "code" not in answer or "error" in answer:
            raise Rejected("access_denied", "nobody signed in", status=403)
        try:
            claims = self._client.claims(answer["code"], secrets, answer.get("iss"), wanted=self._config.wanted)
            return decide_member(claims, self._config)
        except Rejected as error:
            log_event(self._room, "sign_in_refused", code=error.code)
            if error.code == "no_role":
                raise
            raise Rejected("access_denied", "signing in was refused", status=403) from error

    def _forget(self) -> None:
        """Whoever is signed in in this browser is not any more; nor is a form of his worth anything."""
        if (token := self._token()) is not None:
            self.sessions.end(token)
        session.clear()

    def _set_cookie(self, response: Response, token: bytes) -> None:
        response.set_cookie(
            self.cookie, b64u_encode(token), path="/", secure=self._is_https, httponly=True, samesite="Strict"
        )

    def _welcome(self) -> Response:
        """A page and no redirect: in a chain of redirects that began at the provider a browser would not send a
        cookie that is SameSite=Strict, and lead back to the sign-in."""
        page = render_template("ui/staff/welcome.html", goal=self._back(request.args.get("back", "")))
        return make_response(page)

    # ---- staying and leaving

    def _idle(self) -> Response:
        """The warning, or nothing: the script asks for it now and then."""
        found: Session = g.staff_session
        left = found.ends - self.clock.now()
        return make_response(
            render_template("ui/staff/idle.html", left=left, is_near=left <= WARN_SECONDS, session=found)
        )

    def _stay(self) -> Response:
        """A page of its own: the one that was left open keeps what is filled in there."""
        return make_response(render_template("ui/staff/stayed.html"))

    def _sign_out(self) -> Response:
        self._forget()
        flash(_("You are signed out."))
        response = _see_other(url_for("staff_sign_in"))
        response.delete_cookie(self.cookie, path="/", secure=self._is_https, httponly=True, samesite="Strict")
        return response


def open_staff_door(
    home: Home,
    room: str,
    config: StaffConfig,
    *,
    url: str,
    random: Callable[[int], bytes],
    clock: Clock | None = None,
    fetcher: Fetcher | None = None,
    home_endpoint: str = "start",
) -> StaffDoor:
    """The door of the face at `url` (no slash at its end). Raises `Rejected`: `no_home` without its key."""
    known_as = Registration(config.provider, config.client_id, url + CALLBACK, config.scope, config.signing_alg)
    credentials = load_staff_credentials(home, config)
    used = clock or SystemClock()
    client = OpenIdClient(room, known_as, credentials, fetcher or Fetcher(), used, random)
    return StaffDoor(room, config, client, random=random, clock=used, home_endpoint=home_endpoint)


def member() -> Member:
    """Who is signed in, in a view behind the door."""
    found: Session = g.staff_session
    return found.member


def has_role(*roles: str) -> bool:
    """Whether who is signed in has one of these roles."""
    return bool(member().roles & set(roles))


def needs(*roles: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A view for who has one of these roles; another gets `not_your_role` (403)."""

    def guarded(view: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(view)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
            if not has_role(*roles):
                raise Rejected("not_your_role", "this is for another role", status=403)
            return view(*args, **kwargs)

        return wrapped

    return guarded
