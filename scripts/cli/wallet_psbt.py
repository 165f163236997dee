"""`farthing psbt`: payments that are signed apart, by files that go from one signer to the next.

It reads files and shows; what is done is wallet/psbt. A PSBT is written to standard output as one
line of base64, whatever a person should know to standard error, so that `>` makes the next file.
Private keys stay in wallets: `sign` asks for the password of one.
"""

from typing import IO

import click

from scripts.cli.common import InOrder, coins, complain, fail, json_option, print_json
from scripts.cli.consent import consent, consent_options, require_consent
from scripts.cli.manner import rate_options
from scripts.cli.payees import METAVAR, read_payees
from scripts.cli.psbt_files import (
    network_option,
    paid_from,
    params_of,
    preview,
    read_descriptor,
    read_line,
    read_psbt,
    show,
)
from scripts.cli.wallet_common import (
    name_argument,
    node_option,
    open_wallet,
    password_option,
    read_opener,
)

COSIGNER_PATH = "48h/1h/0h/2h"  # BIP 48: several signers, coins of a test network, wsh


@click.group(cls=InOrder)
def psbt() -> None:
    """Payments signed apart: by several people, or on a machine of its own.

    \b
    Examples:
      farthing psbt create shared.txt bcrt1q… 0.4 > payment.psbt
      farthing psbt sign alice payment.psbt > signed.psbt
      farthing psbt combine alices.psbt bobs.psbt > all.psbt
      farthing psbt extract all.psbt --broadcast

    Where a PSBT is asked for, a file, its text, or - (standard input) will do.
    """


@psbt.command()
@name_argument
@password_option
@json_option
def key(name: str, password_file: IO[str] | None, as_json: bool) -> None:
    """Print the public key that wallet NAME brings to a wallet of several signers.

    It can spend nothing. Its path is that of BIP 48, apart from the wallet's own coins.

    \b
    Example:
      farthing psbt key alice > alice.key
    """
    # lazy: the help text must not wait for the wallet
    from wallet.hd import parse_path

    opened = open_wallet(name)
    master = opened.master(read_opener(opened, password_file))
    public = master.derive(parse_path(COSIGNER_PATH)).public.serialize(opened.params)
    text = f"[{master.public.fingerprint.hex()}/{COSIGNER_PATH}]{public}/<0;1>/*"
    if as_json:
        print_json({"key": text})
    else:
        click.echo(text)


@psbt.command()
@click.argument("required", type=click.IntRange(1, 20))
@click.argument("keys", nargs=-1, required=True)
@network_option
@json_option
def multisig(required: int, keys: tuple[str, ...], network: str, as_json: bool) -> None:
    """Join KEYS (files, or the keys themselves) to a wallet from which any REQUIRED of them pay.

    Prints its descriptor. Each signer keeps a copy: without it the coins cannot be found again.

    \b
    Example:
      farthing psbt multisig 2 alice.key bob.key carol.key > shared.txt
    """
    # lazy: the help text must not wait for the wallet
    from wallet.checksum import add_checksum
    from wallet.script_expression import parse_descriptor

    body = f"wsh(sortedmulti({required},{','.join(map(read_line, keys))}))"
    made = parse_descriptor(add_checksum(body), params_of(network))
    if made.is_private:
        fail("one of these keys is private; give the public ones: farthing psbt key NAME")
    if as_json:
        print_json({"descriptor": made.text()})
    else:
        click.echo(made.text())


@psbt.command()
@name_argument
@json_option
def descriptor(name: str, as_json: bool) -> None:
    """Print the descriptor of wallet NAME: it shows all addresses and can spend nothing.

    Whoever has it can prepare payments that only the wallet can sign. Needs no password.

    \b
    Example:
      farthing psbt descriptor alice > alice.txt
    """
    text = open_wallet(name).descriptor
    if as_json:
        print_json({"descriptor": text})
    else:
        click.echo(text)


