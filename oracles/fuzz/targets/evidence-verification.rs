//! The fuzz target `evidence-verification`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("evidence-verification");
