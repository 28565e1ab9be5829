//! The fuzz target `signed-approval`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-approval");
