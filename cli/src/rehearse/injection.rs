//! How each fault is brought about, and what is done about it.
//!
//! Guarantees: what a member does here is what they would type; what only a hostile host, a hostile
//! writer of the shared folder or a spoiled tool could do is done by this program in their place. The
//! key of a member is used for that in [`Rehearsal::bad_share`] alone, and it is one that this
//! rehearsal made.

use std::fs;
use std::path::Path;

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use p256::ecdsa::SigningKey;
use quorate_emulator::device::Mode;
use quorate_protocol::atoms::Bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::SealedShare;
use quorate_protocol::message::{AttestRequest, ProvisionRequest, Request, Response, Stage as Of};
use quorate_protocol::provision::provision_share_context;
use quorate_quorum_ceremony::CeremonyError;
use quorate_quorum_ceremony::keyfile::{KeyFile, Passphrase};
use quorate_quorum_ceremony::random;
use quorate_sealing::{Suite, seal};
use quorate_sharing::Secret;
use zeroize::Zeroizing;

use super::fault::Fault;
use super::told::{Outcome, Told};
use super::{NAMESPACE, Rehearsal};
use crate::failure::{Failure, Fault as Whose};
use crate::files;
use crate::stage::cast::{Base, Opens, passphrase};
use crate::stage::children::{Answer, EnclaveSockets};
use crate::stage::enclave::Connection;
use crate::stage::party::Party;
use crate::stage::relay::{Carried, Relay};
use crate::stage::{Stage, mistake, show, text};

/// Whom most of it happens to: the second, because somebody may sit in the first's seat.
pub(super) const VICTIM: usize = 1;

/// What stands in a definition in place of the namespace's name: as long, so that it can be read.
const ALTERED: &str = "rehearsed";

