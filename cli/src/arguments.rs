//! The command line, parsed once into types: commands further in see no text they have to check.
//!
//! Every command's help ends with an example that works in a fresh checkout. `--json` and
//! `--plain` are global and mean the same everywhere.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand, ValueEnum};
use quorate_attestation_report::At;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_verify::attestation::{MAX_OPTIONAL_FIELD_BYTES, Pcr};

pub(crate) use crate::app::App;
pub(crate) use crate::ceremony::{Ceremony, PartitionName};
pub(crate) use crate::egress::EgressProxy;
pub(crate) use crate::emulate::{Console, Emulate};
pub(crate) use crate::enclave::Enclave;
pub(crate) use crate::image::Image;
use crate::later::Later;

/// Largest number of members a demo takes. Shares allow 255; a person watches this.
const DEMO_MEMBERS: i64 = 16;

/// Build, run, provision and verify enclaves whose key is held by a quorum of people.
#[derive(Debug, Parser)]
#[command(
    name = "quorate",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  quorate demo
      the whole path on this machine, under a development root, in seconds
  quorate verify evidence quorate-demo/evidence.cbor --root quorate-demo/development-root.pem
      what a stranger does with the result
  quorate COMMAND --help
      what a command takes, with examples

Exit codes: 0 done or accepted, 1 refused or failed, 2 the command or a file it names is unusable."
)]
pub(crate) struct Arguments {
    /// One line of JSON on standard output, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// No colours and no moving progress (NO_COLOR is honoured too)
    #[arg(long, global = true)]
    pub(crate) plain: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take part in a ceremony: found a namespace, approve what runs, give a share
    #[command(subcommand, arg_required_else_help = true)]
    Ceremony(Later<Ceremony>),
    /// Run the whole path on this machine: genesis, manifest, boot, provision, evidence
    Demo(Later<Demo>),
    /// Verify something offline, trusting nothing but the roots given
    #[command(subcommand, arg_required_else_help = true)]
    Verify(Later<Verify>),
    /// Run enclaves on this machine under a development root: images, or ordinary processes
    Emulate(Later<Emulate>),
    /// Follow what an emulated enclave prints, until it ends
    Console(Later<Console>),
    /// Run enclaves on a Nitro parent instance
    #[command(subcommand, arg_required_else_help = true)]
    Enclave(Later<Enclave>),
    /// Connect enclaves of this machine to where a manifest allows, and nowhere else
    EgressProxy(Later<EgressProxy>),
    /// Check enclave applications
    #[command(subcommand, arg_required_else_help = true)]
    App(Later<App>),
    /// Measure, compare, sign and prove enclave images
    #[command(subcommand, arg_required_else_help = true)]
    Image(Later<Image>),
}

/// Verify something.
#[derive(Debug, Subcommand)]
pub(crate) enum Verify {
    /// Verify an attestation document: is it genuine, and of what enclave?
    Attestation(VerifyAttestation),
    /// Verify an evidence file: what runs, who approved it, who gave the key
    Evidence(VerifyEvidence),
    /// Run a set of attestation documents against what its manifest says of each
    Vectors(VerifyVectors),
}

/// Run a set of attestation documents.
#[derive(Debug, Args)]
#[command(after_help = "\
The manifest is a JSON array with one object a document: its file, its SHA-256, the time of
verification, whether a verifier accepts it, with and without enclaves in debug mode, and what it
says. verify/testdata/attestation/README.md describes every field. Each row that is answered
otherwise is printed, with the field, what was expected and what was found.

Example:
  quorate verify vectors verify/testdata/attestation/manifest.json

Exit codes: 0 all as the manifest says, 1 some not, 2 the manifest or a file it names is unusable.")]
pub(crate) struct VerifyVectors {
    /// The manifest; the files it names are relative to it and may not lie outside its folder
    #[arg(value_name = "MANIFEST.json")]
    pub(crate) manifest: PathBuf,

    /// A root certificate to trust in place of AWS's, PEM or DER, for rows that name none
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Option<PathBuf>,
}

