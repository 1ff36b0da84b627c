-- Refuses a phase that changes what no phase can change, or deals with the units of earlier phases in a way that is none.
-- Called by open_phase().
-- Costs nothing to speak of.
create or replace function awf._check_phase(p_key text, p_changes jsonb, p_previous text, p_sticky boolean)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_field constant text := (
        select min(c.key) from jsonb_object_keys(p_changes) as c (key)
        where c.key not in ('allocations', 'coverage', 'condition', 'hashSeed')
    );
begin
    if v_field is not null then
        raise exception using
            errcode = 'WF001',
            message = format('experiment "%s": a phase cannot change %s', p_key, left(v_field, 100)),
            hint = 'A phase changes any of allocations, coverage, condition, hashSeed.';
    elsif p_previous not in ('keep', 'reassign', 'exclude') then
        raise exception using
            errcode = 'WF001',
            message = format('experiment "%s": units of earlier phases cannot be "%s"', p_key, left(p_previous, 100)),
            hint = 'keep (they keep their variation), reassign (they are assigned anew) or exclude (they are out).';
    elsif p_previous <> 'reassign' and not p_sticky then
        raise exception using
            errcode = 'WF001',
            message = format('experiment "%s" is not sticky: it cannot %s the units of earlier phases', p_key, p_previous),
            hint = 'Use reassign, the default. An experiment is sticky when it was so before its start.';
    elsif p_changes -> 'allocations' = '[]' then
        raise exception using
            errcode = 'WF105',
            message = format('allocations of experiment "%s" are empty', p_key),
            hint = 'Give a split, or stop the experiment with awf.stop_experiment() (awf-pg experiment stop).';
    end if;
end;
$$;
comment on function awf._check_phase(text, jsonb, text, boolean) is 'Raises WF001 or WF105 when open_phase() cannot do this.';
