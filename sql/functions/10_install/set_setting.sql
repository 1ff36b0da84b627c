-- Changes a database-wide setting.
-- Called by admins and by "awf-pg install".
-- Bumps the revision of the configuration.
create or replace function awf.set_setting(p_name text, p_value jsonb)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_value constant jsonb := nullif(p_value, 'null'::jsonb);
    v_type text;
    v_max numeric;
begin
    perform awf._require_safe_owner();
    select s.type, s.max_value into v_type, v_max from awf.settings as s where s.name = p_name;
    if v_type is null then
        raise exception using
            errcode = 'WF003',
            message = format('there is no setting "%s"', p_name),
            hint = 'Settings: ' || (select string_agg(s.name, ', ' order by s.name) from awf.settings as s) || '.';
    end if;
    if jsonb_typeof(v_value) <> v_type
        or (case when jsonb_typeof(v_value) = 'number' then not (v_value #>> '{}')::numeric between 0 and v_max end)
        or (v_type = 'array' and not awf._are_names(v_value))
        or (p_name = 'hash_basis' and coalesce(v_value #>> '{}', '') not in ('session', 'player'))
        or ((p_name like 'ingest%' or p_name = 'partitions_ahead_days' or v_type = 'boolean') and v_value is null) then
        raise exception using
            errcode = 'WF001',
            message = format('setting "%s" cannot be %s', p_name, coalesce(left(v_value::text, 100), 'null')),
            hint = case
                when p_name = 'hash_basis' then 'It is "session" or "player".'
                when v_type = 'array'
                    then 'It is a list of up to 20 different names: a letter or "_", then up to 62 letters, digits, ".", "_" or "-".'
                when v_type = 'boolean' then 'It is true or false.'
                else format('It is a number from 0 to %s.', v_max)
            end;
    end if;
    update awf.settings as s set value = v_value, updated_at = awf._now() where s.name = p_name;
end;
$$;
comment on function awf.set_setting(text, jsonb) is
'Changes a database-wide setting (table settings). p_value is JSON: a string, a number, true or false, a list of names, or null
for "not set".
Errors: WF003 (no such setting), WF001 (a value that does not fit).
Example: SELECT awf.set_setting(''model_max_output_tokens'', ''2000'');';
