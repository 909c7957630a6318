"use strict";
// Walks the documents of its frames, and writes down what a reader could not see or not reach.
function channels(colour) { return colour.match(/[\d.]+/g).map(Number); }
function luminance([red, green, blue]) {
  const linear = [red, green, blue].map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}
function contrast(first, second) {
  const [dark, light] = [luminance(first), luminance(second)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}
function behind(element, view) {
  for (let at = element; at; at = at.parentElement) {
    const colour = channels(view.getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
}
function faults(name, view) {
  const found = new Set(), page = view.document;
  for (const element of page.body.querySelectorAll("*")) {
    const style = view.getComputedStyle(element), back = behind(element, view);
    const hasText = Array.from(element.childNodes).some((node) => node.nodeType === 3 && node.data.trim());
    const said = `${name}: ${element.tagName} ${element.className} "${element.textContent.trim().slice(0, 20)}"`;
    if (hasText && contrast(channels(style.color), back) < 4.5) found.add(`${said}: text ${style.color}`);
    if (element.tagName === "rect" && !element.classList.contains("rest")) {
      const bar = element.parentElement.querySelector("rect.rest");
      const under = bar === null ? back : channels(view.getComputedStyle(bar).fill);
      if (contrast(channels(style.fill), under) < 3) found.add(`${said}: bar ${style.fill} on ${under}`);
    }
  }
  const reach = "a[href], button, input:not([type=hidden]), select, summary, [tabindex], details, [role=button]";
  for (const element of page.body.querySelectorAll(reach)) {
    if (element.tagName === "DETAILS" || !element.checkVisibility()) continue;
    element.focus();
    const style = view.getComputedStyle(element);
    const said = `${name}: ${element.tagName} "${(element.name || element.textContent).trim().slice(0, 20)}"`;
    if (page.activeElement !== element) found.add(`${said}: not reached`);
    if (element.tabIndex > 0) found.add(`${said}: out of order`);
    if (element.tabIndex < 0 && element.tagName !== "MAIN") found.add(`${said}: no stop of the tab key`);
    const isSeen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    if (element.tagName !== "MAIN" && !isSeen) found.add(`${said}: focus is not seen`);
    const ring = channels(style.outlineColor);
    if (isSeen && contrast(ring, behind(element.parentElement, view)) < 3) found.add(`${said}: focus ${ring}`);
    const isField = ["INPUT", "SELECT"].includes(element.tagName);
    if (isField && element.labels.length === 0) found.add(`${said}: no label`);
  }
  for (const box of page.body.querySelectorAll(".wide, pre")) {
    const hides = box.scrollWidth > box.clientWidth + 1;
    if (hides && box.tabIndex !== 0) found.add(`${name}: ${box.className} is wide and not reached by keys`);
  }
  if (page.documentElement.scrollWidth > view.innerWidth + 1) found.add(`${name}: wider than its window`);
  return found;
}
window.addEventListener("load", () => {
  const every = Array.from(document.querySelectorAll("iframe"));
  const all = every.flatMap((frame) => Array.from(faults(frame.title, frame.contentWindow)));
  document.title = `looked at ${every.length}`;
  document.body.append(Object.assign(document.createElement("pre"), { id: "faults", textContent: all.join("\n") }));
});
