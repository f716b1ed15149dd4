// What hands do: keys, going anywhere by name, copying. The page behind "Go to" has the same without this.
"use strict";
{
  const link = document.querySelector("#go");
  // What takes longer is no answer: the page itself is gone to then.
  const ANSWER_MS = 10000;
  const words = JSON.parse(document.body.dataset.words);
  const tell = (text) => { document.querySelector("#said").textContent = text; };
  const isFree = (event) => !event.altKey && !event.ctrlKey && !event.metaKey;
  const dialogs = new Map();
  let page;

  // A part of that page; asked for once.
  const part = async (id) => {
    page ??= fetch(link.href, { credentials: "same-origin", signal: AbortSignal.timeout(ANSWER_MS) }).then(async (answer) => {
      if (!answer.ok || answer.redirected) throw new Error(`${answer.status}`);
      return new DOMParser().parseFromString(await answer.text(), "text/html");
    });
    const found = document.importNode((await page).getElementById(id), true);
    found.removeAttribute("id");
    return found;
  };

  // Links narrow down as one types; arrows go from one to the next.
  const choose = (dialog, input) => {
    const links = [...dialog.querySelectorAll("li a")];
    const shown = () => links.filter((one) => !one.parentElement.hidden);
    input.addEventListener("input", () => {
      const typed = input.value.toLowerCase().split(/\s+/);
      for (const one of links) {
        const name = one.textContent.toLowerCase();
        one.parentElement.hidden = !typed.every((word) => name.includes(word));
      }
    });
    dialog.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) {
        const stops = [input, ...shown()];
        event.preventDefault();
        stops[(stops.indexOf(document.activeElement) + step + stops.length) % stops.length].focus();
      } else if (event.key === "Enter" && event.target === input && input.value.trim() && shown().length) {
        event.preventDefault();
        shown()[0].click();
        dialog.close();
      } else if (event.key.length === 1 && isFree(event) && event.target.matches("a")) {
        input.focus();
      }
    });
  };

  const make = async (id) => {
    const dialog = document.createElement("dialog");
    const close = document.createElement("button");
    close.type = "button";
    close.className = "plain";
    close.textContent = words.close;
    close.addEventListener("click", () => dialog.close());
    const content = await part(id);
    dialog.setAttribute("aria-label", content.getAttribute("aria-label"));
    dialog.append(content, close);
    document.body.append(dialog);
    const input = dialog.querySelector("input[type=search]");
    if (input) choose(dialog, input);
    return dialog;
  };

  const open = async (id) => {
    try {
      if (!dialogs.has(id)) dialogs.set(id, make(id));
      const dialog = await dialogs.get(id);
      for (const other of document.querySelectorAll("dialog[open]")) if (other !== dialog) other.close();
      if (!dialog.open) dialog.showModal();
      dialog.querySelector("input[type=search]")?.select();
    } catch {
      location.assign(link.href);
    }
  };

  link?.addEventListener("click", (event) => {
    if (!isFree(event) || event.shiftKey) return;
    event.preventDefault();
    open("places");
  });

  let led = false;
  addEventListener("keydown", (event) => {
    if (link && (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open("places");
      return;
    }
    if (!isFree(event) || event.target.closest("input, select, textarea, dialog")) return;
    if (led) {
      led = false;
      const links = [...document.querySelectorAll("nav a")];
      const here = links.findIndex((one) => one.hasAttribute("aria-current"));
      const inTurn = [...links.slice(here + 1), ...links];
      const next = inTurn.find((one) => one.textContent[0].toLowerCase() === event.key);
      if (next) { event.preventDefault(); next.click(); }
    } else if (event.key === "g") {
      led = true;
    } else if (event.key === "/") {
      const field = document.querySelector("main input[type=search]");
      if (!field && !link) return;
      event.preventDefault();
      if (field) field.focus(); else open("places");
    } else if (event.key === "l") {
      document.querySelector("#live")?.click();
    } else if (event.key === "n") {
      document.querySelector("#news")?.click();
    } else if (event.key === "?" && link) {
      open("keys");
    }
  });

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(text.textContent);
        tell(words.copied);
      } catch {
        // Browsers let pages copy over https only.
        getSelection().selectAllChildren(text);
        tell(words.marked);
      }
    });
  }

  const zone = document.querySelector("#browser-zone");
  if (zone) {
    zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
    zone.textContent = words.zone.replace("{zone}", zone.value);
    zone.hidden = !zone.value;
  }
}
