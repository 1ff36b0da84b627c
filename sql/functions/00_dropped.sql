-- Functions of earlier versions that are gone or whose signature changed are dropped here, before the new ones are made.

drop function if exists awf._pick_variation(jsonb, text, text, timestamptz);
drop function if exists awf._evaluate(jsonb, text, text, jsonb, timestamptz);
