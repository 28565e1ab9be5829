//! The fuzz target `rebuild`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("rebuild");