@psbt.command()
@click.argument("descriptor")
@click.option("--index", type=click.IntRange(0, 2**31 - 1), default=0, help="Which, from 0.")
@click.option("--change", is_flag=True, help="On the branch for change.")
@network_option
@json_option
def address(descriptor: str, index: int, change: bool, network: str, as_json: bool) -> None:
    """Print an address of DESCRIPTOR (a file, or the line itself).

    \b
    Example:
      farthing psbt address shared.txt --index 3
    """
    # lazy: the help text must not wait for the chain
    from chain.address import script_to_address

    params = params_of(network)
    found = read_descriptor(descriptor, params)
    branch = 1 if change else 0
    if branch >= found.branches:
        fail("this descriptor has no branch for change: its keys end in /<0;1>/* if it has")
    text = script_to_address(found.script(branch, index), params)
    if text is None:
        fail("this descriptor stands for a script that has no address")
    if as_json:
        print_json({"address": text})
    else:
        click.echo(text)


@psbt.command()
@click.argument("descriptor")
@click.argument("words", metavar=METAVAR, nargs=-1, required=True)
@rate_options
@click.option("--all", "all_left", is_flag=True, help="The ADDRESS without AMOUNT gets the rest.")
@network_option
@node_option
@json_option
def create(
    descriptor: str,
    words: tuple[str, ...],
    fee_rate: str | None,
    target: int,
    all_left: bool,
    network: str,
    node_url: str,
    as_json: bool,
) -> None:
    """Prepare a payment from the coins of DESCRIPTOR, unsigned, to one or several.

    Each ADDRESS gets the AMOUNT behind it, 0.4 (bitcoins) or 40000sat; a payment URI may hold both.

    \b
    Examples:
      farthing psbt create shared.txt bcrt1q… 0.4 > payment.psbt
      farthing psbt create shared.txt bcrt1q… 0.4 bcrt1p… 40000sat --rate 2 > payment.psbt
      farthing psbt create shared.txt 'bitcoin:bcrt1q…?amount=0.4' > payment.psbt
      farthing psbt create shared.txt bcrt1q… --all > payment.psbt
    """
    # lazy: the help text must not wait for the wallet
    from chain.address import address_to_script
    from wallet.amounts import parse_feerate, rate_per_kvb
    from wallet.builder import payable_script

    # lazy too
    from wallet.client import EsploraClient

    params = params_of(network)
    payees = read_payees(words, all_left=all_left)
    for payee in payees:
        payable_script(payee.address, params)  # a mistake is told before a node is asked
    found = read_descriptor(descriptor, params)
    if found.branches != 2 or not found.is_ranged:
        fail("this descriptor gives no change: its keys must end in /<0;1>/*")
    client = EsploraClient(node_url)
    client.check_network(params)
    rate = client.feerate(target) if fee_rate is None else parse_feerate(fee_rate)
    made, change = paid_from(client, found, params, payees, rate_per_kvb(rate))
    preview(made, params, "these coins", lambda to: address_to_script(to, params) == change)
    show(made, as_json)


@psbt.command()
@click.argument("psbt", metavar="PSBT")
@network_option
@json_option
def decode(psbt: str, network: str, as_json: bool) -> None:
    """Show what a PSBT pays, what it spends, and who has signed.

    \b
    Example:
      farthing psbt decode payment.psbt
    """
    # lazy: the help text must not wait for the wallet
    from wallet.psbt.view import describe

    shown = describe(read_psbt(psbt), params_of(network))
    if as_json:
        print_json(shown)
        return
    click.echo(f"transaction  {shown['txid']}")
    stated = "" if shown["fee_proven"] or shown["fee"] is None else ", as stated: not proven"
    paid = "not known" if shown["fee"] is None else coins(shown["fee"])
    click.echo(f"fee          {paid}{stated}")
    for number, each in enumerate(shown["inputs"]):
        worth = coins(each["value"]) if "value" in each else "an unknown amount"
        click.echo(f"input {number}      {worth}, {each['state']}")
        click.echo(f"  spends     {each['txid']}:{each['vout']}")
        for found in each["keys"]:
            mark = "signed" if found["signed"] else "      "
            click.echo(f"  {mark}     {found['origin']}")
    for number, each in enumerate(shown["outputs"]):
        click.echo(f"output {number}     {coins(each['value'])}")
        click.echo(f"  to         {each['address'] or each['script']}")
    for problem in shown["problems"]:
        click.echo(f"problem      {problem}")


