"""Every parser of this repository, in one table, and what all of them owe to whoever sends them.

A parser takes bytes or text that anybody may have made. It gives a value, which written down and
read again is the same, or raises the one error that it announces; and no input costs much more
than an honest one of its size. To put a new parser to the test add a line to a table: chain_table,
node_table or wallet_table. test_examples tries what hypothesis makes up, test_time the
clock, and test_rows a whole store with one row damaged.
"""