/// Verify an attestation document.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate verify attestation document.bin --nonce 6c1f…e2 --max-age 60 --pcr 0=287b…cc
      now, under AWS's root: does it answer my challenge, and is it the image I expect?
  quorate verify attestation document.bin --at 1767400000 --explain
      a record, as of that moment; with what it shows and what it does not
  quorate verify attestation document.b64 --at signed --policy releases.toml --json
      a record at its own signed time: was it one of our releases? For a program
  quorate verify attestation document.bin --root quorate-demo/development-root.pem
      an emulator's document, under its development root

The document may be raw bytes, Base64 or hexadecimal. Time is this machine's clock, give or take
60 seconds, unless --at names a moment; a document's own time decides nothing unless you ask for it
with --at signed. docs/policy.md describes policy files.

Exit codes: 0 accepted, 1 rejected, 2 the command or a file it names is unusable.")]
pub(crate) struct VerifyAttestation {
    /// The attestation document
    pub(crate) file: PathBuf,

    /// The time at which certificates must be valid and the document signed already: seconds
    /// since 1970, `now`, or `signed` for the document's own signed timestamp, as for a record
    #[arg(long, value_name = "UNIX|now|signed", default_value = "now", value_parser = moment)]
    pub(crate) at: At,

    /// A root certificate to trust in place of AWS's, PEM or DER, at most 64 KiB
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Option<PathBuf>,

    /// Whose security modules that root speaks for
    #[arg(long, value_enum, default_value_t = PartitionName::Development, requires = "root")]
    pub(crate) partition: PartitionName,

    /// The challenge that the document must answer, hexadecimal; 16 bytes or more prove that it
    /// was made for you
    #[arg(long, value_name = "HEX", value_parser = nonce)]
    pub(crate) nonce: Option<Arc<Vec<u8>>>,

    /// How old the document may be, in seconds [default: as long as its certificates last]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) max_age: Option<u64>,

    /// A value that a register must have; given twice for one register, either
    #[arg(long, value_name = "N=HEX", value_parser = expected_pcr)]
    pub(crate) pcr: Vec<ExpectedPcr>,

    /// The IAM role that the parent instance must have (PCR3)
    #[arg(long, value_name = "ARN")]
    pub(crate) role_arn: Option<String>,

    /// Accept an enclave in debug mode, whose memory its host can read. To look, never to trust
    #[arg(long)]
    pub(crate) allow_debug: bool,

    /// What else is expected: registers and releases, as TOML
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,

    /// What the file holds
    #[arg(long, value_enum, default_value_t = InputForm::Auto)]
    pub(crate) input: InputForm,

    /// Say it for a person: what this enclave is, since when, who signed, what it does not prove
    #[arg(long, conflicts_with = "json")]
    pub(crate) explain: bool,
}

/// What a file holds a document as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputForm {
    /// Found out from the file
    Auto,
    /// The bytes themselves
    Raw,
    /// Base64, either alphabet, with or without padding and line breaks
    Base64,
    /// Hexadecimal digits
    Hex,
}

impl From<InputForm> for quorate_attestation_report::input::InputForm {
    fn from(form: InputForm) -> Self {
        match form {
            InputForm::Auto => Self::Auto,
            InputForm::Raw => Self::Raw,
            InputForm::Base64 => Self::Base64,
            InputForm::Hex => Self::Hex,
        }
    }
}

/// A value that a register must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExpectedPcr {
    pub(crate) index: u8,
    pub(crate) value: Pcr,
}

/// Verify an evidence file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate verify evidence evidence.cbor --genesis 9f86d081884c7d65…0f00a08
      genuine evidence, under AWS's root, of the namespace this digest pins
  quorate verify evidence quorate-demo/evidence.cbor --root quorate-demo/development-root.pem
      the demo's evidence; the report says that a development root proves nothing about hardware

Without --genesis the report says \"consistent, not pinned\": the evidence agrees with itself, but
anybody can found a namespace of the same name. Get the digest from the people you trust.

Exit codes: 0 accepted, 1 rejected, 2 the command or a file it names is unusable.")]
pub(crate) struct VerifyEvidence {
    /// The evidence, at most 8 MiB
    pub(crate) file: PathBuf,

    /// A root certificate to trust in place of AWS's, PEM or DER, at most 64 KiB
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Option<PathBuf>,

