//! The command line of `quorate ceremony surrogate`.

use clap::{Args, Subcommand};
use quorate_protocol::atoms::Name;
use quorate_quorum_ceremony::steps::surrogate::name as naming;

use super::arguments::{Acting, Keyed, Shared, name};

/// Acting for a member.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
A surrogate acts for one member, under one manifest, until a moment of the enclave's time. Steps:

  join     surrogate   makes keys, with --genesis and the digest that a member reads to them
  name     member      signs for whom, for which manifest, and for how many days
  share    member      gives the surrogate their share; this CANNOT BE TAKEN BACK before the next resharing
  accept   surrogate   checks that share and keeps it
  approve, provision   surrogate   as a member does; they find the delegation by themselves

What a surrogate does counts as the member's, once. A surrogate is nobody of the sets and acts for one
member only, and approves no manifest that changes a set or the shares. When their time is over their
approval counts only under a later manifest that members approved with their own keys.

Example:
  quorate ceremony surrogate name grace --days 3")]
pub(crate) enum Surrogate {
    /// Let somebody act for you, for one manifest
    Name(NameArguments),
    /// Give your surrogate your share; cannot be taken back before the next resharing
    Share(ShareArguments),
    /// Check the share that a member gave you as their surrogate, and keep it
    Accept(AcceptArguments),
    /// Show who acts for whom
    List(ListArguments),
}

/// Let somebody act.
#[derive(Debug, Args)]
#[command(after_help = "\
Takes the keys of the card that they put into the folder. A delegation cannot be taken back before its
end; what you do yourself first, they cannot do any more.

Example:
  quorate ceremony surrogate name grace --days 3")]
pub(crate) struct NameArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) keyed: Keyed,

    /// Who shall act for you; not a member
    #[arg(value_name = "NAME", value_parser = name)]
    pub(crate) surrogate: Name,

    /// For which manifest [default: the newest in the folder]
    #[arg(long, value_name = "SEQUENCE")]
    pub(crate) manifest: Option<u64>,

    /// For how many days from now, at most 14
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    pub(crate) days: u32,
}

impl NameArguments {
    pub(crate) fn plan(&self) -> naming::Plan {
        naming::Plan {
            surrogate: self.surrogate.clone(),
            sequence: self.manifest,
            days: self.days,
        }
    }
}

/// Give the share.
#[derive(Debug, Args)]
#[command(after_help = "\
Seals your share to the key in your delegation. Who has a share once has it for good: it is of no use
only when a resharing has made others and a manifest names them.

Example:
  quorate ceremony surrogate share grace")]
pub(crate) struct ShareArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) keyed: Keyed,

    /// Your surrogate
    #[arg(value_name = "NAME", value_parser = name)]
    pub(crate) surrogate: Name,

    /// For which manifest [default: the newest in the folder]
    #[arg(long, value_name = "SEQUENCE")]
    pub(crate) manifest: Option<u64>,
}

/// Take the share.
#[derive(Debug, Args)]
#[command(after_help = "\
Verifies the delegation and the share against what you pinned and against the commitments.

Example:
  quorate ceremony surrogate accept")]
pub(crate) struct AcceptArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) keyed: Keyed,

    /// For which manifest [default: the newest in the folder]
    #[arg(long, value_name = "SEQUENCE")]
    pub(crate) manifest: Option<u64>,
}

/// Show who acts.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  quorate ceremony surrogate list --folder ceremony")]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
}
