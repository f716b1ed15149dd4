// In which quality a film plays, where the browser knows streams. Without this it takes what fits, or the one file.
"use strict";
for (const choice of document.querySelectorAll(".quality")) {
  const film = choice.closest("section, .film").querySelector("video");
  if (!film.canPlayType("application/vnd.apple.mpegurl")) continue;
  choice.hidden = false;
  choice.querySelector("select").addEventListener("change", (event) => {
    const [at, isPlaying] = [film.currentTime, !film.paused];
    film.addEventListener("loadedmetadata", () => {
      film.currentTime = at;
      if (isPlaying) film.play();
    }, { once: true });
    film.preload = "metadata";
    // Chromium joins pieces from elsewhere only where they say that pages may read them (CORS).
    film.crossOrigin = "anonymous";
    film.src = event.target.value;
  });
  film.addEventListener("error", () => {
    if (!film.hasAttribute("src")) return;
    // They do not say so: there is no choice, and the one file is left.
    choice.hidden = true;
    for (const name of ["crossorigin", "src"]) film.removeAttribute(name);
    film.load();
  });
}
