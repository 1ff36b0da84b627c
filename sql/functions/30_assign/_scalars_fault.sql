-- Says what is wrong with a list of scalars.
-- Called by _operator_fault() for $in and its like.
-- Costs a walk over the list.
create or replace function awf._scalars_fault(p_list jsonb, p_path text)
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_list) <> 'array' then
        return p_path || ': must be a list';
    end if;
    return (
        select format('%s[%s]: must be text, a number, true, false or null', p_path, min(l.ordinality) - 1)
        from jsonb_array_elements(p_list) with ordinality as l
        where jsonb_typeof(l.value) in ('array', 'object')
        having count(*) > 0
    );
end;
$$;
comment on function awf._scalars_fault(jsonb, text) is 'The first entry that is a list or an object; NULL when there is none.';
