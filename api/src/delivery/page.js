// Arrow keys and Escape while a picture is shown large. Without this the links of the page do the same.
"use strict";
addEventListener("keydown", (event) => {
  const shown = document.querySelector(".large:target");
  if (!shown || event.target.closest("video, form, select") || event.altKey || event.ctrlKey || event.metaKey) return;
  const role = { ArrowLeft: "prev", ArrowRight: "next", Escape: "close" }[event.key];
  const link = role && shown.querySelector(`a[data-role="${role}"]`);
  if (!link) return;
  event.preventDefault();
  link.click();
});
// Whoever opens or closes a picture by its link finds the keyboard where the picture is.
addEventListener("hashchange", (event) => {
  const shown = document.querySelector(".large:target");
  for (const film of document.querySelectorAll("video")) if (!shown?.contains(film)) film.pause();
  const before = new URL(event.oldURL).hash.slice(2);
  const next = shown ? shown.querySelector("a") : document.querySelector(`#g${CSS.escape(before)} a`);
  next?.focus();
});
// Whoever asks for a change points at the picture instead of moving sliders.
for (const ask of document.querySelectorAll(".ask")) {
  const figure = ask.parentElement.querySelector("figure");
  const [across, down] = ["x", "y"].map((name) => ask.querySelector(`input[name="${name}"]`));
  if (!across) continue;
  const pin = document.createElement("span");
  pin.className = "pin";
  pin.textContent = "?";
  const show = () => {
    pin.style.left = `${across.value / 10}%`;
    pin.style.top = `${down.value / 10}%`;
    if (ask.open) figure.append(pin);
    else pin.remove();
  };
  for (const moved of [across, down]) moved.addEventListener("input", show);
  ask.addEventListener("toggle", show);
  figure.querySelector("img").addEventListener("click", (event) => {
    if (!ask.open) return;
    const picture = event.currentTarget.getBoundingClientRect();
    across.value = Math.round(((event.clientX - picture.left) / picture.width) * 1000);
    down.value = Math.round(((event.clientY - picture.top) / picture.height) * 1000);
    show();
  });
}
