// Keeps a page up to date: told by a stream that something moved, it asks for the page again and takes over what changed.
// Without this the pages do the same when they are loaded again.
"use strict";
const badge = document.querySelector("#live");
const said = document.querySelector("#said");
const words = JSON.parse(document.body.dataset.words);
const STALE_MS = 12000;
const AGAIN_MS = 2000;
// What takes longer is no answer: it is asked for again.
const ANSWER_MS = 10000;
// How long a stream may be away before it is asked for anew: each time twice as long, up to a minute.
const AWAY_MS = 4000;
const AWAY_MS_MAX = 60000;
let paused = false;
let looking = false;
// When the page was last known to show how things stand, and whether asking for it failed since.
let heard = Date.now();
let failed = false;
let source;
let opened = 0;
let away = AWAY_MS;
// What a list is to show once somebody wants to see what is new.
let news;

const isOpen = () => source.readyState === EventSource.OPEN;

const show = () => {
  const silent = Math.round((Date.now() - heard) / 1000);
  const isCut = Date.now() - heard > STALE_MS && !isOpen();
  const stale = !paused && (failed || isCut);
  badge.className = paused ? "paused" : stale ? "stale" : "";
  badge.textContent = paused ? words.paused : stale ? words.stale.replace("{seconds}", silent) : words.live;
  badge.setAttribute("aria-pressed", String(paused));
};

// Who reads or writes in a part of the page keeps it as it is.
const isBusy = (part) => part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea, button");

const rowsOf = (part) => [...(part?.querySelectorAll("tbody tr") ?? [])];
// A row is about the page that it leads to.
const keyOf = (row) => row.querySelector("a")?.pathname;

const chip = document.createElement("button");
chip.id = "news";
chip.type = "button";
chip.title = words.show;
chip.setAttribute("aria-keyshortcuts", "n");
chip.addEventListener("click", () => {
  news.part.innerHTML = news.html;
  chip.remove();
  news.part.querySelector("tbody a")?.focus();
  look();
});

// Rows do not move under the pointer: those that are read are brought up to date where they stand, and new ones wait.
const quiet = (part, next, whole) => {
  const shown = new Map(rowsOf(part).map((row) => [keyOf(row), row]));
  if (!shown.size) { part.innerHTML = next.innerHTML; return; }
  const rows = rowsOf(next);
  const isNew = (row) => !shown.has(keyOf(row));
  for (const row of [...rows, ...rowsOf(whole.getElementById(`${part.id}-shown`))]) {
    const cells = isNew(row) ? [] : [...row.cells];
    cells.forEach((cell, nth) => {
      const old = shown.get(keyOf(row)).cells[nth];
      if (old.innerHTML !== cell.innerHTML && !old.contains(document.activeElement)) old.innerHTML = cell.innerHTML;
    });
  }
  // Older ones that moved up from below are no news.
  const last = rows.findLastIndex((row) => !isNew(row));
  const count = rows.slice(0, last < 0 ? rows.length : last).filter(isNew).length;
  if (!count) { chip.remove(); return; }
  news = { part, html: next.innerHTML };
  const text = words.new.replace("{count}", `${count}${last < 0 ? "+" : ""}`);
  if (chip.textContent !== text) chip.textContent = text;
  if (!chip.isConnected) said.replaceChildren(chip);
};

// The page, and how what it shows already stands by now, wherever that went.
const address = () => {
  const url = new URL(location.href);
  for (const part of document.querySelectorAll("[data-shown]")) {
    url.searchParams.set("shown", rowsOf(part).map((row) => keyOf(row).split("/").pop()).join(" "));
  }
  return url;
};

const look = async () => {
  if (paused || looking || document.hidden || !badge.isConnected) return;
  looking = true;
  try {
    const answer = await fetch(address(), { credentials: "same-origin", signal: AbortSignal.timeout(ANSWER_MS) });
    failed = !answer.ok || answer.redirected;
    if (!failed) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      heard = Date.now();
      for (const part of document.querySelectorAll("[data-live]")) {
        const next = fresh.getElementById(part.id);
        if (!next || isBusy(part) || next.innerHTML === part.innerHTML) continue;
        if (part.dataset.live === "quiet") { quiet(part, next, fresh); continue; }
        const focused = part.contains(document.activeElement) && document.activeElement.getAttribute("href");
        const log = part.querySelector(".log");
        const atEnd = log && log.scrollTop + log.clientHeight > log.scrollHeight - 40;
        part.innerHTML = next.innerHTML;
        if (atEnd) part.querySelector(".log").scrollTop = part.querySelector(".log").scrollHeight;
        if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
      }
      // What has ended moves no more.
      if (!fresh.querySelector("#live")) { source.close(); badge.remove(); }
    }
  } catch {
    failed = true;
  } finally {
    looking = false;
    show();
  }
};

const listen = () => {
  source?.close();
  opened = Date.now();
  source = new EventSource(badge.dataset.stream);
  source.addEventListener("open", () => { away = AWAY_MS; });
  source.addEventListener("look", look);
};

// A browser comes back by itself to a stream that broke off, but never to one that was refused, as one is by a server that is about
// to stop: that is asked for anew. Until it is there the page asks by itself.
const tend = () => {
  if (!badge.isConnected) return;
  if (!isOpen() && Date.now() - opened > away) {
    away = Math.min(2 * away, AWAY_MS_MAX);
    listen();
  }
  if (failed || !isOpen()) look();
  show();
};

if (badge) {
  badge.hidden = false;
  listen();
  badge.addEventListener("click", () => { paused = !paused; show(); if (!paused) look(); });
  addEventListener("visibilitychange", look);
  setInterval(tend, AGAIN_MS);
  show();
}
