-- Says whether a text has the form of a player hash.
-- Called by _check_player_hash() and assign_many().
-- Costs less than 1 us: inlined. A pattern with {64} would cost 6 us.
create or replace function awf._is_player_hash(p_text text)
returns boolean
language sql
immutable
parallel safe
return length(p_text) = 64 and p_text !~ '[^0-9a-f]';
comment on function awf._is_player_hash(text) is 'True for 64 lower-case hexadecimal digits; NULL for NULL.';
