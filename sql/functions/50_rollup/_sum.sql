-- The sum of whole numbers as a whole number: the built-in sum of bigints is a numeric, which takes several times as long.
-- Called by the statements of a refresh alone: what stores or reads rollups has built-in aggregates, which other servers know.
-- Costs an addition. A sum that does not fit is an error; see _merge_events().
create or replace aggregate awf._sum(p_value bigint) ( -- noqa: LT01
    sfunc = int8pl, stype = bigint, combinefunc = int8pl, parallel = safe
);
comment on aggregate awf._sum(bigint) is -- noqa: LT01
'Sum, NULL of nothing; raises 22003 where it does not fit into a bigint.';
