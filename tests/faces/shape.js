// The frame that every page has.
() => {
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  const headings = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter((one) => one.checkVisibility());
  return {
    headings: [...document.querySelectorAll("h1")].map((one) => one.textContent.trim().replace(/\s+/g, " ")),
    title: document.title,
    language: document.documentElement.lang,
    mains: document.querySelectorAll("main").length,
    first: document.querySelector("a[href]")?.getAttribute("href") ?? "",
    levels: headings.map((one) => Number(one.tagName[1])),
    doubles: ids.filter((id, place) => ids.indexOf(id) !== place),
  };
}
