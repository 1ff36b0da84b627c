-- The dictionary numbers of texts, made where they are missing.
-- Called by clients before a direct COPY, in a transaction of its own: a number of a rolled-back transaction is none.
-- Costs one lookup a text; new texts take a row lock until the transaction ends.
create or replace function awf.dimension_ids(p_kind text, p_values text[])
returns integer[]
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
begin
    perform awf._require_safe_owner();
    if p_kind is null or p_kind not in ('world', 'adventure', 'locale', 'model', 'variation') then
        raise exception using
            errcode = 'WF001',
            message = format('there is no dimension "%s"', coalesce(p_kind, 'NULL')),
            hint = 'Dimensions: world, adventure, locale, model, variation.';
    elsif p_kind = 'variation' then
        return array(
            select awf._variation_id(
                split_part(t.value, '/', 1), substring(t.value from position('/' in t.value) + 1), awf._now()
            )
            from unnest(p_values) with ordinality as t (value, place)
            order by t.place
        );
    end if;
    perform awf._add_dimensions(p_kind, p_values);
    return array(
        select d.id
        from unnest(p_values) with ordinality as t (value, place)
        left join awf.dimensions as d on d.kind = p_kind and t.value = d.value
        order by t.place
    );
end;
$$;
comment on function awf.dimension_ids(text, text[]) is
'Numbers of the texts, in their order, as a direct COPY carries them. p_kind: world, adventure, locale or model (a new text gets a
number; NULL for NULL, a text that is empty or longer than 200 characters, or a locale that is none), or variation (texts
"experiment/variation" in the phase in force now, NULL where there is none; variation_numbers() knows those of all phases). Call
it in a transaction of its own, and keep the numbers only after its commit.
Errors: WF001 (no such kind).
Example: SELECT awf.dimension_ids(''locale'', ARRAY[''en-US'', ''de-DE'']);';
