"""Script: the small language in which an output says who may spend it.

Reading order, which is also the import order: a file imports only files above it.

    errors        ScriptError, with Core's codes and texts
    flags         which rules apply: consensus and policy
    opcodes       names and numbers, and the text form of a script
    script        a script as bytes: its instructions, pushes, counts of signature operations
    numbers       the integers and booleans on the stack
    templates     the standard shapes of a scriptPubKey
    sighash       what a signature signs: legacy, witness v0, taproot
    signatures    the encodings that signatures and keys must have
    checker       signatures and lock times checked against a transaction
    machine       the stack machine: state, limits, the step
    operations    what each opcode does
    witness       witness programs: version 0 and taproot
    interpreter   one spend from end to end: verify_script
    check         a spend waiting to be checked, and the checking of many
"""
