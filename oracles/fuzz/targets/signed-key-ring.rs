//! The fuzz target `signed-key-ring`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-key-ring");
