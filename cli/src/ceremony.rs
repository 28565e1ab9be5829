//! `quorate ceremony`: what the people of a quorum type, step by step.
//!
//! Everything that is decided is decided in `quorate-quorum-ceremony`; here arguments become calls
//! and results become text or JSON. A step that needs a key shows what it has verified before it
//! asks for passphrase or PIN, so that typing it is the decision.

mod arguments;
mod passphrase;
mod report;
mod share;
mod show;
mod token;
mod transcript;
mod transcript_arguments;
mod unlock;
mod upload;

use quorate_protocol::transcript::Act;
use quorate_quorum_ceremony::steps::{
    approve, attest, boot, consent, define, evidence, forward, forward_approve, genesis, join, log,
    manifest, provision, receipt, status,
};
use quorate_quorum_ceremony::transcript::Noted;
use quorate_quorum_ceremony::upload::Progress;
use quorate_quorum_ceremony::{Blame, CeremonyError, hardening, inputs};
use quorate_verify::attestation::{Partition, TrustAnchor};

pub(crate) use self::arguments::{Ceremony, PartitionName};
use self::arguments::{DefineArguments, Keyed, Noting};
use crate::failure::{Exit, Failure, Fault};
use crate::output::{Format, Output, Render};
use crate::{files, pem};

/// Runs one step.
pub(crate) fn run(ceremony: &Ceremony, output: Output) -> Result<Exit, Failure> {
    match ceremony {
        Ceremony::Join(a) => {
            protect()?;
            let named = unlock::Named::read(a)?;
            let step = join::prepare(&a.shared.folder, &a.keyed.private, &a.name)?;
            output.print(&show::joined(&unlock::join(a, &named, step, output)?))?;
        }
        Ceremony::Define(a) => {
            let defined = define::define(&a.shared.folder, &plan(a)?)?;
            note(&a.noting, &defined)?;
            output.print(&show::defined(&defined))?;
        }
        Ceremony::Consent(a) => {
            protect()?;
            let step = consent::review(&a.shared.folder, &a.keyed.private, a.fingerprint)?;
            before_key(output, &show::definition_review(step.definition()))?;
            let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
            output.print(&show::consented(&step.consent(entered)?))?;
        }
        Ceremony::Genesis(a) => {
            let born = genesis::hold(&a.shared.folder, &a.socket.socket)?;
            note(&a.noting, &born)?;
            output.print(&show::born(&born))?;
        }
        Ceremony::Receipt(a) => {
            protect()?;
            let (folder, socket) = (&a.shared.folder, &a.socket.socket);
            let step = receipt::review(folder, &a.keyed.private, socket)?;
            before_key(output, &show::genesis_review(&step))?;
            let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
            output.print(&show::received(&step.acknowledge(entered)?))?;
        }
        Ceremony::Share(share) => share::run(share, output)?,
        Ceremony::Manifest(a) => {
            let plan = manifest::Plan {
                measurements: measurements(&a.measurements)?,
                applications: a.application.clone(),
                valid_days: a.valid_days,
                forward: a.forward_plan(),
            };
            let proposed = manifest::propose(&a.shared.folder, &plan)?;
            note(&a.noting, &proposed)?;
            output.print(&show::proposed(&proposed))?;
        }
        Ceremony::Approve(a) => {
            protect()?;
            let step = approve::review(&a.shared.folder, &a.keyed.private, a.manifest)?;
            before_key(output, &show::manifest_review(&step))?;
            let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
            output.print(&show::approved(&step.approve(entered)?))?;
        }
        Ceremony::Boot(a) => {
            let (folder, socket) = (&a.shared.folder, &a.socket.socket);
            let mut shown = upload::Shown::new(output);
            let mut tell = |progress: Progress<'_>| shown.tell(progress);
            let started = boot::boot(folder, socket, &a.application, a.manifest, &mut tell)?;
            shown.end();
            note(&a.noting, &started)?;
            output.print(&show::started(&started))?;
        }
        Ceremony::Attest(a) => {
            let (folder, socket) = (&a.shared.folder, &a.socket.socket);
            let attested = attest::attest(folder, &a.private, socket, a.stage.into())?;
            output.print(&show::attested(&attested))?;
        }
        Ceremony::Provision(a) => {
            protect()?;
            let (folder, socket) = (&a.shared.folder, &a.socket.socket);
            let step = provision::attest(folder, &a.keyed.private, socket)?;
            before_key(output, &show::instance_review(&step))?;
            let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
            let development = step.setup().facts.development;
            output.print(&show::given(&step.give(entered)?, development))?;
        }
        Ceremony::ForwardApprove(a) => {
            protect()?;
            let step = forward_approve::review(&a.shared.folder, &a.keyed.private, a.manifest)?;
            before_key(output, &show::forward_review(&step))?;
            let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
            output.print(&show::forward_approved(&step.approve(entered)?))?;
        }
        Ceremony::Forward(a) => {
            let done = forward::forward(&a.shared.folder, &a.from, &a.to);
            let done = done.map_err(|error| refused(&a.noting, Act::Forward, error))?;
            note(&a.noting, &done)?;
            output.print(&show::forwarded(&done))?;
        }
        Ceremony::Evidence(a) => {
            let (folder, socket) = (&a.shared.folder, &a.socket.socket);
            let collected = evidence::collect(folder, socket, &a.out)?;
            note(&a.noting, &collected)?;
            output.print(&show::collected(&collected, &a.out))?;
        }
        Ceremony::Transcript(command) => return transcript::run(command, output),
        Ceremony::Report(a) => return transcript::report(a, output),
        Ceremony::Status(a) => {
            let progress = status::read(&a.shared.folder, a.socket.as_ref())?;
            output.print(&show::progress(&progress))?;
        }
        Ceremony::Log(a) => {
            output.print(&show::log(&log::read(&a.socket.socket)?))?;
        }
        Ceremony::Token(command) => return token::run(command, output),
    }
    Ok(Exit::Success)
}

