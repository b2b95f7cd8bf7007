"""The portal's addresses with the style guide, which the portal itself has only with DEBUG."""

from django.urls import URLPattern, URLResolver, path

from lsp_portal import styleguide, urls

urlpatterns: list[URLPattern | URLResolver] = [
    *urls.urlpatterns,
    path("styleguide/", styleguide.styleguide, name="styleguide"),
]
