-- @query enum_array_uncast many
-- @param $1 statuses order_status[]
SELECT number FROM orders WHERE status = ANY ($1)
--= bad/enum_array_uncast.sql:2:23: error: a parameter of type order_status[] has no form in C
--=     2 | -- @param $1 statuses order_status[]
--=       |                       ^
--=     labels of an array travel as text: cast it to text[] and back