    /// Whose security modules that root speaks for; evidence that calls it otherwise is rejected
    #[arg(long, value_enum, default_value_t = PartitionName::Development, requires = "root")]
    pub(crate) partition: PartitionName,

    /// What is expected of the instance's measurements besides: registers and releases, as TOML
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,

    /// The namespace's genesis digest, 64 hexadecimal digits, from a source you trust
    #[arg(long, value_name = "HEX", value_parser = genesis)]
    pub(crate) genesis: Option<Digest<Genesis>>,

    /// The time at which certificates must be valid: seconds since 1970, or `now` [default: when
    /// the enclave signed, by the attestation's own signed timestamp]
    #[arg(long, value_name = "UNIX|now", value_parser = at)]
    pub(crate) at: Option<u64>,
}

/// Run the whole path.
#[derive(Debug, Args)]
#[command(after_help = "\
Every person is a process of their own with a folder of their own; only files and the enclave's
sockets pass between them. The enclaves are emulated: the path is real, the hardware is not. With
--machine they are virtual machines that boot the very image a Nitro instance would.

Examples:
  quorate demo
  quorate demo --members 7 --threshold 4 --out /tmp/seven
  quorate demo --machine
      boots target/image/quorate.eif, which `quorate image build` makes
  quorate demo --forward
      ends with the key forwarded to a third enclave
  quorate demo --keep
      leaves the enclave and its application running until Ctrl-C
  quorate demo --json | tail -n 1
      the last line is one JSON object with paths, digest and timings")]
pub(crate) struct Demo {
    /// How many people hold shares and approve manifests
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(2..=DEMO_MEMBERS))]
    pub(crate) members: u8,

    /// How many of them it takes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=DEMO_MEMBERS))]
    pub(crate) threshold: u8,

    /// Where the results go; a folder an earlier demo made is replaced, any other is refused
    #[arg(long, value_name = "DIR", default_value = "quorate-demo")]
    pub(crate) out: PathBuf,

    /// Boot the enclave image in a virtual machine, in place of an ordinary process
    #[arg(long)]
    pub(crate) machine: bool,

    /// The image to boot [default: `image/quorate.eif` in the folder above this program's]
    #[arg(long, value_name = "IMAGE.eif", requires = "machine")]
    pub(crate) image: Option<PathBuf>,

    /// Where `quorate-init-emulated`, `quorate-policy`, `quorate-key-generation`, `quorate-signing`
    /// and `quorate-replayer` are [default: the static release binaries beside this program]
    #[arg(long, value_name = "DIR", env = "QUORATE_BINARIES")]
    pub(crate) binaries: Option<PathBuf>,

    /// At the end, forward the key to a third enclave without any share; the second one ends
    #[arg(long, conflicts_with = "machine")]
    pub(crate) forward: bool,

    /// Leave the system running, print its sockets and wait for Ctrl-C
    #[arg(long)]
    pub(crate) keep: bool,
}

fn genesis(text: &str) -> Result<Digest<Genesis>, &'static str> {
    Digest::from_hex(text).ok_or("a genesis digest is 64 hexadecimal digits")
}

/// A moment by the clock, by name, or by the document.
fn moment(text: &str) -> Result<At, &'static str> {
    match text {
        "signed" => Ok(At::Signed),
        "now" => at(text).map(At::Now),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => at(text).map(At::Unix),
        _ => Err("give seconds since 1970, for example 1767225600, `now` or `signed`"),
    }
}

fn nonce(text: &str) -> Result<Arc<Vec<u8>>, &'static str> {
    const WHAT: &str = "a nonce is 1 to 1024 bytes as hexadecimal digits";
    let digits: Vec<_> = text
        .chars()
        .map(|character| {
            character
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        })
        .collect::<Option<_>>()
        .ok_or(WHAT)?;
    let pairs = digits.chunks_exact(2);
    let right =
        pairs.remainder().is_empty() && (1..=MAX_OPTIONAL_FIELD_BYTES).contains(&pairs.len());
    if !right {
        return Err(WHAT);
    }
    Ok(Arc::new(pairs.map(|pair| pair[0] << 4 | pair[1]).collect()))
}

