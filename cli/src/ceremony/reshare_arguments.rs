//! The command line of `quorate ceremony reshare` and `rotate`.

use clap::{Args, Subcommand};
use quorate_protocol::atoms::Name;
use quorate_quorum_ceremony::rekey::NewKeys;
use quorate_quorum_ceremony::steps::{reshare::order, rotate};

use super::arguments::{Acting, Keyed, Noting, Shared, Socket, name};

/// One step of a resharing.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
The quorum key stays; the shares become others', under another threshold. Steps:

  order      coordinator     verifies the running enclave, asks it for a nonce, writes what is wanted
  sign       present members consent to it, in each set in which they count
  run        operator        has the enclave make the new shares, each sealed to its member
  receipt    new members     check their new share and sign that they hold it
  rotate     coordinator     writes the manifest that names the new shares (quorate ceremony rotate)
  approve    members         verify and sign it, as every manifest
  destroy    old holders     destroy the share that counts no more, and sign that

Who is new first does `quorate ceremony join --genesis DIGEST`, with the digest another member reads
to them. Who wants new keys and holds their share, on paper or otherwise, needs no resharing:
`quorate ceremony join --new-keys`.

Old shares count until a manifest that names the new ones is approved; from then on the tools refuse
them. As many old holders as the old threshold who kept theirs can still rebuild the key: only another
key ends that.

Example:
  quorate ceremony reshare order --folder ceremony --socket one/operator.sock \\
      --members alice,bob,carol,erin --threshold 3")]
pub(crate) enum Reshare {
    /// Ask a running enclave for a nonce and write the order (coordinator)
    Order(OrderArguments),
    /// Verify the order and consent to it
    Sign(NumberedArguments),
    /// Have the enclave carry the order out (operator)
    Run(RunArguments),
    /// Check your new share and sign that you hold it
    Receipt(NumberedArguments),
    /// Destroy the share that counts no more, and sign that
    Destroy(DestroyArguments),
}

/// Write an order.
#[derive(Debug, Args)]
#[command(after_help = "\
The enclave must run the newest approved manifest and have the key. Its nonce is good for one order
and for 14 days; asking again makes older orders useless, and while an order that was carried out has
not expired it gives no other.

Example:
  quorate ceremony reshare order --folder ceremony --socket one/operator.sock \\
      --members alice,bob,carol,erin --threshold 3")]
pub(crate) struct OrderArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) socket: Socket,
    #[command(flatten)]
    pub(crate) noting: Noting,

    /// Who holds the new shares; who holds one now keeps their index
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', required = true, value_parser = name)]
    pub(crate) members: Vec<Name>,

    /// How many of them open the key, at least 2
    #[arg(long, value_name = "N")]
    pub(crate) threshold: u8,

    /// For how many days from now it can be carried out, at most 14
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    pub(crate) days: u32,
}

impl OrderArguments {
    pub(crate) fn plan(&self) -> order::Plan {
        order::Plan {
            members: self.members.clone(),
            threshold: self.threshold,
            days: self.days,
        }
    }
}

/// Consent to an order, or receive a share of it.
#[derive(Debug, Args)]
#[command(after_help = "\
Everything is verified against what you pinned before your passphrase or PIN is asked for. No enclave
is needed: the folder may have travelled any way.

Example:
  quorate ceremony reshare sign --folder ceremony --private ~/quorum")]
pub(crate) struct NumberedArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) keyed: Keyed,

    /// Which order [default: the newest]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) order: Option<u64>,
}

/// Carry an order out.
#[derive(Debug, Args)]
#[command(after_help = "\
Sends the order with the consents in the folder. Repeat it if the answer was lost: the enclave gives
the same one until the order expires.

Example:
  quorate ceremony reshare run --folder ceremony --socket one/operator.sock")]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) socket: Socket,
    #[command(flatten)]
    pub(crate) noting: Noting,

    /// Which order [default: the newest]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) order: Option<u64>,
}

/// Destroy an old share.
#[derive(Debug, Args)]
#[command(after_help = "\
Signs and publishes that your old share is destroyed, then destroys its file. The record that everybody
has holds the share sealed to your key still: who leaves adds --with-key, and burns what is on paper.

Example:
  quorate ceremony reshare destroy --folder ceremony --private ~/quorum --with-key")]
pub(crate) struct DestroyArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) keyed: Keyed,

    /// Destroy key.cbor too; refused while you have a seat, and for keys in a token
    #[arg(long)]
    pub(crate) with_key: bool,
}

/// Write a manifest that changes people.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes the manifest that follows the newest approved one with other people and nothing else. Another
manifest set needs the thresholds of the old and of the new set; other shares or holders need that of
the present holders besides. A running enclave keeps its manifest: boot another one, and stop the old.

With --new-keys a member keeps name, seats and share, and signs with other keys from then on. Hear the
fingerprint from that member, by voice: whoever has those keys acts in their name. It takes approvals
of both sets, where the member sits in both.

Examples:
  quorate ceremony rotate --folder ceremony --manifest-members alice,bob,erin --manifest-threshold 2
  quorate ceremony rotate --folder ceremony --reshare
  quorate ceremony rotate --folder ceremony --reshare --manifest-members alice,bob,erin
  quorate ceremony rotate --folder ceremony --new-keys dave=3f0a77c1b2d4e596")]
pub(crate) struct RotateArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) noting: Noting,

    /// Who approves manifests from then on [default: as before]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = name)]
    pub(crate) manifest_members: Option<Vec<Name>>,

    /// How many of them must, at least 2 [default: as before]
    #[arg(long, value_name = "N")]
    pub(crate) manifest_threshold: Option<u8>,

    /// Name the shares of a completed resharing [default number: the newest order]
    #[arg(long, value_name = "NUMBER", num_args = 0..=1)]
    #[allow(clippy::option_option, reason = "absent, alone, with a number")]
    pub(crate) reshare: Option<Option<u64>>,

    /// Name the keys with this fingerprint, at least 16 of its digits, for a member; repeatable
    #[arg(long, value_name = "NAME=FINGERPRINT", value_parser = NewKeys::parse, conflicts_with = "reshare")]
    pub(crate) new_keys: Vec<NewKeys>,

    /// For how many days from now it may boot
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    pub(crate) valid_days: u32,
}

impl RotateArguments {
    pub(crate) fn plan(&self) -> rotate::Plan {
        rotate::Plan {
            manifest_members: self.manifest_members.clone(),
            manifest_threshold: self.manifest_threshold,
            reshare: match self.reshare {
                None => rotate::Reshared::Keep,
                Some(None) => rotate::Reshared::Newest,
                Some(Some(number)) => rotate::Reshared::Order(number),
            },
            new_keys: self.new_keys.clone(),
            valid_days: self.valid_days,
        }
    }
}
