//! A ceremony played on this machine, with real processes: what `quorate demo` and
//! `quorate ceremony rehearse` stand on.
//!
//! An emulator with a development root ([`children`]), people with folders and passphrases of their
//! own ([`cast`]), or a token ([`token`]), one process of this same program for every act of every person ([`party`]), the
//! enclaves' sockets ([`enclave`]), a working folder ([`folder`]), and what is shown meanwhile
//! ([`progress`]).
//!
//! Guarantees: what people do goes through the commands they would type; with the end of a [`Stage`]
//! every process ends and the working folder, with every key in it, is removed.
//!
//! Does not: prove anything about hardware, and cannot touch a real ceremony: it makes its own people,
//! keys and root, and takes none from outside.

pub(crate) mod cast;
pub(crate) mod children;
pub(crate) mod enclave;
pub(crate) mod folder;
pub(crate) mod party;
pub(crate) mod progress;
pub(crate) mod relay;
pub(crate) mod token;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quorate_protocol::message::Phase;

use self::cast::Binaries;
use self::children::{Emulator, EnclaveSockets, Quorate, interrupted};
use self::enclave::{Watch, await_running};
use self::folder::Workshop;
use self::party::Party;
use self::progress::Progress;
use crate::failure::{Failure, Fault};
use crate::files;
use crate::output::{Output, clean};

/// What the manifest says of each application beside its binary.
pub(crate) const APPLICATIONS: [(&str, &str); 4] = [
    (
        "key-generation",
        "memory=268435456,restarts=8,shares=signing",
    ),
    (
        "policy",
        "port=5100,memory=1073741824,restarts=8,calls=key-generation+signing",
    ),
    (
        "replayer",
        "port=5101,memory=268435456,restarts=3,calls=signing",
    ),
    ("signing", "memory=268435456,restarts=8"),
];

/// The ports among them.
const PORTS: [u16; 2] = [5100, 5101];

/// Lines of each console that are shown when something fails.
const CONSOLE_LINES: usize = 20;

/// Set by Ctrl-C and SIGTERM; looked at between steps.
///
/// # Errors
/// If signals cannot be handled.
pub(crate) fn interruption() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    ctrlc::set_handler(move || set.store(true, Ordering::Release)).map_err(|error| {
        Failure::refused(
            Fault::Machine,
            "no-signals",
            format!("signals cannot be handled: {error}"),
            "report it with this text",
        )
    })?;
    Ok(flag)
}

/// Fewer people than the threshold cannot be had.
///
/// # Errors
/// If there are.
pub(crate) fn check_threshold(members: u8, threshold: u8) -> Result<(), Failure> {
    if threshold > members {
        return Err(Failure::usage(
            "threshold-too-large",
            format!("{threshold} of {members} people cannot be had"),
            "choose a --threshold from 2 to --members",
        ));
    }
    Ok(())
}

/// Everything a played ceremony works with, apart from its people.
pub(crate) struct Stage {
    pub(crate) quorate: Quorate,
    pub(crate) binaries: Binaries,
    pub(crate) progress: Progress,
    pub(crate) emulator: Emulator,
    interrupted: Arc<AtomicBool>,
    pub(crate) output: Output,
    // Last, so that it is removed after the emulator has stopped.
    pub(crate) workshop: Workshop,
}

impl Stage {
    /// Makes the working folder and starts the emulator, whose parent instances have that role.
    ///
    /// # Errors
    /// If this machine does not let it.
    pub(crate) fn set(
        binaries: Binaries,
        role: Option<&'static str>,
        output: Output,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Self, Failure> {
        let workshop = Workshop::new()?;
        let quorate = Quorate::find()?;
        let emulator = Emulator::start(
            &quorate,
            &workshop.join("nitro"),
            &workshop.join("emulator.log"),
            role,
        )?;
        Ok(Self {
            quorate,
            binaries,
            progress: Progress::new(output),
            emulator,
            interrupted,
            output,
            workshop,
        })
    }

    /// What the processes have said. It is gone with the folder otherwise.
    pub(crate) fn show_consoles(&self) {
        if self.interrupted.load(Ordering::Acquire) {
            return;
        }
        for (who, file) in [
            ("the emulator", "emulator.log"),
            ("the genesis enclave", "nitro/genesis/console.log"),
            ("the enclave", "nitro/instance/console.log"),
            ("the third enclave", "nitro/successor/console.log"),
        ] {
            let said = files::tail(&self.workshop.join(file), CONSOLE_LINES);
            for line in said {
                self.progress.say(&format!("{who}: {}", clean(&line)));
            }
        }
    }

    /// Runs one step, unless the person has had enough.
    pub(crate) fn step<T>(
        &mut self,
        name: &'static str,
        who: &str,
        run: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.interrupted.load(Ordering::Acquire) {
            return Err(interrupted());
        }
        let pending = self.progress.begin(name, who);
        let outcome = run(self);
        self.progress.end(pending, &outcome);
        // Ctrl-C reaches the processes of a step too: what they died of is not the reason.
        outcome.map_err(|failure| match self.interrupted.load(Ordering::Acquire) {
            true => interrupted(),
            false => failure,
        })
    }

    /// Every duration so far, and the total.
    pub(crate) fn timings(&self) -> BTreeMap<&'static str, Duration> {
        self.progress.timings()
    }

