//! The fuzz target `signed-rebuild`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-rebuild");
