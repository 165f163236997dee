"""Script: the small language in which an output says who may spend it.

Reading order, which is also the import order: a file imports only files above it.

    errors        ScriptError, with Core's codes and texts
    flags         which rules apply: consensus and policy
    numbers       the integers and booleans on the stack
    opcodes       numbers, names, how an instruction is laid out, and the text forms
    script        a script as bytes: pushes, counts of signature operations, patterns
    templates     the standard shapes of a scriptPubKey
    sighash       what a signature signs: legacy, witness v0, taproot
    signatures    the encodings that signatures and keys must have
    single_key    spends by one key, without a script being run
    checker       signatures and lock times checked against a transaction
    machine       the stack machine: its state, its limits, and the loop
    operations    what each opcode does: flow, stack, arithmetic, hashes
    checksig      the opcodes that ask the checker: signatures and lock times
    witness       witness programs: version 0 and taproot
    interpreter   one spend from end to end: verify_script
    check         a spend waiting to be checked, and the checking of many
"""
