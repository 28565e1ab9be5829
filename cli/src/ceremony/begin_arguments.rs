//! The command line of `new`, `next`, `preflight` and `exception`, and of what many steps share.

use std::path::PathBuf;

use clap::Args;
use quorate_protocol::atoms::Name;
use quorate_protocol::definition::AgeLimit;
use quorate_quorum_ceremony::address::Address;

use super::arguments::{Keyed, PartitionName, Shared, age_limit, name};

/// A command that acts.
#[derive(Debug, Args)]
pub(crate) struct Acting {
    /// Check and show everything, then stop: nothing is signed, sent or written
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Begin a ceremony.
#[derive(Debug, Args)]
#[command(after_help = "\
Makes the shared folder with its plan, ceremony.toml. Inside that folder, and in the private folder of
everybody who joins there, no command needs --folder or --private any more. Anybody can change the plan:
what members agree to is the definition made from it, whose fingerprint they compare by voice.

Examples:
  quorate ceremony new --folder ceremony --namespace treasury --members alice,bob,carol \\
      --manifest-threshold 2 --share-threshold 2 --partition aws --measurements measurements.json
  quorate ceremony new --folder rehearsal --namespace rehearsal --members alice,bob,carol \\
      --manifest-threshold 2 --share-threshold 2 --partition development \\
      --root development-root.pem --measurements measurements.json")]
pub(crate) struct NewArguments {
    /// The shared folder to make, or an empty one that is there
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: PathBuf,

    #[command(flatten)]
    pub(crate) acting: Acting,

    /// What people call the namespace; its identity is the genesis digest, never this name
    #[arg(long, value_parser = name)]
    pub(crate) namespace: Name,

    /// Who holds shares, in the order of their indices
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', required = true, value_parser = name)]
    pub(crate) members: Vec<Name>,

    /// Who approves manifests [default: the members]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = name)]
    pub(crate) manifest_members: Option<Vec<Name>>,

    /// How many must approve a manifest, at least 2
    #[arg(long, value_name = "N")]
    pub(crate) manifest_threshold: u8,

    /// How many shares open the key, at least 2
    #[arg(long, value_name = "N")]
    pub(crate) share_threshold: u8,

    /// Seconds for which an attestation is good to members: 60, or up to 1800 where files are carried
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = age_limit)]
    pub(crate) age_limit: AgeLimit,

    /// The attestation root, PEM or DER; built in for `aws`
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Option<PathBuf>,

    /// Whose security modules that root speaks for
    #[arg(long, value_enum)]
    pub(crate) partition: PartitionName,

    /// What the genesis enclave must measure as: JSON with PCR0, PCR1, PCR2, PCR8?, role_arn?
    #[arg(long, value_name = "FILE")]
    pub(crate) measurements: PathBuf,
}

/// Say whose turn it is.
#[derive(Debug, Args)]
#[command(after_help = "\
Compares the shared folder with your pins, asks the enclave it names, and says who can do what now and
what exactly you run. It runs nothing, and asks for no passphrase.

Example, inside the shared folder or your private one:
  quorate ceremony next")]
pub(crate) struct NextArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,

    /// Your private folder [default: that of the workspace]
    #[arg(long, value_name = "DIR")]
    pub(crate) private: Option<PathBuf>,

    /// The enclave's operator socket [default: as the folder says]
    #[arg(long, value_name = "PATH|vsock:CID:PORT")]
    pub(crate) socket: Option<Address>,
}

/// Check everything before the day.
#[derive(Debug, Args)]
#[command(after_help = "\
Looks at your private folder and its modes, your key and whether the passphrase opens it, your pins
beside the folder, the definition's fingerprint, room and clocks, core dumps, the terminal, and whether
the enclave answers. Nothing is signed or sent; what is written to see whether it can be is removed.

Example, inside the shared folder or your private one:
  quorate ceremony preflight

Exit codes: 0 nothing would stop you; 1 something would; 2 the command is unusable.")]
pub(crate) struct PreflightArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) keyed: Keyed,

    /// The enclave's operator socket [default: as the folder says]
    #[arg(long, value_name = "PATH|vsock:CID:PORT")]
    pub(crate) socket: Option<Address>,
}

/// Finish without somebody.
#[derive(Debug, Args)]
#[command(after_help = "\
Where a holder can never give their receipt, those who gave theirs may go on without: all of them sign,
at least one more than open the key and more than half of all holders. The share of whoever is left out
then counts nowhere, in no enclave and for no verifier, until a reshare. It cannot be taken back.

Example:
  quorate ceremony exception --folder ceremony --private ~/quorum")]
pub(crate) struct ExceptionArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) keyed: Keyed,
    #[command(flatten)]
    pub(crate) acting: Acting,
}
