// The pages on usage: the period form, and parts that bring themselves up to date (data-live).
(() => {
  "use strict";

  // <form data-period>: a period brings its own days, and who changes a day wants other dates.
  document.addEventListener("change", (event) => {
    const fields = event.target.closest("form[data-period]")?.elements;
    if (fields && event.target === fields.period && event.target.value) {
      fields.first.value = fields.last.value = "";
    } else if (fields && event.target.type === "date") {
      fields.period.value = "";
    }
  });

  // <div data-costs-of="id_demo_">: what is said of every group and size, narrowed to the choice.
  const narrow = () => {
    for (const costs of document.querySelectorAll("[data-costs-of]")) {
      for (const kind of ["group", "size", "image"]) {
        const chosen = document.getElementById(`${costs.dataset.costsOf}${kind}`).value;
        for (const part of costs.querySelectorAll(`[data-cost-${kind}]`)) {
          part.hidden = part.getAttribute(`data-cost-${kind}`) !== chosen;
        }
      }
    }
  };
  document.addEventListener("change", narrow);
  document.addEventListener("htmx:afterSwap", narrow);
  narrow();

  // The dates of a period follow from it: leave them out of the address.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-period]")) {
      return;
    }
    const { period, first, last, shown } = event.target.elements;
    const unused = period.value ? [first, last, shown] : [period, shown];
    for (const field of unused) {
      field.disabled = true;
    }
    window.setTimeout(() => unused.forEach((field) => { field.disabled = false; }));
  });

  // Nothing is fetched while nobody looks, or swapped under an open question.
  const isLive = (event) => event.target.matches("[data-live]");
  const isAsking = () => document.querySelector("dialog[open]") !== null;
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (isLive(event) && (document.hidden || isAsking())) {
      event.preventDefault();
    }
  });

  // A wide table stays where it was scrolled to.
  const scrolled = new Map();
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!isLive(event)) {
      return;
    }
    if (isAsking()) {
      event.detail.shouldSwap = false;
      return;
    }
    for (const wrap of event.target.querySelectorAll(".table-wrap[id]")) {
      scrolled.set(wrap.id, wrap.scrollLeft);
    }
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const [id, left] of scrolled) {
      document.getElementById(id)?.scrollTo({ left, behavior: "instant" });
    }
    scrolled.clear();
  });
})();
