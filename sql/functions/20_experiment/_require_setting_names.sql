-- Refuses a p_settings document with a name that create_experiment() does not know.
-- Called by create_experiment().
-- Costs a walk over a small document.
create or replace function awf._require_setting_names(p_settings jsonb)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_settings) is distinct from 'object'
        or p_settings - array['coverage', 'hashSeed', 'hashVersion', 'condition'] <> '{}'::jsonb then
        raise exception using
            errcode = 'WF001',
            message = format('p_settings cannot be %s', coalesce(left(p_settings::text, 200), 'NULL')),
            hint = 'It is an object with any of coverage, hashSeed, hashVersion, condition.';
    end if;
end;
$$;
comment on function awf._require_setting_names(jsonb) is 'Raises WF001 when the document holds another name than coverage, hashSeed, hashVersion and condition.';
