-- The part of a statement that numbers the days, lists of assignments and locales of its events.
-- Called by _cells_part() and _recompute_histograms().
-- Costs a hash aggregate over what it reads; there are few places.
create or replace function awf._places_part(p_source text)
returns text
language sql
immutable
parallel safe
return format(
    $sql$
    places as materialized (
        select p.day_at, p.assignments, p.locale_id, (row_number() over ()) * 4096 + 1 as first_key
        from (select distinct s.day_at, coalesce(s.assignments, '{}') as assignments, s.locale_id from %s as s) as p
    )
    $sql$, p_source
);
comment on function awf._places_part(text) is
'Common table expression places: day_at, assignments and locale_id of what p_source names, with room behind first_key for a number each bucket.';
