//! `quorate ceremony`: what the people of a quorum type, step by step.
//!
//! Everything that is decided is decided in `quorate-quorum-ceremony`; here arguments become calls
//! and results become text or JSON. A step that needs a key shows what it has verified before it
//! asks for passphrase or PIN, so that typing it is the decision.

mod arguments;
mod begin;
mod begin_arguments;
mod board;
mod carried;
mod carried_arguments;
mod drill;
mod drill_arguments;
mod passphrase;
mod place;
mod questions;
mod report;
mod reshare;
mod reshare_arguments;
mod screen;
mod share;
mod show;
mod surrogate;
mod surrogate_arguments;
mod token;
mod token_arguments;
mod transcript;
mod transcript_arguments;
mod unlock;
mod upload;

use quorate_protocol::definition::AgeLimit;
use quorate_protocol::digest::Digest;
use quorate_protocol::transcript::Act;
use quorate_quorum_ceremony::place::PlaceError;
use quorate_quorum_ceremony::steps::{
    approve, attest, boot, consent, define, evidence, exception, forward, forward_approve, genesis,
    join, log, manifest, provision, receipt, status,
};
use quorate_quorum_ceremony::upload::Progress;
use quorate_quorum_ceremony::{Blame, CeremonyError, hardening, inputs};
use quorate_verify::attestation::{Partition, TrustAnchor};

pub(crate) use self::arguments::{Ceremony, PartitionName};
use self::arguments::{DefineArguments, Keyed, Shared, Socket};
use self::place::At;
use self::report::Report;
use self::screen::{Decision, Question, Way};
use crate::failure::{Exit, Failure, Fault};
use crate::output::{Format, Output, Render};
use crate::{files, pem, rehearse};

