//! The fuzz target `possession`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("possession");
