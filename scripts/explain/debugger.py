"""The debugger: one spend run by the real interpreter, every step of it kept.

The interpreter says what it is about to do (machine.Step) and asks a checker about signatures and
lock times; both are recorded here. What it does without an opcode is in commitments. Nothing is
run twice, so what is shown is what was decided.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from chain.script import machine, sighash
from chain.script.checker import TransactionChecker
from chain.script.errors import ScriptError
from chain.script.flags import STANDARD_FLAGS, ScriptFlag
from chain.script.interpreter import verify_script
from chain.script.machine import Machine
from chain.script.numbers import to_bool
from chain.script.sighash import NO_CODESEPARATOR, SigVersion
from chain.script.witness import BUDGET_OFFSET
from chain.transaction import NULL_OUTPOINT, Transaction, TxIn, TxOut
from scripts.explain import places
from scripts.explain.commitments import Stage, stages_of
from scripts.explain.model import Json
from scripts.explain.rules import rule_of
from scripts.explain.signatures import hash_type_name, what_is_signed

MAX_STEPS = 5_000  # kept; the script runs on
MAX_SHOWN_STACK = 1_000  # Core's MAX_STACK_SIZE


@dataclass(frozen=True)
class Check:
    """What a script asked about the transaction, and the answer."""

    question: str
    is_good: bool
    facts: dict[str, str]

    def to_json(self) -> Json:
        """The question, the answer, the facts."""
        return {"question": self.question, "is_good": self.is_good, **self.facts}


@dataclass
class StepRecord:
    """One step: an instruction, or (without an opcode) something that the interpreter did."""

    script: str  # scriptSig, scriptPubKey, redeem script, …
    name: str
    rule: str
    where: str
    offset: int | None = None
    opcode: int | None = None
    data: bytes | None = None
    is_executed: bool = True
    before: Sequence[bytes] = ()
    after: Sequence[bytes] | None = None  # None if it failed here
    altstack: Sequence[bytes] = ()
    checks: list[Check] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> Json:
        """Stacks as lists of hex, the top last."""
        return {
            "script": self.script,
            "offset": self.offset,
            "opcode": self.opcode,
            "name": self.name,
            "data": None if self.data is None else self.data.hex(),
            "is_executed": self.is_executed,
            "rule": self.rule,
            "where": self.where,
            "stack_before": [item.hex() for item in self.before],
            "stack_after": None if self.after is None else [item.hex() for item in self.after],
            "altstack": [item.hex() for item in self.altstack],
            "checks": [check.to_json() for check in self.checks],
            "facts": self.facts,
        }


@dataclass
class Run:
    """A spend, or a script alone, from its first step to the verdict."""

    title: str
    flags: ScriptFlag
    steps: list[StepRecord] = field(default_factory=list)
    skipped: int = 0  # steps beyond MAX_STEPS
    code: str = "OK"  # Core's
    text: str = ""
    where: str = ""  # the `raise`
    is_unfinished: bool = False  # no instruction is wrong, but an IF has no ENDIF

    @property
    def is_good(self) -> bool:
        """Whether the spend may be made."""
        return self.code == "OK"

    def to_json(self) -> Json:
        """The verdict and the steps."""
        return {
            "title": self.title,
            "flags": [each.name for each in self.flags],
            "is_good": self.is_good,
            "code": self.code,
            "text": self.text,
            "where": self.where,
            "steps": [step.to_json() for step in self.steps],
            "steps_left_out": self.skipped,
        }


class RecordingChecker(TransactionChecker):
    """The real checker; it remembers what it was asked, and which digest was signed."""

    __slots__ = ("asked",)

    def __init__(
        self,
        tx: Transaction,
        input_index: int,
        spent_outputs: Sequence[TxOut],
        precomputed: sighash.PrecomputedSighash | None = None,
    ) -> None:
        super().__init__(tx, input_index, spent_outputs, precomputed)
        self.asked: list[Check] = []

    def check_ecdsa(
        self, signature: bytes, public_key: bytes, script_code: bytes, version: SigVersion
    ) -> bool:
        """As the checker does."""
        is_good = super().check_ecdsa(signature, public_key, script_code, version)
        facts = {"public key": public_key.hex(), "signature": signature.hex()}
        if signature:
            digest = self._ecdsa_digest(script_code, signature[-1], version is SigVersion.BASE)
            facts |= {
                "hash type": hash_type_name(signature[-1]),
                "signed": what_is_signed(signature[-1], version),
                "digest": digest.hex(),
            }
        self.asked.append(Check("is the ECDSA signature the key's?", is_good, facts))
        return is_good

    def check_schnorr(
        self,
        signature: bytes,
        public_key: bytes,
        annex_hash: bytes | None,
        leaf_hash: bytes | None = None,
        codeseparator_index: int = NO_CODESEPARATOR,
    ) -> None:
        """As the checker does."""
        place = annex_hash, leaf_hash, codeseparator_index
        facts = {"public key": public_key.hex(), "signature": signature.hex()}
        facts |= self._schnorr_facts(signature, place)
        try:
            super().check_schnorr(signature, public_key, *place)
        except ScriptError:
            self.asked.append(Check("is the Schnorr signature the key's?", False, facts))
            raise
        self.asked.append(Check("is the Schnorr signature the key's?", True, facts))

    def _schnorr_facts(
        self, signature: bytes, place: tuple[bytes | None, bytes | None, int]
    ) -> dict[str, str]:
        hash_type = signature[64] if len(signature) == 65 else sighash.SIGHASH_DEFAULT
        version = SigVersion.TAPSCRIPT if place[1] else SigVersion.BASE
        facts = {"hash type": hash_type_name(hash_type)}
        try:
            digest = sighash.taproot_sighash(self.precomputed, self.input_index, hash_type, *place)
        except ScriptError:
            return facts
        signed = what_is_signed(hash_type, version, is_taproot=True)
        return facts | {"signed": signed, "digest": digest.hex()}

    def check_lock_time(self, required: int) -> bool:
        """As the checker does."""
        is_good = super().check_lock_time(required)
        sequence = self.tx.inputs[self.input_index].sequence
        facts = {"required": str(required), "locktime": str(self.tx.locktime)}
        facts["sequence"] = f"{sequence:08x}"
        self.asked.append(Check("is the locktime at least what is required?", is_good, facts))
        return is_good

    def check_sequence(self, required: int) -> bool:
        """As the checker does."""
        is_good = super().check_sequence(required)
        sequence = self.tx.inputs[self.input_index].sequence
        facts = {"required": f"{required:08x}", "sequence": f"{sequence:08x}"}
        facts["version"] = str(self.tx.version)
        self.asked.append(Check("is the output as old as is required?", is_good, facts))
        return is_good


class _Recorder:
    """Turns what the machine says into records, under the names of the scripts that run."""

    def __init__(self, run: Run, stages: Iterator[Stage], checker: TransactionChecker) -> None:
        self.run, self.stages = run, stages
        self.asked: list[Check] = getattr(checker, "asked", [])
        self.stage: Stage | None = None
        self.last: StepRecord | None = None
        self.live: Sequence[bytes] = ()  # the machine's own stack

    def __call__(self, step: machine.Step) -> None:
        if self.stage is None:
            self.enter()
        stack = tuple(step.stack)
        self.live = step.stack
        self.settle(stack)
        if step.opcode is None:
            self.stage = None
            return
        version = self.stage.version if self.stage else SigVersion.BASE
        rule = rule_of(step.opcode, version)
        label = self.stage.label if self.stage else "script"
        record = StepRecord(label, step.name, *rule, offset=step.position, opcode=step.opcode)
        record.data, record.is_executed = step.data, step.is_executed
        record.before, record.altstack = stack, tuple(step.altstack)
        self.add(record)

    def enter(self) -> None:
        """Take up the next script: first what is done before it runs."""
        while self.stage is None:
            stage = next(self.stages, None)
            if stage is None:
                return
            for note in stage.notes:
                self.add(
                    StepRecord(stage.label, note.name, note.rule, note.where, facts=note.facts)
                )
                self.last = None
            self.stage = stage if stage.is_run else None

    def add(self, record: StepRecord) -> None:
        self.last = record
        if len(self.run.steps) < MAX_STEPS:
            self.run.steps.append(record)
        else:
            self.run.skipped += 1

    def settle(self, stack: Sequence[bytes] | None) -> None:
        """The step before is done: what it left, and what it asked."""
        if self.last is not None:
            self.last.after = stack
            self.last.checks = self.asked[:]
        self.asked.clear()
        self.last = None

    def finish(self) -> None:
        """What was asked in the last step, or without one: a signature alone may spend."""
        if self.last is not None:
            # What is wrong with the whole script shows at its end: the last step itself was done.
            is_done = self.run.is_unfinished
            self.settle(tuple(self.live) if is_done else None)
            return
        if self.stage is None:
            self.enter()
        for check in self.asked:
            where = places.of_function(TransactionChecker.check_schnorr)
            rule = "The output's key itself signs the transaction (BIP 341)."
            record = StepRecord("key path", "signature", rule, where, checks=[check])
            self.run.steps.append(record)


def debug_spend(
    tx: Transaction,
    input_index: int,
    spent_outputs: Sequence[TxOut],
    flags: ScriptFlag = STANDARD_FLAGS,
    precomputed: sighash.PrecomputedSighash | None = None,
) -> Run:
    """Run one input of `tx`, all of whose `spent_outputs` are given. Never raises ScriptError."""
    tx_in, spent = tx.inputs[input_index], spent_outputs[input_index]
    run = Run(f"input {input_index}", flags)
    checker = RecordingChecker(tx, input_index, spent_outputs, precomputed)
    what = tx_in.script_sig, spent.script_pubkey, tx_in.witness
    recorder = _Recorder(run, stages_of(*what, flags), checker)
    try:
        verify_script(*what, flags, checker, recorder)
    except ScriptError as error:
        _fail(run, error)
    recorder.finish()
    return run


def debug_output(
    script_pubkey: bytes, script_sig: bytes, witness: Sequence[bytes], flags: ScriptFlag
) -> Run:
    """Spend an output without a transaction: no signature can be good."""
    tx = Transaction(2, [TxIn(NULL_OUTPOINT, script_sig, 0, tuple(witness))], [], 0)
    return debug_spend(tx, 0, [TxOut(0, script_pubkey)], flags)


def _fail(run: Run, error: ScriptError) -> None:
    run.code, run.text = error.code, error.text
    run.where, function = places.of_raise(error.__traceback__)
    run.is_unfinished = error.code == "UNBALANCED_CONDITIONAL" and function == "evaluate"


def debug_script(
    script: bytes, stack: Sequence[bytes], version: SigVersion, flags: ScriptFlag
) -> Run:
    """Run a script alone on `stack`. There is no transaction: no signature of it can be good."""
    tx = Transaction(2, (), (), 0)
    run = Run("script", flags)
    checker = NoTransaction(tx)
    recorder = _Recorder(run, iter([Stage("script", version)]), checker)
    runner = Machine(script, list(stack), version, int(flags), checker, recorder)
    runner.signature_budget = BUDGET_OFFSET + len(script) + sum(map(len, stack))  # tapscript's
    try:
        machine.evaluate(runner)
    except ScriptError as error:
        _fail(run, error)
    else:
        if not runner.stack or not to_bool(runner.stack[-1]):
            _fail(run, ScriptError("EVAL_FALSE"))
            run.where = ""
    recorder.finish()
    return run


class NoTransaction(RecordingChecker):
    """A checker for a script alone: it has no transaction, and so says no to all."""

    __slots__ = ()

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.asked = []

    def _no(self, question: str) -> bool:
        facts = {"why": "a script alone has no transaction; use: farthing explain tx"}
        self.asked.append(Check(question, False, facts))
        return False

    def check_ecdsa(self, *_: object) -> bool:
        """No."""
        return self._no("is the ECDSA signature the key's?")

    def check_schnorr(self, *_: object) -> None:
        """No."""
        self._no("is the Schnorr signature the key's?")
        raise ScriptError("SCHNORR_SIG")

    def check_lock_time(self, required: int) -> bool:
        """No."""
        return self._no(f"is the locktime at least {required}?")

    def check_sequence(self, required: int) -> bool:
        """No."""
        return self._no(f"is the output as old as {required}?")
