//! The binaries of this package: one for each fuzz target of `quorate-fuzz-targets`.
//!
//! Built by `cargo fuzz` they are libFuzzer programs. Built in any other way they run their target
//! once on each file they are given, so a finding can be looked at on stable.

#[cfg(fuzzing)]
#[doc(hidden)]
pub use libfuzzer_sys;

/// The entry point of a binary.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::run($name, data));

        #[cfg(not(fuzzing))]
        fn main() {
            $crate::replay($name);
        }
    };
}

pub use quorate_fuzz_targets::run;

/// Runs a target on the files named on the command line.
///
/// # Panics
/// If a file cannot be read, or the target finds a broken invariant.
pub fn replay(target: &str) {
    for path in std::env::args_os().skip(1) {
        let data = std::fs::read(&path).expect("a file that can be read");
        run(target, &data);
        println!("{target}: {} passes", path.display());
    }
}
