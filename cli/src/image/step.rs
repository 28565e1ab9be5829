//! `quorate image step`: what a build starts itself as, for one step in a sandbox of its own.
//!
//! It is a command because the process that makes namespaces must have one thread. It is hidden
//! because nobody types it.

use std::path::PathBuf;

use clap::Args;
use quorate_builder::sandbox::enter;

/// Run one step of a build; the build itself starts this.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The step's order
    spec: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> ! {
    std::process::exit(enter(&arguments.spec))
}
