"""The portal as OpenID provider of its hubs, by django-oauth-toolkit."""
