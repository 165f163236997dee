"""Public vectors that span several parts of chain/, read whole; and a ledger of every vector file.

test_every_file says for each file in the folder of vectors which test reads it, or why none does.
test_texts reads what the proposals' own texts hold: tables, lists of conditions, constants, sums
worked out. test_data reads the vectors that came as data, and test_messages those of BIP 322.
"""
