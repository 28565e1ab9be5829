//! The command line of `quorate ceremony transcript` and `report`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_transcript::Fingerprint;
use quorate_transcript::disclose::Selection;

use super::arguments::{Acting, Keyed, PartitionName, Shared};
use super::transcript::{selection, told};

/// What can be done with a transcript.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
A transcript is what the members did and saw: each signs a chain of records of their own, and each
record names the newest records of the others. So a record that was removed, altered, moved or
forked is noticed by whatever came after it, and the fingerprint names all of it.

  at the end of a ceremony   every member: quorate ceremony transcript sign
  then, by voice             one member reads the words, the others compare
  to an auditor              disclose a file; they verify it against the words they heard

Example:
  quorate ceremony transcript verify --folder ceremony")]
pub(crate) enum Transcript {
    /// Verify a transcript, offline and without a private folder
    Verify(VerifyArguments),
    /// Show the fingerprint in words, to be read aloud
    Words(WordsArguments),
    /// Show every record, causes first
    Show(VerifyArguments),
    /// Read every record on a screen
    Browse(VerifyArguments),
    /// Write a copy to a file, with some lines withheld
    Disclose(DiscloseArguments),
    /// Sign what waits, and a record that names everybody's newest
    Sign(SignArguments),
}

/// Where a transcript is.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Source {
    /// A transcript file, at most 16 MiB
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// A ceremony's shared folder [default: the workspace this is run in]
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}

/// What a reader knows from elsewhere.
#[derive(Debug, Args)]
pub(crate) struct Pinned {
    /// The namespace's genesis digest, 64 hexadecimal digits, from a source you trust
    #[arg(long, value_name = "HEX", value_parser = genesis)]
    pub(crate) genesis: Option<Digest<Genesis>>,

    /// The definition's fingerprint, for a ceremony without a genesis record
    #[arg(long, value_name = "HEX", value_parser = definition)]
    pub(crate) definition: Option<Digest<Definition>>,

    /// The transcript's fingerprint as it was read to you: 32 words in quotes, or 64 hexadecimal
    /// digits
    #[arg(long, value_name = "WORDS|HEX", value_parser = told)]
    pub(crate) fingerprint: Option<Fingerprint>,
}

/// Verify a transcript.
#[derive(Debug, Args)]
#[command(after_help = "\
Checks every signature, every chain, that everything a record names is there, and that each line that
is shown is the one that was signed. Members' keys come from the definition and from the manifests
they approved, which are verified as well. What is odd about clocks is noted: clocks are claims.

Without --genesis or --definition the transcript can only be consistent: anyone can make one of
people of their own. Without --fingerprint the newest records could have been left out.

Examples:
  quorate ceremony transcript verify --folder ceremony
  quorate ceremony transcript verify transcript.cbor --genesis 2f0c… --fingerprint 'aardvark …'

Exit codes: 0 it holds, 1 it does not (the first record that is wrong is named), 2 the command or
the file is unusable.")]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) pinned: Pinned,
}

/// Show the words.
#[derive(Debug, Args)]
#[command(after_help = "\
The words are of the PGP word list: two syllables at odd numbers, three at even ones, so that a word
that is left out or said twice is noticed. All 32 are compared.

Example:
  quorate ceremony transcript words --folder ceremony")]
pub(crate) struct WordsArguments {
    #[command(flatten)]
    pub(crate) source: Source,
}

/// Write a copy.
#[derive(Debug, Args)]
#[command(after_help = "\
A line that is withheld is only its salted digest in the copy. The signatures and the fingerprint
stay the same, so the words that were read still hold. Who wrote a record, when, of what kind, and
how many lines it has is always shown; so are the definition, the genesis record and the manifests.

A selection is all, kind:KIND, NAME, NAME/RECORD or NAME/RECORD/LINE, with the numbers that `show`
prints. Kinds: tool object document register nonce age attested module root safe refused during
share count role token file remark.

Examples:
  quorate ceremony transcript disclose --folder ceremony --out transcript.cbor
  quorate ceremony transcript disclose --folder ceremony --out public.cbor \\
      --withhold kind:token --withhold kind:module --withhold alice/4/2
  quorate ceremony transcript disclose --folder ceremony --out one.cbor --withhold all --open bob/3")]
pub(crate) struct DiscloseArguments {
    #[command(flatten)]
    pub(crate) source: Source,

    /// Lines to withhold, repeatable
    #[arg(long, value_name = "SELECTION", value_parser = selection)]
    pub(crate) withhold: Vec<Selection>,

    /// Lines to show all the same, repeatable
    #[arg(long, value_name = "SELECTION", value_parser = selection)]
    pub(crate) open: Vec<Selection>,

    /// Where to write it; a different file that is there is not replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Sign the transcript.
#[derive(Debug, Args)]
#[command(after_help = "\
Verifies the transcript against your pins, signs what you did without your key since your last step
(`attest`, refusals, what you did as coordinator), and, where others have news, a record that names
the newest of each. Run it at the end of a ceremony: after it nobody can leave out what came before.

Example:
  quorate ceremony transcript sign --folder ceremony --private ~/quorum")]
pub(crate) struct SignArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) keyed: Keyed,
}

/// Make the report.
#[derive(Debug, Args)]
#[command(after_help = "\
Verifies the transcript first; nothing is reported of one that does not hold. The page holds no
script and fetches nothing; everything from the ceremony's objects is escaped. Under a development
root it says so on every section. With --json the same facts go to standard output.

Examples:
  quorate ceremony report --folder ceremony --out report.html
  quorate ceremony report transcript.cbor --genesis 2f0c… --evidence evidence.cbor --out report.html

Exit codes: 0 written; 1 the transcript does not hold, or the evidence is rejected (the page says
so); 2 the command or a file is unusable.")]
pub(crate) struct ReportArguments {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) pinned: Pinned,

    /// Evidence of an instance, to be verified and summed up
    #[arg(long, value_name = "FILE")]
    pub(crate) evidence: Option<PathBuf>,

    /// A root certificate to trust for it in place of AWS's, PEM or DER
    #[arg(long, value_name = "FILE", requires = "evidence")]
    pub(crate) root: Option<PathBuf>,

    /// Whose security modules that root speaks for
    #[arg(long, value_enum, default_value_t = PartitionName::Development, requires = "root")]
    pub(crate) partition: PartitionName,

    /// Where to write the page; a different file that is there is not replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

fn genesis(text: &str) -> Result<Digest<Genesis>, &'static str> {
    Digest::from_hex(text).ok_or("a genesis digest is 64 hexadecimal digits")
}

fn definition(text: &str) -> Result<Digest<Definition>, &'static str> {
    Digest::from_hex(text).ok_or("a fingerprint is 64 hexadecimal digits")
}
