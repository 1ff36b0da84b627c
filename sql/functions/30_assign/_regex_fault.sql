-- Says why a regular expression is not one that PostgreSQL and Python read alike.
-- Called by _operator_fault().
-- Costs one match a token.
create or replace function awf._regex_fault(p_pattern text)
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
as $$
declare
    -- A bracket expression: ranges, escapes, single characters, and perhaps a hyphen at the end.
    c_set constant text := '\[\^?(?:[^][\\^-]-[^][\\^-]|\\[dwstnr]|\\[][\\^$.|?*+(){}/-]|[^][\\^-])+-?\]';
    c_repeat constant text := '(?:[*+?]|\{[0-9]{1,3}(?:,[0-9]{0,3})?\})\??';
    c_atom constant text := '\.|\\[dwsDWStnr]|\\[][\\^$.|?*+(){}/-]|[^][\\^$.|?*+(){}]';
    v_rest text := p_pattern;
    v_token text;
    v_depth integer := 0;
    v_repeatable boolean := false;
    v_copies integer := 1;
begin
    if length(p_pattern) > 200 then
        return 'has more than 200 characters';
    end if;
    while v_rest <> '' loop
        v_token := substring(v_rest from format('^(?:\((?:\?:)?|[)|^$]|%s|%s|%s)', c_repeat, c_atom, c_set));
        if v_token is null or (v_token ~ '^[*+?{]' and not v_repeatable) or (v_token = ')' and v_depth = 0) then
            return format('cannot be read from "%s" on', left(v_rest, 20));
        elsif v_token ~ '^\{' then
            v_copies := v_copies * awf._repeat_bound(v_token);
        elsif exists (
            select from regexp_matches(v_token, '([^][\\^-])-([^][\\^-])', 'g') as r (ends)
            where r.ends[1] > r.ends[2] collate "C"
        ) then
            v_copies := 0;
        end if;
        if v_copies not between 1 and 255 then
            return format('has a range out of order, or repeats too often, at "%s"', v_token);
        end if;
        v_depth := v_depth + case left(v_token, 1) when '(' then 1 when ')' then -1 else 0 end;
        v_repeatable := v_token !~ '^[(|^$*+?{]';
        v_rest := substr(v_rest, length(v_token) + 1);
    end loop;
    return case when v_depth > 0 then 'has a group that is not closed' end;
end;
$$;
comment on function awf._regex_fault(text) is
'What is wrong with the pattern; NULL when it is in the common subset: characters, ., \d \w \s \D \W \S \t \n \r, escaped
punctuation, [sets] with ranges, ( ) and (?: ), |, ^ and $, and * + ? {n} {n,} {n,m}, also lazy. At most 200 characters; the bounds
in braces multiply to at most 255.';