/// Runs one step.
pub(crate) fn run(ceremony: &Ceremony, output: Output) -> Result<Exit, Failure> {
    match ceremony {
        Ceremony::Join(a) => {
            protect(output)?;
            let named = unlock::Named::read(a)?;
            let at = At::of_member(&a.shared, &a.keyed)?;
            let private = at.private_to_make()?;
            if a.acting.dry_run {
                output.print(&begin::join_dry(&at, private, a)?)?;
                return Ok(Exit::Success);
            }
            let step = match a.new_keys {
                true => join::prepare_new_keys(at.folder(), private, &a.name, a.genesis)?,
                false => join::prepare(at.folder(), private, &a.name, a.genesis)?,
            };
            output.print(&show::joined(&unlock::join(a, &named, step, output)?))?;
        }
        Ceremony::Define(a) => {
            let at = At::of_coordinator(&a.shared, &a.noting)?;
            let drafted = define::draft(at.folder(), &plan(a, at.folder())?)?;
            if a.acting.dry_run {
                let review = show::definition_draft(drafted.definition());
                return dry(output, review, "write this definition into the folder");
            }
            let defined = drafted.publish()?;
            at.note(&defined)?;
            output.print(&show::defined(&defined))?;
        }
        Ceremony::Consent(a) => {
            protect(output)?;
            let at = At::of_member(&a.shared, &a.keyed)?;
            let step = consent::review(at.folder(), at.private()?, a.fingerprint)?;
            let review = show::definition_review(step.definition());
            if a.acting.dry_run {
                return dry(
                    output,
                    review,
                    "pin this definition and sign your consent to it",
                );
            }
            let digest = Digest::of(step.definition());
            let question = Question::of(&review, "consent to this definition", digest.as_bytes());
            screen::decide(output, Way::of(output, &a.keyed), question)?;
            let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
            output.print(&show::consented(&step.consent(entered)?))?;
            if a.stay {
                begin::await_genesis(&at, output)?;
                return receive(&at, &Socket { socket: None }, &a.keyed, output);
            }
        }
        Ceremony::Genesis(a) => {
            let at = At::of_coordinator(&a.shared, &a.noting)?;
            let ready = genesis::prepare(at.folder())?;
            if a.acting.dry_run {
                let review = show::definition_draft(ready.definition());
                return dry(
                    output,
                    review,
                    "have the enclave make the key of this definition",
                );
            }
            let born = ready.hold(&at.genesis(&a.socket)?)?;
            at.note(&born)?;
            output.print(&show::born(&born))?;
        }
        Ceremony::Receipt(a) if a.by_files.carried => {
            protect(output)?;
            return carried::receipt(a, output);
        }
        Ceremony::Receipt(a) => {
            protect(output)?;
            let at = At::of_member(&a.shared, &a.keyed)?;
            if a.acting.dry_run {
                let socket = at.genesis(&a.socket)?;
                let step = receipt::review(at.folder(), at.private()?, &socket)?;
                let review = show::genesis_review(&step);
                return dry(
                    output,
                    review,
                    "pin this genesis, keep your share and sign for it",
                );
            }
            return receive(&at, &a.socket, &a.keyed, output);
        }
        Ceremony::Exception(a) => {
            protect(output)?;
            let at = At::of_member(&a.shared, &a.keyed)?;
            let step = exception::review(at.folder(), at.private()?)?;
            let review = show::exception_review(&step);
            if a.acting.dry_run {
                return dry(
                    output,
                    review,
                    "sign that the genesis is finished without them",
                );
            }
            let genesis = step.genesis();
            let action = "sign that the genesis is finished without them";
            let question = Question::of(&review, action, genesis.as_bytes());
            screen::decide(output, Way::of(output, &a.keyed), question)?;
            let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
            output.print(&show::excepted(&step.sign(entered)?))?;
        }
        Ceremony::New(a) => return begin::new(a, output),
        Ceremony::Next(a) => return begin::next(a, output),
        Ceremony::Preflight(a) => return begin::preflight(a, output),
        Ceremony::Share(share) => share::run(share, output)?,
        Ceremony::Manifest(a) => {
            let plan = manifest::Plan {
                measurements: measurements(&a.measurements)?,
                applications: a.application.clone(),
                valid_days: a.valid_days,
                forward: a.forward_plan(),
            };
            let at = At::of_coordinator(&a.shared, &a.noting)?;
            let prepared = manifest::prepare(at.folder(), &plan)?;
            if a.acting.dry_run {
                let review = show::proposed(prepared.proposed());
                return dry(output, review, "write this manifest into the folder");
            }
            let proposed = prepared.publish()?;
            at.note(&proposed)?;
            output.print(&show::proposed(&proposed))?;
        }
        Ceremony::Approve(a) => {
            protect(output)?;
            let at = At::of_member(&a.shared, &a.keyed)?;
            let step = approve::review(at.folder(), at.private()?, a.manifest)?;
            let review = show::manifest_review(&step);
            if a.acting.dry_run {
                return dry(output, review, "sign your approval of this manifest");
            }
            let successor = step.successor();
            let action = format!("approve manifest {}", successor.sequence);
            let mut question = Question::of(&review, action, successor.digest.as_bytes());
            question.changes = Some(show::changes_for_screen(&step));
            screen::decide(output, Way::of(output, &a.keyed), question)?;
            let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
            output.print(&show::approved(&step.approve(entered)?))?;
        }
        Ceremony::Boot(a) => {
            let at = At::of_coordinator(&a.shared, &a.noting)?;
            let ready = boot::prepare(at.folder(), &a.application, a.manifest)?;
            if a.acting.dry_run {
                let review = show::boot_review(&ready);
                return dry(output, review, "upload the binaries and boot this manifest");
            }
            let socket = at.instance(&a.socket)?;
            let mut shown = upload::Shown::new(output);
            let mut tell = |progress: Progress<'_>| shown.tell(progress);
            let started = ready.boot(&socket, &mut tell)?;
            shown.end();
            at.note(&started)?;
            output.print(&show::started(&started))?;
        }
        Ceremony::Attest(a) => {
            let at = At::find(&a.shared, a.private.as_deref())?;
            let socket = at.instance(&a.socket)?;
            let way = Way::of_reader(output);
            let attested = attest::attest(at.folder(), at.private()?, &socket, a.stage.into())
                .map_err(|error| screen::do_not(way, screen::NOTHING_GIVEN, error.into()))?;
            output.print(&show::attested(&attested))?;
        }
        Ceremony::Carry(a) => return carried::carry(a, output),
        Ceremony::Provision(a) if a.by_files.carried => {
            protect(output)?;
            return carried::provision(a, output);
        }
        Ceremony::Provision(a) => {
            protect(output)?;
            let at = At::of_member(&a.shared, &a.keyed)?;
            let (private, socket) = (at.private()?, at.instance(&a.socket)?);
            if a.acting.dry_run {
                let step = provision::attest(at.folder(), private, &socket)?;
                return dry(
                    output,
                    show::instance_review(&step),
                    "seal your share to this enclave and send it",
                );
            }
            let step = attested(output, &a.keyed, |way| {
                let step = provision::attest(at.folder(), private, &socket)?;
                let review = show::instance_review(&step);
                let question = questions::instance(&step, &review);
                Ok((screen::decide(output, way, question)?, step))
            })?;
            let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
            let development = step.setup().facts.development;
            output.print(&show::given(&step.give(entered)?, development))?;
        }
        Ceremony::ForwardApprove(a) => {
            protect(output)?;
            let at = At::of_member(&a.shared, &a.keyed)?;
            let step = forward_approve::review(at.folder(), at.private()?, a.manifest)?;
            let review = show::forward_review(&step);
            if a.acting.dry_run {
                return dry(output, review, "sign your approval of this forward");
            }
            let digest = Digest::of(step.to());
            let question = Question::of(
                &review,
                "approve that the key is forwarded",
                digest.as_bytes(),
            );
            screen::decide(output, Way::of(output, &a.keyed), question)?;
            let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
            output.print(&show::forward_approved(&step.approve(entered)?))?;
        }
        Ceremony::Forward(a) => {
            let at = At::of_coordinator(&a.shared, &a.noting)?;
            if a.acting.dry_run {
                let review = begin::forward_dry(&at, a)?;
                return dry(
                    output,
                    review,
                    "carry the key from the first enclave to the second",
                );
            }
            let done = forward::forward(at.folder(), &a.from, &a.to)
                .map_err(|error| at.refused(Act::Forward, error))?;
            at.note(&done)?;
            output.print(&show::forwarded(&done))?;
        }
        Ceremony::Reshare(command) => return reshare::run(command, output),
        Ceremony::Surrogate(command) => return surrogate::run(command, output),
        Ceremony::Drill(command) => return drill::run(command, output),
        Ceremony::Rotate(a) => return reshare::rotate(a, output),
        Ceremony::Evidence(a) => {
            let at = At::of_coordinator(&a.shared, &a.noting)?;
            let socket = at.instance(&a.socket)?;
            let collected = evidence::collect(at.folder(), &socket, &a.out)?;
            at.note(&collected)?;
            output.print(&show::collected(&collected, &a.out))?;
        }
        Ceremony::Transcript(command) => return transcript::run(command, output),
        Ceremony::Report(a) => return transcript::report(a, output),
        Ceremony::Rehearse(a) => return rehearse::run(a, output),
        Ceremony::Status(a) => {
            let at = At::find(&a.shared, None)?;
            let progress = status::read(at.folder(), a.socket.as_ref())?;
            output.print(&show::progress(&progress))?;
        }
        Ceremony::Board(a) => {
            let at = At::find(&a.shared, None)?;
            board::show(at.folder(), a.socket.as_ref(), output)?;
        }
        Ceremony::Log(a) => {
            let socket = match &a.socket.socket {
                Some(socket) => socket.clone(),
                None => At::find(&Shared { folder: None }, None)?.instance(&a.socket)?,
            };
            output.print(&show::log(&log::read(&socket)?))?;
        }
        Ceremony::Token(command) => return token::run(command, output),
    }
    Ok(Exit::Success)
}

