-- The numbers of the variations that an event document names.
-- Called by _parse_event().
-- Costs a lookup for each variation, and three more for one that comes without its number.
create or replace function awf._event_assignments(p_event jsonb, p_ts timestamptz)
returns integer[]
language plpgsql
stable
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_variations constant jsonb := awf._event_variations(p_event);
    v_entry jsonb;
    v_ids integer[];
begin
    for i in 0 .. jsonb_array_length(v_variations) - 1 loop
        v_entry := v_variations -> i;
        -- The number that turn_params() gave is exact where the phase changed between the decision and the event.
        v_ids := v_ids || coalesce(
            (
                select v.id
                from awf.variation_ids as v
                inner join awf.experiments as e on v.experiment_id = e.id
                where e.key = v_entry ->> 'experiment' and v.variation_key = v_entry ->> 'variation'
                    and v.id = case when v_entry ->> 'id' ~ '^[0-9]+$' and length(v_entry ->> 'id') < 10 then (v_entry ->> 'id')::integer end
            ),
            awf._variation_id(v_entry ->> 'experiment', v_entry ->> 'variation', p_ts)
        );
    end loop;
    return v_ids;
end;
$$;
comment on function awf._event_assignments(jsonb, timestamptz) is
'Numbers (variation_ids) of the event''s variations, in order, NULL for one that does not exist: the number that the document gives,
if it is one of the variation, or else that of the phase in force at p_ts. NULL for an event without any.';
