"""The differential test: Farthing and Bitcoin Core's own engine, given the same, say the same.

    python -m tests.differential --spends 20000 --blocks 2000 --trees 500

Every case is built from a seed, which is printed where the two differ; the suite runs a tenth.

    words         random scripts without signatures
    spends        random spends of every kind of script, most wrong in one small place
    pair          our chain and the engine's, side by side: what is compared
    drafts        a block about to be made, with everything in it that a rule looks at
    edges         what a block may have wrong by itself, at the limit of a rule and one beyond
    context_edges the same after its parent and against the coins
    blocks        cases of blocks
    engine_coins  the coins in the engine's database
    trees         cases of trees of blocks, with reorganisations
    __main__      the command
"""
