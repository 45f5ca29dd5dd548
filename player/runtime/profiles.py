"""Finds player profiles: those of the package by name, others by the path of a TOML file."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from player.drm.profile import Extent, LicenseScope
from player.engine.profile import Profile, checked, parse
from player.errors import UsageError

_SUFFIX = ".toml"


def profile_names() -> tuple[str, ...]:
    """The profiles that come with the package."""
    names = (entry.name for entry in _folder().iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def load_profile(name: str) -> Profile:
    """`name` of the package, or path of a file that ends in `.toml`.

    Raises: UsageError where there is none, ScenarioError where it means nothing.
    """
    if name.endswith(_SUFFIX):
        return _from_file(Path(name))
    if name not in profile_names():
        raise UsageError(f"no profile {name!r}; there are: {', '.join(profile_names())}")
    file = f"{name}{_SUFFIX}"
    return parse((_folder() / file).read_text(encoding="utf-8"), file)


def with_license_scope(profile: Profile, scope: str | None) -> Profile:
    """Whoever names the scope of a license signals its extent.

    Raises: UsageError for a scope that nobody knows, ScenarioError where the profile cannot have it.
    """
    if scope is None:
        return profile
    if scope not in set(LicenseScope):
        raise UsageError(f"no license scope {scope!r}; there are: {', '.join(LicenseScope)}")
    rules = profile.scope
    extent = Extent.SIGNALLED if rules.extent is Extent.NONE else rules.extent
    return checked(replace(profile, scope=replace(rules, license_scope=LicenseScope(scope), extent=extent)))


def _from_file(path: Path) -> Profile:
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8") from None


def _folder() -> Traversable:
    return files("player.drm") / "profiles"
