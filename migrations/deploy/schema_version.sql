-- Which programs may run on this schema. A program is built for version N and starts if
-- compatible_from <= N <= version. Every later change raises version by one; a change that an older
-- program could not live with also raises compatible_from to its own version.
BEGIN;

CREATE TABLE schema_version (
    only_row boolean NOT NULL DEFAULT true,
    version integer NOT NULL,
    compatible_from integer NOT NULL,
    CONSTRAINT schema_version_pkey PRIMARY KEY (only_row),
    CONSTRAINT schema_version_only_row_check CHECK (only_row),
    CONSTRAINT schema_version_range_check CHECK (compatible_from >= 1 AND compatible_from <= version)
);

INSERT INTO schema_version (version, compatible_from) VALUES (1, 1);

GRANT SELECT ON schema_version TO stampede;

COMMIT;
