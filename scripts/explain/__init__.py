"""Explanations: what a script, transaction, block, address or message says, field by field.

Plain data out, no terminal in: scripts/cli/explain.py asks and scripts/cli/explain_views.py shows.

    model         what every explanation is made of, and its JSON
    places        the file and line of a function, of a table's row, of a `raise`
    rules         one sentence and one place for every opcode
    given         bytes or text, from an argument, a file or standard input
    asm           scripts from words
    flags         sets of script rules by name
    signatures    what a signature's bytes say, and what it signs
    debugger      a spend run one step at a time
    commitments   the steps of a spend that are no opcodes
    script        a script alone
    witness       what the items of a witness are
    transaction   a transaction, and the outputs that it spends
    block         a block or a header
    address       an address, also a mistyped one
    message       a framed peer message
    guess         which of all these some bytes are
    node          what a node is asked
    advice        for each rule of a mempool, what would be accepted
    refusal       why a node refuses a transaction, with figures
    mempool       what waits at a node, and the blocks that it would fill
    waiting       that in words
"""
