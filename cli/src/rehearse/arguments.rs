//! The command line of `quorate ceremony rehearse`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::TypedValueParser as _;
use quorate_protocol::atoms::Name;

use super::fault::Fault;

/// Largest number of members: as in a demo.
const MEMBERS: i64 = 16;

/// Rehearse a ceremony.
#[derive(Debug, Args)]
#[command(after_help = "\
Plays a whole ceremony on this machine with this same program: an emulated enclave under a development
root made on the spot, a process for every act of every person. Nothing of a real ceremony is used or
touched, and what comes out is refused by every verifier that was not given that root.

With --fault something goes wrong on purpose. You see what the member would see, what helps is done,
and the rehearsal goes on, or stops where a ceremony must:

  wrong-passphrase   altered-file     debug-enclave    other-pcr    other-manifest
  stale-attestation  halted-enclave   lost-key         bad-share    lost-token
  absent-operator

For lost-token one member's keys are in a token of SoftHSM, made for this rehearsal alone; the package
is softhsm2. Without SoftHSM nothing begins. Where --members is no more than --threshold nobody can
stand in for a lost token or an absent operator: you see how the ceremony stops, and what is left to do.

With --seat NAME you are one of the members: you type what that member types, and choose their
passphrase; the others are played.

Examples:
  quorate ceremony rehearse
  quorate ceremony rehearse --members 5 --threshold 3 --fault bad-share --fault absent-operator
  quorate ceremony rehearse --members 3 --threshold 3 --fault lost-token
  quorate ceremony rehearse --fault all --out rehearsal
  quorate ceremony rehearse --seat nora

Exit codes: 0 all went as it must, with every fault noticed; 1 it did not; 2 the command is unusable.")]
pub(crate) struct Rehearse {
    /// How many people hold shares and approve manifests
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(2..=MEMBERS))]
    pub(crate) members: u8,

    /// How many of them it takes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=MEMBERS))]
    pub(crate) threshold: u8,

    /// What goes wrong; repeatable, or `all`
    #[arg(long, value_name = "NAME", value_parser = fault())]
    pub(crate) fault: Vec<Faults>,

    /// SoftHSM's module, for lost-token [default: where packages put libsofthsm2.so]
    #[arg(long, value_name = "FILE")]
    pub(crate) module: Option<PathBuf>,

    /// Take part yourself, under this name
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) seat: Option<Name>,

    /// Keep evidence, transcript, report and what happened; a folder an earlier rehearsal made is
    /// replaced, any other is refused [default: nothing is kept]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Where `quorate-init-emulated`, `quorate-policy`, `quorate-key-generation`, `quorate-signing`
    /// and `quorate-replayer` are [default: the static release binaries beside this program]
    #[arg(long, value_name = "DIR", env = "QUORATE_BINARIES")]
    pub(crate) binaries: Option<PathBuf>,
}

/// One fault, or every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Faults {
    /// Every one.
    All,
    /// This one.
    One(Fault),
}

impl Rehearse {
    /// What goes wrong, each once, in the order in which it is injected.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let wanted = |fault: &Fault| {
            let given = self.fault.iter();
            given
                .clone()
                .any(|one| matches!(one, Faults::All) || *one == Faults::One(*fault))
        };
        Fault::ALL.into_iter().filter(wanted).collect()
    }
}

fn fault() -> impl clap::builder::TypedValueParser<Value = Faults> {
    let words = Fault::ALL.map(Fault::word).into_iter().chain(["all"]);
    clap::builder::PossibleValuesParser::new(words).map(|word| {
        let named = Fault::ALL.into_iter().find(|fault| fault.word() == word);
        named.map_or(Faults::All, Faults::One)
    })
}

fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|rule| rule.to_string())
}
