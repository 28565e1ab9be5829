//! The fuzz target `derivation-path`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("derivation-path");
