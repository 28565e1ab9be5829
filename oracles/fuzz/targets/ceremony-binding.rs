//! The fuzz target `ceremony-binding`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("ceremony-binding");
