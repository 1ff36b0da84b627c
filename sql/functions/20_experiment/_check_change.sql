-- Refuses one changed field whose value does not fit; allocations, guardrails and condition have checks of their own.
-- Called by _change_experiment() for each field.
-- Costs nothing to speak of.
create or replace function awf._check_change(p_key text, p_field text, p_value jsonb)
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_text constant text := p_value #>> '{}';
    v_fits boolean;
begin
    v_fits := case p_field
        when 'allocations' then true
        when 'guardrails' then true
        when 'condition' then true
        when 'name' then jsonb_typeof(p_value) = 'string' and length(v_text) between 1 and 200
        when 'hashBasis' then v_text in ('session', 'player')
        when 'hashSeed' then jsonb_typeof(p_value) = 'string'
        when 'hashVersion' then p_value in ('1', '2')
        when 'coverage' then jsonb_typeof(p_value) = 'number' and v_text::numeric between 0 and 1
        when 'startAt' then v_text is null or awf._to_timestamp(v_text) is not null
        when 'stopAt' then v_text is null or awf._to_timestamp(v_text) is not null
        else false
    end;
    if v_fits is not true then
        raise exception using
            errcode = 'WF001',
            message = format('experiment "%s": %s cannot be %s', p_key, left(p_field, 100), left(p_value::text, 100)),
            hint = 'Fields: name (1 to 200 characters), allocations (list), guardrails (object), condition (object), '
                || 'hashBasis (session or player), hashSeed (text), hashVersion (1 or 2), coverage (0 to 1), startAt and stopAt (time or null).';
    end if;
end;
$$;
comment on function awf._check_change(text, text, jsonb) is 'Raises WF001 when the field is unknown or its value does not fit.';
