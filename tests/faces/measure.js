// What is cut off, covered, too small or outside the window, as the page is shown now. `target`: pixels.
(target) => {
  const found = [];
  const root = document.documentElement;
  const wide = root.clientWidth;
  const style = (one) => getComputedStyle(one);
  const name = (one) => {
    const words = (one.textContent || one.value || "").trim().replace(/\s+/g, " ").slice(0, 40);
    const kind = [...one.classList].slice(0, 2).map((part) => "." + part).join("");
    return `${one.tagName.toLowerCase()}${one.id ? "#" + one.id : ""}${kind} ${JSON.stringify(words)}`;
  };
  const isHidden = (one) => {
    if (!one.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return true;
    const box = one.getBoundingClientRect();
    return box.width <= 1 || box.height <= 1;
  };
  const scrolls = (one) => ["auto", "scroll"].includes(style(one).overflowX) && one.scrollWidth > one.clientWidth;
  const upTo = (one, test) => {
    for (let up = one; up && up !== document.body; up = up.parentElement) if (test(up)) return up;
    return null;
  };
  const isForEarsOnly = (one) =>
    upTo(one, (up) => isHidden(up) || style(up).clipPath !== "none" || style(up).clip !== "auto");
  const cuts = (one) => ["hidden", "clip"].includes(style(one).overflowX) || ["hidden", "clip"].includes(style(one).overflowY);

  // 1. The page does not scroll sideways.
  if (root.scrollWidth > wide + 1) found.push(`the page is ${root.scrollWidth} wide, the window ${wide}`);

  const range = document.createRange();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const holder = node.parentElement;
    if (!node.textContent.trim() || holder.closest("script, style, noscript, title, desc, option")) continue;
    if (isForEarsOnly(holder)) continue;
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (!box.width) continue;
    // 2. No text lies outside the window, but in a table that scrolls (WCAG 1.4.10 allows that).
    if ((box.left < -1 || box.right > wide + 1) && !upTo(holder, scrolls)) {
      found.push(`text outside the window (${Math.round(box.left)} to ${Math.round(box.right)}): ${name(holder)}`);
    }
    // 3. No text is cut off by what it stands in.
    const cut = upTo(holder, cuts);
    if (cut && !(cut instanceof SVGElement) && !upTo(holder, scrolls)) {
      const edge = cut.getBoundingClientRect();
      const isCut = box.right > edge.right + 1 || box.left < edge.left - 1 || box.bottom > edge.bottom + 2;
      if (isCut) found.push(`text cut off: ${name(holder)} by ${name(cut)}`);
    }
    // 4. The text of a picture stays in the picture.
    const picture = holder.closest("svg");
    if (picture) {
      const edge = picture.getBoundingClientRect();
      if (box.left < edge.left - 1 || box.right > edge.right + 1) found.push(`text outside its picture: ${name(holder)}`);
    } else if (parseFloat(style(holder).fontSize) < 12) {
      // 5. No text is smaller than 12 px.
      found.push(`text of ${style(holder).fontSize}: ${name(holder)}`);
    }
  }

  const controls = "a[href], button, input:not([type=hidden]), select, textarea, summary";
  for (const one of document.querySelectorAll(controls)) {
    if (isHidden(one) || one.closest("[inert]")) continue;
    const labels = [...(one.labels ?? [])];
    const box = one.getBoundingClientRect();
    const isShownByFocus = (one.getAttribute("href") ?? "").startsWith("#") && one.closest("main") === null;
    if (isShownByFocus) continue; // the link to the content: the keyboard looks at it
    // 6. A control is large enough to be hit; a link within a line of text is as high as the line.
    const after = getComputedStyle(one, "::after"); // some links are spread over the card they stand in
    const isSpread = after.content !== "none" && after.position === "absolute" && one.offsetParent;
    const parts = [...labels, ...(isSpread ? [one.offsetParent] : [])];
    const boxes = [box, ...parts.map((part) => part.getBoundingClientRect())];
    const high = Math.max(...boxes.map((part) => part.height));
    const broad = Math.max(...boxes.map((part) => part.width));
    const isInline = one.tagName === "A" && style(one).display === "inline";
    if (!isInline && (high < target - 0.5 || broad < target - 0.5)) {
      found.push(`a control of ${Math.round(broad)} by ${Math.round(high)}: ${name(one)}`);
    }
    // 7. Nothing lies over a control, once it is scrolled to.
    one.scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
    const now = one.getClientRects()[0] ?? one.getBoundingClientRect();
    const across = Math.min(Math.max(now.left + now.width / 2, 1), wide - 1);
    const top = document.elementFromPoint(across, now.top + now.height / 2);
    const isOver = top && top !== one && !one.contains(top) && !top.contains(one);
    if (isOver && !labels.some((label) => label.contains(top))) found.push(`covered by ${name(top)}: ${name(one)}`);
  }
  window.scrollTo(0, 0);
  return [...new Set(found)];
}
