//! The fuzz target `ceremony-plan`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("ceremony-plan");
