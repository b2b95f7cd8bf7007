"""The options form as HTML for JupyterHub's spawn page (Bootstrap 5 on both lines).

Pure functions; everything that is not written here is escaped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from html import escape

from lsp_hub.options import (
    SUB_NAME_LENGTH,
    Group,
    Image,
    LaunchOptions,
    Size,
    Verdict,
    Wish,
    default_of,
)

# The page's own Start button could only be refused.
HIDE_START = "<style>#spawn_form .feedback-container { display: none; }</style>\n"


SUB_NAME = f"""<div class="mb-4">
  <label class="form-label fs-5" for="lsp-sub-name">Who you are</label>
  <input class="form-control" type="text" name="sub_name" id="lsp-sub-name" required \
maxlength="{SUB_NAME_LENGTH}" autocomplete="off" aria-describedby="lsp-sub-name-note">
  <span class="text-body-secondary" id="lsp-sub-name-note">Several people use this account; your \
name is kept with the session.</span>
</div>
"""


RESCUE = '<input type="hidden" name="rescue" value="1">\n'
RESCUE_CHOICE = """<div class="form-check mb-4">
  <input class="form-check-input" type="checkbox" name="rescue" value="1" id="lsp-rescue">
  <label class="form-check-label" for="lsp-rescue">Start a rescue session instead of what is \
chosen below</label>
</div>
"""


# Of all that is said on costs, only what concerns the choice stays; without it everything does.
NARROW = """<script>
(() => {
  const costs = document.getElementById("lsp-costs");
  const narrow = () => {
    for (const field of ["group", "size", "image"]) {
      const chosen = document.querySelector(`input[name="${field}"]:checked`);
      for (const part of costs.querySelectorAll(`[data-lsp-${field}]`)) {
        part.hidden = !chosen || part.getAttribute(`data-lsp-${field}`) !== chosen.value;
      }
    }
  };
  document.addEventListener("change", narrow);
  narrow();
})();
</script>
"""


@dataclass(frozen=True)
class Choice:
    """One radio button: `note` stands beside it, `why_not` closes it, `heading` is above it."""

    name: str
    title: str
    note: str
    why_not: str
    heading: str = ""


def options_form(
    options: LaunchOptions, *, last: Wish, idle_rule: str = "", notice: str = ""
) -> str:
    """The form; `last` is what was chosen for this server before, `notice` a warning above it."""
    if not options.open_groups():
        return _rescue_only(options, notice) if options.rescue else _nothing_open(options, notice)
    groups = [_group_choice(group) for group in options.groups]
    recommended_first = sorted(options.images, key=lambda image: not image.recommended)
    images = [_image_choice(image, options) for image in recommended_first]
    sizes = [_size_choice(size, options) for size in options.sizes]
    return "".join(
        (
            _notice(notice),
            _notice(options.rescue),
            RESCUE_CHOICE if options.rescue else "",
            SUB_NAME if options.asks_sub_name else "",
            _fieldset(
                "image",
                "Image",
                images,
                [*_preferred("image", options, last), default_of(recommended_first)],
            ),
            _fieldset(
                "size",
                "Size",
                sizes,
                [*_preferred("size", options, last), default_of(options.sizes)],
            ),
            _fieldset(
                "group",
                "Group that pays",
                groups,
                [*_preferred("group", options, last), default_of(options.groups)],
            ),
            _rule(options.room),
            _costs(options),
            _rule(options.idle_rule or idle_rule),
        )
    )


def closed_form(message: str) -> str:
    """The page of somebody who can start nothing: it says why."""
    return f"{HIDE_START}{_alert('danger', message)}"


def _rescue_only(options: LaunchOptions, notice: str) -> str:
    """The page's own button starts the one thing that there is."""
    who = SUB_NAME if options.asks_sub_name else ""
    words = _notice(f"{options.rescue} Start begins one.")
    return f"{_notice(notice)}{words}{RESCUE}{who}{_reasons(options)}"


def _nothing_open(options: LaunchOptions, notice: str) -> str:
    if not options.groups:
        message = "You are in no group, so no server can be charged. Ask a PI to add you."
        return _notice(notice) + closed_form(message)
    message = "None of your groups can pay for a server now."
    return f"{_notice(notice)}{closed_form(message)}{_reasons(options)}"


def _reasons(options: LaunchOptions) -> str:
    reasons = "".join(
        f"  <li>{escape(group.title)}: {escape(group.why_not or 'closed')}</li>\n"
        for group in options.groups
    )
    return f"<ul>\n{reasons}</ul>\n" if reasons else ""


def _group_choice(group: Group) -> Choice:
    why_not = "" if group.allowed else group.why_not or "closed"
    return Choice(group.name, group.title, _hours(group.remaining), why_not)


def _image_choice(image: Image, options: LaunchOptions) -> Choice:
    note, why_not = _by_group(_payers(image, options), options, "not open to your groups")
    notes = "; ".join(part for part in (image.note, note) if part)
    return Choice(image.name, image.title, notes, image.why_not or why_not, image.heading)


def _size_choice(size: Size, options: LaunchOptions) -> Choice:
    able = frozenset(g.name for g in options.groups if g.fits is None or size.name in g.fits)
    missing = "not open to your groups" if not _payers(size, options) else "more than is left"
    only, why_not = _by_group(_payers(size, options) & able, options, missing)
    note = f"{_number(Decimal(size.cpu_millicores) / 1000)} CPU, {_memory(size.memory_mib)}"
    note += f", {size.gpus} GPU" if size.gpus else ""
    notes = "; ".join(part for part in (note, size.room, only) if part)
    return Choice(size.name, size.title, notes, size.why_not or why_not)


