-- Says whether a text has the form of a locale: en, en-US, zh-Hant-TW.
-- Called wherever a locale comes in.
-- Costs one regular expression.
create or replace function awf._is_locale(p_text text)
returns boolean
language sql
immutable
parallel safe
return p_text ~ '^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,6}$';
comment on function awf._is_locale(text) is 'True for a language tag, with its parts joined by "-" or "_"; NULL for NULL.';
