//! The fuzz target `signed-forward-confirmation`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-forward-confirmation");
