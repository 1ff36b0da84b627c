-- A version as a text whose order is the order of versions: "1.2.3" becomes "    1-    2-    3-~".
-- Called by _meets_version().
-- Costs a split and a join.
create or replace function awf._version_key(p_version text)
returns text
language plpgsql
immutable
strict
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bare constant text := split_part(regexp_replace(coalesce(nullif(p_version, ''), '0'), '^v', ''), '+', 1);
    v_parts text[] := string_to_array(replace(v_bare, '.', '-'), '-');
begin
    if v_bare = '' then
        return '';
    elsif cardinality(v_parts) = 3 then
        -- "~" sorts after every letter and digit: a release is newer than its pre-releases.
        v_parts := v_parts || '~'::text;
    end if;
    return (
        select string_agg(case when p.part ~ '^[0-9]{1,4}$' then lpad(p.part, 5) else p.part end, '-' order by p.place)
        from unnest(v_parts) with ordinality as p (part, place)
    );
end;
$$;
comment on function awf._version_key(text) is
'The padded form that the GrowthBook SDKs compare: without a leading v and build information, split at . and -, numbers padded.';
