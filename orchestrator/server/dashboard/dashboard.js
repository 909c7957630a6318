"use strict";
// Asks for the page's data with the key of this tab, and puts in what has changed. A key that comes in the
// address (#key=...) never reaches the server in one, and is taken out of the address at once.
const KEY = "nextflow-key";
const PAUSE_MS = 500, PAUSE_MAX_MS = 15000, PATIENCE_MS = 20000;
const content = document.getElementById("content"), note = document.getElementById("note");
const door = document.getElementById("door"), leave = document.getElementById("leave");
const isLive = content.dataset.live === "1";
let pause = PAUSE_MS, latest = "", timer = 0;

if (location.hash.startsWith("#key=")) {
  sessionStorage.setItem(KEY, location.hash.slice("#key=".length));
  history.replaceState(null, "", location.pathname + location.search);
}

function say(words) {
  note.hidden = words === "";
  if (note.textContent !== words) note.textContent = words;
}

function showDoor(isShut) {
  door.hidden = !isShut;
  content.hidden = isShut;
  leave.hidden = isShut || sessionStorage.getItem(KEY) === null;
}

function exchange(old, fresh) {
  const places = Array.from(old.querySelectorAll("[tabindex]"), (box) => box.scrollLeft);
  const focusable = "a, [tabindex]";
  const focus = Array.from(old.querySelectorAll(focusable)).indexOf(document.activeElement);
  old.replaceWith(fresh);
  fresh.querySelectorAll("[tabindex]").forEach((box, place) => { box.scrollLeft = places[place] || 0; });
  if (focus >= 0) fresh.querySelectorAll(focusable)[focus]?.focus();
}

function show(html) {
  const fresh = Array.from(new DOMParser().parseFromString(html, "text/html").body.children);
  const old = Array.from(content.children);
  if (old.length !== fresh.length) {
    content.replaceChildren(...fresh);
    return;
  }
  old.forEach((part, place) => {
    if (part.outerHTML !== fresh[place].outerHTML) exchange(part, fresh[place]);
  });
}

async function messageOf(answer) {
  try { return (await answer.json()).error.message; } catch { return answer.statusText; }
}

async function ask() {
  const key = sessionStorage.getItem(KEY), query = new URLSearchParams(location.search);
  query.set("lang", content.dataset.language);
  const answer = await fetch(`${content.dataset.part}?${query}`, {
    headers: key === null ? {} : { authorization: `Bearer ${key}` },
    signal: AbortSignal.timeout(PATIENCE_MS), credentials: "omit", redirect: "error",
  });
  if (answer.ok) {
    show(await answer.text());
    latest = new Date().toLocaleTimeString(content.dataset.language);
    showDoor(false);
    say("");
    return true;
  }
  if (answer.status === 401) showDoor(true);
  say(answer.status === 401 && key === null ? "" : await messageOf(answer));
  return answer.status === 429 || answer.status >= 500;
}

async function look() {
  clearTimeout(timer);
  if (document.hidden) {
    timer = setTimeout(look, pause);
    return;
  }
  let goesOn = true;
  try {
    goesOn = await ask();
    pause = note.hidden ? PAUSE_MS : Math.min(2 * pause, PAUSE_MAX_MS);
  } catch {
    say(`${note.dataset.lost} ${latest || "-"}`);
    pause = Math.min(2 * pause, PAUSE_MAX_MS);
  }
  if (goesOn && (isLive || !note.hidden)) timer = setTimeout(look, pause);
}

door.addEventListener("submit", (event) => {
  event.preventDefault();
  const field = document.getElementById("key");
  sessionStorage.setItem(KEY, field.value.trim());
  field.value = "";
  look();
});
leave.addEventListener("click", () => {
  sessionStorage.removeItem(KEY);
  content.replaceChildren();
  location.reload();
});
look();
