"""The statements that take a name out of every table, and leave all that sums are made of.

Records are computed from events and compared by their names and seats, so events, records, lists
of servers and repairs get the same new name in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """What is changed, in words for the preview, and how."""

    what: str
    statement: str


def _seat(name: str, server: str) -> str:
    return f"md5(length({name}) || ':' || {name} || {server})::uuid"


OLD, NEW = "%(old)s::text", "%(new)s::text"
OLD_QUOTED, NEW_QUOTED = f"to_json({OLD})::text", f"to_json({NEW})::text"
IN_RAW = f"position(convert_to({OLD_QUOTED}, 'UTF8') IN t.raw) > 0"

# For each name by which a hub knows the person.
AT_HUB = (
    Step(
        "sessions",
        f"""
        UPDATE hub_sessions_session t SET user_name = {NEW}, seat = {_seat(NEW, "server")},
            actor = CASE WHEN actor = {OLD} THEN {NEW} ELSE actor END,
            sub_name = '', message = '', pod = '', pod_uid = '',
            "grant" = replace("grant"::text, {OLD_QUOTED}, {NEW_QUOTED})::jsonb
        WHERE t.hub_id = %(hub)s AND t.user_name = {OLD}
        """,
    ),
    Step(
        "sessions that the person started for others",
        f"""
        UPDATE hub_sessions_session t SET actor = {NEW},
            "grant" = replace("grant"::text, {OLD_QUOTED}, {NEW_QUOTED})::jsonb
        WHERE t.hub_id = %(hub)s AND t.actor = {OLD}
        """,
    ),
    Step(
        "events of hubs, whose bodies go",
        f"""
        UPDATE hub_sessions_hubevent t SET user_name = {NEW}, raw = '',
            data = (CASE WHEN t.session IS NULL THEN '{{}}' ELSE t.data END)
                - '{{pod,pod_uid,sub_name,message}}'::text[]
                || CASE WHEN t.data ->> 'actor' = {OLD}
                    THEN jsonb_build_object('actor', {NEW}) ELSE '{{}}' END
        WHERE t.hub_id = %(hub)s AND t.user_name = {OLD}
        """,
    ),
    Step(
        "events of others that name the person, whose bodies go",
        f"""
        UPDATE hub_sessions_hubevent t SET raw = '',
            data = t.data || jsonb_build_object('actor', {NEW})
        WHERE t.hub_id = %(hub)s AND t.data ->> 'actor' = {OLD}
        """,
    ),
    Step(
        "lists of servers, whose bodies go",
        f"""
        UPDATE hub_sessions_hubevent t SET raw = ''
        WHERE t.hub_id = %(hub)s AND t.session IS NULL AND t.raw <> '' AND {IN_RAW}
        """,
    ),
    Step(
        "parts of lists of servers",
        f"""
        UPDATE hub_sessions_snapshotpart t
        SET seats = array_replace(t.seats, {_seat(OLD, "s.server")}, {_seat(NEW, "s.server")})
        FROM hub_sessions_snapshot n, (
            SELECT '' AS server UNION SELECT server FROM hub_sessions_session
            WHERE hub_id = %(hub)s AND user_name = {NEW}
        ) s
        WHERE n.id = t.snapshot_id AND n.hub_id = %(hub)s
          AND {_seat(OLD, "s.server")} = ANY (t.seats)
        """,
    ),
    Step(
        "answers of hubs",
        f"""
        UPDATE hub_sessions_hubreading t SET servers = replace(
            t.servers::text, '"user": ' || {OLD_QUOTED}, '"user": ' || {NEW_QUOTED})::jsonb
        WHERE t.hub_id = %(hub)s
          AND position('"user": ' || {OLD_QUOTED} IN t.servers::text) > 0
        """,
    ),
    Step(
        "rejected events, whose bodies go",
        f"""
        UPDATE hub_sessions_quarantinedevent t SET raw = '', detail = ''
        WHERE t.hub_id = %(hub)s AND {IN_RAW}
        """,
    ),
    Step(
        "repairs",
        f"""
        UPDATE hub_sessions_repair t SET user_name = {NEW}, seat = {_seat(NEW, "server")}
        WHERE t.hub_id = %(hub)s AND t.user_name = {OLD}
        """,
    ),
)

# A word of the person in a text: not within another word or address.
TEXTS = {
    "accounts_change": ("about", "object_repr", "changes"),
    "django_admin_log": ("object_repr", "change_message"),
    "accounts_notice": ("subject", "text", "link"),
    "hub_sessions_alert": ("subject", "detail"),
    "accounts_registration": ("reason", "evidence"),
    "quotas_quotarequest": ("reason", "answer", "facts"),
    "quotas_grant": ("reason",),
    "quotas_homequota": ("reason",),
    "hub_sessions_adjustment": ("reason",),
    "hub_sessions_reattribution": ("reason", "answer"),
    "accounting_reportlink": ("note",),
}
JSON = {"changes", "evidence", "facts"}


def _texts(table: str, columns: tuple[str, ...]) -> Step:
    kinds = {
        name: ("json_words", "jsonb") if name in JSON else ("words", "text") for name in columns
    }
    changes = ", ".join(
        f"{name} = regexp_replace({name}::text, %({words})s, {NEW}, 'gi')::{kind}"
        for name, (words, kind) in kinds.items()
    )
    found = " OR ".join(f"{name}::text ~* %({words})s" for name, (words, _) in kinds.items())
    what = table.partition("_")[2].replace("_", " ")
    return Step(f"texts ({what})", f"UPDATE {table} SET {changes} WHERE {found}")


OWN = "user_id = %(user)s"
RECIPIENT = f"({OWN} OR lower(email) = ANY (%(emails)s))"
OF_RECIPIENT = f"recipient_id IN (SELECT id FROM accounting_reportrecipient WHERE {RECIPIENT})"

PERSON = (
    Step("notices", "DELETE FROM accounts_notice WHERE recipient_id = %(user)s"),
    Step("daily mails", "DELETE FROM accounts_digest WHERE recipient_id = %(user)s"),
    Step("choices about notices", f"DELETE FROM accounts_noticeway WHERE {OWN}"),
    Step("hours for mails", f"DELETE FROM accounts_noticehours WHERE {OWN}"),
    Step("sign-ins", f"DELETE FROM accounts_signin WHERE {OWN}"),
    Step("affiliations", f"DELETE FROM accounts_affiliation WHERE {OWN}"),
    Step(
        "identities",
        f"""
        UPDATE accounts_identity SET subject = {NEW} || '.' || id, email = '', claims = '{{}}'
        WHERE {OWN}
        """,
    ),
    Step("names at hubs", f"DELETE FROM hub_sessions_hubusername WHERE {OWN}"),
    Step(
        "affiliations kept with sessions",
        f"""
        UPDATE hub_sessions_session
        SET affiliation = affiliation || jsonb_build_object('value', affiliation ->> 'organisation')
        WHERE {OWN} AND affiliation ->> 'organisation' <> ''
        """,
    ),
    Step(
        "memberships that end now",
        f"""
        UPDATE accounts_membership SET valid_to = greatest(valid_from, %(at)s)
        WHERE {OWN} AND (valid_to IS NULL OR valid_to > %(at)s)
        """,
    ),
    Step(
        "evidence of decisions", f"UPDATE accounts_registration SET evidence = '{{}}' WHERE {OWN}"
    ),
    Step(
        "addresses of invitations",
        """
        UPDATE accounts_invitation SET email = ''
        WHERE email <> '' AND (accepted_by_id = %(user)s OR account_id = %(user)s
            OR lower(email) = ANY (%(emails)s))
        """,
    ),
    Step("mails with statements", f"DELETE FROM accounting_reportmail WHERE {OF_RECIPIENT}"),
    Step("recipients of statements", f"DELETE FROM accounting_reportrecipient WHERE {RECIPIENT}"),
    Step(
        "servers that the portal ran",
        f"""
        UPDATE hub_sessions_server SET namespace = '', name = '', pod_uid = '', address = '',
            command = '[]', failure_message = ''
        WHERE session_id IN (SELECT number FROM hub_sessions_session WHERE {OWN})
        """,
    ),
    Step(
        "steps of these servers",
        f"""
        DELETE FROM hub_sessions_serverstep
        WHERE server_id IN (SELECT number FROM hub_sessions_session WHERE {OWN})
        """,
    ),
    Step("the place of the home in the cluster", f"DELETE FROM hub_sessions_home WHERE {OWN}"),
    Step("API tokens", f"DELETE FROM accounts_apitoken WHERE {OWN}"),
    Step("kept answers", "DELETE FROM accounts_keptanswer WHERE caller = 'user ' || %(user)s"),
    Step(
        "tokens of hubs",
        f"""
        UPDATE oauth2_provider_accesstoken SET source_refresh_token_id = NULL WHERE {OWN};
        DELETE FROM oauth2_provider_refreshtoken WHERE {OWN};
        DELETE FROM oauth2_provider_accesstoken WHERE {OWN};
        DELETE FROM oauth2_provider_idtoken WHERE {OWN};
        DELETE FROM oauth2_provider_grant WHERE {OWN};
        DELETE FROM oauth2_provider_devicegrant WHERE {OWN}
        """,
    ),
    Step("permissions", f"DELETE FROM accounts_user_user_permissions WHERE {OWN}"),
    Step(
        "addresses in the trail",
        """
        UPDATE accounts_change SET actor_email = NULL, remote_addr = NULL
        WHERE actor_id = %(user)s AND (actor_email IS NOT NULL OR remote_addr IS NOT NULL)
        """,
    ),
    Step(
        "former names in the trail",
        """
        UPDATE accounts_change
        SET changes = changes - '{username,first_name,last_name,email}'::text[]
        WHERE object_pk = %(user)s::text AND content_type_id = (
            SELECT id FROM django_content_type WHERE app_label = 'accounts' AND model = 'user')
        """,
    ),
    *(_texts(table, columns) for table, columns in TEXTS.items()),
    Step(
        "the account",
        f"""
        UPDATE accounts_user SET username = {NEW}, first_name = '', last_name = '', email = '',
            password = %(password)s, is_active = false, is_staff = false, is_superuser = false,
            default_group_id = NULL, last_login = NULL, shares_git_identity = false,
            affiliation_asked_at = NULL, pseudonymised_at = %(at)s
        WHERE id = %(user)s
        """,
    ),
)
