"""Client of awf_pg: turn parameters and turn analytics kept in PostgreSQL."""

from importlib.metadata import version as _version

from awf_pg.admin import Api
from awf_pg.client import Awf
from awf_pg.errors import AwfError, ConfigurationError, ServerUnreachable
from awf_pg.settings import Settings
from awf_pg.turn import Turn

__all__ = ["Api", "Awf", "AwfError", "ConfigurationError", "ServerUnreachable", "Settings", "Turn"]
__version__ = _version("awf-pg")
