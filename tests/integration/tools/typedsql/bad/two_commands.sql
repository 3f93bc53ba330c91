-- @query two_commands exec
UPDATE sales SET title = '';
UPDATE sales SET sku = ''
--= bad/two_commands.sql:2:28: error: a file has one command: this one ends here
--=     2 | UPDATE sales SET title = '';
--=       |                            ^
