-- The attribute that a dotted path names.
-- Called by _meets_condition().
-- Costs one lookup a step.
create or replace function awf._attribute_at(p_attributes jsonb, p_path text)
returns jsonb
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_current jsonb := p_attributes;
    v_part text;
begin
    -- string_to_array() makes no element of an empty text.
    foreach v_part in array coalesce(nullif(string_to_array(p_path, '.'), '{}'), array['']) loop
        v_current := case jsonb_typeof(v_current)
            when 'object' then v_current -> v_part
            when 'array' then case
                when v_part = 'length' then to_jsonb(jsonb_array_length(v_current))
                when v_part ~ '^(?:0|[1-9][0-9]{0,8})$' then v_current -> v_part::integer
            end
        end;
    end loop;
    return coalesce(v_current, 'null'::jsonb);
end;
$$;
comment on function awf._attribute_at(jsonb, text) is
'The value at a path such as player.level; a list has its elements (0, 1, ...) and its length. JSON null where there is none.';
