"""What goes when its time is over: one condition and one change for each kind of row.

Records are computed from events and sums from records, so no rule touches a field that either
reads: of events only the bodies go, and what belongs to no session.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows of `table` for which `where` holds are changed by `change`, or deleted without one.

    `%(before)s` is the moment before which rows are too old, `%(at)s` now.
    """

    setting: str
    what: str
    table: str
    where: str
    change: str = ""


# Periods are closed in their order, so what ended before the last of them is in a closed one.
CLOSED_UNTIL = """coalesce((
    SELECT max(ends_on)::timestamp AT TIME ZONE 'UTC' FROM accounting_statement), '-infinity')"""

ENDED = f"""EXISTS (
    SELECT FROM hub_sessions_session s
    WHERE s.hub_id = t.hub_id AND s.key = t.session AND s.ended_at < %(before)s
      AND s.ended_at < {CLOSED_UNTIL})"""

PERIOD_BEGAN = """coalesce((
    SELECT max(starts_on)::timestamp AT TIME ZONE 'UTC' FROM quotas_allocationperiod
    WHERE starts_on <= %(at)s), 'infinity')"""

# What is still true would be told again: of the current period, and open questions.
TOLD_LONG_AGO = f"""t.state <> 'waiting'
    AND t.created_at < least(%(before)s, {PERIOD_BEGAN}, %(at)s - interval '90 days')
    AND NOT (t.topic = 'affiliation' AND EXISTS (
        SELECT FROM accounts_user u
        WHERE u.id = t.recipient_id AND u.affiliation_asked_at IS NOT NULL))"""

OVER = "least(t.expires_at, t.accepted_at, t.revoked_at) < %(before)s"
MADE_A_MEMBER = "EXISTS (SELECT FROM accounts_membership m WHERE m.invitation_id = t.id)"

NEWER_SAMPLE = """EXISTS (
    SELECT FROM hub_sessions_storagesample n
    WHERE n.mount = t.mount AND n.taken_at > t.taken_at
      AND (n.user_id = t.user_id OR n.group_id = t.group_id))"""

# Answers that are not believed yet are looked back on.
TWELVE_NEWER = """(SELECT count(*) FROM (
    SELECT FROM hub_sessions_hubreading n
    WHERE n.hub_id = t.hub_id AND n.id > t.id LIMIT 12) newer) = 12"""

NO_SESSION = "t.session IS NULL AND t.raw <> '' AND t.time < %(before)s"

RULES = (
    Rule(
        "KEEP_ADDRESSES_DAYS", "addresses of sign-ins", "accounts_signin",
        "t.at < %(before)s AND t.remote_ip IS NOT NULL", "remote_ip = NULL",
    ),
    Rule(
        "KEEP_ADDRESSES_DAYS", "addresses in the trail", "accounts_change",
        "t.timestamp < %(before)s AND t.remote_addr IS NOT NULL", "remote_addr = NULL",
    ),
    Rule(
        "KEEP_ADDRESSES_DAYS", "addresses in hubs' reports of sign-ins", "hub_sessions_hubevent",
        f"{NO_SESSION} AND t.type = 'user.login'", "data = t.data - 'remote_ip', raw = ''",
    ),
    Rule("KEEP_SIGN_INS_DAYS", "sign-ins", "accounts_signin", "t.at < %(before)s"),
    Rule(
        "KEEP_LOGIN_EVENTS_DAYS", "events of no session", "hub_sessions_hubevent",
        "t.session IS NULL AND t.user_name <> '' AND t.time < %(before)s",
        "user_name = '', server = '', data = '{}', raw = ''",
    ),
    Rule(
        "KEEP_EVENT_BODIES_DAYS", "bodies of sessions' events", "hub_sessions_hubevent",
        f"t.session IS NOT NULL AND t.raw <> '' AND t.time < %(before)s AND {ENDED}", "raw = ''",
    ),
    Rule(
        "KEEP_SNAPSHOTS_DAYS", "bodies of lists of servers", "hub_sessions_hubevent",
        f"{NO_SESSION} AND t.type = 'hub.snapshot'", "raw = ''",
    ),
    Rule(
        "KEEP_SNAPSHOTS_DAYS", "answers of hubs", "hub_sessions_hubreading",
        f"t.time < %(before)s AND {TWELVE_NEWER}",
    ),
    Rule("KEEP_NOTICES_DAYS", "notices", "accounts_notice", TOLD_LONG_AGO),
    Rule(
        "KEEP_NOTICES_DAYS", "daily mails", "accounts_digest",
        "t.day < %(before)s AND t.state <> 'waiting'"
        " AND NOT EXISTS (SELECT FROM accounts_notice n WHERE n.digest_id = t.id)",
    ),
    Rule(
        "KEEP_NOTICES_DAYS", "links to statements", "accounting_reportlink",
        "least(t.expires_at, t.revoked_at) < %(before)s",
    ),
    Rule(
        "KEEP_NOTICES_DAYS", "mails with statements", "accounting_reportmail",
        "t.created_at < %(before)s AND t.state <> 'waiting'",
    ),
    Rule(
        "KEEP_NOTICES_DAYS", "former recipients of statements", "accounting_reportrecipient",
        "t.ended_at < %(before)s"
        " AND NOT EXISTS (SELECT FROM accounting_reportmail m WHERE m.recipient_id = t.id)",
    ),
    Rule("KEEP_CHANGES_DAYS", "changes", "accounts_change", "t.timestamp < %(before)s"),
    Rule(
        "KEEP_CHANGES_DAYS", "acts in the administration", "django_admin_log",
        "t.action_time < %(before)s",
    ),
    Rule(
        "KEEP_INVITATIONS_DAYS", "invitations", "accounts_invitation",
        f"{OVER} AND NOT {MADE_A_MEMBER}",
    ),
    Rule(
        "KEEP_INVITATIONS_DAYS", "addresses of invitations", "accounts_invitation",
        f"{OVER} AND t.email <> '' AND {MADE_A_MEMBER}", "email = ''",
    ),
    Rule(
        "KEEP_TOKENS_DAYS", "API tokens", "accounts_apitoken",
        "least(t.expires_at, t.revoked_at) < %(before)s",
    ),
    Rule(
        "KEEP_QUARANTINE_DAYS", "rejected events", "hub_sessions_quarantinedevent",
        "t.received_at < %(before)s",
    ),
    Rule("KEEP_ALERTS_DAYS", "alerts", "hub_sessions_alert", "t.resolved_at < %(before)s"),
    Rule(
        "KEEP_STORAGE_SAMPLES_DAYS", "storage samples", "hub_sessions_storagesample",
        f"t.taken_at < %(before)s AND {NEWER_SAMPLE}",
    ),
)  # fmt: skip
