-- Says step by step why a unit is in an experiment or out of it.
-- Called by analysts and the CLI.
-- Costs what assign() costs, twice.
create or replace function awf.explain_assignment(
    p_experiment_key text,
    p_session_id text,
    p_player_hash text default null,
    p_attributes jsonb default '{}',
    p_at timestamptz default null,
    p_opted_in boolean default null
)
returns table (step integer, "check" text, passed boolean, detail text)
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
-- "check" is what the column is called; quoted, it does no harm.
-- @plpgsql_check_options: other_warnings = off
declare
    v_id constant bigint := awf._find_experiment(p_experiment_key);
    v_experiment constant jsonb := awf._experiment_config(v_id);
    v_at constant timestamptz := coalesce(p_at, awf._now());
    v_sticky constant jsonb := awf._sticky_of(p_session_id, p_player_hash, v_at, v_id);
    v_decision jsonb;
    v_in boolean;
begin
    perform awf._require_safe_owner();
    perform awf._check_player_hash(p_player_hash);
    perform awf._check_attributes(p_attributes);
    v_decision := awf._decide(v_experiment, p_session_id, p_player_hash, p_attributes, v_at, p_opted_in, v_sticky);
    v_in := v_decision ? 'variation';
    step := 0;
    foreach "check" in array array['phase', 'opt_in', 'unit', 'override', 'layer', 'sticky', 'condition', 'coverage'] loop
        step := step + 1;
        detail := awf._explain_check(
            "check", v_experiment, awf._unit_of(v_experiment, p_session_id, p_player_hash), p_attributes, v_at, p_opted_in, v_sticky
        );
        -- The last check is the one that decided; the others let the unit through.
        passed := v_in or "check" <> awf._check_of(v_decision ->> 'reason');
        return next;
        exit when "check" = awf._check_of(v_decision ->> 'reason');
    end loop;
    step := step + 1;
    "check" := 'result';
    passed := v_in;
    detail := case when v_in then format('in, with variation "%s"', v_decision #>> '{variation,key}') else 'out' end
        || format(' (%s)', v_decision ->> 'reason');
    return next;
end;
$$;
comment on function awf.explain_assignment(text, text, text, jsonb, timestamptz, boolean) is
'One row for each check that assign() made, in order, up to the one that decided, and a last one, "result".
check: phase (is the experiment in force), opt_in, unit (is there a session id or player hash), override (is a variation forced), layer,
sticky (does the unit keep an earlier variation, or is it kept out by one), condition, coverage (does its hash fall into a range).
passed: false in the row of the check that put the unit out. detail: what the check saw, in words; times are UTC.
Arguments as in assign(). A variation that is forced, or kept, decides at its check: the rows after it are left out.
Errors: WF101 (no such experiment), WF001 (a player hash that is none, attributes that are no object).
Example: SELECT * FROM awf.explain_assignment(''token-budget-test'', ''session-1'');';
