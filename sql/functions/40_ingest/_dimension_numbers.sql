-- The dictionary numbers of texts, made where they are missing.
-- Called by _stage_dimensions().
-- Costs a lookup for each text.
create or replace function awf._dimension_numbers(p_kind text, p_values text[])
returns jsonb
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
    v_numbers jsonb;
begin
    for i in 1 .. 2 loop
        -- No join, and enable_seqscan is off: a plan made while the dictionary was small would else read all of it for ever.
        select jsonb_object_agg(u.value, (select d.id from awf.dimensions as d where d.kind = p_kind and d.value = u.value))
        into v_numbers
        from unnest(p_values) as u (value);
        exit when jsonb_path_exists(v_numbers, '$.* ? (@ == null)') is not true;
        perform awf._add_dimensions(p_kind, p_values);
    end loop;
    return v_numbers;
end;
$$;
comment on function awf._dimension_numbers(text, text[]) is 'Numbers of the texts in the dictionary of a kind: {"en-US": 17, ...}; NULL for no texts.';
