// Keeps a page up to date: told by a stream that something moved, it asks for the page again and takes over what changed.
// Without this the pages do the same when they are loaded again.
"use strict";
const badge = document.querySelector("#live");
const said = document.querySelector("#said");
const STALE_MS = 12000;
const AGAIN_MS = 2000;
let paused = false;
let looking = false;
// When the page was last known to show how things stand, and whether asking for it failed since.
let heard = Date.now();
let failed = false;

const say = (text) => { if (said.textContent !== text) said.textContent = text; };

const show = () => {
  const silent = Math.round((Date.now() - heard) / 1000);
  const isCut = Date.now() - heard > STALE_MS && source.readyState !== EventSource.OPEN;
  const stale = !paused && (failed || isCut);
  badge.className = paused ? "paused" : stale ? "stale" : "";
  badge.textContent = paused ? "Paused" : stale ? `Stale for ${silent} s` : "Live";
  badge.setAttribute("aria-pressed", String(paused));
};

// Who reads or writes in a part of the page keeps it as it is.
const isBusy = (part) => part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea, button");

// Rows do not move under the pointer: of a quiet part only the number of changes is told.
const quiet = (part, fresh) => {
  const known = new Set([...part.querySelectorAll("tbody a")].map((link) => link.href));
  const news = [...fresh.querySelectorAll("tbody a")].filter((link) => !known.has(link.href)).length;
  for (const row of fresh.querySelectorAll("tbody tr")) {
    const link = row.querySelector("a")?.getAttribute("href");
    const old = link && part.querySelector(`a[href="${CSS.escape(link)}"]`)?.closest("tr");
    if (old && old.innerHTML !== row.innerHTML && !old.contains(document.activeElement)) old.innerHTML = row.innerHTML;
  }
  if (news) say(`${news} new. Load the page again to see them.`);
};

const look = async () => {
  if (paused || looking || document.hidden) return;
  looking = true;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    failed = !answer.ok || answer.redirected;
    if (!failed) {
      heard = Date.now();
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const next = fresh.getElementById(part.id);
        if (!next || isBusy(part) || next.innerHTML === part.innerHTML) continue;
        if (part.dataset.live === "quiet") { quiet(part, next); continue; }
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

const source = badge && new EventSource(badge.dataset.stream);
if (badge) {
  badge.hidden = false;
  source.addEventListener("look", look);
  badge.addEventListener("click", () => { paused = !paused; show(); if (!paused) look(); });
  addEventListener("visibilitychange", look);
  setInterval(() => { show(); if (failed) look(); }, AGAIN_MS);
  show();
}
