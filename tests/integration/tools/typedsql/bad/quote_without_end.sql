-- @query quote_without_end exec
UPDATE sales SET title = 'never ended
--= bad/quote_without_end.sql:2:26: error: this quote or comment has no end
--=     2 | UPDATE sales SET title = 'never ended
--=       |                          ^
