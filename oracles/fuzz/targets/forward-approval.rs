//! The fuzz target `forward-approval`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("forward-approval");
