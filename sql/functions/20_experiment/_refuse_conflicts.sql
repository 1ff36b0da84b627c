-- Refuses a change that would let two experiments set one knob for the same unit.
-- Called once an experiment has changed.
-- Costs a scan of the running experiments.
create or replace function awf._refuse_conflicts(p_id bigint, p_known text[] default '{}')
returns void
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_conflict text;
begin
    select c.conflict into v_conflict
    from unnest(awf._knob_conflicts(p_id)) with ordinality as c (conflict, place)
    where c.conflict <> all (p_known)
    order by c.place
    limit 1;
    if v_conflict is not null then
        raise exception using
            errcode = 'WF116',
            message = format(
                'experiments "%s" and "%s" would both set %s', (select e.key from awf.experiments as e where e.id = p_id),
                split_part(v_conflict, '/', 1), substr(v_conflict, strpos(v_conflict, '/') + 1)
            ),
            detail = 'A unit could be in both, and would get the value of one of them only.',
            hint = 'Put both into one layer, stop the other one first, or allow it with allowOverlap: then the one with the '
                || 'earlier start sets the knob.';
    end if;
end;
$$;
comment on function awf._refuse_conflicts(bigint, text[]) is
'Raises WF116 with both experiments and the knob, unless the conflict is one of those that were there before.';