@psbt.command()
@name_argument
@click.argument("psbt", metavar="PSBT")
@click.option(
    "--any-hash-type",
    is_flag=True,
    help="Sign even what leaves inputs or outputs open to change by others.",
)
@click.option(
    "--any-amount",
    is_flag=True,
    help="Believe amounts that the PSBT states without showing where they come from.",
)
@password_option
@consent_options
@json_option
def sign(
    name: str,
    psbt: str,
    any_hash_type: bool,
    any_amount: bool,
    password_file: IO[str] | None,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Sign with the keys of wallet NAME; what is paid is shown first, and asked.

    \b
    Example:
      farthing psbt sign alice payment.psbt > alices.psbt
    """
    # lazy: the help text must not wait for the wallet
    from wallet.psbt.signing import keys_of_master
    from wallet.psbt.signing import sign as sign_psbt

    require_consent(yes, dry_run)
    if psbt == "-" and password_file is not None and password_file.name == "<stdin>":
        fail("PSBT and password can't both come from standard input; put one into a file")
    opened, made = open_wallet(name), read_psbt(psbt)
    preview(made, opened.params, name, opened.owns)
    if dry_run:
        return
    consent("Sign it?", yes)
    master = opened.master(read_opener(opened, password_file))
    find = keys_of_master(master)
    signed, added = sign_psbt(
        made, find, opened.params, any_hash_type=any_hash_type, any_amount=any_amount
    )
    if not added:
        fail(f"wallet '{name}' has no key that is asked for here, or has signed already")
    show(signed, as_json, signatures=added)


@psbt.command()
@click.argument("psbts", metavar="PSBT...", nargs=-1, required=True)
@json_option
def combine(psbts: tuple[str, ...], as_json: bool) -> None:
    """Put together what several signers have added to the same payment.

    \b
    Example:
      farthing psbt combine alices.psbt bobs.psbt > all.psbt
    """
    # lazy: the help text must not wait for the wallet
    from wallet.psbt.packet import combine as combine_psbts

    show(combine_psbts([read_psbt(place) for place in psbts]), as_json)


@psbt.command()
@click.argument("psbt", metavar="PSBT")
@json_option
def finalize(psbt: str, as_json: bool) -> None:
    """Turn signatures into the form that nodes check, wherever there are enough of them.

    \b
    Example:
      farthing psbt finalize all.psbt > final.psbt
    """
    # lazy: the help text must not wait for the wallet
    from wallet.psbt.finish import finalize as finalize_psbt

    done, missing = finalize_psbt(read_psbt(psbt))
    if not as_json:
        for line in missing:
            complain(line)
    show(done, as_json, complete=not missing, missing=list(missing))


@psbt.command()
@click.argument("psbt", metavar="PSBT")
@click.option("--broadcast", is_flag=True, help="Hand it to the node as well; prints its id.")
@node_option
@json_option
def extract(psbt: str, broadcast: bool, node_url: str, as_json: bool) -> None:
    """Print the transaction of a PSBT with signatures enough, as hex. It is checked as nodes do.

    \b
    Example:
      farthing psbt extract all.psbt --broadcast
    """
    # lazy: the help text must not wait for the wallet
    from chain.encoding import display_hash
    from wallet.client import EsploraClient
    from wallet.psbt import finish

    done, missing = finish.finalize(read_psbt(psbt))
    if missing:
        fail("; ".join(missing))
    transaction = finish.extract(done)
    txid = display_hash(transaction.txid)
    if broadcast:
        EsploraClient(node_url).broadcast(transaction)
    if as_json:
        hex_text = transaction.serialize().hex()
        print_json({"txid": txid, "hex": hex_text, "broadcast": broadcast})
    else:
        click.echo(txid if broadcast else transaction.serialize().hex())
