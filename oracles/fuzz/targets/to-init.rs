//! The fuzz target `to-init`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("to-init");
