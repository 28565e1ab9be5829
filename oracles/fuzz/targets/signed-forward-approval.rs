//! The fuzz target `signed-forward-approval`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-forward-approval");
