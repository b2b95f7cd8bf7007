"""What the API says and takes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from accounts.models import ApiToken, Group, Invitation, Membership, User

USER: dict[str, Any] = {
    "username": "bob",
    "uid": 200001,
    "kind": "person",
    "first_name": "Bob",
    "last_name": "Example",
    "email": "bob@example.org",
    "is_active": True,
    "registered_at": "2026-01-01T00:00:00Z",
    "expires_at": None,
}
GROUP: dict[str, Any] = {
    "name": "transients",
    "gid": 600001,
    "title": "Transients",
    "kind": "campaign",
    "parent": None,
    "description": "",
    "created_at": "2026-01-01T00:00:00Z",
    "opens_at": None,
    "closed_at": None,
}
MEMBERSHIP: dict[str, Any] = {
    "id": 12,
    "user": "bob",
    "group": "transients",
    "role": "member",
    "valid_from": "2026-01-01T00:00:00Z",
    "valid_to": None,
    "rights": [],
    "ceiling": None,
    "synced": False,
    "added_by": "alice",
}
INVITATION: dict[str, Any] = {
    "id": 5,
    "email": "erin@example.org",
    "group": "transients",
    "role": "member",
    "valid_from": None,
    "valid_to": None,
    "invited_by": "alice",
    "created_at": "2026-02-01T09:00:00Z",
    "expires_at": "2026-02-15T09:00:00Z",
    "revoked_at": None,
    "accepted_at": None,
    "accepted_by": None,
}


def _example(name: str, value: dict[str, Any]) -> Any:
    return extend_schema_serializer(examples=[OpenApiExample(name, value=value)])


class Refusing(serializers.Serializer[Any]):
    """Names the fields of a body that it does not know, instead of dropping them."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            known = {name for name, field in self.fields.items() if not field.read_only}
            unknown = {name: ["There is no such field to write."] for name in data.keys() - known}
            if unknown:
                raise serializers.ValidationError(unknown)
        return super().to_internal_value(data)


def _name(source: str = "", **options: Any) -> serializers.SlugRelatedField[Any]:
    return serializers.SlugRelatedField(slug_field="username", read_only=True, **options)


@_example("a person", USER)
class UserSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = tuple(USER)
        read_only_fields = fields


@_example("a group", GROUP)
class GroupSerializer(serializers.ModelSerializer[Group]):
    parent: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)

    class Meta:
        model = Group
        fields = tuple(GROUP)
        read_only_fields = fields


@_example("a membership", MEMBERSHIP)
class MembershipSerializer(serializers.ModelSerializer[Membership]):
    user = _name()
    group: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)
    added_by = _name()

    class Meta:
        model = Membership
        fields = tuple(MEMBERSHIP)
        read_only_fields = fields


@_example("an invitation", INVITATION)
class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    group: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)
    invited_by = _name()
    accepted_by = _name()

    class Meta:
        model = Invitation
        fields = tuple(INVITATION)
        read_only_fields = fields


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    class Meta:
        model = ApiToken
        fields = ("name", "scopes", "expires_at")
        read_only_fields = fields


class MeSerializer(serializers.Serializer[Any]):
    """Who the portal takes the caller for."""

    user = UserSerializer(allow_null=True)
    token = TokenSerializer(allow_null=True)
    memberships = MembershipSerializer(many=True)


@_example("a new person", {"username": "erin", "first_name": "Erin", "email": "erin@example.org"})
class NewUserSerializer(Refusing):
    username = serializers.CharField(max_length=30)
    first_name = serializers.CharField(max_length=150, required=False, allow_blank=True)
    last_name = serializers.CharField(max_length=150, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)


@_example("switch somebody off", {"is_active": False})
class UserChangeSerializer(Refusing):
    first_name = serializers.CharField(max_length=150, required=False, allow_blank=True)
    last_name = serializers.CharField(max_length=150, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    is_active = serializers.BooleanField(required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class GroupFields(Refusing):
    kind = serializers.ChoiceField(Group.Kind.choices, required=False)
    parent: Any = serializers.SlugRelatedField(
        slug_field="name", queryset=Group.objects.all(), required=False, allow_null=True
    )
    description = serializers.CharField(max_length=4000, required=False, allow_blank=True)
    opens_at = serializers.DateTimeField(required=False, allow_null=True)
    closed_at = serializers.DateTimeField(required=False, allow_null=True)


@_example("a new group", {"name": "transients", "title": "Transients", "kind": "campaign"})
class NewGroupSerializer(GroupFields):
    name = serializers.CharField(max_length=30)
    title = serializers.CharField(max_length=120)


@_example("close a group", {"closed_at": "2026-12-01T00:00:00Z"})
class GroupChangeSerializer(GroupFields):
    title = serializers.CharField(max_length=120, required=False)


class TermsSerializer(Refusing):
    """What a membership says beside who and where."""

    valid_to = serializers.DateTimeField(required=False, allow_null=True)
    rights = serializers.ListField(
        child=serializers.ChoiceField(Membership.Right.choices), required=False, max_length=10
    )
    ceiling = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, max_value=2_147_483_647
    )


@_example("a new member", {"user": "bob", "group": "transients", "role": "member"})
class NewMembershipSerializer(TermsSerializer):
    user = serializers.CharField(max_length=30)
    group = serializers.CharField(max_length=30)
    role = serializers.ChoiceField(Membership.Role.choices, default=Membership.Role.MEMBER)


@_example("an end", {"valid_to": "2026-12-01T00:00:00Z"})
class MembershipChangeSerializer(TermsSerializer):
    role = serializers.ChoiceField(Membership.Role.choices, required=False)


class NothingSerializer(Refusing):
    """No body."""


@_example("an invitation", {"email": "erin@example.org", "group": "transients"})
class NewInvitationSerializer(Refusing):
    email = serializers.EmailField(max_length=254)
    group = serializers.CharField(max_length=30)
    role = serializers.ChoiceField(Membership.Role.choices, default=Membership.Role.MEMBER)
    valid_from = serializers.DateTimeField(required=False, allow_null=True)
    valid_to = serializers.DateTimeField(required=False, allow_null=True)


class FieldErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    message = serializers.CharField()


@_example(
    "a wrong field",
    {
        "status": 400,
        "code": "invalid",
        "title": "Something in the request is wrong",
        "detail": "nick: There is no such field to write.",
        "errors": [{"field": "nick", "message": "There is no such field to write."}],
    },
)
class ApiProblemSerializer(serializers.Serializer[Any]):
    """What was wrong, as RFC 9457 has it."""

    status = serializers.IntegerField()
    code = serializers.CharField(help_text="For programs; the documentation lists them.")
    title = serializers.CharField()
    detail = serializers.CharField(help_text="For people.")
    errors: Any = FieldErrorSerializer(many=True, required=False)
