-- @query unknown_table many
SELECT sale_id
FROM sails
--= bad/unknown_table.sql:3:6: error: relation "sails" does not exist
--=     3 | FROM sails
--=       |      ^
