// The colour scheme: "light", "dark" or "auto" (what the system says), remembered in this browser.
// Loaded in <head> without defer, so that the page never shows in the wrong scheme first.
(() => {
  "use strict";
  const KEY = "colour-scheme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function choice() {
    try {
      const stored = window.localStorage.getItem(KEY);
      return ["light", "dark"].includes(stored) ? stored : "auto";
    } catch {
      return "auto";
    }
  }

  function remember(scheme) {
    try {
      window.localStorage.setItem(KEY, scheme);
    } catch {
      // A browser without storage forgets the choice with the page.
    }
  }

  function apply(scheme) {
    const dark = scheme === "dark" || (scheme === "auto" && system.matches);
    document.documentElement.dataset.bsTheme = dark ? "dark" : "light";
    for (const button of document.querySelectorAll("[data-scheme]")) {
      button.setAttribute("aria-pressed", String(button.dataset.scheme === scheme));
    }
    document.dispatchEvent(new Event("portal:scheme"));
  }

  apply(choice());
  system.addEventListener("change", () => apply(choice()));
  document.addEventListener("DOMContentLoaded", () => {
    for (const group of document.querySelectorAll(".scheme")) {
      group.hidden = false;
    }
    apply(choice());
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-scheme]");
    if (button) {
      remember(button.dataset.scheme);
      apply(button.dataset.scheme);
    }
  });
})();
