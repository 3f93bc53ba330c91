BEGIN;

-- Exactly one row, and a second one is refused.
SELECT 1 / (count(*) = 1)::integer FROM schema_version WHERE only_row AND version >= 1;

DO $$
BEGIN
    BEGIN
        INSERT INTO schema_version (version, compatible_from) VALUES (1, 1);
    EXCEPTION WHEN unique_violation THEN
        RETURN;
    END;
    RAISE EXCEPTION 'schema_version took a second row';
END
$$;

DO $$
BEGIN
    ASSERT has_table_privilege('stampede', 'schema_version', 'SELECT'), 'stampede may not read';
END
$$;

ROLLBACK;