def _payers(choice: Image | Size, options: LaunchOptions) -> frozenset[str]:
    """The open groups that may pay for a choice."""
    usable = options.open_groups()
    return usable if choice.groups is None else usable & choice.groups


def _by_group(payers: frozenset[str], options: LaunchOptions, missing: str) -> tuple[str, str]:
    """A note for a choice that only some of the open groups have, and why it is closed."""
    if payers == options.open_groups():
        return "", ""
    titles = ", ".join(group.title for group in options.groups if group.name in payers)
    return (f"only with {titles}", "") if titles else ("", missing)


def _preferred(field: str, options: LaunchOptions, last: Wish) -> list[str | None]:
    """What comes before the default: the last choice for this server, then that for any."""
    return [getattr(last, field), getattr(options.last, field)]


def _costs(options: LaunchOptions) -> str:
    """What a start would cost each open group; the script leaves only what is chosen."""
    groups = [group for group in options.groups if group.allowed and group.outlook]
    if not groups:
        return ""
    parts = "".join(_group_costs(group, options) for group in groups)
    return f'<div id="lsp-costs" class="mb-4" aria-live="polite">\n{parts}</div>\n{NARROW}'


def _group_costs(group: Group, options: LaunchOptions) -> str:
    titles = {choice.name: choice.title for choice in options.sizes}
    sizes = [_cost("size", verdict, titles) for verdict in group.sizes]
    titles = {choice.name: choice.title for choice in options.images}
    images = [_cost("image", verdict, titles) for verdict in group.images if verdict.why_not]
    return (
        f'<div data-lsp-group="{escape(group.name)}">\n'
        f'<p class="mb-1"><strong>{escape(group.title)}.</strong> {escape(group.outlook)}</p>\n'
        f'<ul class="mb-2">\n{"".join([*sizes, *images])}</ul>\n</div>\n'
    )


def _cost(field: str, verdict: Verdict, titles: Mapping[str, str]) -> str:
    words = f"closed. {verdict.why_not}" if verdict.why_not else verdict.outlook
    title = titles.get(verdict.name, verdict.name)
    return (
        f'  <li data-lsp-{field}="{escape(verdict.name)}">'
        f"<strong>{escape(title)}:</strong> {escape(words)}</li>\n"
    )


def _fieldset(field: str, legend: str, choices: list[Choice], preferred: list[str | None]) -> str:
    open_names = [choice.name for choice in choices if not choice.why_not]
    checked = next((name for name in [*preferred, *open_names] if name in open_names), None)
    radios = "".join(
        f"{heading}{_radio(field, choice, choice.name == checked)}"
        for heading, choice in _under_headings(choices)
    )
    return (
        f'<fieldset class="mb-4">\n<legend class="fs-5">{escape(legend)}</legend>\n'
        f"{radios or _alert('warning', 'There is nothing to choose from.')}</fieldset>\n"
    )


def _under_headings(choices: list[Choice]) -> list[tuple[str, Choice]]:
    """The choices with those of one heading together; the first of each has its heading as HTML."""
    headings = list(dict.fromkeys(choice.heading for choice in choices))
    together = sorted(choices, key=lambda choice: headings.index(choice.heading))
    if len(headings) < 2:
        return [("", choice) for choice in choices]
    firsts = {heading: next(c for c in together if c.heading == heading) for heading in headings}
    return [
        (_heading(choice.heading) if choice is firsts[choice.heading] else "", choice)
        for choice in together
    ]


def _heading(text: str) -> str:
    return f'<p class="fw-semibold mt-2 mb-1">{escape(text)}</p>\n'


def _radio(field: str, choice: Choice, checked: bool) -> str:
    ident = escape(f"lsp-{field}-{choice.name}")
    state = " disabled" if choice.why_not else " checked" if checked else ""
    note = f"closed: {choice.why_not}" if choice.why_not else choice.note
    described = f' aria-describedby="{ident}-note"' if note else ""
    return (
        '<div class="form-check">\n'
        f'  <input class="form-check-input" type="radio" name="{field}" id="{ident}"'
        f' value="{escape(choice.name)}" required{described}{state}>\n'
        f'  <label class="form-check-label" for="{ident}">{escape(choice.title)}</label>\n'
        + (
            f'  <span class="text-body-secondary" id="{ident}-note">{escape(note)}</span>\n'
            if note
            else ""
        )
        + "</div>\n"
    )


def _hours(remaining: str | None) -> str:
    if remaining is None:
        return "no limit"
    try:
        return f"{_number(Decimal(remaining), places=1)} core-hours left"
    except InvalidOperation:
        return f"{remaining} core-hours left"


def _memory(mib: int) -> str:
    return f"{mib} MiB" if mib % 1024 else f"{mib // 1024} GiB"


def _number(value: Decimal, places: int = 3) -> str:
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".")


def _rule(rule: str) -> str:
    return f'<p class="form-text">{escape(rule)}</p>\n' if rule else ""


def _notice(text: str) -> str:
    return _alert("warning", text) if text else ""


def _alert(kind: str, text: str) -> str:
    return f'<div class="alert alert-{kind}" role="alert">{escape(text)}</div>\n'