fn seconds(text: &str) -> Result<u64, &'static str> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .ok_or("give a number of seconds, for example 60")
}

fn expected_pcr(text: &str) -> Result<ExpectedPcr, &'static str> {
    const WHAT: &str = "give a register's number, 0 to 31, and its value as 96 hexadecimal digits";
    let (index, value) = text.split_once('=').ok_or(WHAT)?;
    let digits = (1..=2).contains(&index.len()) && index.bytes().all(|byte| byte.is_ascii_digit());
    let index = digits.then(|| index.parse().ok()).flatten().ok_or(WHAT)?;
    let value = Pcr::from_hex(value).ok_or(WHAT)?;
    Ok(ExpectedPcr { index, value })
}

/// Seconds since 1970.
pub(crate) fn at(text: &str) -> Result<u64, &'static str> {
    if text == "now" {
        return SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map(|elapsed| elapsed.as_secs())
            .map_err(|_| "this machine's clock is before 1970");
    }
    // Only digits: u64's own parser would take a sign.
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("give seconds since 1970, for example 1767225600, or `now`");
    }
    text.parse()
        .map_err(|_| "that many seconds are out of range")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn times_that_are_none_fail_closed() {
        assert_eq!(at("1767225600"), Ok(1_767_225_600));
        for text in [
            "",
            "-1",
            "+1",
            "1.5",
            "soon",
            "0x10",
            "18446744073709551616",
            " 1",
        ] {
            assert!(at(text).is_err(), "{text}");
        }
    }

    #[test]
    fn demands_on_a_document_that_are_none_fail_closed() {
        assert_eq!(moment("signed"), Ok(At::Signed));
        assert_eq!(moment("1767225600"), Ok(At::Unix(1_767_225_600)));
        assert!(matches!(moment("now"), Ok(At::Now(now)) if now > 1_767_225_600));
        for text in ["", "-1", "+1", "1.5", "soon", "NOW", "18446744073709551616"] {
            assert!(moment(text).is_err(), "{text}");
        }
        assert_eq!(nonce("00fF").map(|bytes| bytes.to_vec()), Ok(vec![0, 0xff]));
        assert!(nonce(&"ab".repeat(1024)).is_ok());
        for text in ["", "0", "0g", "+0", "0x00", &"ab".repeat(1025)] {
            assert!(nonce(text).is_err(), "{text}");
        }
        assert_eq!(seconds("060"), Ok(60));
        for text in ["", "-1", "+1", "1s", "18446744073709551616"] {
            assert!(seconds(text).is_err(), "{text}");
        }
        let value = "ab".repeat(48);
        let expected = expected_pcr(&format!("16={value}")).expect("an expectation");
        assert_eq!((expected.index, expected.value), (16, Pcr::new([0xab; 48])));
        for text in [
            "",
            "0",
            "0=",
            "=ab",
            "0=ab",
            &format!("x={value}"),
            &format!("+1={value}"),
            &format!("001={value}"),
            &format!("0={value}0"),
            &format!("0:{value}"),
        ] {
            assert!(expected_pcr(text).is_err(), "{text}");
        }
    }

    #[test]
    fn digests_that_are_none_fail_closed() {
        assert!(genesis(&"ab".repeat(32)).is_ok());
        for text in [
            "",
            "ab",
            &"ab".repeat(33),
            &"zz".repeat(32),
            &format!("+{}", "a".repeat(63)),
        ] {
            assert!(genesis(text).is_err(), "{text}");
        }
    }

    /// Help that shows no example teaches nobody.
    #[test]
    fn every_command_has_an_example() {
        fn walk(command: &clap::Command, path: &str) {
            if command.get_subcommands().next().is_none() {
                let help = command.get_after_help().map(ToString::to_string);
                assert!(help.is_some_and(|help| help.contains("Example")), "{path}");
            }
            // What is hidden is for this program itself and not for people.
            for inner in command.get_subcommands().filter(|c| !c.is_hide_set()) {
                walk(inner, &format!("{path} {}", inner.get_name()));
            }
        }
        // Commands are described to the parser only when they are typed (`Later`), or all are built.
        let mut command = Arguments::command();
        command.build();
        walk(&command, "quorate");
    }
}
