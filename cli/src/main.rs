//! `quorate`: the one command a person types.
//!
//! * [`arguments`] is the command line as types, with the help that teaches it.
//! * [`verify`] reads attestation documents and evidence as a stranger does.
//! * [`vectors`] runs a set of attestation documents against what is known of each.
//! * [`emulate`] runs enclaves under a development root, as machines and as processes.
//! * [`enclave`] starts and ends enclaves on a Nitro parent instance.
//! * [`ceremony`] is what the people of a quorum type.
//! * [`app`] tells whether a binary would run in an enclave.
//! * [`image`] reads, measures, signs and proves enclave images.
//! * [`demo`] runs the whole path with real separate processes, which [`stage`] starts.
//! * [`rehearse`] holds a ceremony for practice, on the same [`stage`].
//! * [`later`] describes to the parser only the command that is typed.
//! * [`output`] is the only place that prints, [`failure`] is what a person is told when a command
//!   fails, [`files`] and [`pem`] read and write files within bounds.
//!
//! Guarantees: a command either does what it says and exits 0, or says what happened, whose fault
//! it is and what to do, and exits 1 (refused or failed) or 2 (the command or a file it names is
//! unusable).
//!
//! Trusts: the user it runs as, and no root but AWS's unless one is passed on the command line.
//!
//! Does not: decide anything about trust. That is in `quorate-verify`.

#![forbid(unsafe_code)]

mod app;
mod arguments;
mod ceremony;
mod demo;
mod egress;
mod emulate;
mod enclave;
mod failure;
mod files;
mod image;
mod later;
mod moment;
mod output;
mod pem;
mod pin;
mod rehearse;
mod stage;
mod vectors;
mod verify;

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use self::arguments::{Arguments, Command, Verify};
use self::failure::{Exit, Failure};
use self::output::Output;

/// Has this process verify signatures with AWS-LC.
fn fast() -> Result<(), Failure> {
    quorate_verify_aws_lc::install().map_err(|fault| verify::faulty(&fault))
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return ExitCode::from(explain(&error).code()),
    };
    let output = Output::new(arguments.json, arguments.plain);
    let outcome = match arguments.command {
        Command::Ceremony(ceremony) => fast().and_then(|()| ceremony::run(&ceremony, output)),
        Command::Demo(demo) => fast().and_then(|()| demo::run(&demo, output)),
        Command::Verify(what) => match what.0 {
            Verify::Attestation(document) => verify::attestation::run(&document, output),
            Verify::Evidence(evidence) => fast().and_then(|()| verify::evidence(&evidence, output)),
            Verify::Vectors(set) => vectors::run(&set, output),
        },
        Command::Emulate(what) => emulate::run(&what, output),
        Command::Console(console) => emulate::console(&console, output),
        Command::Enclave(enclave) => enclave::run(&enclave, output),
        Command::EgressProxy(proxy) => egress::run(&proxy, output),
        Command::App(app) => app::run(&app, output),
        Command::Image(image) => image::run(&image, output),
    };
    let exit = outcome.unwrap_or_else(|failure| {
        output.fail(&failure);
        failure.exit()
    });
    ExitCode::from(exit.code())
}

/// Shows help, the version, or what is wrong with the command line.
fn explain(error: &clap::Error) -> Exit {
    let given = |option: &str| std::env::args_os().any(|argument| argument == OsStr::new(option));
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if given("--json") && !asked {
        // clap's first paragraph says what is wrong; the rest is usage.
        let text = error.to_string();
        let what = text.split("\n\n").next().unwrap_or_default();
        let what = what.strip_prefix("error: ").unwrap_or(what);
        let what: Vec<_> = what.split_whitespace().collect();
        let failure = Failure::usage(
            "usage",
            what.join(" "),
            "quorate COMMAND --help shows what it takes",
        );
        Output::new(true, true).fail(&failure);
        return failure.exit();
    }
    if given("--plain") && !asked {
        eprint!("{error}");
    } else {
        // Whoever closed the output needs no help.
        let _ = error.print();
    }
    if asked { Exit::Success } else { Exit::Usage }
}
