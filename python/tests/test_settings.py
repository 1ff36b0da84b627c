"""What the environment may say."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from awf_pg.errors import ConfigurationError
from awf_pg.settings import Settings

KEY = "a key of more than sixteen bytes"


def test_defaults() -> None:
    settings = Settings.from_env({})
    assert settings == Settings()
    assert settings.analytics_enabled
    assert settings.experiments_enabled
    assert (settings.analytics_batch_ms, settings.analytics_batch_max) == (3000, 500)
    assert (settings.spool_file, settings.spool_max_mb) == (None, 1024)
    assert (settings.shutdown_ms, settings.queue_max) == (10_000, 100_000)
    assert settings.limits == {}


def test_every_variable_is_read() -> None:
    settings = Settings.from_env(
        {
            "AWF_DATABASE_URL": "postgresql://u:p@h/d",
            "AWF_PLAYER_HASH_KEY": KEY,
            "ANALYTICS_ENABLED": "False",
            "ANALYTICS_BATCH_MS": "250",
            "ANALYTICS_BATCH_MAX": " 50 ",
            "EXPERIMENTS_ENABLED": "0",
            "EXPERIMENTS_HASH_BASIS": "Player",
            "AWF_MODEL_MAX_OUTPUT_TOKENS": "2000",
            "AWF_TOOL_MAX_CALLS_PER_TURN": "0",
            "AWF_CONFIG_FILE": "/var/lib/game/awf.json",
            "AWF_SPOOL_FILE": "/var/lib/game/awf.spool",
            "AWF_SPOOL_MAX_MB": "64",
            "AWF_SHUTDOWN_MS": "4000",
            "AWF_QUEUE_MAX": "5000",
        }
    )
    assert settings == Settings(
        database_url="postgresql://u:p@h/d",
        player_hash_key=KEY,
        analytics_enabled=False,
        analytics_batch_ms=250,
        analytics_batch_max=50,
        experiments_enabled=False,
        experiments_hash_basis="player",
        model_max_output_tokens=2000,
        tool_max_calls_per_turn=0,
        config_file="/var/lib/game/awf.json",
        spool_file="/var/lib/game/awf.spool",
        spool_max_mb=64,
        shutdown_ms=4000,
        queue_max=5000,
    )
    assert settings.limits == {"maxOutputTokens": 2000, "toolMaxCalls": 0}


def test_empty_counts_as_not_set() -> None:
    assert Settings.from_env({"AWF_PLAYER_HASH_KEY": "", "ANALYTICS_BATCH_MS": "  "}) == Settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ANALYTICS_ENABLED", "maybe"),
        ("ANALYTICS_BATCH_MS", "soon"),
        ("ANALYTICS_BATCH_MS", "0"),
        ("ANALYTICS_BATCH_MAX", "1.5"),
        ("EXPERIMENTS_HASH_BASIS", "world"),
        ("AWF_MODEL_MAX_OUTPUT_TOKENS", "-1"),
        ("AWF_TOOL_MAX_CALLS_PER_TURN", "many"),
        ("AWF_SPOOL_MAX_MB", "0"),
        ("AWF_SHUTDOWN_MS", "10s"),
        ("AWF_QUEUE_MAX", "-5"),
    ],
)
def test_malformed_value_is_named(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_env({variable: value})
    assert variable in caught.value.message
    assert value in caught.value.message
    assert " and not " in caught.value.message
    assert caught.value.hint


def test_short_key_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_env({"AWF_PLAYER_HASH_KEY": "tooshort"})
    assert "tooshort" not in f"{caught.value} {caught.value.detail} {caught.value.hint}"


def test_secrets_do_not_show() -> None:
    shown = repr(Settings("postgresql://u:s3cret@h/d", KEY))
    assert "s3cret" not in shown
    assert KEY not in shown


def test_player_hash_is_a_keyed_one() -> None:
    settings = Settings(player_hash_key=KEY)
    assert settings.hash_player("zoë") == hmac.new(KEY.encode(), "zoë".encode(), hashlib.sha256).digest()


def test_no_hash_without_a_key() -> None:
    with pytest.raises(ConfigurationError, match="AWF_PLAYER_HASH_KEY is not set"):
        Settings().hash_player("player-1")
