// How many times Tab should stop: once for every control, once for a group of radio buttons.
() => {
  const groups = new Set();
  const controls = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  return [...document.querySelectorAll(controls)].filter((one) => {
    if (one.tabIndex < 0 || one.disabled || !one.checkVisibility({ visibilityProperty: true })) return false;
    if (one.type !== "radio") return true;
    const group = `${one.form?.id ?? ""} ${one.name}`;
    return !groups.has(group) && groups.add(group);
  }).length;
}