impl Rehearsal {
    pub(super) fn wants(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// Injects a fault as a step, and demands that it is noticed as what it is.
    pub(super) fn inject(
        &mut self,
        fault: Fault,
        at: usize,
        run: impl FnOnce(&mut Stage, &Party) -> Result<Answer, Failure>,
    ) -> Result<(), Failure> {
        let who = self.party.person(at)?.name.clone();
        let Self { stage, party, .. } = self;
        let said = stage.step(fault.word(), &fault.injected(&who), |stage| {
            let answer = run(stage, party)?;
            noticed(fault, answer.failure())
        })?;
        self.told.push(Told {
            fault,
            who,
            said,
            instead: None,
            outcome: Outcome::WentOn,
        });
        Ok(())
    }

    /// Says of the last fault who stood in, or that nobody could and the ceremony stops.
    pub(super) fn stood_in(&mut self, instead: Option<usize>) -> Result<(), Failure> {
        let instead = match instead {
            Some(at) => Some(self.party.person(at)?.name.clone()),
            None => None,
        };
        if let Some(told) = self.told.last_mut() {
            told.outcome = match instead {
                Some(_) => Outcome::WentOn,
                None => Outcome::Stopped,
            };
            told.instead = instead;
        }
        Ok(())
    }

    /// A member mistypes. The remedy is their consent, which follows.
    pub(super) fn wrong_passphrase(&mut self) -> Result<(), Failure> {
        if !self.wants(Fault::WrongPassphrase) {
            return Ok(());
        }
        self.inject(Fault::WrongPassphrase, VICTIM, |stage, party| {
            let (person, other) = (party.person(VICTIM)?, passphrase()?);
            party.act_with(stage, person, Some(&other), "consent", Vec::new())
        })
    }

    /// Somebody changes the definition between consent and receipt. The receipts follow.
    pub(super) fn altered_file(&mut self, born: &EnclaveSockets) -> Result<(), Failure> {
        if !self.wants(Fault::AlteredFile) {
            return Ok(());
        }
        self.inject(Fault::AlteredFile, VICTIM, |stage, party| {
            let path = party.shared.join("definition.cbor");
            let kept = files::read(&path, 64 * 1024, "definition")?;
            write(&path, &altered(&kept)?)?;
            let answer = party.act(stage, party.person(VICTIM)?, "receipt", socket(born));
            write(&path, &kept)?;
            answer
        })
    }

    /// The host starts the enclave in debug mode. A sound one is booted after it.
    pub(super) fn debug_enclave(&mut self) -> Result<(), Failure> {
        if !self.wants(Fault::DebugEnclave) {
            return Ok(());
        }
        self.inject(Fault::DebugEnclave, 0, |stage, party| {
            let base = &stage.binaries.base;
            let enclave = stage
                .emulator
                .start_enclave_in("debug", base, Mode::Debug)?;
            let answer = party.try_boot(stage, &enclave);
            stage.emulator.stop_enclave("debug")?;
            answer
        })
    }

    /// A member is led to the enclave of strangers, with another image or another manifest.
    pub(super) fn other_enclave(&mut self, fault: Fault) -> Result<(), Failure> {
        if !self.wants(fault) {
            return Ok(());
        }
        self.inject(fault, VICTIM, |stage, party| {
            let name = fault.word();
            let base = match (&stage.binaries.base, fault) {
                (Base::Process(init), Fault::OtherPcr) => other_image(stage, init)?,
                (Base::Process(init), _) => Base::Process(init.clone()),
                (Base::Machine(_), _) => return Err(mistake("a rehearsal in machines")),
            };
            let strangers = Party::strangers(&stage.workshop, name)?;
            let enclave = strangers_enclave(stage, &strangers, &base, fault)?;
            let person = party.person(VICTIM)?;
            let answer = party.act(stage, person, "provision", socket(&enclave));
            stage.emulator.stop_enclave(strangers_names(fault).1)?;
            answer
        })
    }

    /// The host kept an attestation, and answers with it. Past the host the member gives, later.
    pub(super) fn stale_attestation(&mut self, enclave: &EnclaveSockets) -> Result<(), Failure> {
        if !self.wants(Fault::StaleAttestation) {
            return Ok(());
        }
        self.inject(Fault::StaleAttestation, VICTIM, |stage, party| {
            let nonce = random::bytes::<32>().map_err(CeremonyError::from)?;
            let nonce = Bytes::new(nonce.to_vec()).map_err(|_| mistake("no nonce"))?;
            let ask = Request::Attest(AttestRequest {
                stage: Of::Setup,
                nonce,
            });
            let kept: Response = Connection::open(&enclave.operator)?.ask(&ask)?;
            let relay = Relay::start(stage.workshop.join("stale.sock"), enclave, move |request| {
                match request {
                    Request::Attest(_) => Carried::Answered(Box::new(kept.clone())),
                    other => Carried::On(Box::new(other)),
                }
            })?;
            let person = party.person(VICTIM)?;
            party.act(stage, person, "provision", socket(&relay.shown()))
        })
    }

    /// The enclave ends after the first share. Another is booted.
    pub(super) fn halted_enclave(
        &mut self,
        enclave: EnclaveSockets,
    ) -> Result<EnclaveSockets, Failure> {
        if !self.wants(Fault::HaltedEnclave) {
            return Ok(enclave);
        }
        self.give_first(1, &enclave)?;
        self.inject(Fault::HaltedEnclave, VICTIM, |stage, party| {
            stage.emulator.stop_enclave("instance")?;
            party.act(stage, party.person(VICTIM)?, "provision", socket(&enclave))
        })?;
        self.given.clear();
        let Self { stage, party, .. } = self;
        stage.step(
            "enclave-3",
            "another enclave is booted in its place",
            |stage| {
                let base = &stage.binaries.base;
                let enclave = stage.emulator.start_enclave("again", base)?;
                party.boot(stage, &enclave)?;
                Ok(enclave)
            },
        )
    }

    /// A member's private folder is gone, and comes back from paper and a copy of the key file.
    pub(super) fn lost_key(
        &mut self,
        enclave: &EnclaveSockets,
        genesis: &str,
    ) -> Result<(), Failure> {
        if !self.wants(Fault::LostKey) {
            return Ok(());
        }
        let paper = self.stage.workshop.join("paper");
        let copy = self.stage.workshop.join("key-copy.cbor");
        let Self { stage, party, .. } = self;
        stage.step(
            "backup",
            "a member writes the share down and copies the key",
            |stage| {
                let person = party.person(VICTIM)?;
                let more = ["--form", "sheet", "--out"].map(text);
                let more = more.into_iter().chain([show(&paper)]).collect();
                party.act(stage, person, "share backup", more)?.good()?;
                let key = person.private.join("key.cbor");
                fs::copy(&key, &copy).map_err(|error| files::unwritable(&copy, &error))?;
                Ok(())
            },
        )?;
        self.inject(Fault::LostKey, VICTIM, |stage, party| {
            let person = party.person(VICTIM)?;
            let lost = person.private.with_extension("lost");
            fs::rename(&person.private, &lost).map_err(|error| files::unwritable(&lost, &error))?;
            party.act(stage, person, "provision", socket(enclave))
        })?;
        let Self { stage, party, .. } = self;
        stage.step("restore", "key, share and pins come back", |stage| {
            let mut more = ["--genesis", genesis, "--in"].map(text).to_vec();
            more.extend([show(&paper), text("--key-file"), show(&copy)]);
            let person = party.person(VICTIM)?;
            party
                .act(stage, person, "share restore", more)?
                .good()
                .map(drop)
        })
    }

    /// A member's tool sends another number. The enclave names the member and keeps what it has.
    pub(super) fn bad_share(&mut self, enclave: &EnclaveSockets) -> Result<(), Failure> {
        if !self.wants(Fault::BadShare) {
            return Ok(());
        }
        self.give_first(1, enclave)?;
        self.inject(Fault::BadShare, VICTIM, |stage, party| {
            let person = party.person(VICTIM)?;
            let key = signing_key(&person.private, &person.opens)?;
            let relay = Relay::start(
                stage.workshop.join("spoiled.sock"),
                enclave,
                move |request| {
                    Carried::On(Box::new(match request {
                        Request::Provision(honest) => {
                            Request::Provision(spoil(&honest, &key).unwrap_or(honest))
                        }
                        other => other,
                    }))
                },
            )?;
            party.act(stage, person, "provision", socket(&relay.shown()))
        })?;
        let Self { stage, party, .. } = self;
        stage.step(
            "check",
            "the member proves the share that is kept",
            |stage| {
                let person = party.person(VICTIM)?;
                party
                    .act(stage, person, "share check", Vec::new())?
                    .good()
                    .map(drop)
            },
        )
    }

    /// The last member whose share is needed does not come: everyone before gives, and somebody
    /// gives instead, if there is anybody. Who still has to give; `None` if nobody can.
    pub(super) fn absent_operator(
        &mut self,
        enclave: &EnclaveSockets,
    ) -> Result<Option<Vec<usize>>, Failure> {
        let (able, group) = (self.able(), self.group());
        let enough = group.len() == usize::from(self.party.threshold);
        if !self.wants(Fault::AbsentOperator) {
            if enough {
                return Ok(Some(self.yet(&group)));
            }
            self.give(&group, enclave)?;
            self.too_few(enclave)?;
            return Ok(None);
        }
        let Some((&absent, before)) = group.split_last() else {
            return Err(mistake("nobody can give"));
        };
        self.give(before, enclave)?;
        let early = self.stage.workshop.join("early.cbor");
        self.inject(Fault::AbsentOperator, absent, |stage, party| {
            unfinished(stage, party, enclave, &early)
        })?;
        // Whoever comes after them, unless all who can are needed.
        let instead = able.get(group.len()).copied().filter(|_| enough);
        self.stood_in(instead)?;
        Ok(instead.map(|at| vec![at]))
    }

    /// Everybody who can has given, and it is not enough: the enclave shows so itself.
    fn too_few(&mut self, enclave: &EnclaveSockets) -> Result<(), Failure> {
        let early = self.stage.workshop.join("early.cbor");
        let Self { stage, party, .. } = self;
        stage.step(
            "too-few",
            "the enclave has fewer shares than the threshold, and no key",
            |stage| {
                let said = unfinished(stage, party, enclave, &early)?.failure();
                noticed(Fault::AbsentOperator, said).map(drop)
            },
        )
    }

    /// Everybody who can give: all but whose token is lost.
    pub(super) fn able(&self) -> Vec<usize> {
        let all = 0..self.party.people.len();
        all.filter(|at| self.lost != Some(*at)).collect()
    }

    /// The first of them, as many as it takes; fewer where there are not so many.
    pub(super) fn group(&self) -> Vec<usize> {
        let mut able = self.able();
        able.truncate(self.party.threshold.into());
        able
    }

    /// Those among them who have not given yet.
    fn yet(&self, who: &[usize]) -> Vec<usize> {
        let mut who = who.to_vec();
        who.retain(|at| !self.given.contains(at));
        who
    }

    /// The first so many people give, unless they have.
    pub(super) fn give_first(
        &mut self,
        count: usize,
        enclave: &EnclaveSockets,
    ) -> Result<(), Failure> {
        let who: Vec<_> = (0..count).collect();
        self.give(&who, enclave)
    }

    /// These people give, unless they have.
    fn give(&mut self, who: &[usize], enclave: &EnclaveSockets) -> Result<(), Failure> {
        let who = self.yet(who);
        if who.is_empty() {
            return Ok(());
        }
        let Self { stage, party, .. } = self;
        let names = party.names(&who);
        stage.step("give", &format!("{names}: attest it and give"), |stage| {
            party.give(stage, &who, enclave)
        })?;
        self.given.extend(who);
        Ok(())
    }
}

/// What a stranger says of an enclave that has too few shares.
fn unfinished(
    stage: &Stage,
    party: &Party,
    enclave: &EnclaveSockets,
    early: &Path,
) -> Result<Answer, Failure> {
    party.coordinator(stage, "evidence", |arguments| {
        arguments.extend([text("--socket"), show(&enclave.operator)]);
        arguments.extend([text("--out"), show(early)]);
    })?;
    let root = show(stage.emulator.root());
    let verify = ["verify", "evidence", &show(early), "--root", &root].map(text);
    stage.quorate.ask(&verify, None)
}

/// The names of the strangers' enclaves: that of their genesis, and the one a member is led to. They are
/// short: sockets are in folders of these names.
const fn strangers_names(fault: Fault) -> (&'static str, &'static str) {
    match fault {
        Fault::OtherPcr => ("pcr-1", "pcr-2"),
        _ => ("other-1", "other-2"),
    }
}

/// A whole ceremony of strangers, up to an enclave that waits for shares.
fn strangers_enclave(
    stage: &mut Stage,
    strangers: &Party,
    base: &Base,
    fault: Fault,
) -> Result<EnclaveSockets, Failure> {
    let (first, second) = strangers_names(fault);
    let measured = stage.emulator.measure(base)?;
    let measurements = stage.workshop.join(&format!("{}.json", fault.word()));
    files::write_new(&measurements, measured.to_string().as_bytes())?;
    strangers.join(stage)?;
    strangers.define(stage, &measurements)?;
    strangers.consent(stage)?;
    let born = stage.emulator.start_enclave(first, base)?;
    strangers.hold_genesis(stage, &born)?;
    strangers.receive(stage, &born)?;
    stage.emulator.stop_enclave(first)?;
    strangers.propose(stage, &measurements)?;
    strangers.approve(stage)?;
    let enclave = stage.emulator.start_enclave(second, base)?;
    strangers.boot(stage, &enclave)?;
    Ok(enclave)
}

/// The same init with a byte behind it, which no loader reads and every measurement sees.
fn other_image(stage: &Stage, init: &Path) -> Result<Base, Failure> {
    let mut bytes = files::read(init, 64 * 1024 * 1024, "init")?;
    bytes.push(0);
    let path = stage.workshop.join("other-init");
    files::write_new(&path, &bytes)?;
    let mode: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(&path, mode).map_err(|error| files::unwritable(&path, &error))?;
    Ok(Base::Process(path))
}

/// The definition under another namespace's name.
fn altered(definition: &[u8]) -> Result<Vec<u8>, Failure> {
    let name = NAMESPACE.as_bytes();
    let at = definition
        .windows(name.len())
        .position(|window| window == name)
        .ok_or_else(|| mistake("the definition does not name its namespace"))?;
    let mut altered = definition.to_vec();
    altered.splice(at..at + name.len(), ALTERED.bytes());
    Ok(altered)
}

/// A member's signing key, of this rehearsal.
fn signing_key(private: &Path, opens: &Opens) -> Result<SigningKey, Failure> {
    let Opens::Passphrase(typed) = opens else {
        return Err(mistake("a key that only its owner can use"));
    };
    let typed = Passphrase::new(Zeroizing::new(typed.as_bytes().to_vec()));
    let file = files::read(&private.join("key.cbor"), KeyFile::MAX, "key file")?;
    let keys = typed
        .and_then(|typed| KeyFile::from_bytes(&file)?.unlock(&typed))
        .map_err(CeremonyError::from)?;
    Ok(keys.signing_key())
}

/// What a spoiled tool would send: another number, sealed and signed as it should be. `None` if the
/// request is of a kind that no tool of this version makes.
fn spoil(honest: &ProvisionRequest, key: &SigningKey) -> Option<ProvisionRequest> {
    let mut grant = honest.grant.unverified().clone();
    let context =
        provision_share_context(&grant.genesis, &grant.manifest, grant.index, &grant.epoch);
    let suite = Suite::P256Sha256Aes256Gcm;
    // The generator has worked: keys were made with it.
    let mut rng = UnwrapErr(SysRng);
    let number = Secret::random(&mut rng).signing_key().to_bytes();
    let (info, aad) = (context.info.as_bytes(), &context.aad);
    let recipient = grant.setup.encryption.inner();
    let sealed = seal(suite, recipient, info, aad, &number, &mut rng).ok()?;
    let sealed = SealedShare::new(suite, sealed).ok()?;
    grant.sealed = Digest::of(&sealed);
    Some(ProvisionRequest {
        grant: Signed::sign(grant, key),
        sealed,
        delegation: None,
    })
}

/// What was said of a fault, if it was noticed as what it is.
fn noticed(fault: Fault, said: Option<Failure>) -> Result<Failure, Failure> {
    let how = match said {
        Some(said) if said.code == fault.code() => return Ok(said),
        Some(said) => format!("was noticed as {}: {}", said.code, said.what),
        None => "was not noticed".into(),
    };
    Err(Failure::refused(
        Whose::Quorate,
        "fault-not-noticed",
        format!("{} {how}", fault.word()),
        "hold no ceremony with this program; report it with this text",
    ))
}

pub(super) fn socket(enclave: &EnclaveSockets) -> Vec<String> {
    vec![text("--socket"), show(&enclave.operator)]
}

/// Replaces a file of the shared folder, as anybody can who may write there.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).map_err(|error| files::unwritable(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_nobody_notices_fails_closed() {
        let said = |code: &'static str| Failure::refused(Whose::Enclave, code, "w", "r");
        for fault in Fault::ALL {
            assert_eq!(
                noticed(fault, Some(said(fault.code()))),
                Ok(said(fault.code()))
            );
            let unseen = noticed(fault, None).expect_err("nobody noticed");
            let otherwise = noticed(fault, Some(said("file-error"))).expect_err("another");
            for failure in [unseen, otherwise] {
                assert_eq!(failure.code, "fault-not-noticed");
                assert!(failure.what.starts_with(fault.word()), "{}", failure.what);
            }
        }
    }

    #[test]
    fn an_altered_definition_can_still_be_read() {
        let definition = b"..rehearsal..";
        assert_eq!(altered(definition), Ok(b"..rehearsed..".to_vec()));
        assert!(altered(b"another").is_err());
    }
}
