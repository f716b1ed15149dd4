// Arrow keys and Escape while a picture is shown large. Without this the links of the page do the same.
"use strict";
addEventListener("keydown", (event) => {
  const shown = document.querySelector(".large:target");
  if (!shown || event.target.closest("video") || event.altKey || event.ctrlKey || event.metaKey) return;
  const role = { ArrowLeft: "prev", ArrowRight: "next", Escape: "close" }[event.key];
  const link = role && shown.querySelector(`a[data-role="${role}"]`);
  if (!link) return;
  event.preventDefault();
  link.click();
});
// Whoever opens or closes a picture by its link finds the keyboard where the picture is.
addEventListener("hashchange", (event) => {
  const shown = document.querySelector(".large:target");
  for (const film of document.querySelectorAll("video")) film.pause();
  const before = new URL(event.oldURL).hash.slice(2);
  const next = shown ? shown.querySelector("a") : document.querySelector(`#g${CSS.escape(before)} a`);
  next?.focus();
});
