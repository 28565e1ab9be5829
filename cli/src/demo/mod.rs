//! `quorate demo`: the whole path on this machine, with real processes.
//!
//! An emulator with a development root, an enclave that makes the key, one process for every act of
//! every person, an enclave that is given the key, three applications in it that make a wallet and
//! sign a transfer, and a stranger who verifies the evidence. What people do goes through the same commands they would type; this file
//! only says who does what, in which order, and shows it.
//!
//! Guarantees: nothing is left behind but the results; with the first failure everything ends.
//!
//! Does not: prove anything about hardware. The root is a development root, and everything says so.

mod cast;
mod children;
mod client;
mod enclave;
mod folder;
mod progress;
mod results;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quorate_protocol::message::Phase;
use serde_json::Value;

use self::cast::{Binaries, Person};
use self::children::{Emulator, EnclaveSockets, Quorate, each, interrupted};
use self::client::{Client, Outcomes};
use self::enclave::{Watch, await_running};
use self::folder::Out;
pub(crate) use self::folder::Workshop;
use self::progress::Progress;
use self::results::Results;
use crate::arguments::Demo;
use crate::failure::{Exit, Failure, Fault};
use crate::files;
use crate::output::{Output, clean};

/// What the manifest says of each application beside its binary.
const APPLICATIONS: [(&str, &str); 4] = [
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

/// The role of the parent instances of a demo that forwards the key: an enclave gives it only to one
/// of its own role.
const ROLE: &str = "arn:aws:iam::000000000000:role/demo";

/// Lines of each console that are shown when the demo fails.
const CONSOLE_LINES: usize = 20;

/// Runs it.
pub(crate) fn run(demo: &Demo, output: Output) -> Result<Exit, Failure> {
    if demo.threshold > demo.members {
        return Err(Failure::usage(
            "threshold-too-large",
            format!(
                "{} of {} people cannot be had",
                demo.threshold, demo.members
            ),
            "choose a --threshold from 2 to --members",
        ));
    }
    let out = Out::check(&demo.out)?;
    let binaries = Binaries::find(demo)?;
    let interrupted = interruption()?;
    let stage = Stage::set(demo, binaries, output, Arc::clone(&interrupted))?;
    stage.play(&out, demo.keep, &interrupted)
}

/// Set by Ctrl-C and SIGTERM; looked at between steps.
fn interruption() -> Result<Arc<AtomicBool>, Failure> {
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

/// Everything a demo works with.
struct Stage {
    quorate: Quorate,
    binaries: Binaries,
    people: Vec<Person>,
    threshold: u8,
    role: Option<&'static str>,
    shared: PathBuf,
    progress: Progress,
    emulator: Emulator,
    interrupted: Arc<AtomicBool>,
    output: Output,
    // Last, so that it is removed after the emulator has stopped.
    workshop: Workshop,
}

impl Stage {
    fn set(
        demo: &Demo,
        binaries: Binaries,
        output: Output,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Self, Failure> {
        let workshop = Workshop::new()?;
        let quorate = Quorate::find()?;
        let people = cast::people(&workshop, demo.members)?;
        let emulator = Emulator::start(
            &quorate,
            &workshop.join("nitro"),
            &workshop.join("emulator.log"),
        )?;
        Ok(Self {
            quorate,
            binaries,
            people,
            threshold: demo.threshold,
            role: demo.forward.then_some(ROLE),
            shared: workshop.join("ceremony"),
            progress: Progress::new(output),
            emulator,
            interrupted,
            output,
            workshop,
        })
    }

    fn play(mut self, out: &Out, keep: bool, interrupted: &AtomicBool) -> Result<Exit, Failure> {
        let enclave = self.perform(out).inspect_err(|_| self.show_consoles())?;
        if keep {
            self.keep(&enclave, interrupted);
        }
        Ok(Exit::Success)
    }

    fn perform(&mut self, out: &Out) -> Result<EnclaveSockets, Failure> {
        let (members, threshold) = (self.people.len(), self.threshold);
        self.progress.say(&format!(
            "{members} people, any {threshold} of whom open the key; \
             enclaves are {}, under a development root",
            self.binaries.base.words()
        ));
        let measurements = self.measure()?;
        self.found(&measurements)?;
        let genesis = self.genesis()?;
        self.approve(&measurements)?;
        let enclave = self.boot()?;
        self.provision(&enclave)?;
        let outcomes = self.wallet(&enclave, &genesis)?;
        let results = self.prove(&enclave, genesis, outcomes)?;
        self.verify(&results)?;
        let enclave = match self.role {
            Some(_) => self.forward(&enclave, &results)?,
            None => enclave,
        };
        self.record(&results)?;
        self.step("publish", "the results are put in place", |stage| {
            out.publish(&results.files(stage.emulator.root())?)
        })?;
        let finished = results.finish(out.path(), self.progress.timings());
        self.output.print(&finished)?;
        Ok(enclave)
    }

    /// What the processes of a demo that failed have said. It is gone with the folder otherwise.
    fn show_consoles(&self) {
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
    fn step<T>(
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

    /// Measures what everyone will agree on.
    fn measure(&mut self) -> Result<PathBuf, Failure> {
        self.step("measure", "the emulator measures what will run", |stage| {
            let mut measured = stage.emulator.measure(&stage.binaries.base)?;
            if let (Some(role), Some(object)) = (stage.role, measured.as_object_mut()) {
                object.insert("role_arn".into(), role.into());
            }
            let path = stage.workshop.join("measurements.json");
            files::write_new(&path, measured.to_string().as_bytes())?;
            Ok(path)
        })
    }

    /// Everyone joins; the coordinator writes the definition; everyone consents.
    fn found(&mut self, measurements: &Path) -> Result<(), Failure> {
        self.step(
            "join",
            "everyone makes keys and introduces themselves",
            |stage| {
                stage.everyone("join", None, |person| {
                    vec!["--name".into(), person.name.into()]
                })
            },
        )?;
        self.step(
            "define",
            "the coordinator writes down who takes part",
            |stage| {
                let names: Vec<_> = stage.people.iter().map(|p| p.name).collect();
                let threshold = stage.threshold.to_string();
                stage.coordinator("define", |arguments| {
                    arguments
                        .extend(["--namespace", "demo", "--partition", "development"].map(text));
                    arguments.extend([text("--members"), names.join(",")]);
                    arguments.extend([text("--manifest-threshold"), threshold.clone()]);
                    arguments.extend([text("--share-threshold"), threshold.clone()]);
                    arguments.extend([text("--root"), show(stage.emulator.root())]);
                    arguments.extend([text("--measurements"), show(measurements)]);
                })
            },
        )?;
        self.step(
            "consent",
            "everyone checks the definition and signs it",
            |stage| stage.everyone("consent", None, |_| Vec::new()),
        )
        .map(drop)
    }

    /// An enclave makes the key; everyone checks it and their own share. The digest is the one that
    /// everyone pinned.
    fn genesis(&mut self) -> Result<String, Failure> {
        let enclave = self.step("enclave-1", "an enclave without a key starts", |stage| {
            stage.start_enclave("genesis")
        })?;
        let watch = Watch::start(&enclave.public)?;
        self.step(
            "genesis",
            "the enclave draws the key and shares it out",
            |stage| {
                stage.coordinator("genesis", |arguments| {
                    arguments.extend([text("--socket"), show(&enclave.operator)]);
                })
            },
        )?;
        self.measured(
            "genesis_in_enclave",
            watch.between(Phase::Waiting, Phase::Born),
        );
        let receipts = self.step(
            "receipt",
            "everyone attests it, checks their share, pins the digest",
            |stage| {
                stage.everyone("receipt", None, |_| {
                    vec![text("--socket"), show(&enclave.operator)]
                })
            },
        )?;
        self.step(
            "forget",
            "the enclave stops; the key exists only in shares",
            |stage| stage.emulator.stop_enclave("genesis"),
        )?;
        let pins: BTreeSet<_> = receipts
            .iter()
            .map(|told| told["genesis"].as_str())
            .collect();
        match pins.into_iter().collect::<Vec<_>>()[..] {
            [Some(pin)] => Ok(pin.to_owned()),
            _ => Err(mistake("the members did not pin one genesis digest")),
        }
    }

    /// The coordinator proposes what may run; a threshold approves.
    fn approve(&mut self, measurements: &Path) -> Result<(), Failure> {
        self.step(
            "manifest",
            "the coordinator writes down what may run",
            |stage| {
                let binaries = &stage.binaries;
                let entries = APPLICATIONS.map(|(name, rest)| {
                    format!("{name}={},{rest}", binaries.application(name).display())
                });
                stage.coordinator("manifest", |arguments| {
                    arguments.extend([text("--measurements"), show(measurements)]);
                    for entry in entries {
                        arguments.extend([text("--application"), entry]);
                    }
                    if stage.role.is_some() {
                        arguments.extend(["--forward", "1"].map(text));
                    }
                })
            },
        )?;
        let who = self.threshold_names();
        self.step("approve", &format!("{who} check it and approve"), |stage| {
            let threshold = usize::from(stage.threshold);
            stage.everyone("approve", Some(threshold), |_| Vec::new())
        })
        .map(drop)
    }

    fn boot(&mut self) -> Result<EnclaveSockets, Failure> {
        let enclave = self.step(
            "enclave-2",
            "another enclave without a key starts",
            |stage| stage.start_enclave("instance"),
        )?;
        let watch = Watch::start(&enclave.public)?;
        self.step(
            "boot",
            "it checks manifest, approvals, hashes and itself",
            |stage| stage.boot_enclave(&enclave),
        )?;
        self.measured(
            "boot_to_attestable",
            watch.between(Phase::Waiting, Phase::Collecting),
        );
        Ok(enclave)
    }

    /// A threshold of people attest the enclave, each for themselves, and give their shares.
    fn provision(&mut self, enclave: &EnclaveSockets) -> Result<(), Failure> {
        let who = self.threshold_names();
        let watch = Watch::start(&enclave.public)?;
        self.step(
            "provision",
            &format!("{who} attest it and give their shares"),
            |stage| {
                let threshold = usize::from(stage.threshold);
                stage.everyone("provision", Some(threshold), |_| {
                    vec![text("--socket"), show(&enclave.operator)]
                })
            },
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

    /// An owner has a wallet made and a transfer signed; what must be refused is.
    fn wallet(&mut self, enclave: &EnclaveSockets, genesis: &str) -> Result<Outcomes, Failure> {
        let sockets = enclave.directory.clone();
        let mut client = self.step(
            "organize",
            "an owner founds an organization with a spending limit",
            |_| Client::found(&sockets, genesis),
        )?;
        let mut wallet = self.step("wallet", "key-generation makes it a wallet", |_| {
            client.wallet()
        })?;
        let account = match wallet.accounts.pop() {
            Some(account) if wallet.accounts.is_empty() => account,
            _ => return Err(mistake("the wallet has not the one account asked for")),
        };
        let transfer = self.step("sign", "policy allows a transfer, signing signs it", |_| {
            client.transfer(&account)
        })?;
        let denied = self.step(
            "deny",
            "one wei over the limit is refused by policy",
            |_| client.too_much(&account),
        )?;
        let replayed = self.step(
            "replay",
            "the ticket shown again is refused by signing",
            |_| client.replay(&account, &transfer),
        )?;
        Ok(client.finish(&account, transfer, &denied, replayed))
    }

    /// The evidence is collected, with what the applications stated.
    fn prove(
        &mut self,
        enclave: &EnclaveSockets,
        genesis: String,
        outcomes: Outcomes,
    ) -> Result<Results, Failure> {
        let collected = self.workshop.join("boot-proof.cbor");
        self.step("evidence", "anyone collects the evidence", |stage| {
            stage.coordinator("evidence", |arguments| {
                arguments.extend([text("--socket"), show(&enclave.operator)]);
                arguments.extend([text("--out"), show(&collected)]);
            })
        })?;
        let complete = self.workshop.join("evidence.cbor");
        Results::collect(&collected, &complete, outcomes, &self.shared, genesis)
    }

    /// A stranger verifies the evidence, and sees it refused under AWS's root.
    fn verify(&mut self, results: &Results) -> Result<(), Failure> {
        let evidence = show(results.evidence());
        let pin = results.genesis().to_owned();
        let command = ["verify", "evidence", &evidence, "--genesis", &pin];
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

    /// The key goes on to a third enclave, which is given no share; the second one ends. A stranger
    /// verifies the evidence of the third.
    fn forward(
        &mut self,
        from: &EnclaveSockets,
        results: &Results,
    ) -> Result<EnclaveSockets, Failure> {
        let to = self.step(
            "enclave-3",
            "a third enclave without a key starts",
            |stage| stage.start_enclave("successor"),
        )?;
        self.step(
            "boot-3",
            "it checks the same manifest, and itself",
            |stage| stage.boot_enclave(&to),
        )?;
        self.step(
            "forward",
            "the second verifies it, gives it the key and ends",
            |stage| {
                stage.coordinator("forward", |arguments| {
                    arguments.extend([text("--from"), show(&from.operator)]);
                    arguments.extend([text("--to"), show(&to.operator)]);
                })
            },
        )?;
        self.step("ready-3", "the applications run in the third", |_| {
            await_running(&to.public)
        })?;
        let (evidence, pin) = (
            show(&results.beside(results::SUCCESSOR)),
            results.genesis().to_owned(),
        );
        self.step(
            "verify-3",
            "a stranger verifies where its key came from",
            |stage| {
                stage.coordinator("evidence", |arguments| {
                    arguments.extend([text("--socket"), show(&to.operator)]);
                    arguments.extend([text("--out"), evidence.clone()]);
                })?;
                let root = show(stage.emulator.root());
                let command = ["verify", "evidence", &evidence, "--genesis", &pin];
                let arguments = [&command[..], &["--root", &root]].concat();
                let told = stage.quorate.run(&arguments, None)?;
                if told["verdict"] == "accept" && told["facts"]["forwarded_from"].is_object() {
                    return Ok(());
                }
                Err(mistake("the evidence does not say where the key came from"))
            },
        )?;
        Ok(to)
    }

    /// One member signs what everybody did; anyone verifies it and makes the report.
    fn record(&mut self, results: &Results) -> Result<(), Failure> {
        self.step(
            "close",
            "one member signs the transcript of it all",
            |stage| stage.everyone("transcript sign", Some(1), |_| Vec::new()),
        )?;
        let transcript = show(&results.beside("transcript.cbor"));
        let pin = results.genesis().to_owned();
        self.step(
            "transcript",
            "a stranger verifies the transcript",
            |stage| {
                stage.coordinator_alone("transcript disclose", &["--out", &transcript])?;
                let verify = [
                    "ceremony",
                    "transcript",
                    "verify",
                    &transcript,
                    "--genesis",
                    &pin,
                ];
                let told = stage.quorate.run(&verify, None)?;
                if told["ok"] == true && told["development"] == true {
                    return Ok(());
                }
                Err(mistake(
                    "the transcript was accepted as something it is not",
                ))
            },
        )?;
        let (evidence, out) = (
            show(results.evidence()),
            show(&results.beside("report.html")),
        );
        self.step("report", "and makes a page of it", |stage| {
            let root = show(stage.emulator.root());
            let command = ["ceremony", "report", &transcript, "--genesis", &pin];
            let more = ["--evidence", &evidence, "--root", &root, "--out", &out];
            stage
                .quorate
                .run(&[&command[..], &more].concat(), None)
                .map(drop)
        })
    }

    /// Leaves the system running until the person has had enough.
    fn keep(&self, enclave: &EnclaveSockets, interrupted: &AtomicBool) {
        let say = |line: String| self.progress.say(&line);
        say(format!("operators    {}", enclave.operator.display()));
        say(format!("public       {}", enclave.public.display()));
        say(format!(
            "policy       {}",
            enclave.directory.join("port-5100.sock").display()
        ));
        say(format!("ceremony     {}", self.shared.display()));
        say("running until Ctrl-C".into());
        while !interrupted.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn threshold_names(&self) -> String {
        let people = self.people.iter().take(self.threshold.into());
        people.map(|p| p.name).collect::<Vec<_>>().join(", ")
    }

    fn measured(&mut self, name: &'static str, took: Option<Duration>) {
        if let Some(took) = took {
            self.progress.measured(name, took);
        }
    }

    /// One step of everyone, or of the first `count`, each in a process of their own.
    fn everyone(
        &self,
        step: &str,
        count: Option<usize>,
        more: impl Fn(&Person) -> Vec<String> + Sync,
    ) -> Result<Vec<Value>, Failure> {
        let people = self
            .people
            .get(..count.unwrap_or(self.people.len()))
            .unwrap_or_default();
        each(people, |person| {
            let mut arguments = vec![text("ceremony")];
            arguments.extend(step.split(' ').map(text));
            arguments.extend([text("--folder"), show(&self.shared)]);
            arguments.extend([text("--private"), show(&person.private)]);
            arguments.extend(more(person));
            arguments.extend([text("--passphrase-file"), text("-")]);
            let answer = self.quorate.run(&arguments, Some(&person.passphrase));
            answer.map_err(|failure| failure.during(person.name))
        })
    }

    fn start_enclave(&mut self, name: &str) -> Result<EnclaveSockets, Failure> {
        let base = &self.binaries.base;
        self.emulator.start_enclave(name, base, self.role)
    }

    fn boot_enclave(&self, enclave: &EnclaveSockets) -> Result<(), Failure> {
        let binaries = &self.binaries;
        let entries = APPLICATIONS
            .map(|(name, _)| format!("{name}={}", binaries.application(name).display()));
        self.coordinator("boot", |arguments| {
            arguments.extend([text("--socket"), show(&enclave.operator)]);
            for entry in entries {
                arguments.extend([text("--application"), entry]);
            }
        })
    }

    /// One step that needs nobody's private folder.
    fn coordinator_alone(&self, step: &str, more: &[&str]) -> Result<(), Failure> {
        let mut arguments = vec![text("ceremony")];
        arguments.extend(step.split(' ').map(text));
        arguments.extend([text("--folder"), show(&self.shared)]);
        arguments.extend(more.iter().copied().map(text));
        self.quorate.run(&arguments, None).map(drop)
    }

    /// One step of whoever puts the ceremony together: the first of the people, whose private
    /// folder notes it for the transcript.
    fn coordinator(&self, step: &str, more: impl FnOnce(&mut Vec<String>)) -> Result<(), Failure> {
        let mut arguments = vec![text("ceremony"), text(step)];
        arguments.extend([text("--folder"), show(&self.shared)]);
        if let Some(first) = self.people.first() {
            arguments.extend([text("--private"), show(&first.private)]);
        }
        more(&mut arguments);
        self.quorate.run(&arguments, None).map(drop)
    }
}

/// Something that no input can bring about.
fn mistake(what: &str) -> Failure {
    Failure::refused(
        Fault::Quorate,
        "demo-broken",
        what,
        "report it with this text",
    )
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
