"""Every kind of row that is stored: what it holds, why, for how long, and what goes then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True, slots=True)
class DataClass:
    """Rows that are kept for one reason; `kept` says for how long where no setting does."""

    title: str
    holds: str
    why: str
    goes: str
    models: tuple[str, ...]
    setting: str = ""
    kept: str = "for ever"

    @property
    def days(self) -> int:
        """0 for ever."""
        return getattr(settings, self.setting) if self.setting else 0

    @property
    def how_long(self) -> str:
        """The time for people to read."""
        if not self.setting:
            return self.kept
        return f"{self.days} days" if self.days else "for ever"


CLASSES = (
    DataClass(
        "Accounts",
        "name, user name, e-mail address, numbers on file servers, where the home is, "
        "where somebody signs in from, what institutions said, choices about notices",
        "people have to be let in, recognised and reached",
        "an administrator can take the name from an account for good",
        (
            "accounts.User",
            "accounts.User_groups",
            "accounts.User_user_permissions",
            "accounts.Identity",
            "accounts.Affiliation",
            "accounts.NoticeWay",
            "accounts.NoticeHours",
            "hub_sessions.HubUserName",
            "hub_sessions.Home",
        ),
        kept="as long as the account has a name",
    ),
    DataClass(
        "Decisions about people",
        "approvals, accepted policies, memberships, requests, quotas of homes, with who decided "
        "and why",
        "usage and exports follow from who belonged where",
        "names go with the account; the decision stays",
        (
            "accounts.Registration",
            "accounts.PolicyAcceptance",
            "accounts.Membership",
            "accounts.HeldSync",
            "accounts.HeldSync_memberships",
            "quotas.HomeQuota",
            "quotas.QuotaRequest",
            "quotas.Grant",
            "hub_sessions.LadderStep",
            "hub_sessions.Reattribution",
        ),
    ),
    DataClass(
        "Sessions and usage",
        "who ran what, when, how large and for which group, with repairs and corrections",
        "the ledger: limits, statements and exports are summed from it",
        "names go with the account; every sum stays",
        (
            "hub_sessions.Session",
            "hub_sessions.Charge",
            "hub_sessions.Adjustment",
            "hub_sessions.Repair",
            "hub_sessions.StaleDay",
            "hub_sessions.QuotaLadder",
            "hub_sessions.Server",
            "hub_sessions.ServerStep",
            "hub_sessions.DaskCluster",
            "hub_sessions.DaskWorker",
            "hub_sessions.GroupMonth",
            "accounting.GroupDay",
            "accounting.UserDay",
            "accounting.UserMonth",
            "accounting.MemberMonth",
            "accounting.SummedMonth",
            "accounting.Kind",
            "accounting.KindDay",
            "accounting.KindMonth",
        ),
    ),
    DataClass(
        "What was published",
        "statements, and the lines and messages that were exported, with the user names of then",
        "nothing that others hold a copy of is changed",
        "nothing",
        (
            "accounting.Statement",
            "accounting.StatementLine",
            "accounting.ExportRun",
            "accounting.ExportMark",
            "accounting.ApelRun",
            "accounting.ApelMark",
            "accounting.StorageExport",
            "accounting.WebhookMessage",
        ),
    ),
    DataClass(
        "Events of sessions",
        "what hubs reported about servers; its known fields and its body as it came",
        "records are computed from the fields, the body proves them",
        "the body, once the session ended in a closed allocation period; the fields stay",
        ("hub_sessions.HubEvent",),
        setting="KEEP_EVENT_BODIES_DAYS",
    ),
    DataClass(
        "Other events",
        "who signed in at a hub when, and what else hubs report about no session",
        "to find what went wrong",
        "name, fields and body; number and check sum stay, so that repetitions are recognised",
        (),
        setting="KEEP_LOGIN_EVENTS_DAYS",
    ),
    DataClass(
        "Lists of servers",
        "what ran at a hub every few minutes",
        "lost ends of sessions are found by them",
        "all lists but those by which an end was decided",
        ("hub_sessions.Snapshot", "hub_sessions.SnapshotPart", "hub_sessions.HubReading"),
        setting="KEEP_SNAPSHOTS_DAYS",
    ),
    DataClass(
        "Network addresses",
        "from where somebody signed in or changed something",
        "to see misuse of an account",
        "the address alone, with the body of a hub's report of a sign-in",
        (),
        setting="KEEP_ADDRESSES_DAYS",
    ),
    DataClass(
        "Sign-ins",
        "every attempt to sign in, and what came of it",
        "to help who cannot sign in, and to see misuse",
        "the row",
        ("accounts.SignIn",),
        setting="KEEP_SIGN_INS_DAYS",
    ),
    DataClass(
        "Notices and mails",
        "what somebody was told, and what became of the mail",
        "nobody is told twice, and lost mails are found",
        "the row, unless it is of the current allocation period or younger than 90 days",
        ("accounts.Notice", "accounts.Digest"),
        setting="KEEP_NOTICES_DAYS",
    ),
    DataClass(
        "The trail of changes",
        "who changed what on people, groups, quotas and hubs",
        "decisions can be explained later",
        "the entry",
        ("accounts.Change", "admin.LogEntry"),
        setting="KEEP_CHANGES_DAYS",
    ),
    DataClass(
        "Invitations",
        "the e-mail address of who was invited, by whom and into which group",
        "the link has to lead somewhere, and memberships say where they come from",
        "the row once it is accepted, revoked or over; of one that made a member, the address",
        ("accounts.Invitation",),
        setting="KEEP_INVITATIONS_DAYS",
    ),
    DataClass(
        "Statements for others",
        "links to statements: for whom, made by whom, when last opened, never the link; who gets "
        "statements by mail, also addresses without an account, and what became of the mails",
        "what leaves the portal can be seen and stopped",
        "links and mails; addresses that ended, once their mails have gone",
        (
            "accounting.ReportLink",
            "accounting.ReportSchedule",
            "accounting.ReportRecipient",
            "accounting.ReportMail",
        ),
        setting="KEEP_NOTICES_DAYS",
    ),
    DataClass(
        "API tokens",
        "name, scopes and last use of a token; never the token",
        "programs act with them",
        "the row, once it is revoked or expired",
        ("accounts.ApiToken",),
        setting="KEEP_TOKENS_DAYS",
    ),
    DataClass(
        "Rejected events",
        "what a hub sent and the portal could not use",
        "nothing that a hub says is lost before somebody looked",
        "the row",
        ("hub_sessions.QuarantinedEvent",),
        setting="KEEP_QUARANTINE_DAYS",
    ),
    DataClass(
        "Alerts",
        "what an administrator should look at; may name servers",
        "troubles are seen, and closed periods were free of them",
        "the row, once it is resolved",
        ("hub_sessions.Alert",),
        setting="KEEP_ALERTS_DAYS",
    ),
    DataClass(
        "Storage samples",
        "how many bytes homes and group areas took when",
        "quotas of storage, and how use grew",
        "the row; the newest of each home and area stays",
        ("hub_sessions.StorageSample",),
        setting="KEEP_STORAGE_SAMPLES_DAYS",
    ),
    DataClass(
        "Open sign-ins",
        "the cookie of a browser, the tokens of hubs, answers to repeated requests",
        "people stay signed in, and a write that is sent twice happens once",
        "the row",
        (
            "sessions.Session",
            "oauth2_provider.AccessToken",
            "oauth2_provider.RefreshToken",
            "oauth2_provider.IDToken",
            "oauth2_provider.Grant",
            "oauth2_provider.DeviceGrant",
            "accounts.KeptAnswer",
        ),
        kept="until they expire",
    ),
    DataClass(
        "Names and numbers that were given",
        "each user name, group name, uid and gid; not whose it was",
        "files and records of a name never become somebody else's",
        "nothing",
        ("accounts.Name", "accounts.PosixId"),
    ),
    DataClass(
        "The installation",
        "groups, rules, periods, quotas, hubs and their secrets, images, sizes, services, policies",
        "the platform is described by them",
        "nothing by itself; they say nothing about a person",
        (
            "accounts.Group",
            "accounting.ApelGroup",
            "accounting.Webhook",
            "accounts.ClaimRule",
            "accounts.Policy",
            "auth.Group",
            "auth.Group_permissions",
            "auth.Permission",
            "contenttypes.ContentType",
            "lsp_portal.Heartbeat",
            "lsp_portal.Service",
            "oauth2_provider.Application",
            "hub_sessions.ClusterNode",
            "hub_sessions.ClusterWatch",
            "hub_sessions.Hub",
            "hub_sessions.HubSecret",
            "hub_sessions.Hub_images",
            "hub_sessions.Hub_sizes",
            "hub_sessions.Image",
            "hub_sessions.Image_allowed_groups",
            "hub_sessions.ImageSource",
            "hub_sessions.ImageSource_allowed_groups",
            "hub_sessions.ImageSource_hubs",
            "hub_sessions.NodeDrain",
            "hub_sessions.NodeImage",
            "hub_sessions.ClusterLook",
            "hub_sessions.Size",
            "hub_sessions.SizeRoom",
            "hub_sessions.Size_allowed_groups",
            "quotas.AllocationPeriod",
            "quotas.Award",
            "quotas.Caps",
            "quotas.ComputeQuota",
            "quotas.StorageQuota",
        ),
    ),
)


def table() -> Iterator[str]:
    """The lines of the table in docs/privacy.md, with the defaults."""
    yield "| class | what it holds | why | kept (default) | what goes |"
    yield "|---|---|---|---|---|"
    for one in CLASSES:
        kept = f"`{one.setting}`: {one.how_long}" if one.setting else one.kept
        yield f"| {one.title} | {one.holds} | {one.why} | {kept} | {one.goes} |"
