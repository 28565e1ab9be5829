//! `provision --carried`, `receipt --carried` and `carry`.

use quorate_quorum_ceremony::clock::machine;
use quorate_quorum_ceremony::steps::carry::{self, Kind};
use quorate_quorum_ceremony::steps::{provision, receipt};
use quorate_quorum_ceremony::workspace::EnclaveRole;

use super::arguments::{ProvisionArguments, ReceiptArguments};
use super::carried_arguments::CarryArguments;
use super::place::At;
use super::screen::{self, Decision, Way};
use super::{dry, questions, show, unlock};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Gives a share by files, as far as they go.
pub(super) fn provision(a: &ProvisionArguments, output: Output) -> Result<Exit, Failure> {
    use provision::carried::{Found, find};
    let at = At::of_member(&a.shared, &a.keyed)?;
    let way = Way::of(output, &a.keyed);
    let found = find(at.folder(), at.private()?, &machine(), a.by_files.anew)
        .map_err(|error| screen::do_not(way, screen::NOTHING_GIVEN, error.into()))?;
    match found {
        Found::Ask(asking) if a.acting.dry_run => {
            let review = show::carried::asking("provision", asking.limit(), asking.waits());
            return dry(output, review, "make a nonce and write it into the folder");
        }
        Found::Ask(asking) => output.print(&show::carried::asked("provision", &asking.ask()?))?,
        Found::Attested(step) => {
            let review = show::instance_review(&step);
            if a.acting.dry_run {
                return dry(
                    output,
                    review,
                    "seal your share to this enclave and write it into the folder",
                );
            }
            let question = questions::instance(&step, &review);
            agreed(screen::decide(output, way, question)?)?;
            let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
            output.print(&show::carried::granted(&step.seal(entered)?))?;
        }
        Found::Granted(granted) => {
            if a.acting.dry_run {
                let review = show::carried::granted(&granted.on_its_way());
                return dry(output, review, "wait for the receipt");
            }
            output.print(&show::carried::granted(&granted.bring()?))?;
        }
        Found::Acknowledged(kept) => {
            let development = kept.development();
            if a.acting.dry_run {
                let review = show::given(kept.given(), development);
                return dry(output, review, "keep the receipt");
            }
            output.print(&show::given(&kept.keep()?, development))?;
        }
    }
    Ok(Exit::Success)
}

/// Acknowledges a genesis by files, as far as they go.
pub(super) fn receipt(a: &ReceiptArguments, output: Output) -> Result<Exit, Failure> {
    use receipt::carried::{Found, find};
    let at = At::of_member(&a.shared, &a.keyed)?;
    let way = Way::of(output, &a.keyed);
    let found = find(at.folder(), at.private()?, &machine(), a.by_files.anew)
        .map_err(|error| screen::do_not(way, screen::NOTHING_SIGNED, error.into()))?;
    match found {
        Found::Ask(asking) if a.acting.dry_run => {
            let review = show::carried::asking("receipt", asking.limit(), asking.waits());
            return dry(output, review, "make a nonce and write it into the folder");
        }
        Found::Ask(asking) => output.print(&show::carried::asked("receipt", &asking.ask()?))?,
        Found::Attested(step) => {
            let review = show::genesis_review(&step);
            if a.acting.dry_run {
                return dry(
                    output,
                    review,
                    "pin this genesis, keep your share and sign for it",
                );
            }
            let question = questions::genesis(&step, &review);
            agreed(screen::decide(output, way, question)?)?;
            let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
            output.print(&show::received(&step.acknowledge(entered)?))?;
        }
    }
    Ok(Exit::Success)
}

/// An attestation that was carried cannot be asked for again in the same command.
fn agreed(decision: Decision) -> Result<(), Failure> {
    match decision {
        Decision::Yes => Ok(()),
        Decision::Renew => Err(Failure::refused(
            crate::failure::Fault::Caller,
            "carried-renew",
            "this attestation was carried here; another one needs a new nonce",
            "run the command again with --anew, and have the new nonce carried",
        )),
    }
}

/// Does what members wait for.
pub(super) fn carry(a: &CarryArguments, output: Output) -> Result<Exit, Failure> {
    let at = At::of_coordinator(&a.shared, &a.noting)?;
    let errands = carry::look(at.folder())?;
    if a.acting.dry_run {
        let review = show::carried::errands(errands.due(), errands.refused());
        let review = review.development(errands.development());
        return dry(output, review, "ask the enclaves and write their answers");
    }
    let done = errands.run(|kind| {
        at.enclave(
            &a.socket,
            match kind {
                Kind::Genesis => EnclaveRole::Genesis,
                Kind::Attestation | Kind::Receipt => EnclaveRole::Instance,
            },
        )
    });
    let report = show::carried::errands(&done.done, &done.refused);
    output.print(&report.development(done.development))?;
    Ok(match done.refused.is_empty() {
        true => Exit::Success,
        false => Exit::Refused,
    })
}
