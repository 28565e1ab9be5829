//! The people of a played ceremony, and what each of them types.
//!
//! Guarantees: an act is one process of this same program with the arguments a person would give it;
//! nobody's passphrase reaches anybody else's process. Whoever sits in the seat of a person at the
//! terminal types that person's passphrase themselves, and this program never knows it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use quorate_protocol::atoms::Name;
use serde_json::Value;
use zeroize::Zeroizing;

use super::cast::{self, Opens, Person};
use super::children::{Answer, EnclaveSockets, each};
use super::folder::Workshop;
use super::token::SoftToken;
use super::{APPLICATIONS, Stage, mistake, show, text};
use crate::failure::{Failure, Fault};

/// How often a person at the terminal may try a step.
const TRIES: usize = 5;

/// People who hold a ceremony together.
pub(crate) struct Party {
    pub(crate) people: Vec<Person>,
    pub(crate) threshold: u8,
    pub(crate) shared: PathBuf,
    namespace: &'static str,
}

impl Party {
    /// So many people; the first of them is whoever has taken a seat, if somebody has.
    pub(crate) fn gather(
        workshop: &Workshop,
        (members, threshold): (u8, u8),
        namespace: &'static str,
        seat: Option<&Name>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            people: cast::people(&workshop.join("people"), members, seat)?,
            threshold,
            shared: workshop.join("ceremony"),
            namespace,
        })
    }

    /// Two people who hold a ceremony of their own beside it.
    pub(crate) fn strangers(workshop: &Workshop, folder: &str) -> Result<Self, Failure> {
        let folder = workshop.join(folder);
        Ok(Self {
            people: cast::people(&folder, 2, None)?,
            threshold: 2,
            shared: folder.join("ceremony"),
            namespace: "strangers",
        })
    }

    /// The person at this place.
    pub(crate) fn person(&self, at: usize) -> Result<&Person, Failure> {
        self.people
            .get(at)
            .ok_or_else(|| mistake("there are not so many people"))
    }

    /// Somebody brings a token: their keys will be in it, and its PIN opens them.
    pub(crate) fn bring(&mut self, at: usize, token: SoftToken) {
        if let Some(person) = self.people.get_mut(at) {
            person.opens = Opens::Token(token);
        }
    }

    /// The names of these people.
    pub(crate) fn names(&self, who: &[usize]) -> String {
        let names = who.iter().filter_map(|at| self.people.get(*at));
        names
            .map(|p| p.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The first people, as many as it takes.
    pub(crate) fn threshold_places(&self) -> Vec<usize> {
        (0..usize::from(self.threshold)).collect()
    }

    pub(crate) fn threshold_names(&self) -> String {
        self.names(&self.threshold_places())
    }

    pub(crate) fn join(&self, stage: &Stage) -> Result<(), Failure> {
        self.everyone(stage, "join", &self.all(), |person| {
            let mut more = vec![text("--name"), person.name.clone()];
            if let Opens::Token(token) = &person.opens {
                more.extend(token.named());
            }
            more
        })
        .map(drop)
    }

    pub(crate) fn define(&self, stage: &Stage, measurements: &Path) -> Result<(), Failure> {
        let names: Vec<_> = self.people.iter().map(|p| p.name.as_str()).collect();
        let threshold = self.threshold.to_string();
        self.coordinator(stage, "define", |arguments| {
            arguments.extend([text("--namespace"), text(self.namespace)]);
            arguments.extend(["--partition", "development"].map(text));
            arguments.extend([text("--members"), names.join(",")]);
            arguments.extend([text("--manifest-threshold"), threshold.clone()]);
            arguments.extend([text("--share-threshold"), threshold.clone()]);
            arguments.extend([text("--root"), show(stage.emulator.root())]);
            arguments.extend([text("--measurements"), show(measurements)]);
        })
        .map(drop)
    }

    pub(crate) fn consent(&self, stage: &Stage) -> Result<(), Failure> {
        self.everyone(stage, "consent", &self.all(), |_| Vec::new())
            .map(drop)
    }

    pub(crate) fn hold_genesis(
        &self,
        stage: &Stage,
        enclave: &EnclaveSockets,
    ) -> Result<(), Failure> {
        self.coordinator(stage, "genesis", |arguments| {
            arguments.extend([text("--socket"), show(&enclave.operator)]);
        })
        .map(drop)
    }

    /// Everyone receives; the genesis digest that all of them pinned.
    pub(crate) fn receive(
        &self,
        stage: &Stage,
        enclave: &EnclaveSockets,
    ) -> Result<String, Failure> {
        let receipts = self.everyone(stage, "receipt", &self.all(), |_| {
            vec![text("--socket"), show(&enclave.operator)]
        })?;
        // Whoever sits at the terminal was shown theirs; it is not told here.
        let told = receipts.iter().filter(|told| !told.is_null());
        let pins: BTreeSet<_> = told.map(|told| told["genesis"].as_str()).collect();
        match pins.into_iter().collect::<Vec<_>>()[..] {
            [Some(pin)] => Ok(pin.to_owned()),
            _ => Err(mistake("the members did not pin one genesis digest")),
        }
    }

    pub(crate) fn propose(&self, stage: &Stage, measurements: &Path) -> Result<(), Failure> {
        let entries = APPLICATIONS.map(|(name, rest)| {
            let binary = stage.binaries.application(name);
            format!("{name}={},{rest}", binary.display())
        });
        self.coordinator(stage, "manifest", |arguments| {
            arguments.extend([text("--measurements"), show(measurements)]);
            for entry in entries {
                arguments.extend([text("--application"), entry]);
            }
            // An enclave gives the key only to one whose parent has its own role.
            if stage.emulator.role().is_some() {
                arguments.extend(["--forward", "1"].map(text));
            }
        })
        .map(drop)
    }

    pub(crate) fn approve(&self, stage: &Stage) -> Result<(), Failure> {
        self.everyone(stage, "approve", &self.threshold_places(), |_| Vec::new())
            .map(drop)
    }

    pub(crate) fn boot(&self, stage: &Stage, enclave: &EnclaveSockets) -> Result<(), Failure> {
        let answer = self.try_boot(stage, enclave)?;
        answer.good().map(drop)
    }

    /// The same, whatever comes of it.
    pub(crate) fn try_boot(
        &self,
        stage: &Stage,
        enclave: &EnclaveSockets,
    ) -> Result<Answer, Failure> {
        let entries = APPLICATIONS
            .map(|(name, _)| format!("{name}={}", stage.binaries.application(name).display()));
        let arguments = self.of_coordinator("boot", |arguments| {
            arguments.extend([text("--socket"), show(&enclave.operator)]);
            for entry in entries {
                arguments.extend([text("--application"), entry]);
            }
        });
        stage.quorate.ask(&arguments, None)
    }

    /// These people attest and give their shares.
    pub(crate) fn give(
        &self,
        stage: &Stage,
        who: &[usize],
        enclave: &EnclaveSockets,
    ) -> Result<(), Failure> {
        self.everyone(stage, "provision", who, |_| {
            vec![text("--socket"), show(&enclave.operator)]
        })
        .map(drop)
    }

    pub(crate) fn sign_transcript(&self, stage: &Stage) -> Result<(), Failure> {
        self.everyone(stage, "transcript sign", &[0], |_| Vec::new())
            .map(drop)
    }

    fn all(&self) -> Vec<usize> {
        (0..self.people.len()).collect()
    }

    /// One step of these people, each in a process of their own.
    fn everyone(
        &self,
        stage: &Stage,
        step: &str,
        who: &[usize],
        more: impl Fn(&Person) -> Vec<String> + Sync,
    ) -> Result<Vec<Value>, Failure> {
        let people: Vec<_> = who.iter().filter_map(|at| self.people.get(*at)).collect();
        // A person at the terminal goes first: nobody's lines run into theirs.
        let typing = |person: &Person| matches!(person.opens, Opens::Typing);
        let seated = people.iter().find(|person| typing(person));
        if let Some(person) = seated {
            self.at_terminal(stage, person, step, &more(person))?;
        }
        each(&people, |person| {
            if typing(person) {
                return Ok(Value::Null);
            }
            let answer = self.act(stage, person, step, more(person));
            let told = answer.and_then(Answer::good);
            told.map_err(|failure| failure.during(&person.name))
        })
    }

    /// One step of one person, whatever comes of it.
    pub(crate) fn act(
        &self,
        stage: &Stage,
        person: &Person,
        step: &str,
        more: Vec<String>,
    ) -> Result<Answer, Failure> {
        match &person.opens {
            Opens::Typing => self.act_with(stage, person, None, step, more),
            Opens::Passphrase(own) => self.act_with(stage, person, Some(own), step, more),
            Opens::Token(token) => {
                let mut arguments = self.of_person(person, step, more);
                arguments.extend(["--pin-file", "-"].map(text));
                stage
                    .quorate
                    .ask_with(&arguments, Some(token.pin()), Some(token))
            }
        }
    }

    /// The same with this passphrase typed.
    pub(crate) fn act_with(
        &self,
        stage: &Stage,
        person: &Person,
        passphrase: Option<&Zeroizing<String>>,
        step: &str,
        more: Vec<String>,
    ) -> Result<Answer, Failure> {
        let mut arguments = self.of_person(person, step, more);
        arguments.extend([text("--passphrase-file"), text("-")]);
        stage.quorate.ask(&arguments, passphrase)
    }

    /// One step of the person at the terminal, who sees and answers what this program asks.
    fn at_terminal(
        &self,
        stage: &Stage,
        person: &Person,
        step: &str,
        more: &[String],
    ) -> Result<(), Failure> {
        let arguments = self.of_person(person, step, more.to_vec());
        for _ in 0..TRIES {
            stage
                .progress
                .say(&format!("\n{}, it is your turn: {step}", person.name));
            if stage.quorate.at_terminal(&arguments)? {
                return Ok(());
            }
        }
        Err(Failure::refused(
            Fault::Caller,
            "seat-gave-up",
            format!("{} did not get through {step}", person.name),
            "read the last error above and rehearse again",
        ))
    }

    fn of_person(&self, person: &Person, step: &str, more: Vec<String>) -> Vec<String> {
        let mut arguments = vec![text("ceremony")];
        arguments.extend(step.split(' ').map(text));
        arguments.extend([text("--folder"), show(&self.shared)]);
        arguments.extend([text("--private"), show(&person.private)]);
        arguments.extend(more);
        arguments
    }

    /// One step that needs nobody's private folder.
    pub(crate) fn coordinator_alone(
        &self,
        stage: &Stage,
        step: &str,
        more: &[&str],
    ) -> Result<Value, Failure> {
        let mut arguments = vec![text("ceremony")];
        arguments.extend(step.split(' ').map(text));
        arguments.extend([text("--folder"), show(&self.shared)]);
        arguments.extend(more.iter().copied().map(text));
        stage.quorate.run(&arguments, None)
    }

    /// One step of whoever puts the ceremony together: the first of the people, whose private
    /// folder notes it for the transcript.
    pub(crate) fn coordinator(
        &self,
        stage: &Stage,
        step: &str,
        more: impl FnOnce(&mut Vec<String>),
    ) -> Result<Value, Failure> {
        stage.quorate.run(&self.of_coordinator(step, more), None)
    }

    fn of_coordinator(&self, step: &str, more: impl FnOnce(&mut Vec<String>)) -> Vec<String> {
        let mut arguments = vec![text("ceremony"), text(step)];
        arguments.extend([text("--folder"), show(&self.shared)]);
        if let Some(first) = self.people.first() {
            arguments.extend([text("--private"), show(&first.private)]);
        }
        more(&mut arguments);
        arguments
    }
}
