// Small behaviours that pages ask for with data attributes (docs/frontend.md lists them).
(() => {
  "use strict";

  // htmx sends the CSRF token that base.html puts into <body data-csrf-token>.
  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRFToken"] = document.body.dataset.csrfToken;
  });

  // What htmx could not fetch leaves old content on the page: say so until a request succeeds again.
  document.addEventListener("htmx:afterRequest", (event) => {
    document.getElementById("stale").hidden = Boolean(event.detail.successful);
  });

  // <form data-autosubmit>: a changed field sends the form.
  document.addEventListener("change", (event) => {
    event.target.closest("form[data-autosubmit]")?.requestSubmit();
  });

  // <button data-copy="text">: copies the text and says so for two seconds.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) {
      return;
    }
    const label = button.querySelector("[data-copy-label]") ?? button;
    const before = label.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Could not copy";
    }
    window.setTimeout(() => { label.textContent = before; }, 2000);
  });

  // <form data-confirm="question" data-confirm-action="Stop">, and hx-confirm: asked in the page's own dialog.
  function ask(question, action, go) {
    const dialog = document.getElementById("confirm");
    dialog.querySelector("[data-confirm-question]").textContent = question;
    dialog.querySelector("[data-confirm-go]").textContent = action;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => dialog.returnValue === "go" && go(), { once: true });
    dialog.showModal();
  }

  document.addEventListener("submit", (event) => {
    const { confirm, confirmAction, confirmed } = event.target.dataset;
    if (!confirm || confirmed) {
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    const { submitter } = event;
    ask(confirm, confirmAction ?? "Yes, do it", () => {
      event.target.dataset.confirmed = "yes";
      event.target.requestSubmit(submitter);
      delete event.target.dataset.confirmed;
    });
  }, true);

  document.addEventListener("htmx:confirm", (event) => {
    if (!event.detail.question) {
      return;
    }
    event.preventDefault();
    ask(event.detail.question, event.target.dataset.confirmAction ?? "Yes, do it", () => event.detail.issueRequest(true));
  });
})();
