//! Every step, killed at every write: it can be run again, and then everything is as if nothing had
//! been.

mod carried;
mod drills;
mod reshares;
mod surrogates;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::forward::{ApprovalRule, ForwardPolicy};
use quorate_protocol::members::Role;
use quorate_protocol::message::{GenesisResponse, Request, Response};
use quorate_verify::attestation::TrustAnchor;

use super::{
    approve, consent, define, exception, forward_approve, genesis, join, manifest, new, provision,
    receipt, transcript,
};
use crate::error::{CeremonyError, StepError};
use crate::fixture::{Folders, WORDS, World, enclave, measurements, name, passphrase};
use crate::inputs::ApplicationSpec;
use crate::pins::Pins;
use crate::storage::death;

/// Points no step has as many of.
const MANY: usize = 400;

/// A copy of a folder, modes included.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
        }
    }
}

/// The files below a folder, but for what a dead process left beside their places, each once more
/// where its name is a digest.
fn files(folder: &Path, below: &Path, found: &mut BTreeSet<String>) {
    let Ok(entries) = fs::read_dir(folder.join(below)) else {
        return;
    };
    for entry in entries {
        let entry = entry.unwrap();
        let file = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            files(folder, &file, found);
            continue;
        }
        let text = file.to_str().unwrap().to_owned();
        if text.contains(".new-") {
            continue;
        }
        // Keys are drawn anew in each run of a join, and name a folder.
        let text = match text.split_once("transcript/alice-") {
            Some((_, key)) => format!("transcript/alice-KEY/{}", key.rsplit('/').next().unwrap()),
            None if text.starts_with("grants/") => "grants/DIGEST".into(),
            None => text,
        };
        found.insert(text);
    }
}

/// Both folders of one run.
struct Trial {
    _outer: tempfile::TempDir,
    shared: PathBuf,
    private: PathBuf,
}

impl Trial {
    fn of(prepared: &Folders) -> Self {
        Self::copied(&prepared.shared(), &prepared.private(0))
    }

    /// Of a person who may have no folder yet.
    fn copied(prepared: &Path, person: &Path) -> Self {
        let outer = tempfile::tempdir().unwrap();
        let (shared, private) = (outer.path().join("shared"), outer.path().join("private"));
        copy(prepared, &shared);
        if person.exists() {
            copy(person, &private);
        }
        Self {
            _outer: outer,
            shared,
            private,
        }
    }

    fn files(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        files(&self.shared, Path::new(""), &mut found);
        files(&self.private, Path::new(""), &mut found);
        found
    }

    fn pins(&self) -> Option<Vec<u8>> {
        fs::read(self.private.join("pins.cbor")).ok()
    }
}

type Step<'a> = &'a dyn Fn(&Path, &Path) -> Result<(), CeremonyError>;

/// Runs a step with a death at each of its writes in turn, and again after each.
#[track_caller]
fn survives_every_death(prepared: &Folders, step: Step<'_>) -> usize {
    survives_as(&prepared.shared(), &prepared.private(0), step)
}

/// The same, for a person of whose folder a copy is made each time.
#[track_caller]
fn survives_as(prepared: &Path, person: &Path, step: Step<'_>) -> usize {
    let whole = Trial::copied(prepared, person);
    step(&whole.shared, &whole.private).unwrap();
    for point in 0..MANY {
        let trial = Trial::copied(prepared, person);
        let (done, died) = death::at(point, || step(&trial.shared, &trial.private));
        if !died {
            done.unwrap();
            return point;
        }
        let again = step(&trial.shared, &trial.private);
        again.unwrap_or_else(|error| panic!("after a death at {point}: {error}"));
        assert_eq!(trial.files(), whole.files(), "after a death at {point}");
        assert_eq!(trial.pins(), whole.pins(), "after a death at {point}");
    }
    panic!("it never ends");
}

fn consented(world: &World) -> Pins {
    let mut pins = Pins::new(world.keys[0].name().clone());
    pins.pin_definition(&world.definition).unwrap();
    pins
}

