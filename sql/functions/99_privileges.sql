-- Privileges, last of all: nobody may call anything that grant_usage() did not give.

revoke all on all functions in schema awf from public;
