// Pages work without this. It (1) renews parts that change, (2) puts the focus where the new page begins,
// and (3) hears the shortcuts: / to search, g and a letter to go, ? for help. Nothing is ever parsed from text here.

const announce = (element) => element.dispatchEvent(new CustomEvent("regie:renewed", { bubbles: true }));

// XMLHttpRequest and not fetch: it gives a document, so that no text of ours is turned into markup by this script.
function load(address) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.setRequestHeader("Accept", "text/html");
    request.onload = () => (request.status === 200 && request.response ? resolve(request.response) : reject(request.status));
    request.onerror = () => reject(0);
    request.send();
  });
}

function watch(element) {
  const seconds = Math.max(1, Number(element.dataset.every) || 3);
  let failures = 0;
  const again = () => setTimeout(ask, 1000 * seconds * Math.min(8, 2 ** failures));
  async function ask() {
    if (document.hidden) {
      document.addEventListener("visibilitychange", ask, { once: true });
      return;
    }
    try {
      const answer = await load(element.dataset.live);
      failures = 0;
      const goTo = answer.querySelector("[data-go]");
      if (goTo) {
        const there = new URL(goTo.dataset.go, location.href);
        if (there.origin === location.origin) location.assign(there);
        return;
      }
      const found = answer.getElementById(element.id) ?? answer.body;
      if (found.textContent !== element.textContent) {
        element.replaceChildren(...found.cloneNode(true).childNodes);
        announce(element);
      }
      if (answer.querySelector("[data-done]")) return;
    } catch (status) {
      if (status === 403 || status === 401) {
        location.reload();
        return;
      }
      failures += 1;
    }
    again();
  }
  again();
}

for (const element of document.querySelectorAll("[data-live]")) watch(element);

// After a step within the site the reader hears the new title; the first page begins where browsers begin.
const cameFromHere = document.referrer && new URL(document.referrer).origin === location.origin;
if (cameFromHere && !location.hash && !document.querySelector("[autofocus]")) {
  document.getElementById("title")?.focus({ preventScroll: true });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// Shortcuts can be switched off (WCAG 2.1.4); the choice stays in this browser.
const SWITCH = "regie-shortcuts";
const areOn = () => localStorage.getItem(SWITCH) !== "off";
const help = document.getElementById("shortcuts");
if (help) {
  const choice = help.querySelector("input[type=checkbox]");
  help.hidden = false;
  choice.checked = areOn();
  choice.addEventListener("change", () => localStorage.setItem(SWITCH, choice.checked ? "on" : "off"));
}
let before = "";
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.ctrlKey || event.altKey || event.metaKey || isTyping || !areOn()) return;
  const key = event.key;
  if (key === "/") {
    const search = document.querySelector("[data-search], input[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  } else if (key === "?" && help) {
    event.preventDefault();
    help.open = true;
    help.querySelector("summary").focus();
  } else if (before === "g" && /^[a-z]$/.test(key)) {
    document.querySelector(`.r-nav__link[data-key="${key}"]`)?.click();
  }
  before = key === "g" && before !== "g" ? "g" : "";
});