/// Notes what a coordinator did who is a member.
fn note(noting: &Noting, done: &impl Noted) -> Result<(), Failure> {
    match &noting.private {
        Some(private) => Ok(quorate_quorum_ceremony::transcript::note(private, done)?),
        None => Ok(()),
    }
}

/// Notes what was refused to a coordinator who is a member.
fn refused(noting: &Noting, act: Act, error: CeremonyError) -> CeremonyError {
    match &noting.private {
        Some(private) => quorate_quorum_ceremony::transcript::refused(private, act, error),
        None => error,
    }
}

/// Shows what has been verified, before a passphrase is asked for. A program gets it with the
/// result, in one object.
fn before_key(output: Output, review: &dyn Render) -> Result<(), Failure> {
    match output.format() {
        Format::Text => output.print(review),
        Format::Json => Ok(()),
    }
}

fn protect() -> Result<(), Failure> {
    hardening::protect().map_err(|error| CeremonyError::from(error).into())
}

fn measurements(
    path: &std::path::Path,
) -> Result<quorate_protocol::definition::Measurements, Failure> {
    let json = files::read(path, inputs::MAX_MEASUREMENTS, "measurements file")?;
    Ok(inputs::measurements(&json).map_err(CeremonyError::from)?)
}

fn plan(a: &DefineArguments) -> Result<define::Plan, Failure> {
    Ok(define::Plan {
        namespace: a.namespace.clone(),
        members: a.members.clone(),
        manifest_members: a.manifest_members.clone(),
        manifest_threshold: a.manifest_threshold,
        share_threshold: a.share_threshold,
        root: root(a)?,
        measurements: measurements(&a.measurements)?,
    })
}

/// The root of the partition: AWS's commercial one is built in, others come from a file.
fn root(a: &DefineArguments) -> Result<TrustAnchor, Failure> {
    let partition = Partition::from(a.partition);
    let Some(path) = &a.root else {
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
        if matches!(error, CeremonyError::Input(_)) {
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
    /// Whether passphrase or PIN comes from standard input; only one of them can be named.
    fn is_stdin(&self) -> bool {
        let named = self.passphrase_file.iter().chain(&self.pin_file);
        named.into_iter().any(|file| file.as_os_str() == "-")
    }
}
