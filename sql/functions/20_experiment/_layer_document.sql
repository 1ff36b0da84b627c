-- A layer as one JSON document.
-- Called by create_layer().
-- Costs two lookups.
create or replace function awf._layer_document(p_id integer)
returns jsonb
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select jsonb_build_object(
            'key', l.key, 'hashBasis', l.hash_basis, 'description', l.description, 'holdout', awf._holdout_of(l.id),
            'createdAt', l.created_at
        )
        from awf.layers as l
        where l.id = p_id
    );
end;
$$;
comment on function awf._layer_document(integer) is 'The layer as JSON; NULL when there is none.';
