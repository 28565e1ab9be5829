//! The fuzz target `decision`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("decision");
