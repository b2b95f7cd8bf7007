"""Pages of lists."""

from rest_framework.pagination import LimitOffsetPagination


class Pages(LimitOffsetPagination):
    """`?limit=` at most 200, `?offset=`."""

    default_limit = 50
    max_limit = 200