    fn measured(&mut self, name: &'static str, took: Option<Duration>) {
        if let Some(took) = took {
            self.progress.measured(name, took);
        }
    }

    /// Measures what everyone will agree on.
    pub(crate) fn measure(&mut self) -> Result<PathBuf, Failure> {
        self.step("measure", "the emulator measures what will run", |stage| {
            let measured = stage.emulator.measure(&stage.binaries.base)?;
            let path = stage.workshop.join("measurements.json");
            files::write_new(&path, measured.to_string().as_bytes())?;
            Ok(path)
        })
    }

    /// Everyone joins; the coordinator writes the definition.
    pub(crate) fn define(&mut self, party: &Party, measurements: &Path) -> Result<(), Failure> {
        self.step(
            "join",
            "everyone makes keys and introduces themselves",
            |stage| party.join(stage),
        )?;
        self.step(
            "define",
            "the coordinator writes down who takes part",
            |stage| party.define(stage, measurements),
        )
    }

    /// Everyone consents.
    pub(crate) fn consent(&mut self, party: &Party) -> Result<(), Failure> {
        self.step(
            "consent",
            "everyone checks the definition and signs it",
            |stage| party.consent(stage),
        )
    }

    /// An enclave makes the key.
    pub(crate) fn hold_genesis(&mut self, party: &Party) -> Result<EnclaveSockets, Failure> {
        let enclave = self.step("enclave-1", "an enclave without a key starts", |stage| {
            stage
                .emulator
                .start_enclave("genesis", &stage.binaries.base)
        })?;
        let watch = Watch::start(&enclave.public)?;
        self.step(
            "genesis",
            "the enclave draws the key and shares it out",
            |stage| party.hold_genesis(stage, &enclave),
        )?;
        self.measured(
            "genesis_in_enclave",
            watch.between(Phase::Waiting, Phase::Born),
        );
        Ok(enclave)
    }

    /// Everyone checks the key and their own share; then the enclave ends. The digest is the one that
    /// everyone pinned.
    pub(crate) fn receive(
        &mut self,
        party: &Party,
        enclave: &EnclaveSockets,
    ) -> Result<String, Failure> {
        let pin = self.step(
            "receipt",
            "everyone attests it, checks their share, pins the digest",
            |stage| party.receive(stage, enclave),
        )?;
        self.step(
            "forget",
            "the enclave stops; the key exists only in shares",
            |stage| stage.emulator.stop_enclave("genesis"),
        )?;
        Ok(pin)
    }

    /// The coordinator proposes what may run; a threshold approves.
    pub(crate) fn approve(&mut self, party: &Party, measurements: &Path) -> Result<(), Failure> {
        self.step(
            "manifest",
            "the coordinator writes down what may run",
            |stage| party.propose(stage, measurements),
        )?;
        let who = party.threshold_names();
        self.step("approve", &format!("{who} check it and approve"), |stage| {
            party.approve(stage)
        })
    }

    /// Another enclave starts and boots the manifest.
    pub(crate) fn boot(&mut self, party: &Party) -> Result<EnclaveSockets, Failure> {
        let enclave = self.step(
            "enclave-2",
            "another enclave without a key starts",
            |stage| {
                stage
                    .emulator
                    .start_enclave("instance", &stage.binaries.base)
            },
        )?;
        let watch = Watch::start(&enclave.public)?;
        self.step(
            "boot",
            "it checks manifest, approvals, hashes and itself",
            |stage| party.boot(stage, &enclave),
        )?;
        self.measured(
            "boot_to_attestable",
            watch.between(Phase::Waiting, Phase::Collecting),
        );
        Ok(enclave)
    }

