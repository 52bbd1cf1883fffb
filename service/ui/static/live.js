// Pages work without this. It (1) renews parts that change, (2) puts the focus where the new page begins, and
// (3) hears the shortcuts: / to search, g and a letter to go, ? for help. Nothing is ever parsed from text here.

const LOST_AFTER = 3; // failures in a row, for a part that says where to go then

// XMLHttpRequest and not fetch: it gives a document, so that no text becomes markup by this script.
// Resolves with null for 204: nothing has changed.
function load(address) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.timeout = 10000;
    request.setRequestHeader("Accept", "text/html");
    request.setRequestHeader("X-Regie-Live", "1"); // a poll is no sign of somebody at the desk
    request.onload = () => {
      if (request.status === 204) resolve(null);
      else if (request.status === 200 && request.response) resolve(request.response);
      else reject(request.status);
    };
    request.onerror = request.ontimeout = () => reject(0);
    request.send();
  });
}

// A copy to compare: the token of a form is another in every answer and says nothing.
function without(part) {
  const copy = part.cloneNode(true);
  for (const token of copy.querySelectorAll("input[name=csrf_token]")) token.remove();
  return copy;
}

const shown = new WeakMap();
function renew(element, answer) {
  const found = answer.getElementById(element.id) ?? answer.body;
  const bare = without(found);
  if (bare.isEqualNode(shown.get(element) ?? without(element))) return;
  shown.set(element, bare);
  const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
  element.replaceChildren(...document.importNode(found, true).childNodes);
  if (focused) document.getElementById(focused)?.focus();
  activate(element);
}

function watch(element) {
  const every = 1000 * Math.max(1, Number(element.dataset.every) || 3);
  const lost = element.dataset.lost;
  let failures = 0;
  const again = () => setTimeout(ask, lost ? every : every * Math.min(8, 2 ** failures));

  async function ask() {
    if (document.hidden) {
      document.addEventListener("visibilitychange", ask, { once: true });
      return;
    }
    try {
      const answer = await load(element.dataset.live);
      failures = 0;
      const place = answer?.querySelector("[data-go]");
      if (place) {
        go(place.dataset.go);
        return;
      }
      if (answer) renew(element, answer);
      if (answer?.querySelector("[data-done]")) return;
    } catch (status) {
      failures += 1;
      const isShut = status === 401 || status === 403 || status === 410;
      if (lost && (isShut || failures >= LOST_AFTER)) {
        go(lost);
        return;
      }
      if (isShut) {
        location.reload();
        return;
      }
    }
    again();
  }
  again();
}

// Only within the site, whatever an address says.
function go(address) {
  const there = new URL(address, location.href);
  if (there.origin === location.origin) location.replace(there);
}

function activate(part) {
  for (const button of part.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.onclick = () => window.print();
  }
}

activate(document);
for (const element of document.querySelectorAll("[data-live]")) watch(element);
// A page that the browser kept when it was left may hold what may no longer be seen: it goes before anything is asked.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  const lost = document.querySelector("[data-lost]")?.dataset.lost;
  document.getElementById("main")?.replaceChildren();
  if (lost) go(lost);
  else location.reload();
});

// After a step within the site the reader hears the new title; the first page begins where browsers begin.
const cameFromHere = document.referrer && new URL(document.referrer).origin === location.origin;
if (cameFromHere && !location.hash && !document.querySelector("[autofocus]")) {
  document.getElementById("title")?.focus({ preventScroll: true });
}

// Shortcuts can be switched off (WCAG 2.1.4); the choice stays in this browser.
const SWITCH = "regie-shortcuts";
const help = document.getElementById("shortcuts");
const choice = document.getElementById("shortcuts-on");
if (help && choice) {
  help.hidden = false;
  choice.checked = localStorage.getItem(SWITCH) !== "off";
  choice.addEventListener("change", () => localStorage.setItem(SWITCH, choice.checked ? "on" : "off"));
  document.addEventListener("keydown", hear);
}
let before = "";
function hear(event) {
  const isTyping = event.target.closest?.("input, textarea, select");
  if (event.ctrlKey || event.altKey || event.metaKey || isTyping || !choice.checked) return;
  const key = event.key;
  const goes = before === "g";
  before = key === "g" && !goes ? "g" : "";
  if (goes && /^[a-z]$/.test(key)) {
    document.querySelector(`.r-nav__link[data-key="${key}"]`)?.click();
  } else if (key === "/") {
    const search = document.querySelector("[data-search], input[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  } else if (key === "?") {
    event.preventDefault();
    help.open = true;
    help.querySelector("summary").focus();
  }
}
