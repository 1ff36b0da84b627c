-- The parts of a statement that keep the first exposure of each unit to each phase, and to each variation where it saw several.
-- Called by _merge_events(), behind _cells_part().
-- Costs an index lookup for each unit, and a join with the events for the units that are new.
create or replace function awf._exposures_part()
returns text
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- One statement, so that the exposures are read as they were before: the variation that a late event drives out of them is a
    -- variation that the unit was seen in. For a unit without a crossover the exposure is its first event in its one variation, for
    -- the others all firsts stand in crossovers: whatever the order of arrival, nothing is forgotten.
    return format(
        $sql$
        seen as (
            select s.experiment_id, s.phase, s.variation_id, s.hash_basis, s.unit_id, min(s.first_ts) as first_ts
            from (
                select
                    l.experiment_id, l.phase, l.variation_id, l.hash_basis, c.first_ts,
                    case l.hash_basis when 'player' then encode(c.player_hash, 'hex') else c.session_id end collate "C" as unit_id
                from cells as c
                inner join lists as l on c.assignments = l.assignments
            ) as s
            group by s.experiment_id, s.phase, s.variation_id, s.hash_basis, s.unit_id
            order by s.unit_id -- as the index that is asked next
        ),

        -- Most units are known, and these events are later ones: nothing is to be done for them.
        news as materialized (
            select s.*, x.variation_id as known_variation_id, x.first_ts as known_ts, x.event_id as known_event_id, x.player_hash as known_player
            from seen as s
            left join lateral (
                select x.variation_id, x.first_ts, x.event_id, x.player_hash
                from awf.exposures as x
                where x.experiment_id = s.experiment_id and x.unit_id = s.unit_id and x.phase = s.phase
                limit 1
            ) as x on true
            where x.variation_id is distinct from s.variation_id or s.first_ts <= x.first_ts
        ),

        -- Sorted by the unit first: most others of the columns are the same in all rows.
        firsts as materialized (
            select distinct on (n.unit_id, n.experiment_id, n.phase, n.variation_id)
                n.experiment_id, n.unit_id, n.phase, n.variation_id, e.ts, e.id as event_id, e.player_hash, e.locale_id, e.attributes,
                n.known_variation_id, n.known_ts, n.known_event_id, n.known_player
            -- Hashed by the time alone, which is quick and tells most events apart; with a limit they are thought to be few, and hashed.
            from (select w.* from news as w limit (select 1000000000)) as n
            inner join e on e.ts = n.first_ts and (
                case n.hash_basis when 'player' then encode(e.player_hash, 'hex') else e.session_id end = n.unit_id
                and n.variation_id = any (e.assignments)
            ) is true
            order by n.unit_id, n.experiment_id, n.phase, n.variation_id, e.ts, e.id
        ),

        crossed as (
            select distinct on (u.unit_id, u.experiment_id, u.phase)
                u.experiment_id, u.unit_id, u.phase, u.known_variation_id as variation_id, u.known_ts as first_ts,
                u.known_event_id as event_id, u.known_player as player_hash
            from (
                select
                    f.*,
                    lag(f.variation_id) over (partition by f.unit_id, f.experiment_id, f.phase order by f.variation_id) as another_variation_id
                from firsts as f
            ) as u
            where u.another_variation_id is not null or u.known_variation_id <> u.variation_id
                or (
                    -- A unit that is new has not crossed over before.
                    u.known_variation_id is not null and exists (
                        select from awf.crossovers as c
                        where c.experiment_id = u.experiment_id and c.unit_id = u.unit_id and c.phase = u.phase
                    )
                )
            order by u.unit_id, u.experiment_id, u.phase
        ),

        crossings as (
            insert into awf.crossovers as c (experiment_id, unit_id, phase, variation_id, first_ts, event_id, player_hash)
            select distinct on (s.unit_id, s.experiment_id, s.phase, s.variation_id) s.*
            from (
                select w.* from crossed as w where w.variation_id is not null
                union all
                select f.experiment_id, f.unit_id, f.phase, f.variation_id, f.ts, f.event_id, f.player_hash
                from firsts as f
                inner join crossed as w using (experiment_id, unit_id, phase)
            ) as s
            order by s.unit_id, s.experiment_id, s.phase, s.variation_id, s.first_ts, s.event_id
            on conflict (experiment_id, unit_id, phase, variation_id) do update set
                first_ts = excluded.first_ts, event_id = excluded.event_id, player_hash = excluded.player_hash
            where (excluded.first_ts, excluded.event_id) < (c.first_ts, c.event_id)
        ),

        earliest as materialized (
            select distinct on (o.unit_id, o.experiment_id, o.phase)
                o.experiment_id, o.unit_id, o.phase, o.variation_id, o.locale_id, o.ts as first_ts, o.event_id, o.player_hash,
                awf._allowed_attributes(o.attributes, %L) as attributes, o.known_variation_id is null as is_new
            from firsts as o
            order by o.unit_id, o.experiment_id, o.phase, o.ts, o.event_id, o.variation_id
        ),

        -- Nobody else adds exposures meanwhile, and it is quicker not to ask for conflicts.
        exposed as (
            insert into awf.exposures (experiment_id, unit_id, phase, variation_id, locale_id, first_ts, event_id, player_hash, attributes)
            select f.experiment_id, f.unit_id, f.phase, f.variation_id, f.locale_id, f.first_ts, f.event_id, f.player_hash, f.attributes
            from earliest as f
            where f.is_new
        ),

        moved_exposures as (
            insert into awf.exposures as x (
                experiment_id, unit_id, phase, variation_id, locale_id, first_ts, event_id, player_hash, attributes
            )
            select f.experiment_id, f.unit_id, f.phase, f.variation_id, f.locale_id, f.first_ts, f.event_id, f.player_hash, f.attributes
            from earliest as f
            where not f.is_new
            on conflict (experiment_id, unit_id, phase) do update set
                variation_id = excluded.variation_id,
                locale_id = excluded.locale_id,
                first_ts = excluded.first_ts,
                event_id = excluded.event_id,
                player_hash = excluded.player_hash,
                attributes = excluded.attributes
            where (excluded.first_ts, excluded.event_id) < (x.first_ts, x.event_id)
                -- A recompute brings the attributes in line with a setting that has changed.
                or (excluded.event_id = x.event_id and excluded.attributes is distinct from x.attributes)
        )
        $sql$, awf._setting_names('exposure_attributes')
    );
end;
$$;
comment on function awf._exposures_part() is
'Common table expressions that merge the exposures and crossovers shown by the events e into exposures and crossovers.';
