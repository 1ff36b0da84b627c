-- The phase of an experiment that is in force at a time.
-- Called by _decide() and whoever explains or repeats its answer.
-- Costs a walk over the timeline, from its end.
create or replace function awf._phase_at(p_experiment jsonb, p_at timestamptz)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    for i in reverse jsonb_array_length(p_experiment -> 'phases') - 1 .. 0 loop
        if (p_experiment #>> array['phases', i::text, 'startAt'])::timestamptz <= p_at then
            return p_experiment -> 'phases' -> i;
        end if;
    end loop;
    return null;
end;
$$;
comment on function awf._phase_at(jsonb, timestamptz) is 'The entry of "phases" in force; NULL before the first one.';
