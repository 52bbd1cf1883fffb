"""Five hundred texts that become a script where text is taken for markup: for every field that comes from outside.

Each calls `hit()`, which the pages of a test define; nothing on a page of ours may ever call it.
"""

from itertools import product
from urllib.parse import quote

_TAGS = (
    "img src=x",
    "svg",
    "body",
    "video src=x",
    "details open",
    "input autofocus",
    "iframe",
    "marquee",
    "a tabindex=1",
)
_EVENTS = (
    "onerror",
    "onload",
    "onfocus",
    "ontoggle",
    "onstart",
    "onmouseover",
    "onpointerenter",
    "onanimationend",
)
_BREAKS = ("", '">', "'>", "</title>", "</textarea>", "</option></select>", "-->", "</script>", "\">'>`>")
_ADDRESSES = (
    "javascript:hit()",
    "JaVaScRiPt:hit()",
    "java\tscript:hit()",
    "data:text/html,<script>hit()</script>",
)
_TEMPLATES = ("{{ hit() }}", "{% print(7*7) %}", "${hit()}", "{{7*7}}", "{{ config }}", "#{hit()}", "<%= hit() %>")
_ODD = (
    "<script>hit()</script>",
    "<script src=data:,hit()></script>",
    "<script type=module>hit()</script>",
    "<script nonce>hit()</script>",
    "<svg><script>hit()</script></svg>",
    "<svg><script href=data:,hit()></script></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=hit()>",
    "<noscript><p title='</noscript><img src=x onerror=hit()>'>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=javascript:hit()'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<object data=javascript:hit()>",
    "<embed src=javascript:hit()>",
    "<form action=javascript:hit()><button>a</button></form>",
    "<iframe srcdoc='<script>parent.hit()</script>'></iframe>",
    "<template shadowrootmode=open><script>hit()</script></template>",
    "<style>@import '//evil.example/x.css';</style>",
    "<div style=background:url(javascript:hit())>",
    "\x00<script>hit()</script>",
    "\ufeff<script>hit()</script>",
    "＜script＞hit()＜/script＞",
    "+ADw-script+AD4-hit()+ADw-/script+AD4-",
    "%3Cscript%3Ehit()%3C/script%3E",
    "&lt;script&gt;hit()&lt;/script&gt;",
    "&#60;script&#62;hit()&#60;/script&#62;",
    "<!--><script>hit()</script>-->",
    "<![CDATA[<script>hit()</script>]]>",
    "';hit();//",
    '";hit();//',
    "`${hit()}`",
    "\\u003cscript\\u003ehit()\\u003c/script\\u003e",
    "\u202e<script>hit()</script>",
    "<Onbekend> & </Onbemind>",
)


def payloads() -> list[str]:
    """At least five hundred, no two alike."""
    found = [f"{cut}<{tag} {event}=hit()>" for cut, tag, event in product(_BREAKS[:6], _TAGS, _EVENTS)]
    found += [
        f"{quote_}{event}={quote_}hit(){quote_} x={quote_}" for quote_, event in product(("'", '"', " "), _EVENTS)
    ]
    found += [f"{cut}<a href='{address}'>a</a>" for cut, address in product(_BREAKS, _ADDRESSES)]
    found += [*_ADDRESSES, *_TEMPLATES, *_ODD, *(quote(text) for text in _ODD[:8])]
    return list(dict.fromkeys(found))