    /// These people attest the enclave, each for themselves, and give their shares; with the last one
    /// that is needed it rebuilds the key and starts its applications.
    pub(crate) fn provision(
        &mut self,
        party: &Party,
        who: &[usize],
        enclave: &EnclaveSockets,
    ) -> Result<(), Failure> {
        let names = party.names(who);
        let watch = Watch::start(&enclave.public)?;
        self.step(
            "provision",
            &format!("{names}: attest it, each for themselves, and give"),
            |stage| party.give(stage, who, enclave),
        )?;
        self.step("ready", "the key is rebuilt, the applications run", |_| {
            await_running(&enclave.public)
        })?;
        self.measured(
            "last_share_to_ready",
            watch.between(Phase::Collecting, Phase::Running),
        );
        Ok(())
    }

    /// A stranger verifies evidence, and sees it refused under AWS's root.
    pub(crate) fn verify(&mut self, evidence: &Path, genesis: &str) -> Result<(), Failure> {
        let evidence = show(evidence);
        let command = ["verify", "evidence", &evidence, "--genesis", genesis];
        self.step("verify", "a stranger verifies the evidence", |stage| {
            let root = show(stage.emulator.root());
            let arguments = [&command[..], &["--root", &root]].concat();
            let told = stage.quorate.run(&arguments, None)?;
            if told["verdict"] == "accept" && told["pinned"] == true && told["development"] == true
            {
                return Ok(());
            }
            Err(mistake("the evidence was accepted as something it is not"))
        })?;
        self.step(
            "refuse",
            "under AWS's root it is refused, as it must be",
            |stage| {
                let answer = stage.quorate.ask(&command, None)?;
                let told = &answer.value;
                let cause = &told["error"]["code"];
                if answer.code == Some(1)
                    && told["verdict"] == "reject"
                    && cause == "root-not-trusted"
                {
                    return Ok(());
                }
                Err(mistake(
                    "evidence under a development root was not refused under AWS's root",
                ))
            },
        )
    }

    /// One member signs what everybody did; anyone verifies it. `transcript` is where it goes.
    pub(crate) fn close(
        &mut self,
        party: &Party,
        transcript: &Path,
        genesis: &str,
    ) -> Result<(), Failure> {
        self.step(
            "close",
            "one member signs the transcript of it all",
            |stage| party.sign_transcript(stage),
        )?;
        let transcript = show(transcript);
        self.step(
            "transcript",
            "a stranger verifies the transcript",
            |stage| {
                party.coordinator_alone(stage, "transcript disclose", &["--out", &transcript])?;
                let verify = ["ceremony", "transcript", "verify", &transcript];
                let verify = [&verify[..], &["--genesis", genesis]].concat();
                let told = stage.quorate.run(&verify, None)?;
                if told["ok"] == true && told["development"] == true {
                    return Ok(());
                }
                Err(mistake(
                    "the transcript was accepted as something it is not",
                ))
            },
        )
    }

    /// One page of transcript and evidence.
    pub(crate) fn report(
        &mut self,
        transcript: &Path,
        evidence: &Path,
        genesis: &str,
        out: &Path,
    ) -> Result<(), Failure> {
        let (transcript, evidence, out) = (show(transcript), show(evidence), show(out));
        self.step("report", "and makes a page of it", |stage| {
            let root = show(stage.emulator.root());
            let command = ["ceremony", "report", &transcript, "--genesis", genesis];
            let more = ["--evidence", &evidence, "--root", &root, "--out", &out];
            stage
                .quorate
                .run(&[&command[..], &more].concat(), None)
                .map(drop)
        })
    }
}

/// Something that no input can bring about.
pub(crate) fn mistake(what: &str) -> Failure {
    Failure::refused(
        Fault::Quorate,
        "stage-broken",
        what,
        "report it with this text",
    )
}

pub(crate) fn text(text: &str) -> String {
    text.to_owned()
}

pub(crate) fn show(path: &Path) -> String {
    path.display().to_string()
}
