-- Says whether a text is a well-formed language tag: en, en-US, zh-Hant-TW.
-- Called wherever a locale comes in.
-- Costs one regular expression.
create or replace function awf._is_locale(p_text text)
returns boolean
language sql
immutable
parallel safe
-- RFC 5646: language, script, region, variants, extensions, private use; or private use alone. Letters of ASCII in either case.
return length(p_text) <= 200 and p_text ~ (
    '^(?:(?:[A-Za-z]{2,3}(?:-[A-Za-z]{3}){0,3}|[A-Za-z]{4,8})'
    '(?:-[A-Za-z]{4})?'
    '(?:-(?:[A-Za-z]{2}|[0-9]{3}))?'
    '(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*'
    '(?:-[0-9A-WYZa-wyz](?:-[A-Za-z0-9]{2,8})+)*'
    '(?:-[Xx](?:-[A-Za-z0-9]{1,8})+)?'
    '|[Xx](?:-[A-Za-z0-9]{1,8})+)$'
);
comment on function awf._is_locale(text) is 'True for a well-formed language tag (BCP 47, RFC 5646 "langtag" or "x-...") of up to 200 characters; NULL for NULL.';