/// Verifies the genesis, and signs for the share.
fn receive(at: &At, socket: &Socket, keyed: &Keyed, output: Output) -> Result<Exit, Failure> {
    let (private, socket) = (at.private()?, at.genesis(socket)?);
    let step = attested(output, keyed, |way| {
        let step = receipt::review(at.folder(), private, &socket)?;
        let review = show::genesis_review(&step);
        let question = questions::genesis(&step, &review);
        Ok((screen::decide(output, way, question)?, step))
    })?;
    let entered = unlock::unlock(keyed, step.keys(), output)?;
    output.print(&show::received(&step.acknowledge(entered)?))?;
    Ok(Exit::Success)
}

/// Verifies and asks, again as long as the person wants it verified anew.
fn attested<T>(
    output: Output,
    keyed: &Keyed,
    mut look: impl FnMut(Way) -> Result<(Decision, T), Failure>,
) -> Result<T, Failure> {
    let way = Way::of(output, keyed);
    loop {
        match look(way).map_err(|failure| screen::do_not(way, screen::NOTHING_GIVEN, failure))? {
            (Decision::Yes, step) => return Ok(step),
            (Decision::Renew, _) => {}
        }
    }
}

/// Shows what a command would do, and that it did not.
fn dry(output: Output, review: Report, would: &str) -> Result<Exit, Failure> {
    output.print(&review.dry_run(would))?;
    Ok(Exit::Success)
}

