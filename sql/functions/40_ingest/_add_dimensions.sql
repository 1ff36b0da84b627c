-- Adds the texts that a dictionary lacks.
-- Called by whatever stores events.
-- New texts go in byte order, so that two writers never wait for each other in a circle.
create or replace function awf._add_dimensions(p_kind text, p_values text[])
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
begin
    -- No join, and enable_seqscan is off: a plan made while the dictionary was small would else read all of it for ever.
    insert into awf.dimensions (kind, value)
    select p_kind, t.value
    from (select distinct u.value from unnest(p_values) as u (value)) as t
    where length(t.value) between 1 and 200 and (p_kind <> 'locale' or awf._is_locale(t.value))
        and (select d.id from awf.dimensions as d where d.kind = p_kind and d.value = t.value) is null
    order by t.value collate "C"
    on conflict (kind, value) do nothing;
end;
$$;
comment on function awf._add_dimensions(text, text[]) is 'Adds new texts of 1 to 200 characters to the dictionary of a kind; as locales, only what can be one.';
