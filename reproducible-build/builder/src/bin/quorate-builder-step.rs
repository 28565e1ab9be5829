//! One step of a build in its sandbox, as a program of its own: for tests of this library, and for
//! programs that link it and are not `quorate`.
//!
//! Usage: `quorate-builder-step SPEC`.

#![forbid(unsafe_code)]

use std::path::Path;

fn main() {
    let Some(spec) = std::env::args_os().nth(1) else {
        eprintln!("usage: quorate-builder-step SPEC");
        std::process::exit(2);
    };
    std::process::exit(quorate_builder::sandbox::enter(Path::new(&spec)))
}
