-- Says in words what the timeline of an experiment holds at a time.
-- Called by _explain_check().
-- Costs a walk over the timeline.
create or replace function awf._explain_phase(p_experiment jsonb, p_at timestamptz)
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
declare
    v_phase constant jsonb := awf._phase_at(p_experiment, p_at);
    -- A phase begins with its first entry; later ones change its coverage, or stop it.
    v_start constant timestamptz := (
        select min((p.value ->> 'startAt')::timestamptz)
        from jsonb_array_elements(p_experiment -> 'phases') as p
        where v_phase is null or p.value -> 'phase' = v_phase -> 'phase'
    );
begin
    return case
        when v_start is null then 'the experiment has never started'
        when v_phase is null then format('the experiment starts at %s, after %s', v_start, p_at)
        when v_phase -> 'variations' = '[]' then format(
            'the experiment stopped at %s, in phase %s', (v_phase ->> 'startAt')::timestamptz, v_phase ->> 'phase'
        )
        else format('phase %s since %s, coverage %s', v_phase ->> 'phase', v_start, v_phase ->> 'coverage')
    end;
end;
$$;
comment on function awf._explain_phase(jsonb, timestamptz) is 'Such as "phase 2 since 2025-01-05 00:00:00+00, coverage 0.25"; times are UTC.';
