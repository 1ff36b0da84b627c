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
declare
    v_names constant text[] := array[
        'coverage', 'hashSeed', 'hashVersion', 'condition', 'layer', 'slots', 'optIn', 'sticky', 'allowOverlap', 'owner',
        'hypothesis', 'tags', 'ramp'
    ];
    v_message text;
begin
    if jsonb_typeof(p_settings) is distinct from 'object' then
        v_message := format('p_settings cannot be %s', coalesce(left(p_settings::text, 200), 'NULL'));
    elsif p_settings - v_names <> '{}'::jsonb then
        select format('p_settings cannot have %s', left(string_agg(format('"%s"', k.name), ', '), 200))
        into v_message
        from jsonb_object_keys(p_settings - v_names) as k (name);
    end if;
    if v_message is not null then
        raise exception using
            errcode = 'WF001',
            message = v_message,
            hint = format('It is an object with any of %s.', array_to_string(v_names, ', '));
    end if;
end;
$$;
comment on function awf._require_setting_names(jsonb) is
'Raises WF001 when the document is no object or holds a name that is no setting.';
