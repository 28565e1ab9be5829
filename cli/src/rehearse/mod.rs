//! `quorate ceremony rehearse`: a ceremony held for practice, with things that go wrong on purpose.
//!
//! The stage is that of `quorate demo` ([`crate::stage`]): the same program, the same steps, an
//! emulator. What can go wrong is in [`fault`], how it is brought about in [`injection`], what is told
//! of it in [`told`].
//!
//! Guarantees: a rehearsal makes its own people, keys, shares and root, and takes none from outside, so
//! it can open no real share; its evidence is verified under its development root and seen to be
//! refused without it, in every rehearsal; a fault that nobody notices, or that is noticed as
//! something else, fails the rehearsal.
//!
//! Does not: run on hardware, or in machines. What the host of a real enclave could do beyond this is
//! in the tests of `quorate-emulator`.

pub(crate) mod arguments;
mod fault;
mod injection;
mod lost_token;
mod told;

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use self::arguments::Rehearse;
use self::fault::Fault;
use self::lost_token::Holder;
use self::told::{Ending, Kept, Told};
use crate::failure::{Exit, Failure};
use crate::files;
use crate::output::{Format, Output, Render as _};
use crate::stage::cast::{Binaries, Machine};
use crate::stage::children::EnclaveSockets;
use crate::stage::folder::{FILE_MAX, Maker, Out, copy};
use crate::stage::party::Party;
use crate::stage::{Stage, check_threshold, interruption, show, text};

/// What a rehearsal's namespace is called. It is no flag: the development root is.
const NAMESPACE: &str = "rehearsal";

/// Runs it.
///
/// # Errors
/// [`Failure`], of a step or of a fault that was not noticed as it must be.
pub(crate) fn run(rehearse: &Rehearse, output: Output) -> Result<Exit, Failure> {
    check_threshold(rehearse.members, rehearse.threshold)?;
    let out = rehearse.out.as_deref();
    let out = out
        .map(|path| Out::check(path, Maker::Rehearsal))
        .transpose()?;
    check_seat(rehearse, output)?;
    let holder = Holder::choose(rehearse)?;
    let binaries = Binaries::find(rehearse.binaries.as_deref(), Machine::No)?;
    let interrupted = interruption()?;
    let stage = Stage::set(binaries, None, output, Arc::clone(&interrupted))?;
    let party = Party::gather(
        &stage.workshop,
        (rehearse.members, rehearse.threshold),
        NAMESPACE,
        rehearse.seat.as_ref(),
    )?;
    let mut rehearsal = Rehearsal {
        faults: rehearse.faults(),
        told: Vec::new(),
        given: Vec::new(),
        holder,
        lost: None,
        stage,
        party,
    };
    let ending = rehearsal
        .perform(out.as_ref())
        .inspect_err(|_| rehearsal.stage.show_consoles())?;
    output.print(&ending)?;
    Ok(Exit::Success)
}

/// Whoever takes a seat needs a terminal, and to see what is written for people.
fn check_seat(rehearse: &Rehearse, output: Output) -> Result<(), Failure> {
    if rehearse.seat.is_none() {
        return Ok(());
    }
    if output.format() == Format::Json || !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "no-terminal",
            "a seat is for a person at a terminal",
            "leave out --json and run it in a terminal, or leave out --seat",
        ));
    }
    Ok(())
}

/// A rehearsal under way.
struct Rehearsal {
    stage: Stage,
    party: Party,
    faults: Vec<Fault>,
    told: Vec<Told>,
    /// Whose shares the present enclave has, as places among the people.
    given: Vec<usize>,
    /// Who brings a token.
    holder: Option<Holder>,
    /// Whose token is lost, as a place among the people.
    lost: Option<usize>,
}

/// How far provisioning came.
enum Provisioned {
    /// The enclave has the key.
    Running(EnclaveSockets),
    /// It has fewer shares than the threshold, and nobody to give another.
    Stopped,
}

