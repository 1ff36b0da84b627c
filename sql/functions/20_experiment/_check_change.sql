-- Refuses one changed field whose value does not fit; lists, objects and the layer have checks of their own besides.
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
    v_fits := case
        when p_field in ('allocations', 'guardrails', 'condition', 'slots', 'ramp') then true
        when p_field = 'name' then jsonb_typeof(p_value) = 'string' and length(v_text) between 1 and 200
        when p_field = 'hashBasis' then v_text in ('session', 'player')
        when p_field = 'hashSeed' then jsonb_typeof(p_value) = 'string'
        when p_field = 'hashVersion' then p_value in ('1', '2')
        when p_field = 'coverage' then case when jsonb_typeof(p_value) = 'number' then v_text::numeric between 0 and 1 end
        when p_field in ('startAt', 'stopAt') then v_text is null or awf._to_timestamp(v_text) is not null
        when p_field in ('optIn', 'sticky', 'allowOverlap') then jsonb_typeof(p_value) = 'boolean'
        when p_field = 'tags' then awf._are_tags(p_value)
        when v_text is null then p_field in ('layer', 'owner', 'hypothesis', 'conclusion')
        when p_field = 'layer' then jsonb_typeof(p_value) = 'string'
        when p_field = 'owner' then jsonb_typeof(p_value) = 'string' and length(v_text) between 1 and 200
        when p_field in ('hypothesis', 'conclusion') then jsonb_typeof(p_value) = 'string' and length(v_text) <= 10000
        else false
    end;
    if v_fits is not true then
        raise exception using
            errcode = 'WF001',
            message = format('experiment "%s": %s cannot be %s', p_key, left(p_field, 100), left(p_value::text, 100)),
            hint = 'Fields: name, owner (1 to 200 characters), hypothesis, conclusion (up to 10,000), tags (list of texts), '
                || 'allocations (list), guardrails, condition (object), coverage (0 to 1), hashBasis (session or player), '
                || 'hashSeed (text), hashVersion (1 or 2), startAt, stopAt (time or null), layer (key or null), '
                || 'slots ([low, high] or null), optIn, sticky, allowOverlap (true or false).';
    end if;
end;
$$;
comment on function awf._check_change(text, text, jsonb) is 'Raises WF001 when the field is unknown or its value does not fit.';
