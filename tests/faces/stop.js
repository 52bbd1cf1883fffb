// Where the focus is: null when it is nowhere on the page.
() => {
  const one = document.activeElement;
  if (!one || one === document.body || one === document.documentElement) return null;
  const box = one.getBoundingClientRect();
  const middle = (from, size, most) => Math.min(Math.max(from + Math.min(size, most) / 2, 1), most - 1);
  const top = document.elementFromPoint(
    middle(box.left, box.width, innerWidth),
    middle(box.top, box.height, innerHeight),
  );
  const labels = [...(one.labels ?? [])];
  const hasRing = (part) => {
    const its = getComputedStyle(part);
    return (its.outlineStyle !== "none" && parseFloat(its.outlineWidth) >= 2) || its.boxShadow !== "none";
  };
  const words = one.getAttribute("aria-label") || one.textContent || labels[0]?.textContent || one.value || "";
  one.dataset.stop ??= String(Math.random());
  return {
    key: one.dataset.stop,
    name: `${one.tagName.toLowerCase()} ${words.trim().replace(/\s+/g, " ").slice(0, 50)}`,
    ring: [one, ...labels].some(hasRing),
    inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    free: !top || top === one || one.contains(top) || top.contains(one) || labels.some((part) => part.contains(top)),
  };
}
