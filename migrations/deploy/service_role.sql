-- The role that stampede-orders logs in as. It owns nothing and defines nothing: each later change
-- grants it the rights on its own tables. It is made without a password and without the right to
-- log in; whoever sets up the cluster gives it both. A role belongs to the cluster, so it may exist
-- already, made by hand or by the same change on a neighbouring database at the same moment.
BEGIN;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'stampede') THEN
        CREATE ROLE stampede NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'role "stampede" does not exist and % may not create it', current_user
            USING HINT = 'Have an administrator of the cluster run: CREATE ROLE stampede LOGIN';
END
$$;

COMMIT;