/// Shows what has been verified, before a passphrase is asked for. A program gets it with the
/// result, in one object.
fn before_key(output: Output, review: &dyn Render) -> Result<(), Failure> {
    match output.format() {
        Format::Text => output.print(review),
        Format::Json => Ok(()),
    }
}

/// Keeps keys out of core dumps, and the terminal as it was where a prompt is interrupted.
fn protect(output: Output) -> Result<(), Failure> {
    hardening::protect().map_err(CeremonyError::from)?;
    share::guard(output)
}

fn measurements(
    path: &std::path::Path,
) -> Result<quorate_protocol::definition::Measurements, Failure> {
    let json = files::read(path, inputs::MAX_MEASUREMENTS, "measurements file")?;
    Ok(inputs::measurements(&json).map_err(CeremonyError::from)?)
}

/// What is to be defined: as the command line says, or as the plan in the folder does.
fn plan(a: &DefineArguments, folder: &std::path::Path) -> Result<define::Plan, Failure> {
    let named = (
        a.namespace.as_ref(),
        a.members.as_ref(),
        a.manifest_threshold.zip(a.share_threshold),
        a.partition.zip(a.measurements.as_ref()),
    );
    // The command line takes all of them or none.
    let (Some(namespace), Some(members), Some(thresholds), Some((partition, measured))) = named
    else {
        return Ok(define::Plan::of_workspace(folder)?);
    };
    Ok(define::Plan {
        namespace: namespace.clone(),
        members: members.clone(),
        manifest_members: a.manifest_members.clone(),
        manifest_threshold: thresholds.0,
        share_threshold: thresholds.1,
        age_limit: a.age_limit.unwrap_or(AgeLimit::SHORTEST),
        root: root(partition, a.root.as_deref())?,
        measurements: measurements(measured)?,
    })
}

/// The root of the partition: AWS's commercial one is built in, others come from a file.
fn root(partition: PartitionName, file: Option<&std::path::Path>) -> Result<TrustAnchor, Failure> {
    let partition = Partition::from(partition);
    let Some(path) = file else {
        if partition == Partition::Aws {
            return Ok(TrustAnchor::aws_commercial());
        }
        return Err(CeremonyError::from(inputs::InputError::RootNeeded).into());
    };
    let unusable = |what: String| {
        Failure::usage(
            "root-unusable",
            format!("the root {} is not usable: {what}", path.display()),
            "name the file of one root certificate, PEM or DER, and its partition",
        )
    };
    let file = files::read(path, 64 * 1024, "root certificate")?;
    let der = pem::certificate(&file).map_err(|error| unusable(error.to_string()))?;
    TrustAnchor::from_der(partition, &der).map_err(|error| unusable(error.to_string()))
}

impl From<CeremonyError> for Failure {
    fn from(error: CeremonyError) -> Self {
        let explanation = error.explain();
        let what = error.to_string();
        let unusable = matches!(
            error,
            CeremonyError::Input(_)
                | CeremonyError::Place(
                    PlaceError::NoEnclave | PlaceError::NoPrivate | PlaceError::NoWorkspace
                )
        );
        if unusable {
            return Self::usage(explanation.code, what, explanation.remedy);
        }
        let fault = match explanation.blame {
            Blame::Coordinator => Fault::Coordinator,
            Blame::Folder => Fault::Folder,
            Blame::Enclave => Fault::Enclave,
            Blame::Member => Fault::Member,
            Blame::You => Fault::Caller,
            _ => Fault::Machine,
        };
        Self::refused(fault, explanation.code, what, explanation.remedy)
    }
}

impl Keyed {
    /// Whether passphrase or PIN comes from a file: whoever runs the command has decided.
    const fn is_given(&self) -> bool {
        self.passphrase_file.is_some() || self.pin_file.is_some()
    }

    /// Whether passphrase or PIN comes from standard input; only one of them can be named.
    fn is_stdin(&self) -> bool {
        let named = self.passphrase_file.iter().chain(&self.pin_file);
        named.into_iter().any(|file| file.as_os_str() == "-")
    }
}
