"""The client's settings, read from the environment variables of the runtime."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from awf_pg.errors import ConfigurationError

MIN_KEY_BYTES = 16

_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. The two secrets never show in a repr or a message."""

    database_url: str | None = field(default=None, repr=False)
    player_hash_key: str | None = field(default=None, repr=False)
    analytics_enabled: bool = True
    analytics_batch_ms: int = 3000
    analytics_batch_max: int = 500
    experiments_enabled: bool = True
    experiments_hash_basis: str | None = None
    model_max_output_tokens: int | None = None
    tool_max_calls_per_turn: int | None = None
    config_file: str | None = None
    spool_file: str | None = None
    spool_max_mb: int = 1024
    shutdown_ms: int = 10_000
    queue_max: int = 100_000

    def __post_init__(self) -> None:
        for name, value in (
            ("ANALYTICS_BATCH_MS", self.analytics_batch_ms),
            ("ANALYTICS_BATCH_MAX", self.analytics_batch_max),
            ("AWF_MODEL_MAX_OUTPUT_TOKENS", self.model_max_output_tokens),
            ("AWF_TOOL_MAX_CALLS_PER_TURN", self.tool_max_calls_per_turn),
            ("AWF_SPOOL_MAX_MB", self.spool_max_mb),
            ("AWF_SHUTDOWN_MS", self.shutdown_ms),
            ("AWF_QUEUE_MAX", self.queue_max),
        ):
            if value is not None and value < (0 if name == "AWF_TOOL_MAX_CALLS_PER_TURN" else 1):
                raise _malformed(name, value, "a positive whole number")
        if self.experiments_hash_basis not in (None, "session", "player"):
            raise _malformed("EXPERIMENTS_HASH_BASIS", self.experiments_hash_basis, "session or player")
        if self.player_hash_key is not None and len(self.player_hash_key.encode()) < MIN_KEY_BYTES:
            raise ConfigurationError(
                f"AWF_PLAYER_HASH_KEY is shorter than {MIN_KEY_BYTES} bytes",
                detail="a short key lets player ids be guessed from their hashes",
                hint="make one with: openssl rand -hex 32",
            )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the environment; an empty variable counts as not set."""
        given: dict[str, Any] = {}
        for variable, (name, parse, expected) in _VARIABLES.items():
            text = environ.get(variable, "").strip()
            if not text:
                continue
            try:
                given[name] = parse(text)
            except ValueError:
                raise _malformed(variable, text, expected) from None
        return cls(**given)

    @property
    def limits(self) -> dict[str, int]:
        """The environment's budgets by the knob that they bound."""
        budgets = {
            "maxOutputTokens": self.model_max_output_tokens,
            "toolMaxCalls": self.tool_max_calls_per_turn,
        }
        return {knob: limit for knob, limit in budgets.items() if limit is not None}

    def require_key(self) -> bytes:
        """The player hash key in bytes; without one there is no hash at all, never an unkeyed one."""
        if self.player_hash_key is None:
            raise ConfigurationError(
                "AWF_PLAYER_HASH_KEY is not set",
                detail="players are recorded by keyed hashes of their ids only",
                hint=f"set it to a secret of at least {MIN_KEY_BYTES} bytes, the same for every client; "
                "a game that records nothing sets ANALYTICS_ENABLED=false instead",
            )
        return self.player_hash_key.encode()

    def hash_player(self, player_id: str) -> bytes:
        """HMAC-SHA256 of a player id, 32 bytes."""
        return hash_player(self.require_key(), player_id)


@lru_cache(4096)  # a player plays many turns
def hash_player(key: bytes, player_id: str) -> bytes:
    """HMAC-SHA256 of a player id under a key, the same as `awf.hash_player()`."""
    return hmac.digest(key, player_id.encode("utf-8", "surrogatepass"), "sha256")


def _boolean(text: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise ValueError(text)
    return text.lower() in _TRUE


def _malformed(variable: str, value: object, expected: str) -> ConfigurationError:
    return ConfigurationError(
        f"{variable} is {value!r} and not {expected}", hint=f"correct {variable} or unset it"
    )


_VARIABLES: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "AWF_DATABASE_URL": ("database_url", str, "a PostgreSQL DSN"),
    "AWF_PLAYER_HASH_KEY": ("player_hash_key", str, "a secret"),
    "ANALYTICS_ENABLED": ("analytics_enabled", _boolean, "true or false"),
    "ANALYTICS_BATCH_MS": ("analytics_batch_ms", int, "a positive whole number"),
    "ANALYTICS_BATCH_MAX": ("analytics_batch_max", int, "a positive whole number"),
    "EXPERIMENTS_ENABLED": ("experiments_enabled", _boolean, "true or false"),
    "EXPERIMENTS_HASH_BASIS": ("experiments_hash_basis", str.lower, "session or player"),
    "AWF_MODEL_MAX_OUTPUT_TOKENS": ("model_max_output_tokens", int, "a positive whole number"),
    "AWF_TOOL_MAX_CALLS_PER_TURN": ("tool_max_calls_per_turn", int, "a positive whole number"),
    "AWF_CONFIG_FILE": ("config_file", str, "a path"),
    "AWF_SPOOL_FILE": ("spool_file", str, "a path"),
    "AWF_SPOOL_MAX_MB": ("spool_max_mb", int, "a positive whole number"),
    "AWF_SHUTDOWN_MS": ("shutdown_ms", int, "a positive whole number"),
    "AWF_QUEUE_MAX": ("queue_max", int, "a positive whole number"),
}