fn words() -> crate::keyfile::Passphrase {
    passphrase(WORDS)
}

#[test]
fn join_survives_every_death() {
    let folders = Folders::new();
    let points = survives_every_death(&folders, &|shared, private| {
        join::prepare(shared, private, &name("alice"), None)?
            .join(words())
            .map(drop)
    });
    assert!(points > 15, "{points}");
}

#[test]
fn what_a_coordinator_writes_survives_every_death() {
    let folders = Folders::new();
    let root: TrustAnchor = World::new().nitro.anchor();
    let wanted = new::Wanted {
        namespace: name("test"),
        members: vec![name("alice"), name("bob")],
        manifest_members: None,
        manifest_threshold: 2,
        share_threshold: 2,
        age_limit: quorate_protocol::definition::AgeLimit::SHORTEST,
        root,
        measurements: measurements(1),
    };
    let points = survives_every_death(&folders, &|shared, _| new::begin(shared, &wanted).map(drop));
    assert!(points > 5, "{points}");
    new::begin(&folders.shared(), &wanted).unwrap();
    for (at, who) in ["alice", "bob"].into_iter().enumerate() {
        let joining =
            join::prepare(&folders.shared(), &folders.private(at), &name(who), None).unwrap();
        joining.join(words()).unwrap();
    }
    let points = survives_every_death(&folders, &|shared, _| {
        define::define(shared, &define::Plan::of_workspace(shared)?).map(drop)
    });
    assert!(points > 8, "{points}");
}

#[test]
fn consent_survives_every_death() {
    let (world, folders) = (World::new(), Folders::new());
    folders.member(&world, 0, &Pins::new(name("alice")));
    let workspace = folders.workspace();
    workspace
        .publish_definition(&world.definition, &world.nitro.anchor())
        .unwrap();
    let points = survives_every_death(&folders, &|shared, private| {
        consent::review(shared, private, None)?
            .consent(words())
            .map(drop)
    });
    assert!(points > 15, "{points}");
}

/// The enclave that makes the key of this world, as often as it is asked.
fn genesis_enclave(folders: &Folders, world: World) -> Arc<World> {
    let world = Arc::new(world);
    let serving = Arc::clone(&world);
    enclave(&folders.socket(), move |request| match request {
        Request::Genesis(request) => Response::Genesis(GenesisResponse {
            output: serving.output.clone(),
            document: serving.genesis_document(request.nonce.as_slice()),
        }),
        Request::Attest(request) => {
            Response::Attested(serving.genesis_document(request.nonce.as_slice()))
        }
        other => panic!("no other request: {other:?}"),
    });
    world
}

#[test]
fn genesis_survives_every_death() {
    let folders = Folders::new();
    let world = genesis_enclave(&folders, World::new());
    let workspace = folders.workspace();
    workspace
        .publish_definition(&world.definition, &world.nitro.anchor())
        .unwrap();
    for consent in world.consents() {
        workspace.publish_consent(&consent).unwrap();
    }
    let socket = folders.socket();
    let points = survives_every_death(&folders, &|shared, _| {
        match genesis::hold(shared, &socket) {
            // The death came after everything was there.
            Err(CeremonyError::Step(StepError::GenesisExists)) => Ok(()),
            held => held.map(drop),
        }
    });
    assert!(points > 8, "{points}");
}

#[test]
fn receipt_survives_every_death() {
    let folders = Folders::new();
    let world = genesis_enclave(&folders, World::new());
    folders.publish(&world, &[]);
    for file in ["record.cbor", "receipts/alice.cbor"] {
        fs::remove_file(folders.shared().join(file)).unwrap();
    }
    folders.member(&world, 0, &consented(&world));
    let socket = folders.socket();
    let points = survives_every_death(&folders, &|shared, private| {
        receipt::review(shared, private, &socket)?
            .acknowledge(words())
            .map(drop)
    });
    assert!(points > 20, "{points}");
}

