//! `quorate ceremony surrogate`.

use quorate_quorum_ceremony::steps::surrogate::{accept, list, name, share};

use super::place::At;
use super::screen::{self, Question, Way};
use super::surrogate_arguments::{
    AcceptArguments, ListArguments, NameArguments, ShareArguments, Surrogate,
};
use super::{dry, protect, show, unlock};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Runs one step.
pub(super) fn run(command: &Surrogate, output: Output) -> Result<Exit, Failure> {
    match command {
        Surrogate::Name(a) => appoint(a, output),
        Surrogate::Share(a) => entrust(a, output),
        Surrogate::Accept(a) => take(a, output),
        Surrogate::List(a) => tell(a, output),
    }
}

fn appoint(a: &NameArguments, output: Output) -> Result<Exit, Failure> {
    protect(output)?;
    let at = At::of_member(&a.shared, &a.keyed)?;
    let step = name::review(at.folder(), at.private()?, &a.plan())?;
    let review = show::delegation_review(&step);
    let action = format!("let {} act for you", a.surrogate);
    if a.acting.dry_run {
        return dry(output, review, &action);
    }
    let digest = step.digest();
    let question = Question::of(&review, action, digest.as_bytes());
    screen::decide(output, Way::of(output, &a.keyed), question)?;
    let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
    output.print(&show::delegated(&step.sign(entered)?))?;
    Ok(Exit::Success)
}

fn entrust(a: &ShareArguments, output: Output) -> Result<Exit, Failure> {
    protect(output)?;
    let at = At::of_member(&a.shared, &a.keyed)?;
    let step = share::review(at.folder(), at.private()?, &a.surrogate, a.manifest)?;
    let review = show::entrust_review(&step);
    let action = format!("give {} your share; this cannot be taken back", a.surrogate);
    if a.acting.dry_run {
        return dry(output, review, &action);
    }
    let digest = step.digest();
    let mut question = Question::of(&review, action, digest.as_bytes());
    question.changes = Some(show::entrust_changes(&step));
    screen::decide(output, Way::of(output, &a.keyed), question)?;
    let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
    output.print(&show::entrusted(&step.entrust(entered)?))?;
    Ok(Exit::Success)
}

fn take(a: &AcceptArguments, output: Output) -> Result<Exit, Failure> {
    protect(output)?;
    let at = At::of_member(&a.shared, &a.keyed)?;
    let step = accept::review(at.folder(), at.private()?, a.manifest)?;
    let review = show::accept_review(&step);
    let action = format!("keep the share of {}", step.delegation().member);
    if a.acting.dry_run {
        return dry(output, review, &action);
    }
    let digest = step.digest();
    let question = Question::of(&review, action, digest.as_bytes());
    screen::decide(output, Way::of(output, &a.keyed), question)?;
    let entered = unlock::unlock(&a.keyed, step.keys(), output)?;
    output.print(&show::accepted(&step.accept(entered)?))?;
    Ok(Exit::Success)
}

fn tell(a: &ListArguments, output: Output) -> Result<Exit, Failure> {
    let at = At::find(&a.shared, None)?;
    output.print(&show::delegations(&list::read(at.folder())?))?;
    Ok(Exit::Success)
}
