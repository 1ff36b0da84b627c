-- Says in words what earlier assignments of a unit do to it.
-- Called by _explain_check().
-- Costs a look at the assignments.
create or replace function awf._explain_sticky(p_experiment jsonb, p_phase jsonb, p_sticky jsonb)
returns text
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_key constant text := p_experiment ->> 'key';
    v_version constant integer := (p_phase -> 'bucketVersion')::integer;
    v_kept constant text := p_sticky ->> awf._sticky_key(v_key, v_version);
begin
    return case
        when p_experiment -> 'sticky' <> 'true' then 'units of this experiment are not sticky'
        when awf._is_blocked(v_key, (p_phase -> 'minBucketVersion')::integer, p_sticky) then format(
            'the unit was assigned under a bucket version below %s, which this phase excludes', p_phase -> 'minBucketVersion'
        )
        when v_kept is null then format('the unit has no assignment under bucket version %s', v_version)
        when awf._variation_of(p_phase, v_kept) is null then format(
            'the unit had variation "%s" under bucket version %s, which this phase does not have', v_kept, v_version
        )
        else format('the unit keeps variation "%s", which it had under bucket version %s', v_kept, v_version)
    end;
end;
$$;
comment on function awf._explain_sticky(jsonb, jsonb, jsonb) is 'Such as "the unit keeps variation "a", which it had under bucket version 0".';
