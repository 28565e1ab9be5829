//! `quorate image`: enclave images, from locked inputs to the measurements a quorum approves.
//!
//! One file for each subcommand, with its arguments and its help; [`source`] opens images.
//!
//! Guarantees: what is shown as measured is what a Nitro hypervisor puts into registers; everything
//! else in a file is shown as a claim of its maker. A command that writes a file leaves the whole
//! file or none.
//!
//! Does not: decide which measurements are right. Manifests and policies do.

mod app;
mod attach;
mod attest;
mod build;
mod common;
mod diff;
pub(crate) mod expected;
mod fetch;
mod inspect;
mod lock;
mod measure;
mod provenance;
mod rebuild;
mod rebuilders;
mod sign;
mod source;
mod step;
mod store;
mod verify;

pub(crate) use self::common::{Lines, explain};

use clap::Subcommand;

use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Something about an enclave image.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
An image is measured when an enclave starts: PCR0 is the whole of kernel, command line and ramdisks,
PCR1 the operating system, PCR2 what was added to it, PCR8 the certificate of whoever signed it.

Example:
  quorate image measure quorate.eif --json")]
pub(crate) enum Image {
    /// Build applications with the same guarantees
    #[command(subcommand, arg_required_else_help = true)]
    App(app::App),
    /// Build the image of this checkout from locked inputs, without a network
    Build(build::Arguments),
    /// Fetch every input of the lock into the store
    Fetch(fetch::Arguments),
    /// Resolve images/image.toml into images/lock.toml
    Lock(lock::Arguments),
    /// Fetch, build and compare: is this image made from this source?
    Rebuild(rebuild::Arguments),
    /// Run one step of a build; the build itself starts this
    #[command(hide = true)]
    Step(step::Arguments),
    /// Take the store to another machine
    #[command(subcommand, arg_required_else_help = true)]
    Store(store::Store),
    /// Show what an image holds: what is measured, and what its maker merely claims
    Inspect(inspect::Arguments),
    /// Print the measurements of an image
    Measure(measure::Arguments),
    /// Show where two images differ: section, file, byte
    Diff(diff::Arguments),
    /// Sign the measurements of an image, where the key is
    Sign(sign::Arguments),
    /// Put a signature into its image
    Attach(attach::Arguments),
    /// Sign what a rebuild on this machine measured
    Attest(attest::Arguments),
    /// Write where an image comes from: SLSA provenance and a bill of materials
    Provenance(provenance::Arguments),
    /// Verify an image: its measurements, who signed it
    Verify(verify::Arguments),
}

/// Runs one subcommand.
pub(crate) fn run(image: &Image, output: Output) -> Result<Exit, Failure> {
    match image {
        Image::App(app) => app::run(app, output),
        Image::Build(arguments) => build::run(arguments, output),
        Image::Fetch(arguments) => fetch::run(arguments, output),
        Image::Lock(arguments) => lock::run(arguments, output),
        Image::Rebuild(arguments) => rebuild::run(arguments, output),
        Image::Step(arguments) => step::run(arguments),
        Image::Store(store) => store::run(store, output),
        Image::Inspect(arguments) => inspect::run(arguments, output),
        Image::Measure(arguments) => measure::run(arguments, output),
        Image::Diff(arguments) => diff::run(arguments, output),
        Image::Sign(arguments) => sign::run(arguments, output),
        Image::Attach(arguments) => attach::run(arguments, output),
        Image::Attest(arguments) => attest::run(arguments, output),
        Image::Provenance(arguments) => provenance::run(arguments, output),
        Image::Verify(arguments) => verify::run(arguments, output),
    }
}
