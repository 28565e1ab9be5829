//! `quorate ceremony`: what the people of a quorum type, step by step.
//!
//! Everything that is decided is decided in `quorate-quorum-ceremony`; here arguments become calls
//! and results become text or JSON. A step that needs a key shows what it has verified before it
//! asks for the passphrase, so that typing the passphrase is the decision.

mod arguments;
mod board;
mod passphrase;
mod report;
mod screen;
mod share;
mod show;
mod transcript;
mod transcript_arguments;
mod upload;

use quorate_quorum_ceremony::steps::{
    approve, attest, boot, consent, define, evidence, forward, forward_approve, genesis, join, log,
    manifest, provision, receipt, status,
};
use quorate_quorum_ceremony::transcript::Noted;
use quorate_quorum_ceremony::upload::Progress;
use quorate_quorum_ceremony::{Blame, CeremonyError, hardening, inputs};
use quorate_verify::attestation::{Partition, TrustAnchor};

use quorate_protocol::digest::Digest;
use quorate_screens::Verdict;

pub(crate) use self::arguments::{Ceremony, PartitionName};
use self::arguments::{DefineArguments, Keyed, Noting};
use self::screen::{Decision, Question, Way};
use crate::failure::{Exit, Failure, Fault};
use crate::output::{Format, Output, Render};
use crate::{files, pem};

/// Runs one step.
pub(crate) fn run(ceremony: &Ceremony, output: Output) -> Result<Exit, Failure> {
    match ceremony {
        Ceremony::Join(a) => {
            protect()?;
            let step = join::prepare(&a.shared.folder, &a.keyed.private, &a.name)?;
            let entered = passphrase::read(&a.keyed, step.is_new())?;
            output.print(&show::joined(&step.join(&entered)?))?;
        }
        Ceremony::Define(a) => {
            let defined = define::define(&a.shared.folder, &plan(a)?)?;
            note(&a.noting, &defined)?;
            output.print(&show::defined(&defined))?;
        }
        Ceremony::Consent(a) => {
            protect()?;
            let step = consent::review(&a.shared.folder, &a.keyed.private, a.fingerprint)?;
            let way = Way::of(output, &a.keyed);
            let report = show::definition_review(step.definition());
            let question = Question {
                report: &report,
                verdict: Verdict::ForInformation,
                action: "consent to this definition".into(),
                fingerprint: *Digest::of(step.definition()).as_bytes(),
                looked: None,
                changes: None,
            };
            screen::decide(output, way, question)?;
            let entered = passphrase::read(&a.keyed, false)?;
            output.print(&show::consented(&step.consent(&entered)?))?;
        }
        Ceremony::Genesis(a) => {
            let born = genesis::hold(&a.shared.folder, &a.socket.socket)?;
            note(&a.noting, &born)?;
            output.print(&show::born(&born))?;
        }
        Ceremony::Receipt(a) => {
            protect()?;
            let (folder, socket) = (&a.shared.folder, &a.socket.socket);
            let way = Way::of(output, &a.keyed);
            let step = attested(way, || {
                let step = receipt::review(folder, &a.keyed.private, socket)?;
                let report = show::genesis_review(&step);
                let question = Question {
                    report: &report,
                    verdict: safe("it made the key under the definition you signed"),
                    action: "sign that you have verified this genesis".into(),
                    fingerprint: *step.genesis().as_bytes(),
                    looked: Some((step.looked(), step.facts())),
                    changes: None,
                };
                Ok((screen::decide(output, way, question)?, step))
            })?;
            let entered = passphrase::read(&a.keyed, false)?;
            output.print(&show::received(&step.acknowledge(&entered)?))?;
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
            let way = Way::of(output, &a.keyed);
            let report = show::manifest_review(&step);
            let question = Question {
                report: &report,
                verdict: Verdict::ForInformation,
                action: format!("approve manifest {}", step.successor().sequence),
                fingerprint: *step.successor().digest.as_bytes(),
                looked: None,
                changes: Some(show::changes_for_screen(&step)),
            };
            screen::decide(output, way, question)?;
            let entered = passphrase::read(&a.keyed, false)?;
            output.print(&show::approved(&step.approve(&entered)?))?;
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
            let way = Way::of_reader(output);
            let attested = attest::attest(folder, &a.private, socket, a.stage.into())
                .map_err(|error| screen::do_not(way, error.into()))?;
            output.print(&show::attested(&attested))?;
        }
        Ceremony::Provision(a) => {
            protect()?;
            let (folder, socket) = (&a.shared.folder, &a.socket.socket);
            let way = Way::of(output, &a.keyed);
            let step = attested(way, || {
                let step = provision::attest(folder, &a.keyed.private, socket)?;
                let report = show::instance_review(&step);
                let facts = &step.setup().facts;
                let question = Question {
                    report: &report,
                    verdict: safe("it runs what was approved, and nobody else can open what it gets"),
                    action: "give your share to this enclave".into(),
                    fingerprint: facts.document.0,
                    looked: Some((step.looked(), facts)),
                    changes: None,
                };
                Ok((screen::decide(output, way, question)?, step))
            })?;
            let entered = passphrase::read(&a.keyed, false)?;
            let development = step.setup().facts.development;
            output.print(&show::given(&step.give(&entered)?, development))?;
        }
        Ceremony::ForwardApprove(a) => {
            protect()?;
            let step = forward_approve::review(&a.shared.folder, &a.keyed.private, a.manifest)?;
            let way = Way::of(output, &a.keyed);
            let report = show::forward_review(&step);
            let question = Question {
                report: &report,
                verdict: Verdict::ForInformation,
                action: "approve that the key is forwarded".into(),
                fingerprint: *Digest::of(step.to()).as_bytes(),
                looked: None,
                changes: None,
            };
            screen::decide(output, way, question)?;
            let entered = passphrase::read(&a.keyed, false)?;
            output.print(&show::forward_approved(&step.approve(&entered)?))?;
        }
        Ceremony::Forward(a) => {
            let done = forward::forward(&a.shared.folder, &a.from, &a.to)?;
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
        Ceremony::Board(a) => board::show(&a.shared.folder, a.socket.as_ref(), output)?,
        Ceremony::Log(a) => {
            output.print(&show::log(&log::read(&a.socket.socket)?))?;
        }
    }
    Ok(Exit::Success)
}

/// Verifies and asks, again as long as the person wants it verified anew.
fn attested<T>(
    way: Way,
    mut look: impl FnMut() -> Result<(Decision, T), Failure>,
) -> Result<T, Failure> {
    loop {
        match look().map_err(|failure| screen::do_not(way, failure))? {
            (Decision::Yes, step) => return Ok(step),
            (Decision::Renew, _) => {}
        }
    }
}

fn safe(because: &str) -> Verdict {
    Verdict::Safe(because.into())
}

/// Notes what a coordinator did who is a member.
fn note(noting: &Noting, done: &impl Noted) -> Result<(), Failure> {
    match &noting.private {
        Some(private) => Ok(quorate_quorum_ceremony::transcript::note(private, done)?),
        None => Ok(()),
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
    /// Whether the passphrase comes from a file: whoever runs the command has decided.
    const fn is_given(&self) -> bool {
        self.passphrase_file.is_some()
    }

    /// Whether the passphrase comes from standard input.
    fn is_stdin(&self) -> bool {
        self.passphrase_file.as_deref() == Some(std::path::Path::new("-"))
    }
}