#[test]
fn exception_survives_every_death() {
    let (world, folders) = (World::four(), Folders::new());
    folders.publish(&world, &[]);
    for file in ["record.cbor", "receipts/dave.cbor"] {
        fs::remove_file(folders.shared().join(file)).unwrap();
    }
    folders.member(&world, 0, &world.pins(0));
    let points = survives_every_death(&folders, &|shared, private| {
        exception::review(shared, private)?.sign(words()).map(drop)
    });
    assert!(points > 15, "{points}");
}

#[test]
fn manifest_and_approval_survive_every_death() {
    let (world, folders) = (World::new(), Folders::new());
    folders.publish(&world, &[]);
    fs::remove_file(folders.shared().join("record.cbor")).unwrap();
    folders.member(&world, 0, &world.pins(0));
    let outer = tempfile::tempdir().unwrap();
    let binary = outer.path().join("binary");
    fs::write(&binary, b"an application").unwrap();
    let spec = ApplicationSpec::parse(&format!("app={}", binary.display())).unwrap();
    let plan = manifest::Plan {
        measurements: measurements(1),
        applications: vec![spec],
        valid_days: 9,
        forward: manifest::ForwardPlan::For {
            days: 3,
            approvals: ApprovalRule::Always,
        },
    };
    let points = survives_every_death(&folders, &|shared, _| {
        manifest::propose(shared, &plan).map(drop)
    });
    assert!(points > 10, "{points}");
    manifest::propose(&folders.shared(), &plan).unwrap();
    let points = survives_every_death(&folders, &|shared, private| {
        approve::review(shared, private, None)?
            .approve(words())
            .map(drop)
    });
    assert!(points > 20, "{points}");
    // Another one than the one that waits is still refused.
    let other = manifest::Plan {
        valid_days: 10,
        ..plan
    };
    let refused = manifest::propose(&folders.shared(), &other).unwrap_err();
    assert_eq!(refused, StepError::ManifestPending { sequence: 1 }.into());
}

#[test]
fn forward_approval_survives_every_death() {
    let (world, folders) = (World::new(), Folders::new());
    let mut fields = world.manifest(None, b"one").into_inner();
    fields.forward = Some(ForwardPolicy {
        not_after: UnixMillis(u64::MAX >> 1),
        approvals: ApprovalRule::Always,
    });
    let first = Checked::new(fields).unwrap();
    let second = world.manifest(Some(&first), b"two");
    let mut link = world.link(&first, &[0, 1]);
    // The first manifest brings the policy in, which the holders approve.
    for member in [0, 1] {
        let mut approval = world.approval(&first, member).unverified().clone();
        approval.role = Role::ShareSet;
        let key = world.keys[member].signing_key();
        link.approvals.push(Signed::sign(approval, &key));
    }
    folders.publish(&world, &[link, world.link(&second, &[0, 1])]);
    folders.member(&world, 0, &world.pins(0));
    let points = survives_every_death(&folders, &|shared, private| {
        forward_approve::review(shared, private, None)?
            .approve(words())
            .map(drop)
    });
    assert!(points > 8, "{points}");
}

/// The one step that may tell of more afterwards: a share that was sent and not acknowledged is told
/// as such, and sent again.
#[test]
fn provision_survives_every_death() {
    let folders = Folders::new();
    let socket = folders.socket();
    folders.giving(World::new(), &[0, 1]);
    let give = |trial: &Trial| {
        provision::attest(&trial.shared, &trial.private, &socket)?
            .give(words())
            .map(drop)
    };
    for point in 0..MANY {
        let trial = Trial::of(&folders);
        let (done, died) = death::at(point, || give(&trial));
        if !died {
            done.unwrap();
            assert!(point > 20, "{point}");
            return;
        }
        give(&trial).unwrap_or_else(|error| panic!("after a death at {point}: {error}"));
        let files = trial.files();
        assert!(files.contains("grants/DIGEST"), "after a death at {point}");
        assert!(files.contains("transcript/own/0001.cbor"), "{files:?}");
        transcript::review(&trial.shared, &trial.private)
            .and_then(|review| review.sign(words()))
            .unwrap_or_else(|error| panic!("after a death at {point}: {error}"));
    }
    panic!("it never ends");
}
