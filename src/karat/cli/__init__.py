"""The `karat` command: thin verbs over the public API. Heavy libraries are imported inside the verbs."""

from karat.cli._app import main

__all__ = ["main"]
