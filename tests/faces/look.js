// Show the page in another text size and in the theme of the machine; resolves once it is drawn.
({ text, spacing }) => {
  const root = document.documentElement;
  root.className = root.className.replace(/r-size-\d+/, `r-size-${text}`);
  root.dataset.theme = "auto";
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(spacing);
  document.adoptedStyleSheets = spacing ? [sheet] : [];
  window.scrollTo(0, 0);
  return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(null))));
}
