-- Reads one line as JSON, or says what is wrong with it without a word of what it holds.
-- Called by record_lines() for each line.
-- Costs a subtransaction, so that a bad line costs the others nothing.
create or replace function awf._read_line(p_line text, p_number bigint, out event jsonb, out fault text)
language plpgsql
stable
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    event := p_line::jsonb;
exception
    when numeric_value_out_of_range then
        fault := format('bad_metric: line %s has a number beyond every type', p_number);
    when untranslatable_character then
        fault := format('bad_text: line %s has a NUL character', p_number);
    when data_exception or statement_too_complex or program_limit_exceeded then
        begin
            -- As json a line need only be well-formed: half of a surrogate pair is no text all the same.
            perform p_line::json;
            fault := format('bad_text: line %s has half of a surrogate pair, or a text that is too long', p_number);
        exception
            when data_exception or statement_too_complex or program_limit_exceeded then
                fault := format('not_json: line %s is not JSON', p_number);
        end;
end;
$$;
comment on function awf._read_line(text, bigint) is 'The line as JSON, or "reason: line n ..." when it cannot be read.';
