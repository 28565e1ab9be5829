//! `quorate ceremony reshare` and `rotate`.

use quorate_protocol::digest::Digest;
use quorate_protocol::transcript::Act;
use quorate_quorum_ceremony::CeremonyError;
use quorate_quorum_ceremony::steps::reshare::{destroy, order, receipt, run, sign};
use quorate_quorum_ceremony::steps::rotate;

use super::place::At;
use super::reshare_arguments::{
    DestroyArguments, NumberedArguments, OrderArguments, Reshare, RotateArguments, RunArguments,
};
use super::screen::{self, Question, Way};
use super::{dry, protect, show, unlock};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Runs one step.
pub(super) fn run(command: &Reshare, output: Output) -> Result<Exit, Failure> {
    match command {
        Reshare::Order(a) => ask(a, output),
        Reshare::Sign(a) => consent(a, output),
        Reshare::Run(a) => carry_out(a, output),
        Reshare::Receipt(a) => receive(a, output),
        Reshare::Destroy(a) => give_up(a, output),
    }
}

fn ask(a: &OrderArguments, output: Output) -> Result<Exit, Failure> {
    let at = At::of_coordinator(&a.shared, &a.noting)?;
    let ready = order::prepare(at.folder(), &a.plan())?;
    if a.acting.dry_run {
        let review = show::order_draft(&ready);
        return dry(
            output,
            review,
            "ask the enclave for a nonce and write this order",
        );
    }
    let socket = at.instance(&a.socket)?;
    let ordered = ready
        .order(&socket)
        .map_err(|error| at.refused(Act::Reshare, error))?;
    at.note(&ordered)?;
    output.print(&show::ordered(&ordered))?;
    Ok(Exit::Success)
}

fn consent(a: &NumberedArguments, output: Output) -> Result<Exit, Failure> {
    protect(output)?;
    let at = At::of_member(&a.shared, &a.keyed)?;
    let way = Way::of(output, &a.keyed);
    let step =
        sign::review(at.folder(), at.private()?, a.order).map_err(|error| warned(way, error))?;
    let review = show::order_review(&step);
    if a.acting.dry_run {
        return dry(output, review, "sign your consent to this order");
    }
    let digest = Digest::of(step.order());
    let action = "consent that the key is shared anew";
    let question = Question::of(&review, action, digest.as_bytes())
        .verified(
            "it is for what runs now, and no other enclave can carry it out",
            screen::ORDER,
        )
        .changing(show::order_changes(&step));
    screen::decide(output, way, question)?;
    let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
    output.print(&show::order_consented(&step.consent(entered)?))?;
    Ok(Exit::Success)
}

fn carry_out(a: &RunArguments, output: Output) -> Result<Exit, Failure> {
    let at = At::of_coordinator(&a.shared, &a.noting)?;
    let ready = run::prepare(at.folder(), a.order)?;
    if a.acting.dry_run {
        let consenters = ready.consenters().map_err(CeremonyError::from)?;
        let review = show::run_review(&ready, &consenters);
        return dry(output, review, "have the enclave make the new shares");
    }
    let socket = at.instance(&a.socket)?;
    let done = ready
        .run(&socket)
        .map_err(|error| at.refused(Act::Reshare, error))?;
    at.note(&done)?;
    output.print(&show::reshared(&done))?;
    Ok(Exit::Success)
}

fn receive(a: &NumberedArguments, output: Output) -> Result<Exit, Failure> {
    protect(output)?;
    let at = At::of_member(&a.shared, &a.keyed)?;
    let way = Way::of(output, &a.keyed);
    let step =
        receipt::review(at.folder(), at.private()?, a.order).map_err(|error| warned(way, error))?;
    let review = show::reshare_review(&step);
    if a.acting.dry_run {
        return dry(
            output,
            review,
            "check and keep your new share and sign for it",
        );
    }
    let record = step.verified().record;
    let action = "keep this share and sign that you hold it";
    let question = Question::of(&review, action, record.as_bytes())
        .verified(
            "an enclave that has your key made it, on an order of enough people",
            screen::NEW_SHARES,
        )
        .changing(show::receipt_changes(&step));
    screen::decide(output, way, question)?;
    let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
    output.print(&show::new_share_received(&step.acknowledge(entered)?))?;
    Ok(Exit::Success)
}

fn give_up(a: &DestroyArguments, output: Output) -> Result<Exit, Failure> {
    protect(output)?;
    let at = At::of_member(&a.shared, &a.keyed)?;
    let step = destroy::review(at.folder(), at.private()?, a.with_key)?;
    let review = show::destroy_review(&step);
    let action = match a.with_key {
        true => "destroy your old share and your key file",
        false => "destroy your old share",
    };
    if a.acting.dry_run {
        return dry(output, review, action);
    }
    let digest = step.digest();
    let question = Question::of(&review, action, digest.as_bytes());
    screen::decide(output, Way::of(output, &a.keyed), question)?;
    let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
    output.print(&show::destroyed(&step.destroy(entered)?))?;
    Ok(Exit::Success)
}

/// What does not hold is shown on a page of its own; what is only early or late is told.
fn warned(way: Way, error: CeremonyError) -> Failure {
    match error {
        CeremonyError::Step(_) => error.into(),
        error => screen::do_not(way, screen::NOTHING_SIGNED, error.into()),
    }
}

/// Writes a manifest that changes people.
pub(super) fn rotate(a: &RotateArguments, output: Output) -> Result<Exit, Failure> {
    let at = At::of_coordinator(&a.shared, &a.noting)?;
    let prepared = rotate::prepare(at.folder(), &a.plan())?;
    if a.acting.dry_run {
        let review = show::rotated(prepared.rotated());
        return dry(output, review, "write this manifest into the folder");
    }
    let rotated = prepared.publish()?;
    at.note(&rotated)?;
    output.print(&show::rotated(&rotated))?;
    Ok(Exit::Success)
}