impl Rehearsal {
    fn perform(&mut self, out: Option<&Out>) -> Result<Ending, Failure> {
        self.stage.progress.say(&format!(
            "REHEARSAL: {} people, any {} of whom open the key; enclaves are {}, under a \
             development root",
            self.party.people.len(),
            self.party.threshold,
            self.stage.binaries.base.words()
        ));
        self.bring_token()?;
        let measurements = self.stage.measure()?;
        self.stage.define(&self.party, &measurements)?;
        self.wrong_passphrase()?;
        self.stage.consent(&self.party)?;
        let born = self.stage.hold_genesis(&self.party)?;
        self.altered_file(&born)?;
        let genesis = self.stage.receive(&self.party, &born)?;
        self.stage.approve(&self.party, &measurements)?;
        self.debug_enclave()?;
        let enclave = self.stage.boot(&self.party)?;
        let evidence = self.stage.workshop.join("evidence.cbor");
        let stopped = match self.provision(enclave, &genesis)? {
            Provisioned::Running(enclave) => {
                self.collect(&enclave, &evidence)?;
                self.stage.verify(&evidence, &genesis)?;
                false
            }
            Provisioned::Stopped => true,
        };
        let transcript = self.stage.workshop.join("transcript.cbor");
        self.stage.close(&self.party, &transcript, &genesis)?;
        let report = self.stage.workshop.join("report.html");
        if !stopped {
            self.stage
                .report(&transcript, &evidence, &genesis, &report)?;
        }
        let ending = Ending {
            members: self.party.people.len(),
            threshold: self.party.threshold,
            genesis,
            told: std::mem::take(&mut self.told),
            stopped,
            timings: self.stage.timings(),
            kept: out.map(|out| Kept::new(out.path(), stopped)),
        };
        if let Some(out) = out {
            out.publish(&self.files(&ending, &[evidence, transcript, report])?)?;
        }
        Ok(ending)
    }

    /// Everything before the threshold is reached, with what goes wrong meanwhile.
    fn provision(
        &mut self,
        enclave: EnclaveSockets,
        genesis: &str,
    ) -> Result<Provisioned, Failure> {
        self.other_enclave(Fault::OtherPcr)?;
        self.other_enclave(Fault::OtherManifest)?;
        self.stale_attestation(&enclave)?;
        let enclave = self.halted_enclave(enclave)?;
        self.lost_key(&enclave, genesis)?;
        self.bad_share(&enclave)?;
        self.lost_token(&enclave)?;
        let Some(missing) = self.absent_operator(&enclave)? else {
            return Ok(Provisioned::Stopped);
        };
        self.stage.provision(&self.party, &missing, &enclave)?;
        Ok(Provisioned::Running(enclave))
    }

    fn collect(&mut self, enclave: &EnclaveSockets, evidence: &Path) -> Result<(), Failure> {
        let Self { stage, party, .. } = self;
        stage.step("evidence", "anyone collects the evidence", |stage| {
            party
                .coordinator(stage, "evidence", |arguments| {
                    arguments.extend([text("--socket"), show(&enclave.operator)]);
                    arguments.extend([text("--out"), show(evidence)]);
                })
                .map(drop)
        })
    }

    /// Every file that is kept, by its name there.
    fn files(&self, ending: &Ending, made: &[PathBuf]) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        let record = format!("{:#}\n", ending.json()).into_bytes();
        let mut files = vec![("rehearsal.json".into(), record)];
        let root = self.stage.emulator.root();
        for path in made.iter().map(PathBuf::as_path).chain([root]) {
            // Without the key there is no evidence.
            if let (true, Some(name)) = (fs::exists(path).unwrap_or(false), path.file_name()) {
                let bytes = files::read(path, FILE_MAX, "result")?;
                files.push((name.to_string_lossy().into_owned(), bytes));
            }
        }
        copy(&self.party.shared, "ceremony", &mut files)?;
        Ok(files)
    }
}
