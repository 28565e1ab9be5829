//! `quorate ceremony reshare` and `rotate`.

use quorate_quorum_ceremony::steps::reshare::{destroy, order, receipt, run, sign};
use quorate_quorum_ceremony::steps::rotate;

use super::reshare_arguments::{Reshare, RotateArguments};
use super::{before_key, note, passphrase, protect, show};
use crate::failure::Failure;
use crate::output::Output;

/// Runs one step.
pub(super) fn run(command: &Reshare, output: Output) -> Result<(), Failure> {
    match command {
        Reshare::Order(a) => {
            let ordered = order::order(&a.shared.folder, &a.socket.socket, &a.plan())?;
            note(&a.noting, &ordered)?;
            output.print(&show::ordered(&ordered))
        }
        Reshare::Sign(a) => {
            protect()?;
            let step = sign::review(&a.shared.folder, &a.keyed.private, a.order)?;
            before_key(output, &show::order_review(&step))?;
            let entered = passphrase::read(&a.keyed, false)?;
            output.print(&show::order_consented(&step.consent(&entered)?))
        }
        Reshare::Run(a) => {
            let done = run::run(&a.shared.folder, &a.socket.socket, a.order)?;
            note(&a.noting, &done)?;
            output.print(&show::reshared(&done))
        }
        Reshare::Receipt(a) => {
            protect()?;
            let step = receipt::review(&a.shared.folder, &a.keyed.private, a.order)?;
            before_key(output, &show::reshare_review(&step))?;
            let entered = passphrase::read(&a.keyed, false)?;
            output.print(&show::new_share_received(&step.acknowledge(&entered)?))
        }
        Reshare::Destroy(a) => {
            protect()?;
            let step = destroy::review(&a.shared.folder, &a.keyed.private)?;
            before_key(output, &show::destroy_review(&step, a.with_key))?;
            let entered = passphrase::read(&a.keyed, false)?;
            output.print(&show::destroyed(&step.destroy(&entered, a.with_key)?))
        }
    }
}

/// Writes a manifest that changes people.
pub(super) fn rotate(a: &RotateArguments, output: Output) -> Result<(), Failure> {
    let rotated = rotate::propose(&a.shared.folder, &a.plan())?;
    note(&a.noting, &rotated)?;
    output.print(&show::rotated(&rotated))
}
