//! `quorate ceremony drill`.

use quorate_protocol::transcript::Act;
use quorate_quorum_ceremony::steps::drill::{finish, give, start};

use super::drill_arguments::{DrillCommand, FinishArguments, GiveArguments, StartArguments};
use super::place::At;
use super::screen::{self, Question};
use super::{attested, dry, protect, show, unlock};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Runs one step.
pub(super) fn run(command: &DrillCommand, output: Output) -> Result<Exit, Failure> {
    match command {
        DrillCommand::Start(a) => begin(a, output),
        DrillCommand::Give(a) => take_part(a, output),
        DrillCommand::Finish(a) => end(a, output),
    }
}

fn begin(a: &StartArguments, output: Output) -> Result<Exit, Failure> {
    let at = At::of_coordinator(&a.shared, &a.noting)?;
    let ready = start::prepare(at.folder())?;
    if a.acting.dry_run {
        let review = show::drill_draft(&ready);
        return dry(output, review, "start a drill in an empty enclave");
    }
    let socket = at.drill(&a.socket)?;
    let started = ready
        .start(&socket)
        .map_err(|error| at.refused(Act::Drill, error))?;
    at.note(&started)?;
    output.print(&show::drill_started(&started))?;
    Ok(Exit::Success)
}

fn take_part(a: &GiveArguments, output: Output) -> Result<Exit, Failure> {
    protect(output)?;
    let at = At::of_member(&a.shared, &a.keyed)?;
    let (private, socket) = (at.private()?, at.drill(&a.socket)?);
    if a.acting.dry_run {
        let step = give::attest(at.folder(), private, &socket)?;
        return dry(
            output,
            show::drill_review(&step),
            "prove that you hold your share, and give the drill share to this enclave",
        );
    }
    let step = attested(output, &a.keyed, |way| {
        let step = give::attest(at.folder(), private, &socket)?;
        let review = show::drill_review(&step);
        let facts = &step.setup().facts;
        let action = "take part in this drill";
        let question = Question::of(&review, action, &facts.document.0).attested(
            step.looked(),
            facts,
            "it runs what was approved, was started for a drill, and can do nothing else",
            screen::DRILL,
        );
        Ok((screen::decide(output, way, question)?, step))
    })?;
    let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
    output.print(&show::drill_given(&step.give(entered)?))?;
    Ok(Exit::Success)
}

fn end(a: &FinishArguments, output: Output) -> Result<Exit, Failure> {
    let at = At::of_coordinator(&a.shared, &a.noting)?;
    let socket = at.drill(&a.socket)?;
    let due = a.due.unwrap_or_else(finish::default_due);
    if a.acting.dry_run {
        let progress = finish::progress(&socket)?;
        let review = show::drill_end_draft(progress, due);
        return dry(output, review, "end the drill and write its record");
    }
    let finished =
        finish::finish(at.folder(), &socket, due).map_err(|error| at.refused(Act::Drill, error))?;
    at.note(&finished)?;
    output.print(&show::drill_finished(&finished))?;
    Ok(Exit::Success)
}
