//! The fuzz target `signed-possession`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-possession");
